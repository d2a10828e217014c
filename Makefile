# The ways in. Each target is a small script under tools/, which installs what it lacks or says what to install.

.DEFAULT_GOAL := help
.PHONY: help demo test install fmt lint deny bench criterion clean-data

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: ## build, show a real search, leave the server running; ARGS=--exit ends it
	@tools/demo.sh $(ARGS)

test: ## formatting, lints, licences, models and every test
	@tools/test.sh

install: ## the program among cargo's; ARGS="--root /usr/local" for elsewhere
	@bash -c 'source tools/env.sh && cargo install --locked --path . $(ARGS)'

fmt: ## format the code
	@cargo fmt

lint: ## clippy over everything, warnings are errors
	@bash -c 'source tools/env.sh && source tools/lint.sh && cargo build --release --locked --all-targets'

deny: ## licences, duplicates, sources and advisories of the dependencies
	@tools/deny.sh

bench: ## speed beside others, against the targets, in ten minutes; ARGS=--full for everything, --record to keep it
	@tools/bench.sh $(ARGS)

criterion: ## benchmarks of single rooms; ARGS="--bench scoring" for one
	@bash -c 'source tools/env.sh && cargo bench --locked $(ARGS)'

clean-data: ## remove the data folder of this checkout; asks first
	@CONFIRM=$(CONFIRM) tools/clean-data.sh
