"""What a cell's output and a saved file hold: nothing that is fetched, nothing that changes without cause."""

import base64
import json
import re
import subprocess
import sys

import pandas
import pytest

import workbench as wb
from tests.analysis.made import make_run, rising
from workbench.analysis import display
from workbench.analysis.panels import DARK, INK, LIGHT, Lines, Rows, _differently, described, line, shades
from workbench.analysis.statistics import Estimate
from workbench.errors import InputError


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for number, top in enumerate((100.0, 120.0, 300.0, 310.0)):
        make_run(folder, str(number), rising(top), seed=number, learning_rate=1e-3 if top < 200 else 1e-2, note="<b>&")
    return wb.compare(folder, by=["learning_rate", "note"])


@pytest.fixture(scope="module")
def page(comparison):
    return display.page(comparison)


def test_the_output_is_a_widget_over_a_picture_over_a_text(comparison):
    data, metadata = comparison._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", display.WIDGET}
    assert data["text/plain"] == str(comparison)
    png = base64.b64decode(data["image/png"])
    assert png.startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == int.from_bytes(png[16:20], "big") // 2
    again, _ = comparison._repr_mimebundle_()
    assert again == data  # the outputs of one comparison share a widget


def test_the_text_holds_no_addresses_and_no_times(comparison):
    text = str(comparison)
    assert "0x" not in text
    assert "second" not in text
    assert (
        re.search(r"learning_rate=0.01 · note=<b>& +2 +29[0-9.]+ +\[29[0-9.]+, 30[0-9.]+\] +300\b", text)
        or "305" in text
    )


def test_the_page_fetches_nothing_and_escapes_what_comes_from_runs(page):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", markup)
    assert not re.search(r"@import|url\(", markup)
    assert page.count("</script>") == 1
    assert "BOKEH" not in page.partition("/*!")[0]


def test_the_page_is_given_all_that_it_draws(comparison):
    content = json.loads(json.dumps(display.content(comparison)))
    assert len(content["roots"]) == len(comparison.panels()) == 6
    document = json.loads(content["document"])
    assert [root["id"] for root in document["roots"]] == [root["id"] for root in content["roots"]]
    assert [group["label"] for group in content["groups"]] == comparison.groups
    drawn = {each for group in content["groups"] for each in group["ids"]}
    assert all(f'"{each}"' in content["document"] for each in drawn)
    assert all(len(group["ids"]) >= 4 * 2 for group in content["groups"])  # a band and a line in each of four plots
    assert "&lt;b&gt;&amp;" in content["html"]
    assert "<b>" not in content["html"]


def test_curves_over_steps_and_time_zoom_together(comparison):
    from workbench.analysis.plots import figures

    over_steps, over_time, reach, *_ = figures(comparison.panels())
    assert over_steps.y_range is over_time.y_range
    assert over_steps.y_range is not reach.y_range
    assert {tool.mode for figure in (over_steps, reach) for tool in figure.hover} == {"vline"}


def test_every_colour_of_a_light_page_has_one_for_a_dark_page(comparison):
    document = display.content(comparison)["document"]
    used = set(re.findall(r"#[0-9a-f]{6}", document))
    assert used <= {*shades(), *HANDLES}
    assert set(LIGHT) < set(shades())
    assert not set(LIGHT) & set(DARK)


HANDLES = ("#007bff", "#ffc107")  # of bokeh's own tools, unseen until they are used


def contrast(first, second):
    """The contrast ratio of two colours (WCAG 2.2)."""

    def luminance(code):
        parts = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_curves_stand_out_from_the_paper(dark):
    paper = INK[dark]["paper"]
    assert min(contrast(INK[dark][name], paper) for name in ("text", "muted")) >= 4.5
    assert min(contrast(code, paper) for code in (DARK if dark else LIGHT)) >= 2.3


@pytest.mark.parametrize("kind", ["html", "md", "csv", "png", "svg"])
def test_it_is_saved_as_what_its_ending_says(comparison, tmp_path, kind):
    path = comparison.save(tmp_path / "new" / f"comparison.{kind}")
    content = path.read_bytes()
    starts = {
        "html": b"<!doctype html>",
        "md": b"# CartPole-v1",
        "csv": b"environment,group",
        "png": b"\x89PNG",
        "svg": b"<?xml",
    }
    assert content.startswith(starts[kind])
    assert comparison.save(tmp_path / f"again.{kind}").stat().st_size == len(content)


