//! What is told: deeds when they are done, what was refused, by whom it was, and nothing that was only typed.

use std::path::Path;
use std::process::{Command, Output};

use bertillon::audit::{Caller, Event, Happening, Kind, Object, Outcome};
use bertillon::base::ids::TemplateId;
use bertillon::casework::audit;
use bertillon::gallery::{Access, Erase, GalleryError, Vault};
use bertillon::http::problem::Problem;
use bertillon::records::{EventFilter, JobState, NewJob};
use bertillon::segment::Precision;

use crate::bulk::desk;
use crate::records_at::{self, by_hand, drop_trigger};
use crate::{enrol, name, new_vault, options, reference, run};

/// The program in a data folder, in an environment that lies about who calls it.
pub(crate) fn program(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bertillon"));
    command.env("BERTILLON_DATA", data).env("USER", "the server itself").env("LOGNAME", "somebody else");
    command.current_dir(data).args(args).output().unwrap()
}

async fn newest(vault: &Vault, object: Option<&str>) -> Vec<Event> {
    let filter = EventFilter { kind: None, object: object.map(str::to_owned) };
    let found = vault.audit_book().newest(&filter, 100).await.unwrap();
    found.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

#[test]
fn commands_are_told_by_the_account_that_runs_them_and_refused_ones_too() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        new_vault(home.path(), Precision::F32).await.close().await;
        assert!(program(home.path(), &["gallery", "list"]).status.success());
        let vault = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let listed = newest(&vault, None).await.remove(0);
        assert_eq!((listed.kind.as_str(), listed.outcome), ("gallery.listed", Outcome::Ok));
        let accounts = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
        let own = own_number();
        let named =
            accounts.lines().find(|line| line.split(':').nth(2) == Some(&own)).and_then(|line| line.split(':').next());
        assert_eq!(listed.actor, named.map_or_else(|| format!("uid {own}"), str::to_owned));
        assert!(listed.origin.starts_with("command line of "), "{}", listed.origin);
        // What is not there is not told of by the name that was typed.
        for (args, word) in [
            (&["gallery", "show", "john-smith"][..], "gallery"),
            (&["gallery", "verify", "john-smith"], "gallery"),
            (&["gallery", "compact", "john-smith"], "gallery"),
            (&["gallery", "statistics", "john-smith", "--source", "a test", "--out", "john.json"], "gallery"),
            (&["gallery", "erase", "custody", "--template", "77", "--yes"], "gallery"),
            (&["search", "john-smith", "no-picture.jpg"], "search"),
            (&["review", "show", "99"], "review"),
            (&["jobs", "show", "99"], "jobs"),
        ] {
            let before = vault.audit_book().head().await.unwrap().seq();
            let output = program(home.path(), args);
            assert!(!output.status.success(), "{args:?}");
            let event = newest(&vault, None).await.remove(0);
            assert_eq!(event.seq, before + 1, "{args:?}: {event:?}");
            assert_eq!((event.kind.as_str(), event.outcome), ("command.refused", Outcome::Refused), "{args:?}");
            assert_eq!(serde_json::to_value(&event.detail).unwrap(), serde_json::json!({ "command": word }));
            assert!(!event.body().unwrap().contains("john"));
        }
        let verified = program(home.path(), &["gallery", "verify", "custody"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        let event = newest(&vault, None).await.remove(0);
        assert_eq!((event.kind.as_str(), event.gallery.as_str()), ("gallery.verified", "custody"));
        vault.close().await;
    });
}

/// The number of the account that runs this.
fn own_number() -> String {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_template_is_found_within_the_ranges_that_it_came_in() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=4).map(|key| reference(key, key)).collect()).await;
        enrol(&vault, (5..=12).map(|key| reference(key, key)).collect()).await;
        vault.erase(&name(), Erase::Template(TemplateId(2)), |_| ()).await.unwrap();
        let kinds = async |object| -> Vec<String> {
            newest(&vault, Some(object)).await.into_iter().map(|event| event.kind).collect()
        };
        assert_eq!(kinds("template:2").await, ["erasure.finished", "reference.erased", "reference.enrolled"]);
        for (object, seq) in [("template:1", 2), ("template:4", 2), ("template:5", 3), ("template:12", 3)] {
            let found: Vec<u64> = newest(&vault, Some(object)).await.into_iter().map(|event| event.seq).collect();
            assert_eq!(found, [seq], "{object}");
        }
        assert!(kinds("template:13").await.is_empty() && kinds("template:0").await.is_empty());
        vault.close().await;
    });
}

#[test]
fn only_what_still_runs_is_cancelled_and_graphs_end_with_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let me = Caller::new("clerk 5", "desk 3", None);
        let plan = bertillon::gallery::GraphPlan { m: 8, ef_construction: 64, audit_probes: 10 };
        vault.keep_graphs(&name(), Some(plan)).await.unwrap();
        let book = vault.job_book();
        let text = |text: &str| text.to_owned();
        let job =
            NewJob { kind: text("index"), gallery: name(), request: text("{}"), actor: text("a"), origin: text("b") };
        let id = book.ask(&me, Kind::GraphAsked, &job).await.unwrap();
        let cancelled = book.cancel(&me, id, "index").await.unwrap().unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        let told = newest(&vault, Some(&format!("job:{id}"))).await.remove(0);
        assert_eq!((told.kind.as_str(), told.actor.as_str(), told.outcome), ("job.cancelled", "clerk 5", Outcome::Ok));
        assert_eq!(serde_json::to_value(&told.detail).unwrap()["graphs"], "kept up no more");
        assert!(vault.galleries().await.unwrap()[0].record.graph_plan.is_none());
        book.cancel(&me, id, "index").await.unwrap().unwrap();
        let told = newest(&vault, Some(&format!("job:{id}"))).await.remove(0);
        assert_eq!((told.kind.as_str(), told.outcome), ("job.cancelled", Outcome::Refused));
        assert!(book.cancel(&me, 99, "index").await.unwrap().is_none());
        assert!(newest(&vault, Some("job:99")).await.is_empty());
        vault.close().await;
    });
}

