# What every script here agrees on; to be sourced. Sets CARGO_TARGET_DIR, BERTILLON_MODELS, BERTILLON_COMMIT and `program`, and
# defines `step` and `stop`. Caches outside the checkout are used where they are found and made in CI; nothing depends on them.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s (after %ss)\n' "$*" "$SECONDS"; }
stop() { printf '\nstopped: %s\n' "$*" >&2; exit 1; }

# Prints the folder of that name in the cache, or fails where there is none.
cache_folder() {
    local base="${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}"
    [ -n "$base" ] || return 1
    local folder="$base/bertillon/$1"
    [ -d "$folder" ] || { [ "${CI:-}" = true ] && mkdir -p "$folder" 2>/dev/null; } || return 1
    [ -w "$folder" ] || return 1
    printf '%s\n' "$folder"
}

if [ -z "${CARGO_TARGET_DIR:-}" ] && folder="$(cache_folder target)"; then
    export CARGO_TARGET_DIR="$folder"
fi
if [ -z "${BERTILLON_MODELS:-}" ] && folder="$(cache_folder models)"; then
    export BERTILLON_MODELS="$folder"
fi

# What the program is built from, for the identity card of evaluations: src/main.rs alone reads it, so that another commit builds
# nothing else anew. Empty where this is no checkout, as in an unpacked archive (perhaps within another checkout).
if [ -z "${BERTILLON_COMMIT+set}" ]; then
    BERTILLON_COMMIT=''
    if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
        BERTILLON_COMMIT="$(git rev-parse HEAD 2>/dev/null || true)"
        if [ -n "$BERTILLON_COMMIT" ] && ! git diff --quiet HEAD -- 2>/dev/null; then
            BERTILLON_COMMIT+=-dirty
        fi
    fi
    export BERTILLON_COMMIT
fi
program="${CARGO_TARGET_DIR:-target}/release/bertillon"
