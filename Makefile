# One command per wish. Nothing needs to be installed first but Python 3.11 or newer, make and git.

PYTHON ?= python3
ARGS ?=

VENV := .venv/bin
UV := $(VENV)/uv
ENVS := .local/envs
SETUP := .venv/.installed $(ENVS)/engine/.installed $(ENVS)/sam/.installed
# The tests also run the built functions as AWS's own images do, and the documentation's commands by the AWS CLI.
TEST_SETUP := $(SETUP) $(ENVS)/runtime/.installed $(ENVS)/aws/.installed
# One more than there are processors: the end-to-end tests share one stack, hence one process, and mostly wait.
PROCESSES = $(shell $(VENV)/python -c "import os; print(min(4, (os.cpu_count() or 1) + 1))")
LOCK := $(UV) pip compile --quiet --no-annotate --no-header --universal --python-version 3.11

# The demo calls the API by the client.
export PYTHONPATH := client

# What is given on the command line reaches a recipe's shell as a variable, and is never a part of its text.
# A recipe that runs for long replaces its shell by the command, so that make signals the command itself.

.PHONY: help
help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
		printf '  make %-14s %s\n' "$$name" "$$what"; done

.PHONY: demo
demo: $(SETUP) ## Make a video from two pictures, all on this machine (ARGS="--prompt ... --reference PATH --size 1280*720 --duration 5")
	@exec $(VENV)/python -m local demo $(ARGS)

.PHONY: up
up: $(SETUP) ## Run the whole stack in the foreground until Ctrl-C
	@exec $(VENV)/python -m local up

.PHONY: mock
mock: .venv/.installed ## Run the mock Wan API alone
	@exec $(VENV)/python -m local mock $(ARGS)

.PHONY: pause
pause: .venv/.installed ## Stop new submits without losing a job (STACK=name for a deployed stack)
	@exec $(VENV)/python -m local pause

.PHONY: resume
resume: .venv/.installed ## Let submits go on
	@exec $(VENV)/python -m local resume

.PHONY: key
key: .venv/.installed ## Make an API key for an owner (NAME=owner; REVOKE=key-id disables one; STACK=name for a deployed stack)
	@exec $(VENV)/python -m local key "$(if $(findstring command,$(origin NAME)),$$NAME)" "$$REVOKE"

.PHONY: free-slot
free-slot: .venv/.installed ## Give back the slot of a job that is over though its task may still run (JOB=job-id; STACK=name)
	@exec $(VENV)/python -m local free-slot "$$JOB"

.PHONY: restore
restore: .venv/.installed ## Bring home what a restored copy of the table has (FROM=table; STACK=name)
	@exec $(VENV)/python -m local restore "$$FROM"

.PHONY: deploy
deploy: $(SETUP) ## Update a deployed stack; an alarm takes the update back (STACK=name; MINUTES=15 of watching; YES=1 asks nothing)
	@exec $(VENV)/python -m local deploy "$(MINUTES)"

.PHONY: teardown
teardown: .venv/.installed ## Delete a deployed stack; its videos and records stay (STACK=name; DELETE_DATA=1 deletes them too, when its name is typed)
	@exec $(VENV)/python -m local teardown

.PHONY: storm
storm: $(SETUP) ## Hundreds of jobs while everything breaks, and a report in numbers (ARGS="--jobs 300 --faults 0.25 --seed 1")
	@exec $(VENV)/python -m local storm $(ARGS)

.PHONY: sam-local
sam-local: $(SETUP) ## Let `sam local` run the functions against the stack of `make up` (STACK=name for a deployed stack); needs Docker
	@exec $(VENV)/python -m local sam-local

.PHONY: sam-local-test
sam-local-test: $(SETUP) ## Every example event and one job through `sam local`; needs Docker
	@exec $(VENV)/python -m local sam-local-test

.PHONY: test
test: $(TEST_SETUP) ## Run every test (ARGS="tests/unit -k name" for some)
	@exec $(VENV)/python -m pytest $(if $(ARGS),$(ARGS),--numprocesses $(PROCESSES) --dist loadgroup)

.PHONY: bench
bench: $(SETUP) ## Run every benchmark beside its baseline and write docs/performance.md (ARGS="store" for some)
	@exec $(VENV)/python -m benchmarks $(ARGS)

.PHONY: screenshots
screenshots: $(SETUP) ## Take the pictures of docs/images/ of the console; needs Chromium
	@exec $(VENV)/python -m local screenshots

.PHONY: check
check: $(TEST_SETUP) $(ENVS)/checkov/.installed ## Lint, types, template, rights, workflow, documentation
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy layers/common/wanflow mock_server functions local client/wanflow_client benchmarks
	$(VENV)/cfn-lint template.yaml .github/deploy-role.yaml
	$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(ENVS)/checkov/bin/checkov --config-file .checkov.yaml
	$(VENV)/python -m local.lint_workflows statemachine/*.asl.json
	$(VENV)/python -m pytest -q tests/local/test_substitutions.py tests/functions/test_least_privilege.py tests/docs

.PHONY: fmt
fmt: .venv/.installed ## Put the code into shape
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .
	PYTHONPATH=layers/common $(VENV)/python docs/make_api_page.py
	PYTHONPATH=layers/common $(VENV)/python console/make_rules.py
	PYTHONPATH=. $(VENV)/python events/make_env_example.py
	$(VENV)/python -m docs.make_diagrams
	$(VENV)/python -m benchmarks.month_cost

.PHONY: setup
setup: $(TEST_SETUP) ## Install what the other commands need (they do it by themselves)

.PHONY: lock
lock: .venv/.installed ## Pin the newest versions that requirements/*.in allow
	$(LOCK) --upgrade -o layers/common/requirements.txt requirements/layer.in
	for list in dev engine sam runtime aws checkov; do $(LOCK) --upgrade -o requirements/$$list.txt requirements/$$list.in || exit; done

.PHONY: clean
clean: ## Delete everything that was made here: environments, builds, logs, videos
	rm -rf .venv .local .aws-sam demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Environments: each has a stamp, so that only a changed list installs anything ------------------------------------

# Bytecode is made at once: where PYTHONDONTWRITEBYTECODE is set, as in many images, every process would compile anew.

.venv/.installed: requirements/dev.txt local/bootstrap.sh
	@sh local/bootstrap.sh $(PYTHON)
	@$(UV) pip install --quiet --compile-bytecode --python $(VENV)/python -r requirements/dev.txt
	@touch $@

$(ENVS)/%/.installed: requirements/%.txt | .venv/.installed
	@echo "  installing $* into $(ENVS)/$*"
	@rm -rf $(ENVS)/$*
	@$(UV) venv --quiet --python $(VENV)/python $(ENVS)/$*
	@$(UV) pip install --quiet --compile-bytecode --python $(ENVS)/$*/bin/python -r requirements/$*.txt
	@touch $@
