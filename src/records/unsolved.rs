//! Unsolved probes: searches that led to nobody and may be made anew, as long as their picture is kept. What may be put on the list is
//! decided above; here it is kept, each change with the event that tells of it.

use std::collections::BTreeSet;

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{UNSOLVED_MAX, UNSOLVED_PAGE_MAX, UNSOLVED_RESCANS_SHOWN_MAX};
use crate::base::text::is_overwritten;
use crate::records::review::listed;
use crate::records::{Change, DbRow, Records, RecordsError};

/// The unsolved probes of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct UnsolvedBook {
    records: Records,
    caller: Caller,
}

impl Records {
    /// Unsolved probes, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn unsolved_book(&self, caller: &Caller) -> UnsolvedBook {
        UnsolvedBook { records: self.clone(), caller: caller.clone() }
    }
}

/// What is known of a search that may be put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsolvedFacts {
    /// In which gallery it was.
    pub gallery: GalleryName,
    /// Its kept picture, if there is one.
    pub probe: Option<i64>,
    /// The state of its review, if it has one.
    pub review: Option<String>,
    /// Its place on the list, if it stands there.
    pub listed: Option<i64>,
    /// The entry whose rescan it is, if it is one.
    pub rescan_of: Option<i64>,
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsolvedRecord {
    /// Its number.
    pub id: i64,
    /// Which search.
    pub search: i64,
    /// Its kept picture.
    pub probe: i64,
    /// In which gallery.
    pub gallery: GalleryName,
    /// listed, removed or expired.
    pub state: String,
    /// Who put it there.
    pub added_by: String,
    /// When, RFC 3339.
    pub added_at: String,
    /// When its picture is erased, and it goes.
    pub expires_at: String,
    /// Why it is there; `None` where that is erased.
    pub reason: Option<String>,
    /// Searches that were made anew, the newest of them, ascending.
    pub rescans: Vec<i64>,
    /// The last template that was searched, by any of its searches.
    pub searched_to: TemplateId,
    /// The state of its search's review, if it has one.
    pub review: Option<String>,
}

/// All that is known of an entry in one row.
const SELECT: &str = "SELECT u.id AS id, u.search_id AS search_id, u.probe_id AS probe_id, u.gallery AS gallery, u.state AS state, \
     u.added_by AS added_by, u.added_at AS added_at, p.expires_at AS expires_at, p.state AS kept, \
     (SELECT t.said FROM unsolved_text t WHERE t.unsolved_id = u.id) AS said, \
     (SELECT r.state FROM review r WHERE r.search_id = u.search_id) AS review, \
     (SELECT COALESCE(MAX(c.last_template_id), 0) FROM search_context c WHERE c.search_id = u.search_id OR c.search_id IN \
     (SELECT w.search_id FROM unsolved_search w WHERE w.unsolved_id = u.id)) AS searched_to \
     FROM unsolved u JOIN probe_image p ON p.id = u.probe_id";

