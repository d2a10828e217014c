#!/usr/bin/env bash
# Builds Bertillon and shows it: real pictures, a crowd, candidate lists, a server left running. Arguments go to
# `bertillon demo`: `--exit` ends it after the lists.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
tools/need.sh demo

step "building bertillon (the first time takes ten minutes or so on two cores)"
cargo build --release --locked --bin bertillon

step "demo"
exec "$program" demo "$@"
