//! One gallery's records in a file of their own, for its backup, and back.
//!
//! `SQLite` copies between two of its files in one statement a table, within one read transaction, so the copy is of one
//! moment however much is written meanwhile. (Under PostgreSQL its own tools do this; nothing here is needed then.)

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::ids::{GalleryName, TemplateId};
use crate::records::audit::append;
use crate::records::jobs::end_job;
use crate::records::{
    BACKFILL, COPY_SCHEMA_MIN, GalleryRecord, JobState, Records, RecordsError, SUBJECTS_SINCE, sql_error,
};

/// Details and attributes go with live references only: of the others nothing but their erasure is known.
const COPY_OUT: [&str; 10] = [
    "INSERT INTO main.gallery SELECT name, purpose, model_name, model_hash, dimension, originals, created_at, $2, \
     snapshot_number, graph_plan FROM source.gallery WHERE name = $1",
    "INSERT INTO main.template SELECT gallery, id, CASE state WHEN 'live' THEN 'live' ELSE 'erased' END, \
     CASE state WHEN 'live' THEN subject_key END, CASE state WHEN 'live' THEN image_key END, \
     CASE state WHEN 'erasing' THEN $3 ELSE erased_at END \
     FROM source.template WHERE gallery = $1 AND id <= $2 AND state <> 'void' ORDER BY id",
    "INSERT INTO main.reference_detail SELECT d.* FROM source.reference_detail d JOIN main.template t \
     ON t.gallery = d.gallery AND t.id = d.template_id WHERE d.gallery = $1 AND t.state = 'live' ORDER BY t.id",
    "INSERT INTO main.template_attribute SELECT a.* FROM source.template_attribute a JOIN main.template t \
     ON t.gallery = a.gallery AND t.id = a.template_id WHERE a.gallery = $1 AND t.state = 'live' ORDER BY t.id",
    "INSERT INTO main.reference_attribute SELECT a.* FROM source.reference_attribute a JOIN main.template t \
     ON t.gallery = a.gallery AND t.id = a.template_id WHERE a.gallery = $1 AND t.state = 'live' ORDER BY t.id",
    // Subjects with an image in the copy, and who was merged into them: whoever is enrolled as these is known to be them.
    "INSERT INTO main.subject SELECT s.id, s.gallery, s.subject_key, s.state, s.merged_into, s.first_template, s.restricted_at, \
     s.created_at, s.erased_at FROM source.subject s WHERE s.gallery = $1 AND EXISTS (SELECT 1 FROM source.image i \
     JOIN main.template t ON t.gallery = i.gallery AND t.id = i.template_id WHERE i.subject_id = s.id AND i.state = 'live' \
     AND t.state = 'live') ORDER BY s.id",
    "INSERT INTO main.subject SELECT s.id, s.gallery, s.subject_key, s.state, s.merged_into, s.first_template, s.restricted_at, \
     s.created_at, s.erased_at FROM source.subject s WHERE s.gallery = $1 AND s.state = 'merged' \
     AND s.merged_into IN (SELECT id FROM main.subject) AND s.id NOT IN (SELECT id FROM main.subject) ORDER BY s.id",
    "INSERT INTO main.subject_reference SELECT r.subject_id, r.reference FROM source.subject_reference r \
     JOIN main.subject s ON s.id = r.subject_id WHERE s.gallery = $1 ORDER BY s.id",
    "INSERT INTO main.image (id, gallery, template_id, subject_id, state, captured_on, pose, lawful_basis, disposal, disposed_on, under18, review_group, review_on, expires_on, \
     kept_until, review_due, expires, created_on) SELECT i.id, i.gallery, i.template_id, \
     i.subject_id, i.state, i.captured_on, i.pose, i.lawful_basis, i.disposal, i.disposed_on, i.under18, i.review_group, \
     i.review_on, i.expires_on, i.kept_until, i.review_due, i.expires, i.created_on FROM source.image i JOIN main.template t ON t.gallery = i.gallery AND t.id = i.template_id \
     WHERE i.gallery = $1 AND i.state = 'live' AND t.state = 'live' ORDER BY i.id",
    "INSERT INTO main.legal_hold SELECT h.id, h.gallery, h.subject_id, h.placed_by, h.placed_at, h.lifted_by, h.lifted_at \
     FROM source.legal_hold h JOIN main.subject s ON s.id = h.subject_id WHERE h.gallery = $1 AND h.lifted_at IS NULL",
];

