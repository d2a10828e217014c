//! Where the records of a data folder are: in a file of it, or in a schema of a PostgreSQL data base, of which the folder keeps the
//! name. A folder has one of the two for ever, so that nobody is shown empty records in the place of those they look for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::records::audit::{FOLDER_ID_BYTES, new_id};
use crate::records::dialect::{self, Dialect};
use crate::records::{Records, RecordsError, SCHEMA_VERSION};
use crate::settings::records_url::RecordsUrl;
use crate::store::disk::{self, DiskFolder};
use crate::store::{DRAFT_SUFFIX, read_small, replace_small};

const FILE: &str = "records.sqlite";
/// Holds the id of a folder whose records are elsewhere: the name of the schema ends in it.
const ELSEWHERE: &str = "records.postgres";
const PREFIX: &str = "bertillon_";

/// Where records are, or are to be.
enum Place {
    /// In this file, be it there or not.
    File(PathBuf),
    /// In the schema of a data base that has this id.
    Schema(RecordsUrl, String),
    /// In a data base, and not there yet.
    NewSchema(RecordsUrl),
}

impl Place {
    fn of(data: &Path, url: Option<&RecordsUrl>) -> Result<Self, RecordsError> {
        let (file, elsewhere) = (data.join(FILE), data.join(ELSEWHERE));
        match (elsewhere.is_file(), url) {
            (true, Some(url)) => Ok(Self::Schema(url.clone(), read_id(data, &elsewhere)?)),
            (true, None) => Err(RecordsError::OnPostgres(data.to_owned())),
            (false, Some(_)) if file.exists() => Err(RecordsError::InFile(file)),
            (false, Some(url)) => Ok(Self::NewSchema(url.clone())),
            (false, None) => Ok(Self::File(file)),
        }
    }
}

/// Whether there are galleries or keys: of a folder without records there are none.
fn is_in_use(data: &Path) -> bool {
    ["gallery", "keys"]
        .iter()
        .any(|folder| fs_err::read_dir(data.join(folder)).is_ok_and(|mut entries| entries.next().is_some()))
}

fn read_id(data: &Path, path: &Path) -> Result<String, RecordsError> {
    let damaged =
        || RecordsError::Damaged { path: path.to_owned(), what: "it holds no id of a data folder".to_owned() };
    let text = DiskFolder::open(data).and_then(|folder| read_small(&folder, ELSEWHERE, 2 * FOLDER_ID_BYTES + 1));
    let text = text.map_err(RecordsError::Store)?;
    let id = String::from_utf8(text).map_err(|_| damaged())?;
    let id = id.trim_end();
    let plain = id.len() == 2 * FOLDER_ID_BYTES && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if plain { Ok(id.to_owned()) } else { Err(damaged()) }
}

impl Records {
    /// Opens the records of the data folder `data` for writing; makes them, in the data base `url` if there is one, or brings their
    /// schema up to date where needed. The caller is the only process that does this.
    ///
    /// # Errors
    /// [`RecordsError`]; also when the folder's records are in a file and `url` is given, or the other way round.
    pub async fn open(data: &Path, url: Option<&RecordsUrl>) -> Result<Self, RecordsError> {
        match Place::of(data, url)? {
            Place::File(path) => {
                // Made by us before SQLite opens it: its journals take over the rights of the file.
                disk::touch_private(&path).map_err(RecordsError::Store)?;
                Self::create(&path).await
            }
            Place::Schema(url, id) => {
                let records = Self::in_schema(data, &url, &id).await?;
                records.migrate().await?;
                records.check_id(data, &id).await?;
                // A COMMIT that was sent is carried out, also when its sender was killed meanwhile: what is read from here on must
                // be what it leaves, or files would be taken back that it counts.
                records.begin().await?.give_up().await?;
                Ok(records)
            }
            Place::NewSchema(_) if is_in_use(data) => Err(RecordsError::MarkLost(data.to_owned())),
            Place::NewSchema(url) => {
                let folder = DiskFolder::create(data).map_err(RecordsError::Store)?;
                let id = new_id().map_err(|what| RecordsError::Damaged { path: data.to_owned(), what })?;
                let records = Self::connect_schema(&url, &id, true).await?;
                records.migrate().await?;
                records.give_id(&id).await?;
                // Only now: what it says is there.
                let draft = data.join(format!("{ELSEWHERE}{DRAFT_SUFFIX}"));
                let named = disk::touch_private(&draft);
                let named = named.and_then(|()| replace_small(&folder, ELSEWHERE, format!("{id}\n").as_bytes()));
                named.map_err(RecordsError::Store)?;
                Ok(records)
            }
        }
    }

    /// Opens the records of `data` beside the process that changes galleries: to read, and to record searches. `None` where there are
    /// none yet.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`RecordsError::Version`].
    pub async fn open_beside(data: &Path, url: Option<&RecordsUrl>) -> Result<Option<Self>, RecordsError> {
        match Place::of(data, url)? {
            Place::File(path) if path.is_file() => Ok(Some(Self::join(&path).await?)),
            Place::File(_) | Place::NewSchema(_) => Ok(None),
            Place::Schema(url, id) => {
                let records = Self::in_schema(data, &url, &id).await?;
                records.check_version(SCHEMA_VERSION).await?;
                records.check_id(data, &id).await?;
                Ok(Some(records))
            }
        }
    }

    /// A data base without the schema is the wrong one, or not restored: an empty one is never made in its place.
    async fn in_schema(data: &Path, url: &RecordsUrl, id: &str) -> Result<Self, RecordsError> {
        let records = Self::connect_schema(url, id, false).await?;
        let schema = format!("{PREFIX}{id}");
        if dialect::has_schema(&records.pool, &schema).await.map_err(records.sql())? {
            Ok(records)
        } else {
            Err(RecordsError::NotThere { data: data.to_owned(), schema })
        }
    }

    async fn connect_schema(url: &RecordsUrl, id: &str, make: bool) -> Result<Self, RecordsError> {
        let schema = format!("{PREFIX}{id}");
        let path = PathBuf::from(format!("{url}, schema {schema}"));
        let pool = dialect::connect_schema(url, &schema, make).await;
        let pool = pool.map_err(|source| RecordsError::Sql { path: path.clone(), source })?;
        Ok(Self { pool, path, dialect: Dialect::postgres(schema), turn: Arc::default(), in_vain: Arc::default() })
    }

    async fn check_id(&self, data: &Path, id: &str) -> Result<(), RecordsError> {
        let found = self.audit_book().folder().await?;
        if found == id {
            Ok(())
        } else {
            Err(RecordsError::NotThere { data: data.to_owned(), schema: format!("{PREFIX}{id}") })
        }
    }
}
