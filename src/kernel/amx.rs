//! The kernel for x86-64 processors with AMX (Intel servers since 2023), on Linux: sixteen probes against sixteen rows in
//! one instruction.
//!
//! Its operands are what we have anyway: sixteen lines of a block, four components of sixteen rows each, are the second
//! factor as the instruction wants it, and sixteen probes of 64 components the first. Both are signed, so nothing needs
//! correction. The instructions have no functions in stable Rust yet, hence assembly.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use crate::kernel::tile::Square;
use crate::kernel::{Blocks, Dots, Hit, Kernel, LINE, Levels, OnHit, Packing, TILE_PROBES_MAX, Tile, gate};

/// Groups of four components that one register of rows holds.
const LINES: usize = Square::CODES / 4;

/// Exists only where AMX for bytes and AVX-512 do, and the system lets this process use them.
#[derive(Debug, Clone, Copy)]
pub struct Amx {
    _detected: (),
}

impl Amx {
    /// `None` when this machine lacks AMX, or its system doesn't know it.
    #[must_use]
    pub fn new() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f") && has_tiles_for_bytes() && allowed();
        here.then_some(Self { _detected: () })
    }
}

/// Whether the processor has AMX-TILE and AMX-INT8, with registers of sixteen rows of 64 bytes (CPUID leaves 7 and 1DH of
/// Intel's manual, volume 2A).
fn has_tiles_for_bytes() -> bool {
    const TILE_AND_INT8: u32 = 0b11 << 24;
    let leaves = __cpuid_count(0, 0).eax;
    if leaves < 0x1d || __cpuid_count(7, 0).edx & TILE_AND_INT8 != TILE_AND_INT8 {
        return false;
    }
    let palette = __cpuid_count(0x1d, 1);
    (palette.eax >> 16, palette.ebx & 0xffff, palette.ebx >> 16, palette.ecx & 0xffff) == (1024, 64, 8, 16)
}

/// Asks Linux for the tile registers, which it saves only for processes that asked (since 5.16; see
/// Documentation/arch/x86/xstate.rst). For the whole process, and for good.
fn allowed() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XFEATURE_XTILEDATA: i64 = 18;
    let status: i64;
    // SAFETY: a system call with two numbers, which reads and writes no memory of ours. Where it isn't known it returns an
    // error. `rcx` and `r11` are what system calls overwrite.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => status,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    status == 0
}

impl Kernel for Amx {
    fn name(&self) -> &'static str {
        "amx"
    }

    fn tile_probes(&self) -> usize {
        TILE_PROBES_MAX
    }

    fn packing(&self) -> Packing {
        Packing::Squares
    }

    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>) {
        let configured = Configured::for_rest(tile.groups() % LINES);
        let mut dots = Dots::zero();
        for (block, (codes, scales)) in blocks.each(tile.groups()).enumerate() {
            configured.multiply(codes, tile.squares(), &mut dots);
            // SAFETY: `self` exists only where AVX-512F was detected, which is all that this asks.
            let probes = unsafe { gate::stored_512(&dots, tile.probes(), scales, levels) };
            if probes != 0 {
                on_hit(&Hit { block, probes, dots: &dots }, levels);
            }
        }
    }
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// The tile registers of this thread while they have our shapes: 0 to 3 sums, 4 and 5 rows and probes, 6 and 7 rows and
/// probes of the last components where these are fewer than 64. Dropping it gives them back, so that nobody saves them.
struct Configured {
    rest: usize,
    // The registers are the thread's.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Configured {
    /// `rest`: groups of four components past the last multiple of 64 components, below [`LINES`].
    fn for_rest(rest: usize) -> Self {
        let rest = rest % LINES;
        let mut shapes = Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        shapes.row_bytes[..6].fill(64);
        shapes.rows[..6].fill(16);
        if rest > 0 {
            (shapes.rows[6], shapes.row_bytes[6]) = (rest as u8, 64);
            (shapes.rows[7], shapes.row_bytes[7]) = (16, 4 * rest as u16);
        }
        // SAFETY: an `Amx` exists only where these registers do and may be used. The shapes are 64 readable bytes, within
        // the palette's limits, and live until the instruction is done. No compiled code uses tile registers.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly, preserves_flags)) };
        Self { rest, _not_send: std::marker::PhantomData }
    }

