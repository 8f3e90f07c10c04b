"""Measure PPO on CartPole-v1: our kernels, our torch backend, Stable-Baselines3 and a single file, in turn.

All have a perceptron of two layers of 64 (Stable-Baselines3 one for the policy and one for the value), and in the
speeds the same lanes, horizon, minibatches and threads. What else the machine does falls on all alike; ratios are taken
within a round. `notebooks/benchmarks/native.ipynb` calls it.
"""

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import workbench as wb
from benchmarks.single_file_ppo import SingleFilePPO
from workbench import benchmark

ENVIRONMENT, TARGET, EPISODES = "CartPole-v1", 475.0, 100
WANTED = {"one epoch": 3.5e6, "four epochs": 1.1e6, "rollouts": 12e6}
"""Steps per second that the kernels are to reach on two cores, fixed before they were written."""
SOLVED_WITHIN = 1.0
"""Seconds of training, in the median, in which the shipped defaults are to solve it."""

ZOO = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gamma": 0.98, "gae_lambda": 0.8, "ent_coef": 0.0}
"""Stable-Baselines3's hyperparameters for CartPole-v1 in RL Baselines3 Zoo; 8 lanes, 100,000 steps, falling rates."""
ZOO_LANES, ZOO_STEPS, ZOO_RATE, ZOO_CLIP = 8, 100_000, 1e-3, 0.2

OBSERVATIONS, WIDTH, OUTPUTS = 4, 64, 3
CHUNK = 8
"""Iterations that our trainer is given at a time."""


class Ours:
    """A trainer.

    Args:
        backend: "native" or "torch".
        settings: Of PPO.
    """

    def __init__(self, backend, lanes, settings):
        self._folder = tempfile.TemporaryDirectory()
        self.trainer = wb.Trainer(
            ENVIRONMENT, wb.PPO(**settings), lanes=lanes, backend=backend, run_dir=Path(self._folder.name) / "run"
        )
        self._chunk = CHUNK * lanes * self.trainer.algorithm.horizon

    def train(self):
        """Train for a while; return the steps and the seconds."""

        def iterate():
            before = self.trainer.steps
            self.trainer.train(self._chunk)
            return self.trainer.steps - before

        return timed(iterate)

    def collect(self):
        """Collect once, and learn nothing; return the steps and the seconds."""
        return timed(lambda: self.trainer.loop.learner.collect().steps)

    def close(self):
        """Remove what it wrote."""
        self.trainer.close()
        self._folder.cleanup()


class SingleFile:
    """`benchmarks/single_file_ppo.py`."""

    def __init__(self, lanes, settings):
        self.agent = SingleFilePPO(lanes=lanes, **settings)

    def collect(self):
        """Collect once, and learn nothing; return the steps and the seconds."""
        return timed(self.agent.collect)

    def train(self):
        """Collect and learn once; return the steps and the seconds."""

        def iterate():
            steps = self.agent.collect()
            self.agent.learn()
            return steps

        return timed(iterate)

    def close(self):
        """Nothing is open."""


class StableBaselines3:
    """PPO over its own DummyVecEnv."""

    def __init__(self, lanes, settings):
        from stable_baselines3 import PPO
        from stable_baselines3.common.env_util import make_vec_env

        self._iteration = lanes * settings["horizon"]
        self.env = make_vec_env(ENVIRONMENT, lanes)
        self.model = PPO(
            "MlpPolicy",
            self.env,
            n_steps=settings["horizon"],
            batch_size=self._iteration // settings["minibatches"],
            n_epochs=settings["epochs"],
            device="cpu",
        )

    def train(self):
        """Collect and learn once; return the steps and the seconds."""

        def iterate():
            self.model.learn(self._iteration, reset_num_timesteps=False)
            return self._iteration

        return timed(iterate)

    def close(self):
        """Close the lanes."""
        self.env.close()


