#!/usr/bin/env bash
# The graphics card's part of the comparison, for a machine that has a card for a few minutes and perhaps neither Rust nor a
# network: 360 probes and one probe of ten million templates, beside torch, faiss-gpu and cuVS where they are installed.
#   tools/bench-gpu.sh pack FOLDER    on the machine where Bertillon is built: puts the program and its libraries there
#   tools/bench-gpu.sh [FOLDER]       on the machine with the card: measures, with FOLDER's program or one built here
# BENCH_ROWS: templates (10000000: 36 GB of disk, and the memory to hold them). BENCH_OUT: folder for record and log
# (benches/record). BENCH_LIMIT_S: ended after so many seconds (540). BENCH_PYTHON: a Python with numpy, and torch to compare with.
# BENCH_SOFTWARE=1 BENCH_ROWS=5000 tries the way on a machine without a card; its record is a trial.

set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s (after %ss)\n' "$*" "$SECONDS"; }
stop() { printf '\nstopped: %s\n' "$*" >&2; exit 1; }
built="${CARGO_TARGET_DIR:-target}/release/bertillon"

if [ "${1:-}" = pack ]; then
    folder="${2:?pack wants a folder}"
    mkdir -p "$folder"
    [ -x "$built" ] || stop "$built is not there: cargo build --release --locked --bin bertillon"
    install -m 755 "$built" "$folder/bertillon"
    strip "$folder/bertillon" 2>/dev/null || true
    # What finds the card's driver. The C library must be as new there as here.
    library="$(/sbin/ldconfig -p | sed -n 's/^\s*libvulkan\.so\.1 .* => //p' | head -n 1)"
    [ -z "$library" ] || install -m 644 "$library" "$folder/libvulkan.so.1"
    git rev-parse --short HEAD > "$folder/commit"
    du -sh "$folder"
    exit
fi

packed="${1:-}"
program="${BENCH_PROGRAM:-${packed:+$packed/bertillon}}"
if [ -z "$program" ]; then
    step "building"
    command -v cargo >/dev/null || stop "no Rust here: build elsewhere, 'tools/bench-gpu.sh pack FOLDER', and give FOLDER."
    cargo build --release --locked --bin bertillon
    program="$built"
fi
# A driver that was mounted and not installed is found by nobody but those who look.
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}${BENCH_SOFTWARE:-}" ] && ! compgen -G '/usr/share/vulkan/icd.d/nvidia*' >/dev/null &&
    ! compgen -G '/etc/vulkan/icd.d/nvidia*' >/dev/null; then
    mounted="$(find /usr /opt -name 'nvidia_icd*.json' 2>/dev/null | head -n 1)"
    [ -z "$mounted" ] || export VK_DRIVER_FILES="$mounted"
fi
python="${BENCH_PYTHON:-python3}"
"$python" -c 'import numpy' 2>/dev/null || stop "$python has no numpy: name one that has with BENCH_PYTHON (make bench makes one)."

work="${BERTILLON_BENCH:-${CARGO_TARGET_DIR:-target}/compare}"
out="${BENCH_OUT:-benches/record}"
mkdir -p "$work" "$out"
work="$(cd "$work" && pwd)"
out="$(cd "$out" && pwd)"
log="$work/bench-gpu.log"
[ -z "${BENCH_OUT:-}" ] || log="$out/bench-gpu.log"
if [ -n "$packed" ] && [ -e "$packed/libvulkan.so.1" ]; then
    # The loader that was brought along is our program's alone: what Python finds stays as it is.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$(cd "$packed" && pwd)" "$(realpath "$program")" > "$work/bertillon"
    chmod +x "$work/bertillon"
    program="$work/bertillon"
fi
rows="${BENCH_ROWS:-10000000}"
threads="$(nproc)"

step "the card, before anything large is made"
say() { sed -n "s/.*a GPU is ready/a GPU is ready/p" "$log" | tail -n 1; }
: > "$log"
BERTILLON_LOG=bertillon=info "$program" --back-end gpu --threads "$threads" bench latency --gallery-size 4000 --probes 360 --repeat 3 \
    --scratch "$work" 2>> "$log" | tee -a "$log"
say
if [ -z "${BENCH_SOFTWARE:-}" ]; then
    grep -q '^engine  *wgpu ' "$log" || stop "the card is not used; the lines above say why."
    ! grep -q '^engine .*(software)' "$log" || stop "that is a software driver."
fi

name="comparison-$(date -u +%Y-%m-%d-%H%M).json"
export BENCH_ARGS="--back-end gpu --only gpu-360,gpu-1 --rows $rows"
BENCH_COMMIT="$(cat "${packed:-.}/commit" 2>/dev/null || git rev-parse --short HEAD 2>/dev/null || true)"
export BENCH_COMMIT
export PYTHONDONTWRITEBYTECODE=1
step "comparing, $rows templates"
given=(--program "$program" --work "$work" --back-end gpu --threads "$threads" --rows "$rows" --only gpu-360,gpu-1)
[ -z "${BENCH_SOFTWARE:-}" ] || given+=(--trial --gpu)
timeout -s INT "${BENCH_LIMIT_S:-540}" "$python" benches/compare/compare.py "${given[@]}" --out "$out/$name" 2>&1 | tee -a "$log"
step "written to $out/$name; 'python3 benches/compare/page.py' puts it on the page"
