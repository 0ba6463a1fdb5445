# make, Python 3.11 to 3.13 and a package registry are all it takes: each target sets itself up, once, in .venv.
#   make run ARGS="--territory DIR"    passes options on       make test PYTHON=python3.13    chooses the interpreter
# Works with the GNU Make 3.81 that macOS ships.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run ui test setup lint bench bench-effect bench-secrecy lock

ARGS ?=
BIN := .venv/bin

# A stamp names what it stands for by a checksum, so that a changed lock, a changed pyproject.toml or a moved clone is
# installed again, and anything else costs a few milliseconds.
checksum = $(shell { pwd; cat $(1); } | cksum | tr -d ' \t')
LOCKED  := .venv/.locked-$(call checksum,requirements.lock requirements-dev.lock)
PACKAGE := .venv/.package-$(call checksum,pyproject.toml)
DEV     := .venv/.dev-$(call checksum,requirements-dev.lock)

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo '  Options pass through ARGS: make run ARGS="--territory DIR --extracts DIR"'

run: $(PACKAGE) ## take a territory's extracts to a verified release (the synthetic one by default)
	@$(BIN)/halle run $(ARGS)

ui: $(PACKAGE) ## open the Dagster user interface on this machine
	@$(BIN)/halle ui $(ARGS)

test: $(PACKAGE) $(DEV) ## run all tests; set HALLE_REAL_EXTRACTS and HALLE_SCHEMAS to have none skipped
	@$(BIN)/python -m pytest $(ARGS)

setup: $(PACKAGE) $(DEV) ## install all that tests and checks need (they do it themselves)
	@:

lint: $(PACKAGE) $(DEV) ## check style, types, import layers, dependencies, SQL, the dbt project and tracked files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/python -m orchestration.assembly --check
	$(BIN)/python -m tests.tracked_files

bench: $(PACKAGE) $(DEV) ## time a whole run against one hand-written DuckDB script
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-effect: $(PACKAGE) $(DEV) ## print error, coverage and power of the effect of works, on traffic of known truth
	@$(BIN)/python -m tests.benchmarks.effect $(ARGS)

bench-secrecy: $(PACKAGE) $(DEV) ## print cells left empty, cost, seconds and cells at risk, by size and method of protection
	@$(BIN)/python -m tests.benchmarks.secrecy $(ARGS)

lock: ## for maintainers: resolve the lock files anew (needs uv)
	@sh .ci/lock

$(LOCKED):
	@sh .ci/setup locked $@

$(PACKAGE): $(LOCKED)
	@sh .ci/setup package $@

$(DEV): $(LOCKED)
	@sh .ci/setup dev $@
