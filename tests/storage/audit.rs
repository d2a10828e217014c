//! The audit log on a disk: whole however many write to it, and whatever is changed in it is found and named.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bertillon::audit::searched::Named;
use bertillon::audit::{Caller, Chain, Event, Happening, Kind, Object};
use bertillon::base::hex;
use bertillon::base::ids::TemplateId;
use bertillon::base::limits::AUDIT_PAGE_MAX;
use bertillon::casework::Desk;
use bertillon::casework::audit::{self, Verdict};
use bertillon::crypto::SigningKey;
use bertillon::gallery::{Access, Erase, Vault};
use bertillon::records::{EventFilter, Records};
use bertillon::segment::Precision;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::bulk::desk;
use crate::records_at::in_a_file;
use crate::{enrol, name, new_vault, open, options, raw, reference, run, search, subject};

async fn all_events(vault: &Vault) -> Vec<Event> {
    let book = vault.audit_book();
    let mut chain = Chain::new(&book.folder().await.unwrap());
    let mut events = Vec::new();
    loop {
        let page = book.after(chain.seq()).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page.iter().map(|stored| chain.take(stored).unwrap()));
    }
}

async fn verdict(desk: &Desk, anchor: Option<&Path>) -> Verdict {
    audit::verify(desk, &Caller::itself("a test"), (None, anchor), |_, _| ()).await.unwrap()
}

/// The data base as somebody with a tool of their own has it.
async fn forger(data: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(data.join("records.sqlite")).foreign_keys(false);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    for trigger in [
        "audit_event_stays",
        "audit_event_is_kept",
        "audit_event_is_new",
        "audit_checkpoint_stays",
        "audit_checkpoint_is_kept",
        "audit_checkpoint_is_new",
        "audit_object_stays",
        "audit_object_is_kept",
        "audit_object_is_new",
    ] {
        let drop = format!("DROP TRIGGER {trigger}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&pool).await.unwrap();
    }
    pool
}

async fn execute(pool: &SqlitePool, statement: &'static str, seq: u64) {
    sqlx::query(statement).bind(seq as i64).execute(pool).await.unwrap();
}

#[test]
fn what_is_done_is_told_with_it_and_by_whom() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let clerk = vault.acting_for(&Caller::new("clerk 5", "desk 3", Some(9)));
        enrol(&clerk, (1..=5).map(|key| reference(key, key)).collect()).await;
        let fill = |row, out: &mut [f32]| out.copy_from_slice(&raw(900 + row));
        clerk.import_synthetic(&name(), 30, fill, |_| ()).await.unwrap();
        let candidates = [TemplateId(3), TemplateId(1)];
        let ids = clerk.record_searches(&[search(&candidates), search(&[TemplateId(2)])]).await.unwrap();
        let mut salts = BTreeMap::new();
        for &id in &ids {
            let search = clerk.disclosure_book().search(id).await.unwrap().unwrap();
            salts.insert(id, search.candidates.into_iter().map(|one| one.named).collect::<Vec<_>>());
        }
        clerk.erase(&name(), Erase::Subject(subject(2)), |_| ()).await.unwrap();
        let refused = clerk.erase(&name(), Erase::Subject(subject(2)), |_| ()).await;
        assert!(refused.is_err(), "what is not done is not told");
        let events = all_events(&vault).await;
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        let wanted = [
            "gallery.created",
            "reference.enrolled",
            "synthetic.imported",
            "search.run",
            "subject.erased",
            "erasure.finished",
        ];
        assert_eq!(kinds, wanted);
        assert_eq!(events[1].objects, ["templates:1-5"]);
        assert_eq!(events[2].objects, ["templates:6-35"]);
        assert_eq!(events[3].objects, ["search:1", "search:2"]);
        assert_eq!(events[4].objects, ["template:2"]);
        for event in &events[1..5] {
            let Event { actor, origin, request, gallery, .. } = event;
            assert_eq!(
                (actor.as_str(), origin.as_str(), *request, gallery.as_str()),
                ("clerk 5", "desk 3", 9, "custody")
            );
        }
        // The lists that were shown, and all that they depend on, are in the chain by their hash, as docs/AUDIT_FORMAT.md says.
        let told = |name: &str| serde_json::to_value(&events[3].detail[name]).unwrap();
        let one = |(id, templates): (&i64, &[TemplateId])| {
            let mut text = format!(
                "bertillon search 2\nsearch {id}\ngallery custody\nmodel {}\nsnapshot 3\nlast 6\nlive 6\npeople 20\n\
                 back_end naive\nrestriction -\nthreshold 3e800000\npoint -\nprobe {}\nface 3f800000 40000000 41f00000 42200000\n\
                 purpose -\nlawful_basis -\nseriousness -\n",
                "01".repeat(32),
                "09".repeat(32)
            );
            for ((rank, template), named) in (1..).zip(templates).zip(&salts[id]) {
                let Named::Salted(salt) = named else { panic!("{named:?}") };
                let salted = format!("bertillon candidate 1\n{salt} {id} {rank} {template} 3f000000\n");
                writeln!(text, "candidate {rank} {}", hex::encode(&Sha256::digest(salted))).unwrap();
            }
            format!("{id} {}\n", hex::encode(&Sha256::digest(text)))
        };
        let both: String = ids.iter().zip([&candidates[..], &[TemplateId(2)]]).map(one).collect();
        assert_eq!(told("searches"), hex::encode(&Sha256::digest(both)));
        vault.close().await;
    });
}

