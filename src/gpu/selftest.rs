//! A small known sweep that every device must compute to the bit before it is used.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::gpu::card::Card;
use crate::gpu::engine::{Engine, Way};
use crate::gpu::{GpuError, GpuOptions};
use crate::vector::coarse::{Cut, Sweep};
use crate::vector::codec::Code;
use crate::vector::dimension::Dimension;
use crate::vector::memory::MemoryRows;
use crate::vector::rows::Rows;

const DIMENSION: usize = 32;
/// Not a multiple of 16, 64 or 256, and several workgroups long.
const ROWS: usize = 601;
/// One tile of K2 and one probe more.
const PROBES: usize = 17;
const RANK: usize = 10;
const SLACK: f32 = 40.0;
/// Short lists, so that the best are found in several chunks, with a level that rises between them.
const SHORT: usize = 256;
/// Lists that overflow, so that the best are found by the repair.
const TOO_SHORT: usize = 64;

/// Sweeps a known gallery for all its rows, for those at or above the score of one of them, and for the best, and compares
/// with the host.
pub(super) fn check(card: &Card, engine: &mut Engine) -> Result<(), GpuError> {
    let wrong = |what: String| GpuError::SelfTest { adapter: card.name.clone(), what };
    let Ok(dimension) = Dimension::new(DIMENSION) else { return Err(wrong("no such dimension".to_owned())) };
    let run: Arc<dyn Rows> = Arc::new(known_rows(dimension));
    let probes: Vec<Code> = (0..PROBES).map(|probe| known_code(7 * probe + 3)).collect();
    // Numbers of probes that take K2, and K1 for one and for several.
    for probes in [&probes[..], &probes[..5], &probes[..1]] {
        let everything = Cut::AtLeast(-1e9);
        let one = probes.first().and_then(|probe| expected(run.as_ref(), probe, everything).1.get(ROWS / 2).copied());
        let level = Cut::AtLeast(one.map_or(0.0, |(_row, bits)| f32::from_bits(bits)));
        let best = Cut::Within { k: RANK, slack: SLACK };
        for (cut, survivors_max) in
            [(everything, ROWS), (level, ROWS), (best, ROWS), (best, SHORT), (everything, SHORT), (best, TOO_SHORT)]
        {
            let options = GpuOptions { survivors_max, ..GpuOptions::default() };
            let found = sweep(card, engine, &options, &run, (probes, cut))?;
            for (number, (probe, found)) in probes.iter().zip(found).enumerate() {
                let wanted = expected(run.as_ref(), probe, cut);
                if found != wanted {
                    let (got, want) = (found.1.len(), wanted.1.len());
                    return Err(wrong(format!("{cut:?}, probe {number}: {got} rows for {want}, or other scores")));
                }
            }
        }
    }
    Ok(())
}

/// Cut, and (row, score) with scores as bits, by row.
type Rowed = (u32, Vec<(u32, u32)>);

fn sweep(
    card: &Card,
    engine: &mut Engine,
    options: &GpuOptions,
    run: &Arc<dyn Rows>,
    (probes, cut): (&[Code], Cut),
) -> Result<Vec<Rowed>, GpuError> {
    let failed = |reason: String| GpuError::Device { adapter: card.name.clone(), reason };
    let layout = engine.pipelines.shard_layout.clone();
    let here = engine.copies.ensure(card, &layout, run.as_ref()).map_err(|error| failed(error.to_string()))?;
    if !here {
        return Err(failed(format!("no memory for {ROWS} rows")));
    }
    let cuts = vec![cut; probes.len()];
    let gallery = std::slice::from_ref(run);
    let sweeps = engine
        .sweep(card, options, gallery, &[(0, Way::Held)], (probes, &cuts))
        .map_err(|error| failed(error.to_string()))?;
    Ok(sweeps.into_iter().map(rowed).collect())
}

fn rowed(sweep: Sweep) -> Rowed {
    match sweep {
        Sweep::Overflowed => (f32::NAN.to_bits(), Vec::new()),
        Sweep::Complete { survivors, cut } => {
            let mut rows: Vec<(u32, u32)> = survivors.iter().map(|s| (s.row, s.coarse.to_bits())).collect();
            rows.sort_unstable();
            (cut.to_bits(), rows)
        }
    }
}

fn expected(run: &dyn Rows, probe: &Code, cut: Cut) -> Rowed {
    let mut scores: Vec<(u32, f32)> = Vec::new();
    let mut codes = [0; DIMENSION];
    for row in (0..run.len()).filter(|&row| run.is_live(row)) {
        crate::vector::layout::take_row(run.codes(), row, &mut codes);
        let dot: i32 = codes.iter().zip(&probe.codes).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        scores.push((row as u32, dot as f32 * run.scales().get(row).copied().unwrap_or(0.0)));
    }
    let level = match cut {
        Cut::AtLeast(level) => level,
        Cut::Within { k, slack } => {
            let mut sorted: Vec<f32> = scores.iter().map(|&(_, score)| score).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.get(k - 1).map_or(f32::NEG_INFINITY, |kth| kth - slack)
        }
    };
    let kept = scores.iter().filter(|&&(_, score)| score >= level);
    (level.to_bits(), kept.map(|&(row, score)| (row, score.to_bits())).collect())
}

fn known_rows(dimension: Dimension) -> MemoryRows {
    let mut rows = MemoryRows::new(dimension);
    for row in 0..ROWS {
        rows.push_coded(TemplateId(row as u64), &[0.0; DIMENSION], &known_code(row));
    }
    rows.mark_erased(vec![5, 64, 600]);
    rows.resident()
}

/// Codes from all of -127 to 127, the extremes among the first; every fifth repeats the one before, so that there are ties.
fn known_code(number: usize) -> Code {
    let seed = number - usize::from(number % 5 == 4);
    let codes = (0..DIMENSION).map(|component| match seed {
        0 => 127,
        1 => -127,
        _ => ((seed * 2_654_435_761 + component * 40_503 + seed * component * 97) >> 7).rem_euclid(255) as i32 as i16
            as i8,
    });
    let codes: Vec<i8> = codes.map(|code: i8| code.max(-127)).collect();
    Code { codes, scale: 0.001 + (seed % 101) as f32 * 1.7e-4, error_norm: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::test_card;

    #[test]
    fn a_device_that_computes_rightly_passes() {
        let Some(card) = test_card::open() else { return };
        let mut engine = Engine::new(&card).unwrap();
        check(&card, &mut engine).unwrap();
    }

    #[test]
    fn the_known_gallery_has_what_is_worth_testing() {
        let rows = known_rows(Dimension::new(DIMENSION).unwrap());
        let probe = known_code(3);
        let (_, all) = expected(&rows, &probe, Cut::AtLeast(-1e9));
        assert_eq!(all.len(), ROWS - 3);
        assert!(all.iter().any(|&(_, bits)| f32::from_bits(bits) < 0.0));
        let (_, best) = expected(&rows, &probe, Cut::Within { k: RANK, slack: SLACK });
        assert!(best.len() > RANK && best.len() < ROWS / 2, "{}", best.len());
        let ties = all.iter().zip(all.iter().skip(1)).filter(|(a, b)| a.1 == b.1).count();
        assert!(ties > 50, "{ties}");
    }
}
