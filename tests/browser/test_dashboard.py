"""The dashboard in a browser: a run that trains in another process is seen and steered, others come, go and compare."""

import contextlib
import os
import shutil
import subprocess
import sys
import urllib.parse

import pytest
from accessible import violations

import workbench as wb
from tests.dashboards.test_server import serving
from tests.training import trivial
from workbench.ui.steering import ask

pytestmark = pytest.mark.browser
STEPS = 300 * trivial.LANES


@contextlib.contextmanager
def training(run_dir):
    """Train CartPole in a process of its own, for as long as the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "workbench.cli", "train", "CartPole-v1", "--steps", "1e12", "--json"]
    with subprocess.Popen([*command, "--run-dir", str(run_dir)], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                assert process.poll() is None
                with contextlib.suppress(wb.errors.WorkbenchError):
                    if ask(run_dir, {"kind": "look"})["state"]["steps"]:
                        break
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("baseline-0", "baseline-1", "doomed")):
        trainer = trivial.trainer(root / name, seed=seed)
        trainer.algorithm.returns = lambda collected, seed=seed: 10.0 * seed + collected**0.5
        trainer.train(STEPS)
        trainer.close()
    return root


@pytest.fixture(scope="module")
def live(folder):
    with training(folder / "live"):
        yield folder / "live"


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder) as (_, address):
        yield address


@pytest.fixture
def visit(chromium, address):
    """Return a function that opens the dashboard; a fault on the page, or a request to elsewhere, fails the test."""
    pages = []

    def opened(scheme="light", width=1280):
        page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 1300}, device_scale_factor=2)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if ours(request.url, address) else faults.append(request.url))
        pages.append((page, faults))
        page.goto(address)
        page.get_by_test_id("summary").filter(has_text="runs").wait_for()
        return page

    yield opened
    for page, faults in pages:
        page.close()
        assert faults == []


def ours(url, address):
    return urllib.parse.urlsplit(url).netloc in ("", urllib.parse.urlsplit(address).netloc)


def row(page, name):
    return page.get_by_test_id(f"run-{name}")


def in_state(page, name, word):
    row(page, name).locator(".wbd-word").filter(has_text=word).wait_for()


def state(run_dir):
    return ask(run_dir, {"kind": "look"})["state"]


def drag(page, plot):
    """Drag over the middle fifth of a plot."""
    box = plot.locator(".u-over").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    page.mouse.up()


def test_a_run_in_another_process_is_seen_and_steered(live, visit, artefacts):
    page = visit()
    in_state(page, "live", "training")
    assert row(page, "live").get_attribute("aria-current") == "true"
    page.get_by_test_id("panel-status").filter(has_text="training").wait_for()
    steps = page.get_by_test_id("panel-steps")
    before = int(steps.get_attribute("data-steps"))
    page.wait_for_function(
        "([element, before]) => Number(element.dataset.steps) > before", arg=[steps.element_handle(), before]
    )

    page.get_by_test_id("panel-toggle").click()
    page.get_by_test_id("panel-status").filter(has_text="paused").wait_for()
    assert state(live)["status"] == "paused"
    in_state(page, "live", "paused")

    entry = page.get_by_test_id("panel-entry-clip")
    entry.fill("0.31")
    entry.press("Enter")
    page.wait_for_function(
        "entry => entry.closest('.wbp-control').dataset.pending === undefined", arg=entry.element_handle()
    )
    assert state(live)["values"]["clip"] == 0.31

    entry.fill("31")
    entry.press("Enter")
    page.get_by_text("PPO.clip=31.0 is out of range; choose a value from 0 to 1.").wait_for()
    assert state(live)["values"]["clip"] == 0.31

    page.get_by_test_id("panel-toggle").click()
    in_state(page, "live", "training")
    assert state(live)["status"] == "running"
    for name in ("live", "baseline-0", "baseline-1"):
        row(page, name).locator("input").check()
    page.get_by_test_id("compare").locator(".wbd-entry").nth(2).wait_for()
    page.screenshot(path=artefacts / "dashboard-light.png", full_page=True)
    assert violations(page) == []


def test_what_is_typed_stays_while_the_run_goes_on(live, visit):
    page = visit()
    entry, steps = page.get_by_test_id("panel-entry-gamma"), page.get_by_test_id("panel-steps")
    entry.fill("0.9")
    before = int(steps.get_attribute("data-steps"))
    page.wait_for_function(
        "([element, before]) => Number(element.dataset.steps) > before", arg=[steps.element_handle(), before]
    )
    assert entry.input_value() == "0.9"
    entry.press("Escape")
    assert entry.input_value() == "0.99"


def test_runs_are_compared_in_the_colours_of_their_boxes(live, visit, artefacts):
    page = visit("dark")
    assert page.get_by_test_id("compare").is_hidden()
    boxes = [row(page, name).locator("input").element_handle() for name in ("baseline-1", "baseline-0")]
    page.evaluate("boxes => boxes.forEach(box => box.click())", boxes)  # none is lost, however soon the next one comes
    entries = page.get_by_test_id("compare").locator(".wbd-entry")
    entries.nth(1).wait_for()
    assert [each.split("\n")[0] for each in entries.all_inner_texts()] == ["baseline-1", "baseline-0"]
    page.get_by_test_id("compare-metric").select_option("policy_loss")
    entries.filter(has_text="0.500").nth(1).wait_for()
    drag(page, page.get_by_test_id("compare-canvas"))
    page.locator('[data-testid="compare-canvas"][data-detail="true"]').wait_for()
    page.get_by_test_id("compare-groups").click()
    page.locator('[data-testid="comparison"][data-drawn][data-dark="true"]').wait_for(timeout=120_000)  # it is computed
    page.get_by_text("2 runs in 1 group").wait_for()
    page.screenshot(path=artefacts / "dashboard-groups.png", full_page=True)
    page.get_by_test_id("compare-curves").click()
    page.get_by_test_id("comparison").wait_for(state="detached")
    row(page, "baseline-1").click()
    page.get_by_test_id("panel-status").filter(has_text="stopped").wait_for()
    drag(page, page.get_by_test_id("panel-plot-episode_return"))
    page.locator('.wbp-charts[data-detail="true"]').wait_for()
    page.get_by_test_id("batches").locator("summary").click()
    page.get_by_test_id("batch-notebook").select_option("supplied: train.ipynb")
    page.get_by_test_id("batch-grid").fill("rate=1,2 seed=0..4")
    page.get_by_test_id("batch-begin").click()
    page.get_by_test_id("batch-remark").filter(has_text="parameter 'rate' is unknown").wait_for()
    assert page.get_by_test_id("panel-toggle").is_hidden()  # nobody listens
    page.get_by_test_id("about").locator("summary").click()
    page.get_by_text(str(live.parent / "baseline-1")).wait_for()
    assert page.get_by_test_id("dashboard").get_attribute("data-dark") == "true"
    page.screenshot(path=artefacts / "dashboard-dark.png", full_page=True)
    assert violations(page) == []


def test_the_table_is_sorted_filtered_and_walked_through_by_keys(live, visit):
    page = visit()
    names = page.locator(".wbd-name")
    assert names.all_inner_texts()[:4] == ["live", "doomed", "baseline-1", "baseline-0"]
    page.get_by_role("button", name="return", exact=True).click()
    page.locator("th[aria-sort=descending]").wait_for()
    assert names.all_inner_texts().index("doomed") < names.all_inner_texts().index("baseline-0")
    page.get_by_test_id("filter").fill("base seed=1")
    page.wait_for_function(
        "table => table.querySelectorAll('tbody tr').length === 1", arg=page.locator(".wbd-table").element_handle()
    )
    page.get_by_test_id("filter").fill("base")
    names.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = names.nth(1).inner_text()
    page.locator(f'[data-testid="run-{second}"][aria-current]').wait_for()


def test_runs_come_and_go_while_the_page_is_open(folder, live, visit):
    page = visit()
    row(page, "doomed").click()
    page.locator('[data-testid="run-doomed"][aria-current]').wait_for()
    shutil.rmtree(folder / "doomed")
    row(page, "doomed").wait_for(state="detached")
    page.locator('[data-testid="run-live"][aria-current]').wait_for()
    shutil.copytree(folder / "baseline-0", folder / "arrived")
    row(page, "arrived").wait_for()
    shutil.rmtree(folder / "arrived")


def test_a_narrow_page_keeps_what_matters(live, visit, artefacts):
    page = visit("light", 420)
    page.get_by_test_id("panel-status").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artefacts / "dashboard-narrow.png", full_page=True)


def test_without_the_token_the_page_says_so(chromium, address):
    page = chromium.new_page()
    page.goto(address.partition("?")[0])
    page.get_by_text("This address lacks its token").wait_for()
    assert page.get_by_test_id("dashboard").count() == 0
    page.close()


CELLS = (
    """
import workbench as wb
trainer = wb.Trainer("CartPole-v1", wb.PPO(), seed=1, run_dir="runs/mine")
trainer.start(10**12)
""",
    "wb.dashboard('runs')",
)


def test_in_a_notebook_it_is_the_value_of_a_cell(open_lab, server, artefacts):
    lab = open_lab(server)
    elsewhere = []
    lab.page.on(
        "request", lambda request: None if ours(request.url, server.address("")) else elsewhere.append(request.url)
    )
    lab.open(lab.write("dashboard.ipynb", *CELLS, "trainer.close()"))
    lab.finish(0)
    lab.finish(1)
    page = lab.page
    in_state(page, "mine", "training")
    page.get_by_test_id("panel-toggle").click()
    page.get_by_test_id("panel-status").filter(has_text="paused").wait_for()
    in_state(page, "mine", "paused")
    page.screenshot(path=artefacts / "dashboard-notebook.png")
    lab.finish(2)
    assert elsewhere == []
