"""What people see: the notebook's panel, its picture and text, and the terminal's progress."""

from typing import Any

from workbench.errors import InputError
from workbench.ui.subject import Subject
from workbench.ui.text import describe

LAB = ("IPython", "anywidget", "matplotlib", "traitlets")
INSTALL = 'For the live panel: pip install "rl-workbench[lab]"'


def display_trainer(trainer: Subject) -> None:
    """Show `trainer` as the running cell's output: a live panel, or its text where the `lab` extra is missing."""
    try:
        from workbench.ui.display import show
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LAB:
            raise
        print(f"{describe(trainer)}\n{INSTALL}")
    else:
        show(trainer)


def widget_of_trainer(trainer: Subject) -> Any:
    """Return the live panel of `trainer`, for hosts that show widgets themselves (marimo), or its text without one."""
    try:
        from workbench.ui.display import widget_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LAB:
            raise
        return f"{describe(trainer)}\n{INSTALL}"
    return widget_of(trainer)


def watch_trainer(trainer: Any, lanes: int) -> Any:
    """Return the live view of the environment of `trainer`.

    Raises:
        InputError: If so many lanes cannot be shown, or the `lab` extra is missing.
    """
    try:
        from workbench.ui.scene.display import view_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LAB:
            raise
        raise InputError(f"watch() needs {error.name}: {INSTALL[0].lower()}{INSTALL[1:]}.") from error
    return view_of(trainer, lanes)
