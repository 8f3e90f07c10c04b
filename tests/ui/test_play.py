"""The page that plays an environment: whole, harmless, and clear about what does not fit."""

import re
from dataclasses import replace

import pytest

import workbench as wb
from workbench.errors import InputError, UnknownNameError
from workbench_kernels.envs import make
from workbench_kernels.targets import wasm


def test_the_page_is_whole_and_loads_nothing():
    page = wb.play("CartPole-v1", keys={"ArrowLeft": 0, "ArrowRight": 1})
    assert not re.search(r"https?://", page.text)
    assert "ArrowLeft takes action 0, ArrowRight takes action 1" in page.text
    assert page._repr_html_().startswith("<iframe srcdoc=")
    assert page.text.count("</script>") == 1


def test_it_can_be_saved(tmp_path):
    page = wb.play("CartPole-v1")
    assert page.save(tmp_path / "cartpole.html").read_text(encoding="utf-8") == page.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"environment": "CartPole-v1", "keys": {"a": 2}}, "'a' takes action 2; choose 0 to 1"),
        ({"environment": "CartPole-v1", "idle": -1}, "'idle' takes action -1; choose 0 to 1"),
        ({"environment": "CartPole-v1", "keys": {"a": 0.5}}, "'a' takes action 0.5; choose 0 to 1"),
        ({"environment": "CartPole-v1", "seed": 1.5}, "seed=1.5 is not a seed"),
        ({"environment": "CartPole-v1", "steps_per_second": 0}, "steps_per_second=0 is no pace"),
        ({"environment": replace(make("CartPole-v1"), picture=None)}, "picture=None of 'CartPole-v1'"),
        ({"environment": "Pendulum-v1", "keys": {"a": 0}}, "do not fit 'Pendulum-v1'"),
    ],
)
def test_keys_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        wb.play(**arguments)


def test_unknown_environments_and_a_missing_linker_are_clear(monkeypatch):
    with pytest.raises(UnknownNameError, match="'Pole-v1' is unknown"):
        wb.play("Pole-v1")

    def missing(_):
        raise wasm.LinkerError("the linker is missing; install rl-workbench[wasm].")

    monkeypatch.setattr(wasm, "build", missing)
    with pytest.raises(InputError, match=r"install rl-workbench\[wasm\]"):
        wb.play("CartPole-v1")
