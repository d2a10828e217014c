#!/usr/bin/env bash
# Everything that must hold: formatting, lints, licences, models, tests. `make test` and CI run this. Works without a
# network once everything has been fetched.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
tools/need.sh test

step "formatting"
cargo fmt --check || stop "not formatted: run 'make fmt'."

step "lints, and all test programs"
# shellcheck source=tools/lint.sh
source tools/lint.sh
cargo build --release --locked --all-targets

tools/deny.sh

step "models${BERTILLON_MODELS:+ in $BERTILLON_MODELS}"
"$program" models install

export BERTILLON_REQUIRE_GPU_TESTS=1
# Where the second model set and the real faces are at hand, a test that can't find them has a fault.
lacking=''
if [ -d ../shared/models ] && [ -d ../shared/faces ]; then
    export BERTILLON_REQUIRE_MODEL_TESTS=1
else
    lacking='NOT TESTED: whole paths on the London faces and with the second model set (../shared/faces, ../shared/models).'
fi
step "examples in the documentation"
cargo test --release --locked --doc

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked
else
    cargo test --release --locked
fi
# By itself: it takes every core for half a minute.
step "rates of 50,000 people and 2,000 searches against counting by hand"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked --test brute_force --run-ignored only
else
    cargo test --release --locked --test brute_force -- --ignored
fi
[ -z "$lacking" ] || printf '\n%s\n' "$lacking"
