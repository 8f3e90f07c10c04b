"""The documentation: what it links to is there, what it names exists, and what it generates is complete."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench.algorithms import ALGORITHMS, PPO, SAC
from workbench.hyperparameters import declared, values

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in DOCS.rglob("*.md") if not {"generated", "_build"} & {*path.parts}),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


def load_generator():
    specification = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate():
    return load_generator()


@pytest.fixture(scope="module")
def generated(generate):
    """What a build writes, by its path."""
    files = [generate.PARTS / name for name in generate.parts()]
    files += [generate.GENERATED / "api" / name for name in generate.api()]
    tutorials = ROOT / "notebooks" / "tutorials"
    return {*files, *(generate.GENERATED / "tutorials" / name for name in generate.tutorials(tutorials))}


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_and_image_resolves(page, generated):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for address in LINK.findall(text):
        if address.startswith("https://"):
            continue
        name, _, anchor = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file() or target in generated, f"{page.name} links to {address}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {address}, which has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_included_part_is_generated(page, generated):
    for address in INCLUDE.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / address).resolve() in generated


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_of_code_names_what_exists(page):
    for block in PYTHON.findall(page.read_text(encoding="utf-8")):
        tree = ast.parse(block)
        compile(tree, str(page), "exec")
        owners = {
            "wb": workbench,
            "workbench": workbench,
            "trainer": workbench.Trainer,
            "metrics": workbench.trainer.Metrics,
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in owners):
                continue
            owner = owners[node.value.id]
            if owner is workbench:
                assert node.attr in workbench.__all__, f"{page.name}: workbench.{node.attr} is not public"
            elif owner is workbench.Trainer:
                instance = {"algorithm", "metrics", "seed", "env"}
                assert hasattr(owner, node.attr) or node.attr in instance, f"{page.name}: trainer.{node.attr}"
            else:
                assert hasattr(owner, node.attr), f"{page.name}: metrics.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_keyword_of_an_algorithm_is_declared(page):
    for block in PYTHON.findall(page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "PPO":
                assert {keyword.arg for keyword in node.keywords} <= {*declared(PPO)}


def test_the_table_lists_every_hyperparameter(generate):
    for cls in ALGORITHMS.values():
        rows = generate.hyperparameter_table(cls).splitlines()[2:]
        assert len(rows) == len(declared(cls))
        for row, each in zip(rows, declared(cls).values(), strict=True):
            assert row.startswith(f"| `{each.name}` | {each.kind.__name__} | `{each.default}` |")
            assert ("| live |" in row) == each.live
            help = each.help.replace("|", "\\|")
            assert row.endswith(f"| {help} |")


def test_every_public_name_and_module_has_its_place(generate):
    pages = generate.api()
    for name in workbench.__all__:
        assert name.startswith("_") or f"`wb.{name} <" in pages["index.md"]
    modules = {path.with_suffix("").relative_to(ROOT).as_posix() for path in (ROOT / "workbench").glob("[!_]*.py")}
    documented = {name.removesuffix(".md") for name in pages}
    hidden = {*generate.PRIVATE, "workbench.version"}
    assert {name.replace("/", ".") for name in modules} <= documented | hidden


def test_evidence_and_throughput_are_written_from_their_records(generate):
    record = {
        "machine": "two cores",
        "versions": {"torch": "2.13.0", "other": None},
        "configuration": {"lanes": 128},
        "seeds": [{"seed": 7, "seconds": 1.234, "steps": 123456, "evaluation_mean": 499.96}],
    }
    page = generate.evidence(record, "/images/curve.png")
    assert "| 7 | 1.23 | 123,456 | 500.0 |" in page
    assert "](/images/curve.png)" in page
    assert page.endswith("Configuration: `lanes=128`.\n\nMachine: two cores. Versions: torch 2.13.0.\n")
    row = {"what": "environment", "lanes": 4096, "policy": "random", "backend": "native", "threads": 2}
    row |= {"steps_per_second": 1.54e8, "repeats": 3, "configuration": "defaults"}
    page = generate.throughput({"machine": "two cores", "versions": {}, "rows": [row]})
    assert "| environment | 154 M | 4,096 | random | native | 2 | 3 | defaults |" in page


def test_returns_are_written_from_their_record(generate):
    task = {
        "title": "Swing",
        "environment": "Pendulum-v1",
        "algorithm": "sac",
        "threshold": -200.0,
        "control": False,
        "iqm": -150.26,
        "interval": [-171.5, -140.0],
        "median_seconds": 61.23,
        "seeds": [{"seed": 0, "steps": 16384, "seconds": 61.23, "evaluation_mean": -150.26}],
        "configuration": {**values(SAC(width=64)), "lanes": 16, "backend": "torch"},
        "machine": "two cores",
        "versions": {},
    }
    record = {"tasks": {"swing": task, "other": task | {"algorithm": "ppo", "title": "Other", "control": True}}}
    page = generate.returns(record, "sac", None)
    assert "| Swing | at least -200 | -150.3 | -171.5 to -140 | 1 | 16,384 | 61.2 | torch |" in page
    assert "| Swing | `lanes=16`, `width=64` |" in page
    assert "Other" not in page
    assert "| Other (PPO) | at most -200 | -150.3 (-171.5 to -140) | 16,384 |" in generate.returns_summary(record)


def test_speeds_and_times_to_solved_are_written_from_their_record(generate):
    speed = {"whose": "native", "native_is_times_as_fast": 1.0, "share_of_matrix_rate": 0.314}
    rows = [
        speed | {"what": what, "steps_per_second": rate, "share_of_memory_rate": 0.021}
        for what, rate in (("rollouts", 1.21e7), ("one epoch", 3.52e6), ("four epochs", 1.13e6))
    ]
    runs = [
        {"whose": "native", "seed": k, "seconds": 0.3 + k / 10, "steps": 100_000 + k, "solved": k < 2} for k in range(3)
    ]
    record = {"machine": "two cores", "versions": {}, "rounds": 5, "seconds": 2.0, "rows": rows, "solved": runs}
    record |= {"matrix_operations_per_second": 4e11, "memory_bytes_per_second": 2e10}
    record |= {"configuration": {"lanes": 4096, "threads": 2}}
    page = generate.native(record)
    assert "| one epoch | native | 3.52 M | 1.0 | 31.4% | 2.1% |" in page
    assert "| native | 2 of 3 | 0.40 (0.30 to 0.50) | 100,001 |" in page
    assert "400 GFLOP/s" in page
    assert "| native | 12.1 M | 3.52 M | 1.13 M | 0.40 (0.30 to 0.50) |" in generate.native_summary(record)


def test_a_long_run_is_written_from_its_record(generate):
    seen = [
        {"steps": s, "resident_bytes": 10**8 + s, "descriptors": 8, "files": 12, "bytes": 5000} for s in (0, 4, 6, 10)
    ]
    growth = {"resident_bytes": 1e-4, "descriptors": 0.0, "files": 0.0, "bytes": 0.0}
    record = {"machine": "two cores", "versions": {}, "steps": 10, "seconds": 2.0, "steps_per_second": 5.0}
    record |= {"seen": seen, "growth_in_the_second_half": growth, "metrics": {"rows": 7, "iterations": 9}}
    page = generate.billion(record | {"resumed": {"from": 10, "to": 12}})
    assert "| resident memory, bytes | 100,000,006 | 100,000,010 | +0.01% |" in page
    assert "loaded at step 10 it went on to 12." in page


def test_recorded_results_have_the_agreed_form(generate):
    for path, key, columns in (
        (generate.EVIDENCE, "seeds", {"seed", "seconds", "steps", "evaluation_mean"}),
        (generate.THROUGHPUT, "rows", {"what", "lanes", "policy", "backend", "threads", "steps_per_second", "repeats"}),
    ):
        record = generate.measured(path)
        if record is not None:
            assert {"machine", "versions", key} <= {*record}
            assert all(columns <= {*row} for row in record[key])


def test_the_figures_in_the_readme_are_the_recorded_ones(generate):
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    assert written == generate.readme(), "run: python docs/generate.py"


def test_a_tutorial_is_shown_without_the_state_of_its_widgets(generate, tmp_path):
    notebook = {"cells": [], "metadata": {"kernelspec": {"name": "python3"}, "widgets": {"state": {}}}}
    (tmp_path / "01_first.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    pages = generate.tutorials(tmp_path)
    assert json.loads(pages["01_first.ipynb"])["metadata"] == {"kernelspec": {"name": "python3"}}
    assert "\n01_first\n" in pages["index.md"]


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    arguments = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees")]
    subprocess.run([sys.executable, *arguments, str(DOCS), str(tmp_path / "html")], check=True)
    for page in (tmp_path / "html").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source)[^>]*\bsrc=\"(?:https?:)?//[^\"]*", text)
        fetched += re.findall(r"<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*href=\"(?:https?:)?//[^\"]*", text)
        assert not fetched, f"{page.name} fetches {fetched}"
