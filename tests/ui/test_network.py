"""A look at a trainer's network: gradients by hand, messages to the letter, and training none the wiser."""

import base64
import builtins
import copy
import gc
import threading

import numpy as np
import pytest
import torch
from faketrainer import FakeTrainer

import workbench as wb
from workbench.networks.inspection import BINS
from workbench.ui.network import lookout as looking
from workbench.ui.network.lookout import Lookout
from workbench.ui.network.sample import OBSERVATIONS, sample_of
from workbench.ui.panel import Panel

SMALL = {"horizon": 8, "minibatches": 2, "epochs": 2, "width": 16}
LANES = 64


@pytest.fixture
def build(tmp_path):
    made = []

    def built(env="CartPole-v1", algorithm=None, lanes=LANES, **options):
        algorithm = wb.PPO(**SMALL) if algorithm is None else algorithm
        trainer = wb.Trainer(env, algorithm, seed=3, lanes=lanes, run_dir=tmp_path / str(len(made)), **options)
        made.append(trainer)
        return trainer

    yield built
    for trainer in made:
        trainer.close()


@pytest.fixture
def at_once(monkeypatch):
    """Let looks follow each other without a pause."""
    monkeypatch.setattr(looking, "PERIOD", 0.0)
    monkeypatch.setattr(looking, "SHARE", 1e9)
    monkeypatch.setattr(looking, "TRAINING_SHARE", 1e9)


class Watched:
    """A trainer, and the messages that pages get of its network."""

    def __init__(self, trainer):
        self.trainer, self.messages, self.woken = trainer, [], threading.Event()
        self.lookout = Lookout(self.messages.append, self.woken.set)

    def ask(self, seen=None):
        self.lookout.ask(seen)
        return self.lookout.publish(self.trainer)


def test_ppos_gradients_are_autograds_of_the_last_batch(build):
    """The loss written out: what was scaled down to a norm of 0.5 is told as it was."""
    trainer = build(backend="torch")
    algorithm, seen = trainer.algorithm, []
    update = algorithm.update
    algorithm.update = lambda batch: seen.append((batch, copy.deepcopy(algorithm.model))) or update(batch)
    trainer.train(LANES * 8 * 4)
    batch, model = seen[-1]
    policy, value, _ = model(batch.observation)
    advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std(correction=0) + 1e-8)
    ratio = (policy.log_prob(batch.action) - batch.log_prob).exp()
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - algorithm.clip, 1 + algorithm.clip) * advantage)
    error = 0.5 * (value - batch.target).square()
    bonus = algorithm.entropy_coefficient * policy.entropy()
    (algorithm.value_coefficient * error - surrogate - bonus).mean().backward()
    wanted = {name: p.grad for name, p in model.named_parameters()}
    assert torch.cat([x.flatten() for x in wanted.values()]).norm() > algorithm.max_gradient_norm
    for layer in trainer.network().layers:
        parts = torch.cat([wanted[f"{layer.name}.{part}"].flatten() for part in ("weight", "bias")])
        assert layer.gradient == pytest.approx(parts.norm().item(), rel=1e-4)


