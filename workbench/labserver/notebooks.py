"""The notebooks that JupyterLab can make: templates and tutorials. Jupyter's own service writes them."""

import json
import os
from pathlib import Path
from typing import Any

from workbench.errors import InputError, unknown_name
from workbench.labserver.places import below, inside
from workbench.training.layout import RUN

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
TUTORIALS = (HERE / "tutorials", HERE.parents[1] / "notebooks" / "tutorials")
"""Where the tutorials lie: in a wheel, in a checkout."""

PARAMETERS = "parameters"
"""The tag of the cell that papermill, and a template, replaces: it names a `run` directory, or a folder of `runs`."""

Record = dict[str, Any]


def template(root: Path, name: str, run: str | None = None) -> Record:
    """Return the template called `name` as a new notebook.

    Args:
        root: Of the server.
        name: Which one.
        run: The run directory that it is about, below the root; it belongs beside the folder of that run.

    Returns:
        `name`, the file's; `folder`, where it belongs below the root, or None; and `content`.

    Raises:
        InputError: If there is none of that name, or no such run.
    """
    file = _chosen("template", name, TEMPLATES)
    content = json.loads(file.read_bytes())
    if run is None:
        return {"name": file.name, "folder": None, "content": content}
    directory = inside(root, run, "run")
    if not (directory / RUN).is_file():
        raise InputError(f"run={run!r} is no run directory below the server's folder; refresh the list.")
    folder = directory if directory == root else directory.parent
    folder = folder if folder == root else folder.parent
    for cell in content["cells"]:
        if PARAMETERS in cell["metadata"].get("tags", ()):
            name = cell["source"].partition(" = ")[0]
            meant = os.path.relpath({"run": directory, "runs": directory.parent}[name], folder)
            cell["source"] = f"{name} = {json.dumps(meant, ensure_ascii=False)}"
    return {"name": file.name, "folder": below(root, folder), "content": content}


def tutorials(root: Path) -> Record:
    """Return the `tutorials` in their order: `name`, `title`, and `path` where one already lies below the root."""
    found = [
        {"name": file.stem, "title": _title(file), "path": below(root, file)}
        for shelf in TUTORIALS
        for file in sorted(shelf.glob("*.ipynb"))
    ]
    return {"tutorials": found}


def tutorial(name: str) -> Record:
    """Return the tutorial called `name`, as `template` does.

    Raises:
        InputError: If there is none of that name.
    """
    file = _chosen("tutorial", name, *TUTORIALS)
    return {"name": file.name, "folder": None, "content": json.loads(file.read_bytes())}


def _chosen(kind: str, name: str, *shelves: Path) -> Path:
    """Choose by name among what is there, so that a name leads nowhere else."""
    files = {file.stem: file for shelf in shelves for file in shelf.glob("*.ipynb")}
    if name not in files:
        raise unknown_name(kind, name, files)
    return files[name]


def _title(file: Path) -> str:
    """Return the first heading of a notebook."""
    for cell in json.loads(file.read_bytes())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and text.startswith("# "):
            return text.splitlines()[0].removeprefix("# ").strip()
    return file.stem
