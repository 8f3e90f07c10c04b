"""What `workbench wasm` writes, and what it refuses."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench.cli import main
from workbench_kernels.envs import make
from workbench_kernels.targets import wasm

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("environment", ["CartPole-v1", "returns"])
def test_a_module_its_binding_and_the_host_are_written(environment, tmp_path, capsys):
    out = tmp_path / "site" / "wasm"
    assert main(["wasm", environment, "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    module = (out / f"{environment}.wasm").read_bytes()
    assert module.startswith(b"\0asm")
    assert record["environment"] == environment
    assert record["bytes"] == len(module)
    assert record["module"] == str(out / f"{environment}.wasm")
    binding = wasm.returns_binding() if environment == "returns" else wasm.binding(make(environment))
    assert json.loads((out / f"{environment}.json").read_text(encoding="utf-8")) == json.loads(json.dumps(binding))
    assert (out / "lanes.mjs").read_bytes() == wasm.HOST.read_bytes()


def test_a_slash_in_the_name_makes_no_folder(tmp_path, capsys):
    assert main(["wasm", "workbench/Identity-v0", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "workbench-Identity-v0.wasm").is_file()
    assert "workbench-Identity-v0.json" in capsys.readouterr().out


def test_the_example_of_the_documentation_runs(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    page = (ROOT / "docs" / "wasm.md").read_text(encoding="utf-8")
    (tmp_path / "example.mjs").write_text(page.split("```js\n")[1].split("```")[0], encoding="utf-8")
    assert main(["wasm", "CartPole-v1", "--out", str(tmp_path)]) == 0
    done = subprocess.run(["node", "example.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert 15 < float(done.stdout) < 35


def test_an_unknown_environment_is_named(refused, tmp_path):
    assert "did you mean 'CartPole-v1'?" in refused("wasm", "CartPole-v2", "--out", str(tmp_path))


def test_a_missing_linker_is_named(refused, monkeypatch):
    monkeypatch.setattr(wasm.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'rl-workbench[wasm]'" in refused("wasm", "CartPole-v1")


def test_a_folder_that_is_a_file_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused("wasm", "CartPole-v1", "--out", str(tmp_path / "file"))
