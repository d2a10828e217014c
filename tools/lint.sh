# To be sourced: makes cargo compile this package, and no other, through clippy with every warning an error. One build
# gives lints and test programs both, and dependencies stay as they are. The arguments are clippy's own variable.

RUSTC_WORKSPACE_WRAPPER="$(tools/clippy-driver.sh)"
CLIPPY_ARGS='-Dwarnings__CLIPPY_HACKERY__'
export RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS
