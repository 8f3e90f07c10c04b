"""Places below the root, and none outside of it."""

import pytest

from workbench.errors import InputError
from workbench.labserver.places import below, inside, run_folders

OUTSIDE = ("..", "../x", "a/../../x", "/etc", "~", "~/x", "a\\..\\..\\x", "\\x", "C:/x", "a\0b")


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_out_of_the_root_is_refused(tmp_path, path):
    with pytest.raises(InputError, match=r"^run=.* leads out of the server's folder; give a path below it"):
        inside(tmp_path, path, "run")
    with pytest.raises(InputError, match=r"^folder="):
        run_folders(tmp_path, path)


@pytest.mark.parametrize(
    ("path", "parts"), [("a/b", ("a", "b")), (".", ()), ("./a//b/", ("a", "b")), ("a..b", ("a..b",))]
)
def test_a_path_below_the_root_is_found(tmp_path, path, parts):
    assert inside(tmp_path, path, "run") == tmp_path.joinpath(*parts)


def test_what_lies_below_is_named_from_the_root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to("root")
    assert below(tmp_path / "root", tmp_path / "root" / "a" / "b") == "a/b"
    assert below(tmp_path / "link", tmp_path / "root" / "a") == "a"
    assert below(tmp_path / "root", tmp_path / "rootless") is None
    assert below(tmp_path / "root", tmp_path / "root" / ".." / "x") is None
    assert below(tmp_path, None) is None


def test_a_name_means_every_folder_of_that_name(tmp_path):
    for path in (
        "runs/inner/runs",
        "b/runs",
        "a/c/runs",
        "b/other",
        ".hidden/runs",
        "node_modules/x/runs",
        "venv/runs",
    ):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "file" / "x").mkdir(parents=True)
    (tmp_path / "file" / "runs").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in run_folders(tmp_path, "runs")]
    assert found[0] == "runs"
    assert sorted(found) == ["a/c/runs", "b/runs", "runs"]


def test_a_path_means_that_folder(tmp_path):
    (tmp_path / "a" / "runs").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    assert run_folders(tmp_path, "a/runs") == [tmp_path / "a" / "runs"]
    assert run_folders(tmp_path, "./runs") == [tmp_path / "runs"]
    assert run_folders(tmp_path, ".") == [tmp_path]
    assert run_folders(tmp_path, "none/runs") == []


def test_links_do_not_lead_the_search_astray_but_may_be_the_folder(tmp_path):
    root, disk = tmp_path / "root", tmp_path / "disk"
    for path in (root / "a", disk / "runs", disk / "b" / "runs"):
        path.mkdir(parents=True)
    (root / "a" / "runs").symlink_to(disk / "runs")
    (root / "elsewhere").symlink_to(disk / "b")
    (root / "a" / "round").symlink_to(root)
    assert run_folders(root, "runs") == [root / "a" / "runs"]


def test_the_search_ends(tmp_path, monkeypatch):
    deep = tmp_path.joinpath(*"abcdefgh")
    (deep / "runs").mkdir(parents=True)
    assert run_folders(tmp_path, "runs") == []
    for number in range(8):
        (tmp_path / "wide" / str(number) / "runs").mkdir(parents=True)
    assert len(run_folders(tmp_path, "runs")) == 8
    monkeypatch.setattr("workbench.labserver.places.MOST_FOLDERS", 5)
    assert len(run_folders(tmp_path, "runs")) < 5
