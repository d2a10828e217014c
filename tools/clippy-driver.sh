#!/usr/bin/env bash
# Prints where clippy's compiler is: rustup knows, or it stands beside rustc. Fails when there is none.

set -euo pipefail
if driver="$(rustup which clippy-driver 2>/dev/null)"; then
    printf '%s\n' "$driver"
else
    driver="$(rustc --print sysroot)/bin/clippy-driver"
    [ -x "$driver" ] && printf '%s\n' "$driver" || command -v clippy-driver
fi
