"""The addresses of the server extension, asked of a real server that the shipped configuration made load it."""

import json
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.browser.jupyterserver import JupyterServer
from tests.labserver.runfolders import write_run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    write_run(folder / "outside" / "a")
    write_run(folder / "notebooks" / "runs" / "50%", rows=[(1, {"episode_return": 1.0})])
    with JupyterServer(folder) as running:
        yield running


@pytest.fixture
def ask(server):
    """Give a function that asks for an address and returns the status and the answer; `content` is posted."""

    def asked(address, content=None, *, token=server.token):
        url = f"http://127.0.0.1:{server.port}/rl-workbench/{address}"
        data = None if content is None else content.encode()
        try:
            answer = urlopen(Request(url, data, {"Authorization": f"token {token}"} if token else {}))
        except HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(text) if is_json else None

    return asked


def test_runs_are_listed(ask):
    status, answer = ask("runs?folder=runs")
    assert status == 200
    assert [record["path"] for record in answer["runs"]] == ["runs/50%"]
    assert ask("runs")[1] == answer


@pytest.mark.parametrize("address", ["runs", "templates/experiment", "tutorials", "tutorials/01_first_run"])
def test_a_stranger_is_refused(ask, address):
    assert ask(f"{address}")[0] == 200
    assert ask(f"{address}", token=None)[0] == 403
    assert ask(f"{address}", token="wrong")[0] == 403


@pytest.mark.parametrize("folder", ["../outside", "/etc", "runs/../../outside", "~"])
def test_a_folder_outside_is_refused_with_the_reason(ask, folder):
    status, answer = ask(f"runs?folder={quote(folder, safe='')}")
    assert status == 400
    assert answer["message"].startswith(f"folder={folder!r} leads out of the server's folder")


def test_a_reason_arrives_letter_by_letter(ask):
    status, answer = ask("templates/continue?run=100%25")
    assert status == 400
    assert answer["message"].startswith("run='100%' is no run directory")


def test_an_action_is_posted_and_refused_with_the_reason(ask):
    assert ask("actions", '{"run": "runs/50%", "kind": "stop"}')[0] == 400
    status, answer = ask("actions", '{"run": "../outside/a", "kind": "stop"}')
    assert (status, answer["message"].partition(" ")[0]) == (400, "run='../outside/a'")
    assert ask("actions", "{")[0] == 400
    assert ask("actions", '{"run": "runs/50%", "kind": "stop"}', token=None)[0] == 403
    assert ask("actions")[0] == 405


def test_a_template_is_filled_in(ask):
    status, answer = ask("templates/continue?run=runs/50%25")
    assert (status, answer["name"], answer["folder"]) == (200, "continue.ipynb", ".")
    assert 'run = "runs/50%"' in [cell["source"] for cell in answer["content"]["cells"]]


@pytest.mark.parametrize("address", ["templates/nothing", "tutorials/nothing"])
def test_an_unknown_notebook_is_refused(ask, address):
    status, answer = ask(f"{address}")
    assert status == 400
    assert "'nothing' is unknown" in answer["message"]


@pytest.mark.parametrize("address", ["nothing", "templates/..%2Fexperiment", "templates/a/b"])
def test_other_addresses_are_not_found(ask, address):
    assert ask(f"{address}")[0] == 404
