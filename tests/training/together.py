"""What the tests of several processes let torchrun run; it knows of no processes, but for the bugs it plants.

python together.py FOLDER CASE...
"""

import sys
from pathlib import Path

import torch

import workbench as wb
from workbench.errors import NumericsError
from workbench.events import Progress
from workbench.processes import LaneGenerator, Processes
from workbench.training.checkpoints import read_checkpoint
from workbench.training.layout import checkpoints_of

LANES, HORIZON, ITERATIONS = 16, 16, 4
STEPS = LANES * HORIZON * ITERATIONS
CASES = {
    "cartpole": ("CartPole-v1", {}),
    "pendulum": ("Pendulum-v1", {"accumulation": 2}),
    "memory": ("CartPole-v1", {"network": "gru", "width": 16, "segment": 4, "minibatches": 2}),
    # Of four transitions: some have none of a process's. Of two, standardised, rounding would turn the signs.
    "few": ("CartPole-v1", {"minibatches": 64, "epochs": 1}),
    "penalty": ("CartPole-v1", {"kl_penalty": 0.5, "kl_stop": 0.05, "value_clip": 0.2}),
    "muon": ("CartPole-v1", {"update_rule": "muon"}),
}


def made(folder, case, **settings):
    env, hyperparameters = CASES[case]
    algorithm = wb.PPO(**{"horizon": HORIZON, "epochs": 2, "learning_rate": 1e-3, **hyperparameters})
    settings = {"backend": "torch", "lanes": LANES, "checkpoint_seconds": 1e9, **settings}
    return wb.Trainer(env, algorithm, seed=3, run_dir=Path(folder) / case, **settings)


def trained(folder, case, steps=STEPS, **settings):
    trainer = made(folder, case, **settings)
    trainer.train(steps)
    return trainer


def newest(folder, case):
    return read_checkpoint(checkpoints_of(Path(folder) / case)[-1])


def farthest(one, other):
    """The greatest difference between numbers of two checkpoints, and the name of where it is."""
    assert one.tensors.keys() == other.tensors.keys()
    found = [(0.0, "")]
    for name, x in one.tensors.items():
        assert x.shape == other.tensors[name].shape, name
        if x.numel():
            found.append((float((x.double() - other.tensors[name].double()).abs().max()), name))
    return max(found)


def unsummed(self, parameters):
    pass


def counted_alone(self, x):
    return x, slice(None)


def drawn_alone(self, device):
    return LaneGenerator(device, 0, self.size)


def picked_alone(self, numbers, lanes):
    return numbers[: len(numbers) // self.size] % lanes


PLANTS = {
    "sum_gradients": unsummed,
    "rows": counted_alone,
    "generator": drawn_alone,
    "own": picked_alone,
}


def planted(folder, name):
    sound = getattr(Processes, name)
    setattr(Processes, name, PLANTS[name])
    try:
        trained(Path(folder) / name, "cartpole")
    finally:
        setattr(Processes, name, sound)


def stopped(folder):
    """The last process alone asks for a stop, after two iterations."""
    trainer = made(Path(folder) / "stopped", "cartpole")
    if trainer.processes.rank == trainer.processes.size - 1:
        trainer.on(Progress, lambda event: trainer.stop() if event.steps >= STEPS // 2 else None)
    trainer.train(10**9)
    assert trainer.steps == STEPS // 2


def reached(folder):
    """Any policy reaches it: 100 episodes and an evaluation decide."""
    trainer = made(Path(folder) / "reached", "cartpole", evaluate_every=STEPS // 2)
    trainer.train(10**9, target_return=5.0)
    assert trainer.loop.episodes >= 100


def faulty(folder):
    """A weight is no number any more, in all processes."""
    trainer = made(Path(folder) / "faulty", "cartpole")

    def poison(event):
        with torch.no_grad():
            next(trainer.algorithm.model.parameters()).fill_(float("nan"))

    trainer.on(Progress, poison)
    try:
        trainer.train(STEPS)
    except NumericsError:
        return
    raise AssertionError("nobody noticed")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[2:]:
        if case in PLANTS:
            planted(sys.argv[1], case)
        elif case in ("stopped", "reached", "faulty"):
            globals()[case](sys.argv[1])
        elif case == "resume":
            assert trained(sys.argv[1], "cartpole", resume="auto").steps == 2 * STEPS
        elif case == "forever":
            trained(sys.argv[1], "cartpole", steps=10**9, resume="auto", checkpoint_seconds=0.0)
        else:
            trainer = trained(sys.argv[1], case)
            trainer.save(Path(sys.argv[1]) / "saved" / case)
            trainer.close()
