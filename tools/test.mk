# The tests. `make test-fast` needs no container; `make test` is everything and what .ci/run calls.
# Included by the Makefile, which sets PYTHON, VENV and PY and puts the virtual environment on PATH: the tools call each
# other by name.

TIMED := $(PYTHON) tools/timed.py
# the longest first
FAST_STEPS := sanity,unit,lint,contract
# The road on its own hosts leaves a core idle, and Molecule's last scenario another: they share them.
SLOW_STEPS := molecule,site-test driver-test

# What git has or would take: linters that search folders by themselves would find copies and tool caches.
FILES := git ls-files -z --cached --others --exclude-standard --deduplicate
SHELL_SCRIPTS = $$($(FILES) ':!*.py' | xargs -0 grep -lsIE -m1 '^\#!(/bin/(ba)?sh|/usr/bin/env (ba)?sh)' --)
COLLECTION := .collections/ansible_collections/gpuready/bootstrap

.PHONY: lint lint-ansible lint-changelog lint-docs lint-python lint-shell lint-types lint-yaml docs release-check \
        unit contract sanity molecule vm-boot driver-test test-driver site-test test-fast test

lint: lint-python lint-types lint-shell lint-yaml lint-changelog lint-docs lint-ansible ## all linters; each is a target of its own

# A copy of the collection in ~/.ansible would hide this checkout from ansible-lint: hence another Ansible home. Shared
# playbooks of the scenarios name their hosts by the variable that molecule sets.
lint-ansible: dev-setup
	ANSIBLE_HOME=$(CURDIR)/.cache/ansible MOLECULE_SCENARIO_NAME=all ansible-lint --nocolor --config-file .config/ansible-lint.yml --offline

lint-changelog: dev-setup
	antsibull-changelog lint

# Plugins' and roles' documentation: markup, links between them, and docs/docsite. Measured: 25 s on two busy cores.
lint-docs: dev-setup
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.collections antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all .

lint-python: dev-setup
	ruff check .
	ruff format --check .

lint-shell: dev-setup
	shellcheck --external-sources --source-path=SCRIPTDIR $(SHELL_SCRIPTS)

# Through the link, so that mypy sees plugins by the names they import each other with. ansible-core has no type
# information: the classes that action and callback plugins must derive from are untyped.
lint-types: dev-setup
	MYPYPATH=molecule/shared:tests/driver:tests/integration:examples mypy tools examples molecule tests/bench
	MYPYPATH=tests/contract mypy tests/contract
	MYPYPATH=tests/integration mypy tests/integration
	MYPYPATH=tests/driver mypy tests/driver
	MYPYPATH=tests/runner mypy tests/runner
	mypy --allow-subclassing-any $(COLLECTION)/plugins

lint-yaml: dev-setup
	yamllint --strict .
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# antsibull-docs writes only into a folder that nobody else may write. --fresh-env: pages that Sphinx kept from a run that
# failed are not read again, and their warnings would not come back.
docs: dev-setup ## dist/docs: the reference of plugins and roles as HTML, without a warning
	@mkdir -p .cache/docs/rst && chmod 700 .cache/docs/rst
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.collections antsibull-docs collection --use-current --squash-hierarchy --cleanup everything \
	    --fail-on-error --dest-dir .cache/docs/rst gpuready.bootstrap
	sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -c tools/docsite -b html .cache/docs/rst dist/docs

release-check: dev-setup ## whether the version in galaxy.yml can be released
	antsibull-changelog lint
	@$(PY) tools/release_check.py

unit: dev-setup ## unit and property tests, and the programs of examples/ with the installed ansible-runner
	$(PY) -m pytest tests/unit tests/runner -n auto --dist loadfile

contract: dev-setup ## what holds across files: argument specs, walls, names, the built tarball
	$(PY) -m pytest tests/contract -n auto --dist loadfile

sanity: dev-setup ## ansible-test sanity, for every target Python found here
	@$(PY) -m tools.sanity

# A phony target without a recipe would succeed: each slow step has one.
molecule: dev-setup sandbox-image ## one scenario a role, and one for the whole road, on sandbox hosts
	@$(PY) tools/molecule.py

# On demand: a virtual machine under emulation, which boots three times
vm-boot: dev-setup sandbox-image ## a kernel parameter, set and taken back over real reboots of a virtual machine
	@$(PY) tools/molecule.py vm_boot

# In `make test`: Debian 12's driver compiled by DKMS once (measured on two busy cores: 225 s). The virtual machine with that
# build (605 s) and Debian 13's failing build (132 s) are for test-driver alone, to keep CI under 45 minutes. Both targets take
# their containers and virtual machines away, whatever happens; what a machine cannot do is skipped, with the reason at the end.
driver-test: dev-setup sandbox-image ## a real driver compiled by DKMS on Debian 12; once for each content
	@sandbox/build.sh bookworm
	@$(PY) tools/driver_test.py

test-driver: dev-setup sandbox-image ## the same, Debian 13's failing build and a virtual machine that boots it, always
	@sandbox/build.sh bookworm
	@$(PY) tools/driver_test.py --always

site-test: dev-setup ## the road on the sandbox host: second run, drift, killed runs, bad inventories, access
	$(PY) -m pytest tests/integration

test-fast: ## all tests that need no container
	@$(TIMED) dev-setup $(FAST_STEPS)

# The image before the slow steps: two of them that run side by side ask for it.
test: ## all tests
	@$(TIMED) dev-setup $(FAST_STEPS) sandbox-image $(SLOW_STEPS)
