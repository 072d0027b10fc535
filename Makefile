# The doors of the house. Every door sets up .venv by itself; nothing else needs to be installed first than
# Python >= 3.10, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
STAMP  := $(VENV)/.installed

.PHONY: setup app test test-gpu check format docs bench clean browser

setup: $(STAMP)

$(STAMP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; name one: make setup PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade "pip>=24"
	$(PY) -m pip install --quiet -r requirements-dev.txt
	@touch $(STAMP)

app: setup
	$(PY) -m webapp $(ARGS)

# Chromium for the browser tests: the system's where there is one, Debian's package where apt is, else Playwright's own.
browser: setup
	@$(PY) -m tests.browser.install

# The second line repeats what depends on the CPU's number formats as if the CPU were of the other kind (bf16 or not).
test: setup browser
	$(PY) -m pytest $(ARGS)
	$(PY) -m tests.other_cpu

# Needs an NVIDIA GPU and fails without one.
test-gpu: setup
	$(PY) -m pytest tests/gpu --override-ini addopts="--import-mode=importlib --strict-markers" $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PY) -m core.cli.docs --check

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Rewrites the generated parts of README.md and weights/README.md.
docs: setup
	$(PY) -m core.cli.docs --write

bench: setup
	$(PY) -m bench.bench_vectorize
	$(PY) -m bench.bench_runs
	$(PY) -m bench.bench_foreground
	$(PY) -m bench.bench_pose
	$(PY) -m bench.bench_start

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