impl UnsolvedBook {
    /// What is known of a search; `None` where there is none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn facts(&self, search: i64) -> Result<Option<UnsolvedFacts>, RecordsError> {
        let select = "SELECT s.gallery AS gallery, \
             (SELECT w.probe_id FROM search_probe w JOIN probe_image p ON p.id = w.probe_id \
             WHERE w.search_id = s.id AND p.state = 'kept') AS probe, \
             (SELECT r.state FROM review r WHERE r.search_id = s.id) AS review, \
             (SELECT u.id FROM unsolved u WHERE u.search_id = s.id AND u.state = 'listed') AS listed, \
             (SELECT a.unsolved_id FROM unsolved_search a WHERE a.search_id = s.id) AS rescan_of FROM search s WHERE s.id = $1";
        let query = sqlx::query(select).bind(search);
        let row = query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        let facts = |row: &DbRow| {
            let number = |column: &str| row.try_get::<Option<i64>, _>(column).map_err(self.records.sql());
            Ok(UnsolvedFacts {
                gallery: self.gallery(row)?,
                probe: number("probe")?,
                review: row.try_get("review").map_err(self.records.sql())?,
                listed: number("listed")?,
                rescan_of: number("rescan_of")?,
            })
        };
        row.as_ref().map(facts).transpose()
    }

    /// Puts a search on the list, for a reason; its number there. `None` where its picture is not kept (any more), or it stands there.
    ///
    /// # Errors
    /// [`RecordsError::ListEmptied`], [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn add(&self, search: i64, person: &str, reason: &str) -> Result<Option<i64>, RecordsError> {
        let mut change = self.records.begin().await?;
        change.refuse_emptied(search).await?;
        let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM unsolved WHERE state = 'listed'");
        let listed = count.fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        if listed >= UNSOLVED_MAX as i64 {
            return Err(RecordsError::TooMany { what: "unsolved probes", limit: UNSOLVED_MAX });
        }
        let insert = "INSERT INTO unsolved (id, search_id, probe_id, gallery, state, added_by, added_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM unsolved), w.search_id, p.id, p.gallery, 'listed', $2, $3 \
             FROM search_probe w JOIN probe_image p ON p.id = w.probe_id WHERE w.search_id = $1 AND p.state = 'kept' \
             AND NOT EXISTS (SELECT 1 FROM unsolved u WHERE u.search_id = $1 AND u.state = 'listed') RETURNING id";
        let query = sqlx::query_scalar::<_, i64>(insert).bind(search).bind(person).bind(clock::now_rfc3339());
        let added = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let Some(id) = added else { return Ok(None) };
        let insert = "INSERT INTO unsolved_text (unsolved_id, said) VALUES ($1, $2)";
        let query = sqlx::query(insert).bind(id).bind(reason).execute(&mut *change.transaction);
        query.await.map_err(change.sql())?;
        let select = "SELECT gallery FROM unsolved WHERE id = $1";
        let row = sqlx::query(select).bind(id).fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        let happening = Happening::new(Kind::UnsolvedAdded).of(&self.gallery(&row)?);
        change.tell(&self.caller, &happening.about([Object::Unsolved(id), Object::Search(search)])).await?;
        change.commit().await?;
        Ok(Some(id))
    }

    /// Takes an entry off the list; whether it stood there.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn remove(&self, entry: &UnsolvedRecord, person: &str) -> Result<bool, RecordsError> {
        let mut change = self.records.begin().await?;
        let update = "UPDATE unsolved SET state = 'removed', removed_by = $2, removed_at = $3 WHERE id = $1 AND state = 'listed'";
        let query = sqlx::query(update).bind(entry.id).bind(person).bind(clock::now_rfc3339());
        let removed = query.execute(&mut *change.transaction).await.map_err(change.sql())?.rows_affected();
        if removed != 1 {
            return Ok(false);
        }
        let happening = Happening::new(Kind::UnsolvedRemoved).of(&entry.gallery);
        change.tell(&self.caller, &happening.about([Object::Unsolved(entry.id)])).await?;
        change.commit().await?;
        Ok(true)
    }

    /// One entry.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<UnsolvedRecord>, RecordsError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE u.id = $1"))).bind(id);
        match query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())? {
            Some(row) => Ok(Some(self.entry_of(&row).await?)),
            None => Ok(None),
        }
    }

    /// Entries that stand on the list with numbers below `before`, newest first, at most `limit`, of the galleries `within` if these are given.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(
        &self,
        within: Option<&BTreeSet<GalleryName>>,
        (before, limit): (i64, usize),
    ) -> Result<Vec<UnsolvedRecord>, RecordsError> {
        let select = format!(
            "{SELECT} WHERE u.id < $1 AND u.state = 'listed' \
             AND ($2 IS NULL OR REPLACE($2, ',' || u.gallery || ',', '') <> $2) ORDER BY u.id DESC LIMIT $3"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(before).bind(within.map(listed));
        let query = query.bind(limit.min(UNSOLVED_PAGE_MAX) as i64);
        let mut found = Vec::new();
        for row in &query.fetch_all(&self.records.pool).await.map_err(self.records.sql())? {
            found.push(self.entry_of(row).await?);
        }
        Ok(found)
    }

    async fn entry_of(&self, row: &DbRow) -> Result<UnsolvedRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.records.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.records.sql());
        let id = number("id")?;
        let select = "SELECT search_id FROM unsolved_search WHERE unsolved_id = $1 ORDER BY search_id DESC LIMIT $2";
        let query = sqlx::query_scalar(select).bind(id).bind(UNSOLVED_RESCANS_SHOWN_MAX as i64);
        let mut rescans: Vec<i64> = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rescans.reverse();
        let kept = text("kept")? == "kept";
        let readable = |said: &String| kept && !is_overwritten(said);
        Ok(UnsolvedRecord {
            id,
            search: number("search_id")?,
            probe: number("probe_id")?,
            gallery: self.gallery(row)?,
            state: text("state")?,
            added_by: text("added_by")?,
            added_at: text("added_at")?,
            expires_at: text("expires_at")?,
            reason: maybe("said")?.filter(readable),
            rescans,
            searched_to: TemplateId(number("searched_to")? as u64),
            review: maybe("review")?,
        })
    }

    fn gallery(&self, row: &DbRow) -> Result<GalleryName, RecordsError> {
        let name: String = row.try_get("gallery").map_err(self.records.sql())?;
        name.parse().map_err(|_| self.records.damaged("an unsolved probe is of an impossible gallery".to_owned()))
    }
}

impl Change {
    /// Says that a search was made anew for an entry, with the picture that is kept of it.
    pub(super) async fn rescanned(&mut self, entry: i64, search: i64) -> Result<(), RecordsError> {
        let insert = "INSERT INTO search_probe (search_id, probe_id) SELECT $2, u.probe_id FROM unsolved u \
             JOIN probe_image p ON p.id = u.probe_id WHERE u.id = $1 AND u.state = 'listed' AND p.state = 'kept'";
        let query = sqlx::query(insert).bind(entry).bind(search).execute(&mut *self.transaction);
        if query.await.map_err(self.sql())?.rows_affected() != 1 {
            return Err(RecordsError::UnsolvedOver(entry));
        }
        let insert = "INSERT INTO unsolved_search (search_id, unsolved_id) VALUES ($1, $2)";
        let query = sqlx::query(insert).bind(search).bind(entry).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }

    /// Takes the entry of a search off the list, as nothing is left of what was stated and found.
    pub(super) async fn expire_unsolved_search(&mut self, search: i64) -> Result<(), RecordsError> {
        let update = "UPDATE unsolved SET state = 'expired' WHERE search_id = $1 AND state = 'listed'";
        let query = sqlx::query(update).bind(search).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }

    /// Takes entries off the list whose picture is being erased.
    pub(super) async fn expire_unsolved(&mut self, probe: i64) -> Result<(), RecordsError> {
        let update = "UPDATE unsolved SET state = 'expired' WHERE probe_id = $1 AND state = 'listed'";
        let query = sqlx::query(update).bind(probe).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }
}
