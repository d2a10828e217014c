//! Dip samples on a disk: drawn once, by nobody's choice, judged by somebody who had no part, and drawn again from an export by
//! this program and by one of another hand.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bertillon::audit::{Caller, Event, Outcome};
use bertillon::base::clock;
use bertillon::base::ids::TemplateId;
use bertillon::casework::review::{Finding, ReviewRoom};
use bertillon::casework::sampling::check::{Checked, check};
use bertillon::casework::sampling::{Judgement, Of, Sample, SampleError, SampleRoom, Wish};
use bertillon::casework::{CaseworkError, Desk, audit};
use bertillon::gallery::Erase;
use bertillon::policy::{Policy, Role, Roles};
use bertillon::records::{EventFilter, SearchRecord};

use crate::bulk::{desk, opened};
use crate::records_at::by_hand;
use crate::{enrol, name, reference, run, search};

/// How long a wish's period still goes on: what comes before its end must be done within it, on a slow machine too.
const PERIOD: Duration = Duration::from_secs(5);

async fn una(desk: &Desk) -> SampleRoom {
    SampleRoom::enter(desk, &Caller::new("una", "test", None)).await.unwrap()
}

/// All that was done until now, and nothing that will be.
fn wish(of: Of, wanted: u64) -> Wish {
    let to = clock::rfc3339_in(PERIOD);
    Wish { of, gallery: Some(name()), from: "2020-01-01".to_owned(), to, wanted }
}

/// Waits until the period of a wish made before is over.
async fn over() {
    tokio::time::sleep(PERIOD + Duration::from_millis(100)).await;
}

fn sample_error(result: Result<impl std::fmt::Debug, CaseworkError>) -> SampleError {
    match result {
        Err(CaseworkError::Sample(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// A desk with `count` searches by "examiner 7", each of the template of its number.
async fn searched(home: &Path, count: u64) -> Desk {
    let desk = desk(home).await;
    let vault = desk.vault.acting_for(&Caller::new("examiner 7", "test", None));
    // References of the desk's model need vision; searches only name templates.
    let records: Vec<SearchRecord> = (1..=count).map(|id| search(&[TemplateId(id)])).collect();
    vault.record_searches(&records).await.unwrap();
    desk
}

async fn newest(desk: &Desk) -> Event {
    let found = desk.vault.audit_book().newest(&EventFilter::default(), 1).await.unwrap();
    serde_json::from_str(&found[0].body).unwrap()
}

async fn exported(desk: &Desk, to: &Path) -> Checked {
    audit::export(desk, &Caller::itself("a test"), to, |_, _| ()).await.unwrap();
    check(to, None).unwrap()
}

fn oracle(export: &Path) -> (bool, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sample.py");
    let output = Command::new("python3").arg(program).arg(export).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), said)
}

fn objects(sample: &Sample) -> Vec<&str> {
    sample.items.iter().map(|item| item.object.as_str()).collect()
}

#[test]
fn a_sample_is_drawn_once_and_anybody_can_draw_it_again() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = searched(home.path(), 40).await;
        let room = una(&desk).await;
        let id = room.open(&wish(Of::Searches, 7)).await.unwrap();
        let shown = room.show(id).await.unwrap();
        assert_eq!((shown.record.drawn, shown.items.len()), (None, 0));
        assert!(matches!(sample_error(room.draw(id).await), SampleError::NotOver(_)));
        let early = newest(&desk).await;
        assert_eq!((early.kind.as_str(), early.outcome), ("sample.drawn", Outcome::Refused));
        assert!(matches!(sample_error(room.record(id, 1, Judgement::Right, "seen").await), SampleError::NotDrawn(_)));
        audit::seal(&desk).await.unwrap();
        over().await;
        // The checkpoint of before does not count: whoever opened it could know that.
        assert_eq!(sample_error(room.draw(id).await), SampleError::NoCheckpoint);
        // What is done after the period takes no part.
        desk.vault.record_searches(&[search(&[TemplateId(1)])]).await.unwrap();
        audit::seal(&desk).await.unwrap();
        let drawn = room.draw(id).await.unwrap();
        assert_eq!((drawn.items.len(), drawn.record.drawn.as_ref().unwrap().population), (7, 40));
        assert!(drawn.items.iter().all(|item| item.actor == "examiner 7" && item.search.is_some()));
        let told = newest(&desk).await;
        assert_eq!((told.kind.as_str(), &told.objects[1..]), ("sample.drawn", &owned(&drawn)[..]));
        assert_eq!(sample_error(room.draw(id).await), SampleError::Drawn(id));
        assert_eq!(objects(&room.show(id).await.unwrap()), objects(&drawn), "it stays what it was");
        // Any period that shares a moment, however it is cut, and whatever the number.
        for other in
            [wish(Of::Searches, 7), Wish { gallery: None, to: "2021-01-01".to_owned(), ..wish(Of::Searches, 20) }]
        {
            assert_eq!(sample_error(room.open(&other).await), SampleError::Overlaps(id));
            assert_eq!(newest(&desk).await.outcome, Outcome::Refused);
        }
        let to = home.path().join("export");
        let checked = exported(&desk, &to).await;
        assert_eq!((checked.fault(), checked.samples.len()), (None, 1));
        assert_eq!((&checked.samples[0].items[..], checked.samples[0].population), (&owned(&drawn)[..], Some(40)));
        assert_eq!(oracle(&to), (true, format!("sample 1: drawn {}\n", objects(&drawn).join(" "))));
        desk.vault.close().await;
    });
}

