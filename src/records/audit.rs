//! The audit log in the records: an event is the last thing in the transaction of what it tells of, so that there is no deed
//! without its event and no event without its deed.

use std::path::Path;

use sqlx::Row as _;

use crate::audit::{Caller, Chain, Event, Happening, Hash, Kind, Object, StoredCheckpoint, StoredEvent};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::AUDIT_PAGE_MAX;
use crate::crypto::random;
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{Change, DbConnection, DbRow, Records, RecordsError, SqlBuilder, sql_error};

/// Which events are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// About this object, as events name it: `search:17`. A `template:5` is also found within `templates:4-9`.
    pub object: Option<String>,
}

/// An audit log, to read.
#[derive(Debug, Clone)]
pub struct AuditBook(Records);

impl Change {
    /// Tells what this change does. It counts with it.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn tell(&mut self, caller: &Caller, happening: &Happening) -> Result<(), RecordsError> {
        append(&mut self.transaction, caller, happening).await.map_err(|error| error.at(&self.path))?;
        self.told.push(caller.clone());
        Ok(())
    }
}

/// Random bytes of a data folder's id.
pub(super) const FOLDER_ID_BYTES: usize = 16;

/// Why an event could not be added.
pub(super) enum AppendError {
    /// The data base refused.
    Sql(sqlx::Error),
    /// The log can't be gone on with, in words.
    Log(String),
}

impl AppendError {
    /// The same of the records at `path`.
    pub(super) fn at(self, path: &Path) -> RecordsError {
        match self {
            Self::Sql(source) => sql_error(path)(source),
            Self::Log(what) => RecordsError::Damaged { path: path.to_owned(), what },
        }
    }
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// A random id of a data folder, in hexadecimal digits.
pub(super) fn new_id() -> Result<String, String> {
    Ok(hex::encode(&random::bytes::<FOLDER_ID_BYTES>().map_err(|error| error.to_string())?))
}

/// Adds an event on a connection that is in a transaction that may write.
pub(super) async fn append(
    connection: &mut DbConnection,
    caller: &Caller,
    happening: &Happening,
) -> Result<(), AppendError> {
    let last = head(connection).await?;
    let seq = last.seq() + 1;
    let event = Event::new(seq, last.hash(), clock::now_rfc3339(), caller.who(), happening);
    let body = event.body().map_err(AppendError::Log)?;
    let hash = Hash::of_event(&body).to_string();
    sqlx::query("INSERT INTO audit_event (seq, kind, body, hash) VALUES ($1, $2, $3, $4)")
        .bind(seq as i64)
        .bind(&event.kind)
        .bind(body)
        .bind(hash)
        .execute(&mut *connection)
        .await?;
    let objects: Vec<(usize, String)> = event.objects.into_iter().enumerate().collect();
    for some in objects.chunks(IDS_PER_STATEMENT) {
        let mut rows = SqlBuilder::new("INSERT INTO audit_object (seq, position, object) ");
        rows.push_values(some, |row, (position, object)| {
            row.push_bind(seq as i64).push_bind(*position as i64).push_bind(object.as_str());
        });
        rows.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Where the log has come to.
async fn head(connection: &mut DbConnection) -> Result<Chain, AppendError> {
    let last = "SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1";
    if let Some(row) = sqlx::query(last).fetch_optional(&mut *connection).await? {
        let (seq, hash): (i64, String) = (row.try_get("seq")?, row.try_get("hash")?);
        let hash = hex::decode_32(&hash).map(Hash);
        return match (u64::try_from(seq), hash) {
            (Ok(seq), Some(hash)) => Ok(Chain::at(seq, hash)),
            _broken => Err(AppendError::Log("the last event of the audit log is no event".to_owned())),
        };
    }
    let folder: String = sqlx::query_scalar("SELECT id FROM folder").fetch_one(&mut *connection).await?;
    Ok(Chain::new(&folder))
}

impl Records {
    /// The audit log.
    #[must_use]
    pub fn audit_book(&self) -> AuditBook {
        AuditBook(self.clone())
    }

    /// Gives the data folder its id, if it has none.
    pub(super) async fn name_folder(&self) -> Result<(), RecordsError> {
        let there: Option<String> =
            sqlx::query_scalar("SELECT id FROM folder").fetch_optional(&self.pool).await.map_err(self.sql())?;
        if there.is_some() {
            return Ok(());
        }
        self.give_id(&new_id().map_err(|what| self.damaged(what))?).await
    }

    /// Gives the data folder this id, if it has none.
    pub(super) async fn give_id(&self, id: &str) -> Result<(), RecordsError> {
        let insert = "INSERT INTO folder (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM folder)";
        let query = sqlx::query(insert).bind(id);
        query.execute(&self.pool).await.map(drop).map_err(self.sql())
    }

    /// Tells of something that changes nothing in the records. Nothing is shown before.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn tell(&self, caller: &Caller, happening: &Happening) -> Result<(), RecordsError> {
        let mut change = self.begin().await?;
        change.tell(caller, happening).await?;
        change.commit().await
    }
}

impl AuditBook {
    /// Id of the data folder.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn folder(&self) -> Result<String, RecordsError> {
        sqlx::query_scalar("SELECT id FROM folder").fetch_one(&self.0.pool).await.map_err(self.0.sql())
    }

    /// Where the log has come to: the last event's number and hash.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn head(&self) -> Result<Chain, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        head(&mut connection).await.map_err(|error| error.at(&self.0.path))
    }

