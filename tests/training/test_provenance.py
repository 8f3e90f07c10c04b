"""A run says what it ran on, and the state of the user's own code."""

import subprocess

import pytest

from workbench.training import provenance
from workbench.training.provenance import git_state


def git(folder, *arguments):
    settings = ("-c", "user.name=tester", "-c", "user.email=tester@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "agent.py").write_text("clip = 0.2\n")
    git(tmp_path, "add", "agent.py")
    git(tmp_path, "commit", "-m", "Begin")
    return tmp_path


def test_the_revision_is_told_and_whether_tracked_files_were_changed(repository):
    revision = git(repository, "rev-parse", "HEAD")
    (repository / "runs").mkdir()
    (repository / "runs" / "metrics.jsonl").write_text("")  # what nobody tracks does not count
    assert git_state(repository / "runs") == {"revision": revision, "dirty": False}
    (repository / "agent.py").write_text("clip = 0.3\n")
    assert git_state(repository) == {"revision": revision, "dirty": True}


def test_outside_of_a_repository_there_is_none(tmp_path):
    assert git_state(tmp_path) is None


def test_without_commits_or_without_git_there_is_none(tmp_path, monkeypatch):
    git(tmp_path, "init")
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) is None


def test_a_git_that_does_not_answer_is_not_waited_for(repository, monkeypatch):
    monkeypatch.setattr(provenance, "GIT_SECONDS", 1e-9)
    assert git_state(repository) is None
