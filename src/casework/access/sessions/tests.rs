//! What changes between the comparing of a password and the session, and while a session is open.

use super::*;
use crate::base::ids::UserName;
use crate::base::limits::PASSWORD_FAILURES_MAX;
use crate::casework::access::passwords::Right;
use crate::casework::access::tests::{GOOD, as_whom, by, desk, grants, kinds, me, name, typed};
use crate::casework::access::users;
use crate::crypto::totp::{self, STEP_S, TotpSecret};
use crate::records::Proof;

const NOW: u64 = 1_795_305_615;
const OTHER: &str = "another good long password";
/// "password" at another cost than today's: a vector of the reference implementation's tests (phc-winner-argon2, src/test.c).
const OLD: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// Vic with a role and a password.
async fn vic(desk: &Desk) -> UserName {
    let vic = name("vic");
    users::add(desk, &me(), &vic, "", &grants(&["verifier"])).await.unwrap();
    set(desk, &vic, GOOD).await;
    vic
}

async fn set(desk: &Desk, who: &UserName, password: &str) {
    passwords::set(desk, &me(), who, Secret::new(password.to_owned())).await.unwrap();
}

/// The code of a moment.
async fn code(desk: &Desk, who: &UserName, at: u64) -> Secret {
    let book = desk.vault.people_book();
    let user = book.user(who).await.unwrap();
    let factor = book.factor(user.id).await.unwrap().unwrap();
    let secret = TotpSecret::open(&desk.vault.keys().of_people().unwrap().key, user.id, &factor.sealed).unwrap();
    secret.code(totp::step_at(at))
}

/// Enrols a second factor by the code of before, so that the one of now still counts.
async fn enrol(desk: &Desk, who: &UserName) {
    factors::begin(desk, &me(), who).await.unwrap();
    let before = code(desk, who, NOW - STEP_S).await;
    factors::confirm_at(desk, &me(), who, &before, NOW - STEP_S).await.unwrap();
}

async fn opened(desk: &Desk, typed: Typed) -> Box<Opened> {
    open(desk, typed, as_whom).await.unwrap().came::<()>().unwrap()
}

/// A try that was begun and compared, and whose session is still to be opened.
async fn compared(desk: &Desk, typed: &Typed) -> Right {
    let attempt = passwords::begin(desk, typed).await.unwrap();
    passwords::compare(desk, typed, attempt, NOW).await.unwrap().came::<()>().unwrap()
}

async fn begun(desk: &Desk, (user, compared): &Right) -> Begun {
    begin(desk, UserRecord::clone(user), Basis::Typed(compared), as_whom).await.unwrap()
}

/// A try during which something happens between its beginning and the comparing.
async fn interrupted(desk: &Desk, typed: &Typed, meanwhile: impl AsyncFnOnce()) -> Entry<Proof> {
    let attempt = passwords::begin(desk, typed).await.unwrap();
    meanwhile().await;
    by(go_on(desk, typed, attempt, NOW, as_whom).await.unwrap())
}

async fn sessions_opened(desk: &Desk) -> usize {
    kinds(desk).await.iter().filter(|kind| *kind == "session.opened").count()
}

#[tokio::test]
async fn a_session_without_a_second_factor_does_not_take_a_role_that_wants_one() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let vic = vic(&desk).await;
    let session = opened(&desk, typed("vic", GOOD, None)).await;
    let token = session.token.reveal();
    assert_eq!(session.record.by, Proof::Password);
    assert!(matches!(recognise(&desk, token).await.unwrap(), Known::Yes(record, _) if record == session.record));
    let more = grants(&["supervisor"]);
    users::change_roles(&desk, &me(), &vic, (&[], &more)).await.unwrap();
    assert!(matches!(recognise(&desk, token).await.unwrap(), Known::FactorWanted(user) if user.name == vic));
    users::change_roles(&desk, &me(), &vic, (&more, &[])).await.unwrap();
    assert!(matches!(recognise(&desk, token).await.unwrap(), Known::Yes(..)));
    enrol(&desk, &vic).await;
    assert_eq!(recognise(&desk, token).await.unwrap(), Known::Over, "the first code ended it");
}

#[tokio::test]
async fn a_providers_word_counts_for_a_role_if_a_second_factor_was_shown_there() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let vic = vic(&desk).await;
    let book = desk.vault.people_book();
    let user = book.user(&vic).await.unwrap();
    let (issuer, subject) = ("https://id.example", "v1");
    let come = async |second_factor| {
        let basis = Basis::Provider { issuer, subject, second_factor };
        begin(&desk, user.clone(), basis, as_whom).await.unwrap()
    };
    assert!(matches!(come(true).await, Begun::Changed), "she is not who the provider says");
    book.link(&me(), &vic, (issuer, subject)).await.unwrap();
    let (Begun::Done(without), Begun::Done(with)) = (come(false).await, come(true).await) else { panic!("not begun") };
    assert_eq!([&without, &with].map(|opened| opened.record.by), [Proof::Provider, Proof::ProviderAndFactor]);
    users::change_roles(&desk, &me(), &vic, (&[], &grants(&["supervisor"]))).await.unwrap();
    assert!(matches!(recognise(&desk, without.token.reveal()).await.unwrap(), Known::FactorWanted(_)));
    assert!(matches!(recognise(&desk, with.token.reveal()).await.unwrap(), Known::Yes(..)));
    // One that does not count can be ended.
    end(&desk, &me(), without.token.reveal()).await.unwrap();
    assert_eq!(recognise(&desk, without.token.reveal()).await.unwrap(), Known::Over);
    users::set_state(&desk, &me(), &vic, UserState::Locked).await.unwrap();
    assert!(matches!(come(true).await, Begun::Changed), "she was locked meanwhile");
}

