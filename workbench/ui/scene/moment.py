"""One moment of some lanes: what they show, and what the policy thinks of it.

L: lanes shown, S: state rows, O: observation components, P: numbers of the policy, K: numbers of an action.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from workbench.data import as_numpy
from workbench.envs import NativeVectorEnvironment
from workbench.envs.agents import AgentLanes
from workbench.networks.outlook import Outlook
from workbench.spec import VectorEnvironment

Arrays = tuple[Any, ...]


@dataclass
class Moment:
    """What L lanes show at one time; of several agents in a lane, the first one's.

    Attributes:
        state: [S, L] as the environment keeps it; None if nobody can look into it.
        observation: [O, L]; of all agents, one after the other.
        figures: [5, L] float32: return so far, steps so far, last reward, value, return of the episode before.
        policy: [P, L] float32, as `Outlook.numbers` says; P = 0 if the algorithm does not tell.
        choice: [K, L] float32, what the policy does here; NaN in training, where it draws.
        taken: [K, L] float32, what was done here; NaN while nothing was.
        hand: The lane in which a person did it; -1 if none.
        picture: JPEG of the first lane, of environments that draw themselves.
        arrays: Of a native environment, all that it holds: enough to go on from here.
        carry, first: What the policy is given beside the observation.
    """

    state: Any
    observation: Any
    figures: Any
    policy: Any
    choice: Any
    taken: Any
    hand: int = -1
    picture: bytes = b""
    arrays: Arrays = ()
    carry: Any = None
    first: Any = None
    action: Any = field(default=None, repr=False)

    @property
    def nbytes(self) -> int:
        """What it takes to keep."""
        parts = (self.state, self.observation, self.figures, self.policy, self.choice, self.taken, *self.arrays)
        return len(self.picture) + sum(int(part.nbytes) for part in parts if part is not None)


def native_of(env: VectorEnvironment) -> NativeVectorEnvironment | None:
    """Return the native environment within `env`, whose state can be read; None if there is none."""
    inner = env.env if isinstance(env, AgentLanes) else env
    return inner if isinstance(inner, NativeVectorEnvironment) else None


def copied(algorithm: Any) -> Any:
    """Return `algorithm` with weights of its own, for whoever acts or judges while it learns."""
    made, memo = copy.copy(algorithm), {}  # type: ignore[var-annotated]
    judges = hasattr(algorithm, "outlook")
    for name, part in vars(algorithm).items():
        if name == "model" if judges else isinstance(part, torch.nn.Module):
            setattr(made, name, copy.deepcopy(part, memo))
    return made


def outlook_of(
    algorithm: Any, env: VectorEnvironment, device: torch.device, rows: slice, carry: Any, first: Any
) -> Outlook | None:
    """Return what the policy makes of rows of `env`; None if the algorithm does not tell.

    Args:
        algorithm: Of the trainer, or a copy.
        env: Whose observations and masks to show it.
        device: Where its network lives.
        rows: Which of the environment's lanes.
        carry, first: Of all lanes, as `act` takes them, or None.
    """
    if not hasattr(algorithm, "outlook"):  # somebody else's: all that is asked of one is to act and to learn
        return None

    def shown(array: Any) -> Any:
        return None if array is None else torch.from_numpy(array[rows]).to(device)

    carry = carry[rows] if isinstance(carry, torch.Tensor) else None
    first = first[rows].to(device) if isinstance(first, torch.Tensor) else None
    found: Outlook = algorithm.outlook(shown(env.observation), carry, shown(env.action_mask), first)
    return found


def numbers_of(outlook: Outlook | None, lanes: int) -> tuple[Any, Any]:
    """Return the policy's numbers [P, L] and the values [L], float32; none and NaN if it does not tell."""
    if outlook is None:
        return np.empty((0, lanes), np.float32), np.full(lanes, np.nan, np.float32)
    return np.ascontiguousarray(as_numpy(outlook.numbers()).T), as_numpy(outlook.value.float())


def shown_of(env: VectorEnvironment, lanes: int) -> tuple[Any, Any]:
    """Return copies of the first lanes' state [S, L], None if nobody can see it, and observation [O, L]."""
    native = native_of(env)
    if native is None:
        return None, np.array(env.observation[: lanes * env.agents : env.agents].T)
    buffers = native.buffers
    return np.array(buffers.state[:, :lanes]), np.array(buffers.observation[..., :lanes]).reshape(-1, lanes)


def moment_in_training(trainer: Any, lanes: int) -> Moment:
    """Look at the first lanes of a training, on its thread between two iterations; nothing is changed or drawn."""
    env, learner = trainer.env, trainer.loop.learner
    rows = slice(0, lanes * env.agents, env.agents)
    source, episodes = learner.source, learner.episodes
    state, observation = shown_of(env, lanes)
    carry, first = getattr(source, "carry", None), getattr(source, "first", None)
    policy, value = numbers_of(outlook_of(trainer.algorithm, env, trainer.device, rows, carry, first), lanes)
    nothing = np.full(lanes, np.nan, np.float32)
    parts = (episodes.running_return[rows], episodes.running_length[rows], env.reward[rows], value, nothing)
    figures = np.stack([np.asarray(part, np.float32) for part in parts])
    return Moment(state, observation, figures, policy, nothing[None], nothing[None])