def test_sacs_gradients_are_those_that_its_optimiser_got(build):
    trainer = build("Pendulum-v1", wb.SAC(width=16, learning_starts=100, random_steps=100, batch=32), lanes=4)
    trainer.train(400)
    network = trainer.network()
    assert network.observations == 4
    found = {layer.name: layer for layer in network.layers}
    assert not any("target" in name for name in found)
    model = trainer.algorithm.model
    for name in ("actor.trunk.0", "actor.head"):
        module = model.get_submodule(name)
        flat = torch.cat([module.weight.grad.flatten(), module.bias.grad.flatten()])
        assert found[name].gradient == pytest.approx(flat.norm().item())
    assert found["log_temperature"].gradient == pytest.approx(model.log_temperature.grad.abs().item())
    assert found["critic.ensemble.0"].outputs is not None


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_a_native_trainers_network_is_that_of_its_arrays(build, env):
    trainer = build(env, lanes=100)
    assert [layer.gradient for layer in trainer.network().layers if layer.gradient == layer.gradient] == []
    trainer.train(100 * 8 * 3)
    learner = trainer.loop.learner
    assert learner.backend == "native"
    network = trainer.network()
    assert (network.steps, network.observations) == (trainer.steps, 100)
    held = dict(zip(_names(trainer), (view.copy() for _, view in learner._views(learner.parameters)), strict=True))
    slopes = dict(zip(_names(trainer), (view.copy() for _, view in learner._views(learner._gradient)), strict=True))
    whole = learner._gradient[: learner._size]
    assert np.sqrt(sum(layer.gradient**2 for layer in network.layers)) == pytest.approx(np.linalg.norm(whole), rel=1e-5)
    x = np.array(trainer.env.observation, np.float64)
    for layer in network.layers[:3]:
        weight, bias = held[layer.name + ".weight"], held[layer.name + ".bias"]
        flat = np.concatenate([weight.ravel(), bias.ravel()])
        assert layer.norm == pytest.approx(np.linalg.norm(flat.astype("f8")), rel=1e-9)
        assert layer.weights.counts == tuple(np.histogram(flat, BINS)[0])
        slope = np.concatenate([slopes[layer.name + part].ravel() for part in (".weight", ".bias")])
        assert layer.gradient == pytest.approx(np.linalg.norm(slope), rel=1e-5)
        x = x @ weight.T.astype("f8") + bias
        x = np.maximum(x, 0) if layer.name != "head" else x
        assert (layer.outputs.low, layer.outputs.high) == pytest.approx((x.min(), x.max()), abs=1e-5)
        assert sum(layer.outputs.counts) == x.size


