"""What `workbench doctor` reports: findings, each with what to do and the page that says more."""

from dataclasses import dataclass

from workbench import machine

OK, NOTE, BROKEN = "ok", "note", "broken"


@dataclass(frozen=True)
class Check:
    """One finding: `state` is ok, note (works, could be better) or broken; `fix` says what to do, if anything.

    Attributes:
        page: The page of the documentation that says more, such as `pains/busy-kernel`.
    """

    name: str
    state: str
    found: str
    fix: str = ""
    page: str = ""


def compare(name: str, oldest: str, state: str, fix: str, page: str = "") -> Check:
    """Compare one distribution's version with the oldest that works."""
    found = machine.installed(name)
    if found is None:
        return Check(name, state, "not installed", fix, page)
    return (
        Check(name, state, f"{found} is older than {oldest}", fix, page)
        if machine.older(found, oldest)
        else Check(name, OK, found, page=page)
    )
