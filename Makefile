# joinwatch: `make demo` and `make test` set up everything that they need, also on a fresh machine.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test setup clean check fix lock docs golden alert-rules dashboards bench day loss midcall live e2e fuzz floods kills soak outage deb boot system counterparts linters

##@ Begin

help: ## What can be made
	@awk -F ':.*## ' '/^##@ / { printf "%s%s\n", gap, substr($$0, 5); gap = "\n" } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Replay the bundled incident: who was in the meeting and should not have been
	@$(BIN)/joinwatch demo

test: $(READY) system ## Every test; installs tshark when it is missing
	$(BIN)/python -m pytest -n auto --dist worksteal

setup: $(READY) ## The virtual environment alone

clean: ## Forget the virtual environment, what was built, and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/data build dist

##@ Change

check: $(READY) ## Format, lint, strict types, import contract, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

fix: $(READY) ## Format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## Resolve requirements.lock anew
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra fetch --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --allow-unsafe --output-file requirements.lock pyproject.toml

##@ Make anew what is made of something else; read the difference line by line

docs: $(READY) ## Pages that are made of the code: rules, metrics, configuration, journal, limits
	$(BIN)/python -m docs.make

golden: $(READY) ## The bundled captures and their golden files
	$(BIN)/python -m pcaps.make
	$(BIN)/python -m pytest tests/golden --golden -q

alert-rules: $(READY) ## Prometheus' rules and the runbooks, of their catalogue; tested, and broken
	$(BIN)/python -m deploy.catalogue
	$(BIN)/python -m deploy.kubernetes
	JOINWATCH_ALL_RULES=1 $(BIN)/python -m pytest -q tests/deploy/test_deploy_rules_*.py tests/deploy/test_deploy_runbooks.py

dashboards: $(READY) ## Grafana's dashboards, asked for a day of MINUTES=18, with pictures; as root
	$(BIN)/python -m deploy.grafana.proof --minutes $(or $(MINUTES),18)

##@ Measure

bench: $(READY) ## Speed against tshark, sngrep, suricata and tcpdump: docs/performance.md
	$(BIN)/python -m bench

day: $(READY) ## A day of 10,000 authorised joins: at most one false alert in 1,000
	$(BIN)/python -m bench.day bench/data

loss: $(READY) ## Truth under copies, disorder, losses and cuts: docs/robustness.md
	$(BIN)/python -m bench.losses

midcall: $(READY) ## Captures that begin in mid-call: who of the uninvited is named
	$(BIN)/python -m bench.midcall

live: $(READY) ## Media, SIP and joins on an interface, what is lost: docs/live.md; as root
	$(BIN)/python -m bench.live

e2e: $(READY) ## From a packet to whoever is on call, half an hour: docs/end-to-end.md; as root
	$(BIN)/python -m bench.e2e

##@ Try to break

fuzz: $(READY) ## Hostile bytes for every reader and decoder, SECONDS=60 each; Linux on x86-64
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet 'atheris>=3' 2>/dev/null || true
	@$(BIN)/python -m fuzz $(or $(SECONDS),60)

floods: $(READY) ## Floods of every kind, a hundred people hidden in each: who was found
	$(BIN)/python -m bench.floods

kills: $(READY) ## A hundred times kill -9 at random (SEED=1), while intruders come in; as root
	$(BIN)/python -m bench.kills --seed $(or $(SEED),1)

soak: $(READY) ## An hour of mixed load (SECONDS=3600), deaths, reloads: docs/soak.md; as root
	$(BIN)/python -m bench.soak --seconds $(or $(SECONDS),3600)

outage: $(READY) ## 1,000 alerts while a real Alertmanager, a real rsyslogd and deliver come and go
	$(BIN)/python -m bench.outage

##@ Deploy

deb: $(READY) ## A package for this machine's release: build/joinwatch_VERSION_ARCHITECTURE.deb
	$(BIN)/python -m deploy.debian

boot: $(READY) ## That package on a fresh Debian with its own systemd, to its purge; as root
	$(BIN)/python -m bench.boot

##@ Get what others make

system: ## tshark, against which the tests hold the decoders
	@command -v tshark >/dev/null || sh deploy/install-tshark.sh

counterparts: ## Prometheus, rsyslog, slapd … of Debian, for tests that speak to them; as root
	sh deploy/install-counterparts.sh

linters: ## Second opinions on deploy/, for its tests, in build/linters
	@test -x build/linters/bin/python || $(PYTHON) -m venv build/linters
	build/linters/bin/pip install --quiet --disable-pip-version-check --requirement deploy/linters.txt

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
