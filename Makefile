# joinwatch: `make demo` and `make test` set up everything that they need, also on a fresh machine.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check fix golden docs fuzz bench day loss midcall floods soak kills live lock setup system counterparts dashboards linters alert-rules e2e deb boot outage clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Replay the bundled incident: who was in the meeting and should not have been
	@$(BIN)/joinwatch demo

test: $(READY) system ## Every test; installs tshark when it is missing
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(READY) ## Format, lint, strict types, import contract, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

fix: $(READY) ## Format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(READY) ## Make the bundled captures and their golden files anew; read the difference line by line
	$(BIN)/python -m pcaps.make
	$(BIN)/python -m pytest tests/golden --golden -q

docs: $(READY) ## Make the pages anew that are made of the code: rules, metrics, configuration, journal, limits
	$(BIN)/python -m docs.make

fuzz: $(READY) ## Hostile bytes for every reader and decoder, SECONDS=60 for each (atheris: Linux on x86-64 only)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet 'atheris>=3' 2>/dev/null || true
	@$(BIN)/python -m fuzz $(or $(SECONDS),60)

bench: $(READY) ## Speed against tshark, sngrep, suricata and tcpdump on the same files; writes docs/performance.md
	$(BIN)/python -m bench

day: $(READY) ## A day of benign traffic with 10,000 authorised joins: at most one false alert in 1,000
	$(BIN)/python -m bench.day bench/data

loss: $(READY) ## Truth under loss: copies, disorder, losses and cuts of every labelled capture; writes docs/robustness.md
	$(BIN)/python -m bench.losses

midcall: $(READY) ## Captures that begin in mid-call: who of the uninvited is named, from rosters and later signalling
	$(BIN)/python -m bench.midcall

floods: $(READY) ## Floods of every kind, with a hundred people hidden in each: time, memory, evictions, and who was found
	$(BIN)/python -m bench.floods

kills: $(READY) ## A hundred times kill -9 at random points, while intruders come in (SEED=1); as root, on Linux
	$(BIN)/python -m bench.kills --seed $(or $(SEED),1)

live: $(READY) ## Media, SIP and joins on an interface: losses, accounts and delays; writes docs/live.md; as root, on Linux
	$(BIN)/python -m bench.live

soak: $(READY) ## An hour of mixed load (SECONDS=3600) with deaths and reloads: memory level, every alert; as root, on Linux
	$(BIN)/python -m bench.soak --seconds $(or $(SECONDS),3600)

lock: $(READY) ## Resolve requirements.lock anew
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra fetch --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --allow-unsafe --output-file requirements.lock pyproject.toml

setup: $(READY) ## The virtual environment alone

$(READY): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || \
	  { echo "there is no $(PYTHON); joinwatch needs Python 3.11 or newer. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "joinwatch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

system: ## tshark, against which the tests hold the decoders
	@command -v tshark >/dev/null || sh deploy/install-tshark.sh

outage: $(READY) ## 1,000 alerts while a real Alertmanager and a real rsyslogd are away, and deliver is killed
	$(BIN)/python -m bench.outage

alert-rules: $(READY) ## Make Prometheus' rules and the runbooks from their catalogue, and test every rule at every interval, whole and broken
	$(BIN)/python -m deploy.catalogue
	$(BIN)/python -m deploy.kubernetes
	JOINWATCH_ALL_RULES=1 $(BIN)/python -m pytest -q tests/deploy/test_deploy_rules_*.py tests/deploy/test_deploy_runbooks.py

e2e: $(READY) ## From a packet to whoever is on call, through real servers, half an hour; writes docs/end-to-end.md; as root, on Linux
	$(BIN)/python -m bench.e2e

deb: $(READY) ## A Debian package for the machine's own release: build/joinwatch_VERSION_ARCHITECTURE.deb
	$(BIN)/python -m deploy.debian

boot: $(READY) ## That package on a fresh Debian with its own systemd: start, deaths, upgrade, purge; as root, on Debian
	$(BIN)/python -m bench.boot

linters: ## Second opinions on deploy/, for its tests, in build/linters
	@test -x build/linters/bin/python || $(PYTHON) -m venv build/linters
	build/linters/bin/pip install --quiet --disable-pip-version-check --requirement deploy/linters.txt

counterparts: ## Prometheus, Alertmanager, rsyslog, radicale, slapd … from Debian, for the tests that speak to real ones (root)
	sh deploy/install-counterparts.sh

dashboards: $(READY) ## Grafana's dashboards of their code; as root with Prometheus, a day of MINUTES=18, every query asked, docs/pictures drawn
	$(BIN)/python -m deploy.grafana.proof --minutes $(or $(MINUTES),18)

clean: ## Forget the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/data build dist
