//! Dot products of 8-bit codes on the CPU: blocks of sixteen rows against a few probes at a time, exact integers, and the
//! look whether any of them matters.
//!
//! Every kernel gives the same integers, so it is a matter of speed only which one runs. [`best`] looks at the machine
//! and takes the fastest; [`by_name`] forces one. Another instruction set is another file that implements [`Kernel`] with
//! one of the orders of [`Packing`], and a line in [`all`].
//!
//! | kernel | instruction | codes of one instruction | probes at once |
//! |---|---|---|---|
//! | `amx` | `tdpbssd` on tiles of 16 rows x 64 bytes | 16384 | 64 |
//! | `avx512vnni` | `vpdpbusd`, 512 bits, the probe broadcast from memory | 64 | 24 |
//! | `avxvnni` | `vpdpbusd`, 256 bits | 32 | 6 |
//! | `avx512bw` | shifts to 16 bits, `vpmaddwd`, `vpaddd`, 512 bits | 32 | 8 |
//! | `avx2` | the same in 256 bits | 16 | 4 |
//! | `neon` | `sdot` where there is one, else `smull` and `sadalp` | 16 | 4 |
//! | `scalar` | what the compiler makes of loops | | 4 |

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod amx;
#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512bw;
#[cfg(target_arch = "x86_64")]
pub mod avx512vnni;
#[cfg(target_arch = "x86_64")]
pub mod avxvnni;
#[cfg(target_arch = "x86_64")]
mod fetch;
#[cfg(target_arch = "x86_64")]
mod gate;
#[cfg(target_arch = "aarch64")]
pub mod neon;
pub mod rowdot;
#[cfg(target_arch = "x86_64")]
mod rowdot_x86;
pub mod scalar;
mod tile;

use std::sync::{Arc, OnceLock};

use crate::vector::layout::{BLOCK_ROWS, GROUP};

pub use tile::{Packing, Tile};

/// Most probes of one [`Tile`]: what the tile registers of AMX hold.
pub const TILE_PROBES_MAX: usize = 64;

/// Codes of four components of a block's rows: what one 64-byte line of a gallery holds.
pub const LINE: usize = BLOCK_ROWS * GROUP;

/// Dot products of one block: sixteen, a row each, for each probe of the tile. What stands past the tile's probes means
/// nothing.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub struct Dots(pub [[i32; BLOCK_ROWS]; TILE_PROBES_MAX]);

impl Dots {
    fn zero() -> Self {
        Self([[0; BLOCK_ROWS]; TILE_PROBES_MAX])
    }
}

/// What a coarse score (dot product times the row's scale) must reach to matter, for each probe of a tile.
pub type Levels = [f32; TILE_PROBES_MAX];

/// Consecutive blocks of a gallery: their codes in the order of [`crate::vector::layout`], and the scales of their rows.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    /// 16 codes for each component of each block.
    pub codes: &'a [i8],
    /// One line of scales for each block.
    pub scales: &'a [[f32; BLOCK_ROWS]],
    /// Codes that will be wanted next: a kernel may fetch them into the cache on the way, spread over its blocks.
    pub ahead: &'a [i8],
}

impl<'a> Blocks<'a> {
    /// Codes and scales of each block of `groups` groups of four components, and its share of what is ahead. Where codes
    /// or scales are short, so is this.
    fn each(self, groups: usize) -> impl Iterator<Item = (Block<'a>, &'a [f32; BLOCK_ROWS])> {
        let share = self.ahead.len().div_ceil(self.scales.len().max(1)).max(1);
        let ahead = self.ahead.chunks(share).map(Some).chain(std::iter::repeat(None));
        let blocks = self.codes.chunks_exact((groups * LINE).max(1)).zip(self.scales).zip(ahead);
        blocks.map(|((codes, scales), ahead)| (Block { codes, ahead: ahead.unwrap_or_default() }, scales))
    }
}

/// One block's codes, and what to fetch meanwhile.
#[derive(Clone, Copy)]
struct Block<'a> {
    codes: &'a [i8],
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    ahead: &'a [i8],
}

