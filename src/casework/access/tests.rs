//! Users, keys and passwords in a data folder, across restarts and against the rules.

use std::path::Path;

use super::api_keys::{self, Known, Wanted};
use super::passwords::{self, Entry, Typed};
use super::sessions::{self, SignIn};
use super::{require, users};
use crate::audit::{Caller, Event, Identity, Outcome};
use crate::base::ids::UserName;
use crate::base::limits::{KEYS_OF_USER_MAX, PASSWORD_FAILURES_MAX};
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::Secret;
use crate::gallery::Access;
use crate::records::{EventFilter, PeopleError, Proof, UserState};
use crate::rights::{Grant, Permission, RightsError};
use crate::settings::Settings;
use crate::settings::back_end::BackEnd;
use crate::settings::flags::Flags;

pub(super) const GOOD: &str = "a good long password";

pub(super) async fn desk(data: &Path) -> Desk {
    let flags = Flags { data: Some(data.to_owned()), back_end: Some(BackEnd::Cpu), ..Flags::default() };
    Desk::open(Settings::load(None, data, flags).unwrap().settings, Access::Writer).await.unwrap()
}

pub(super) fn me() -> Caller {
    Caller::new("root", "command line", None)
}

pub(super) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(super) fn grants(texts: &[&str]) -> Vec<Grant> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn wanted() -> Wanted {
    Wanted { permissions: [].into(), galleries: None, days: 1, rate_per_min: 60 }
}

pub(super) async fn kinds(desk: &Desk) -> Vec<String> {
    let mut found = desk.vault.audit_book().newest(&EventFilter::default(), 2_000).await.unwrap();
    found.reverse();
    found.into_iter().map(|event| event.kind).collect()
}

/// What somebody types.
pub(super) fn typed(who: &str, password: &str, code: Option<Secret>) -> Typed {
    Typed { name: who.to_owned(), password: Secret::new(password.to_owned()), code }
}

/// Makes a caller of who comes in.
pub(super) fn as_whom(identity: Identity) -> Caller {
    Caller::user(identity, None, 1)
}

/// By what somebody came in.
pub(super) fn by(entry: SignIn) -> Entry<Proof> {
    entry.came().map_or_else(|refusal| refusal, |opened| Entry::Welcome(opened.record.by))
}

async fn type_in(desk: &Desk, who: &str, password: &str) -> Entry<Proof> {
    by(sessions::open(desk, typed(who, password, None), as_whom).await.unwrap())
}

