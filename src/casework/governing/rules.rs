//! When a proposal comes into force: pure. Whoever proposes never approves, nobody speaks twice, and what was overtaken or is too
//! old can't be approved any more.

use std::fmt;

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// People may speak to it.
    Open,
    /// It came into force.
    Adopted,
    /// Somebody rejected it.
    Rejected,
    /// Whoever proposed it took it back.
    Withdrawn,
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Adopted, Self::Rejected, Self::Withdrawn];

    /// As records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Adopted => "adopted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What somebody says to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// That it should be.
    Approve,
    /// That it should not.
    Reject,
    /// Whoever proposed it takes it back.
    Withdraw,
}

impl Voice {
    /// As records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Withdraw => "withdrawn",
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Their name.
    pub person: &'a str,
    /// Whether a role of theirs approves and rejects.
    pub may_approve: bool,
}

/// A proposal, as far as the rules go.
#[derive(Debug, Clone)]
pub struct Matter<'a> {
    /// Where it stands.
    pub state: State,
    /// Who proposed it.
    pub proposed_by: &'a str,
    /// Who approved it so far.
    pub approved_by: Vec<&'a str>,
    /// How many must.
    pub needs: u32,
    /// Something else came into force since, and it would undo that unseen.
    pub overtaken: bool,
    /// It has waited for too long.
    pub expired: bool,
}

/// Why somebody may not say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No role of theirs does.
    NotAllowed,
    /// Who proposed it.
    OwnProposal,
    /// Who did not propose it.
    NotTheirs,
    /// Who approved it already.
    Twice,
    /// It is over.
    Over(State),
    /// It waited for too long.
    Expired,
    /// Something else came into force since.
    Overtaken,
}

impl Refusal {
    /// A name for programs and for the audit log.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::OwnProposal => "own-proposal",
            Self::NotTheirs => "not-theirs",
            Self::Twice => "twice",
            Self::Over(_) => "over",
            Self::Expired => "expired",
            Self::Overtaken => "overtaken",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("supervisors approve and reject; no role of yours does"),
            Self::OwnProposal => f.write_str("whoever proposed it is none of those who approve or reject it: withdraw it, or ask another"),
            Self::NotTheirs => f.write_str("only whoever proposed it withdraws it: reject it"),
            Self::Twice => f.write_str("you have approved it already: it waits for somebody else"),
            Self::Over(state) => write!(f, "it is {} already", state.as_str()),
            Self::Expired => f.write_str("it has waited for too long: propose it anew"),
            Self::Overtaken => f.write_str(
                "another came into force since it was proposed: propose it anew, so that those who approve see what it changes",
            ),
        }
    }
}

/// What becomes of a proposal by what somebody says.
///
/// # Errors
/// [`Refusal`].
pub fn step(matter: &Matter, voice: Voice, speaker: Speaker) -> Result<State, Refusal> {
    let own = speaker.person == matter.proposed_by;
    if voice != Voice::Withdraw && !speaker.may_approve {
        return Err(Refusal::NotAllowed);
    }
    if matter.state != State::Open {
        return Err(Refusal::Over(matter.state));
    }
    match voice {
        Voice::Withdraw if own => Ok(State::Withdrawn),
        Voice::Withdraw => Err(Refusal::NotTheirs),
        Voice::Approve | Voice::Reject if own => Err(Refusal::OwnProposal),
        Voice::Approve | Voice::Reject if matter.approved_by.contains(&speaker.person) => Err(Refusal::Twice),
        Voice::Reject => Ok(State::Rejected),
        Voice::Approve if matter.expired => Err(Refusal::Expired),
        Voice::Approve if matter.overtaken => Err(Refusal::Overtaken),
        Voice::Approve if matter.approved_by.len() + 1 >= matter.needs as usize => Ok(State::Adopted),
        Voice::Approve => Ok(State::Open),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PEOPLE: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];

    fn voices() -> impl Strategy<Value = Vec<(usize, Voice, bool)>> {
        let voice = prop_oneof![5 => Just(Voice::Approve), 1 => Just(Voice::Reject), 1 => Just(Voice::Withdraw)];
        proptest::collection::vec((0..PEOPLE.len(), voice, proptest::bool::weighted(0.8)), 0..12)
    }

    proptest! {
        #[test]
        fn nothing_comes_into_force_by_fewer_people_than_it_needs(
            acts in voices(), needs in 1..5_u32, overtaken in proptest::bool::weighted(0.1), expired in proptest::bool::weighted(0.1),
        ) {
            let mut matter =
                Matter { state: State::Open, proposed_by: PEOPLE[0], approved_by: Vec::new(), needs, overtaken, expired };
            for (who, voice, may_approve) in acts {
                let before = matter.state;
                let Ok(next) = step(&matter, voice, Speaker { person: PEOPLE[who], may_approve }) else { continue };
                prop_assert_eq!(before, State::Open, "nothing is said to what is over");
                if voice == Voice::Approve {
                    prop_assert!(may_approve);
                    matter.approved_by.push(PEOPLE[who]);
                }
                matter.state = next;
            }
            let mut people = matter.approved_by.clone();
            people.sort_unstable();
            people.dedup();
            prop_assert_eq!(people.len(), matter.approved_by.len(), "nobody counts twice");
            prop_assert!(!people.contains(&PEOPLE[0]), "nor does whoever proposed it");
            prop_assert_eq!(matter.state == State::Adopted, people.len() == needs as usize);
            prop_assert!(matter.state != State::Adopted || !(overtaken || expired));
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let matter = |state| Matter {
            state,
            proposed_by: "ann",
            approved_by: vec!["bob"],
            needs: 2,
            overtaken: false,
            expired: false,
        };
        let by = |person| Speaker { person, may_approve: true };
        let open = matter(State::Open);
        assert_eq!(step(&open, Voice::Approve, by("cid")), Ok(State::Adopted));
        assert_eq!(step(&open, Voice::Approve, by("ann")), Err(Refusal::OwnProposal));
        assert_eq!(step(&open, Voice::Reject, by("ann")), Err(Refusal::OwnProposal));
        assert_eq!(step(&open, Voice::Approve, by("bob")), Err(Refusal::Twice));
        assert_eq!(step(&open, Voice::Withdraw, by("cid")), Err(Refusal::NotTheirs));
        assert_eq!(step(&open, Voice::Withdraw, Speaker { person: "ann", may_approve: false }), Ok(State::Withdrawn));
        let outsider = Speaker { person: "cid", may_approve: false };
        assert_eq!(step(&open, Voice::Approve, outsider), Err(Refusal::NotAllowed));
        assert_eq!(
            step(&Matter { overtaken: true, ..open.clone() }, Voice::Approve, by("cid")),
            Err(Refusal::Overtaken)
        );
        assert_eq!(step(&Matter { expired: true, ..open.clone() }, Voice::Approve, by("cid")), Err(Refusal::Expired));
        assert_eq!(
            step(&Matter { expired: true, overtaken: true, ..open }, Voice::Reject, by("cid")),
            Ok(State::Rejected)
        );
        for state in [State::Adopted, State::Rejected, State::Withdrawn] {
            assert_eq!(step(&matter(state), Voice::Approve, by("cid")), Err(Refusal::Over(state)));
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
