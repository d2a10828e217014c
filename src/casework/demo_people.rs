//! The people of the demonstration: one of each role, with a key for a day. None where the data folder has users of its own.

use crate::audit::Caller;
use crate::base::ids::UserName;
use crate::casework::access::api_keys::{self, Wanted};
use crate::casework::access::users;
use crate::casework::{CaseworkError, Desk, demo};
use crate::crypto::tokens::Secret;
use crate::gallery::GalleryError;
use crate::records::{UserRecord, UserState};
use crate::rights::{Grant, Role};

const PEOPLE: [(&str, Role); 7] = [
    ("sam", Role::Submitter),
    ("xena", Role::Examiner),
    ("vic", Role::Verifier),
    ("una", Role::Supervisor),
    ("eve", Role::Evaluator),
    ("ada", Role::Auditor),
    ("max", Role::Administrator),
];
const DISPLAY: &str = "of the demonstration";
const RATE_PER_MIN: u32 = 600;

/// A key of the demonstration.
#[derive(Debug)]
pub struct DemoKey {
    /// Whose.
    pub name: UserName,
    /// What they are.
    pub role: Role,
    /// The key, which nobody can show again.
    pub text: Secret,
}

/// Makes those who are not there, ends the keys of earlier demonstrations, and gives everybody a new one. `None` where there are
/// users whom no demonstration made: theirs is the data folder.
///
/// # Errors
/// [`CaseworkError::People`], what the records say.
pub async fn keys(desk: &Desk, caller: &Caller) -> Result<Option<Vec<DemoKey>>, CaseworkError> {
    let book = desk.vault.people_book();
    let there = book.users().await.map_err(GalleryError::from)?;
    let ours = |user: &UserRecord| {
        let known = PEOPLE.iter().any(|(name, _)| user.name.as_str() == *name);
        known && user.display == DISPLAY && user.state == UserState::Active
    };
    if !there.iter().all(ours) {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for (name, role) in PEOPLE {
        let name: UserName = name.parse()?;
        if let Some(user) = there.iter().find(|user| user.name == name) {
            for key in book.keys(Some(user.id), usize::MAX).await.map_err(GalleryError::from)? {
                if key.counts() {
                    api_keys::revoke(desk, caller, &key.prefix).await?;
                }
            }
        } else {
            users::add(desk, caller, &name, DISPLAY, &[grant(role)?]).await?;
        }
        let wanted = Wanted { permissions: [].into(), galleries: None, days: 1, rate_per_min: RATE_PER_MIN };
        let made = api_keys::create(desk, caller, &name, wanted).await?;
        keys.push(DemoKey { name, role, text: made.text });
    }
    Ok(Some(keys))
}

fn grant(role: Role) -> Result<Grant, CaseworkError> {
    let text = if role == Role::Evaluator { format!("{role}:{}", demo::GALLERY) } else { role.to_string() };
    text.parse().map_err(|error: crate::rights::RightsError| CaseworkError::Access(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::access::api_keys::Known;
    use crate::gallery::Access;
    use crate::settings::Settings;
    use crate::settings::back_end::BackEnd;
    use crate::settings::flags::Flags;

    #[tokio::test]
    async fn each_demonstration_has_keys_of_its_own_and_leaves_real_users_alone() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path();
        let flags = Flags { data: Some(data.to_owned()), back_end: Some(BackEnd::Cpu), ..Flags::default() };
        let settings = Settings::load(None, data, flags).unwrap().settings;
        let desk = Desk::open(settings, Access::Writer).await.unwrap();
        let me = Caller::itself("a test");
        let first = keys(&desk, &me).await.unwrap().unwrap();
        assert_eq!(first.len(), Role::ALL.len());
        let second = keys(&desk, &me).await.unwrap().unwrap();
        for (old, new) in first.iter().zip(&second) {
            assert_eq!(api_keys::recognise(&desk, old.text.reveal()).await.unwrap(), Known::Revoked);
            assert!(matches!(api_keys::recognise(&desk, new.text.reveal()).await.unwrap(), Known::Yes(..)));
        }
        users::add(&desk, &me, &"mary".parse().unwrap(), "", &[]).await.unwrap();
        assert!(keys(&desk, &me).await.unwrap().is_none());
    }
}