/// `$1` is the name in the backup, `$2` the new one. Templates in `erased_since` come as erased.
const COPY_IN: [&str; 5] = [
    "INSERT INTO main.gallery SELECT $2, purpose, model_name, model_hash, dimension, originals, created_at, \
     last_template_id, snapshot_number + 1, graph_plan FROM source.gallery WHERE name = $1",
    "INSERT INTO main.template SELECT $2, id, CASE WHEN e.template_id IS NULL THEN state ELSE 'erased' END, \
     CASE WHEN e.template_id IS NULL THEN subject_key END, CASE WHEN e.template_id IS NULL THEN image_key END, \
     COALESCE(t.erased_at, e.erased_at) FROM source.template t \
     LEFT JOIN temp.erased_since e ON e.template_id = t.id WHERE gallery = $1 ORDER BY id",
    "INSERT INTO main.reference_detail SELECT $2, d.template_id, subject, image_sha256, source, quality, width_px, \
     height_px, enrolled_at FROM source.reference_detail d JOIN main.template t \
     ON t.gallery = $2 AND t.id = d.template_id WHERE d.gallery = $1 AND t.state = 'live' ORDER BY t.id",
    "INSERT INTO main.template_attribute SELECT $2, a.template_id, name, value_high, value_low, value_number \
     FROM source.template_attribute a JOIN main.template t \
     ON t.gallery = $2 AND t.id = a.template_id WHERE a.gallery = $1 AND t.state = 'live' ORDER BY t.id",
    "INSERT INTO main.reference_attribute SELECT $2, a.template_id, name, value \
     FROM source.reference_attribute a JOIN main.template t \
     ON t.gallery = $2 AND t.id = a.template_id WHERE a.gallery = $1 AND t.state = 'live' ORDER BY t.id",
];

/// As [`COPY_IN`], of a copy that has subjects. `$3` to `$5` are the highest numbers of subjects, images and holds that there are.
const COPY_IN_SUBJECTS: [&str; 5] = [
    "INSERT INTO main.subject SELECT $3 + s.id, $2, s.subject_key, s.state, $3 + s.merged_into, s.first_template, s.restricted_at, \
     s.created_at, s.erased_at FROM source.subject s WHERE s.gallery = $1 AND EXISTS (SELECT 1 FROM source.image i \
     JOIN main.template t ON t.gallery = $2 AND t.id = i.template_id WHERE i.subject_id = s.id AND t.state = 'live') ORDER BY s.id",
    "INSERT INTO main.subject SELECT $3 + s.id, $2, s.subject_key, s.state, $3 + s.merged_into, s.first_template, s.restricted_at, \
     s.created_at, s.erased_at FROM source.subject s WHERE s.gallery = $1 AND s.state = 'merged' AND $3 + s.merged_into IN \
     (SELECT id FROM main.subject WHERE gallery = $2) AND $3 + s.id NOT IN (SELECT id FROM main.subject WHERE gallery = $2) ORDER BY s.id",
    "INSERT INTO main.subject_reference SELECT s.id, r.reference FROM source.subject_reference r \
     JOIN main.subject s ON s.id = $3 + r.subject_id AND s.gallery = $2 ORDER BY s.id",
    "INSERT INTO main.image (id, gallery, template_id, subject_id, state, captured_on, pose, lawful_basis, disposal, disposed_on, under18, review_group, review_on, expires_on, \
     kept_until, review_due, expires, created_on) SELECT $4 + i.id, $2, i.template_id, \
     $3 + i.subject_id, i.state, i.captured_on, i.pose, i.lawful_basis, i.disposal, i.disposed_on, i.under18, i.review_group, \
     i.review_on, i.expires_on, i.kept_until, i.review_due, i.expires, i.created_on FROM source.image i JOIN main.template t ON t.gallery = $2 AND t.id = i.template_id \
     WHERE i.gallery = $1 AND t.state = 'live' ORDER BY i.id",
    "INSERT INTO main.legal_hold SELECT $5 + h.id, $2, s.id, h.placed_by, h.placed_at, h.lifted_by, h.lifted_at \
     FROM source.legal_hold h JOIN main.subject s ON s.id = $3 + h.subject_id AND s.gallery = $2 WHERE h.gallery = $1",
];

