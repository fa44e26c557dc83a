# `make demo` and `make test` need Python 3.10 or newer and nothing else; each makes .venv and fills it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test clean

demo: .venv/demo.stamp
	rm -rf demo
	$(BIN)/python -m physics_preserver demo --out demo

test: .venv/test.stamp
	$(BIN)/python -m pytest

.venv/demo.stamp: pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/test.stamp: pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build demo