/// As a server, a second program and a third do it: events come from all of them, one after another.
#[test]
fn processes_that_write_at_once_make_one_chain() {
    const EACH: u64 = 60;
    let home = tempfile::tempdir().unwrap();
    run(async { new_vault(home.path(), Precision::F32).await.close().await });
    let data = home.path();
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            scope.spawn(move || {
                run(async {
                    let access = if writer == 0 { Access::Writer } else { Access::Reader };
                    let vault = Vault::open(data, access, options()).await.unwrap();
                    let vault = vault.acting_for(&Caller::new(&format!("writer {writer}"), "test", None));
                    for count in 0..EACH {
                        vault.tell(&Happening::new(Kind::JobRead).about([Object::Job(count as i64)])).await.unwrap();
                    }
                    vault.close().await;
                });
            });
        }
    });
    run(async {
        let vault = open(data).await;
        let events = all_events(&vault).await;
        for writer in 0..4 {
            let own = events.iter().filter(|event| event.actor == format!("writer {writer}"));
            let told: Vec<String> = own.map(|event| event.objects[0].clone()).collect();
            assert_eq!(told, (0..EACH).map(|count| format!("job:{count}")).collect::<Vec<_>>());
        }
        vault.close().await;
    });
}

#[test]
fn whatever_is_changed_in_the_log_is_named() {
    if !in_a_file("a log that is changed and checked in copies of its file") {
        return;
    }
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        for job in 0..30 {
            desk.vault.tell(&Happening::new(Kind::JobRead).about([Object::Job(job)])).await.unwrap();
            if job % 10 == 9 {
                assert!(audit::seal(&desk).await.unwrap().is_some());
            }
        }
        assert_eq!(audit::seal(&desk).await.unwrap(), None, "nothing new");
        let good = verdict(&desk, None).await;
        assert_eq!((good.events, good.sealed_through, good.fault.clone()), (31, 31, None));
        let pool = forger(&home.path().join("data")).await;
        let rename = "UPDATE audit_event SET body = replace(body, 'job.read', 'job.reap') WHERE seq = $1";
        let back = "UPDATE audit_event SET body = replace(body, 'job.reap', 'job.read') WHERE seq = $1";
        for (spoil, mend, says) in [
            (rename, back, "its text or its hash was changed"),
            (
                "UPDATE audit_event SET hash = '00' || hash WHERE seq = $1",
                "UPDATE audit_event SET hash = substr(hash, 3) WHERE seq = $1",
                "its text or its hash was changed",
            ),
            (
                "UPDATE audit_event SET kind = 'job.listed' WHERE seq = $1",
                "UPDATE audit_event SET kind = 'job.read' WHERE seq = $1",
                "what it is found by",
            ),
            (
                "UPDATE audit_object SET object = 'x' || object WHERE seq = $1",
                "UPDATE audit_object SET object = substr(object, 2) WHERE seq = $1",
                "what it is found by",
            ),
            (
                "UPDATE audit_event SET seq = seq + 100000 WHERE seq = $1",
                "UPDATE audit_event SET seq = seq - 100000 WHERE seq = $1 + 100000",
                "it is missing",
            ),
        ] {
            for seq in [2, 17, 30] {
                execute(&pool, spoil, seq).await;
                let fault = verdict_of_a_copy(&desk).await.fault.unwrap();
                assert_eq!(fault.seq, seq, "{spoil}");
                assert!(fault.what.contains(says), "{spoil}: {}", fault.what);
                execute(&pool, mend, seq).await;
                assert_eq!(verdict_of_a_copy(&desk).await.fault, None, "{mend}");
            }
        }
        whatever_is_changed_in_a_checkpoint_is_named(&desk, &pool).await;
        assert_eq!(verdict_of_a_copy(&desk).await.fault, None);
        pool.close().await;
        desk.vault.clone().close().await;
    });
}

