"""The dashboard: the runs of a folder in the browser, watched, compared and steered. It needs the extra `lab`."""

from pathlib import Path
from typing import Any

from workbench.errors import InputError

INSTALL = "the dashboard needs Panel; install it: pip install 'rl-workbench[lab]'."


def dashboard(source: Any = "runs", *, batches: bool = False) -> Any:
    """Show the runs of a folder, or a trainer's: as a notebook cell's value, or by `panel serve` (call `.servable()`).

    Args:
        source: A folder that holds runs, a run directory, or a `Trainer`; a run is shown with its branches.
        batches: Whether notebooks may be executed from it: whoever sees the page may then do so.

    Returns:
        A Panel viewer; it follows the runs while it is shown, and steers those whose trainers listen.

    Raises:
        InputError: If the extra `lab` is missing, or the folder is not there.
    """
    needs_panel()
    import panel

    from workbench.dashboards.app import Dashboard
    from workbench.dashboards.batches import batches_of

    run_dir = getattr(source, "run_dir", None)
    if run_dir is None and not Path(source).is_dir():
        raise InputError(f"source={str(source)!r} is no folder; pass one that holds runs, such as runs, or a trainer.")
    panel.extension(inline=True)  # in a notebook: nothing comes from a network
    folder = Path(source if run_dir is None else run_dir)
    return Dashboard(folder, batches_of(folder) if batches else None)


def needs_panel() -> None:
    """Look whether Panel is installed.

    Raises:
        InputError: If it is not.
    """
    try:
        import panel  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "panel":
            raise
        raise InputError(INSTALL) from None
