//! Where a data folder's records are is settled once, and nobody is shown empty ones in the place of others.

use std::sync::Arc;
use std::time::Instant;

use bertillon::base::ids::TemplateId;
use bertillon::gallery::{Access, GalleryError, Vault, VaultOptions};
use bertillon::policy::Stated;
use bertillon::records::{RecordsError, SearchRecord, Statement};
use bertillon::settings::records_url::RecordsUrl;
use sha2::{Digest as _, Sha256};

use crate::pictures::picture;
use crate::{name, new_vault, records_at, run, search};

const MARK: &str = "records.postgres";

fn with(url: Option<RecordsUrl>) -> VaultOptions {
    VaultOptions { records_url: url, ..VaultOptions::default() }
}

async fn refused(data: &std::path::Path, options: VaultOptions, access: Access) -> RecordsError {
    match Vault::open(data, access, options).await {
        Err(GalleryError::Records(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_vault) => panic!("it was opened"),
    }
}

/// Nobody listens there.
fn nowhere() -> RecordsUrl {
    "postgres://somebody:secret-of-mine@127.0.0.1:1/records".parse().unwrap()
}

#[test]
fn records_in_a_file_are_not_looked_for_elsewhere() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        Vault::open(home.path(), Access::Writer, with(None)).await.unwrap().close().await;
        for access in [Access::Writer, Access::Reader] {
            let error = refused(home.path(), with(Some(nowhere())), access).await;
            assert!(matches!(error, RecordsError::InFile(_)), "{error}");
            assert!(error.to_string().contains("take records.url out"), "{error}");
        }
        assert!(!home.path().join(MARK).exists());
    });
}

#[test]
fn records_elsewhere_are_not_made_anew_in_a_file() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join(MARK), format!("{}\n", "0a".repeat(16))).unwrap();
        for access in [Access::Writer, Access::Reader] {
            let error = refused(home.path(), with(None), access).await;
            assert!(matches!(error, RecordsError::OnPostgres(_)), "{error}");
            assert!(error.to_string().contains("BERTILLON_RECORDS_URL"), "{error}");
        }
        for no_id in ["", "0a", &"zz".repeat(16), "0a'; DROP SCHEMA public; --0000000"] {
            fs_err::write(home.path().join(MARK), no_id).unwrap();
            let error = refused(home.path(), with(Some(nowhere())), Access::Writer).await;
            assert!(matches!(error, RecordsError::Damaged { .. } | RecordsError::Store(_)), "{error}");
        }
        assert!(!home.path().join("records.sqlite").exists());
    });
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_behind_and_no_password_in_the_error() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let error = refused(home.path(), with(Some(nowhere())), Access::Writer).await;
        assert!(!format!("{error} {error:?}").contains("secret-of-mine"), "{error:?}");
        assert!(error.to_string().contains("127.0.0.1:1/records"), "{error}");
        assert!(!home.path().join(MARK).exists() && !home.path().join("records.sqlite").exists());
        // So it can still be decided.
        Vault::open(home.path(), Access::Writer, with(None)).await.unwrap().close().await;
    });
}

#[test]
fn a_data_base_without_the_folders_records_is_refused() {
    let Some(url) = records_at::url() else {
        println!("NOT TESTED here: wants BERTILLON_RECORDS_URL, as the second pass of `make test` has it");
        return;
    };
    run(async {
        let home = tempfile::tempdir().unwrap();
        new_vault(home.path(), bertillon::segment::Precision::F32).await.close().await;
        let mark = fs_err::read_to_string(home.path().join(MARK)).unwrap().trim().to_owned();
        let other: String = mark.chars().rev().collect();
        fs_err::write(home.path().join(MARK), &other).unwrap();
        for access in [Access::Writer, Access::Reader] {
            let error = refused(home.path(), with(Some(url.clone())), access).await;
            assert!(matches!(error, RecordsError::NotThere { .. }), "{error}");
        }
        // Two folders with one name: the schema knows whose it is.
        let pool = records_at::by_hand(home.path()).await;
        let renamed = format!("ALTER SCHEMA bertillon_{mark} RENAME TO bertillon_{other}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(renamed)).execute(&pool).await.unwrap();
        pool.close().await;
        let error = refused(home.path(), with(Some(url.clone())), Access::Reader).await;
        assert!(matches!(error, RecordsError::NotThere { .. }), "{error}");
    });
}

/// For figures, by hand: `cargo nextest run --release --test storage --run-ignored only -E 'test(recording_a_search)' --no-capture`, with
/// and without `BERTILLON_RECORDS_URL`.
#[test]
#[ignore = "for figures"]
fn recording_a_search_takes_milliseconds() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), bertillon::segment::Precision::F32).await;
        let ids: Vec<TemplateId> = (1..=20).map(TemplateId).collect();
        let some = |text: &str| Some(text.to_owned());
        let stated = Stated {
            purpose: some("investigate_crime"),
            lawful_basis: some("dpa_2018_s35"),
            seriousness: some("serious"),
            case_ref: some("CR/77/26"),
            reason: some("the only still"),
            authoriser: None,
        };
        let statement = Some(Statement { stated, policy_sha256: [7; 32], of: None });
        let plain = search(&ids);
        let stated = SearchRecord { stated: statement, ..plain.clone() };
        for (what, kind, kept) in
            [("nothing stated", &plain, false), ("stated", &stated, false), ("stated, picture kept", &stated, true)]
        {
            let (mut sealing, mut recording) = (Vec::new(), Vec::new());
            for number in 0..500 {
                let came = picture(number, 500_000);
                let began = Instant::now();
                let pictures = if kept { vec![Arc::clone(&came)] } else { Vec::new() };
                let probes = vault.seal_probes(&name(), pictures, "2999-01-01T00:00:00Z").await.unwrap();
                sealing.push(began.elapsed());
                let one = SearchRecord { probe_sha256: Sha256::digest(&came).into(), ..kind.clone() };
                let began = Instant::now();
                vault.record_searches_keeping(&name(), vec![one], probes).await.unwrap();
                recording.push(began.elapsed());
            }
            sealing.sort_unstable();
            recording.sort_unstable();
            println!(
                "20 candidates, {what}: recorded p50 {:?} p95 {:?}, sealed beside vision p50 {:?} p95 {:?}",
                recording[250], recording[475], sealing[250], sealing[475]
            );
            assert!(recording[250].as_millis() < 5, "{what}");
        }
        vault.close().await;
    });
}
