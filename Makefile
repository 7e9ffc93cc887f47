# The tasks of the repository. `make` lists it.

PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
SERVICES_READY := $(VENV)/.ready-services
BROWSER_READY := $(VENV)/.ready-browser
BENCH_READY := $(VENV)/.ready-bench
DOCS_READY := $(VENV)/.ready-docs
MUTANTS_READY := $(VENV)/.ready-mutants
MINUTES ?= 2
# The extras that a site may install, as against those for work on the app.
EXTRAS := health metrics redis sandbox
COMPILE := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links

# A shell's own choice of settings is not the repository's.
unexport DJANGO_SETTINGS_MODULE

.DEFAULT_GOAL := help
.PHONY: help environments demo run test test-crowds test-programs test-services test-browser screenshots planted-faults mutants soak-rules soak \
	contract pairs every-pair bench benchmark size walk messages \
	coverage docs lint format types check wheel requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environments: $(BENCH_READY) $(BROWSER_READY) $(DOCS_READY) ## install all that the targets of CI need
	$(RUN) -m tests.services.install
	$(RUN) -m tests.browser.install

demo: $(READY) ## play the app's story on real processes, and check what Basket holds after it
	$(RUN) -m project.demo

run: $(READY) ## the site, the sandbox Basket and the worker, until Ctrl-C
	$(RUN) -m project.run

test: $(READY) ## the test suite, but for the slow parts below; ARGS="-k vouch" for a part of it
	$(RUN) -m pytest -n 2 --dist worksteal $(ARGS)

test-crowds: $(READY) ## brakes and losses among hundreds of members, at default settings
	$(RUN) -m pytest -n 2 --dist worksteal -m crowds $(ARGS)

test-programs: $(READY) ## tests that start whole programs, such as new sites made of the docs' code blocks
	$(RUN) -m pytest -n 2 --dist worksteal -m programs $(ARGS)

test-services: $(BENCH_READY) ## tests on private PostgreSQL, Redis and RabbitMQ servers; apt-get installs missing ones
	$(RUN) -m tests.services.install
	$(RUN) -m tests.services $(ARGS)

test-browser: $(BROWSER_READY) ## the site and the admin in headless Chromium, on the running site; apt-get installs what is missing
	$(RUN) -m tests.browser.install
	$(RUN) -m tests.browser $(ARGS)

screenshots: $(BROWSER_READY) ## take the pictures of the docs again
	$(RUN) -m tests.browser.install
	$(RUN) -m tests.browser.screenshots

planted-faults: $(READY) ## plant faults in the rules, and where brakes and losses are written; show what finds them
	$(RUN) -m tests.rules.planted_faults
	$(RUN) -m tests.upkeep.planted_faults

mutants: $(MUTANTS_READY) ## change the rules in every small way, and show what no test notices; ARGS="brake plan" for some
	$(RUN) -m tests.rules.mutants $(ARGS)

soak-rules: $(READY) ## new stories for the state machine of the rules: MINUTES=2
	$(RUN) -m tests.rules.soak --minutes $(MINUTES)

soak: $(SERVICES_READY) soak-rules ## random changes, faults and kills: MINUTES=2, SEED=1 to repeat a run, ARGS="--members 5000"
	$(RUN) -m tests.services.install
	$(RUN) -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

contract: $(READY) ## the behaviour that the sandbox shares with every Basket; BASKET_CONTRACT_URL and _KEY name another one
	$(RUN) -m pytest tests/contract $(ARGS)

pairs: $(READY) ## a part of the tests on the lowest versions that are promised, and on the newest Python and Django
	$(RUN) -m nox --session lowest newest

every-pair: $(READY) ## the whole test suite on every pair of Python and Django
	$(RUN) -m nox --session tests

bench: $(BENCH_READY) ## the app measured beside a naive baseline, under 30 minutes; ARGS="--quick" or "--only NAME"
	$(RUN) -m tests.services.install
	$(RUN) -m benchmarks $(ARGS)

benchmark: $(READY) ## how many lookups a second the sandbox Basket answers
	$(RUN) -m benchmarks.sandbox_lookups $(ARGS)

size: $(READY) ## count files and lines of code, by part of the app
	$(RUN) -m benchmarks.size

walk: $(READY) ## follow one vouch through the app's functions; ARGS=--worker for a real worker
	$(RUN) -m benchmarks.walk $(ARGS)

messages: $(READY) ## collect and compile the texts of the translations; apt-get installs a missing gettext
	$(RUN) -m tests.translations $(ARGS)

coverage: $(READY) ## the test suite, and which lines it does not reach
	$(RUN) -m coverage run -m pytest -m "not programs and not services and not browser"
	$(RUN) -m coverage report

docs: $(DOCS_READY) ## the documentation as a site, in docs/_build/html/; fails for any warning
	$(RUN) -m sphinx -W --keep-going -q --fresh-env -b html docs docs/_build/html

lint: $(READY) ## ruff's rules and format, and the order of the app's imports
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache

format: $(READY) ## mend what ruff can mend
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

types: $(BROWSER_READY) ## mypy, strict
	$(RUN) -m mypy mozillians_basket project tests benchmarks

check: $(READY) ## missing migrations, and Django's checks for a deployment
	$(RUN) manage.py makemigrations --check --dry-run
	SECRET_KEY="$$($(RUN) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	ALLOWED_HOSTS=site.example.org \
	BASKET_URL=https://basket.example.org BASKET_API_KEY=only-for-this-check \
	$(RUN) manage.py check --deploy --fail-level WARNING --settings project.settings.prod

wheel: $(READY) ## build the app's sdist and wheel into dist/ and check what is in them
	$(RUN) -m build --no-isolation --outdir dist
	$(RUN) -m pytest tests/project/test_wheel.py

requirements: $(READY) ## pin requirements/*.in again; ARGS=--upgrade for the latest of all
	for name in base dev docs prod bench browser mutants; do \
		$(COMPILE) $(ARGS) requirements/$$name.in --output-file requirements/$$name.txt || exit; \
	done
	$(COMPILE) --resolution lowest-direct $(addprefix --extra ,$(EXTRAS)) pyproject.toml \
		--output-file requirements/lowest.txt

clean: ## remove what can be made again, but not var/ with the developer's data
	rm -rf $(VENV) .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/it" >&2; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DOCS_READY): $(READY) requirements/docs.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	touch $@

$(MUTANTS_READY): $(READY) requirements/mutants.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	touch $@

$(SERVICES_READY): $(READY) requirements/prod.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/prod.txt
	touch $@

$(BROWSER_READY): $(SERVICES_READY) requirements/browser.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/browser.txt
	touch $@

$(BENCH_READY): $(SERVICES_READY) requirements/bench.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	touch $@
