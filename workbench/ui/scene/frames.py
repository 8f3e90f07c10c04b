"""A moment as a page gets it: a small header, and arrays as bytes, little-endian and in C's order."""

from typing import Any

import numpy as np

from workbench.ui.scene.moment import Moment

Frame = tuple[dict[str, Any], list[bytes]]


def packed(moment: Moment, about: dict[str, Any], lane: int, trace: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Return what says how to read them, and the buffers of one frame.

    The buffers: state [S, L] float32 or int32; observation [O, L] float32, of `lane` alone [O, 1] where the picture
    does not need it; figures [5, L] float32; of `lane`, the policy's numbers [P], its choice [K] and what was done [K],
    float32; `trace` float32; a JPEG or nothing.

    Args:
        moment: What to show.
        about: What the page was told of the environment.
        lane: The one that is looked at closely.
        trace: Values of `lane` over the moments that are kept.
    """
    seen = moment.observation if about["sees"] else moment.observation[:, lane : lane + 1]
    kind = "<i4" if about["whole"] else "<f4"
    state = b"" if moment.state is None or about["picture"] is None else np.ascontiguousarray(moment.state, kind)
    close = [part[:, lane] for part in (moment.policy, moment.choice, moment.taken)]
    parts = [
        state,
        np.ascontiguousarray(seen, "<f4"),
        np.ascontiguousarray(moment.figures, "<f4"),
        np.concatenate(close).astype("<f4"),
        np.ascontiguousarray(trace, "<f4"),
        moment.picture,
    ]
    sizes = {"shown": seen.shape[1], "numbers": len(close[0]), "parts": len(close[1]), "hand": moment.hand == lane}
    return sizes, [part if isinstance(part, bytes) else part.tobytes() for part in parts]
