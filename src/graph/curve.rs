//! What is known of a graph's recall, and what may be done with it.

use crate::base::limits::GRAPH_EF_MAX;
use crate::graph::GraphError;

/// Standard deviations of a two-sided 95 % interval.
const Z_95: f64 = 1.959_964;

/// One line of a recall curve: how often the graph's best candidate was the exhaustive search's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Rows in view.
    pub ef: u32,
    /// Cosine between each probe and the member it was made from: how hard the probes were.
    pub mate_cosine: f32,
    /// Probes for which both agreed.
    pub agreed: u32,
    /// Probes.
    pub probes: u32,
}

impl Measured {
    /// Share of probes for which both agreed, from 0 to 1.
    #[must_use]
    pub fn recall(&self) -> f64 {
        if self.probes == 0 { 0.0 } else { f64::from(self.agreed) / f64::from(self.probes) }
    }

    /// Wilson's 95 % score interval of [`recall`](Self::recall) (Wilson 1927).
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        if self.probes == 0 {
            return (0.0, 1.0);
        }
        let (n, p, z) = (f64::from(self.probes), self.recall(), Z_95);
        let middle = p + z * z / (2.0 * n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
    }
}

/// The result of a recall audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Seed of members and noise.
    pub seed: u64,
    /// Ascending in ef for each difficulty, hardest last.
    pub lines: Vec<Measured>,
}

/// What an approximate answer must promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Least recall, from 0 to 1; the lower end of the audited interval must reach it.
    pub recall_min: f64,
    /// For mates of which cosine it must hold.
    pub mate_cosine: f32,
}

/// The promise behind an approximate answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// Rows in view.
    pub ef: u32,
    /// The audit that covers it: of this ef or the next lower audited one, of all graphs the worst.
    pub audit: Measured,
}

impl Curve {
    /// The difficulties that were audited.
    fn hardest_for(&self, mate_cosine: f32) -> Option<f32> {
        let fits = |cosine: &f32| *cosine <= mate_cosine + 1e-6;
        self.lines.iter().map(|line| line.mate_cosine).filter(fits).max_by(f32::total_cmp)
    }

    /// What was audited for an ef and a difficulty: the next lower ef and the next harder difficulty where exactly these
    /// were not.
    #[must_use]
    pub fn at(&self, ef: u32, mate_cosine: f32) -> Option<&Measured> {
        let cosine = self.hardest_for(mate_cosine)?;
        let fits = |line: &&Measured| line.mate_cosine == cosine && line.ef <= ef;
        self.lines.iter().filter(fits).max_by_key(|line| line.ef)
    }

    fn efs(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.ef)
    }
}

/// The promise that these graphs together give for `ef`, or for the smallest ef that satisfies the policy when none is
/// asked for.
///
/// # Errors
/// [`GraphError::NoGraph`] without any graph; [`GraphError::Refused`] when the promise misses the policy, with the ef that
/// would do, if any does.
pub fn admit(curves: &[&Curve], ef: Option<u32>, policy: Policy) -> Result<Promise, GraphError> {
    if curves.is_empty() {
        return Err(GraphError::NoGraph);
    }
    if let Some(found) = ef.map(|ef| ef as usize).filter(|ef| !(1..=GRAPH_EF_MAX).contains(ef)) {
        return Err(GraphError::Plan { what: "rows in view (ef)", found, least: 1, most: GRAPH_EF_MAX });
    }
    let mut efs: Vec<u32> = curves.iter().flat_map(|curve| curve.efs()).collect();
    efs.sort_unstable();
    efs.dedup();
    let keeps = |ef: u32| worst(curves, ef, policy).filter(|audit| audit.interval().0 >= policy.recall_min);
    let would_do = || efs.iter().copied().find(|&ef| keeps(ef).is_some());
    let wanted = match ef {
        Some(ef) => Some(ef),
        None => would_do(),
    };
    if let Some((ef, audit)) = wanted.and_then(|ef| keeps(ef).map(|audit| (ef, audit))) {
        return Ok(Promise { ef, audit });
    }
    let (recall_min, mate_cosine) = (policy.recall_min, policy.mate_cosine);
    let most = efs.last().copied().unwrap_or(0);
    let audit = worst(curves, ef.unwrap_or(most), policy);
    Err(GraphError::Refused { ef, audit, recall_min, mate_cosine, would_do: would_do(), most })
}