async fn whatever_is_changed_in_a_checkpoint_is_named(desk: &Desk, pool: &SqlitePool) {
    for (spoil, says) in [
        ("UPDATE audit_checkpoint SET body = replace(body, '\"seq\":21', '\"seq\":20') WHERE seq = $1", "signature"),
        ("UPDATE audit_checkpoint SET signature = substr(signature, 3) || '00' WHERE seq = $1", "signature"),
    ] {
        let keep = "CREATE TEMP TABLE kept AS SELECT * FROM audit_checkpoint";
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql(keep).execute(&mut *connection).await.unwrap();
        sqlx::query(spoil).bind(21).execute(&mut *connection).await.unwrap();
        let fault = verdict_of_a_copy(desk).await.fault.unwrap();
        assert_eq!(fault.seq, 21, "{spoil}");
        assert!(fault.what.contains(says), "{}", fault.what);
        let back = "DELETE FROM audit_checkpoint; INSERT INTO audit_checkpoint SELECT * FROM kept; DROP TABLE kept";
        sqlx::raw_sql(back).execute(&mut *connection).await.unwrap();
    }
}

/// Checking adds an event, which would follow what a forger left: so each check is of a copy of the data folder.
async fn verdict_of_a_copy(desk: &Desk) -> Verdict {
    let data = &desk.settings.data.folder;
    let copy = tempfile::tempdir().unwrap();
    let pool =
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(data.join("records.sqlite"))).await.unwrap();
    let into = copy.path().join("records.sqlite");
    sqlx::query("VACUUM INTO $1").bind(into.to_str().unwrap()).execute(&pool).await.unwrap();
    pool.close().await;
    fs_err::create_dir_all(copy.path().join("audit")).unwrap();
    for file in ["audit/signing.pub", "audit/checkpoints.log"] {
        fs_err::copy(data.join(file), copy.path().join(file)).unwrap();
    }
    let mut settings = desk.settings.clone();
    settings.data.folder = copy.path().to_owned();
    let copied = Desk::open(settings, Access::Reader).await.unwrap();
    verdict(&copied, None).await
}

