"""Comparisons and tables of runs in JupyterLab, and their pages without it."""

import pytest
from accessible import violations

import workbench as wb
from tests.analysis.made import make_run, rising

pytestmark = pytest.mark.browser

HIDDEN = """group => {
  const key = Object.getOwnPropertySymbols(globalThis).find(each => each.description?.startsWith('rl-workbench.bokeh'));
  const models = globalThis[key].index.roots.flatMap(view => [...view.model.references()]);
  const owned = models.filter(model => model.tags?.some(tag => tag?.group === group));
  return [owned.length, owned.filter(model => !model.visible).length];
}"""
DRAWN = '.jp-OutputArea [data-testid="comparison"][data-drawn="6"]'


def make_runs(folder):
    for number, (rate, top) in enumerate(((1e-3, 100.0), (1e-3, 120.0), (1e-2, 300.0), (1e-2, 310.0))):
        make_run(folder, f"run-{number}", rising(top), seed=number, learning_rate=rate)
    return folder


def asked_of_others(lab):
    """Collect what the page asks of other hosts than its server, from now on."""
    asked = []
    home = lab.server.address("").partition("/lab")[0]

    def note(request):
        if not request.url.startswith((home, "data:", "blob:")):
            asked.append(request.url)

    lab.page.on("request", note)
    return asked


def test_a_comparison_is_live_follows_the_theme_and_leaves_a_picture(server, open_lab, artefacts):
    folder = make_runs(server.notebooks / "compared")
    lab = open_lab(server, height=1300)
    asked = asked_of_others(lab)
    lab.open(
        lab.write(
            "compare.ipynb",
            f"import workbench as wb\ncomparison = wb.compare({str(folder)!r})\ncomparison",
            "comparison",
        )
    )
    lab.finish(0)
    lab.page.locator(DRAWN).wait_for()
    assert lab.page.locator(f"{DRAWN} .wbc-cell canvas").count() >= 6
    lab.page.screenshot(path=artefacts / "compare-light.png")
    group = "learning_rate=0.001"
    drawn, hidden = lab.page.evaluate(HIDDEN, group)
    assert (drawn >= 8, hidden) == (True, 0)
    chip = lab.page.get_by_role("button", name=group, exact=False).first
    chip.focus()
    lab.page.keyboard.press("Enter")
    assert chip.get_attribute("aria-pressed") == "false"
    assert lab.page.evaluate(HIDDEN, group) == [drawn, drawn]
    assert lab.page.evaluate(HIDDEN, "learning_rate=0.01")[1] == 0

    lab.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    lab.page.locator(f'{DRAWN}[data-dark="true"]').wait_for()
    assert lab.page.evaluate(HIDDEN, group) == [drawn, drawn]  # what was hidden stays so
    lab.page.screenshot(path=artefacts / "compare-dark.png")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    lab.page.locator(f'{DRAWN}[data-dark="false"]').wait_for()

    lab.finish(1)  # a second output of the same comparison
    lab.page.locator(DRAWN).nth(1).wait_for()
    saved = lab.save("compare.ipynb")
    data = saved.cells[0].outputs[0].data
    assert {"image/png", "text/plain"} < set(data)
    assert len(str(data)) < 1_000_000  # BokehJS is not in the notebook
    assert asked == []


def test_the_table_sorts_and_filters_also_when_reopened_without_a_kernel(server, open_lab, artefacts):
    folder = make_runs(server.notebooks / "listed")
    lab = open_lab(server)
    lab.open(lab.write("runs.ipynb", f"import workbench as wb\nwb.runs({str(folder)!r})"))
    lab.finish(0)

    def check():
        table = lab.page.locator('.jp-OutputArea [data-testid="runs"][data-ready]')
        table.wait_for()
        first = table.locator("tbody tr:not([hidden]) td:first-child")
        head = table.get_by_role("button", name="return", exact=True)
        head.focus()
        lab.page.keyboard.press("Enter")
        assert first.all_inner_texts() == ["run-3", "run-2", "run-1", "run-0"]
        assert table.locator('th[aria-sort="descending"]').inner_text().startswith("return")
        lab.page.keyboard.press("Enter")
        assert first.all_inner_texts() == ["run-0", "run-1", "run-2", "run-3"]
        table.get_by_label("Filter runs").fill("0.01 310")
        assert first.all_inner_texts() == ["run-3"]
        assert table.get_by_role("status").inner_text() == "1 of 4 runs"
        table.get_by_label("Filter runs").fill("")
        assert first.count() == 4

    check()
    lab.page.screenshot(path=artefacts / "runs-light.png")
    assert violations(lab.page, ".jp-OutputArea-output") == []
    lab.save("runs.ipynb")
    lab.page.reload()
    check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_fetches_nothing_and_fits_a_narrow_window(chromium, tmp_path, artefacts, scheme):
    path = wb.compare(make_runs(tmp_path / "runs")).save(tmp_path / "page.html")
    page = chromium.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    shown = page.locator(f'[data-testid="comparison"][data-drawn="6"][data-dark="{str(scheme == "dark").lower()}"]')
    shown.wait_for()
    page.screenshot(path=artefacts / f"page-{scheme}.png", full_page=True)
    assert violations(page) == []
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 420")
    plot = page.locator(".wbc-cell").first
    plot.hover()
    assert asked == [path.as_uri()]
    assert faults == []
    page.close()
