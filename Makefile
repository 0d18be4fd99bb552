# Everything runs in an environment of its own, .venv, made from any Python >= 3.11.
PYTHON ?= python3.11
VENV := .venv
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint bench clean

demo: $(STAMP)
	$(VENV)/bin/hscdb demo

test: $(STAMP)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(STAMP)
	$(VENV)/bin/ruff check hscdb tests
	$(VENV)/bin/mypy hscdb

bench: $(STAMP)
	for script in tests/bench/bench_*.py; do $(VENV)/bin/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist

$(STAMP): pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c tests/constraints.txt -e '.[test]'
	touch $@
