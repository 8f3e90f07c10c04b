"""The dashboard's page: what it shows is what lies there, and what is clicked reaches the trainer."""

import asyncio
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import panel as pn
import pytest
from panel.models.esm import DataEvent

import workbench as wb
from tests.analysis.made import make_run, rising
from tests.dashboards.conftest import STEPS
from tests.training import trivial
from workbench.analysis.runs import Run
from workbench.dashboards import comparison as comparison_module
from workbench.dashboards import details as details_module
from workbench.dashboards import folder as folder_module
from workbench.dashboards import recorded as recorded_module
from workbench.dashboards.app import Dashboard
from workbench.dashboards.recorded import Columns, View, look, state_of
from workbench.errors import InputError
from workbench.training.overview import Overview
from workbench.training.status import Status
from workbench.ui.state import checkpoints, snapshot
from workbench.ui.steering import SilentError


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every look looks at everything."""
    for name in ("PERIOD", "SEARCH", "SPARK_PERIOD"):
        monkeypatch.setattr(folder_module, name, 0.0)


class Page:
    """A dashboard without a browser: `say` is what the page's code sends."""

    def __init__(self, source):
        self.dashboard = wb.dashboard(source)
        self.board, self.plots, self.place = self.dashboard.__panel__()
        self.serial = 0

    @property
    def panel(self):
        (panel,) = self.place
        return panel

    def look(self):
        asyncio.run(self.dashboard.look())
        return self

    def choose(self, **command):
        asyncio.run(self.dashboard._choose(command))

    def say(self, kind, **more):
        run = self.dashboard._last.entry.run
        self.serial += 1
        command = {"kind": kind, **more, "view": "here", "serial": self.serial}
        asyncio.run(self.dashboard._obey(run, command))
        assert self.panel.state["acknowledged"] == {"here": self.serial}
        return self.panel.state


def unpacked(component):
    numbers, curves, start = np.frombuffer(component.curves, "<f4"), {}, 0
    for name, count in component.outline:
        curves[name] = numbers[start : start + count], numbers[start + count : start + 2 * count]
        start += 2 * count
    assert start == len(numbers)
    return curves


def test_the_newest_run_is_in_focus_with_its_curves_and_what_it_is(folder):
    page = Page(folder)
    assert isinstance(page.dashboard, Dashboard)
    assert [row["id"] for row in page.board.runs] == ["first", "second"]
    assert page.board.choice["focus"] == "second"
    steps, values = Run(folder / "second").curves()["episode_return"]
    shown = unpacked(page.panel)["episode_return"]
    np.testing.assert_array_equal(shown, np.stack([steps, values]).astype("<f4"))
    assert (page.panel.state["steps"], page.panel.state["steerable"], page.panel.settings) == (STEPS, False, [])
    about = dict(page.board.choice["about"])
    assert (about["folder"], about["seed"], about["lanes"]) == (str(folder / "second"), "1", "2")
    assert "steering" not in about  # it has ended: nobody wonders
    assert page.board.choice["hyperparameters"] == [["learning_rate", "0.1"]]


def test_another_run_comes_into_focus(folder):
    page = Page(folder)
    panel = page.panel
    page.choose(kind="focus", run="first")
    assert page.board.choice["focus"] == "first"
    assert page.panel is not panel
    returns = {name: Run(folder / name).curves()["episode_return"][1][-1] for name in ("first", "second")}
    assert unpacked(page.panel)["episode_return"][1][-1] == returns["first"] == returns["second"] / 2
    page.choose(kind="focus", run="nothing")
    assert page.board.choice["focus"] == "second"


def test_runs_are_compared_by_any_of_their_metrics(folder):
    page = Page(folder)
    page.choose(kind="compare", runs=["second"], on=True)
    assert page.board.outline == []  # one is no comparison
    page.choose(kind="compare", runs=["first"], on=True)
    curves = unpacked(page.board)
    assert list(curves) == ["second", "first"]
    for name, curve in curves.items():
        expected = np.stack(Run(folder / name).curves()["episode_return"]).astype("<f4")
        np.testing.assert_array_equal(curve, expected)
    assert {"episode_return", "policy_loss"} <= set(page.board.choice["metrics"])
    page.choose(kind="metric", name="policy_loss")
    assert set(unpacked(page.board)["first"][1]) == {0.5}
    page.choose(kind="metric", name="nonsense")
    assert page.board.choice["metric"] == "episode_return"
    page.choose(kind="compare", runs=["second"], on=False)
    assert (page.board.choice["compared"], page.board.outline) == (["first"], [])
    page.choose(kind="compare", runs=["second"], on=True)
    assert page.board.choice["compared"] == ["first", "second"]
    shutil.rmtree(folder / "first")
    page.look()
    assert (page.board.choice["compared"], page.board.outline) == (["second"], [])