#[tokio::test]
async fn who_typed_the_old_password_is_not_let_in_after_it_was_changed() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let vic = vic(&desk).await;
    let old = typed("vic", GOOD, None);
    let right = compared(&desk, &old).await;
    set(&desk, &vic, OTHER).await;
    assert!(matches!(begun(&desk, &right).await, Begun::Changed));
    // The same of one that waits for its turn at hashing: it is compared with the new one then.
    set(&desk, &vic, GOOD).await;
    assert_eq!(interrupted(&desk, &old, async || set(&desk, &vic, OTHER).await).await, Entry::Wrong);
    let locked = compared(&desk, &typed("vic", OTHER, None)).await;
    users::set_state(&desk, &me(), &vic, UserState::Locked).await.unwrap();
    assert!(matches!(begun(&desk, &locked).await, Begun::Changed));
    users::set_state(&desk, &me(), &vic, UserState::Active).await.unwrap();
    assert_eq!(sessions_opened(&desk).await, 0);
    // Whoever typed what is right by now comes in, and a try counts once however often it is compared.
    for _ in 0..2 * PASSWORD_FAILURES_MAX {
        let again = typed("vic", OTHER, None);
        let came = interrupted(&desk, &again, async || set(&desk, &vic, OTHER).await).await;
        assert_eq!(came, Entry::Welcome(Proof::Password));
    }
}

#[tokio::test]
async fn a_password_that_is_kept_anew_does_not_come_back_over_another() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let vic = vic(&desk).await;
    let book = desk.vault.people_book();
    let user = book.user(&vic).await.unwrap().id;
    let kept = async || match book.attempt_again(user).await.unwrap() {
        Attempt::Compare(_, text) => text,
        Attempt::Hopeless | Attempt::Later(_) => panic!("no password"),
    };
    let password = || Secret::new("password".to_owned());
    let new = kept().await;
    passwords::renew(&desk, user, password(), OLD).await.unwrap();
    assert_eq!(kept().await, new, "it was changed meanwhile");
    book.set_password(&me(), &vic, OLD).await.unwrap();
    let right = typed("vic", "password", None);
    let waits = passwords::begin(&desk, &right).await.unwrap();
    let first = opened(&desk, typed("vic", "password", None)).await;
    let anew = kept().await;
    assert!(anew.starts_with("$argon2id$v=19$m=19456,"), "{anew}");
    assert!(matches!(recognise(&desk, first.token.reveal()).await.unwrap(), Known::Yes(..)), "it is the same password");
    // Another try with the right one waited meanwhile. It is tried again, and so comes in.
    assert_eq!(by(go_on(&desk, &right, waits, NOW, as_whom).await.unwrap()), Entry::Welcome(Proof::Password));
    passwords::renew(&desk, user, password(), &anew).await.unwrap();
    assert_eq!(kept().await, anew, "it is not old");
}

#[tokio::test]
async fn a_second_factor_that_is_confirmed_or_another_meanwhile_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let vic = vic(&desk).await;
    let alone = typed("vic", GOOD, None);
    let right = compared(&desk, &alone).await;
    enrol(&desk, &vic).await;
    assert!(matches!(begun(&desk, &right).await, Begun::Changed));
    assert_eq!(interrupted(&desk, &alone, async || {}).await, Entry::CodeWanted);
    // A code counts for what it is made of, not for another that was enrolled since.
    let shown = typed("vic", GOOD, Some(code(&desk, &vic, NOW).await));
    let right = compared(&desk, &shown).await;
    factors::remove(&desk, &me(), &vic).await.unwrap();
    assert!(matches!(begun(&desk, &right).await, Begun::Changed), "there is none any more");
    enrol(&desk, &vic).await;
    assert!(matches!(begun(&desk, &right).await, Begun::Changed), "it is another");
    assert_eq!(sessions_opened(&desk).await, 0);
    let shown = typed("vic", GOOD, Some(code(&desk, &vic, NOW).await));
    let (one, two) = (compared(&desk, &shown).await, compared(&desk, &shown).await);
    assert!(matches!(begun(&desk, &one).await, Begun::Done(opened) if opened.record.by == Proof::Code));
    assert!(matches!(begun(&desk, &two).await, Begun::Spent), "a code counts once");
    assert_eq!(sessions_opened(&desk).await, 1);
}