    /// Whether there are events with numbers that no event has: nobody finds them by walking from the first.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn has_strange_numbers(&self) -> Result<bool, RecordsError> {
        let select = "SELECT COUNT(*) FROM audit_event WHERE seq < 1";
        let count: i64 = sqlx::query_scalar(select).fetch_one(&self.0.pool).await.map_err(self.0.sql())?;
        Ok(count > 0)
    }

    /// Events after number `after` as they are kept, in their order, at most [`AUDIT_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn after(&self, after: u64) -> Result<Vec<StoredEvent>, RecordsError> {
        // A number that no log reaches is one after which nothing comes.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let select = "SELECT seq, kind, body, hash FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2";
        let query = sqlx::query(select).bind(after).bind(AUDIT_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        self.with_objects(&rows).await
    }

    /// The newest events that `filter` lets through, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn newest(&self, filter: &EventFilter, limit: usize) -> Result<Vec<StoredEvent>, RecordsError> {
        self.newest_before(filter, None, limit).await
    }

    /// The same of events with numbers below `before`, where one is given.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn newest_before(
        &self,
        filter: &EventFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, RecordsError> {
        let limit = limit.min(AUDIT_PAGE_MAX) as i64;
        // No event has a number above this one; one below 1 leaves none.
        let last = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX).saturating_sub(1));
        let kind = filter.kind.map(Kind::as_str);
        let template =
            filter.object.as_deref().and_then(|object| object.strip_prefix("template:")?.parse::<i64>().ok());
        let rows = if let (Some(object), Some(template)) = (&filter.object, template) {
            // It may stand within `templates:FIRST-LAST`. The index has these together; what else there is, is not read as numbers.
            let select = "SELECT e.seq AS seq, e.kind AS kind, e.body AS body, e.hash AS hash FROM audit_event e \
                 WHERE e.seq > 0 AND e.seq <= $5 AND ($2 IS NULL OR e.kind = $2) AND e.seq IN (SELECT seq FROM audit_object WHERE object = $1 \
                 UNION SELECT seq FROM audit_object WHERE object >= 'templates:' AND object < 'templates;' \
                 AND CASE WHEN object LIKE 'templates:%-%' THEN \
                 CAST(rtrim(rtrim(substr(object, 11), '0123456789'), '-') AS BIGINT) <= $4 AND \
                 CAST(substr(ltrim(substr(object, 11), '0123456789'), 2) AS BIGINT) >= $4 ELSE 1 = 0 END) \
                 ORDER BY e.seq DESC LIMIT $3";
            let query = sqlx::query(select).bind(object.clone()).bind(kind).bind(limit).bind(template).bind(last);
            query.fetch_all(&self.0.pool).await
        } else if let Some(object) = &filter.object {
            let select = "SELECT e.seq AS seq, e.kind AS kind, e.body AS body, e.hash AS hash FROM audit_event e \
                 JOIN audit_object o ON o.seq = e.seq WHERE o.object = $1 AND e.seq > 0 AND e.seq <= $4 AND ($2 IS NULL OR e.kind = $2) \
                 GROUP BY e.seq ORDER BY e.seq DESC LIMIT $3";
            let query = sqlx::query(select).bind(object.clone()).bind(kind).bind(limit).bind(last);
            query.fetch_all(&self.0.pool).await
        } else {
            let select = "SELECT seq, kind, body, hash FROM audit_event WHERE seq > 0 AND seq <= $3 AND ($1 IS NULL OR kind = $1) \
                 ORDER BY seq DESC LIMIT $2";
            sqlx::query(select).bind(kind).bind(limit).bind(last).fetch_all(&self.0.pool).await
        };
        self.with_objects(&rows.map_err(self.0.sql())?).await
    }

    /// The first event of a kind about something, whatever was told of that since.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn first_about(&self, kind: Kind, object: Object) -> Result<Option<StoredEvent>, RecordsError> {
        let select = "SELECT e.seq AS seq, e.kind AS kind, e.body AS body, e.hash AS hash FROM audit_event e \
             JOIN audit_object o ON o.seq = e.seq WHERE o.object = $1 AND e.seq > 0 AND e.kind = $2 ORDER BY e.seq LIMIT 1";
        let query = sqlx::query(select).bind(object.in_words()).bind(kind.as_str());
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        Ok(self.with_objects(&rows).await?.pop())
    }

    /// The newest events of a kind in one gallery before number `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn newest_in(
        &self,
        gallery: &GalleryName,
        kind: Kind,
        before: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, RecordsError> {
        // Keys of a text are in ascending order, and no text within it has a quotation mark without a backslash.
        let words = format!("\"gallery\":\"{gallery}\",\"kind\":\"{}\"", kind.as_str());
        let select = "SELECT seq, kind, body, hash FROM audit_event WHERE kind = $1 AND seq > 0 AND seq < $2 \
             AND REPLACE(body, $3, '') <> body ORDER BY seq DESC LIMIT $4";
        let query = sqlx::query(select).bind(kind.as_str()).bind(i64::try_from(before).unwrap_or(i64::MAX));
        let query = query.bind(words).bind(limit.min(AUDIT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        self.with_objects(&rows).await
    }

    async fn with_objects(&self, rows: &[DbRow]) -> Result<Vec<StoredEvent>, RecordsError> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let text = |column: &str| row.try_get::<String, _>(column).map_err(self.0.sql());
            let seq: i64 = row.try_get("seq").map_err(self.0.sql())?;
            let (body, hash, kind) = (text("body")?, text("hash")?, text("kind")?);
            events.push(StoredEvent { seq: seq as u64, body, hash, kind, objects: Vec::new() });
        }
        let bounds = (events.iter().map(|event| event.seq).min(), events.iter().map(|event| event.seq).max());
        let (Some(first), Some(last)) = bounds else { return Ok(events) };
        if last - first < AUDIT_PAGE_MAX as u64 {
            self.join_objects(&mut events, first, last).await?;
        } else {
            for event in &mut events {
                let seq = event.seq;
                self.join_objects(std::slice::from_mut(event), seq, seq).await?;
            }
        }
        Ok(events)
    }

    async fn join_objects(&self, events: &mut [StoredEvent], first: u64, last: u64) -> Result<(), RecordsError> {
        let select = "SELECT seq, object FROM audit_object WHERE seq BETWEEN $1 AND $2 ORDER BY seq, position";
        let query = sqlx::query(select).bind(first as i64).bind(last as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        let mut by_seq: std::collections::HashMap<u64, Vec<String>> = std::collections::HashMap::new();
        for row in rows {
            let seq: i64 = row.try_get("seq").map_err(self.0.sql())?;
            by_seq.entry(seq as u64).or_default().push(row.try_get("object").map_err(self.0.sql())?);
        }
        for event in events {
            event.objects = by_seq.remove(&event.seq).unwrap_or_default();
        }
        Ok(())
    }

    /// Checkpoints at events after number `after`, in their order, at most [`AUDIT_PAGE_MAX`], each with the number it is
    /// kept at.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn checkpoints_after(&self, after: u64) -> Result<Vec<(u64, StoredCheckpoint)>, RecordsError> {
        let select = "SELECT seq, body, signature FROM audit_checkpoint WHERE seq > $1 ORDER BY seq LIMIT $2";
        let query = sqlx::query(select).bind(i64::try_from(after).unwrap_or(i64::MAX)).bind(AUDIT_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        let checkpoint = |row: &DbRow| {
            let (seq, body, signature): (i64, String, String) =
                (row.try_get("seq")?, row.try_get("body")?, row.try_get("signature")?);
            Ok((seq as u64, StoredCheckpoint { body, signature }))
        };
        rows.iter().map(checkpoint).collect::<Result<_, sqlx::Error>>().map_err(self.0.sql())
    }

    /// The number up to which the log is sealed; 0 for not at all.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn sealed_through(&self) -> Result<u64, RecordsError> {
        let select = "SELECT COALESCE(MAX(seq), 0) FROM audit_checkpoint";
        let seq: i64 = sqlx::query_scalar(select).fetch_one(&self.0.pool).await.map_err(self.0.sql())?;
        Ok(seq as u64)
    }

    /// The hash that is kept with event `seq`, if there is one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn hash_at(&self, seq: u64) -> Result<Option<String>, RecordsError> {
        let query = sqlx::query_scalar("SELECT hash FROM audit_event WHERE seq = $1").bind(seq as i64);
        query.fetch_optional(&self.0.pool).await.map_err(self.0.sql())
    }

    /// The text of event `seq`, if there is one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn body_at(&self, seq: u64) -> Result<Option<String>, RecordsError> {
        let query = sqlx::query_scalar("SELECT body FROM audit_event WHERE seq = $1").bind(seq as i64);
        query.fetch_optional(&self.0.pool).await.map_err(self.0.sql())
    }

    /// Keeps a checkpoint at event `seq`, if there is none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn seal(&self, seq: u64, checkpoint: &StoredCheckpoint) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        let insert = "INSERT INTO audit_checkpoint (seq, body, signature) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE seq = $1)";
        let query = sqlx::query(insert).bind(seq as i64).bind(&checkpoint.body).bind(&checkpoint.signature);
        query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        change.commit().await
    }
}
