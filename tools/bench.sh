#!/usr/bin/env bash
# The comparison with others: `make bench ARGS="--full --record"`. Makes its own virtual environment and builds the Rust rivals,
# the first time; prints the table of targets. Galleries stay in the work folder for the next run.
#   --full        everything, ten million templates too: needs hours and 40 GB of disk
#   --record      write benches/record/comparison-DATE.json and docs/PERFORMANCE.md
#   --trial       the same, marked as a trial
#   --rows N, --graph-rows N, --only a,b, --threads N, --back-end NAME, --seed N: see benches/compare/README.md
# BERTILLON_BENCH names the work folder, $CARGO_TARGET_DIR/compare otherwise.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
tools/need.sh demo

work="${BERTILLON_BENCH:-${CARGO_TARGET_DIR:-target}/compare}"
mkdir -p "$work"
work="$(cd "$work" && pwd)"
here=benches/compare
export BENCH_ARGS="$*"
BENCH_COMMIT="$(git rev-parse --short HEAD 2>/dev/null || true)"
[ -z "$(git status --porcelain 2>/dev/null)" ] || BENCH_COMMIT="$BENCH_COMMIT and changes"
export BENCH_COMMIT

step "building"
if [ -n "${BENCH_PROGRAM:-}" ]; then
    program="$BENCH_PROGRAM"
else
    cargo build --release --locked --bin bertillon
fi
# A rival that can't be built is "not measured", and no reason to stop.
rust_rivals=()
if CARGO_TARGET_DIR="$work/rust" cargo build --release --locked --manifest-path crates/bench-compare/Cargo.toml; then
    rust_rivals=(--rust-rivals "$work/rust/release/bench-compare")
fi

python="$work/venv/bin/python"
wanted="$(cat "$here/requirements.txt")"
if [ "$(cat "$work/venv/made-of" 2>/dev/null || true)" != "$wanted" ]; then
    step "a virtual environment with the Python rivals (the first time only: some minutes, about 400 MB)"
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    printf '%s\n' "$wanted" > "$work/venv/made-of"
fi
if command -v nvidia-smi >/dev/null 2>&1 && [ ! -e "$work/venv/made-for-gpu" ]; then
    step "rivals on the graphics card; what does not install is not measured"
    grep -v '^#' "$here/requirements-gpu.txt" | while read -r rival; do
        "$python" -m pip install --quiet --disable-pip-version-check "$rival" || echo "not installed: $rival"
    done
    touch "$work/venv/made-for-gpu"
fi

given=()
keep=''
for word in "$@"; do
    case "$word" in
        --record) keep=yes ;;
        --trial) keep=yes; given+=(--trial) ;;
        *) given+=("$word") ;;
    esac
done
if [ -n "$keep" ]; then
    given+=(--out "benches/record/comparison-$(date -u +%Y-%m-%d-%H%M).json")
fi

step "comparing; results in $work"
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/compare.py" --program "$program" --work "$work" "${rust_rivals[@]}" "${given[@]}"
[ -z "$keep" ] || python3 "$here/page.py"
