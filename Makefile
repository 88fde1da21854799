# Two commands do all their own set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
OUTPUT ?= demo
WORKERS ?= 2
PAIRS   ?= 192

.PHONY: demo test install lint types layers unit test-browser soak gpu validate docs calibrate constraints format clean

demo: $(STAMP)
	$(BIN)/causal-ivae demo $(OUTPUT)

# Two at a time, since most of the checks use one core.
test: $(STAMP)
	$(MAKE) --jobs=2 lint types layers unit

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "causal-ivae needs Python 3.11 or newer; this is %d.%d. Set PYTHON=..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports --no-cache

# WORKERS=0 runs them in one process, as a debugger asks.
unit: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow and not browser" $(PYTEST)

# The pages in Debian's chromium, without a network; SCREENSHOTS=FOLDER keeps pictures of them.
test-browser: $(STAMP)
	@command -v chromium >/dev/null || { echo "make test-browser needs chromium: apt-get install chromium"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,browser]'
	$(BIN)/pytest -m browser tests/reporting $(PYTEST)

# Cohorts of 200 and 20 subjects while workers and the program are killed, against a quiet run.
soak: $(STAMP)
	$(BIN)/python tests/soak/soak.py $(SOAK)

# Tests, speeds and a whole brain on a GPU, in some eight minutes.
gpu: $(STAMP)
	$(BIN)/python tests/gpu_check.py build/gpu

# Accuracy and error rates on simulated truth: minutes to hours, printed as tables.
validate: $(STAMP)
	$(BIN)/pytest -m slow -s $(PYTEST)

# The documentation site, in build/docs: examples run, a report of a simulated study is made, no network
# is used. Warnings are errors.
docs: $(STAMP)
	$(BIN)/python docs/prepare.py build/docs-source
	$(BIN)/python -m sphinx -W --keep-going -q build/docs-source build/docs
	@echo "Open build/docs/index.html"

# The weights behind the probabilities of the structural method (half a CPU second a pair; with 192
# pairs a design twenty minutes on one quiet core) and of the network method (a quarter of an hour).
calibrate: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m causal_ivae.validation.suites.calibrate reports/validation/calibration_pairs.tsv \
	  reports/validation/calibration_arrows.tsv causal_ivae/discovery/calibration.json $(PAIRS)
	OMP_NUM_THREADS=1 $(BIN)/python -m causal_ivae.validation.suites.calibrate_networks \
	  causal_ivae/discovery/network/weights.json 400

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
