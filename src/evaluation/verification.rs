//! One-to-one comparison by the protocol of Labeled Faces in the Wild: pairs in folds; for each fold the threshold that is best on
//! all others, and how often it is right on this one (Huang et al. 2007, "image-restricted" view 2).
//!
//! It says little about identification: thousands of pairs where a police gallery makes millions of comparisons a search.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::limits::{EVALUATION_PAIRS_MAX, SETTINGS_BYTES_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::trials::Threshold;
use crate::evaluation::arithmetic::intervals::{Coverage, Proportion, clopper_pearson};
use crate::evaluation::manifest::{Fault, ManifestError};

/// Bytes of a list of pairs.
const PAIRS_BYTES_MAX: u64 = 64 * SETTINGS_BYTES_MAX;
/// False match rates that are reported, where pairs allow.
const FALSE_MATCHES: [f64; 3] = [0.1, 0.01, 0.001];

/// Two pictures, and whether they are of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The pictures, from the folder on.
    pub pictures: [PathBuf; 2],
    /// Whether they show one person.
    pub mated: bool,
    /// The fold, from 0.
    pub fold: usize,
}

/// Reads `pairs.txt`: a first line with folds and pairs of each kind in a fold (one number: one fold), then lines of `name n m` for
/// one person and `name n other m` for two. Picture `n` of a name is `name/name_000n.jpg`.
///
/// # Errors
/// [`ManifestError`] with the first wrong line.
pub fn read_pairs(path: &Path) -> Result<Vec<Pair>, ManifestError> {
    let unreadable = |reason: String| ManifestError::Unreadable { path: path.to_owned(), reason };
    let wrong = |line: usize, what: &str| ManifestError::Lines {
        path: path.to_owned(),
        faults: vec![Fault { line: line as u64, what: what.to_owned() }],
        count: 1,
    };
    // What it says of its own size is not relied on: a device says nothing.
    let (file, mut text) = (fs_err::File::open(path).map_err(|error| unreadable(error.to_string()))?, String::new());
    file.take(PAIRS_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > PAIRS_BYTES_MAX {
        return Err(unreadable(format!("more than {PAIRS_BYTES_MAX} bytes")));
    }
    let mut lines =
        text.lines().enumerate().map(|(place, line)| (place + 1, line.split_whitespace().collect::<Vec<_>>()));
    let head = lines.next().map(|(_, words)| words).unwrap_or_default();
    let number = |word: &&str| word.parse::<usize>().ok().filter(|&number| number > 0);
    let (folds, of_each) = match head.iter().map(number).collect::<Option<Vec<_>>>().as_deref() {
        Some([of_each]) => (1, *of_each),
        Some([folds, of_each]) => (*folds, *of_each),
        _ => return Err(wrong(1, "the number of folds and of pairs in each is wanted")),
    };
    let in_fold = 2_usize.saturating_mul(of_each);
    if folds.saturating_mul(in_fold) > EVALUATION_PAIRS_MAX {
        return Err(wrong(1, "more pairs than can be evaluated"));
    }
    let mut pairs = Vec::new();
    for (line, words) in lines.filter(|(_, words)| !words.is_empty()) {
        let picture = |name: &str, number: &str| {
            let number: u32 = number.parse().ok()?;
            let plain = !name.contains('/') && name != ".." && name != ".";
            plain.then(|| Path::new(name).join(format!("{name}_{number:04}.jpg")))
        };
        let (pictures, mated) = match words.as_slice() {
            [name, one, other] => (picture(name, one).zip(picture(name, other)), true),
            [name, one, second, other] => (picture(name, one).zip(picture(second, other)), false),
            _ => return Err(wrong(line, "three words for one person or four for two are wanted")),
        };
        let (one, other) = pictures.ok_or_else(|| wrong(line, "a picture's number is wanted after its name"))?;
        pairs.push(Pair { pictures: [one, other], mated, fold: pairs.len() / in_fold });
    }
    if pairs.len() == folds * in_fold {
        Ok(pairs)
    } else {
        Err(wrong(1, &format!("{} pairs are announced, {} are there", folds * in_fold, pairs.len())))
    }
}

/// What pairs showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Pairs of one person.
    pub mated: u64,
    /// Pairs of two.
    pub non_mated: u64,
    /// Pairs of which a picture gave no template: they count as rejected.
    pub failed: u64,
    /// Share of right decisions in each fold, at the threshold that is best on all others.
    pub folds: Vec<f64>,
    /// Their mean.
    pub accuracy: f64,
    /// The standard error of that mean; `None` with one fold.
    pub standard_error: Option<f64>,
    /// False non-match rate at stated false match rates: (target, threshold, FMR, FNMR, its interval at 95 %).
    pub rates: Vec<VerificationRate>,
}