/// The audit with the lowest end of all graphs'.
fn worst(curves: &[&Curve], ef: u32, policy: Policy) -> Option<Measured> {
    let audits = curves.iter().map(|curve| curve.at(ef, policy.mate_cosine).copied());
    let audits: Vec<Measured> = audits.collect::<Option<_>>()?;
    audits.into_iter().min_by(|a, b| a.interval().0.total_cmp(&b.interval().0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ef: u32, mate_cosine: f32, agreed: u32) -> Measured {
        Measured { ef, mate_cosine, agreed, probes: 1000 }
    }

    fn curve() -> Curve {
        let lines = vec![line(50, 0.6, 900), line(200, 0.6, 999), line(50, 0.34, 300), line(200, 0.34, 970)];
        Curve { seed: 1, lines }
    }

    fn policy(recall_min: f64, mate_cosine: f32) -> Policy {
        Policy { recall_min, mate_cosine }
    }

    #[test]
    fn wilson_intervals_are_the_textbook_ones() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 15 of 148 gives 0.0624 to 0.1605; 0 of 20 to 0.1611.
        for (agreed, probes, low, high) in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
        {
            let (a, b) = Measured { ef: 1, mate_cosine: 0.5, agreed, probes }.interval();
            assert!((a - low).abs() < 1e-4 && (b - high).abs() < 1e-4, "{agreed} of {probes}: {a} {b}");
        }
    }

    #[test]
    fn the_smallest_ef_that_will_do_is_taken() {
        assert_eq!(admit(&[&curve()], None, policy(0.95, 0.34)).unwrap().ef, 200);
        assert_eq!(admit(&[&curve()], None, policy(0.85, 0.6)).unwrap().ef, 50);
        // Between two audited ones the lower counts; between two difficulties the harder.
        let promise = admit(&[&curve()], Some(199), policy(0.2, 0.5)).unwrap();
        assert_eq!((promise.ef, promise.audit), (199, line(50, 0.34, 300)));
    }

    #[test]
    fn what_misses_the_policy_is_refused_with_what_would_do() {
        let refused = |ef, policy| admit(&[&curve()], ef, policy).unwrap_err().to_string();
        let said = refused(Some(50), policy(0.95, 0.34));
        assert!(said.contains("--ef 200") || said.contains("ef of 200"), "{said}");
        // 970 of 1000 is 0.9575 at the lower end.
        assert!(refused(None, policy(0.96, 0.34)).contains("none"), "{}", refused(None, policy(0.96, 0.34)));
        assert!(matches!(
            admit(&[&curve()], Some(10), policy(0.1, 0.34)),
            Err(GraphError::Refused { audit: None, .. })
        ));
        assert!(matches!(admit(&[&curve()], None, policy(0.1, 0.2)), Err(GraphError::Refused { audit: None, .. })));
        assert!(matches!(admit(&[], None, policy(0.1, 0.5)), Err(GraphError::NoGraph)));
    }

    #[test]
    fn several_graphs_promise_what_the_worst_does() {
        let mut other = curve();
        other.lines[3].agreed = 950;
        let promise = admit(&[&curve(), &other], Some(200), policy(0.9, 0.34)).unwrap();
        assert_eq!(promise.audit.agreed, 950);
        other.lines.truncate(2);
        assert!(admit(&[&curve(), &other], Some(200), policy(0.1, 0.34)).is_err(), "one was never audited so hard");
    }
}