def _names(trainer):
    names = {id(p): name for name, p in trainer.algorithm.model.named_parameters()}
    return [names[id(p)] for p in trainer.loop.learner._ordered]


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_training_is_the_same_whether_somebody_looks_or_not(build, backend, at_once):
    plain, watched = build(backend=backend), build(backend=backend)
    steps = LANES * 8 * 20
    plain.train(steps)
    page = Watched(watched)
    watched.start(steps)
    while watched.status == "running":
        page.woken.clear()
        page.ask()
        page.woken.wait(0.1)
    watched.wait()
    assert page.messages
    for one, other in zip(plain.algorithm.model.parameters(), watched.algorithm.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (plain.env.buffers.state == watched.env.buffers.state).all()


@pytest.mark.parametrize("env", ["MinAtar/Breakout-v1", "memory", "MountainCar-v0", "asynchronous"])
def test_every_kind_of_environment_and_network_is_looked_at(build, env):
    if env == "memory":
        trainer = build("CartPole-v1", wb.PPO(**SMALL, network="lstm", segment=4))
    elif env == "asynchronous":
        trainer = build("CartPole-v1", wb.PPO(**SMALL, advantage="vtrace"), lanes=4, backend=env)
    else:
        trainer = build(env, lanes=4, backend="serial" if env == "MountainCar-v0" else "auto")
    trainer.train(trainer.env.lanes * 8 * 2)
    network = trainer.network()
    assert all(layer.outputs is not None and layer.gradient > 0 for layer in network.layers)
    if env == "memory":  # what the lanes remember goes in with what they see
        _, carry, _, first = sample_of(trainer).shown
        assert torch.equal(carry, trainer.loop.learner.source.carry)
        assert torch.equal(first, trainer.loop.learner.source.first)
        wanted = []
        trainer.algorithm.model.head.register_forward_hook(lambda _module, _given, made: wanted.append(made))
        trainer.algorithm.outlook(torch.from_numpy(trainer.env.observation), carry, None, first)
        (head,) = (layer for layer in network.layers if layer.name == "head")
        assert (head.outputs.low, head.outputs.high) == (wanted[0].min().item(), wanted[0].max().item())


def test_many_lanes_are_sampled_evenly(build):
    trainer = build(lanes=1000)
    trainer.train(1000 * 8)
    observation, *_ = sample_of(trainer).shown
    assert observation.shape == (OBSERVATIONS, 4)
    assert torch.equal(observation[0], torch.from_numpy(trainer.env.observation[0]))
    assert torch.equal(observation[-1], torch.from_numpy(trainer.env.observation[999]))


def test_what_is_looked_at_is_a_copy(build):
    trainer = build()
    sample = sample_of(trainer)
    before = sample.layers()
    trainer.train(LANES * 8)
    assert repr(sample.layers()) == repr(before)
    assert repr(trainer.network().layers) != repr(before)


def test_a_message_holds_every_layer(build):
    trainer = build(lanes=4)
    page = Watched(trainer)
    assert page.ask() is True
    (message,) = page.messages
    first = message["layers"][0]
    layer = trainer.network().layers[0]
    assert {name: message[name] for name in ("kind", "steps", "observations")} == {
        "kind": "network",
        "steps": 0,
        "observations": 4,
    }
    assert [each["name"] for each in message["layers"]] == ["trunk.0", "trunk.1", "head"]
    assert first == {
        "name": "trunk.0",
        "shape": (16, 4),
        "parameters": 80,
        "norm": layer.norm,
        "weights": {"low": layer.weights.low, "high": layer.weights.high, "counts": layer.weights.counts},
        "gradient": None,
        "activation": "relu",
        "outputs": {"low": layer.outputs.low, "high": layer.outputs.high, "counts": layer.outputs.counts},
        "idle": layer.idle,
    }
    assert message["layers"][2]["idle"] is None


def test_nothing_is_read_unless_a_page_asks_and_there_is_something_new(build, monkeypatch, at_once):
    taken = []
    monkeypatch.setattr(looking, "sample_of", lambda trainer: taken.append(trainer.steps) or sample_of(trainer))
    trainer = build()
    page = Watched(trainer)
    assert page.lookout.publish(trainer) is False
    trainer.train(LANES * 8)
    assert page.lookout.publish(trainer) is False
    assert (taken, page.messages) == ([], [])
    page.ask()
    assert taken == [trainer.steps]
    assert page.lookout.publish(trainer) is False  # it was answered
    page.ask(seen=trainer.steps)
    assert len(page.messages) == 1
    trainer.train(LANES * 8)
    assert page.lookout.publish(trainer) is True  # it waited for something new
    assert [message["steps"] for message in page.messages] == [LANES * 8, 2 * LANES * 8]


def test_a_second_look_waits(build, monkeypatch):
    monkeypatch.setattr(looking, "PERIOD", 1e9)
    page = Watched(build())
    page.ask()
    assert page.ask() is True  # it is to come
    assert len(page.messages) == 1


def test_a_look_at_a_trainer_that_rests_delays_no_other(build, at_once, monkeypatch):
    monkeypatch.setattr(looking, "TRAINING_SHARE", 1e-12)
    trainer = build()
    page = Watched(trainer)
    page.ask()
    trainer.train(LANES * 8)
    page.ask()
    assert [message["steps"] for message in page.messages] == [0, LANES * 8]


def test_what_cannot_be_looked_at_says_why(build, monkeypatch, caplog):
    trainer = build()
    monkeypatch.setattr(trainer.algorithm, "outlook", lambda *_: 1 / 0)
    page = Watched(trainer)
    assert page.ask() is False
    assert page.messages == [{"kind": "network", "problem": "ZeroDivisionError: division by zero"}]
    assert "could not be looked at" in caplog.text
    assert page.lookout.publish(trainer) is False


def test_the_text_is_a_table(build):
    trainer = build("CartPole-v1", wb.PPO(**SMALL, depth=1), lanes=4)
    with torch.no_grad():
        for parameter in trainer.algorithm.model.parameters():
            parameter.fill_(0.5)
        trainer.algorithm.model.trunk[0].bias.fill_(-100.0)
    assert repr(trainer.network()) == (
        "Network of PPO on CartPole-v1 after 0 steps\n"
        "layer    shape   weights  gradient  outputs\n"
        "trunk.0  16 x 4  400      -         0 to 0      relu, 100 % dead\n"
        "head     3 x 16  3.57     -         0.5 to 0.5  linear\n"
        "outputs for 4 observations of the lanes"
    )
    table = trainer.network().to_pandas()
    assert list(table.index) == ["trunk.0", "head"]
    assert table.loc["trunk.0", "idle"] == 1.0
    assert table.loc["head", "parameters"] == 51


def test_a_notebook_gets_a_picture_and_without_matplotlib_the_text(build, monkeypatch):
    network = build().network()
    data, metadata = network._repr_mimebundle_()
    png = base64.b64decode(data["image/png"])
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    assert png.startswith(b"\x89PNG")
    assert metadata == {"image/png": {"width": width // 2, "height": height // 2}}
    assert data["text/plain"] == repr(network)
    found = builtins.__import__

    def without(name, *given):
        if name == "workbench.ui.network.picture":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return found(name, *given)

    monkeypatch.setattr(builtins, "__import__", without)
    assert network._repr_mimebundle_() == ({"text/plain": repr(network)}, {})


# The panel's sections.


class Told:
    """What a panel sends to its pages."""

    def __init__(self, panel):
        self.panel, self.messages, self._came = panel, [], threading.Condition()
        panel._sections = type(panel._sections)(self._take, panel.publisher.wake)

    def _take(self, content, buffers):
        with self._came:
            self.messages.append((content, buffers))
            self._came.notify_all()

    def say(self, kind, **content):
        self.panel._handle_custom_msg({"kind": kind, **content}, [])

    def of(self, kind, count=1):
        """Wait until so many messages of a kind have come, and return the last one."""

        def found():
            return [each for each in self.messages if each[0]["kind"] == kind]

        with self._came:
            assert self._came.wait_for(lambda: len(found()) >= count, 60), f"waited a minute for {kind}"
            return found()[count - 1]


@pytest.fixture
def told(build):
    trainer = build()
    panel = Panel(trainer)
    yield Told(panel)
    panel.close()


def test_a_panel_shows_the_network_to_a_page_that_asks(told):
    assert told.panel.sections == ["watch", "network"]
    told.panel._notice = {"name": None, "text": "stays", "tone": "error"}
    told.say("network", seen=None)
    assert told.of("network")[0]["steps"] == 0
    assert told.panel._notice["text"] == "stays"
    assert told.panel._acknowledged == {}


def test_the_scene_is_begun_by_a_page_and_runs_over_the_panels_wire(told, eventually):
    told.say("scene", request={"kind": "more", "frame": -1, "hello": True})
    assert told.panel._sections._projector is None
    told.say("watch")
    about = told.of("watch")[0]["about"]
    assert about["environment"] == "CartPole-v1"
    told.say("scene", request={"kind": "more", "frame": -1, "hello": True})
    header, buffers = told.of("frame")
    assert (header["mode"], header["lanes"], len(buffers)) == ("training", 8, 6)
    told.say("scene", request={"kind": "dance"})
    told.say("scene", request={"kind": "more", "frame": header["number"], "hello": False})
    assert "message kind='dance' is unknown" in told.of("frame", 2)[0]["notice"]
    projector = told.panel._sections._projector
    told.say("watch")
    told.of("watch", 2)
    assert told.panel._sections._projector is projector
    eventually(lambda: not projector.publisher.alive, "the thread's end")  # nobody asks for more
    told.panel.close()
    assert projector.publisher.closed


def test_a_trainer_that_cannot_be_looked_into_says_so(caplog):
    trainer = FakeTrainer()
    panel = Panel(trainer)
    told = Told(panel)
    told.say("watch")
    assert "AttributeError" in told.of("watch")[0]["problem"]
    told.say("network", seen=None)
    assert "AttributeError" in told.of("network")[0]["problem"]
    assert "could not be looked at" in caplog.text
    panel.close()


def test_of_a_trainer_that_is_gone_there_is_nothing_to_see():
    panel = Panel(FakeTrainer())
    gc.collect()
    told = Told(panel)
    told.say("watch")
    assert told.of("watch")[0] == {"kind": "watch", "problem": "The trainer is no more."}
    panel.close()
