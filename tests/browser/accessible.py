"""What axe-core (Deque's rules for WCAG 2.2, A and AA) holds against a part of a page."""

from axe_playwright_python.sync_playwright import Axe

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_PAGES = {name: {"enabled": False} for name in ("region", "landmark-one-main", "page-has-heading-one", "bypass")}
"""Rules for whole pages, which a part of somebody else's page cannot obey."""


def violations(page, selector=None):
    """Return one line for each element that breaks a rule, among those at or under `selector`."""
    options = {"runOnly": {"type": "tag", "values": TAGS}, "rules": OF_PAGES, "resultTypes": ["violations"]}
    found = Axe().run(page, selector, options).response["violations"]
    return [f"{each['id']}: {node['html'][:160]} {node['failureSummary']}" for each in found for node in each["nodes"]]
