#!/usr/bin/env bash
# Compiles src/kernel for 64-bit ARM and runs its tests under an emulator, with the dot product instructions and without.
# Not part of `make test`: it needs Debian, root (to let apt know the architecture) and about 600 MB in the folder named.
#   tools/neon.sh /tmp/neon

set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
work=${1:?a folder to work in}
mkdir -p "$work/packages" "$work/crate/src"
work=$(cd "$work" && pwd)

cd "$work/packages"
if [ ! -e done ]; then
    dpkg --add-architecture arm64
    apt-get update -qq
    library=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\).*/\1/p')
    llvm=$(apt-cache depends "$library" | sed -n 's/.*Depends: \(libllvm[0-9]*\).*/\1/p')
    # A Rust that has the standard library of both machines, a linker with its C library, the emulator.
    apt-get download rustc-web "$library" "$llvm" libstd-rust-web-dev libstd-rust-web-dev:arm64 qemu-user-static \
        gcc-12-aarch64-linux-gnu binutils-aarch64-linux-gnu libgcc-12-dev-arm64-cross libgcc-s1-arm64-cross \
        libc6-arm64-cross libc6-dev-arm64-cross
    for package in *.deb; do dpkg -x "$package" "$work/root"; done
    touch done
fi

root=$work/root
libraries=$root/usr/lib/x86_64-linux-gnu
cat > "$work/aarch64-gcc" <<END
#!/bin/sh
export LD_LIBRARY_PATH=$libraries PATH=$root/usr/bin:\$PATH
exec aarch64-linux-gnu-gcc-12 --sysroot=$root -B$root/usr/aarch64-linux-gnu/lib -L$root/usr/aarch64-linux-gnu/lib "\$@"
END
chmod +x "$work/aarch64-gcc"

# The kernels need nothing else of the crate but the layout.
cd "$work/crate"
cat > Cargo.toml <<END
[package]
name = "kernels"
version = "0.0.0"
edition = "2024"
[dependencies]
thiserror = "2"
[dev-dependencies]
proptest = { version = "1.12", default-features = false, features = ["std"] }
END
cat > src/lib.rs <<END
pub mod vector {
    #[path = "$here/src/vector/layout.rs"]
    pub mod layout;
}
#[path = "$here/src/kernel/mod.rs"]
pub mod kernel;
END
export RUSTC=$root/usr/bin/rustc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$work/aarch64-gcc
LD_LIBRARY_PATH=$libraries CARGO_TARGET_DIR=$work/target \
    cargo test --release --target aarch64-unknown-linux-gnu --no-run
test=$(find "$work/target/aarch64-unknown-linux-gnu/release/deps" -name 'kernels-*' -executable -type f -printf '%T@ %p\n' |
    sort -n | tail -1 | cut -d' ' -f2)
LD_LIBRARY_PATH=$libraries "$root/usr/bin/aarch64-linux-gnu-objdump" -d --no-show-raw-insn "$test" > "$work/kernels.s"
printf 'sdot: %s, sadalp: %s instructions (%s)\n' "$(grep -cw sdot "$work/kernels.s")" \
    "$(grep -cw sadalp "$work/kernels.s")" "$work/kernels.s"
for processor in cortex-a53 neoverse-n1 max; do
    printf '== %s\n' "$processor"
    "$root/usr/bin/qemu-aarch64-static" -cpu "$processor" -L "$root/usr/aarch64-linux-gnu" "$test"
done
