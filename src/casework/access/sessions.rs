//! Sessions of people at a browser: opened by name and password, recognised by a token, ended.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::audit::{Caller, Identity};
use crate::base::clock;
use crate::base::hex;
use crate::base::limits::SESSION_IDLE_MIN_MAX;
use crate::casework::access::factors;
use crate::casework::access::passwords::{self, Entry, Typed};
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::{self, Secret};
use crate::gallery::GalleryError;
use crate::records::{Attempt, Basis, Opening, SessionRecord, UserRecord, UserState};
use crate::rights::Rights;

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// What is kept.
    pub record: SessionRecord,
    /// For the browser's cookie.
    pub token: Secret,
    /// Whose it is.
    pub user: UserRecord,
    /// As whom it was opened.
    pub caller: Caller,
}

/// What came of a sign-in.
pub type SignIn = Entry<Box<Opened>>;

/// Opens a session for who knows the password, and shows their second factor where they have one. `as_whom` makes a caller of who
/// that is.
///
/// # Errors
/// [`CaseworkError::Crowded`] where too many wait, before anything is done; what the records say. A wrong password is none.
pub async fn open(desk: &Desk, typed: Typed, as_whom: impl Fn(Identity) -> Caller) -> Result<SignIn, CaseworkError> {
    let _seat = passwords::seat()?;
    let attempt = passwords::begin(desk, &typed).await?;
    go_on(desk, &typed, attempt, clock::now_s(), as_whom).await
}

/// Goes on with a try that was begun, at a moment in seconds since 1970.
pub(super) async fn go_on(
    desk: &Desk,
    typed: &Typed,
    mut attempt: Attempt,
    now_s: u64,
    as_whom: impl Fn(Identity) -> Caller,
) -> Result<SignIn, CaseworkError> {
    // A try waits for its turn at hashing. What it was compared with may be another then: once more, with what is there now.
    for _ in 0..2 {
        let (user, compared) = match passwords::compare(desk, typed, attempt, now_s).await?.came() {
            Ok(right) => right,
            Err(refusal) => return Ok(refusal),
        };
        let id = user.id;
        match begin(desk, *user, Basis::Typed(&compared), &as_whom).await? {
            Begun::Done(opened) => {
                passwords::renew(desk, id, typed.password.clone(), &compared.password).await?;
                return Ok(Entry::Welcome(opened));
            }
            Begun::Spent => return Ok(Entry::Wrong),
            Begun::Changed => {
                attempt = desk.vault.people_book().attempt_again(id).await.map_err(GalleryError::from)?;
            }
        }
    }
    Ok(Entry::Wrong)
}

/// What came of the beginning of a session.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is open.
    Done(Box<Opened>),
    /// What was looked at is not so any more.
    Changed,
    /// The code does not count, or not any more.
    Spent,
}

/// Opens a session for who has shown who they are, if that still counts.
pub(super) async fn begin(
    desk: &Desk,
    user: UserRecord,
    basis: Basis<'_>,
    as_whom: impl Fn(Identity) -> Caller,
) -> Result<Begun, CaseworkError> {
    // A token of its own for each, made here: one that a client brings along counts for nothing.
    let token = tokens::new_token().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let caller = as_whom(identity(&user));
    let book = desk.vault.people_book();
    Ok(match book.open_session(&caller, user.id, basis, tokens::hash(token.reveal())).await? {
        Opening::Done(record) => Begun::Done(Box::new(Opened { record, token, user, caller })),
        Opening::Changed => Begun::Changed,
        Opening::Spent => Begun::Spent,
    })
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Theirs, and they may come in.
    Yes(SessionRecord, Box<UserRecord>),
    /// Theirs, and one of their roles takes a second factor by now, which they did not show when they opened it.
    FactorWanted(Box<UserRecord>),
    /// Nobody's, or nobody's any more.
    Over,
}

/// Whose token this is, if it counts and its owner may come in. Roles and the policy are those of this moment, so who opened a
/// session without a second factor is asked again whether none is wanted.
///
/// # Errors
/// What the records say.
pub async fn recognise(desk: &Desk, token: &str) -> Result<Known, CaseworkError> {
    let book = desk.vault.people_book();
    let Some((session, user)) = held(desk, token).await? else { return Ok(Known::Over) };
    if !session.by.has_factor() && factors::is_wanted(desk, &user).await? {
        return Ok(Known::FactorWanted(Box::new(user)));
    }
    // Once a minute, not with each request.
    if session.idle_until < clock::rfc3339_in(Duration::from_mins(SESSION_IDLE_MIN_MAX - 1)) {
        book.session_used(session.id).await.map_err(GalleryError::from)?;
    }
    Ok(Known::Yes(session, Box::new(user)))
}

async fn held(desk: &Desk, token: &str) -> Result<Option<(SessionRecord, UserRecord)>, CaseworkError> {
    let found = desk.vault.people_book().session(tokens::hash(token)).await.map_err(GalleryError::from)?;
    Ok(found.filter(|(_, user)| user.state == UserState::Active))
}

/// Ends the session of a token.
///
/// # Errors
/// What the records say.
pub async fn end(desk: &Desk, caller: &Caller, token: &str) -> Result<(), CaseworkError> {
    if let Some((session, user)) = held(desk, token).await? {
        desk.vault.people_book().end_session(caller, session.id, user.id).await?;
    }
    Ok(())
}

/// What a page of this server sends with whatever changes something, beside the cookie: another site's page can have the
/// browser send the cookie, and can't read this.
#[must_use]
pub fn page_token(token: &str) -> String {
    hex::encode(&Sha256::digest(format!("bertillon page 1\n{token}")))
}

/// Who somebody is by their password: all that their roles allow.
#[must_use]
pub fn identity(user: &UserRecord) -> Identity {
    let rights = Rights { grants: user.grants.clone(), limits: None };
    Identity { user: user.id, name: user.name.clone(), key: None, rights }
}

#[cfg(test)]
mod tests;