/// A gallery of a copy that is taken in.
#[derive(Debug)]
pub struct TakenIn<'a> {
    /// Its name in the copy.
    pub from: &'a GalleryName,
    /// Its name here.
    pub name: &'a GalleryName,
    /// Templates that are erased in it.
    pub erased: &'a [TemplateId],
    /// The job that this is, and its outcome.
    pub job: Option<(i64, String)>,
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
        let copied = copy.fill_from(&self.path, gallery, last_id, now).await;
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
        source: &Path,
        gallery: &GalleryName,
        last_id: u64,
        now: &str,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let mut connection = self.pool.acquire().await.map_err(self.sql())?;
        self.attach(&mut connection, source).await?;
        sqlx::query("BEGIN").execute(&mut *connection).await.map_err(self.sql())?;
        for statement in COPY_OUT {
            let query = sqlx::query(statement).bind(gallery.as_str());
            let query = if statement.contains("$2") { query.bind(last_id as i64) } else { query };
            let query = if statement.contains("$3") { query.bind(now.to_owned()) } else { query };
            query.execute(&mut *connection).await.map_err(self.sql())?;
        }
        let gone = "SELECT id FROM main.template WHERE state <> 'live' ORDER BY id";
        let gone: Vec<i64> = sqlx::query_scalar(gone).fetch_all(&mut *connection).await.map_err(self.sql())?;
        sqlx::query("COMMIT").execute(&mut *connection).await.map_err(self.sql())?;
        Ok(gone.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    /// The one gallery of a copy made by [`copy_gallery_to`](Self::copy_gallery_to).
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn gallery_of_copy(path: &Path) -> Result<Option<GalleryRecord>, RecordsError> {
        // Nothing is written beside it: the folder may be read-only, and its files are to stay as they were hashed.
        let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(sql_error(path))?;
        let copy = Self { pool, path: path.to_owned(), turn: Arc::default() };
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
        // A connection of its own: what is attached or temporary ends with it.
        let own = Self::connect(&self.path, false).await?;
        let done = own.take_in(path, taken, now).await;
        own.close().await;
        done
    }

    async fn take_in(&self, path: &Path, taken: &TakenIn<'_>, now: &str) -> Result<(), RecordsError> {
        let TakenIn { from, name, erased, job, caller } = taken;
        let mut connection = self.pool.acquire().await.map_err(self.sql())?;
        self.attach(&mut connection, path).await?;
        let temporary = "CREATE TEMP TABLE erased_since (template_id BIGINT NOT NULL PRIMARY KEY, erased_at TEXT)";
        sqlx::query(temporary).execute(&mut *connection).await.map_err(self.sql())?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(self.sql())?;
        for id in *erased {
            let insert = "INSERT INTO temp.erased_since (template_id, erased_at) VALUES ($1, $2)";
            let query = sqlx::query(insert).bind(id.0 as i64).bind(now.to_owned());
            query.execute(&mut *connection).await.map_err(self.sql())?;
        }
        for statement in COPY_IN {
            let query = sqlx::query(statement).bind(from.as_str()).bind(name.as_str());
            query.execute(&mut *connection).await.map_err(self.sql())?;
        }
        self.take_in_subjects(&mut connection, from, name).await?;
        // A synthetic template has a row only once it is erased.
        let synthetic = "INSERT INTO main.template (gallery, id, state, erased_at) SELECT $1, template_id, 'erased', \
             erased_at FROM temp.erased_since WHERE template_id NOT IN (SELECT id FROM main.template WHERE gallery = $1) \
             AND template_id <= (SELECT last_template_id FROM main.gallery WHERE name = $1)";
        let query = sqlx::query(synthetic).bind(name.as_str());
        query.execute(&mut *connection).await.map_err(self.sql())?;
        if let Some((job, outcome)) = job {
            end_job(&mut connection, *job, JobState::Done, outcome).await.map_err(self.sql())?;
        }
        let restored =
            Happening::new(Kind::GalleryRestored).of(name).about(job.iter().map(|(job, _)| Object::Job(*job)));
        let restored = restored.with("erased_since", Detail::Number(erased.len() as u64));
        append(&mut connection, caller, &restored).await.map_err(|error| error.at(&self.path))?;
        sqlx::query("COMMIT").execute(&mut *connection).await.map_err(self.sql())?;
        caller.was_recorded();
        Ok(())
    }

    /// Subjects and images of a copy; of an older one, those that its references make.
    async fn take_in_subjects(
        &self,
        connection: &mut SqliteConnection,
        from: &GalleryName,
        name: &GalleryName,
    ) -> Result<(), RecordsError> {
        let version = "SELECT COALESCE(MAX(version), 0) FROM source._sqlx_migrations WHERE success";
        let version: i64 = sqlx::query_scalar(version).fetch_one(&mut *connection).await.map_err(self.sql())?;
        if version < SUBJECTS_SINCE {
            sqlx::raw_sql(BACKFILL).execute(&mut *connection).await.map_err(self.sql())?;
            return Ok(());
        }
        let mut last = Vec::new();
        for select in [
            "SELECT COALESCE(MAX(id), 0) FROM main.subject",
            "SELECT COALESCE(MAX(id), 0) FROM main.image",
            "SELECT COALESCE(MAX(id), 0) FROM main.legal_hold",
        ] {
            last.push(sqlx::query_scalar::<_, i64>(select).fetch_one(&mut *connection).await.map_err(self.sql())?);
        }
        for statement in COPY_IN_SUBJECTS {
            // Numbers are given as far as a statement has them.
            let wanted = (3..=5).filter(|number| statement.contains(&format!("${number}"))).max().unwrap_or(2);
            let query = sqlx::query(statement).bind(from.as_str()).bind(name.as_str());
            let query = last.iter().take(wanted - 2).fold(query, |query, last| query.bind(*last));
            query.execute(&mut *connection).await.map_err(self.sql())?;
        }
        Ok(())
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

    async fn attach(&self, connection: &mut SqliteConnection, path: &Path) -> Result<(), RecordsError> {
        let attach = sqlx::query("ATTACH DATABASE $1 AS source").bind(path.to_string_lossy().into_owned());
        attach.execute(connection).await.map_err(self.sql())?;
        Ok(())
    }
}