    /// Multiplies one block with up to four squares for each 64 components.
    fn multiply(&self, block: &[i8], squares: &[Square], out: &mut Dots) {
        let (lines, rest) = block.as_chunks::<LINE>();
        let chunks = lines.len().div_ceil(LINES).max(1);
        let across = squares.len() / chunks;
        // What the assembly reads and writes is within the slices because of this.
        let fits = rest.is_empty() && squares.len() == chunks * across && lines.len() % LINES == self.rest;
        if !fits {
            debug_assert!(false, "a tile of another dimension");
            return;
        }
        let (full, rest) = (lines.len() / LINES, self.rest);
        // SAFETY: AMX is there and configured, since `self` exists. `full` times sixteen lines of the block and `across`
        // squares are read, then, if `rest` is not 0, `rest` lines and `across` squares more: as many as there are, by the
        // test above. 1024 bytes of sums are written for each of the `across` squares, and `Dots` has room for four.
        unsafe {
            match across {
                1 => multiply_1(full, rest, lines, squares, out),
                2 => multiply_2(full, rest, lines, squares, out),
                3 => multiply_3(full, rest, lines, squares, out),
                4 => multiply_4(full, rest, lines, squares, out),
                _ => debug_assert!(false, "a tile wider than this kernel's"),
            }
        }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: the registers are there, and nobody needs what is in them.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// A function for each number of squares side by side.
macro_rules! multiply {
    ($name:ident, $step:literal, [$(($sum:literal, $at:literal)),*]) => {
        /// # Safety
        /// AMX is configured. There are 16 lines and one square a sum for each of `full`, and `rest` lines and one square a
        /// sum beyond, if `rest` isn't 0.
        unsafe fn $name(full: usize, rest: usize, lines: &[[i8; LINE]], squares: &[Square], out: &mut Dots) {
            // SAFETY: the caller sees to what is read, `Dots` has room for what is written, and every register changed is
            // named.
            unsafe {
                asm!(
                    $(concat!("tilezero tmm", $sum),)*
                    "test {full}, {full}",
                    "jz 3f",
                    "2:",
                    "tileloadd tmm4, [{lines} + {stride}]",
                    $(
                        concat!("tileloadd tmm5, [{squares} + {stride} + ", $at, "]"),
                        concat!("tdpbssd tmm", $sum, ", tmm5, tmm4"),
                    )*
                    "add {lines}, 1024",
                    concat!("add {squares}, ", $step),
                    "dec {full}",
                    "jnz 2b",
                    "3:",
                    "test {rest}, {rest}",
                    "jz 4f",
                    "tileloadd tmm6, [{lines} + {stride}]",
                    $(
                        concat!("tileloadd tmm7, [{squares} + {stride} + ", $at, "]"),
                        concat!("tdpbssd tmm", $sum, ", tmm7, tmm6"),
                    )*
                    "4:",
                    $(concat!("tilestored [{out} + {stride} + ", $at, "], tmm", $sum),)*
                    lines = inout(reg) lines.as_ptr() => _,
                    squares = inout(reg) squares.as_ptr() => _,
                    full = inout(reg) full => _,
                    rest = in(reg) rest,
                    stride = in(reg) 64_usize,
                    out = in(reg) out.0.as_mut_ptr(),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

multiply!(multiply_1, 1024, [(0, 0)]);
multiply!(multiply_2, 2048, [(0, 0), (1, 1024)]);
multiply!(multiply_3, 3072, [(0, 0), (1, 1024), (2, 2048)]);
multiply!(multiply_4, 4096, [(0, 0), (1, 1024), (2, 2048), (3, 3072)]);
