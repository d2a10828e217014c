//! The machine walked at random: by any people with any roles, doing anything in any order.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const CANDIDATES: u64 = 2;

fn person(number: u8) -> Person {
    Person(format!("person {number}"))
}

fn actor(number: u8, roles: &[Role]) -> Actor {
    Actor { person: person(number), roles: Roles::of(roles) }
}

fn all(number: u8) -> Actor {
    actor(number, &Role::ALL)
}

fn case(interested: &[u8], verify_negative: bool) -> Case {
    Case {
        candidates: (1..=CANDIDATES).map(TemplateId).collect(),
        interested: interested.iter().map(|number| person(*number)).collect(),
        decided: Vec::new(),
        verify_negative,
    }
}

/// A review with what was decided in it, as the records have it.
struct Walk {
    case: Case,
    state: State,
    decisions: Vec<Decided>,
}

impl Walk {
    fn new(case: Case) -> Self {
        Self { case, state: State::Open, decisions: Vec::new() }
    }

    fn act(&mut self, act: Act, who: &Actor) -> Result<(), Refusal> {
        let next = step(&self.case, self.state.clone(), act, who)?;
        if let Act::Decide(finding) = act {
            self.decisions.push(Decided { by: who.person.clone(), finding });
            self.case.decided.push(who.person.clone());
        }
        self.state = next;
        Ok(())
    }

    fn looks_and_decides(&mut self, number: u8, finding: Finding) -> Result<(), Refusal> {
        self.act(Act::Claim, &all(number))?;
        self.act(Act::See, &all(number))?;
        self.act(Act::Decide(finding), &all(number))
    }
}

fn a_finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        4 => (1..=CANDIDATES + 1).prop_map(|id| Finding::Possible(TemplateId(id))),
        1 => Just(Finding::Exclusion),
        1 => Just(Finding::Inconclusive),
        1 => Just(Finding::NotSuitable),
    ]
}

/// One act, or a visit as people make one: take it, look, decide. Without visits walks hardly ever come to a third person.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        2 => Just(Act::Claim),
        2 => Just(Act::See),
        3 => a_finding().prop_map(Act::Decide),
        1 => Just(Act::Withdraw),
        1 => Just(Act::Outcome),
    ];
    prop_oneof![
        1 => one.prop_map(|act| vec![act]),
        2 => a_finding().prop_map(|finding| vec![Act::Claim, Act::See, Act::Decide(finding)]),
    ]
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    prop_oneof![3 => Just(Role::ALL.to_vec()), 1 => proptest::sample::subsequence(Role::ALL.to_vec(), 0..4)]
}

/// What holds after each step, whatever was done.
fn holds(
    walk: &Walk,
    before: &State,
    (act, who): (Act, &Actor),
    done: Result<(), Refusal>,
) -> Result<(), TestCaseError> {
    if before.is_over() || done.is_err() {
        prop_assert_eq!(&walk.state, before, "what is over stays over, and what is refused changes nothing");
    }
    if let (Ok(()), Act::Decide(finding)) = (done, act) {
        let claim = before.claim().unwrap();
        prop_assert_eq!(&claim.by, &who.person);
        prop_assert!(claim.seen || finding.candidate().is_none(), "nobody is named unseen");
    }
    let people: BTreeSet<_> = walk.decisions.iter().map(|decided| &decided.by).collect();
    prop_assert_eq!(people.len(), walk.decisions.len(), "nobody decides twice");
    prop_assert!(walk.decisions.len() <= 3);
    if let State::Lead { candidate, named_by: [one, other], dissent } = &walk.state {
        let names = |decided: &&Decided| decided.finding == Finding::Possible(*candidate);
        let named: Vec<&Person> = walk.decisions.iter().filter(names).map(|decided| &decided.by).collect();
        prop_assert_ne!(one, other);
        prop_assert_eq!(named, [one, other]);
        prop_assert!(walk.case.candidates.contains(candidate));
        let interested = |person: &Person| walk.case.interested.contains(person);
        prop_assert!(!interested(one) || !interested(other), "one of them at least has no interest");
        prop_assert_eq!(dissent.is_some(), walk.decisions.len() == 3);
    }
    Ok(())
}