fn owned(sample: &Sample) -> Vec<String> {
    sample.items.iter().map(|item| item.object.clone()).collect()
}

/// What somebody does to an event.
type Forge<'a> = &'a dyn Fn(&mut Event);

/// Whoever owns the data base can have the program draw what suits them: the log shows it.
#[test]
fn what_was_not_drawn_as_it_had_to_be_is_named() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = searched(home.path(), 12).await;
        let room = una(&desk).await;
        let id = room.open(&wish(Of::Searches, 3)).await.unwrap();
        over().await;
        audit::seal(&desk).await.unwrap();
        let pool = by_hand(&desk.settings.data.folder).await;
        let seed: String = sqlx::query_scalar("SELECT seed FROM sample").fetch_one(&pool).await.unwrap();
        sqlx::query("UPDATE sample SET seed = $1").bind("ab".repeat(32)).execute(&pool).await.unwrap();
        assert_eq!(sample_error(room.draw(id).await), SampleError::NotAsOpened(id));
        sqlx::query("UPDATE sample SET seed = $1, wanted = 1, to_at = '2020-01-02'")
            .bind(seed)
            .execute(&pool)
            .await
            .unwrap();
        let drawn = room.draw(id).await.unwrap();
        assert_eq!(drawn.items.len(), 3, "the log says what is drawn, not the row");
        for statement in [
            "UPDATE sample SET wanted = 2",
            "DELETE FROM sample_item",
            "UPDATE sample_item SET object = 'search:1'",
            "DELETE FROM sample",
        ] {
            assert!(sqlx::query(statement).execute(&pool).await.is_err(), "{statement}");
        }
        // A forger with the key, who writes the chain anew: each of these is a whole log with another draw.
        let to = home.path().join("export");
        assert_eq!(exported(&desk, &to).await.fault(), None);
        pool.close().await;
        desk.vault.close().await;
        let original = fs_err::read_to_string(to.join("events.jsonl")).unwrap();
        let first = drawn.items[0].object.clone();
        let other =
            (1..=12).map(|id| format!("search:{id}")).find(|name| !objects(&drawn).contains(&name.as_str())).unwrap();
        let forgeries: [(&str, Forge<'_>); 4] = [
            ("something else was drawn", &|event| {
                let named = event.objects.iter_mut().filter(|_| event.kind == "sample.drawn");
                named.filter(|name| **name == first).for_each(|name| name.clone_from(&other));
            }),
            ("seed is not what was published", &|event| {
                if event.kind == "sample.drawn" {
                    event.detail.insert("seed".to_owned(), bertillon::audit::event::Value::Text("00".repeat(32)));
                }
            }),
            ("first checkpoint", &|event| {
                if event.kind == "sample.drawn" {
                    event.detail.insert("checkpoint_seq".to_owned(), bertillon::audit::event::Value::Number(2));
                }
            }),
            ("something else was drawn", &|event| {
                if event.kind == "sample.drawn" {
                    event.detail.insert("population".to_owned(), bertillon::audit::event::Value::Number(11));
                }
            }),
        ];
        for (said, forge) in forgeries {
            rewrite(&to, &original, forge);
            let fault = check(&to, None).unwrap();
            let fault = fault.fault().map(|(sample, fault)| (sample, fault.contains(said)));
            assert_eq!(fault, Some((id, true)), "{said}");
            assert!(!oracle(&to).0, "{said}");
        }
        fs_err::write(to.join("events.jsonl"), original.replacen("search:3", "search:4", 1)).unwrap();
        assert!(check(&to, None).unwrap_err().to_string().contains("was changed"));
    });
}