#[tokio::test]
async fn users_come_change_and_go_and_each_step_is_told() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    assert!(!desk.vault.people_book().any().await.unwrap());
    let ada =
        users::add(&desk, &me(), &name("ada"), "Ada Example", &grants(&["examiner:a", "examiner:a"])).await.unwrap();
    assert_eq!((ada.grants.len(), ada.state), (1, UserState::Active));
    assert!(desk.vault.people_book().any().await.unwrap());
    let taken = users::add(&desk, &me(), &name("ada"), "", &[]).await;
    assert!(matches!(taken, Err(CaseworkError::People(PeopleError::Taken(_)))), "{taken:?}");
    // An auditor is nothing else, whichever comes first.
    let both = users::change_roles(&desk, &me(), &name("ada"), (&[], &grants(&["auditor"]))).await;
    assert!(matches!(both, Err(CaseworkError::People(PeopleError::Rights(RightsError::AuditorAlone)))), "{both:?}");
    let (old, new) = (grants(&["examiner:a"]), grants(&["auditor"]));
    let ada = users::change_roles(&desk, &me(), &name("ada"), (&old, &new)).await.unwrap();
    assert_eq!(ada.grants, new);
    let back = users::change_roles(&desk, &me(), &name("ada"), (&[], &old)).await;
    assert!(matches!(back, Err(CaseworkError::People(PeopleError::Rights(RightsError::AuditorAlone)))));
    assert!(users::change_roles(&desk, &me(), &name("ada"), (&old, &[])).await.is_err(), "a role she has not got");
    let (caller, who) = (me(), name("ada"));
    let state = |state| users::set_state(&desk, &caller, &who, state);
    assert_eq!(state(UserState::Locked).await.unwrap().state, UserState::Locked);
    assert_eq!(state(UserState::Active).await.unwrap().state, UserState::Active);
    state(UserState::Left).await.unwrap();
    assert!(matches!(state(UserState::Active).await, Err(CaseworkError::People(PeopleError::Left(_)))));
    let long = users::add(&desk, &me(), &name("bob"), &"x".repeat(129), &[]).await;
    assert!(matches!(long, Err(CaseworkError::Access(_))));
    let told = kinds(&desk).await;
    let wanted = [
        "user.added",
        "user.role_granted",
        "user.role_withdrawn",
        "user.role_granted",
        "user.locked",
        "user.unlocked",
        "user.left",
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn a_key_opens_what_it_names_as_long_as_it_counts() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    users::add(&desk, &me(), &name("xena"), "", &grants(&["examiner"])).await.unwrap();
    let more = Wanted { permissions: [Permission::AuditRead].into(), ..wanted() };
    let more = api_keys::create(&desk, &me(), &name("xena"), more).await.unwrap_err();
    assert!(more.to_string().contains("audit.read"), "{more}");
    let made = api_keys::create(&desk, &me(), &name("xena"), wanted()).await.unwrap();
    let text = made.text.reveal();
    let Known::Yes(key, identity) = api_keys::recognise(&desk, text).await.unwrap() else { panic!("unknown") };
    assert_eq!((key.id, identity.name.as_str()), (made.record.id, "xena"));
    assert!(identity.rights.allow(Permission::SearchRun, None) && !identity.rights.allow(Permission::JobRead, None));
    assert!(desk.vault.people_book().keys(None, 9).await.unwrap()[0].last_used_day.is_some());
    let mut bent = text.to_owned();
    bent.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
    for bad in [bent.as_str(), "bert_00000000_", "", &text.replace("bert", "bart")] {
        assert_eq!(api_keys::recognise(&desk, bad).await.unwrap(), Known::Never, "{bad}");
    }
    // A role that is taken goes out of every key at once.
    let examiner = grants(&["examiner"]);
    users::change_roles(&desk, &me(), &name("xena"), (&examiner, &[])).await.unwrap();
    let Known::Yes(_, identity) = api_keys::recognise(&desk, text).await.unwrap() else { panic!("unknown") };
    assert!(!identity.rights.allow(Permission::SearchRun, None));
    users::change_roles(&desk, &me(), &name("xena"), (&[], &examiner)).await.unwrap();
    // Who is locked has no keys.
    users::set_state(&desk, &me(), &name("xena"), UserState::Locked).await.unwrap();
    assert_eq!(api_keys::recognise(&desk, text).await.unwrap(), Known::OwnerOut);
    users::set_state(&desk, &me(), &name("xena"), UserState::Active).await.unwrap();
    // Rotated, both count, and the old one for a day at most; revoked, at once not.
    let next = api_keys::rotate(&desk, &me(), &made.record.prefix, 30).await.unwrap();
    assert_eq!(next.record.limits, made.record.limits);
    assert!(matches!(api_keys::recognise(&desk, text).await.unwrap(), Known::Yes(..)));
    api_keys::revoke(&desk, &me(), &made.record.prefix).await.unwrap();
    assert_eq!(api_keys::recognise(&desk, text).await.unwrap(), Known::Revoked);
    let dead = api_keys::rotate(&desk, &me(), &made.record.prefix, 30).await;
    assert!(matches!(dead, Err(CaseworkError::People(PeopleError::Dead(_)))));
    assert!(matches!(api_keys::recognise(&desk, next.text.reveal()).await.unwrap(), Known::Yes(..)));
    users::set_state(&desk, &me(), &name("xena"), UserState::Left).await.unwrap();
    assert_eq!(api_keys::recognise(&desk, next.text.reveal()).await.unwrap(), Known::Revoked);
    // The secret itself is in no file of the data folder.
    desk.vault.clone().close().await;
    let secret = &next.text.reveal()[14..];
    for entry in fs_err::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { fs_err::read(&path).unwrap() } else { Vec::new() };
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn keys_are_few_and_short_lived() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    users::add(&desk, &me(), &name("sam"), "", &grants(&["submitter"])).await.unwrap();
    users::add(&desk, &me(), &name("nobody"), "", &[]).await.unwrap();
    let (sam, none) = (name("sam"), name("nobody"));
    for (owner, bad) in [
        (&sam, Wanted { days: 401, ..wanted() }),
        (&sam, Wanted { days: 0, ..wanted() }),
        (&sam, Wanted { rate_per_min: 0, ..wanted() }),
        (&sam, Wanted { galleries: Some([].into()), ..wanted() }),
        (&none, wanted()),
    ] {
        let error = api_keys::create(&desk, &me(), owner, bad).await.unwrap_err();
        assert!(matches!(error, CaseworkError::Access(_)), "{error}");
    }
    for _ in 0..KEYS_OF_USER_MAX {
        api_keys::create(&desk, &me(), &sam, wanted()).await.unwrap();
    }
    assert!(api_keys::create(&desk, &me(), &sam, wanted()).await.unwrap_err().to_string().contains("at most"));
    assert_eq!(api_keys::list(&desk, &me(), Some(&sam)).await.unwrap().len(), KEYS_OF_USER_MAX);
}

