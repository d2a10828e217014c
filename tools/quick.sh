#!/usr/bin/env bash
# cargo for the edit loop: our own crate with little optimisation and incrementally, seconds instead of minutes; the
# dependencies are those of the ordinary build. Not for figures, and not the last word: `make test` is.
#   tools/quick.sh build --lib
#   tools/quick.sh nextest run -E 'test(certificate)'

set -euo pipefail
cd "$(dirname "$0")/.."
source tools/env.sh
export CARGO_INCREMENTAL=1
command=$1
shift
[[ $command == nextest ]] && { command+=" $1"; shift; }
# shellcheck disable=SC2086 # two words where it is nextest; its options come after it, or they are lost
exec cargo $command --release --config profile.release.package.bertillon.opt-level=1 \
    --config profile.release.package.bertillon.codegen-units=64 "$@"
