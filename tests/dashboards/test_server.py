"""Who gets to see the dashboard: whoever has the token, on a page of this server. Nobody else."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from workbench.dashboards.server import _names

HERE = "http://127.0.0.1"


@contextlib.contextmanager
def serving(folder, *arguments):
    """Serve a folder; give the process and the address."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "workbench.cli", "dashboard", str(folder), "--json", "--port", "0", *arguments]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        try:
            yield process, json.loads(process.stdout.readline())["address"]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(recorded):
    with serving(recorded) as (_, address):
        yield address


async def document(address, origin=None):
    """Open a page and pull its document, as a browser at `origin` does; return it as text."""
    place = urllib.parse.urlsplit(address)
    html = (await AsyncHTTPClient().fetch(address)).body.decode()
    token = re.search(r'"token":"([^"]+)"', html)[1]
    headers = {"Origin": origin or f"http://{place.netloc}"}
    request = HTTPRequest(f"ws://{place.netloc}{place.path.rstrip('/')}/ws", headers=headers)
    connection = await websocket_connect(request, subprotocols=["bokeh", token], max_message_size=1 << 30)
    for _ in range(3):  # the message of welcome
        await connection.read_message()
    for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
        await connection.write_message(json.dumps(part))
    _, _, content = [await connection.read_message() for _ in range(3)]
    connection.close()
    return html + content


def test_with_the_token_the_runs_are_there(served):
    assert urllib.parse.urlsplit(served).hostname == "127.0.0.1"
    text = asyncio.run(document(served))
    assert '"id"' in text
    assert "second" in text


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ff%00", "?other=1", "?token=x&token=y"])
def test_without_it_there_is_nothing(served, query):
    text = asyncio.run(document(served.partition("?")[0] + query))
    assert "This address lacks its token" in text
    assert "second" not in text
    assert "dashboard.js" not in text


def test_the_first_token_counts_alone(served):
    wrong = served.replace("?token=", "?token=wrong&token=")
    assert "lacks its token" in asyncio.run(document(wrong))


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", "https://localhost"])
def test_a_page_from_elsewhere_cannot_speak_to_it(served, origin):
    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(document(served, origin))


def test_it_is_served_to_this_machine_alone(served):
    port = urllib.parse.urlsplit(served).port
    with socket.socket() as other, pytest.raises(OSError, match="refused"):
        other.connect(("127.0.0.2", port))


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_it_ends_when_it_is_asked_to_and_says_no_more(recorded, sign, code):
    with serving(recorded) as (process, _):
        process.send_signal(sign)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest) == (code, "")
        assert "Traceback" not in errors


def test_panel_serves_it_too(recorded, tmp_path):
    script = tmp_path / "app.py"
    script.write_text(f"import workbench as wb\nwb.dashboard({str(recorded)!r}).servable()\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "panel", "serve", str(script), "--address", "127.0.0.1", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        try:
            said = [process.stdout.readline()]
            while said[-1] and "running at" not in said[-1]:
                said.append(process.stdout.readline())
            assert "second" in asyncio.run(document(f"{HERE}:{port}/app")), said
        finally:
            process.kill()


def test_another_address_is_warned_of(recorded):
    with serving(recorded, "--address", "127.0.0.3") as (process, address):
        assert urllib.parse.urlsplit(address).hostname == "127.0.0.3"
        assert "second" in asyncio.run(document(address))
        process.terminate()
        assert "opens this to other machines, without encryption" in process.communicate(timeout=60)[1]


def test_the_names_of_every_address_are_those_of_the_machine():
    assert _names("127.0.0.1") == _names("localhost") == ["127.0.0.1", "localhost"]
    assert _names("::1") == ["[::1]", "localhost"]
    assert _names("10.1.2.3") == ["10.1.2.3"]
    names = _names("0.0.0.0")
    assert names[0] == socket.gethostname()
    assert "*" not in "".join(names)


def test_what_cannot_be_served_is_named(tmp_path, recorded, refused):
    assert "RUNS=" in refused("dashboard", str(tmp_path / "none"))
    command = ("dashboard", str(recorded), "--json")
    nowhere = refused(*command, "--address", "203.0.113.7", "--port", "0")
    assert "--address='203.0.113.7' with --port=0 cannot be listened at" in nowhere
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"--port={port} cannot be listened at" in refused(*command, "--port", port)
