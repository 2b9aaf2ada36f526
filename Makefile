# Both `make demo` and `make test` make .venv themselves, with uv where it is installed, else with venv and pip.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test long docs pictures format clean

help:
	@echo "make demo    show what metrix-channels does, against a Metrix of its own"
	@echo "make test    lint, types, architecture, tests"
	@echo "make long    the same, with the random tests repeated many times"
	@echo "make docs    write the pages that are drawn from the code"
	@echo "make pictures take pictures of all pages, into dist/pictures"
	@echo "make format  lay out the code"

demo: .venv/.demo
	@$(BIN)/metrix-channels demo

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -m "not long"

long: test
	$(BIN)/pytest -m long

docs: .venv/.dev
	$(BIN)/python docs/write_situations.py

pictures: .venv/.dev
	$(BIN)/python docs/take_pictures.py

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.demo .venv/.dev: .venv/.%: pyproject.toml | .venv/bin/python
	@echo "Installing what \`make $(if $(filter demo,$*),demo,test)\` needs …"
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python -e '.[$(if $(filter demo,$*),all,dev)]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(if $(filter demo,$*),all,dev)]'; \
	fi
	@touch $@

.venv/bin/python:
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --python '>=3.11' .venv; else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …" >&2; exit 1; }; \
		$(PYTHON) -m venv .venv \
			|| { rm -rf .venv; echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi
