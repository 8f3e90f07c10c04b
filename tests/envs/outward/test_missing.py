"""Extras that are not installed: every adapter names its own."""

import importlib.abc
import sys

import pytest

from tests.envs.outward.guests import native
from workbench.envs import outward
from workbench.envs.outward.lanes import needs
from workbench.errors import InputError


class Missing(importlib.abc.MetaPathFinder):
    """Finds nothing of these packages, and says so as Python does."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, fullname, path, target=None):
        if fullname.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@pytest.mark.parametrize(
    ("adapter", "missing", "message"),
    [
        ("sb3", ["stable_baselines3"], r"stable-baselines3 is not installed: pip install 'rl-workbench\[sb3\]'"),
        ("pettingzoo", ["pettingzoo"], r"pettingzoo is not installed: pip install 'rl-workbench\[pettingzoo\]'"),
        ("torchrl", ["torchrl", "tensordict"], r"torchrl is not installed: pip install 'rl-workbench\[torchrl\]'"),
        ("torchrl", ["torchrl"], r"torchrl is not installed: pip install 'rl-workbench\[torchrl\]'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, adapter, missing, message):
    for name in list(sys.modules):
        if name.partition(".")[0] in missing or name == f"workbench.envs.outward.{adapter}":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(missing), *sys.meta_path])
    given = "workbench/SimpleSpread-v0" if adapter == "pettingzoo" else native("CartPole-v1", 2)
    with pytest.raises(InputError, match=message):
        getattr(outward, f"as_{adapter}")(given)


def test_another_missing_package_is_none_of_theirs():
    with pytest.raises(ModuleNotFoundError), needs("sb3"):
        raise ModuleNotFoundError(name="another")