def test_commands_wait_until_the_page_is_whole_and_none_is_lost(folder, monkeypatch):
    loaded = []
    monkeypatch.setattr(pn.state, "onload", loaded.append)
    board = Page(folder).board

    async def ticked():
        for name in ("second", "first"):
            command = {"kind": "compare", "runs": [name], "on": True}
            board._process_event(DataEvent(model=None, data=command))
        await asyncio.sleep(0)  # whoever is not kept waiting has acted
        assert board.choice["compared"] == []
        loaded[0]()
        while len(board.choice["compared"]) < 2:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(ticked(), 60))
    assert board.choice["compared"] == ["second", "first"]


def test_a_trainer_is_steered_from_its_panel(live, folder):
    page = Page(folder)
    assert page.board.choice["focus"] == "live"  # it goes on: it comes first
    assert (page.panel.state["status"], page.panel.state["steerable"]) == ("running", True)
    assert [each["name"] for each in page.panel.settings] == ["learning_rate"]
    panel = page.panel
    assert page.say("pause")["status"] == live.status == "paused"
    state = page.say("set", name="learning_rate", value="0.25")
    assert (state["values"], state["notice"], live.algorithm.learning_rate) == ({"learning_rate": 0.25}, None, 0.25)
    assert page.board.choice["hyperparameters"] == [["learning_rate", "0.25"]]
    refused = page.say("set", name="learning_rate", value=9)["notice"]
    assert (refused["name"], live.algorithm.learning_rate) == ("learning_rate", 0.25)
    assert "learning_rate=9 is out of range" in refused["text"]
    assert page.say("dismiss")["notice"] is None
    saved = page.say("save")
    assert (saved["notice"]["tone"], saved["notice"]["name"]) == ("good", None)
    newest = live.checkpoints()[-1].name
    assert newest in [each["name"] for each in saved["checkpoints"] if each["kept"]]
    assert page.say("resume")["status"] == live.status == "running"
    assert page.panel is panel  # it was changed, not made anew
    page.say("stop")
    live.wait(60)
    assert [each["new"] for each in page.look().panel.marks] == [0.25]
    assert page.look().panel.state["status"] == "stopped"
    live.close()
    page.look()
    assert (page.panel.state["steerable"], page.panel.settings) == (False, [])
    assert "no trainer of run" in page.say("pause")["notice"]["text"]


def test_the_focus_follows_into_a_branch_and_shows_what_was_left(live, folder):
    page = Page(folder)
    live.pause()
    while live.status != "paused":
        pass
    saved = live.save()
    left = live.run_dir
    live.resume()
    page.say("rewind", to=saved.name)
    assert live.run_dir != left
    assert page.board.choice["focus"] == live.run_dir.name
    assert "training goes on in" in page.panel.state["notice"]["text"]
    numbers = np.frombuffer(page.panel.left_curves, "<f4")
    ((name, count), *_) = page.panel.left
    steps, values = Run(left).curves()[name]
    after = steps >= live.steps
    assert count == after.sum() > 0
    np.testing.assert_array_equal(numbers[: 2 * count], np.concatenate([steps[after], values[after]]).astype("<f4"))
    page.choose(kind="focus", run="live")
    assert page.look().board.choice["focus"] == "live"  # who goes back on purpose stays


def test_a_trainer_is_shown_with_its_branches(live, folder):
    page = Page(live)
    live.stop()
    live.wait(60)
    live.rewind(live.save().name)
    page.look()
    assert [row["id"] for row in page.board.runs] == ["live", live.run_dir.name]
    assert page.board.choice["focus"] == live.run_dir.name


def test_the_run_in_focus_stays_when_it_ends_and_others_begin(live, folder):
    page = Page(folder)
    live.close()
    other = trivial.trainer(folder / "other")
    other.start(10**12)
    while "other" not in [row["id"] for row in page.look().board.runs if row["state"] == "running"]:
        pass
    assert page.board.choice["focus"] == "live"
    other.close()


def test_a_notice_stays_with_its_run(live, folder):
    page = Page(folder)
    assert page.say("dance")["notice"] is not None
    assert page.look().panel.state["notice"] is not None
    page.choose(kind="focus", run="first")
    assert page.panel.state["notice"] is None


