//! Where tests have their records: in a file, or, in the second pass of `make test`, in the PostgreSQL data base that
//! `BERTILLON_RECORDS_URL` names.
#![allow(dead_code, reason = "each program of tests needs some of it")]

use std::path::Path;

use bertillon::gallery::VaultOptions;
use bertillon::settings::records_url::RecordsUrl;
use sqlx::{AnyPool, AssertSqlSafe};

pub(crate) fn url() -> Option<RecordsUrl> {
    std::env::var("BERTILLON_RECORDS_URL").ok().map(|url| url.parse().unwrap())
}

pub(crate) fn vault_options() -> VaultOptions {
    VaultOptions { records_url: url(), ..VaultOptions::default() }
}

/// Whether records are in a file of the data folder; says that `what` is not tested where they are not.
pub(crate) fn in_a_file(what: &str) -> bool {
    let there = url().is_none();
    if !there {
        println!("NOT TESTED on PostgreSQL, as it is about the file: {what}");
    }
    there
}

/// The data base of a data folder as somebody with a tool of their own has it.
pub(crate) async fn by_hand(data: &Path) -> AnyPool {
    sqlx::any::install_default_drivers();
    if url().is_none() {
        let path = data.join("records.sqlite");
        return AnyPool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    }
    let id = fs_err::read_to_string(data.join("records.postgres")).unwrap();
    let schema = format!("SET search_path TO bertillon_{}", id.trim());
    let options = sqlx::any::AnyPoolOptions::new().after_connect(move |connection, _| {
        let schema = AssertSqlSafe(schema.clone());
        Box::pin(async move { sqlx::raw_sql(schema).execute(connection).await.map(drop) })
    });
    options.connect(&std::env::var("BERTILLON_RECORDS_URL").unwrap()).await.unwrap()
}

/// Waits until what a killed process had sent is carried out: PostgreSQL ends a COMMIT whose sender is gone. All that changes records
/// tells of it in the log, so who has that to themselves waits for all of it.
pub(crate) async fn settled(data: &Path) {
    if url().is_some() {
        let pool = by_hand(data).await;
        sqlx::raw_sql("BEGIN; LOCK TABLE audit_event IN SHARE MODE; COMMIT").execute(&pool).await.unwrap();
        pool.close().await;
    }
}

/// Takes a guard against accidents away.
pub(crate) async fn drop_trigger(pool: &AnyPool, name: &str, table: &str) {
    let on = if url().is_none() { String::new() } else { format!(" ON {table}") };
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER {name}{on}"))).execute(pool).await.unwrap();
}

/// All rows of a data folder's tables in a PostgreSQL data base, as texts.
pub(crate) fn rows(data: &Path) -> Vec<u8> {
    let data = data.to_owned();
    // Whoever asks is within a runtime already.
    let read = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = by_hand(&data).await;
            let tables = "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.unwrap();
            let mut bytes = Vec::new();
            for table in tables {
                let select = AssertSqlSafe(format!("SELECT CAST(x.* AS TEXT) AS row FROM {table} x"));
                let texts: Vec<String> = sqlx::query_scalar(select).fetch_all(&pool).await.unwrap();
                bytes.extend(texts.iter().flat_map(|text| [text.as_bytes(), b"\n"].concat()));
            }
            pool.close().await;
            bytes
        })
    });
    read.join().unwrap()
}