/// False non-matches at a false match rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VerificationRate {
    /// False match rate that was aimed at.
    pub target: f64,
    /// Lowest score that counts.
    pub threshold: f64,
    /// False match rate found.
    pub false_match: f64,
    /// False non-match rate found.
    pub false_non_match: f64,
    /// Clopper and Pearson's interval of it.
    pub interval: (f64, f64),
}

/// One pair's score; `None` where a picture gave no template.
pub type Scored = (usize, bool, Option<f32>);

/// Works the protocol out from (fold, mated, score).
///
/// # Errors
/// [`EvaluationError::Empty`] without pairs of either kind.
pub fn verify(scored: &[Scored]) -> Result<Verification, EvaluationError> {
    let count = |mated: bool| scored.iter().filter(|one| one.1 == mated).count() as u64;
    let (mated, non_mated) = (count(true), count(false));
    if mated == 0 || non_mated == 0 {
        return Err(EvaluationError::Empty("mated and non-mated pairs"));
    }
    let folds = scored.iter().map(|one| one.0).max().map_or(1, |last| last + 1);
    let mut shares = Vec::with_capacity(folds);
    for fold in 0..folds {
        let inside = || scored.iter().filter(|one| one.0 == fold);
        // With one fold there are no others: its own best, which flatters.
        let others: Vec<Scored> = scored.iter().filter(|one| folds == 1 || one.0 != fold).copied().collect();
        let threshold = best_threshold(&others);
        let right = inside().filter(|one| decide(one.2, threshold) == one.1).count();
        shares.push(right as f64 / inside().count().max(1) as f64);
    }
    let accuracy = shares.iter().sum::<f64>() / folds as f64;
    let squares: f64 = shares.iter().map(|share| (share - accuracy).powi(2)).sum();
    let standard_error = (folds > 1).then(|| (squares / (folds - 1) as f64 / folds as f64).sqrt());
    let failed = scored.iter().filter(|one| one.2.is_none()).count() as u64;
    Ok(Verification { mated, non_mated, failed, folds: shares, accuracy, standard_error, rates: rates(scored)? })
}

fn decide(score: Option<f32>, threshold: Threshold) -> bool {
    score.is_some_and(|score| score >= threshold.get())
}

/// The observed score at which most decisions are right; among equals the lowest.
fn best_threshold(scored: &[Scored]) -> Threshold {
    let mut known: Vec<(f32, bool)> = scored.iter().filter_map(|one| Some((one.2?, one.1))).collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut most, mut best) = (0_i64, i64::MIN, Threshold::NONE);
    for same in known.chunk_by(|a, b| a.0 == b.0) {
        for (_, mated) in same {
            right += if *mated { 1 } else { -1 };
        }
        if let (true, Some(Ok(threshold))) = (right >= most, same.first().map(|one| Threshold::new(one.0))) {
            (most, best) = (right, threshold);
        }
    }
    best
}