def test_what_was_seen_of_a_run_that_is_out_of_focus_is_not_shown(folder):
    page = Page(folder)
    late = page.dashboard._focus()
    page.choose(kind="focus", run="first")
    page.dashboard._show(late)
    assert page.board.choice["focus"] == "first"


def test_the_run_in_focus_may_go_and_so_may_all(live, folder):
    page = Page(folder)
    page.choose(kind="focus", run="second")
    shutil.rmtree(folder / "second")
    assert page.look().board.choice["focus"] == "live"
    live.close()
    shutil.rmtree(folder)
    page.look()
    assert (page.board.runs, page.board.choice["focus"], list(page.place)) == ([], None, [])
    folder.mkdir()
    page.look()
    assert page.board.runs == []


def test_why_a_run_that_goes_on_cannot_be_steered_is_told(folder):
    trainer = trivial.trainer(folder / "off", control="off")
    trainer.start(10**12)
    page = Page(folder)
    while "off" not in [row["id"] for row in page.look().board.runs if row["state"] == "running"]:
        pass
    page.choose(kind="focus", run="off")
    assert "control='off'" in dict(page.board.choice["about"])["steering"]
    assert page.panel.state["steerable"] is False
    trainer.close()


def test_a_trainer_shows_its_own_run_before_it_began_too(tmp_path):
    trainer = trivial.trainer(tmp_path / "run")
    page = Page(trainer)
    assert page.board.runs == []
    trainer.train(trivial.LANES)
    assert [row["id"] for row in page.look().board.runs] == ["run"]
    assert page.panel.state["steerable"]
    trainer.close()


class Messages(list):
    """What a component sends to its page."""

    def __init__(self, component, monkeypatch):
        monkeypatch.setattr(type(component), "send", lambda each, content: self.append(content))

    def curves(self):
        (packed,) = self[-1]["buffers"]
        return unpacked(SimpleNamespace(curves=packed, outline=self[-1]["outline"]))


def test_a_part_that_a_panel_looks_at_comes_in_full_and_grows_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(details_module, "SHARE", 1e9)  # at once
    rows = [(step, float(step % 7)) for step in range(10_000)]
    run = make_run(tmp_path, rows=rows)
    page = Page(tmp_path)
    assert len(unpacked(page.panel)["episode_return"][0]) <= 1000
    sent = Messages(page.panel, monkeypatch)
    page.say("window", low=2000.5, high=2400.0)
    assert (sent[-1]["kind"], sent[-1]["view"], sent[-1]["low"], sent[-1]["high"]) == ("window", "here", 2000.5, 2400.0)
    expected = np.array(rows[2000:2402], "<f4").T
    np.testing.assert_array_equal(sent.curves()["episode_return"], expected)
    page.say("window", low=9990.0, high=1e18)
    page.look()
    assert len(sent) == 2  # what does not grow is not read again
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"steps": 10000, "episode_return": 1.5}\n')
    page.look()
    assert [part[-1] for part in sent.curves()["episode_return"]] == [10000.0, 1.5]
    page.say("window", low=None, high=None)
    page.look()
    assert len(sent) == 3


def test_a_part_of_the_compared_curves_comes_in_full(tmp_path, monkeypatch):
    for name, sign in (("up", 1.0), ("down", -1.0)):
        make_run(tmp_path, name, [(step, sign * step) for step in range(5000)])
    page = Page(tmp_path)
    page.choose(kind="compare", runs=["up", "down"], on=True)
    sent = Messages(page.board, monkeypatch)
    page.choose(kind="part", low=100.0, high=110.0)
    assert (sent[-1]["kind"], sent[-1]["metric"]) == ("part", "episode_return")
    curves = sent.curves()
    assert list(curves) == ["up", "down"]
    np.testing.assert_array_equal(curves["down"], [np.arange(99, 112), -np.arange(99, 112)])


def test_groups_are_compared_as_in_a_notebook(tmp_path):
    for rate in (0.1, 0.2):
        for seed in range(3):
            make_run(tmp_path, f"{rate}-{seed}", rising(100 * rate + seed), seed=seed, learning_rate=rate)
    names = [f"{rate}-{seed}" for rate in (0.1, 0.2) for seed in range(3)]
    page = Page(tmp_path)
    page.choose(kind="compare", runs=names, on=True)
    assert list(page.plots) == []
    page.choose(kind="group", on=True)
    (plots,) = page.plots
    expected = wb.compare(tmp_path, metric="episode_return")
    assert (plots.page["title"], plots.page["subtitle"]) == expected.headline
    assert [group["label"] for group in plots.page["groups"]] == expected.groups
    assert len(expected.groups) == 2
    assert plots.page["html"] == expected.html()
    page.look()
    assert list(page.plots) == [plots]  # it is not drawn anew for nothing
    page.choose(kind="metric", name="seconds")
    assert page.plots[0].page["title"] != plots.page["title"]
    page.choose(kind="group", on=False)
    assert (list(page.plots), page.board.choice["remark"]) == ([], None)


