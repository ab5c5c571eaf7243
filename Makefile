# README says what each target is for. Needs only Python >= 3.11 and make; `make site` as root sets up the rest.
INVENTORY ?= inventories/sandbox
SUITE ?= trixie
ARGS ?=
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
SANDBOX := $(filter inventories/sandbox inventories/sandbox/,$(INVENTORY))

.DEFAULT_GOAL := help
.PHONY: help setup dev-setup sandbox-image sandbox site doctor capture bench bench-fleet shell clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

setup: ## virtual environment with the pinned requirements, and the collections
	@$(PYTHON) tools/bootstrap.py

dev-setup:
	@$(PYTHON) tools/bootstrap.py --dev

sandbox-image: setup
	@sandbox/engine.sh
	@sandbox/build.sh $(SUITE)

sandbox: sandbox-image ## build and start the sandbox host
	@ansible-playbook sandbox/up.yml -e sandbox_suite=$(SUITE)

site: $(if $(SANDBOX),sandbox,setup) ## the main job: make the hosts of INVENTORY ready, and say so
	ansible-playbook site.yml -i $(INVENTORY) $(ARGS)

doctor: setup ## dist/gpuready-doctor.pyz: the check as one file, for hosts without Ansible
	@$(PY) tools/doctor.py

capture: setup ## record the hosts of INVENTORY as scrubbed fixtures; ARGS=--persistence times both modes
	$(PY) tools/capture.py -i $(INVENTORY) $(ARGS)

bench: $(if $(SANDBOX),sandbox,setup) ## what a second run costs
	$(PY) tests/bench/bench.py -i $(INVENTORY)

bench-fleet: sandbox-image ## what a second run costs the controller with 1, 5, 10 and 20 hosts; ARGS=--write keeps the table
	$(PY) tests/bench/fleet.py $(ARGS)

# The status of the last command in there is nobody's failure; ssh's own is 255
shell: ## ssh into the sandbox host
	@[ -f .sandbox/ssh_config ] || { echo "There is no sandbox host yet: make site" >&2; exit 1; }
	@ssh -F .sandbox/ssh_config gpuready-sandbox || [ $$? -ne 255 ]

clean: ## remove the sandbox host and all that make made here
	-@if [ -x $(PY) ]; then ansible-playbook sandbox/down.yml; \
	elif command -v docker >/dev/null; then docker rm -fv gpuready-sandbox; fi
	rm -rf .venv .collections .sandbox .cache reports dist

include tools/test.mk
