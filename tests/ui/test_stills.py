"""The picture and the text: what a page without a kernel shows."""

import struct
import subprocess
import sys
import zlib

import pytest
from faketrainer import FakeTrainer

from workbench.ui.text import describe


def trained(rows=300):
    trainer = FakeTrainer()
    for _ in range(rows):
        trainer.row()
    trainer.goal, trainer.status = 1_000_000, "stopped"
    return trainer


def decoded(png):
    """Return width, height and the raw bytes of a PNG, having checked every chunk."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, pixels, size = 8, b"", (0, 0)
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            pixels += body
        place += 12 + length
    return *size, zlib.decompress(pixels)


@pytest.mark.parametrize("rows", [0, 1, 2, 300])
def test_the_picture_is_a_whole_png_with_something_on_it(rows):
    from workbench.ui.picture import picture

    png = picture(trained(rows))
    width, height, pixels = decoded(png)
    assert (width, height) == (806, 412)
    assert len(set(pixels)) > 50
    assert len(png) < 200_000


def test_the_picture_does_not_touch_pyplot():
    code = (
        "import sys; from faketrainer import FakeTrainer; from workbench.ui.picture import picture; "
        "t = FakeTrainer(); t.row(); picture(t); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    environment_path = [path for path in sys.path if path]
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {environment_path!r}; {code}"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_the_text_is_stable_and_tells_no_time():
    first, second = trained(), trained()
    second.seconds = 12.5
    assert describe(first) == describe(second)
    assert describe(first) == (
        "Trainer: PPO on CartPole-v1\nstopped at 614,400 of 1,000,000 steps\nmean episode return 494.7"
    )


def test_the_text_of_a_new_and_of_a_failed_trainer(trainer):
    assert describe(trainer) == "Trainer: PPO on CartPole-v1\nnew: nothing trained yet"
    failed = FakeTrainer(fail_after=0)
    failed.train(10)
    assert describe(failed).splitlines()[-1] == "RuntimeError: observation of lane 3 is NaN at step 17"


@pytest.mark.parametrize("missing", ["anywidget", "matplotlib", "IPython"])
def test_without_the_extra_a_text_says_how_to_get_it(missing):
    code = (
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}; sys.modules[{missing!r}] = None\n"
        "from faketrainer import FakeTrainer; from workbench.ui import display_trainer; display_trainer(FakeTrainer())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        'Trainer: PPO on CartPole-v1\nnew: nothing trained yet\nFor the live panel: pip install "rl-workbench[lab]"\n'
    )
