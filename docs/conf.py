"""Configure Sphinx: an offline build from Markdown, the tutorials' stored outputs and the docstrings."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent), str(DOCS.parent / "kernels")]

import generate  # noqa: E402

from workbench.version import __version__  # noqa: E402

generate.write()

project = "rl-workbench"
author = "the rl-workbench authors"
copyright = author
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "generated/parts"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
highlight_language = "text"

html_theme = "furo"
html_title = "rl-workbench"
html_math_renderer = "source"
html_show_sourcelink = False

# The notebooks are shown with the outputs stored in them: those come from a real run, and nbval checks them in every
# `make test`. Executing here as well would cost minutes and could show nothing new.
nb_execution_mode = "off"
# A trainer's output is a live widget, a PNG and a text. A page has no kernel: show the PNG, and load no widget manager.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js: dict[str, Any] = {}

# Docstrings put code in single backticks.
default_role = "code"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# napoleon makes a reference of every attribute's name, which is ambiguous where several classes have one of that name.
suppress_warnings = ["ref.python"]

INDENTED = re.compile(r"^\s+\S")


def adapt_docstring(_app: Any, _what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Make a docstring reStructuredText: an indented block after a blank line is literal, and bars are bars."""
    if hasattr(obj, "__hyperparameters__"):
        lines += ["", "Args:", *(f"    {each.name}: {each.help}." for each in obj.__hyperparameters__.values()), ""]
    adapted: list[str] = []
    literal, last = False, ""
    for line in lines:
        blank_before = not adapted or not adapted[-1].strip()
        if not INDENTED.match(line) and line.strip():
            literal = False
        elif INDENTED.match(line) and blank_before and last and not INDENTED.match(last) and not literal:
            literal = True
            adapted += ["::", ""]
        parts = re.split(r"(`[^`]*`)", line)
        plain = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)
        adapted.append(line if literal else plain)
        last = line if line.strip() else last
    lines[:] = adapted


def show_hyperparameters(
    _app: Any, what: str, _name: str, obj: Any, _options: Any, _signature: str | None, _returns: str | None
) -> tuple[str, str | None] | None:
    """Give a `configurable` class the signature its declarations make."""
    if what != "class" or not hasattr(obj, "__hyperparameters__"):
        return None
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(each.name, keyword, default=each.default, annotation=each.kind)
        for each in obj.__hyperparameters__.values()
    ]
    return str(inspect.Signature(parameters)), None


def write_formula(translator: Any, node: Any) -> None:
    """Show the source of a formula as code: the usual renderer fetches a script from the network."""
    tag = "pre" if isinstance(node, nodes.math_block) else "code"
    translator.body.append(f"<{tag}>{translator.encode(node.astext())}</{tag}>")
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Connect the adaptations above."""
    app.add_html_math_renderer("source", (write_formula, None), (write_formula, None))
    app.connect("autodoc-process-docstring", adapt_docstring, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", show_hyperparameters)
