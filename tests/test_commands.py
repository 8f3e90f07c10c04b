"""What the commands do, on real trainers: evaluate, list, measure, diagnose, stop and go on."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.algorithms import PPO
from workbench.cli import main
from workbench.commands import doctor
from workbench.hyperparameters import declared
from workbench.training.metrics import read_metrics

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A short real run."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    arguments = ["train", "CartPole-v1", "--steps", "256", "--lanes", "4", "--horizon", "8", "--run-dir", str(folder)]
    assert main(arguments) == 0
    return folder


def test_list_names_environments_and_algorithms(capsys):
    assert main(["list", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert "CartPole-v1" in [entry["id"] for entry in record["environments"]]
    ppo = next(entry for entry in record["algorithms"] if entry["name"] == "ppo")
    assert set(ppo["hyperparameters"]) == set(declared(PPO))
    assert main(["list"]) == 0
    assert "CartPole-v1" in capsys.readouterr().out


@pytest.mark.parametrize("policy", ["random", "mlp", "train"])
def test_bench_reports_a_rate_and_what_decides_it(policy, capsys):
    extra = [] if policy == "random" else ["--horizon", "4"]
    assert (
        main(["bench", "CartPole-v1", "--policy", policy, "--lanes", "8", "--seconds", "0.01", "--json", *extra]) == 0
    )
    record = json.loads(capsys.readouterr().out)
    assert record["steps_per_second"] > 0
    assert len(record["repeats"]) == 3
    assert (record["policy"], record["lanes"], record["backend"]) == (policy, 8, "native")
    assert {"python", "numpy", "torch", "numba", "gymnasium", "workbench"} <= set(record["versions"])


@pytest.mark.parametrize("policy", ["mlp", "train"])
@pytest.mark.parametrize("backend", ["native", "torch", "serial"])
def test_bench_measures_whoever_learns(policy, backend, capsys):
    arguments = ["bench", "CartPole-v1", "--policy", policy, "--backend", backend, "--lanes", "8", "--seconds", "0.01"]
    assert main([*arguments, "--horizon", "4", "--repeats", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend"] == backend


def test_bench_measures_the_original_too(capsys):
    arguments = [
        "bench",
        "CartPole-v1",
        "--backend",
        "serial",
        "--lanes",
        "2",
        "--seconds",
        "0.01",
        "--repeats",
        "1",
    ]
    assert main(arguments) == 0
    assert "gymnasium" in capsys.readouterr().out


def test_doctor_reports_every_part(capsys):
    code = main(["doctor", "--json"])
    record = json.loads(capsys.readouterr().out)
    names = {check["name"] for check in record["checks"]}
    assert {
        "python",
        "processor",
        "torch",
        "numba threads",
        "compilation cache",
        "cuda",
        "[lab] extra",
        "panel",
    } <= names
    assert all(check["fix"] for check in record["checks"] if check["state"] != "ok")
    pages = {check["page"] for check in record["checks"]} - {""}
    assert pages >= {"pains/busy-kernel", "pains/anywidget-missing", "pains/message-limit", "pains/videos"}
    assert code == (0 if record["healthy"] else 1)


def test_doctor_survives_what_it_finds(capsys, monkeypatch):
    def broken():
        raise OSError("disk on fire")
        yield

    monkeypatch.setattr("workbench.commands.doctor.GROUPS", (broken,))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "OSError: disk on fire" in shown
    assert "fix: " in shown
    assert "1 broken" in shown


def test_eval_reports_every_episode(finished_run, capsys):
    assert main(["eval", str(finished_run), "--episodes", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["episodes"], len(record["returns"]), len(record["lengths"])) == (3, 3, 3)
    assert record["min"] <= record["mean"] <= record["max"]
    assert record["returns"] == record["lengths"]
    assert main(["eval", str(finished_run), "--episodes", "3"]) == 0
    assert f"{record['mean']:.2f}" in capsys.readouterr().out


def test_list_shows_runs(finished_run, capsys):
    assert main(["list", "--runs", str(finished_run.parent), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["runs"]
    assert (record["env"], record["algorithm"], record["seed"], record["steps"]) == ("CartPole-v1", "ppo", 0, 256)
    assert main(["list", "--runs", str(finished_run)]) == 0
    assert "256" in capsys.readouterr().out


def test_list_shows_a_damaged_run_and_goes_on(tmp_path, capsys):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    for name, content in (("foreign", '{"hello": 1}'), ("list", "[1]"), ("null", '{"env": null, "algorithm": "ppo"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    (tmp_path / "young").mkdir()
    (tmp_path / "young" / "run.json").write_text('{"env": "CartPole-v1", "algorithm": "ppo", "seed": 1}')
    assert main(["list", "--runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("cannot be read") == 4
    assert "CartPole-v1" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--runs", "nowhere"], "--runs='nowhere' is no folder"),
        (["eval", "nowhere"], "'nowhere'"),
        (["resume", "nowhere"], "'nowhere'"),
    ],
)
def test_a_run_that_is_not_there_is_named(arguments, says, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(*arguments)


def test_a_finished_run_resumes_only_with_more_steps(finished_run, refused):
    assert "--steps N` adds N" in refused("resume", str(finished_run))


def test_a_run_is_named_as_it_is_typed_here(finished_run, monkeypatch, capsys, refused):
    monkeypatch.chdir(finished_run.parent)
    assert "`workbench resume first --steps N`" in refused("resume", "first")
    assert main(["resume", "first", "--steps", "32"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("evaluate with: workbench eval first")


def test_a_second_run_in_the_same_folder_is_refused(finished_run, refused):
    assert str(finished_run) in refused("train", "CartPole-v1", "--run-dir", str(finished_run))


def test_ctrl_c_saves_the_run_and_resume_takes_it_to_its_goal(tmp_path):
    """The goal is out of reach before the interrupt; --steps then sets a near one."""
    folder = tmp_path / "run"
    flags = ["--lanes", "16", "--horizon", "8", "--run-dir", str(folder), "--json"]
    command = [sys.executable, "-m", "workbench.cli", "train", "CartPole-v1", "--steps", "1000000000", *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not ((folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").stat().st_size):
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    record = json.loads(out)
    assert record["reason"] == "stopped"
    assert (folder / "checkpoints" / f"{record['steps']:015d}" / "state.json").exists()

    assert main(["resume", str(folder), "--steps", "128", "--json"]) == 0
    metrics = read_metrics(folder)
    assert metrics.last("steps") == record["steps"] + 128


def test_bench_takes_threads_and_gives_them_back(capsys):
    import numba
    import torch

    before = numba.get_num_threads(), torch.get_num_threads()
    common = ["bench", "CartPole-v1", "--lanes", "8", "--seconds", "0.01", "--repeats", "1", "--threads", "1", "--json"]
    for policy in ("random", "mlp"):
        assert main([*common, "--policy", policy]) == 0
        assert json.loads(capsys.readouterr().out)["threads"] == 1
    assert (numba.get_num_threads(), torch.get_num_threads()) == before


@pytest.fixture
def jupyter(monkeypatch, tmp_path):
    """An empty place where Jupyter looks for extensions and settings, and nowhere else."""
    for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    for name in ("ENV_JUPYTER_PATH", "SYSTEM_JUPYTER_PATH"):
        monkeypatch.setattr(f"jupyter_core.paths.{name}", [str(tmp_path / "share" / "jupyter")])
    for name in ("ENV_CONFIG_PATH", "SYSTEM_CONFIG_PATH"):
        monkeypatch.setattr(f"jupyter_core.paths.{name}", [str(tmp_path / "etc" / "jupyter")])
    return tmp_path


def test_doctor_tells_what_keeps_the_extension_of_jupyterlab_away(jupyter):
    def found():
        (check,) = doctor.check_extension()
        return check.state, check.found, check.fix

    assert found()[:2] == ("note", "not installed: no side panel of runs")
    extension = ROOT / "extensions" / "jupyterlab"
    shutil.copytree(extension / "share", jupyter / "share")
    assert found()[1:] == (
        "its side of the server is switched off",
        "jupyter server extension enable workbench.labserver, and restart JupyterLab",
    )
    shutil.copytree(extension / "etc", jupyter / "etc")
    assert found() == ("ok", "installed and enabled", "")
    (jupyter / "etc" / "jupyter" / "labconfig").mkdir()
    switch = {"disabledExtensions": {"rl-workbench": True}}
    (jupyter / "etc" / "jupyter" / "labconfig" / "page_config.json").write_text(json.dumps(switch))
    assert found()[1:] == ("switched off", "jupyter labextension enable rl-workbench")


def test_doctor_names_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file / "below"))
    (check,) = doctor.check_cache()
    assert check.state == "note"
    assert "NUMBA_CACHE_DIR" in check.fix


@pytest.mark.parametrize(("oldest", "state"), [("0.0.1", "ok"), ("999", "broken")], ids=["recent enough", "too old"])
def test_doctor_compares_versions(oldest, state):
    assert doctor.compare("numpy", oldest, "broken", "pip install numpy").state == state
