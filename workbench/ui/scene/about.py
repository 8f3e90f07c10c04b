"""What a page must know of an environment before it can draw it: its picture, its names, its keys; told once."""

from typing import Any

import gymnasium

from workbench.envs import EmulatedVectorEnvironment
from workbench.spec import VectorEnvironment
from workbench.ui.scene.familiar import names_of
from workbench.ui.scene.moment import native_of
from workbench_kernels.pictures.description import describe


def about(env: VectorEnvironment, algorithm: Any) -> dict[str, Any]:
    """Describe `env` and what acts in it, as JSON.

    Returns:
        `environment` and `algorithm`, their names; `picture`, or None with `reason`, a sentence; `whole`, whether the
        state is int32; `sees`, whether the picture needs the observation; `action` with `choices` (how many each
        component has), `numbers` (how many), their `names`, and their bounds `low` and `high`; `observation`, names of
        its components, which may be fewer; `keys`, which take which action; `films`, whether pictures come as JPEG.
    """
    native, space = native_of(env), env.single_action_space
    names = names_of(env.id, space)
    picture, reason = None, None
    if native is not None:
        try:
            picture = describe(native.environment)
        except ValueError as error:
            reason = str(error)
    elif not isinstance(env, EmulatedVectorEnvironment):
        reason = f"{env.id} draws no pictures; its observations and the policy are shown."
    return {
        "environment": env.id,
        "algorithm": type(algorithm).__name__,
        "picture": picture,
        "reason": reason,
        "films": isinstance(env, EmulatedVectorEnvironment),
        "whole": native is not None and native.environment.integer,
        "sees": picture is not None and _sees(picture["shapes"]),
        "action": {**_action(space), "names": list(names.actions)},
        "observation": list(names.observation),
        "keys": dict(names.keys),
    }


def _sees(tree: Any) -> bool:
    """Tell whether a part of a picture reads the observation."""
    if isinstance(tree, dict):
        return tree.get("kind") == "channels" or tree.get("source") == "observation" or _sees(list(tree.values()))
    if isinstance(tree, list):
        return (len(tree) == 2 and tree[0] == "observation") or any(map(_sees, tree))
    return False


def _action(space: Any) -> dict[str, Any]:
    choices: list[int] = []
    box = space
    if isinstance(space, gymnasium.spaces.Dict):
        whole: Any = space["discrete"]
        choices, box = whole.nvec.tolist(), space["continuous"]
    elif not isinstance(space, gymnasium.spaces.Box):
        choices = [int(space.n)] if isinstance(space, gymnasium.spaces.Discrete) else space.nvec.tolist()
        return {"choices": choices, "numbers": 0, "low": [], "high": []}
    low, high = ([float(x) if abs(x) < 1e6 else None for x in side.reshape(-1)] for side in (box.low, box.high))
    return {"choices": choices, "numbers": len(low), "low": low, "high": high}
