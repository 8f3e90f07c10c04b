"""JupyterLab's extension as it is committed: small, offline, licensed, and what the source builds."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "extensions" / "jupyterlab"
BUILT = SOURCE / "share" / "jupyter" / "labextensions" / "rl-workbench"
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
PLACE = re.compile(r"https?://[^\"'`\s)]+")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_description_names_the_files_that_are_there():
    build = json.loads((BUILT / "package.json").read_text())["jupyterlab"]["_build"]
    assert (BUILT / build["load"]).is_file()
    chunks = {name for name in files(BUILT / "static") if name.endswith(".js")}
    entry = (BUILT / build["load"]).read_text(encoding="utf-8")
    assert len(chunks) == 4  # the entry, the code, the style, and what JupyterLab's own build would bundle
    for name in chunks - {Path(build["load"]).name, "style.js"}:
        number, digest, _ = name.split(".")
        assert number in entry
        assert digest in entry


def test_the_bundle_is_small_and_loads_nothing_from_elsewhere():
    static = files(BUILT / "static")
    assert sum(map(len, static.values())) < 60_000
    code = "".join(content.decode() for name, content in static.items() if name.endswith(".js"))
    assert set(PLACE.findall(code)) <= {SVG_NAMESPACE}
    assert not re.search(r"@import|url\(", code)


def test_what_it_contains_of_others_is_licensed():
    packages = json.loads((BUILT / "static" / "third-party-licenses.json").read_text())["packages"]
    assert {package["licenseId"] for package in packages} == {"MIT"}
    assert all("THE SOFTWARE IS PROVIDED" in package["extractedText"] for package in packages)


def test_the_settings_have_the_defaults_that_the_code_begins_with():
    schema = json.loads((SOURCE / "schema" / "plugin.json").read_text())
    defaults = {name: each["default"] for name, each in schema["properties"].items()}
    code = (SOURCE / "src" / "model.ts").read_text(encoding="utf-8")
    assert f'DEFAULTS: Settings = {{ folder: "{defaults["folder"]}", period: {defaults["period"]} }}' in code


def test_it_asks_jupyterlab_for_no_newer_packages_than_it_declares():
    package = json.loads((SOURCE / "package.json").read_text())
    shared = {name: each["requiredVersion"] for name, each in package["jupyterlab"]["sharedPackages"].items()}
    assert shared == package["dependencies"]
    assert shared["@jupyterlab/application"] == "^4.4.0"  # as pyproject.toml's `lab` does


def test_the_lock_file_names_no_registry():
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text(encoding="utf-8")


def test_modules_are_read_in_one_sitting():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in (SOURCE / "src").iterdir()}
    assert max(lengths.values()) <= 140, lengths


@pytest.mark.browser
def test_the_source_builds_the_committed_bytes(tmp_path):
    npm = shutil.which("npm")
    assert npm, "npm is missing; install nodejs and npm from the system's packages."
    copy = tmp_path / "jupyterlab"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "lib", "share"))
    subprocess.run([npm, "ci", "--ignore-scripts"], cwd=copy, check=True, capture_output=True)
    subprocess.run([npm, "run", "build"], cwd=copy, check=True, capture_output=True)
    assert files(copy / BUILT.relative_to(SOURCE)) == files(BUILT), "run npm run build"