/// Writes the log of an export anew with a changed event, and one checkpoint of its end and of each it had, by a key of ours.
fn rewrite(to: &Path, original: &str, forge: Forge<'_>) {
    use bertillon::audit::{Checkpoint, Hash};
    let key = bertillon::crypto::SigningKey::from_seed(&[3; 32]).unwrap();
    let folder = fs_err::read_to_string(to.join("FOLDER")).unwrap().trim().to_owned();
    let kept = fs_err::read_to_string(to.join("checkpoints.jsonl")).unwrap();
    let sealed: Vec<Checkpoint> = kept
        .lines()
        .map(|line| {
            let stored: serde_json::Value = serde_json::from_str(line).unwrap();
            serde_json::from_str(stored["body"].as_str().unwrap()).unwrap()
        })
        .collect();
    let (mut prev, mut events, mut checkpoints) = (Hash::of_folder(&folder), String::new(), String::new());
    for line in original.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut event: Event = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        event.prev = prev;
        forge(&mut event);
        let body = event.body().unwrap();
        prev = Hash::of_event(&body);
        events += &(serde_json::json!({ "body": body, "hash": prev.to_string() }).to_string() + "\n");
        for old in sealed.iter().filter(|old| old.seq == event.seq) {
            let anew = Checkpoint::new(old.at.clone(), &folder, event.seq, prev, &key).sealed(&key).unwrap();
            checkpoints += &(serde_json::to_string(&anew).unwrap() + "\n");
        }
    }
    fs_err::write(to.join("events.jsonl"), events).unwrap();
    fs_err::write(to.join("checkpoints.jsonl"), checkpoints).unwrap();
    fs_err::write(to.join("signing.pub"), key.public().to_string()).unwrap();
}

#[test]
fn who_had_a_part_judges_nothing_and_outcomes_stay() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = searched(home.path(), 3).await;
        let reviewer = |who: &str| {
            let caller = Caller::new(who, "test", None);
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
        };
        let review = reviewer("opener").open(2).await.unwrap();
        let examiner = reviewer("decider");
        examiner.claim(review).await.unwrap();
        examiner.see(review).await.unwrap();
        examiner.decide(review, Finding::Exclusion, None).await.unwrap();
        let room = una(&desk).await;
        let searches = room.open(&wish(Of::Searches, 3)).await.unwrap();
        let decisions = room.open(&Wish { gallery: None, ..wish(Of::Decisions, 5) }).await.unwrap();
        over().await;
        audit::seal(&desk).await.unwrap();
        let drawn = room.draw(searches).await.unwrap();
        let decided = room.draw(decisions).await.unwrap();
        assert_eq!(
            (decided.items.len(), decided.items[0].search, decided.items[0].actor.as_str()),
            (1, Some(2), "decider")
        );
        let second = drawn.items.iter().find(|item| item.search == Some(2)).unwrap().position;
        for who in ["examiner 7", "opener", "decider"] {
            let room = SampleRoom::enter(&desk, &Caller::new(who, "test", None)).await.unwrap();
            for (sample, item) in [(searches, second), (decisions, 1)] {
                let refused = sample_error(room.record(sample, item, Judgement::Right, "fine").await);
                assert_eq!(refused, SampleError::Party { person: who.to_owned(), item });
            }
            assert_eq!(newest(&desk).await.outcome, Outcome::Refused);
        }
        assert!(matches!(
            sample_error(room.record(searches, 9, Judgement::Right, "x").await),
            SampleError::NoItem { .. }
        ));
        assert!(matches!(
            sample_error(room.record(searches, 1, Judgement::Right, " ").await),
            SampleError::Reason { .. }
        ));
        let judged = room.record(searches, second, Judgement::Wrong, "overlooked rank 2").await.unwrap();
        assert_eq!((judged.rate.wrong, judged.rate.open), (1, 2));
        let told = newest(&desk).await;
        assert_eq!((told.kind.as_str(), told.actor.as_str()), ("sample.recorded", "una"));
        assert!(!told.body().unwrap().contains("overlooked"), "free text has no place in the log");
        let again = room.record(searches, second, Judgement::Right, "no").await;
        assert_eq!(sample_error(again), SampleError::Recorded { item: second, by: "una".to_owned() });
        desk.vault.close().await;
    });
}