#[test]
fn nothing_is_put_in_the_place_of_what_was_told_and_nothing_signed_on_top_of_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        for job in 0..4 {
            desk.vault.tell(&Happening::new(Kind::JobRead).about([Object::Job(job)])).await.unwrap();
        }
        let empty = home.path().join("empty.log");
        fs_err::write(&empty, "").unwrap();
        let me = Caller::itself("a test");
        let proves_nothing = audit::verify(&desk, &me, (None, Some(&empty)), |_, _| ()).await.unwrap_err();
        assert!(proves_nothing.to_string().contains("no checkpoint"), "{proves_nothing}");
        let sealed = audit::seal(&desk).await.unwrap().unwrap();
        let data = home.path().join("data");
        // A torn line takes none with it.
        let log = data.join(audit::CHECKPOINTS);
        let torn = fs_err::read_to_string(&log).unwrap() + "{\"torn";
        fs_err::write(&log, torn).unwrap();
        desk.vault.tell(&Happening::new(Kind::JobListed)).await.unwrap();
        assert!(audit::seal(&desk).await.unwrap().is_some());
        let lines = fs_err::read_to_string(&log).unwrap();
        let whole = lines.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        assert_eq!((lines.lines().count(), whole), (3, 2));
        let pool = by_hand(&data).await;
        // Words of SQLite alone; PostgreSQL refuses them whatever they are about.
        for refused in [
            "INSERT OR REPLACE INTO audit_event SELECT seq, kind, 'x', hash FROM audit_event WHERE seq = 2",
            "INSERT INTO audit_event SELECT -3, kind, body, hash FROM audit_event WHERE seq = 2",
            "UPDATE audit_object SET object = 'job:9'",
            "DELETE FROM audit_object",
            "INSERT OR REPLACE INTO audit_object SELECT seq, position, 'job:9' FROM audit_object",
            "INSERT OR REPLACE INTO audit_checkpoint SELECT seq, body, 'x' FROM audit_checkpoint",
            "DELETE FROM folder",
            "INSERT INTO folder (id) VALUES ('another')",
        ] {
            assert!(sqlx::raw_sql(refused).execute(&pool).await.is_err(), "{refused}");
        }
        drop_trigger(&pool, "audit_event_is_kept", "audit_event").await;
        // Somebody who hashes anew what was signed, and goes on from there.
        desk.vault.tell(&Happening::new(Kind::JobListed)).await.unwrap();
        let last =
            "UPDATE audit_event SET hash = 'zz' || substr(hash, 3) WHERE seq = (SELECT MAX(seq) FROM audit_checkpoint)";
        sqlx::raw_sql(last).execute(&pool).await.unwrap();
        pool.close().await;
        let refused = audit::seal(&desk).await.unwrap_err().to_string();
        assert!(sealed > 0 && refused.contains("not what was signed"), "{refused}");
        desk.vault.clone().close().await;
    });
}

#[test]
fn erased_rows_that_leave_the_files_are_told_of_as_they_do() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        for first in [1, 31] {
            enrol(&vault, (first..first + 30).map(|key| reference(key, key)).collect()).await;
            vault.seal(&name()).await.unwrap();
        }
        for id in [1, 2, 45] {
            vault.erase(&name(), Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
        }
        let clerk = vault.acting_for(&Caller::new("clerk 5", "desk 3", None));
        let done = clerk.compact(&name(), true, crate::on).await.unwrap();
        let events = newest(&vault, None).await;
        assert_eq!((events[0].kind.as_str(), events[0].actor.as_str()), ("gallery.compacted", "clerk 5"));
        let merged: Vec<&Event> = events.iter().filter(|event| event.kind == "segments.merged").collect();
        let dropped =
            |event: &Event| serde_json::to_value(&event.detail).unwrap()["erased_rows_dropped"].as_u64().unwrap();
        assert_eq!(merged.iter().map(|event| dropped(event)).sum::<u64>(), done.rows_dropped);
        assert!(done.rows_dropped == 3 && merged.iter().all(|event| event.actor == "the server itself"));
        vault.close().await;
    });
}

/// As beside a gallery that is being restored.
#[test]
fn who_can_not_write_for_long_is_told_to_try_again() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let pool = by_hand(home.path()).await;
        let writing = if records_at::url().is_none() {
            pool.begin_with("BEGIN IMMEDIATE").await.unwrap()
        } else {
            // Whoever holds the lock of the writers: nobody else has one here.
            let mut writing = pool.begin().await.unwrap();
            sqlx::raw_sql("LOCK TABLE audit_event IN EXCLUSIVE MODE").execute(&mut *writing).await.unwrap();
            writing
        };
        let GalleryError::Records(error) = vault.tell(&Happening::new(Kind::JobListed)).await.unwrap_err() else {
            panic!("not of the records")
        };
        assert!(error.is_busy(), "{error}");
        assert_eq!(Problem::from(GalleryError::Records(error)).status().as_u16(), 503);
        writing.rollback().await.unwrap();
        vault.tell(&Happening::new(Kind::JobListed)).await.unwrap();
        pool.close().await;
        vault.close().await;
    });
}
