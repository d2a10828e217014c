//! Records of the release before are upgraded with all that is in them, and go on.

use bertillon::audit::{Caller, Happening, Kind};
use bertillon::base::day::Day;
use bertillon::base::ids::TemplateId;
use bertillon::records::{Proof, Records};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::{name, run};

#[test]
fn cases_people_and_sessions_of_schema_14_are_there_and_what_is_new_works_on_them() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("records.sqlite");
        let old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(false);
        let pool = SqlitePool::connect_with(old).await.unwrap();
        let dump = fs_err::read_to_string("tests/fixtures/records-14.sql").unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(dump)).execute(&pool).await.unwrap();
        pool.close().await;

        let ann = Caller::new("ann", "a test", None);
        for opened in 0..2 {
            let records = Records::create(&path).await.unwrap();
            assert_eq!(records.galleries().await.unwrap()[0].storage.as_str(), "mapped", "what there was before");
            let stated = records.stated(1).await.unwrap().unwrap();
            assert_eq!((stated.stated.case_ref.as_deref(), stated.of), (Some("CR/77/26"), None));
            let leads = records.review_book(&ann).leads(None, 9).await.unwrap();
            assert_eq!((leads.len(), leads[0].search, leads[0].template), (1, 1, TemplateId(5)));
            let subjects = records.subject_book(&ann);
            assert_eq!(subjects.list(&name(), 0, 9).await.unwrap().len(), 6);
            assert_eq!(subjects.holds(&name(), (0, false), None, 9).await.unwrap().len(), 1);
            assert_eq!(records.restricted_templates(&name(), Day::today()).await.unwrap(), [TemplateId(2)]);
            assert_eq!(records.disclosure_book(&ann).newest(9).await.unwrap().len(), 1);
            let token = Sha256::digest(b"a token of a fixture").into();
            let (session, user) = records.people_book().session(token).await.unwrap().unwrap();
            assert_eq!((session.by, user.name.as_str()), (Proof::Password, "ann"), "by a password alone, it is taken");
            records.tell(&Caller::itself("a test"), &Happening::new(Kind::StatusRead)).await.unwrap();
            assert_eq!(records.audit_book().head().await.unwrap().seq(), 21 + opened);
            records.close().await;
        }

        let records = Records::create(&path).await.unwrap();
        let mut change = records.begin().await.unwrap();
        change.forget(&name(), TemplateId(5)).await.unwrap();
        change.commit().await.unwrap();
        let listed = records.disclosure_book(&ann).search(1).await.unwrap().unwrap().candidates;
        // A list of then is bound by its numbers, so it keeps them; whose it was is gone.
        assert_eq!(listed.iter().map(|one| one.template).collect::<Vec<_>>(), [3, 1, 5, 2, 4]);
        assert_eq!(records.subject_book(&ann).list(&name(), 0, 9).await.unwrap().len(), 5);
        let begun = records.review_book(&ann).one(2).await.unwrap().unwrap();
        assert_eq!((begun.search, begun.opened_by.as_str()), (2, "ann"));
        records.close().await;
    });
}
