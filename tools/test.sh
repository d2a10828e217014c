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
# Where npm is, a test that can't sign in at a real provider has a fault.
lacking=''
if command -v npm >/dev/null 2>&1; then
    export BERTILLON_REQUIRE_OIDC_TESTS=1
else
    lacking='NOT TESTED: sign-in at a real provider (npm is not here). '
fi
# Where the second model set and the real faces are at hand, a test that can't find them has a fault.
if [ -d ../shared/models ] && [ -d ../shared/faces ]; then
    export BERTILLON_REQUIRE_MODEL_TESTS=1
else
    lacking+='NOT TESTED: whole paths on the London faces and with the second model set (../shared/faces, ../shared/models).'
fi
step "examples in the documentation"
cargo test --release --locked --doc

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked
else
    cargo test --release --locked
fi
step "what touches records again, on PostgreSQL"
postgres="$(tools/postgres.sh start)"
trap 'tools/postgres.sh stop "$postgres"' EXIT
on_postgres=(--lib --test storage --test http --test cli --test jobs --test kill --test story)
(
    export BERTILLON_RECORDS_URL="postgres:///bertillon?host=$postgres&user=tests"
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --release --locked "${on_postgres[@]}" -E 'not binary(bertillon) or test(/records|casework|gallery/)'
    else
        cargo test --release --locked "${on_postgres[@]}"
    fi
)
tools/postgres.sh stop "$postgres"
trap - EXIT
# By itself: it takes every core for half a minute.
step "rates of 50,000 people and 2,000 searches against counting by hand"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --locked --test brute_force --run-ignored only
else
    cargo test --release --locked --test brute_force -- --ignored
fi
[ -z "$lacking" ] || printf '\n%s\n' "$lacking"