def test_pictures_are_the_same_bytes_for_the_same_numbers(comparison):
    assert display.picture(comparison, "svg") == display.picture(comparison, "svg")
    assert b"learning_rate=0.01" in display.picture(comparison, "svg")


def test_the_table_that_is_saved_is_the_table(comparison, tmp_path):
    pandas.testing.assert_frame_equal(pandas.read_csv(comparison.save(tmp_path / "a.csv")), comparison.table())
    lines = comparison.save(tmp_path / "a.md").read_text().splitlines()
    rows = [text for text in lines if text.startswith("| learning")]
    assert len(rows) == 2


def test_an_unknown_ending_is_refused(comparison):
    with pytest.raises(
        InputError, match=r"path='a.pdf' has no known ending; choose one of .html, .md, .csv, .png, .svg"
    ):
        comparison.save("a.pdf")


def test_without_the_extra_one_sentence_says_so(comparison, monkeypatch, tmp_path):
    for name in ("holoviews", "matplotlib", "workbench.analysis.plots", "workbench.analysis.figures"):
        monkeypatch.setitem(sys.modules, name, None)
    data, _ = comparison._repr_mimebundle_()
    assert data == {
        "text/plain": f'{comparison}\nFor the plots: the `lab` extra is missing; pip install "rl-workbench[lab]".'
    }
    with pytest.raises(InputError, match="cannot be written: the `lab` extra is missing; pip install"):
        comparison.save(tmp_path / "a.png")
    assert comparison.save(tmp_path / "a.md").exists()


def test_importing_and_comparing_brings_no_front_end():
    script = """
import sys, workbench as wb
wb.compare, wb.runs
front = {"IPython", "anywidget", "bokeh", "holoviews", "ipywidgets", "matplotlib", "panel"}
sys.exit(not front.isdisjoint(sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_drawing_brings_no_pyplot(comparison):
    (task,) = comparison.tasks
    paths = [str(run.path) for result in task.results.values() for run in result.runs]
    script = f"""
import sys, workbench as wb
shown = wb.compare({paths!r})
shown._repr_mimebundle_()
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_a_curve_is_drawn_where_it_is_known_and_its_band_is_cut_off():
    import numpy as np

    estimate = Estimate(np.array([1.0, 2.0, np.inf]), np.array([0.5, 1.0, np.inf]), np.array([1.5, np.inf, np.inf]))
    drawn = line("a", 0, np.array([10.0, 20.0, 30.0]), estimate)
    assert (drawn.x.tolist(), drawn.y.tolist(), drawn.high.tolist()) == ([10, 20], [1, 2], [1.5, 2.0])


def test_panels_say_what_they_show(comparison):
    titles = [panel.title for panel in comparison.panels()]
    assert titles == [
        "episode return over steps",
        "episode return over time",
        "steps until a return is reached",
        "score, interquartile mean",
        "performance profile",
        "probability of improvement",
    ]
    assert [type(panel) for panel in comparison.panels()] == [Lines, Lines, Lines, Rows, Lines, Rows]


@pytest.mark.parametrize(
    ("value", "text"), [(0.00012345, "0.0001234"), (999.0, "999"), (1234.0, "1.23k"), (2e6, "2M"), (-3e9, "-3G")]
)
def test_numbers_are_written_short(value, text):
    assert described(value) == text


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("rate=0.1", "rate=0.2", "0.2"),
        ("PPO · rate=0.1", "SAC · rate=0.1", "SAC"),
        ("PPO · rate=0.1", "SAC · rate=0.2", "SAC · 0.2"),
        ("PPO · rate=0.1", "SAC", "SAC"),
        ("ours", "theirs", "theirs"),
        ("rate=0.1", "tau=0.2", "tau=0.2"),
    ],
)
def test_of_two_labels_the_second_tells_what_is_different(first, second, text):
    assert _differently(first, second) == text
