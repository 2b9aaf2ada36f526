# Every target creates the environment that it needs, with uv if it is installed, otherwise with venv and pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Most tests wait for processes and databases, so run twice as many as there are cores.
TESTS := $(BIN)/pytest --numprocesses $$((2 * $$(getconf _NPROCESSORS_ONLN))) --dist worksteal

.PHONY: help demo test long unit examples wheel bench bench-smoke docs site pictures format clean

help:
	@echo "make demo    show what metrix-channels does, against a local stand-in for Metrix"
	@echo "make test    lint, types, architecture, tests"
	@echo "make long    the same, with the random tests repeated many times"
	@echo "make examples run the tests of each example, with the built wheel in its own environment"
	@echo "make bench   measure the speed, and compare it with other ways; about half an hour"
	@echo "make docs    write the pages that are generated from the code"
	@echo "make site    build the documentation site, in English and Persian, into dist/site"
	@echo "make pictures take pictures of all pages, into dist/pictures"
	@echo "make format  format the code"

demo: $(VENV)/.demo
	@$(BIN)/metrix-channels demo

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports --no-logo
	$(TESTS) -m "not long"

long: test
	METRIX_CHANNELS_TEST_SEED=$$(od -An -N3 -tu4 /dev/urandom | tr -d " ") $(TESTS) -m long

# With another Python: make unit VENV=.venv/newest PYTHON=python3.13
unit: $(VENV)/.dev
	$(TESTS) -m "not long" tests/unit

# Tests an example as a user gets it: a copy of its folder, the wheel, and its requirements. `make example-cron` runs one.
EXAMPLES := $(patsubst examples/%/requirements.txt,example-%,$(wildcard examples/*/requirements.txt))

examples: $(EXAMPLES)

wheel: $(VENV)/.dev
	rm -rf dist/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir dist/wheel . >/dev/null

example-%: wheel
	rm -rf $(VENV)/examples/$*
	@$(BIN)/python -m venv $(VENV)/examples/$*
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(VENV)/examples/$*/bin/python --find-links dist/wheel \
			--reinstall-package metrix-channels -r examples/$*/requirements.txt; \
	else \
		$(VENV)/examples/$*/bin/python -m pip install --quiet --disable-pip-version-check --find-links dist/wheel \
			-r examples/$*/requirements.txt; \
	fi
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp -R examples/$*/. "$$folder" && cd "$$folder" \
		&& $(abspath $(BIN))/python -m mypy --strict --python-executable $(abspath $(VENV))/examples/$*/bin/python . \
		&& $(abspath $(BIN))/pyright --pythonpath $(abspath $(VENV))/examples/$*/bin/python . \
		&& $(abspath $(VENV))/examples/$*/bin/python -m pytest -q -p no:cacheprovider

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/campaign.py --check
	$(BIN)/python benchmarks/sends.py --check
	$(BIN)/python benchmarks/sends.py --memory --check
	$(BIN)/python benchmarks/sends.py --tls
	$(BIN)/python benchmarks/sends.py --postgres
	$(BIN)/python benchmarks/audiences.py --check
	$(BIN)/python benchmarks/cluster.py --check
	$(BIN)/python benchmarks/responses.py --check
	$(BIN)/python benchmarks/startup.py --check

# Runs each benchmark once in each mode, on a few rows, to see that it works.
bench-smoke: $(VENV)/.bench
	$(BIN)/python benchmarks/campaign.py --rows 300 --rounds 1 --verify
	$(BIN)/python benchmarks/campaign.py --rows 300 --rounds 1 --tls --job shared --only batching --only fast
	$(BIN)/python benchmarks/sends.py --sends 50 --rounds 1
	$(BIN)/python benchmarks/sends.py --sends 20 --rounds 1 --tls
	$(BIN)/python benchmarks/sends.py --sends 20 --rounds 1 --postgres
	$(BIN)/python benchmarks/sends.py --sends 500 --memory
	$(BIN)/python benchmarks/audiences.py --rows 300 --rounds 1
	$(BIN)/python benchmarks/cluster.py --rows 300 --workers 1
	$(BIN)/python benchmarks/cluster.py --plan 300 --job shared
	$(BIN)/python benchmarks/responses.py --rows 300 --times 1
	$(BIN)/python benchmarks/startup.py --rounds 1

docs: $(VENV)/.dev
	$(BIN)/python docs/write_situations.py

site: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file mkdocs.fa.yml

pictures: $(VENV)/.dev
	$(BIN)/python docs/take_pictures.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.demo: EXTRA := all
$(VENV)/.dev: EXTRA := dev
$(VENV)/.bench: EXTRA := bench
$(VENV)/.docs: EXTRA := docs
$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench $(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing what this needs: the extra \"$(EXTRA)\" …"
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python -e '.[$(EXTRA)]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRA)]'; \
	fi
	@touch $@

$(BIN)/python:
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --python '$(if $(filter file,$(origin PYTHON)),>=3.11,$(PYTHON))' $(VENV); \
	else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …" >&2; exit 1; }; \
		$(PYTHON) -m venv $(VENV) \
			|| { rm -rf $(VENV); echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	fi
