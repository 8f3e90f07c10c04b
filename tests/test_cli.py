"""The command line: where settings come from, what it says when they are wrong, what it prints for machines."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from workbench.algorithms import PPO
from workbench.cli import COMMANDS, main
from workbench.commands import settings
from workbench.commands.output import finite
from workbench.errors import InputError, UnknownNameError
from workbench.events import Emitter, Progress, Started, Stopped
from workbench.hyperparameters import declared

ROOT = Path(__file__).parents[1]


class FakeTrainer:
    """Remembers what it was made with and asked to do."""

    made: ClassVar[list["FakeTrainer"]] = []
    reason = "target"

    def __init__(
        self, env, algorithm, *, seed=0, lanes=None, backend="auto", workers=None, device="cpu", run_dir=None, **care
    ):
        self.care = care
        self.backend, self.workers = backend, workers
        self.environment, self.algorithm, self.seed, self.lanes, self.device = env, algorithm, seed, lanes, device
        self.run_dir = run_dir or "runs/fresh"
        self.id, self.steps, self.goal, self.seconds, self.status = "fresh", 0, 0, 0.0, "new"
        self.metrics = SimpleNamespace(last=lambda name: 480.5)
        self.closed, self._emitter, self.trained = False, Emitter(), None
        FakeTrainer.made.append(self)

    def subscribe(self, callback):
        return self._emitter.subscribe(callback)

    def on(self, kind, callback):
        return self._emitter.on(kind, callback)

    def train(self, steps, target_return=None):
        self.trained, self.goal, self.target_return = (steps, target_return), steps, target_return
        self._emitter.emit(Started(0, steps))
        if self.reason == "interrupt":
            raise KeyboardInterrupt
        self.steps, self.seconds, self.status = steps, 2.0, "stopped"
        self._emitter.emit(Progress(steps, {"episode_return": 480.5, "steps_per_second": 5e5}))
        self._emitter.emit(Stopped(steps, self.reason))

    def stop(self):
        raise AssertionError("nobody asked it to stop")

    def close(self):
        self.closed = True


@pytest.fixture
def fake(monkeypatch):
    FakeTrainer.made, FakeTrainer.reason = [], "target"
    monkeypatch.setattr("workbench.Trainer", FakeTrainer)
    return FakeTrainer


@pytest.fixture
def trained(fake, capsys):
    """Run `workbench train` with the fake; return the trainer it made."""

    def run(*arguments):
        assert main(["train", *arguments]) == 0, capsys.readouterr().err
        return fake.made[-1]

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_train_help_shows_every_hyperparameter_with_its_range(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, setting in declared(PPO).items():
        assert settings.flag(name) in shown
        default = str(setting.default).lower() if setting.kind is bool else setting.default
        assert f"default {default}" in shown
    assert "from 1e-06 to 0.1" in shown


def test_flags_reach_the_trainer_and_the_algorithm(trained):
    trainer = trained(
        *("CartPole-v1", "--seed", "3", "--lanes", "8", "--device", "cpu", "--run-dir", "here", "--steps", "1e4"),
        *("--backend", "processes", "--workers", "3"),
        *("--target-return", "475", "--learning-rate", "1e-3", "--epochs=2"),
    )
    assert (trainer.environment, trainer.seed, trainer.lanes, trainer.run_dir) == ("CartPole-v1", 3, 8, "here")
    assert (trainer.backend, trainer.workers) == ("processes", 3)
    assert trainer.trained == (10_000, 475.0)
    assert (trainer.algorithm.learning_rate, trainer.algorithm.epochs) == (1e-3, 2)
    assert trainer.algorithm.horizon == declared(PPO)["horizon"].default
    assert trainer.closed


def test_how_a_run_is_looked_after_reaches_the_trainer_where_it_is_given(trained, monkeypatch):
    assert trained("CartPole-v1").care == {"resume": "never"}
    monkeypatch.setenv("WORKBENCH_KEEP_LAST", "5")
    trainer = trained(
        *("CartPole-v1", "--sinks", "tensorboard, wandb", "--record-every", "1e5", "--resume", "auto"),
        *("--evaluate-every", "50000", "--keep-best", "false", "--on-nan", "rollback"),
    )
    assert trainer.care == {
        "resume": "auto",
        "sinks": ["tensorboard", "wandb"],
        "record_every": 100_000,
        "evaluate_every": 50_000,
        "keep_last": 5,
        "keep_best": False,
        "on_nan": "rollback",
    }


def test_a_run_that_goes_on_takes_what_is_left_of_its_steps(trained, fake, monkeypatch, refused, capsys):
    monkeypatch.setattr(fake, "__init__", begun(fake.__init__, 300))
    assert trained("CartPole-v1", "--steps", "1000", "--resume", "auto").trained == (700, None)
    capsys.readouterr()
    said = refused("train", "CartPole-v1", "--steps", "300", "--resume", "auto")
    assert "run 'runs/fresh' has taken all its 300 steps" in said
    assert fake.made[-1].closed


def begun(initialise, steps):
    def begun(self, *arguments, **settings):
        initialise(self, *arguments, **settings)
        self.steps = steps

    return begun


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(trained, monkeypatch, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('environment = "CartPole-v1"\nepochs = 5\nhorizon = 16\nclip = 0.3\nseed = 9\nlanes = 4\n')
    monkeypatch.setenv("WORKBENCH_EPOCHS", "6")
    monkeypatch.setenv("WORKBENCH_HORIZON", "8")
    monkeypatch.setenv("WORKBENCH_LANES", "2")
    trainer = trained("--config", str(file), "--epochs", "7")
    assert (trainer.algorithm.epochs, trainer.algorithm.horizon, trainer.algorithm.clip) == (7, 8, 0.3)
    assert (trainer.environment, trainer.seed, trainer.lanes) == ("CartPole-v1", 9, 2)
    assert trainer.algorithm.gamma == declared(PPO)["gamma"].default


def test_the_algorithm_may_come_from_any_source(refused, monkeypatch, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('algorithm = "from-file"\n')
    assert "'from-file'" in refused("train", "CartPole-v1", "--config", str(file))
    monkeypatch.setenv("WORKBENCH_ALGORITHM", "from-variable")
    assert "'from-variable'" in refused("train", "CartPole-v1", "--config", str(file))
    assert "'from-flag'" in refused("train", "CartPole-v1", "--algorithm", "from-flag", "--config", str(file))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train"], "ENV is missing"),
        (["train", "CartPole-v1", "--learning-rat", "1"], "did you mean '--learning-rate'?"),
        (["train", "CartPole-v1", "--learning-rate", "fast"], "'fast' is not of type float"),
        (
            ["train", "CartPole-v1", "--learning-rate", "5"],
            "choose a value from 1e-06 to 0.1. (It was set by --learning-rate.)",
        ),
        (["train", "CartPole-v1", "--lanes", "0"], "train.lanes=0 is out of range"),
        (["train", "CartPole-v1", "--seed"], "expected one argument"),
        (["train", "CartPole-v1", "Acrobot-v1"], "'Acrobot-v1' is one argument too many"),
        (["train", "CartPole-v1", "--algorithm", "pppo"], "did you mean 'ppo'?"),
        (["train", "CartPole-v1", "--config", "missing.toml"], "cannot be read"),
        (["bench", "CartPole-v1", "--policy", "mpl"], "choose one of 'random', 'mlp', 'train'"),
        (["bench", "CartPole-v1", "--epochs", "2"], "--epochs=2 has no meaning with --policy random"),
        (["bench", "CartPole-v1", "--backend", "torch"], "--backend=torch has no meaning with --policy random"),
        (["bench", "CartPole-v1", "--policy", "train", "--backend", "natve"], "backend='natve' is not accepted"),
        (["bench", "CartPole-v9"], "'CartPole-v"),
        (["eval", "run", "--episodes", "0"], "eval.episodes=0 is out of range"),
        (["resume", "run", "--steps", "-1"], "resume.steps=-1 is out of range"),
        (["train", "CartPole-v1", "--on-nan", "stopp"], "choose one of 'stop', 'rollback'"),
        (["train", "CartPole-v1", "--sinks", "tensorbord"], "did you mean 'tensorboard'?"),
        (["list", "--jsn"], "did you mean '--json'?"),
        (["--versoin"], "did you mean '--version'?"),
    ],
)
def test_bad_input_gets_one_line_that_names_the_fix(arguments, says, refused):
    assert says in refused(*arguments)


def test_an_unknown_variable_gets_the_nearest_name(refused, monkeypatch):
    monkeypatch.setenv("WORKBENCH_LERNING_RATE", "1e-3")
    assert "did you mean 'WORKBENCH_LEARNING_RATE'?" in refused("train", "CartPole-v1")


def test_a_bad_variable_is_named(refused, monkeypatch):
    monkeypatch.setenv("WORKBENCH_SEED", "-1")
    assert "set by WORKBENCH_SEED" in refused("train", "CartPole-v1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lerning_rate = 1e-3", "did you mean 'learning_rate'?"),
        ("epochs = 0", "set by the --config file"),
        ("epochs = '2'", "is not of type int"),
        ("[ppo]\nepochs = 2", "without tables"),
        ("epochs =", "is not TOML"),
    ],
)
def test_a_bad_file_is_named(text, says, refused, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(text)
    assert says in refused("train", "CartPole-v1", "--config", str(file))


def test_train_prints_one_json_object_and_nothing_else(fake, capsys):
    assert main(["train", "CartPole-v1", "--steps", "1000", "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert captured.err == ""
    assert (record["reason"], record["steps"], record["steps_per_second"]) == ("target", 1000, 500.0)
    assert record["episode_return"] == 480.5


def test_a_stopped_run_says_how_to_go_on(fake, capsys):
    fake.reason = "stopped"
    assert main(["train", "CartPole-v1"]) == 130
    assert "workbench resume runs/fresh" in capsys.readouterr().out


def test_a_second_interrupt_still_says_how_to_go_on(fake, capsys):
    fake.reason = "interrupt"
    assert main(["train", "CartPole-v1"]) == 130
    captured = capsys.readouterr()
    assert "workbench resume runs/fresh" in captured.err
    assert fake.made[-1].closed


def test_booleans_are_words_on_the_command_line():
    setting = settings.option("dueling", bool, "two heads", default=True)
    assert settings.describe(setting) == "two heads (true or false; default true)"
    known = {"dueling": ("DQN", setting)}
    assert settings.resolve(known, {"dueling": "false"}, {}, {}) == {"dueling": False}
    with pytest.raises(InputError, match="not of type bool"):
        settings.resolve(known, {"dueling": "maybe"}, {}, {})
    with pytest.raises(UnknownNameError, match="WORKBENCH_DUELING"):
        settings.resolve(known, {}, {"duelling": "true"}, {})


def test_numbers_json_has_no_word_for_become_null():
    assert finite({"a": [float("nan"), 1.0], "b": (float("inf"),), "c": "nan"}) == {
        "a": [None, 1.0],
        "b": [None],
        "c": "nan",
    }


def test_an_interrupt_outside_training_is_quiet(capsys, monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.cli.dispatch", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_leaves_early_is_no_error():
    """The pipe is closed before anything is written to it."""
    command = [sys.executable, "-m", "workbench.cli", "list"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_where_a_batch_lets_runs_go_is_no_setting():
    assert settings.read_environment({"WORKBENCH_RUNS": "x", "WORKBENCH_SEED": "3"}) == {"seed": "3"}