impl<'a> Block<'a> {
    fn lines(self) -> &'a [[i8; LINE]] {
        self.codes.as_chunks::<LINE>().0
    }
}

/// A block with a row that reaches the level of some probe.
#[derive(Debug)]
pub struct Hit<'a> {
    /// Its number among the blocks scanned.
    pub block: usize,
    /// One bit a probe of the tile, the first one lowest: set when any of the block's rows reaches its level.
    pub probes: u64,
    /// For each probe one bit a row, the first one lowest: set when it reaches the probe's level.
    pub rows: &'a Reached,
    /// The dot products of all probes of the tile.
    pub dots: &'a Dots,
}

/// For each probe of a tile one bit a row of a block. What stands past the tile's probes means nothing.
pub type Reached = [u16; TILE_PROBES_MAX];

/// Room for what is found in one block.
struct Found {
    dots: Dots,
    rows: Reached,
}

impl Found {
    fn new() -> Self {
        Self { dots: Dots::zero(), rows: [0; TILE_PROBES_MAX] }
    }

    fn hit(&self, block: usize, probes: u64) -> Hit<'_> {
        Hit { block, probes, rows: &self.rows, dots: &self.dots }
    }
}

/// What is done about a hit. It may raise levels, never lower them.
pub type OnHit<'a> = dyn FnMut(&Hit<'_>, &mut Levels) + 'a;

/// One way of computing dot products.
pub trait Kernel: Send + Sync {
    /// What people call it, such as `avx2`: for settings, status and benchmarks.
    fn name(&self) -> &'static str;

    /// Probes of a tile with which it is fastest, from 1 to [`TILE_PROBES_MAX`].
    fn tile_probes(&self) -> usize;

    /// In which order it reads a tile of so many probes.
    fn packing(&self, probes: usize) -> Packing;

    /// Multiplies each row of `blocks` with each probe of `tile`, which is packed in this kernel's order, and tells
    /// `on_hit` of every block that has a row with `dot as f32 * scale >= level`, in order. A level of minus infinity is
    /// reached by every row, one of plus infinity by none. Tiles in another order give wrong numbers, no more.
    fn scan(&self, blocks: Blocks<'_>, tile: &Tile, levels: &mut Levels, on_hit: &mut OnHit<'_>);
}

impl std::fmt::Debug for dyn Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({})", self.name())
    }
}

