#!/usr/bin/env bash
# need.sh demo|test: installs the system packages that are missing when it may, or names the command and stops; checks
# that Rust, Python and Node are there. Says nothing when nothing is missing.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
purpose="${1:?need.sh demo or need.sh test}"

have() { command -v "$1" >/dev/null 2>&1; }

# --- Rust, Python, Node: these are yours to choose how to install.
have cargo || stop "Rust is missing: install it with rustup (https://rustup.rs), then run this again."
wanted="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
found="$(rustc --version | cut -d' ' -f2)"
oldest="$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)"
[ "$oldest" = "$wanted" ] || stop "Rust $found is too old, $wanted is wanted: run 'rustup update stable'."
have python3 || stop "Python 3 is missing (it fetches and converts the models): 'apt-get install python3 python3-venv'."
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "Python 3.11 or newer is wanted, this is $(python3 -V)."
have npm || echo "note: npm is not here, so some of the demo's pictures will be missing ('apt-get install npm' brings it)"

# --- System packages: what each is for, and how to see whether it is there.
packages=()
have cc || packages+=(build-essential)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
if [ "$purpose" = test ]; then
    have git || packages+=(git)
    # The tests run the GPU's shaders on a software driver, whatever card there is.
    /sbin/ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' || packages+=(libvulkan1)
    compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || packages+=(mesa-vulkan-drivers)
    # What touches records is tested on it too (tools/postgres.sh).
    have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
fi

if [ "${#packages[@]}" -gt 0 ]; then
    if ! have apt-get; then
        stop "missing here, by Debian's names: ${packages[*]}. Install what your system calls them."
    elif [ "$(id -u)" -ne 0 ]; then
        stop "missing: ${packages[*]}. Run 'sudo apt-get update && sudo apt-get install -y ${packages[*]}', then this again."
    fi
    step "installing ${packages[*]}"
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
fi

# --- Parts of Rust that the tests use.
if [ "$purpose" = test ]; then
    missing=()
    cargo fmt --version >/dev/null 2>&1 || missing+=(rustfmt)
    tools/clippy-driver.sh >/dev/null 2>&1 || missing+=(clippy)
    if [ "${#missing[@]}" -gt 0 ]; then
        have rustup || stop "missing parts of Rust: ${missing[*]}. Install them for the toolchain in use."
        step "installing ${missing[*]}"
        rustup component add "${missing[@]}"
    fi
fi
