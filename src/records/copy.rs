//! One gallery's records in a file of their own, for its backup, and back.
//!
//! The copy is a file of `SQLite` wherever the records are, so that a gallery can be backed up from one kind of data base and restored
//! under the other. Rows are read one after another, in one transaction that sees one moment however much is written meanwhile,
//! and written some hundred at a time.

mod tables;

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::ids::{GalleryName, TemplateId};
use crate::crypto::KeyId;
use crate::records::copy::tables::{Part, Table, parts_in, parts_out, subjects_in};
use crate::records::dialect::FileUse;
use crate::records::jobs::end_job;
use crate::records::pictures::add_key;
use crate::records::sql::Bound;
use crate::records::subjects::{Since, restrict_and_hold_as_now};
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{
    BACKFILL, COPY_SCHEMA_MIN, DbConnection, DbRow, GalleryRecord, JobState, Records, RecordsError, SUBJECTS_SINCE,
    SqlBuilder, sql_error,
};
use crate::settings::storage::Storage;

/// A gallery of a copy that is taken in.
#[derive(Debug)]
pub struct TakenIn<'a> {
    /// Its name in the copy.
    pub from: &'a GalleryName,
    /// Its name here.
    pub name: &'a GalleryName,
    /// Templates that are erased in it.
    pub erased: &'a [TemplateId],
    /// Whether `from` is here too: then whom that restricts and holds now, this does.
    pub beside: bool,
    /// The job that this is, and its outcome.
    pub job: Option<(i64, String)>,
    /// The key under which its files lie here, where they are sealed.
    pub key: Option<KeyId>,
    /// Who takes it in.
    pub caller: &'a Caller,
}

impl Records {
    /// Copies what is known about a gallery and its templates up to `last_id` into a new data base at `path`. Gives the
    /// templates that are not live at that moment, ascending; in the copy they are erased.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn copy_gallery_to(
        &self,
        gallery: &GalleryName,
        last_id: u64,
        now: &str,
        path: &Path,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let copy = Self::create(path).await?;
        let copied = copy.fill_from(self, gallery, last_id, now).await;
        copy.close().await;
        let gone = copied?;
        // One file, without a journal beside it: what is hashed is all there is.
        let plain = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Delete).connect().await;
        let closed = match plain {
            Ok(connection) => connection.close().await,
            Err(error) => Err(error),
        };
        closed.map_err(sql_error(path))?;
        Ok(gone)
    }

    async fn fill_from(
        &self,
        source: &Self,
        gallery: &GalleryName,
        last_id: u64,
        now: &str,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let mut from = source.read().await?;
        let mut into = self.begin().await?;
        let about = [gallery.as_str().into(), (last_id as i64).into(), now.into()];
        for part in parts_out() {
            pour(&part, &about, &mut from, &mut into.transaction).await.map_err(self.sql())?;
        }
        into.commit().await?;
        from.commit().await.map_err(source.sql())?;
        let gone = "SELECT id FROM template WHERE state <> 'live' ORDER BY id";
        let gone: Vec<i64> = sqlx::query_scalar(gone).fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(gone.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    /// The one gallery of a copy made by [`copy_gallery_to`](Self::copy_gallery_to).
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn gallery_of_copy(path: &Path) -> Result<Option<GalleryRecord>, RecordsError> {
        let copy = Self::connect(path, FileUse::Look).await?;
        let checked = copy.check_version(COPY_SCHEMA_MIN).await;
        let galleries = copy.galleries().await;
        copy.close().await;
        checked?;
        Ok(galleries?.pop())
    }

    /// Takes the gallery of a copy at `path` in, in one transaction.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], also when the name is taken.
    pub async fn take_in_gallery(&self, path: &Path, taken: &TakenIn<'_>, now: &str) -> Result<(), RecordsError> {
        let copy = Self::connect(path, FileUse::Look).await?;
        let done = self.take_in(&copy, taken, now).await;
        copy.close().await;
        done
    }

    async fn take_in(&self, copy: &Self, taken: &TakenIn<'_>, now: &str) -> Result<(), RecordsError> {
        let TakenIn { from: origin, name, erased, beside, job, key, caller } = taken;
        // One connection: what is temporary is its own.
        let mut from = copy.pool.acquire().await.map_err(copy.sql())?;
        let temporary = "CREATE TEMP TABLE erased_since (template_id BIGINT NOT NULL PRIMARY KEY, erased_at TEXT)";
        sqlx::query(temporary).execute(&mut *from).await.map_err(copy.sql())?;
        for some in erased.chunks(IDS_PER_STATEMENT) {
            let mut insert = SqlBuilder::new("INSERT INTO temp.erased_since (template_id, erased_at) ");
            insert.push_values(some, |row, id| {
                row.push_bind(id.0 as i64).push_bind(now);
            });
            insert.build().execute(&mut *from).await.map_err(copy.sql())?;
        }
        let mut change = self.begin().await?;
        let mut about = vec![origin.as_str().into(), name.as_str().into()];
        for part in parts_in() {
            pour(&part, &about, &mut from, &mut change.transaction).await.map_err(self.sql())?;
        }
        let restored = "UPDATE gallery SET restored_from = $2, restored_through = last_template_id WHERE name = $1";
        let query = sqlx::query(restored).bind(name.as_str()).bind(origin.as_str());
        query.execute(&mut *change.transaction).await.map_err(self.sql())?;
        if let Some(key) = key {
            let sealed = "UPDATE gallery SET storage = $2 WHERE name = $1";
            let query = sqlx::query(sealed).bind(name.as_str()).bind(Storage::Sealed.as_str());
            query.execute(&mut *change.transaction).await.map_err(self.sql())?;
            add_key(&mut change.transaction, name, *key).await.map_err(self.sql())?;
        }
        let version = "SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations WHERE success";
        let version: i64 = sqlx::query_scalar(version).fetch_one(&mut *from).await.map_err(copy.sql())?;
        if version < SUBJECTS_SINCE {
            // Those that its references make.
            sqlx::raw_sql(BACKFILL).execute(&mut *change.transaction).await.map_err(self.sql())?;
        } else {
            for select in [
                "SELECT COALESCE(MAX(id), 0) AS last FROM subject",
                "SELECT COALESCE(MAX(id), 0) AS last FROM image",
                "SELECT COALESCE(MAX(id), 0) AS last FROM legal_hold",
            ] {
                let last = sqlx::query_scalar::<_, i64>(select).fetch_one(&mut *change.transaction).await;
                about.push(last.map_err(self.sql())?.into());
            }
            for part in subjects_in() {
                pour(&part, &about, &mut from, &mut change.transaction).await.map_err(self.sql())?;
            }
        }
        let since = if *beside {
            restrict_and_hold_as_now(&mut change.transaction, origin, name).await.map_err(self.sql())?
        } else {
            Since::default()
        };
        if let Some((job, outcome)) = job {
            end_job(&mut change.transaction, *job, JobState::Done, outcome).await.map_err(self.sql())?;
        }
        let restored =
            Happening::new(Kind::GalleryRestored).of(name).about(job.iter().map(|(job, _)| Object::Job(*job)));
        let restored = restored.with("erased_since", Detail::Number(erased.len() as u64));
        let restored = restored.with("restricted_since", Detail::Number(since.restricted));
        let restored = restored.with("held_since", Detail::Number(since.held));
        change.tell(caller, &restored).await?;
        change.commit().await
    }

    /// Templates that are erased or being erased, ascending.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn not_live(&self, gallery: &GalleryName) -> Result<Vec<TemplateId>, RecordsError> {
        let select = "SELECT id FROM template WHERE gallery = $1 AND state <> 'live' AND state <> 'void' ORDER BY id";
        let ids: Vec<i64> =
            sqlx::query_scalar(select).bind(gallery.as_str()).fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(ids.into_iter().map(|id| TemplateId(id as u64)).collect())
    }
}