def timed(work):
    """Return what `work` returns, steps, and the seconds it took."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def contestants(lanes, settings):
    """Build all four by their names."""
    return {
        "native": Ours("native", lanes, settings),
        "torch": Ours("torch", lanes, settings),
        "single file": SingleFile(lanes, settings),
        "Stable-Baselines3": StableBaselines3(lanes, settings),
    }


def in_turn(works, seconds, rounds):
    """Return steps per second of each of `works` in each round, of at least `seconds` each; the first call warms up."""
    rates = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            steps = spent = 0
            while spent < seconds:
                more, took = work()
                steps, spent = steps + more, spent + took
            rates[name].append(steps / spent)
    return rates


def operations(what, horizon):
    """Return the floating-point operations that the matrix products of a step need.

    A multiplication and an addition are two. Learning recomputes forward; then every weight takes part in its own
    gradient, and those behind the first layer in that of their inputs.
    """
    first, later = OBSERVATIONS * WIDTH, WIDTH * WIDTH + WIDTH * OUTPUTS
    forward, backward = 2 * (first + later), 2 * (first + 2 * later)
    epochs = {"rollouts": 0, "one epoch": 1, "four epochs": 4}[what]
    return forward * (1 + 1 / horizon) + epochs * (forward + backward)


def bytes_moved(what):
    """Return the bytes of a transition that are written in a rollout, read for its advantage, and read an epoch."""
    written = 4 * OBSERVATIONS + 4 * len(("action", "log_prob", "value", "reward", "advantage", "target")) + 1
    recursion = 4 * len(("value", "reward")) + 1
    learned = 4 * OBSERVATIONS + 4 * len(("action", "log_prob", "advantage", "target"))
    return written + recursion + {"rollouts": 0, "one epoch": 1, "four epochs": 4}[what] * learned


def speeds(lanes, horizon, minibatches, seconds, rounds):
    """Measure rollouts and training with one epoch and with four; return a row for each contestant in each."""
    ceiling, memory = benchmark.matrix_rate(seconds, rounds), benchmark.bandwidth(seconds, rounds)
    rows = []
    for what, epochs in (("rollouts", 1), ("one epoch", 1), ("four epochs", 4)):
        with contextlib.ExitStack() as stack:
            settings = {"horizon": horizon, "minibatches": minibatches, "epochs": epochs}
            built = contestants(lanes, settings)
            for each in built.values():
                stack.callback(each.close)
            if what == "rollouts":
                works = {name: each.collect for name, each in built.items() if hasattr(each, "collect")}
            else:
                works = {name: each.train for name, each in built.items()}
            rates = in_turn(works, seconds, rounds)
        for name, found in rates.items():
            rate = statistics.median(found)
            rows.append(
                {
                    "what": what,
                    "whose": name,
                    "steps_per_second": rate,
                    "rounds": found,
                    "native_is_times_as_fast": statistics.median(np.divide(rates["native"], found).tolist()),
                    "share_of_matrix_rate": rate * operations(what, horizon) / ceiling,
                    "share_of_memory_rate": rate * bytes_moved(what) / memory,
                }
            )
    return {"matrix_operations_per_second": ceiling, "memory_bytes_per_second": memory, "rows": rows}


def ours_solves(backend):
    """Return how our trainer with the shipped defaults is trained until solved."""

    def solve(seed, limit):
        with tempfile.TemporaryDirectory() as folder:
            trainer = wb.Trainer(ENVIRONMENT, wb.PPO(), seed=seed, backend=backend, run_dir=Path(folder) / "run")
            trainer.train(limit, target_return=TARGET)
            found = trainer.seconds, trainer.steps, trainer.evaluate(EPISODES).mean
            trainer.close()
            return found

    return solve


def single_file_solves(seed, limit):
    """Train the single file, with the same hyperparameters and lanes as ours."""
    agent = SingleFilePPO(seed=seed)
    seconds, mean = agent.solve(limit, TARGET)
    return seconds, agent.steps, mean


def stable_baselines3_solves(seed, limit):
    """Train Stable-Baselines3 with its zoo's hyperparameters; evaluations do not count."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    def mean(seed):
        env = make_vec_env(ENVIRONMENT, EPISODES, seed=seed)
        try:
            return evaluate_policy(model, env, EPISODES)[0]
        finally:
            env.close()

    class UntilSolved(BaseCallback):
        solved, evaluating = False, 0.0

        def _on_rollout_start(self):
            returns = [episode["r"] for episode in self.model.ep_info_buffer]
            if len(returns) == EPISODES and statistics.fmean(returns) >= TARGET:
                found, took = timed(lambda: mean(1000 + seed))
                self.solved, self.evaluating = found >= TARGET, self.evaluating + took

        def _on_step(self):
            return not self.solved

    lanes = make_vec_env(ENVIRONMENT, ZOO_LANES, seed=seed)
    rates = {"learning_rate": lambda left: left * ZOO_RATE, "clip_range": lambda left: left * ZOO_CLIP}
    model = PPO("MlpPolicy", lanes, seed=seed, device="cpu", **ZOO, **rates)
    until = UntilSolved()
    _, seconds = timed(lambda: model.learn(min(limit, ZOO_STEPS), callback=until))
    lanes.close()
    return seconds - until.evaluating, model.num_timesteps, mean(2000 + seed)


SOLVERS = {
    "native": ours_solves("native"),
    "torch": ours_solves("torch"),
    "single file": single_file_solves,
    "Stable-Baselines3": stable_baselines3_solves,
}


def times_to_solved(seeds, limit):
    """Train each contestant with each of `seeds`, in turn, for up to `limit` steps; return a row for each.

    A short run before loads machine code, so that seconds are of training alone.
    """
    for solve in SOLVERS.values():
        solve(99, 1)
    rows = []
    for seed in range(seeds):
        for name, solve in SOLVERS.items():
            seconds, steps, mean = solve(seed, limit)
            row = {"whose": name, "seed": seed, "seconds": seconds, "steps": steps, "evaluation_mean": float(mean)}
            rows.append(row | {"solved": bool(mean >= TARGET)})
    return rows
