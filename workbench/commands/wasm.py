"""Write an environment as a WebAssembly module, for browsers and Node.

Three files: the module, its binding (what a host must know, in JSON), and
lanes.mjs, which steps modules in JavaScript. ENV `returns` stands for the
recursions over time: advantages, returns, V-trace.
"""

import argparse
import json
from pathlib import Path

from workbench.commands.output import print_json, print_pairs
from workbench.commands.settings import flag
from workbench.errors import InputError, WorkbenchError

RETURNS = "returns"


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `wasm`."""
    parser.add_argument("environment", metavar="ENV", help=f"a name `workbench list` shows, or {RETURNS}")
    parser.add_argument(flag("out"), metavar="DIR", default=".", help="folder of the files (default the current one)")


def run(options: argparse.Namespace) -> int:
    """Build and write; return 0."""
    from workbench.envs import environment
    from workbench_kernels.targets import wasm

    kernel = None if options.environment == RETURNS else environment(options.environment)
    try:
        module = wasm.build_returns() if kernel is None else wasm.build(kernel)
    except wasm.LinkerError as error:
        raise WorkbenchError(str(error)) from None
    binding = wasm.returns_binding() if kernel is None else wasm.binding(kernel)
    name = RETURNS if kernel is None else wasm.file_name(kernel.id)
    files = {
        "module": (f"{name}.wasm", module),
        "binding": (f"{name}.json", json.dumps(binding, indent=1, allow_nan=False).encode() + b"\n"),
        "host": (wasm.HOST.name, wasm.HOST.read_bytes()),
    }
    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.values():
            (folder / file).write_bytes(content)
    except OSError as error:
        raise InputError(f"--out={options.out!r} cannot be written ({error.strerror}); name a folder.") from None
    written = {what: str(folder / file) for what, (file, _) in files.items()}
    if options.json:
        print_json({"environment": options.environment, "bytes": len(module), **written})
    else:
        print_pairs({"environment": options.environment, "size": f"{len(module):,} bytes", **written})
    return 0
