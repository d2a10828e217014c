#!/usr/bin/env bash
# Licences, duplicates and sources of all dependencies (deny.toml); known weaknesses too where their database can be
# reached. Builds cargo-deny once when there is none, outside the checkout.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
version=0.20.2
shelf="${XDG_CACHE_HOME:-${HOME:-$PWD/target}/.cache}/bertillon/tools"

deny="$shelf/bin/cargo-deny"
if [ ! -x "$deny" ] && [ "$(cargo-deny --version 2>/dev/null)" = "cargo-deny $version" ]; then
    deny="$(command -v cargo-deny)"
elif [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    step "building cargo-deny $version into $shelf (once; about three minutes on two cores)"
    env -u CARGO_TARGET_DIR -u RUSTC_WORKSPACE_WRAPPER -u CLIPPY_ARGS \
        cargo install --locked "cargo-deny@$version" --root "$shelf" ||
        stop "cargo-deny could not be built: a network is needed this one time."
fi

step "licences, duplicates, sources"
"$deny" --locked check licenses bans sources

step "advisories"
said="$(timeout 120 "$deny" --locked check advisories 2>&1)" && { printf '%s\n' "$said"; exit 0; }
if ! grep -qE 'failed to (fetch|load) advisory database' <<<"$said"; then
    printf '%s\n' "$said"
    stop "a dependency has a known weakness, or the check failed: see above."
fi
# No network: an older copy of the database is better than none.
if compgen -G "${CARGO_HOME:-${HOME:-}/.cargo}/advisory-dbs/*/.git" >/dev/null; then
    "$deny" --locked --offline check advisories || stop "a dependency has a known weakness: see above."
    echo "(by the copy of the database that is here; a newer one could not be fetched)"
else
    echo "not checked: the database of advisories can not be reached from here"
fi