def test_why_runs_cannot_be_compared_is_told(tmp_path):
    make_run(tmp_path, "here", rising(1), env="CartPole-v1", algorithm="ppo")
    make_run(tmp_path, "there", rising(1), env="Pendulum-v1", algorithm="sac")
    page = Page(tmp_path)
    page.choose(kind="compare", runs=["here", "there"], on=True)
    page.choose(kind="group", on=True)
    assert "no environment was run by every group" in page.board.choice["remark"]
    assert list(page.plots) == []


def test_an_analysis_that_was_overtaken_is_not_shown(tmp_path):
    for name in ("a", "b", "c"):
        make_run(tmp_path, name, rising(1), seed=name)
    page = Page(tmp_path)
    comparison = page.dashboard._comparison
    comparison.grouped = True
    comparison.tick("abc", on=True)
    late = comparison.ask(page.dashboard._folder.entries)
    page.choose(kind="compare", runs=["c"], on=False)
    asyncio.run(comparison.analyse(*late))
    assert page.plots[0].page["subtitle"] == comparison.page["subtitle"] == "2 runs in 1 group"


def test_many_runs_are_ticked_and_the_last_ten_are_drawn(tmp_path):
    names = [f"{number:03}" for number in range(comparison_module.MOST + 5)]
    for name in names:
        make_run(tmp_path, name, rising(1))
    page = Page(tmp_path)
    page.choose(kind="compare", runs=names, on=True)
    assert page.board.choice["compared"] == names[5:]
    assert [name for name, _ in page.board.outline] == names[-comparison_module.DRAWN :]
    page.choose(kind="compare", runs=names[:-1], on=False)
    assert page.board.choice["compared"] == names[-1:]


def test_what_does_not_change_is_not_sent(folder):
    page = Page(folder)
    sent = []
    for component in (page.board, page.panel):
        component.param.watch(lambda *events: sent.extend(events), list(component.param), onlychanged=False)
    page.look()
    assert sent == []


def test_a_trainer_too_busy_to_answer_keeps_its_controls(folder, monkeypatch):
    def silent(*_):
        raise SilentError("has not answered")

    monkeypatch.setattr(recorded_module, "ask", silent)
    run = Run(folder / "first")
    before = View({"steps": 1, "steerable": True}, [{"name": "clip"}])
    assert look(run, run.status(), before) is before
    assert look(run, run.status()) == View(state_of(run, run.status()), [], "has not answered")


def test_the_state_of_a_run_on_disk_is_that_of_its_trainer(tmp_path):
    trainer = trivial.trainer(tmp_path / "run", seed=3)
    trainer.train(STEPS)
    run = Run(tmp_path / "run")
    ours = state_of(run, run.status())
    theirs = snapshot(trainer, float(trainer.metrics.last("steps_per_second")))
    trainer.close()
    told = {**theirs, "checkpoints": checkpoints(trainer.run_dir), "steerable": False}
    assert {**ours, "values": theirs["values"]} == told


def test_a_run_that_goes_on_elsewhere_has_a_time_that_remains(folder):
    status = Status("running", steps=500, goal=1500, steps_per_second=100.0)
    assert state_of(Run(folder / "first"), status)["remaining"] == 10.0
    for other in (Status("running", steps=500, goal=1500), Status("stopped", steps_per_second=100.0, goal=9)):
        assert state_of(Run(folder / "first"), other)["remaining"] is None


def test_columns_are_read_as_metrics_are(folder):
    metrics, columns = wb.read_metrics(folder / "first"), Columns(Run(folder / "first").overview())
    assert set(columns.names()) == set(metrics.names()) - {"steps"}
    assert len(columns) == len(metrics)
    assert columns.last("episode_return") == metrics.last("episode_return")
    np.testing.assert_array_equal(columns.series("policy_loss"), metrics.series("policy_loss"))
    assert np.isnan(columns.last("nothing"))
    assert len(Columns(Overview({}, []))) == 0


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"source='.*none' is no folder; pass one that holds runs"):
        wb.dashboard(tmp_path / "none")


def test_without_panel_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "panel", None)
    with pytest.raises(InputError, match=r"install it: pip install 'rl-workbench\[lab\]'"):
        wb.dashboard(folder)
