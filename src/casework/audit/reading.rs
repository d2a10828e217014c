//! Reading the audit log: for whoever may, told of each time.

use crate::audit::{Caller, Checkpoint, Detail, Happening, Kind, StoredCheckpoint, StoredEvent};
use crate::casework::access::require_everywhere;
use crate::casework::{CaseworkError, Desk};
use crate::records::EventFilter;
use crate::rights::Permission;

/// The newest events that `filter` lets through, newest first, at most `most`; with `before`, of those with lower numbers.
/// Nothing is shown without a record, this neither.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::NotEverywhere`], what the records say.
pub async fn read(
    desk: &Desk,
    caller: &Caller,
    filter: &EventFilter,
    before: Option<u64>,
    most: usize,
) -> Result<Vec<StoredEvent>, CaseworkError> {
    may(caller)?;
    let found = desk.vault.audit_book().newest_before(filter, before, most).await?;
    tell(desk, caller, found.len()).await?;
    Ok(found)
}

/// The last checkpoint as it was signed, if there is one.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::NotEverywhere`], what the records say.
pub async fn last_checkpoint(
    desk: &Desk,
    caller: &Caller,
) -> Result<Option<(Checkpoint, StoredCheckpoint)>, CaseworkError> {
    may(caller)?;
    let book = desk.vault.audit_book();
    let sealed_through = book.sealed_through().await?;
    let last = book.checkpoints_after(sealed_through.saturating_sub(1)).await?.into_iter().next();
    tell(desk, caller, 0).await?;
    let Some((_, stored)) = last else { return Ok(None) };
    let read = serde_json::from_str(&stored.body);
    let damaged = |_| CaseworkError::Stopped("the last checkpoint is none: `bertillon audit verify`".to_owned());
    Ok(Some((read.map_err(damaged)?, stored)))
}

/// Goes on only for who may read the log: all of it, as it is of all galleries in one chain.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::NotEverywhere`].
pub fn may(caller: &Caller) -> Result<(), CaseworkError> {
    require_everywhere(caller, Permission::AuditRead)
}

async fn tell(desk: &Desk, caller: &Caller, events: usize) -> Result<(), CaseworkError> {
    let shown = Happening::new(Kind::AuditRead).with("events", Detail::Number(events as u64));
    Ok(desk.vault.acting_for(caller).tell(&shown).await?)
}
