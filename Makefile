# Everything sets itself up: `make demo` and `make test` need Python 3.11 or later and make, nothing else and no root.
# PYTHON=... chooses the interpreter, ARGS=... passes more arguments to lab, test and bench.

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help setup demo lab test check lint types coverage bounds format learning browser docs wheel installed bench clean

BIN := .venv/bin
READY := .venv/ready
WHOLE := .venv/whole
ARGS ?=
LAB := extensions/jupyterlab/share/jupyter/labextensions/rl-workbench/package.json
TUTORIAL := notebooks/tutorials/01_first_run.ipynb
RUN := runs/demo-$(shell date +%Y%m%d-%H%M%S)
# What every environment must hold, and every recursion: run again without the compiler, and with bounds checked.
CONTRACT := tests/contract/test_environments.py $(addprefix tests/kernels/test_,arrays.py cpu_target.py mathematics.py returns.py rng.py)
# What compiles far more than it runs: measuring its coverage costs half as long again, and sees lines that `coverage` sees anyway.
COMPILING := tests/contract tests/kernels/envs
# Of the tests in a browser, those that need hardly more than a canvas; the others begin kernels, and do so one after the other.
CANVAS := $(addprefix tests/browser/test_,picture_in_browser.py play_in_browser.py)
# COVER=1 makes `test` measure coverage on its way. Test files are dealt to one process a core: ARGS="-n 0" keeps them in one.
PYTEST := $(BIN)/python -m $(if $(COVER),coverage run -m,) pytest
APART := -n logical --maxprocesses 8 --dist

help: ## list the targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s%s\n", $$1, $$2 }'

# JupyterLab's extension is copied into .venv, so a new build of it (which its package.json names) is installed anew.
$(READY): pyproject.toml constraints.txt $(LAB)
	@sh .ci/venv .venv
	@echo "Installing the pinned dependencies and the package into .venv (minutes, the first time) ..."
	@$(BIN)/python -m pip install -qq --constraint constraints.txt hatchling editables
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --no-build-isolation --editable '.[lab]'
	@touch $@

$(WHOLE): $(READY)
	@echo "Installing what the tests and the documentation need ..."
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --no-build-isolation --editable '.[lab,docs,dev,test]'
	@touch $@

setup: $(WHOLE) ## make .venv with the package, editable, and everything that its development needs

demo: $(READY) ## train PPO on CartPole-v1 until solved, evaluate it, leave the tutorial as a page
	@$(BIN)/workbench train CartPole-v1 --target-return 475 --steps 5000000 --run-dir $(RUN)
	@echo
	@$(BIN)/workbench eval $(RUN) --episodes 100
	@echo
	@$(BIN)/python notebooks/to_html.py $(TUTORIAL) demo
	@echo
	@echo "The run:      $(RUN)  (metrics, checkpoints)"
	@echo "The tutorial: demo/01_first_run.html  (open it in a browser; no kernel, no network needed)"
	@echo "Go on with:   make lab  (JupyterLab on the tutorials), or $(BIN)/workbench --help"

lab: $(READY) ## open JupyterLab on the tutorials
	@$(BIN)/jupyter lab notebooks/tutorials $(ARGS)

test: $(WHOLE) ## run the fast tests and every notebook
	$(if $(COVER),$(BIN)/python -m coverage erase,)
	$(PYTEST) $(APART) loadfile $(if $(COVER),$(addprefix --ignore=,$(COMPILING))) $(ARGS)
	$(if $(COVER),$(BIN)/python -m pytest $(APART) loadfile $(COMPILING),)
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=120 $(APART) loadfile notebooks

check: lint types ## run what CI demands of every change: lint, types, tests, coverage
	@$(MAKE) --no-print-directory test COVER=1
	@$(MAKE) --no-print-directory coverage

lint: $(WHOLE) ## check style, docstrings and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(WHOLE) ## check types, strictly
	$(BIN)/mypy

coverage: $(WHOLE) ## finish the measurement `make test COVER=1` began: the contract with the JIT off, then the report
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest $(APART) worksteal $(CONTRACT)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

bounds: $(WHOLE) ## run the contract with every access to an array checked
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest $(APART) worksteal $(CONTRACT)

format: $(WHOLE) ## rewrite the sources to the style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

learning: $(WHOLE) ## run the tests that train agents to their goals
	$(BIN)/python -m pytest -m "learning or slow" $(APART) worksteal

browser: $(WHOLE) ## run the tests in a real JupyterLab, in the system's Chromium
	@sh .ci/chromium
	$(BIN)/python -m pytest -m browser $(APART) worksteal $(CANVAS)
	$(BIN)/python -m pytest -m browser $(addprefix --ignore=,$(CANVAS))

docs: $(WHOLE) ## build the site into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

wheel: $(WHOLE) ## build the wheel into dist/
	@rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

installed: $(WHOLE) ## install the wheel into a clean environment, and use it there
	bash .ci/wheel

bench: $(READY) ## measure steps per second: environment alone, with the network, with learning
	@for policy in random mlp train; do $(BIN)/workbench bench CartPole-v1 --lanes 4096 --policy $$policy $(ARGS); echo; done

clean: ## remove what was built; runs/ and demo/ stay
	rm -rf .venv dist build htmlcov docs/_build docs/generated .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