#[test]
fn a_log_that_was_cut_or_written_anew_does_not_agree_with_its_checkpoints() {
    if !in_a_file("a log that is cut and checked in copies of its file") {
        return;
    }
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        for job in 0..20 {
            desk.vault.tell(&Happening::new(Kind::JobRead).about([Object::Job(job)])).await.unwrap();
        }
        audit::seal(&desk).await.unwrap();
        let data = home.path().join("data");
        let elsewhere = home.path().join("kept elsewhere");
        fs_err::copy(data.join(audit::CHECKPOINTS), &elsewhere).unwrap();
        let pool = forger(&data).await;
        let cut = "DELETE FROM audit_checkpoint; DELETE FROM audit_object WHERE seq > 10; DELETE FROM audit_event WHERE seq > 10";
        sqlx::raw_sql(cut).execute(&pool).await.unwrap();
        pool.close().await;
        // The data folder's own list of checkpoints tells; where that is gone, one that was kept elsewhere.
        let fault = verdict_of_a_copy(&desk).await.fault.unwrap();
        assert!(fault.seq == 11 && fault.what.contains("cut off"), "{fault:?}");
        fs_err::write(data.join(audit::CHECKPOINTS), "").unwrap();
        assert_eq!(verdict_of_a_copy(&desk).await.fault, None, "nobody knows");
        let fault = verdict(&desk, Some(&elsewhere)).await.fault.unwrap();
        assert!(fault.what.contains("cut off"), "{fault:?}");
        // And grown again, with other events and good hashes.
        for job in 0..20 {
            desk.vault.tell(&Happening::new(Kind::JobListed).about([Object::Job(job)])).await.unwrap();
        }
        assert_eq!(verdict(&desk, None).await.fault, None, "nobody knows");
        let fault = verdict(&desk, Some(&elsewhere)).await.fault.unwrap();
        assert!(fault.seq == 21 && fault.what.contains("written anew"), "{fault:?}");
        // However many of its own the data folder brings.
        let line = fs_err::read_to_string(data.join(audit::CHECKPOINTS)).unwrap();
        let kept = fs_err::read_to_string(&elsewhere).unwrap();
        let forged: String =
            (10..20).map(|digit| kept.replace("signature\":\"", &format!("signature\":\"{digit}"))).collect();
        fs_err::write(data.join(audit::CHECKPOINTS), forged + &line + "{\"torn").unwrap();
        let fault = verdict(&desk, Some(&elsewhere)).await.fault.unwrap();
        assert_eq!(fault.seq, 21, "{fault:?}");
        fs_err::write(data.join(audit::CHECKPOINTS), "{\"torn").unwrap();
        assert_eq!(verdict(&desk, None).await.fault, None, "a line that a power cut tore is passed over");
        // An event that no walk comes by.
        let before = "INSERT INTO audit_event SELECT 0, kind, body, hash FROM audit_event WHERE seq = 3";
        let pool =
            SqlitePool::connect_with(SqliteConnectOptions::new().filename(data.join("records.sqlite"))).await.unwrap();
        sqlx::raw_sql(before).execute(&pool).await.unwrap();
        let fault = verdict(&desk, None).await.fault.unwrap();
        assert!(fault.what.contains("before the first"), "{fault:?}");
        let shown = desk.vault.audit_book().newest(&EventFilter::default(), 2_000).await.unwrap();
        assert!(shown.iter().all(|event| event.seq > 0));
        sqlx::raw_sql("DELETE FROM audit_event WHERE seq = 0").execute(&pool).await.unwrap();
        pool.close().await;
        // A checkpoint by another key is no checkpoint of this log.
        let other = SigningKey::from_seed(&[5; 32]).unwrap().public();
        let checked = audit::verify(&desk, &Caller::itself("a test"), (Some(other), Some(&elsewhere)), |_, _| ()).await;
        assert!(checked.unwrap().fault.unwrap().what.contains("signature"));
        desk.vault.clone().close().await;
    });
}

#[test]
fn an_export_is_checked_by_a_program_of_another_hand() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let caller = Caller::new("auditor \"ü\" \u{7f}", "127.0.0.1", Some(1));
        for job in 0..40 {
            let happening = Happening::new(Kind::JobRead).about([Object::Job(job), Object::Search(-job)]);
            desk.vault.acting_for(&caller).tell(&happening).await.unwrap();
            if job % 20 == 5 {
                audit::seal(&desk).await.unwrap();
            }
        }
        let to = home.path().join("export");
        // Somebody writes and seals beside it.
        let beside = |_, _| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    run(async {
                        let other = Desk::open(desk.settings.clone(), Access::Reader).await.unwrap();
                        other.vault.tell(&Happening::new(Kind::JobListed)).await.unwrap();
                        assert_eq!(audit::seal(&other).await.unwrap(), Some(43));
                    });
                });
            });
        };
        let made = audit::export(&desk, &caller, &to, beside).await.unwrap();
        assert_eq!((made.events, made.checkpoints), (42, 3), "what came meanwhile is not in it");
        assert!(audit::export(&desk, &caller, &to, |_, _| ()).await.is_err(), "there is something already");
        let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/audit.py");
        let check = || {
            let output = Command::new("python3").arg(&oracle).arg(&to).output().unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(check(), (true, "events 42 checkpoints 3\n".to_owned()));
        let events = fs_err::read_to_string(to.join("events.jsonl")).unwrap();
        fs_err::write(to.join("events.jsonl"), events.replacen("job:7", "job:8", 1)).unwrap();
        assert_eq!(check(), (false, "event 9: its hash is another\n".to_owned()));
        fs_err::write(to.join("events.jsonl"), &events).unwrap();
        let checkpoints = fs_err::read_to_string(to.join("checkpoints.jsonl")).unwrap();
        fs_err::write(to.join("checkpoints.jsonl"), "").unwrap();
        assert_eq!(check(), (false, "the last event is not sealed\n".to_owned()));
        fs_err::write(to.join("checkpoints.jsonl"), checkpoints).unwrap();
        let nowhere = to.join("FOLDER").join("export");
        let before = desk.vault.audit_book().head().await.unwrap().seq();
        assert!(audit::export(&desk, &caller, &nowhere, |_, _| ()).await.is_err());
        assert_eq!(desk.vault.audit_book().head().await.unwrap().seq(), before, "what is not written is not told");
        desk.vault.clone().close().await;
    });
}

