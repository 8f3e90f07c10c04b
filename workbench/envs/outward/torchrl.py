"""Lanes as an `EnvBase` of TorchRL, batch size [B]. B: lanes, N: choices."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Binary, Bounded, Categorical, Composite, MultiCategorical, TensorSpec, Unbounded
from torchrl.envs import EnvBase

from workbench.envs.native import NativeVectorEnvironment, check_seed
from workbench.envs.outward.lanes import (
    check_active,
    check_actors,
    check_environment,
    check_open,
    copied,
    held,
    mapped,
    shown,
    successor,
)
from workbench.errors import InputError
from workbench.spec import VectorEnvironment

WIDER = {"uint16": np.int32, "uint32": np.int64}
"""What holds numbers whose own dtype torch knows by name, but does not calculate with."""


class LanesEnv(EnvBase):  # type: ignore[misc, unused-ignore]
    """Lanes for TorchRL; see `workbench.envs.outward.as_torchrl`.

    Keys: `observation` (nested as the space is; the parts of a Tuple are named "0", "1", ...), `action` (a number for a
    Discrete space, not one-hot; nested into `discrete` and `continuous` where the action has both), `reward`, `done`,
    `terminated`, `truncated` [B, 1]; `action_mask` [B, N] and `cost` [B, 1] where the environment has them.
    Observations of dtype uint16 come as int32, and of uint32 as int64. A Box of which not all bounds are finite is
    unbounded here, as TorchRL draws between two bounds or anywhere; actions beyond a bound that it has count as at it.

    Our lanes reset themselves in the step that ends an episode, TorchRL resets them afterwards. So `next` holds the
    final observation of lanes that ended, and the reset of those lanes hands over the first observation that is there
    already: the episodes are those of the vector environment. Native environments also reset lanes in the midst of an
    episode, as a `StepCounter` asks for, and leave lanes as they are where `_step` is False.

    Args:
        env: A vector environment in which one agent acts in every lane and step.
        device: Of the tensors.

    Raises:
        InputError: If it is none, or has observations of dtype uint64.
    """

    def __init__(self, env: VectorEnvironment, *, device: Any = "cpu") -> None:
        check_environment(env, "TorchRL")
        check_actors(env, "TorchRL", "give what workbench.envs.outward.as_pettingzoo makes to its PettingZooWrapper")
        observed = _spec(env.single_observation_space)
        super().__init__(device=torch.device(device), batch_size=torch.Size([env.lanes]))
        self.vector: Any = env
        self._native = isinstance(env, NativeVectorEnvironment)
        self._seed: int | None = None
        # Only a reset tells whether there are action masks; its episodes are those of TorchRL's first.
        self._observation, self._info = self.vector.reset()
        check_active(env, self._info)
        self._untouched = True
        self._fresh = np.zeros(env.lanes, np.bool_)  # lanes that were reset, and TorchRL has not asked for it yet
        self._make_specs(env, observed)

    def _make_specs(self, env: VectorEnvironment, observed: TensorSpec) -> None:
        """Say what the tensors hold."""
        observation = {"observation": observed}
        if "action_mask" in self._info:
            observation["action_mask"] = Binary(self._info["action_mask"].shape[-1], dtype=torch.bool)
        self._costs = isinstance(env, NativeVectorEnvironment) and env.environment.has("cost")
        if self._costs:
            observation["cost"] = Unbounded((1,), dtype=torch.float32)
        flag = Categorical(2, shape=torch.Size([1]), dtype=torch.bool)
        lanes = env.lanes
        self.observation_spec = _batched(Composite(observation), lanes, self.device)
        self.action_spec = _batched(Composite(action=_spec(env.single_action_space)), lanes, self.device)
        self.reward_spec = _batched(Composite(reward=Unbounded((1,), dtype=torch.float32)), lanes, self.device)
        flags = {name: flag.clone() for name in ("done", "terminated", "truncated")}
        self.done_spec = _batched(Composite(flags), lanes, self.device)

    def _reset(self, tensordict: TensorDictBase | None) -> TensorDictBase:
        """Start an episode in every lane, or hand over the first observation of those in the mask `_reset` [B, 1]."""
        check_open(self.vector)
        mask = None if tensordict is None else tensordict.get("_reset", None)
        asked = np.ones(self._fresh.shape, np.bool_) if mask is None else _array(mask).reshape(-1)
        if asked.all() and (self._seed is not None or (mask is None and not self._untouched)):
            begin = asked
        else:
            begin = asked & ~self._fresh & (not self._untouched)
        if begin.any():
            self._begin(asked if asked.all() and not self._native else begin)
        self._fresh[asked] = False
        self._untouched = False
        observation = shown(self.vector)[0] if self._native else self._observation
        result = {"observation": copied(observation)}
        if self._costs:
            result["cost"] = np.zeros((len(asked), 1), np.float32)
        return self._tensors(result)

    def _begin(self, lanes: Any) -> None:
        """Start an episode in these lanes, and leave the others as they are."""
        if lanes.all():
            self._observation, self._info = self.vector.reset(seed=self._seed)
            self._seed = None
        else:
            with self._held(~lanes, "reset"):
                _, self._info = self.vector.reset()
        check_active(self.vector, self._info)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Advance every lane, or those of the mask `_step` [B]."""
        check_open(self.vector)
        mask = tensordict.get("_step", None)
        acting = np.ones(self._fresh.shape, np.bool_) if mask is None else _array(mask).reshape(-1)
        actions = tensordict.get("action")
        actions = actions.to_dict() if isinstance(actions, TensorDictBase) else actions
        with self._held(~acting, "step"):
            observation, reward, terminated, truncated, info = self.vector.step(self._taken(actions))
            ended = terminated | truncated
            result = {
                "observation": successor(observation, info["final_obs"], ended),
                **{name: np.array(x)[:, None] for name, x in (("reward", reward), ("done", ended))},
                **{name: np.array(x)[:, None] for name, x in (("terminated", terminated), ("truncated", truncated))},
            }
            if self._costs:
                result["cost"] = np.array(info["cost"])[:, None]
        check_active(self.vector, info)
        self._observation, self._info = observation, info
        self._untouched = False
        self._fresh[acting] = ended[acting]
        tensors = self._tensors(result)
        if acting.all():
            return tensors
        resting = tensors.clone().zero_()
        resting.update(tensordict.select(*tensors.keys(True, True), strict=False))
        return torch.where(torch.as_tensor(acting, device=self.device), tensors, resting)

    def _taken(self, actions: Any) -> Any:
        """Return actions as arrays: their own memory, where that is the CPU's and no bound is to be kept."""
        return _within(self.vector.single_action_space, mapped(_array, actions))

    @contextmanager
    def _held(self, lanes: Any, what: str) -> Iterator[None]:
        """Leave `lanes` [B] bool as they are.

        Raises:
            InputError: If there are any, and the environment is not native.
        """
        if not lanes.any():
            yield
            return
        if not self._native:
            raise InputError(
                f"env of {self.vector.id!r} cannot {what} some lanes alone, only a native one can; let its own time "
                f"limit end episodes, and do not ask rollouts to break when all are done."
            )
        with held(self.vector, lanes):
            yield

    def _tensors(self, result: dict[str, Any]) -> TensorDictBase:
        """Make tensors of arrays that are nobody else's, and add the action mask."""
        if "action_mask" in self._info:
            mask = self.vector.action_mask
            result["action_mask"] = np.array(mask, order="C")
        tensors = mapped(_tensor, _keyed(result))
        made = TensorDict(tensors, batch_size=self.batch_size)
        return made.to(self.device)

    def _set_seed(self, seed: int | None) -> None:
        """Seed the next reset of all lanes."""
        self._seed = None if seed is None else check_seed(seed)

    def close(self, **kwargs: Any) -> None:
        """Close the vector environment."""
        super().close(**kwargs)
        self.vector.close()