fn rates(scored: &[Scored]) -> Result<Vec<VerificationRate>, EvaluationError> {
    let of =
        |mated: bool| -> Vec<Option<f32>> { scored.iter().filter(|one| one.1 == mated).map(|one| one.2).collect() };
    let (mated, others) = (of(true), of(false));
    let mut tops: Vec<f32> = others.iter().flatten().copied().collect();
    tops.sort_by(|a, b| b.total_cmp(a));
    let mut found = Vec::new();
    for target in FALSE_MATCHES {
        let allowed = (target * others.len() as f64 + 1e-9) as usize;
        // The lowest score that leaves no more than is allowed at or above it; equal ones stay together.
        let counted = tops.get(allowed).map_or(tops.len(), |out| tops.partition_point(|score| score > out));
        let Some(&threshold) = counted.checked_sub(1).and_then(|last| tops.get(last)) else { continue };
        let missed = mated.iter().filter(|score| score.is_none_or(|score| score < threshold)).count() as u64;
        let observed = Proportion::new(missed, mated.len() as u64)?;
        let interval = clopper_pearson(observed, Coverage::USUAL);
        found.push(VerificationRate {
            target,
            threshold: f64::from(threshold),
            false_match: counted as f64 / others.len() as f64,
            false_non_match: observed.rate(),
            interval: (interval.low, interval.high),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Pair>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.txt");
        fs_err::write(&path, text).unwrap();
        read_pairs(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_of_three_and_four_words() {
        let pairs = read("2\t1\nAnn_A\t1\t4\nAnn_A\t1\tBob_B\t12\nBob_B\t2\t3\nAnn_A\t2\tBob_B\t1\n").unwrap();
        assert_eq!(
            pairs.iter().map(|pair| (pair.mated, pair.fold)).collect::<Vec<_>>(),
            [(true, 0), (false, 0), (true, 1), (false, 1)]
        );
        assert_eq!(pairs[1].pictures, ["Ann_A/Ann_A_0001.jpg", "Bob_B/Bob_B_0012.jpg"].map(PathBuf::from));
        for (bad, words) in [
            ("", "line 1"),
            ("x\n", "line 1"),
            ("1 1\na 1 2\na 1\n", "line 3"),
            ("1 1\na 1 2\na one b 2\n", "line 3"),
            ("1 1\n../x 1 2\na 1 b 2\n", "line 2"),
            ("1 2\na 1 2\na 1 b 2\n", "4 pairs are announced, 2 are there"),
            ("9999999999 9999999999\n", "line 1"),
        ] {
            let said = read(bad).unwrap_err();
            assert!(said.contains(words), "{bad:?}: {said}");
        }
    }

    #[test]
    fn the_threshold_of_a_fold_comes_from_the_others() {
        // In the first fold everything lies 0.5 higher: the threshold of the second is wrong there for its non-mated pair.
        let scored = [(0, true, Some(0.9)), (0, false, Some(0.7)), (1, true, Some(0.4)), (1, false, Some(0.2))];
        let found = verify(&scored).unwrap();
        assert_eq!(found.folds, [0.5, 0.5], "0.4 takes 0.7 in; 0.9 leaves 0.4 out");
        assert_eq!((found.accuracy, found.standard_error), (0.5, Some(0.0)));
        assert_eq!(verify(&scored[..2]).unwrap().accuracy, 1.0);
        assert!(verify(&scored[..1]).is_err());
    }

    #[test]
    fn what_failed_is_rejected() {
        let scored = [(0, true, None), (0, true, Some(0.8)), (0, false, None), (0, false, Some(0.1))];
        let found = verify(&scored).unwrap();
        assert_eq!((found.failed, found.accuracy), (2, 0.75));
        assert!(found.rates.is_empty(), "a tenth of two pairs is none");
        let many: Vec<Scored> =
            (0..100_u16).flat_map(|n| [(0, true, Some(f32::from(n))), (0, false, Some(f32::from(n)))]).collect();
        let found = verify(&many).unwrap();
        assert_eq!(
            found.rates.iter().map(|one| (one.false_match, one.false_non_match)).collect::<Vec<_>>(),
            [(0.1, 0.9), (0.01, 0.99)]
        );
    }
}
