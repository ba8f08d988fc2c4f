# Every target does its own set-up through `setup`; a fresh machine needs Python 3.11+, make and a compiler is not needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROTOS := $(wildcard protos/yixin/v1/*.proto)

.PHONY: setup packages demo test check bench protos lock faults mutations fuzz clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/yixin demo --once

# A Debian package that tests use: SoftHSM plays the PKCS #11 token.
packages:
	@command -v softhsm2-util >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq -o Acquire::http::Timeout=15 -o Acquire::Retries=0 update >/dev/null 2>&1 && apt-get -qq install softhsm2 >/dev/null 2>&1; } || echo "softhsm2 is not here and cannot be installed (apt install softhsm2 needs root and a mirror): tests of PKCS #11 tokens are skipped"

# Two at a time, and who is done helps the other; then those with daemons of their own, which wait
# more than they count: three files at a time. Hundreds of processes start: they share compiled bytecode.
test: export PYTHONDONTWRITEBYTECODE =
test: setup packages
	$(BIN)/python -m pytest -m "not faults and not e2e" -n 2 --dist worksteal
	$(BIN)/python -m pytest -m "e2e and not faults" -n 3 --dist loadfile --no-loadscope-reorder tests/e2e

faults: setup
	$(BIN)/python -m pytest -m faults

# A hundred thousand changed envelopes, receipts, checkpoints, bundles and so on: some minutes.
mutations: setup
	$(BIN)/python -m pytest -m faults -n 2 tests/property/security/test_mutations.py

fuzz: setup
	$(BIN)/python -m tests.fuzz.messages --count 1000000

bench: setup
	$(BIN)/yixin bench

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.protos --check
	$(BIN)/yixin model check
	$(BIN)/python -m pytest -q tests/architecture

protos: setup
	$(BIN)/python -m deploy.protos

lock: setup
	$(BIN)/python -m pip install --quiet pip-tools==7.6.2
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra bench --extra dev --extra faces --extra gm --extra hsm --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
