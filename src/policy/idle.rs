//! What a policy says and this release does not act upon. Said wherever a policy is shown, so that nobody relies on it.

use serde::Serialize;

use crate::policy::{Policy, TwoPersonAct};

/// Something that is said and not acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Idle {
    /// Where it stands in the file.
    pub place: &'static str,
    /// What happens instead, in words.
    pub what: String,
}

/// Acts that take one person, whoever may, whatever a policy says.
const ACTS: [TwoPersonAct; 3] = [TwoPersonAct::Role, TwoPersonAct::BulkExport, TwoPersonAct::Erasure];

impl Policy {
    /// What of it is not acted upon by this release.
    #[must_use]
    pub fn not_acted_upon(&self) -> Vec<Idle> {
        let mut idle = Vec::new();
        let mut say = |place, what: &str| idle.push(Idle { place, what: what.to_owned() });
        if !self.require.consultation.is_empty() {
            say("require.consultation", "whoever looks something up is asked for nothing");
        }
        if self.require.disclosure.len() < 2 {
            say("require.disclosure", "recipient and reason are wanted of every disclosure, whatever this says");
        }
        say("retention.search.template", "templates of probes are never kept");
        say("retention.search.failed_probe", "pictures that gave no probe are erased at once");
        let acts = ACTS.into_iter().filter(|act| self.takes_two(*act));
        let acts: Vec<&str> = acts.map(TwoPersonAct::as_str).collect();
        if !acts.is_empty() {
            let words = acts.join(", ");
            say("two_person.acts", &format!("{words}: one person does these, who has the right to"));
        }
        say("volume.searches_per_day", "nobody is told of somebody who searches more");
        let published =
            "counts are shown to nobody by the server; `bertillon transparency` prints them, whatever this says";
        say("publish.transparency", published);
        idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_what_the_policy_says() {
        let mut policy = Policy::builtin().unwrap();
        let places = |policy: &Policy| policy.not_acted_upon().iter().map(|idle| idle.place).collect::<Vec<_>>();
        assert_eq!(
            places(&policy),
            [
                "require.consultation",
                "retention.search.template",
                "retention.search.failed_probe",
                "two_person.acts",
                "volume.searches_per_day",
                "publish.transparency"
            ]
        );
        let acts = |policy: &Policy| policy.not_acted_upon().into_iter().find(|idle| idle.place == "two_person.acts");
        assert!(acts(&policy).unwrap().what.starts_with("role, bulk_export:"), "erasure is not among them");
        policy.two_person.acts.push(TwoPersonAct::Erasure);
        assert!(acts(&policy).unwrap().what.starts_with("role, bulk_export, erasure:"));
        policy.two_person.acts = vec![TwoPersonAct::Policy];
        policy.require.consultation.clear();
        assert_eq!((acts(&policy), places(&policy).len()), (None, 4));
        policy.require.disclosure.pop();
        assert_eq!(places(&policy)[0], "require.disclosure");
    }

    /// Each key of the manual that is not acted upon says so there.
    #[test]
    fn the_manual_marks_the_same() {
        let manual = include_str!("../../docs/POLICY.md");
        for Idle { place, .. } in Policy::builtin().unwrap().not_acted_upon() {
            let key = if place.starts_with("retention.search.") { "retention.search" } else { place };
            let row = manual.lines().find(|line| line.starts_with(&format!("| `{key}`"))).unwrap();
            assert!(row.contains("not acted upon"), "{place}: {row}");
        }
    }
}
