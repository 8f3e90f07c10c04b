"""An environment that plays in the reader's browser: WebAssembly, its picture and the keyboard, on one page."""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.envs.native import check_seed
from workbench.errors import InputError
from workbench_kernels.environment import Environment
from workbench_kernels.pictures.description import describe
from workbench_kernels.spaces import Discrete
from workbench_kernels.targets import wasm

PICTURE = Path(__file__).with_name("static") / "picture.js"

TEMPLATE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
  body {{ margin: 0; font: 13px system-ui, sans-serif; color: #666; }}
  canvas {{ display: block; max-width: 100%; border: 1px solid #8884; border-radius: 4px; }}
  canvas:focus {{ outline: 2px solid #4a90d9; }}
</style>
<canvas tabindex="0"></canvas>
<p>{hint} Episodes: <output id="episodes">0</output>, last return: <output id="return">-</output></p>
<script type="module">
import {{ Lanes }} from "{host}";
import {{ draw }} from "{drawing}";
const given = {given};
const bytes = Uint8Array.from(atob(given.module), (character) => character.charCodeAt(0));
const lanes = new Lanes(bytes, given.binding, 1, BigInt(given.seed));
const {{ picture, keys, binding }} = given;
const canvas = document.querySelector("canvas");
const scale = Math.min(2, 640 / picture.width);
canvas.width = Math.round(picture.width * scale);
canvas.height = Math.round(picture.height * scale);
const context = canvas.getContext("2d");
const pressed = new Set();
canvas.addEventListener("keydown", (event) => {{
  if (!(event.key in keys)) return;
  pressed.add(event.key);
  event.preventDefault();
}});
canvas.addEventListener("keyup", (event) => pressed.delete(event.key));
canvas.addEventListener("blur", () => pressed.clear());
const between = (low, high) => low + Math.random() * (high - low);
const bound = (values, k) => values[k % values.length];
function act(k) {{
  const {{ action }} = binding;
  if (Object.keys(keys).length) return pressed.size ? keys[[...pressed].at(-1)] : given.idle;
  if (action.kind === "box") return between(bound(action.low, k) ?? -1, bound(action.high, k) ?? 1);
  const legal = lanes.action_mask.length ? [...Array(action.n).keys()].filter((a) => lanes.action_mask[a]) : null;
  return legal ? legal[Math.floor(Math.random() * legal.length)] : Math.floor(Math.random() * action.n);
}}
let [episodes, total] = [0, 0];
function advance() {{
  for (let k = 0; k < lanes.action.length; k++) lanes.action[k] = act(k);
  lanes.step();
  total += lanes.reward[0];
  if ([...lanes.terminated].every(Boolean) || lanes.truncated[0]) {{
    document.querySelector("#episodes").value = ++episodes;
    document.querySelector("#return").value = total.toFixed(2);
    total = 0;
  }}
  draw(context, picture, lanes, scale);
}}
draw(context, picture, lanes, scale);
setInterval(advance, 1000 / given.rate);
</script>
"""


class Page:
    """A page without a server: shown as the value of a notebook's cell, or saved."""

    def __init__(self, text: str, height: int) -> None:
        self.text = text
        self.height = height

    def save(self, path: str | Path) -> Path:
        """Write the page, a file of its own, and return its path."""
        Path(path).write_text(self.text, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        source = html.escape(self.text, quote=True)
        return f'<iframe srcdoc="{source}" width="100%" height="{self.height}" style="border: 0"></iframe>'


def play(
    environment: str | Environment,
    *,
    keys: Mapping[str, int] | None = None,
    idle: int = 0,
    steps_per_second: float = 20.0,
    seed: int = 0,
) -> Page:
    """Let an environment play in the browser, by its own WebAssembly module.

    Args:
        environment: An id, or an environment of your own.
        keys: Which action a held key takes, such as `{"ArrowUp": 1}`; the names are the browser's `KeyboardEvent.key`.
            Without keys, actions are random, legal where the environment says what is.
        idle: The action while no key is held.
        steps_per_second: How fast it runs.
        seed: Of its random stream.

    Raises:
        InputError: If an action is not one of the environment's, an argument is out of range, the environment has no
            picture, or the linker of the extra [wasm] is missing.
    """
    if isinstance(environment, str):
        from workbench.envs import environment as native

        environment = native(environment)
    keys = dict(keys or {})
    space = environment.action
    check_seed(seed)
    if not 0 < steps_per_second <= 1000:
        raise InputError(f"steps_per_second={steps_per_second} is no pace; pass more than 0, at most 1000.")
    if keys and not isinstance(space, Discrete):
        raise InputError(f"keys={keys} do not fit {environment.id!r}, whose action is {space}; leave them out.")
    for key, action in {**keys, "idle": idle}.items():
        if isinstance(space, Discrete) and action not in range(space.n):
            raise InputError(f"keys: {key!r} takes action {action}; choose 0 to {space.n - 1}.")
    try:
        picture = describe(environment)
        module = wasm.build(environment)
    except (ValueError, wasm.LinkerError) as error:
        raise InputError(str(error)) from error
    given = {
        "module": base64.b64encode(module).decode(),
        "binding": wasm.binding(environment),
        "picture": picture,
        "keys": keys,
        "idle": idle,
        "rate": steps_per_second,
        "seed": str(seed),  # JavaScript's numbers have 53 bits
    }
    named = ", ".join(f"{key} takes action {action}" for key, action in keys.items())
    text = TEMPLATE.format(
        title=html.escape(environment.id),
        hint=f"Click the picture; {html.escape(named)}." if keys else "Random actions.",
        host=_address(wasm.HOST),
        drawing=_address(PICTURE),
        given=_script(given),
    )
    scale = min(2.0, 640 / picture["width"])
    return Page(text, round(picture["height"] * scale) + 60)


def _address(path: Path) -> str:
    return "data:text/javascript;base64," + base64.b64encode(path.read_bytes()).decode()


def _script(value: Any) -> str:
    """Write `value` as a literal for a script, in which no text can end the script."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