#[test]
fn what_is_no_sample_is_refused_with_a_word_that_helps() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let room = una(&desk).await;
        let fine = || wish(Of::Searches, 5);
        for (bad, said) in [
            (Wish { from: "yesterday".to_owned(), ..fine() }, "2026-11-01"),
            (Wish { to: "2019-12-31".to_owned(), ..fine() }, "ends before"),
            (Wish { wanted: 0, ..fine() }, "from 1 to"),
            (Wish { wanted: 501, ..fine() }, "from 1 to"),
            (Wish { gallery: None, ..wish(Of::Enrolments, 5) }, "--gallery"),
            (Wish { gallery: Some("nothing".parse().unwrap()), ..fine() }, "nothing"),
        ] {
            let error = room.open(&bad).await.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(sample_error(room.draw(4).await), SampleError::NoSample(4));
        for name in ["not signed in", "the server itself"] {
            let nobody = SampleRoom::enter(&desk, &Caller::new(name, "test", None)).await;
            assert!(matches!(nobody, Err(CaseworkError::Access(_))), "{name}");
        }
        let (id, nothing) = (room.open(&fine()).await.unwrap(), home.path().join("nothing"));
        assert_eq!(room.list().await.unwrap().iter().map(|sample| sample.id).collect::<Vec<_>>(), [id]);
        assert!(check(&nothing, None).unwrap_err().to_string().contains("FOLDER"));
        desk.vault.close().await;
    });
}

#[test]
fn what_supervisors_wrote_goes_with_whom_it_may_be_about() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let data = &home.path().join("data");
        let vault = crate::new_vault(data, bertillon::segment::Precision::F32).await;
        let clerk = vault.acting_for(&Caller::new("clerk", "test", None));
        enrol(&clerk, (1..=4).map(|key| reference(key, key)).collect()).await;
        vault.record_searches(&[search(&[TemplateId(2)]), search(&[TemplateId(4)])]).await.unwrap();
        vault.close().await;
        let desk = opened(home.path()).await;
        let room = una(&desk).await;
        let enrolments = room.open(&wish(Of::Enrolments, 4)).await.unwrap();
        let searches = room.open(&wish(Of::Searches, 2)).await.unwrap();
        over().await;
        audit::seal(&desk).await.unwrap();
        let said = |text: String| format!("{text}: the scar at the chin");
        for (sample, word) in [(enrolments, "enrolled"), (searches, "searched")] {
            for item in room.draw(sample).await.unwrap().items {
                let reason = said(format!("{word} {}", item.object));
                room.record(sample, item.position, Judgement::Right, &reason).await.unwrap();
            }
        }
        let in_files = |text: &str| {
            let text = said(text.to_owned());
            crate::traces::windows(data, text.len()).contains(text.as_bytes())
        };
        assert!(in_files("enrolled template:2") && in_files("searched search:1"));
        desk.vault.erase(&name(), Erase::Template(TemplateId(2)), |_| ()).await.unwrap();
        assert!(!in_files("enrolled template:2") && !in_files("searched search:1"));
        assert!(in_files("enrolled template:3") && in_files("searched search:2"), "others keep theirs");
        let left = room.show(enrolments).await.unwrap();
        assert!(left.items.iter().all(|item| item.found.as_ref().unwrap().outcome == "right"));
        desk.vault.close().await;
    });
}
