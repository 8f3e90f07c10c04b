"""The committed JavaScript: whole, offline, licensed, and what the source builds."""

import re
import shutil
import subprocess

import pytest

from workbench.ui.panel import STATIC, Panel

SOURCE = STATIC.parents[2] / "extensions" / "panel"
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def test_the_bundle_loads_nothing():
    code = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("panel.js", "dashboard.js", "picture.js"))
    style = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("panel.css", "dashboard.css"))
    assert set(re.findall(r"https?://[^\"'`\s)]+", code + style)) <= {SVG_NAMESPACE}
    assert not re.search(r"\bimport\s*[\"'({*]|\bimport\s+\w|\brequire\s*\(|@import|url\(", code + style)


@pytest.mark.parametrize("name", ["panel.js", "dashboard.js"])
def test_the_bundle_carries_the_licence_of_what_it_contains(name):
    code = (STATIC / name).read_text(encoding="utf-8")
    assert "Copyright (c) 2022 Leon Sorokin" in code
    assert "THE SOFTWARE IS PROVIDED" in code


def test_the_widget_carries_the_text_and_not_a_path(panel):
    assert isinstance(Panel._esm, str)
    assert panel._esm == (STATIC / "panel.js").read_text(encoding="utf-8")
    assert len(panel._esm) + len(panel._css) < 150_000


def test_the_lock_file_names_no_registry():
    assert "://" not in (SOURCE / "package-lock.json").read_text(encoding="utf-8")


def test_modules_are_read_in_one_sitting():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.glob("src/**/*.ts")}
    assert max(lengths.values()) <= 120, lengths


@pytest.mark.browser
def test_the_source_builds_the_committed_bytes(tmp_path):
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm, "npm is missing; install nodejs and npm from the system's packages."
    copy = tmp_path / "panel"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run([npm, "ci", "--ignore-scripts"], cwd=copy, check=True, capture_output=True)
    subprocess.run([npm, "run", "check"], cwd=copy, check=True, capture_output=True)
    subprocess.run([node, "build.mjs", str(tmp_path / "built")], cwd=copy, check=True, capture_output=True)
    for name in ("panel.js", "panel.css", "dashboard.js", "dashboard.css", "picture.js"):
        assert (tmp_path / "built" / name).read_bytes() == (STATIC / name).read_bytes(), f"run npm run build: {name}"