#[test]
fn no_path_leads_to_a_lead_with_fewer_than_two_people() {
    let visits = proptest::collection::vec((acts(), 0_u8..4, roles(), 0_u8..24), 1..40);
    let interested = proptest::collection::vec(0_u8..4, 0..3);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() });
    let ends = RefCell::new(BTreeSet::new());
    let walked = runner.run(&(visits, interested, any::<bool>()), |(visits, interested, verify_negative)| {
        let mut walk = Walk::new(case(&interested, verify_negative));
        for (acts, number, roles, lapses) in visits {
            if lapses == 0 {
                walk.state = walk.state.clone().lapsed();
            }
            for act in acts {
                let (before, who) = (walk.state.clone(), actor(number, &roles));
                let done = walk.act(act, &who);
                holds(&walk, &before, (act, &who), done)?;
            }
        }
        ends.borrow_mut().insert((walk.state.as_str(), walk.decisions.len()));
        Ok(())
    });
    walked.unwrap();
    // The walks come everywhere, or they would show nothing.
    for end in [
        ("lead", 2),
        ("lead", 3),
        ("closed_conflict", 3),
        ("closed_negative", 1),
        ("closed_negative", 2),
        ("withdrawn", 1),
    ] {
        assert!(ends.borrow().contains(&end), "{end:?} was never reached");
    }
}

#[test]
fn two_who_agree_make_a_lead() {
    let mut walk = Walk::new(case(&[1], false));
    walk.looks_and_decides(1, Finding::Possible(TemplateId(2))).unwrap();
    assert_eq!(walk.state.as_str(), "awaiting_second");
    walk.looks_and_decides(2, Finding::Possible(TemplateId(2))).unwrap();
    let wanted = State::Lead { candidate: TemplateId(2), named_by: [person(1), person(2)], dissent: None };
    assert_eq!(walk.state, wanted);
    assert_eq!(walk.act(Act::Outcome, &all(3)), Ok(()));
    assert_eq!(walk.act(Act::Withdraw, &all(3)), Err(Refusal::WrongState));
    assert_eq!(walk.act(Act::Claim, &all(3)), Err(Refusal::WrongState));
}

#[test]
fn the_same_person_twice_is_refused() {
    let mut walk = Walk::new(case(&[], false));
    walk.looks_and_decides(1, Finding::Possible(TemplateId(2))).unwrap();
    assert_eq!(walk.act(Act::Claim, &all(1)), Err(Refusal::SamePerson));
    assert_eq!(walk.act(Act::Decide(Finding::Possible(TemplateId(2))), &all(1)), Err(Refusal::AlreadyDecided));
    walk.looks_and_decides(2, Finding::Exclusion).unwrap();
    for number in [1, 2] {
        assert_eq!(walk.act(Act::Claim, &all(number)), Err(Refusal::SamePerson));
    }
    walk.looks_and_decides(3, Finding::Possible(TemplateId(2))).unwrap();
    let wanted = State::Lead { candidate: TemplateId(2), named_by: [person(1), person(3)], dissent: Some(person(2)) };
    assert_eq!(walk.state, wanted);
}

#[test]
fn those_with_an_interest_are_not_the_only_two() {
    let mut walk = Walk::new(case(&[1, 2], false));
    walk.looks_and_decides(1, Finding::Possible(TemplateId(2))).unwrap();
    assert_eq!(walk.act(Act::Claim, &all(2)), Err(Refusal::NotIndependent));
    walk.looks_and_decides(3, Finding::Possible(TemplateId(1))).unwrap();
    assert_eq!(walk.act(Act::Claim, &all(2)), Err(Refusal::NotIndependent));
    walk.looks_and_decides(4, Finding::Exclusion).unwrap();
    assert_eq!(walk.state, State::ClosedConflict);
}

#[test]
fn a_name_that_was_not_looked_at_or_does_not_stand_there_is_refused() {
    let mut walk = Walk::new(case(&[], false));
    let named = |id| Act::Decide(Finding::Possible(TemplateId(id)));
    assert_eq!(walk.act(named(1), &all(1)), Err(Refusal::NotClaimed));
    assert_eq!(walk.act(Act::See, &all(1)), Err(Refusal::NotClaimed));
    walk.act(Act::Claim, &all(1)).unwrap();
    assert_eq!(walk.act(named(1), &all(1)), Err(Refusal::DecidedUnseen));
    assert_eq!(walk.act(named(1), &all(2)), Err(Refusal::ClaimedByOther));
    assert_eq!(walk.act(Act::See, &all(2)), Err(Refusal::ClaimedByOther));
    assert_eq!(walk.act(Act::Claim, &all(2)), Err(Refusal::ClaimedByOther));
    walk.act(Act::See, &all(1)).unwrap();
    assert_eq!(walk.act(named(99), &all(1)), Err(Refusal::NotOnList));
    walk.act(Act::Claim, &all(1)).unwrap();
    walk.act(named(1), &all(1)).unwrap();
    walk.act(Act::See, &all(1)).unwrap();
    assert_eq!(walk.act(Act::See, &all(2)), Err(Refusal::NotClaimed));
}

#[test]
fn who_takes_a_claim_that_ran_out_must_look_for_themselves() {
    let mut walk = Walk::new(case(&[], false));
    walk.act(Act::Claim, &all(1)).unwrap();
    walk.act(Act::See, &all(1)).unwrap();
    walk.state = walk.state.clone().lapsed();
    walk.act(Act::Claim, &all(2)).unwrap();
    let named = Act::Decide(Finding::Possible(TemplateId(1)));
    assert_eq!(walk.act(named, &all(1)), Err(Refusal::ClaimedByOther));
    assert_eq!(walk.act(named, &all(2)), Err(Refusal::DecidedUnseen));
}

#[test]
fn those_who_name_nobody_close_it_alone_unless_the_policy_wants_two() {
    let mut walk = Walk::new(case(&[], false));
    walk.act(Act::Claim, &all(1)).unwrap();
    walk.act(Act::Decide(Finding::NotSuitable), &all(1)).unwrap();
    assert_eq!(walk.state, State::ClosedNegative);
    let mut walk = Walk::new(case(&[], true));
    walk.looks_and_decides(1, Finding::Exclusion).unwrap();
    walk.looks_and_decides(2, Finding::Inconclusive).unwrap();
    assert_eq!(walk.state, State::ClosedNegative);
    let mut walk = Walk::new(case(&[], true));
    walk.looks_and_decides(1, Finding::Exclusion).unwrap();
    walk.looks_and_decides(2, Finding::Possible(TemplateId(1))).unwrap();
    assert_eq!(walk.state.as_str(), "conflict");
    walk.looks_and_decides(3, Finding::Inconclusive).unwrap();
    assert_eq!(walk.state, State::ClosedConflict);
}

#[test]
fn each_step_wants_its_role() {
    let refused = Err(Refusal::NotAllowed);
    let mut walk = Walk::new(case(&[], false));
    assert_eq!(walk.act(Act::Claim, &actor(1, &[Role::Verifier, Role::Supervisor])), refused);
    assert_eq!(walk.act(Act::Withdraw, &actor(1, &[Role::Examiner, Role::Administrator])), refused);
    walk.act(Act::Claim, &actor(1, &[Role::Examiner])).unwrap();
    assert_eq!(walk.act(Act::See, &actor(1, &[Role::Auditor])), refused);
    assert_eq!(walk.act(Act::Decide(Finding::Exclusion), &actor(1, &[Role::Submitter])), refused);
    walk.act(Act::See, &actor(1, &[Role::Examiner])).unwrap();
    walk.act(Act::Decide(Finding::Possible(TemplateId(1))), &actor(1, &[Role::Examiner])).unwrap();
    assert_eq!(walk.act(Act::Claim, &actor(2, &[Role::Examiner, Role::Supervisor])), refused);
    walk.act(Act::Claim, &actor(2, &[Role::Verifier])).unwrap();
    walk.act(Act::Withdraw, &actor(3, &[Role::Supervisor])).unwrap();
    assert_eq!(walk.state, State::Withdrawn);
    for refusal in [Refusal::NotAllowed, Refusal::SamePerson, Refusal::DecidedUnseen] {
        let status = if refusal == Refusal::NotAllowed { 403 } else { 409 };
        assert_eq!(refusal.status(), status, "{}", refusal.kind());
    }
}

#[test]
fn every_state_has_its_word_and_no_other_word_is_one() {
    let by = || Person("xena".to_owned());
    let claim = || Claim { by: by(), seen: false };
    let decided = || Decided { by: by(), finding: Finding::Exclusion };
    let lead = State::Lead { candidate: TemplateId(1), named_by: [by(), by()], dissent: None };
    let all = [
        State::Open,
        State::First(claim()),
        State::AwaitingSecond(decided()),
        State::Second(decided(), claim()),
        State::Conflict(decided(), decided()),
        State::Third(decided(), decided(), claim()),
        lead,
        State::ClosedNegative,
        State::ClosedConflict,
        State::Withdrawn,
    ];
    assert_eq!(all.each_ref().map(State::as_str), State::WORDS);
    assert!(State::WORDS.into_iter().all(|word| State::word(word) == Ok(word)));
    for odd in ["", "OPEN", "open ", "\0"] {
        assert!(State::word(odd).unwrap_err().contains("awaiting_second"), "{odd:?}");
    }
}