#[test]
fn events_are_found_by_kind_and_by_object() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        for job in 0..10 {
            vault.tell(&Happening::new(Kind::JobRead).about([Object::Job(job % 3)])).await.unwrap();
        }
        vault.tell(&Happening::new(Kind::JobCancelled).about([Object::Job(1)])).await.unwrap();
        let book = vault.audit_book();
        let find = async |kind, object: Option<&str>, limit| {
            let filter = EventFilter { kind, object: object.map(str::to_owned) };
            let found = book.newest(&filter, limit).await.unwrap();
            found.into_iter().map(|event| (event.seq, event.objects.len())).collect::<Vec<_>>()
        };
        assert_eq!(find(None, None, 3).await, [(12, 1), (11, 1), (10, 1)]);
        assert_eq!(find(Some(Kind::GalleryCreated), None, 9).await, [(1, 0)]);
        assert_eq!(find(None, Some("job:1"), 9).await, [(12, 1), (9, 1), (6, 1), (3, 1)]);
        assert_eq!(find(Some(Kind::JobRead), Some("job:1"), 2).await, [(9, 1), (6, 1)]);
        assert_eq!(find(Some(Kind::SearchRun), Some("job:1"), 2).await, []);
        vault.close().await;
    });
}

#[test]
fn records_of_an_older_release_are_upgraded_and_go_on() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("records.sqlite");
        let old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(false);
        let pool = SqlitePool::connect_with(old).await.unwrap();
        let dump = fs_err::read_to_string("tests/fixtures/records-5.sql").unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(dump)).execute(&pool).await.unwrap();
        pool.close().await;
        for _twice in 0..2 {
            let records = Records::create(&path).await.unwrap();
            let galleries = records.galleries().await.unwrap();
            assert_eq!((galleries.len(), galleries[0].last_template_id), (1, 2));
            let states = records.states(&galleries[0].name, &[TemplateId(1), TemplateId(2)]).await.unwrap();
            assert_eq!((states[&TemplateId(1)].as_str(), states[&TemplateId(2)].as_str()), ("live", "erased"));
            assert_eq!(records.shown(1).await.unwrap().len(), 2);
            records.tell(&Caller::itself("a test"), &Happening::new(Kind::StatusRead)).await.unwrap();
            records.close().await;
        }
        let records = Records::join(&path).await.unwrap();
        assert_eq!(records.audit_book().head().await.unwrap().seq(), 2);
        // What is new in it works on what is old: a search of then is reviewed.
        let book = records.review_book(&Caller::new("ann", "a test", None));
        let bertillon::records::review::Reviewable::Yes(facts) = book.reviewable(1).await.unwrap() else { panic!() };
        assert_eq!((facts.actor.as_str(), facts.candidates.len()), ("unknown user", 2));
        assert_eq!(book.open(1, &facts.gallery, "ann", [1; 32]).await.unwrap(), Some(1));
        assert!(!records.people_book().any().await.unwrap() && records.stated(1).await.unwrap().is_none());
        records.close().await;
    });
}

/// By hand: `cargo nextest run --release --test storage --run-ignored only -E 'test(million_events)' --no-capture`.
#[test]
#[ignore = "writes a gigabyte"]
fn a_million_events_are_checked_within_a_minute() {
    const EVENTS: i64 = 1_000_000;
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let records = home.path().join("data/records.sqlite");
        let records = Records::create(&records).await.unwrap();
        let caller = Caller::new("examiner 7", "127.0.0.1", Some(1));
        for first in (0..EVENTS).step_by(AUDIT_PAGE_MAX) {
            let mut change = records.begin().await.unwrap();
            for search in first..first + AUDIT_PAGE_MAX as i64 {
                let happening = Happening::new(Kind::SearchRun).of(&name()).about([Object::Search(search)]);
                change.tell(&caller, &happening).await.unwrap();
            }
            change.commit().await.unwrap();
            audit::seal(&desk).await.unwrap();
        }
        let began = Instant::now();
        let verdict = verdict(&desk, None).await;
        let took = began.elapsed();
        println!(
            "{} events and {} checkpoints checked in {:.1} s",
            verdict.events,
            verdict.checkpoints,
            took.as_secs_f64()
        );
        assert_eq!((verdict.events, verdict.fault), (EVENTS as u64 + 1, None));
        assert!(took.as_secs() < 60);
    });
}
