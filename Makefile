# palsykit from a fresh clone. You need Python 3.11, git and make.
#   make run    install into .venv, run recipes/cfcpalsy.yaml, print the path of the report
#   make test   install with the test tools, then lint and all tests except the slow ones
#   make coverage  the share of palsykit/ that the tests run
#   make browser  the studio's tests in Chromium
#   make docs   the documentation as a site, in build/site
#   make slow   the slow tests: clean environments with palsykit's wheel, all scaffolds, the tutorial word for word
# With another Python: make PYTHON=python3.12 run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
MANIFESTS := pyproject.toml constraints.txt

.PHONY: help run test slow coverage browser docs lint weights bench benchmark-small clean
.DELETE_ON_ERROR:

help:
	@echo "make run      train, generate, evaluate and report recipes/cfcpalsy.yaml"
	@echo "make test     lint, then all tests except the slow ones"
	@echo "make slow     the slow tests: clean environments, all scaffolds, the tutorial"
	@echo "make coverage all tests except the slow ones; the share of palsykit/ that they run, module by module"
	@echo "make browser  the studio's tests in Chromium, which the system has (apt-get install chromium)"
	@echo "make docs     the documentation as a site in build/site; a warning is an error"
	@echo "make lint     ruff and mypy"
	@echo "make weights  train the networks, the judges and the base models that ship with palsykit (15 hours; resumes)"
	@echo "make bench    speed against the released algorithm and the machine's ceiling, few-step sampling (13 minutes on two cores)"
	@echo "make benchmark-small  all systems on few people, a privacy audit, a usefulness study (13 minutes on two cores)"
	@echo "make clean    remove caches and builds; keep runs/ and $(VENV)"

run: $(VENV)/.installed
	$(BIN)/palsykit run recipes/cfcpalsy.yaml

# Two processes; the tests of a file stay in one, so that they share what it makes. The quickest tests of the studio need
# its libraries, which are installed where there is a browser to use them.
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
test: lint $(if $(CHROMIUM),$(VENV)/.installed-studio)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

slow: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q -m slow

# What tests run in other processes (torchrun, clean environments) is not counted.
coverage: $(VENV)/.installed-dev
	@$(INSTALL) pytest-cov
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --cov palsykit --cov-report term-missing:skip-covered

# Gradio's bound on Pillow is below the Pillow that everything is tested with; so its libraries are named here (constraints.txt).
STUDIO := gradio gradio_client hf-gradio fastapi starlette uvicorn opentelemetry-api orjson python-multipart aiofiles brotli ffmpy \
  groovy httpx httpcore pandas pydub pytz safehttpx semantic-version axe-playwright-python playwright greenlet pyee
browser: $(VENV)/.installed-studio
	@$(BIN)/python -m pytest -q -m browser tests/plugins/palsykit_studio

# The theme would print that its authors work on a successor.
docs: $(VENV)/.installed
	@$(INSTALL) -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "build/site/index.html; with search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A rehearsal of a fiftieth: make weights SHARE=0.02 TO=build/weights
SHARE := 1
TO := plugins/palsykit_weights
weights: $(VENV)/.installed
	$(BIN)/python tools/make_weights.py --share $(SHARE) --to $(TO)$(if $(filter-out 1,$(SHARE)), --runs $(TO)/runs)

# Speed, and the quality of few sampler steps: tables and plot in docs/performance.md, JSON in runs/bench. Needs an idle
# machine; on one that is not: make bench CLOCK=cpu. Students: make bench STUDENTS=runs/cfcpalsy-fewstep. A trained
# reference for the quality at 112 px: palsykit run benchmarks/reference-112.yaml, then make bench REFERENCE=runs/reference-112
CLOCK := wall
STUDENTS :=
REFERENCE :=
bench: $(VENV)/.installed
	$(BIN)/python benchmarks/speed.py --clock $(CLOCK) --json runs/bench/speed.json --plot docs/performance.svg --page docs/performance.md
	$(BIN)/python benchmarks/few_steps.py --released --people 8 --each 2 $(if $(STUDENTS),--students $(STUDENTS)) \
	  --json runs/bench/few_steps.json --page docs/performance.md
	$(BIN)/python benchmarks/same_size.py --released --each 1 $(if $(REFERENCE),--reference $(REFERENCE)) \
	  --json runs/bench/same_size.json --page docs/performance.md

# Benchmark, privacy audit and usefulness study; each report is in $(SMALL).
SMALL := runs/benchmarks/benchmark-small
benchmark-small: $(VENV)/.installed
	$(BIN)/palsykit benchmark recipes/benchmark-small.yaml --output $(SMALL)
	$(BIN)/palsykit run recipes/cfcpalsy-64.yaml
	$(BIN)/palsykit audit runs/cfcpalsy-64 --output $(SMALL)/audit
	$(BIN)/palsykit synthesize runs/cfcpalsy-64 $(SMALL)/synthetic --identities 8
	$(BIN)/palsykit usefulness $(SMALL)/synthetic/images --work $(SMALL)/usefulness \
	  --subjects 5,20 --seeds 0 --set fits.0.steps=200
	@echo "Reports: $(SMALL)/report.html $(SMALL)/audit/audit.html $(SMALL)/usefulness/usefulness.md"

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# Stamp files: install again only if a manifest has changed. palsykit itself is installed editable.
$(VENV)/.installed: $(VENV)/.made $(MANIFESTS)
	@echo "Installing palsykit and its libraries into $(VENV): minutes the first time, and several GB"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made $(MANIFESTS)
	@echo "Installing palsykit, its libraries and its test tools into $(VENV): minutes the first time, and several GB"
	@$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-studio: $(VENV)/.installed-dev
	@echo "Installing the libraries of the studio and of its tests"
	@$(INSTALL) --no-deps $(STUDIO)
	@touch $@

# Use an existing .venv if its pip works. Test pip, because an incomplete venv has a python but no pip.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "palsykit needs Python 3.11 or newer; '$(PYTHON)' is not on the PATH. Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { \
	  echo "palsykit needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@touch $@