#[tokio::test]
async fn wrong_passwords_lock_across_restarts_and_however_many_come_at_once() {
    let home = tempfile::tempdir().unwrap();
    let open = desk(home.path()).await;
    let vic = name("vic");
    users::add(&open, &me(), &vic, "", &grants(&["verifier"])).await.unwrap();
    assert_eq!(type_in(&open, "vic", GOOD).await, Entry::Wrong, "there is no password yet");
    let short = passwords::set(&open, &me(), &vic, Secret::new("eleven char".to_owned())).await;
    assert!(matches!(short, Err(CaseworkError::Access(_))));
    passwords::set(&open, &me(), &vic, Secret::new(GOOD.to_owned())).await.unwrap();
    assert!(matches!(type_in(&open, "vic", GOOD).await, Entry::Welcome(..)));
    assert_eq!(type_in(&open, "nobody", GOOD).await, Entry::Wrong);
    assert_eq!(type_in(&open, "Not A Name", &"x".repeat(9_999)).await, Entry::Wrong);
    for _ in 1..PASSWORD_FAILURES_MAX {
        assert_eq!(type_in(&open, "vic", "a bad long password").await, Entry::Wrong);
    }
    open.vault.clone().close().await;
    drop(open);
    let open = desk(home.path()).await;
    // Ten tries at once where one is left: one is compared.
    let tries = (0..10).map(|_| type_in(&open, "vic", "another bad password"));
    let came = futures_util::future::join_all(tries).await;
    assert_eq!(came.iter().filter(|entry| **entry == Entry::Wrong).count(), 1, "{came:?}");
    assert!(matches!(type_in(&open, "vic", GOOD).await, Entry::Later(_)), "the right one does not count now");
    let told = open.vault.audit_book().newest(&EventFilter::default(), 1).await.unwrap();
    let event: Event = serde_json::from_str(&told[0].body).unwrap();
    assert_eq!((event.kind.as_str(), event.outcome), ("user.locked_out", Outcome::Refused));
    assert_eq!((event.actor.as_str(), event.objects.as_slice()), ("the server itself", &["user:1".to_owned()][..]));
    users::set_state(&open, &me(), &vic, UserState::Active).await.unwrap();
    assert!(matches!(type_in(&open, "vic", GOOD).await, Entry::Welcome(..)));
    users::set_state(&open, &me(), &vic, UserState::Locked).await.unwrap();
    assert_eq!(type_in(&open, "vic", GOOD).await, Entry::Wrong);
}

#[tokio::test]
async fn only_administrators_change_users_and_keys() {
    let home = tempfile::tempdir().unwrap();
    let desk = desk(home.path()).await;
    let mut callers = Vec::new();
    for role in ["submitter", "examiner", "verifier", "supervisor", "evaluator:a", "auditor", "administrator"] {
        let who = name(role.split(':').next().unwrap());
        let user = users::add(&desk, &me(), &who, "", &grants(&[role])).await.unwrap();
        let rights = crate::rights::Rights { grants: user.grants, limits: None };
        let identity = Identity { user: user.id, name: who, key: None, rights };
        callers.push(Caller::user(identity, None, 1));
    }
    for caller in &callers {
        let may = caller.who().actor == "administrator";
        let added = users::add(&desk, caller, &name(&format!("by-{}", caller.who().actor)), "", &[]).await;
        assert_eq!(added.is_ok(), may, "{caller:?}");
        assert_eq!(users::list(&desk, caller).await.is_ok(), may);
        assert_eq!(api_keys::list(&desk, caller, None).await.is_ok(), may);
        let made = api_keys::create(&desk, caller, &name("examiner"), wanted()).await;
        assert_eq!(made.is_ok(), may);
        let own = caller.identity().unwrap().name.clone();
        assert!(passwords::set(&desk, caller, &own, Secret::new(GOOD.to_owned())).await.is_ok(), "one's own");
        let other = passwords::set(&desk, caller, &name("submitter"), Secret::new(GOOD.to_owned())).await;
        assert_eq!(other.is_ok(), may || caller.who().actor == "submitter");
        assert_eq!(require(caller, Permission::AuditRead, None).is_ok(), caller.who().actor == "auditor");
    }
    let nobody = Caller::not_signed_in(None, 1);
    let error = users::show(&desk, &nobody, &name("auditor")).await.unwrap_err();
    assert!(matches!(error, CaseworkError::NotAllowed { permission: Permission::UserManage, .. }), "{error}");
}
