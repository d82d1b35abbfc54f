# chipsim: everything a fresh machine needs is Python 3.11 or newer, a C compiler and make.
#
#   make demo        build, then run the shipped digits network on Loihi and print the report
#   make test        build, then run all tests          make bench   measure speed
#   make lint        ruff, cython-lint, mypy            make docs    run the documentation, build its site
#   make build       compile the engine in place        make dist-check   wheel and sdist are complete
#   make clean       remove what was built (the environment stays; `rm -rf .venv` removes that)

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
endif
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
CYTHON := $(shell find src_cython -name '*.pyx' -o -name '*.pxd')

.PHONY: demo test bench docs lint dist-check build clean
.NOTPARALLEL:

demo: $(VENV)/built
	$(BIN)/chipsim run examples/digits.nir --chip loihi --input examples/digits_test.h5 --ticks-per-sample 20 \
		--nir-dialect snntorch

test: $(VENV)/dev $(VENV)/built
	$(BIN)/python -m pytest

bench: $(VENV)/dev $(VENV)/built
	$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' --benchmark-columns=min,median,stddev,rounds

docs: $(VENV)/site $(VENV)/built
	$(BIN)/python -m pytest tests/cli/test_tutorials.py tests/unit/test_docs.py tests/unit/test_site.py
	$(BIN)/python tools/site_pages.py build/site
	@echo "open build/site/html/index.html"

lint: $(VENV)/dev $(VENV)/built
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint src_cython
	$(BIN)/mypy

dist-check: $(VENV)/dev
	$(BIN)/python -m pytest tests/unit/test_packaging.py -m dist

build: $(VENV)/built

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .benchmarks
	find chipsim -name '*.so' -delete
	find chipsim tests tools -name __pycache__ -exec rm -rf {} +
	rm -f $(VENV)/built $(VENV)/run $(VENV)/dev $(VENV)/site

# The environment, in stages; each is a stamp, so a second `make` starts at once. An editable install compiles the engine
# too. Build requirements are installed, not isolated: a changed kernel is then one compiler call away.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "chipsim needs Python 3.11 or newer: none found; try make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "chipsim needs Python 3.11 or newer; $(PYTHON) is older: try make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/tools: pyproject.toml | $(VENV)/bin/python
	@echo "installing build tools into $(VENV)"
	@$(PIP) "setuptools>=77" "cython>=3.1"
	@touch $@

$(VENV)/run: pyproject.toml setup.py $(VENV)/tools
	@echo "installing chipsim and what it needs to run into $(VENV)"
	@$(PIP) --no-build-isolation --editable .
	@touch $@ $(VENV)/built

$(VENV)/dev: pyproject.toml setup.py $(VENV)/tools
	@echo "installing chipsim and what it takes to develop it into $(VENV)"
	@$(PIP) --no-build-isolation --editable ".[dev]"
	@touch $@ $(VENV)/run $(VENV)/built

$(VENV)/site: pyproject.toml $(VENV)/dev
	@echo "installing what it takes to build the documentation into $(VENV)"
	@$(PIP) --no-build-isolation --editable ".[docs]"
	@touch $@ $(VENV)/run $(VENV)/dev $(VENV)/built

$(VENV)/built: $(CYTHON) $(VENV)/run
	@test -e $@ && test -z "$$(find src_cython -newer $@)" || \
		{ echo "compiling the engine"; $(BIN)/python setup.py --quiet build_ext --inplace; }
	@touch $@