def _array(tensor: Any) -> Any:
    """Return a tensor as an array: its own memory where that is the CPU's."""
    return tensor.detach().cpu().numpy()


def _tensor(array: Any) -> torch.Tensor:
    """Return an array as a tensor: its own memory, unless torch wants a wider dtype."""
    return torch.from_numpy(array.astype(WIDER.get(array.dtype.name, array.dtype), copy=False))


def _dtype(space: spaces.Box | spaces.MultiDiscrete) -> torch.dtype:
    """Return the dtype of tensors.

    Raises:
        InputError: If there is none.
    """
    if space.dtype == np.uint64:
        raise InputError(f"{space} has dtype uint64, which no tensor holds in full; observe int64 or float32 instead.")
    return _tensor(np.empty(0, space.dtype)).dtype


def _spans(space: spaces.Box) -> bool:
    """Return whether TorchRL can draw from the whole of `space`: its bounds are finite, and their distances."""
    with np.errstate(over="ignore"):
        return space.dtype.kind != "f" or bool(np.isfinite(space.high - space.low).all())


def _within(space: spaces.Space[Any], action: Any) -> Any:
    """Return `action` [B, ...] within those bounds of `space` that its spec does not name."""
    if isinstance(space, spaces.Dict):
        return {name: _within(part, action[name]) for name, part in space.items()}
    if isinstance(space, spaces.Box) and not _spans(space) and np.isfinite([space.low, space.high]).any():
        return np.clip(action, space.low, space.high)
    return action


def _keyed(observation: Any) -> Any:
    """Name the parts of tuples by their numbers."""
    if isinstance(observation, tuple):
        observation = {str(k): part for k, part in enumerate(observation)}
    if isinstance(observation, dict):
        return {name: _keyed(part) for name, part in observation.items()}
    return observation


def _batched(spec: Composite, lanes: int, device: Any) -> Composite:
    return spec.expand(lanes).to(device)


def _spec(space: spaces.Space[Any]) -> TensorSpec:
    """Translate a space of one lane."""
    if isinstance(space, spaces.Dict):
        return Composite({name: _spec(part) for name, part in space.items()})
    if isinstance(space, spaces.Tuple):
        return Composite({str(k): _spec(part) for k, part in enumerate(space)})
    if isinstance(space, spaces.MultiBinary):
        return Binary(shape=torch.Size(space.shape), dtype=torch.int8)
    if isinstance(space, spaces.Discrete):
        if space.start == 0:
            return Categorical(int(space.n), dtype=torch.int64)
        low, high = int(space.start), int(space.start + space.n - 1)
        return Bounded(low, high, shape=torch.Size(), dtype=torch.int64)
    if isinstance(space, spaces.MultiDiscrete):
        if not space.start.any() and space.nvec.ndim == 1:
            return MultiCategorical(torch.as_tensor(space.nvec.astype(np.int64)), dtype=_dtype(space))
        bounds = _tensor(space.start), _tensor(space.start + space.nvec - 1)
        return Bounded(*bounds, shape=torch.Size(space.shape), dtype=_dtype(space))
    assert isinstance(space, spaces.Box)
    shape, dtype = torch.Size(space.shape), _dtype(space)
    if not _spans(space):
        return Unbounded(shape, dtype=dtype)
    return Bounded(_tensor(space.low.copy()), _tensor(space.high.copy()), shape=shape, dtype=dtype)
