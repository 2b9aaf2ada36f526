# Both `make demo` and `make test` make .venv themselves, with uv where it is installed, else with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file stay together, since they share servers and browsers.
TOGETHER := --numprocesses auto --dist loadfile

.PHONY: help demo test long bench bench-smoke docs pictures format clean

help:
	@echo "make demo    show what metrix-channels does, against a Metrix of its own"
	@echo "make test    lint, types, architecture, tests"
	@echo "make long    the same, with the random tests repeated many times"
	@echo "make bench   measure how fast it is, beside other ways to do the same; about half an hour"
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
	$(BIN)/pytest -m "not long" $(TOGETHER)

long: test
	$(BIN)/pytest -m long $(TOGETHER)

bench: .venv/.bench
	$(BIN)/python benchmarks/campaign.py --check
	$(BIN)/python benchmarks/cluster.py --check
	$(BIN)/python benchmarks/responses.py --check

# Each benchmark once in each of its ways, on so few rows that nothing but its working is seen.
bench-smoke: .venv/.bench
	$(BIN)/python benchmarks/campaign.py --rows 300 --rounds 1 --verify
	$(BIN)/python benchmarks/campaign.py --rows 300 --rounds 1 --tls --job shared --only batching --only fast
	$(BIN)/python benchmarks/cluster.py --rows 300 --workers 1
	$(BIN)/python benchmarks/cluster.py --plan 300 --job shared
	$(BIN)/python benchmarks/responses.py --rows 300 --times 1

docs: .venv/.dev
	$(BIN)/python docs/write_situations.py

pictures: .venv/.dev
	$(BIN)/python docs/take_pictures.py

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.demo: EXTRA := all
.venv/.dev: EXTRA := dev
.venv/.bench: EXTRA := bench
.venv/.demo .venv/.dev .venv/.bench: pyproject.toml | .venv/bin/python
	@echo "Installing what this needs: the extra \"$(EXTRA)\" …"
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python -e '.[$(EXTRA)]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRA)]'; \
	fi
	@touch $@

.venv/bin/python:
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --python '>=3.11' .venv; else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …" >&2; exit 1; }; \
		$(PYTHON) -m venv .venv \
			|| { rm -rf .venv; echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi
