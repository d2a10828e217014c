//! Second factors in a data folder: across restarts, at other moments, and against those who try.

use super::*;
use crate::base::limits::PASSWORD_FAILURES_MAX;
use crate::casework::access::passwords::{self, Entry};
use crate::casework::access::tests::{GOOD, as_whom, by, desk, grants, kinds, me, name, typed};
use crate::casework::access::{sessions, users};
use crate::casework::keys;
use crate::crypto::totp::STEP_S;
use crate::records::{EventFilter, Proof, UserState};

const NOW: u64 = 1_795_305_615;
const BAD: &str = "a bad long password";

/// A user with a password.
async fn user(desk: &Desk, who: &str, role: &str) {
    users::add(desk, &me(), &name(who), "", &grants(&[role])).await.unwrap();
    passwords::set(desk, &me(), &name(who), Secret::new(GOOD.to_owned())).await.unwrap();
}

/// A user with a second factor that was confirmed at [`NOW`], and their codes on paper.
async fn enrolled(desk: &Desk, who: &str, role: &str) -> Vec<Secret> {
    user(desk, who, role).await;
    begin(desk, &me(), &name(who)).await.unwrap();
    confirm_at(desk, &me(), &name(who), &code(desk, who, NOW).await, NOW).await.unwrap()
}

async fn secret(desk: &Desk, who: &str) -> TotpSecret {
    let user = desk.vault.people_book().user(&name(who)).await.unwrap();
    let factor = desk.vault.people_book().factor(user.id).await.unwrap().unwrap();
    opened(desk, &user, &factor.sealed).await.unwrap()
}

/// The code that a telephone shows at a moment.
async fn code(desk: &Desk, who: &str, at: u64) -> Secret {
    secret(desk, who).await.code(totp::step_at(at))
}

async fn type_in(desk: &Desk, who: &str, password: &str, code: Option<Secret>, at: u64) -> Entry<Proof> {
    let typed = typed(who, password, code);
    let attempt = passwords::begin(desk, &typed).await.unwrap();
    by(sessions::go_on(desk, &typed, attempt, at, as_whom).await.unwrap())
}

fn came_by(entry: &Entry<Proof>) -> Option<Proof> {
    if let Entry::Welcome(by) = entry { Some(*by) } else { None }
}

#[tokio::test]
async fn a_code_is_asked_for_once_one_was_shown_and_none_counts_twice() {
    let home = tempfile::tempdir().unwrap();
    let open = desk(home.path()).await;
    user(&open, "vic", "verifier").await;
    let vic = name("vic");
    let begun = begin(&open, &me(), &vic).await.unwrap();
    assert_eq!(secret(&open, "vic").await.text(), begun.secret);
    assert!(begun.uri.reveal().contains(begun.secret.reveal()));
    // As long as it waits, nobody is kept out by it, and it can be begun again.
    assert_eq!(came_by(&type_in(&open, "vic", GOOD, None, NOW).await), Some(Proof::Password));
    let again = begin(&open, &me(), &vic).await.unwrap();
    assert_ne!(again.secret, begun.secret);
    let other = confirm_at(&open, &me(), &vic, &code(&open, "vic", NOW + 3 * STEP_S).await, NOW).await;
    assert!(matches!(other, Err(CaseworkError::Access(_))), "{other:?}");
    confirm_at(&open, &me(), &vic, &code(&open, "vic", NOW).await, NOW).await.unwrap();
    for twice in [
        begin(&open, &me(), &vic).await.map(drop),
        confirm_at(&open, &me(), &vic, &code(&open, "vic", NOW).await, NOW).await.map(drop),
    ] {
        assert!(
            matches!(twice, Err(CaseworkError::People(PeopleError::HasFactor(_) | PeopleError::NoFactor(_)))),
            "{twice:?}"
        );
    }
    assert_eq!(type_in(&open, "vic", GOOD, None, NOW).await, Entry::CodeWanted);
    assert_eq!(type_in(&open, "vic", GOOD, Some(Secret::new("  ".to_owned())), NOW).await, Entry::CodeWanted);
    // The code that confirmed it was taken, and so is one that somebody signed in with, also after a restart.
    let first = code(&open, "vic", NOW).await;
    assert_eq!(type_in(&open, "vic", GOOD, Some(first), NOW).await, Entry::Wrong);
    let next = code(&open, "vic", NOW + STEP_S).await;
    let blank = format!(" {} {} ", &next.reveal()[..3], &next.reveal()[3..]);
    assert_eq!(came_by(&type_in(&open, "vic", GOOD, Some(Secret::new(blank)), NOW).await), Some(Proof::Code));
    open.vault.clone().close().await;
    drop(open);
    let open = desk(home.path()).await;
    assert_eq!(type_in(&open, "vic", GOOD, Some(next), NOW + STEP_S).await, Entry::Wrong);
    // Clocks may differ by half a minute, and no more.
    let late = NOW + 20 * STEP_S;
    for (moment, counts) in
        [(late + 2 * STEP_S, false), (late - 2 * STEP_S, false), (late - STEP_S, true), (late + STEP_S, true)]
    {
        let shown = code(&open, "vic", moment).await;
        let entry = type_in(&open, "vic", GOOD, Some(shown), late).await;
        assert_eq!(entry != Entry::Wrong, counts, "{moment}: {entry:?}");
    }
    let earlier = code(&open, "vic", late).await;
    assert_eq!(type_in(&open, "vic", GOOD, Some(earlier), late).await, Entry::Wrong, "before the last that was taken");
}

#[tokio::test]
async fn of_many_who_show_one_code_at_once_one_comes_in() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let paper = enrolled(&desk, "vic", "verifier").await;
    let next = code(&desk, "vic", NOW + STEP_S).await;
    for shown in [next, paper[0].clone()] {
        let tries = (0..3).map(|_| type_in(&desk, "vic", GOOD, Some(shown.clone()), NOW + STEP_S));
        let came = futures_util::future::join_all(tries).await;
        assert_eq!(came.iter().filter(|entry| came_by(entry).is_some()).count(), 1, "{came:?}");
        users::set_state(&desk, &me(), &name("vic"), UserState::Active).await.unwrap();
    }
}

#[tokio::test]
async fn wrong_codes_lock_and_the_password_alone_does_not_take_them_back() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    enrolled(&desk, "vic", "verifier").await;
    let wrong = || Some(Secret::new("abcdef".to_owned()));
    for turn in 0..PASSWORD_FAILURES_MAX {
        // Whoever has the password can't clear the count by it, so as to try all codes.
        let (entry, wanted) = if turn % 2 == 0 {
            (type_in(&desk, "vic", GOOD, wrong(), NOW).await, Entry::Wrong)
        } else {
            (type_in(&desk, "vic", GOOD, None, NOW).await, Entry::CodeWanted)
        };
        assert_eq!(entry, wanted, "{turn}");
    }
    let right = code(&desk, "vic", NOW + STEP_S).await;
    assert!(matches!(type_in(&desk, "vic", GOOD, Some(right.clone()), NOW).await, Entry::Later(_)));
    assert!(kinds(&desk).await.contains(&"user.locked_out".to_owned()));
    users::set_state(&desk, &me(), &name("vic"), UserState::Active).await.unwrap();
    // Whoever lacks the password learns nothing of codes.
    for shown in [None, Some(right.clone()), wrong()] {
        assert_eq!(type_in(&desk, "vic", BAD, shown, NOW).await, Entry::Wrong);
    }
    assert_eq!(came_by(&type_in(&desk, "vic", GOOD, Some(right), NOW).await), Some(Proof::Code), "it was not used up");
    let long = Some(Secret::new("1".repeat(99_999)));
    assert_eq!(type_in(&desk, "vic", GOOD, long, NOW).await, Entry::Wrong);
}

#[tokio::test]
async fn codes_on_paper_count_once_and_all_of_it_goes_when_it_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let paper = enrolled(&desk, "vic", "verifier").await;
    let vic = name("vic");
    let text = secret(&desk, "vic").await.text();
    for shown in &paper {
        assert_eq!(came_by(&type_in(&desk, "vic", GOOD, Some(shown.clone()), NOW).await), Some(Proof::Recovery));
        assert_eq!(type_in(&desk, "vic", GOOD, Some(shown.clone()), NOW).await, Entry::Wrong);
    }
    assert_eq!(show(&desk, &me(), &vic).await.unwrap().0.unwrap().recovery_left, 0);
    remove(&desk, &me(), &vic).await.unwrap();
    assert!(matches!(remove(&desk, &me(), &vic).await, Err(CaseworkError::People(PeopleError::NoFactor(_)))));
    users::set_state(&desk, &me(), &vic, UserState::Active).await.unwrap();
    assert_eq!(came_by(&type_in(&desk, "vic", GOOD, None, NOW).await), Some(Proof::Password));
    // Who leaves leaves none behind either.
    begin(&desk, &me(), &vic).await.unwrap();
    let last = enrolled(&desk, "wim", "verifier").await;
    users::set_state(&desk, &me(), &vic, UserState::Left).await.unwrap();
    assert!(matches!(begin(&desk, &me(), &vic).await, Err(CaseworkError::People(PeopleError::Left(_)))));
    assert_eq!(show(&desk, &me(), &vic).await.unwrap().0, None);
    let told = kinds(&desk).await;
    let of_factors: Vec<&str> = told.iter().filter_map(|kind| kind.strip_prefix("user.factor_")).collect();
    assert_eq!(of_factors, ["begun", "confirmed", "removed", "begun", "begun", "confirmed"]);
    // No event has a code or a secret, and no file has one that could be read.
    let others = secret(&desk, "wim").await.text();
    for event in desk.vault.audit_book().newest(&EventFilter::default(), 2_000).await.unwrap() {
        assert!(
            ![&paper[0], &text, &others].iter().any(|secret| event.body.contains(secret.reveal())),
            "{}",
            event.body
        );
    }
    desk.vault.clone().close().await;
    for entry in fs_err::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { fs_err::read(&path).unwrap() } else { Vec::new() };
        for secret in [last[0].reveal(), &last[0].reveal().replace('-', ""), others.reveal()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn roles_that_the_policy_names_take_a_second_factor() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    user(&desk, "sue", "supervisor").await;
    assert!(show(&desk, &me(), &name("sue")).await.unwrap().1, "the built-in policy names supervisors");
    assert_eq!(type_in(&desk, "sue", BAD, None, NOW).await, Entry::Wrong, "nothing is told to who lacks the password");
    assert_eq!(type_in(&desk, "sue", GOOD, None, NOW).await, Entry::FactorWanted);
    begin(&desk, &me(), &name("sue")).await.unwrap();
    assert_eq!(type_in(&desk, "sue", GOOD, None, NOW).await, Entry::FactorWanted, "one that waits is none");
    confirm_at(&desk, &me(), &name("sue"), &code(&desk, "sue", NOW).await, NOW).await.unwrap();
    let next = code(&desk, "sue", NOW + STEP_S).await;
    assert_eq!(came_by(&type_in(&desk, "sue", GOOD, Some(next), NOW).await), Some(Proof::Code));
}

#[tokio::test]
async fn one_begins_ones_own_and_only_administrators_take_one_away() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    enrolled(&desk, "ada", "administrator").await;
    user(&desk, "vic", "verifier").await;
    user(&desk, "wim", "verifier").await;
    let as_whom = async |who: &str| {
        let user = desk.vault.people_book().user(&name(who)).await.unwrap();
        Caller::user(sessions::identity(&user), None, 1)
    };
    let (ada, vic) = (as_whom("ada").await, as_whom("vic").await);
    begin(&desk, &vic, &name("vic")).await.unwrap();
    confirm_at(&desk, &vic, &name("vic"), &code(&desk, "vic", NOW).await, NOW).await.unwrap();
    let refused = [
        begin(&desk, &vic, &name("wim")).await.map(drop),
        confirm_at(&desk, &vic, &name("wim"), &Secret::new("000000".to_owned()), NOW).await.map(drop),
        show(&desk, &vic, &name("ada")).await.map(drop),
        remove(&desk, &vic, &name("vic")).await,
    ];
    for refused in refused {
        assert!(matches!(refused, Err(CaseworkError::NotAllowed { .. })), "{refused:?}");
    }
    remove(&desk, &ada, &name("vic")).await.unwrap();
    begin(&desk, &ada, &name("wim")).await.unwrap();
}

#[tokio::test]
async fn another_master_key_leaves_factors_as_they_are_and_a_lost_key_lets_nobody_in() {
    let home = tempfile::tempdir().unwrap();
    let open = desk(home.path()).await;
    enrolled(&open, "vic", "verifier").await;
    assert_eq!(keys::rotate_master(&open, &me(), None).await.unwrap().keys, 1);
    open.vault.clone().close().await;
    drop(open);
    let open = desk(home.path()).await;
    let next = code(&open, "vic", NOW + STEP_S).await;
    assert_eq!(came_by(&type_in(&open, "vic", GOOD, Some(next), NOW).await), Some(Proof::Code));
    let later = code(&open, "vic", NOW + 9 * STEP_S).await;
    open.vault.clone().close().await;
    drop(open);
    fs_err::remove_file(home.path().join("keys/people.key")).unwrap();
    let open = desk(home.path()).await;
    let vic = typed("vic", GOOD, Some(later.clone()));
    let failed = async |desk: &Desk| {
        let attempt = passwords::begin(desk, &vic).await.unwrap();
        sessions::go_on(desk, &vic, attempt, NOW + 9 * STEP_S, as_whom).await.unwrap_err().to_string()
    };
    let error = failed(&open).await;
    assert!(error.contains("people.key") && error.contains("--remove"), "{error}");
    // Another key in its place opens nothing either, and the way out is the one that was said.
    enrolled(&open, "wim", "verifier").await;
    let error = failed(&open).await;
    assert!(error.contains("does not lie under it") && !error.contains(later.reveal()), "{error}");
    remove(&open, &me(), &name("vic")).await.unwrap();
    assert_eq!(came_by(&type_in(&open, "vic", GOOD, None, NOW).await), Some(Proof::Password));
}