/// The loop of every kernel: `multiply` a block into the room for dot products, find what `reached` its level, tell.
fn scan_with(
    blocks: Blocks<'_>,
    tile: &Tile,
    levels: &mut Levels,
    on_hit: &mut OnHit<'_>,
    mut multiply: impl FnMut(Block<'_>, &mut Dots),
    reached: impl Fn(&mut Found, usize, &[f32; BLOCK_ROWS], &Levels) -> u64,
) {
    let mut found = Found::new();
    for (number, (block, scales)) in blocks.each(tile.groups()).enumerate() {
        multiply(block, &mut found.dots);
        let probes = reached(&mut found, tile.probes(), scales, levels);
        if probes != 0 {
            on_hit(&found.hit(number, probes), levels);
        }
    }
}

/// Calls `$strip::<N>` for the number of probes at hand: each is a loop of its own, whose sums the compiler can keep in
/// registers. `$other` is for numbers that are not listed.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! for_probes {
    ($probes:expr, [$($count:literal)*], $strip:ident $arguments:tt, $other:expr) => {
        match $probes {
            // SAFETY: the kernel exists only where its instructions were detected, which is all that a strip asks.
            $($count => unsafe { $strip::<$count> $arguments },)*
            _ => $other,
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use for_probes;

/// A kernel of x86-64 that works in strips: the type, which exists only where `$feature`s do, and its scan by the `strip` of
/// the file at hand, for each number of probes that is listed, the last of which is the widest tile.
#[cfg(target_arch = "x86_64")]
macro_rules! strip_kernel {
    ($kernel:ident $name:literal [$($feature:tt)*] $packing:ident [$($count:literal)*] $widest:literal $reached:ident) => {
        /// Exists only where its instructions do.
        #[derive(Debug, Clone, Copy)]
        pub struct $kernel {
            _detected: (),
        }

        impl $kernel {
            /// `None` when this machine lacks the instructions.
            #[must_use]
            pub fn new() -> Option<Self> {
                let here = [$(is_x86_feature_detected!($feature)),*].into_iter().all(|here| here);
                here.then_some(Self { _detected: () })
            }
        }

        impl $crate::kernel::Kernel for $kernel {
            fn name(&self) -> &'static str {
                $name
            }

            fn tile_probes(&self) -> usize {
                $widest
            }

            fn packing(&self, _probes: usize) -> $crate::kernel::Packing {
                $crate::kernel::Packing::$packing
            }

            fn scan(
                &self,
                blocks: $crate::kernel::Blocks<'_>,
                tile: &Tile,
                levels: &mut $crate::kernel::Levels,
                on_hit: &mut $crate::kernel::OnHit<'_>,
            ) {
                let wider = || debug_assert!(false, "a tile wider than this kernel's");
                let multiply = |block: Block<'_>, out: &mut Dots| {
                    $crate::kernel::for_probes!(tile.probes(), [$($count)*], strip(block, tile, out), wider());
                };
                $crate::kernel::scan_with(blocks, tile, levels, on_hit, multiply, |found, probes, scales, levels| {
                    // SAFETY: `self` exists only where the instructions were detected, which are more than this asks.
                    unsafe { $crate::kernel::gate::$reached(found, probes, scales, levels) }
                });
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
use strip_kernel;

/// Why a kernel can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No kernel of that name, or this machine lacks its instructions.
    #[error("this machine has no kernel {wanted:?}: it has {}", .here.join(", "))]
    NotHere {
        /// The name asked for.
        wanted: String,
        /// The names that would do.
        here: Vec<&'static str>,
    },
}

/// The kernels that this machine can run, fastest first; never empty. The machine is asked once.
#[must_use]
pub fn all() -> Vec<Arc<dyn Kernel>> {
    static HERE: OnceLock<Vec<Arc<dyn Kernel>>> = OnceLock::new();
    HERE.get_or_init(detect).clone()
}

#[cfg(target_arch = "x86_64")]
fn vector_kernels() -> Vec<Arc<dyn Kernel>> {
    fn boxed<K: Kernel + 'static>(kernel: Option<K>) -> Option<Arc<dyn Kernel>> {
        kernel.map(|kernel| Arc::new(kernel) as Arc<dyn Kernel>)
    }
    #[cfg(target_os = "linux")]
    let amx = boxed(amx::Amx::new());
    #[cfg(not(target_os = "linux"))]
    let amx = None;
    let others = [
        boxed(avx512vnni::Avx512Vnni::new()),
        boxed(avxvnni::AvxVnni::new()),
        boxed(avx512bw::Avx512Bw::new()),
        boxed(avx2::Avx2::new()),
    ];
    std::iter::once(amx).chain(others).flatten().collect()
}

#[cfg(target_arch = "aarch64")]
fn vector_kernels() -> Vec<Arc<dyn Kernel>> {
    neon::Neon::new().map(|kernel| Arc::new(kernel) as Arc<dyn Kernel>).into_iter().collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn vector_kernels() -> Vec<Arc<dyn Kernel>> {
    Vec::new()
}

fn detect() -> Vec<Arc<dyn Kernel>> {
    let mut kernels = vector_kernels();
    kernels.push(Arc::new(scalar::Scalar));
    kernels
}

/// The fastest kernel that this machine can run.
#[must_use]
pub fn best() -> Arc<dyn Kernel> {
    all().into_iter().next().unwrap_or_else(|| Arc::new(scalar::Scalar))
}

/// The kernel of that name.
///
/// # Errors
/// [`KernelError::NotHere`] with the names that there are.
pub fn by_name(wanted: &str) -> Result<Arc<dyn Kernel>, KernelError> {
    let kernels = all();
    let here = kernels.iter().map(|kernel| kernel.name()).collect();
    kernels
        .into_iter()
        .find(|kernel| kernel.name() == wanted)
        .ok_or_else(|| KernelError::NotHere { wanted: wanted.to_owned(), here })
}

#[cfg(test)]
mod tests;