/// Copies the rows of a part. `about` are the parameters of its `SELECT`, as far as it has them.
async fn pour(
    part: &Part,
    about: &[Bound],
    from: &mut DbConnection,
    into: &mut DbConnection,
) -> Result<(), sqlx::Error> {
    let select = part.select();
    let wanted = (1..=about.len()).rev().find(|number| select.contains(&format!("${number}"))).unwrap_or(0);
    let query = SqlBuilder::numbered(select, about.iter().take(wanted).cloned().collect()).build();
    let mut rows = query.fetch(from);
    let mut some = Vec::with_capacity(IDS_PER_STATEMENT);
    while let Some(row) = rows.try_next().await? {
        some.push(row);
        if some.len() == IDS_PER_STATEMENT {
            write(&part.table, &some, into).await?;
            some.clear();
        }
    }
    if some.is_empty() { Ok(()) } else { write(&part.table, &some, into).await }
}

async fn write(table: &Table, rows: &[DbRow], into: &mut DbConnection) -> Result<(), sqlx::Error> {
    let columns = |row: &DbRow| -> Result<Vec<Bound>, sqlx::Error> {
        let numbers = table.numbers.iter().map(|column| Ok(row.try_get::<Option<i64>, _>(*column)?.into()));
        let texts = table.texts.iter().map(|column| Ok(row.try_get::<Option<String>, _>(*column)?.into()));
        numbers.chain(texts).collect()
    };
    let values = rows.iter().map(columns).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = table.columns().collect();
    let mut insert = SqlBuilder::new(&format!("INSERT INTO {} ({}) ", table.name, names.join(", ")));
    insert.push_values(values, |row, values| {
        for value in values {
            row.push_bind(value);
        }
    });
    insert.build().execute(into).await.map(drop)
}
