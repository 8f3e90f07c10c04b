"""Execute a notebook with papermill; leave a page that shows everything without a kernel and without a network.

Usage: python notebooks/to_html.py NOTEBOOK FOLDER [NAME=VALUE ...]

The executed notebook and the page land in FOLDER, also the kernel's working directory. NAME=VALUE sets a parameter.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LIVELESS = ("image/svg+xml", "image/png", "text/html", "text/plain")
"""What may stand in for a live widget."""

TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
"""
"""The lab template less the four scripts it fetches from elsewhere; `without_widgets` left a picture of each widget."""


def without_widgets(notebook: Any) -> Any:
    """Drop the live view of every output that has a picture or a text to show instead, and the saved widget state."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind in data for kind in LIVELESS):
                data.pop(WIDGET_VIEW, None)
    return notebook


def to_html(notebook: Any, title: str) -> str:
    """Render an executed notebook as one self-contained page."""
    notebook = without_widgets(notebook)
    notebook.metadata["title"] = title
    exporter = HTMLExporter(raw_template=TEMPLATE, embed_images=True)
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


def parameter(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; a value that looks like a number or a truth value is one."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE; write, for example, lanes=1024.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.lower(), value)


def main() -> int:
    """Execute and render the notebook that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parameters", nargs="*", type=parameter)
    options = parser.parse_args()

    import papermill

    options.folder.mkdir(parents=True, exist_ok=True)
    executed = options.folder / options.notebook.name
    print(f"Executing {options.notebook} ...", file=sys.stderr)
    papermill.execute_notebook(
        str(options.notebook),
        str(executed),
        parameters=dict(options.parameters),
        cwd=str(options.folder),
        progress_bar=sys.stderr.isatty(),
        extra_arguments=["--log-level=ERROR"],
    )
    notebook = nbformat.read(executed, as_version=4)
    heading = next((c.source.splitlines()[0] for c in notebook.cells if c.source.startswith("# ")), executed.stem)
    page = executed.with_suffix(".html")
    page.write_text(to_html(notebook, heading.lstrip("# ")), encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
