//! The card of unit tests: a software driver where there is one; one that can't be opened is a failure.

use crate::gpu::card::Card;
use crate::gpu::options::MatrixChoice;
use crate::gpu::{AdapterChoice, GpuError, GpuOptions, adapter};

/// Tests without a GPU driver are skipped, saying so, unless this is `1`.
const REQUIRE: &str = "BERTILLON_REQUIRE_GPU_TESTS";

/// Opens a software adapter. `None` when there is none and the tests may be skipped.
pub(super) fn open() -> Option<Card> {
    open_with(&GpuOptions { adapter: AdapterChoice::Software, ..GpuOptions::default() })
}

/// The same with what K3 needs when its products are written out; the software driver has it.
pub(super) fn open_with_written_out_matrices() -> Option<Card> {
    let matrices = MatrixChoice::WrittenOut;
    let card = open_with(&GpuOptions { adapter: AdapterChoice::Software, matrices, ..GpuOptions::default() })?;
    assert!(card.matrices.is_ok(), "{:?}", card.matrices);
    Some(card)
}

/// Opens the adapter of `options`.
pub(super) fn open_with(options: &GpuOptions) -> Option<Card> {
    match adapter::choose(&options.adapter).and_then(|adapter| Card::open(&adapter, options)) {
        Ok(card) => Some(card),
        Err(error @ GpuError::NoAdapter { .. }) => {
            assert!(std::env::var(REQUIRE).as_deref() != Ok("1"), "{REQUIRE}=1, but {error}");
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error @ (GpuError::Device { .. } | GpuError::TooSmall { .. } | GpuError::SelfTest { .. })) => {
            panic!("{error}")
        }
    }
}
