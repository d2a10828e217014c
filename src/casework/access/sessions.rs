//! Sessions of people at a browser: opened by name and password, recognised by a token, ended.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::audit::{Caller, Identity};
use crate::base::clock;
use crate::base::hex;
use crate::base::limits::SESSION_IDLE_MIN_MAX;
use crate::casework::access::passwords::{self, Entry};
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::{self, Secret};
use crate::gallery::GalleryError;
use crate::records::{SessionRecord, UserRecord, UserState};
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

/// Opens a session for who knows the password. `as_whom` makes a caller of who that is. `None` where the sign-in is wrong in any
/// way, and while none counts.
///
/// # Errors
/// What the records say.
pub async fn open(
    desk: &Desk,
    name: &str,
    password: Secret,
    as_whom: impl FnOnce(Identity) -> Caller,
) -> Result<Option<Opened>, CaseworkError> {
    let Entry::Welcome(user) = passwords::try_it(desk, name, password).await? else { return Ok(None) };
    // A token of its own for each, made here: one that a client brings along counts for nothing.
    let token = tokens::new_token().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let caller = as_whom(identity(&user));
    let record = desk.vault.people_book().open_session(&caller, user.id, tokens::hash(token.reveal())).await?;
    Ok(Some(Opened { record, token, user: *user, caller }))
}

/// Whose token this is, if it counts and its owner may come in.
///
/// # Errors
/// What the records say.
pub async fn recognise(desk: &Desk, token: &str) -> Result<Option<(SessionRecord, UserRecord)>, CaseworkError> {
    let book = desk.vault.people_book();
    let found = book.session(tokens::hash(token)).await.map_err(GalleryError::from)?;
    let Some((session, user)) = found.filter(|(_, user)| user.state == UserState::Active) else { return Ok(None) };
    // Once a minute, not with each request.
    if session.idle_until < clock::rfc3339_in(Duration::from_mins(SESSION_IDLE_MIN_MAX - 1)) {
        book.session_used(session.id).await.map_err(GalleryError::from)?;
    }
    Ok(Some((session, user)))
}

/// Ends the session of a token.
///
/// # Errors
/// What the records say.
pub async fn end(desk: &Desk, caller: &Caller, token: &str) -> Result<(), CaseworkError> {
    if let Some((session, user)) = recognise(desk, token).await? {
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
