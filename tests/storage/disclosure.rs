//! Disclosure packs as real files: whole ones verify anywhere by the public key alone, and whatever is changed in one is named.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bertillon::audit::searched::Authorised;
use bertillon::audit::{Caller, Identity, Outcome};
use bertillon::base::hex;
use bertillon::base::ids::TemplateId;
use bertillon::base::program::Program;
use bertillon::casework::disclosure::rerun::{Rerun, Verdict, again};
use bertillon::casework::disclosure::{self, DisclosureError, Made, Request, What};
use bertillon::casework::review::{Finding, ReviewRoom};
use bertillon::casework::{CaseworkError, Desk};
use bertillon::crypto::{PublicKey, SigningKey};
use bertillon::gallery::{Erase, NewEdit};
use bertillon::identify::{Filter, Identification, ListRule, Mode, Question, identify};
use bertillon::pack::contents::Picture;
use bertillon::pack::manifest::{Listing, Manifest, contents};
use bertillon::pack::{Entry, ListFile, ProbeFile, SearchFile, make, verify, zip};
use bertillon::policy::{Policy, Role, Roles, Stated};
use bertillon::records::{EventFilter, RecordedCandidate, SearchRecord, Statement};
use bertillon::rights::Rights;
use bertillon::segment::Precision;
use proptest::prelude::*;

use crate::bulk::opened;
use crate::pictures::{of, picture};
use crate::records_at::by_hand;
use crate::{enrol, model_id, name, new_vault, reference, run, search, subject, template};

pub(crate) const SEARCHED: [u64; 5] = [3, 1, 5, 2, 4];

/// A desk with a search of two faces, the first of which became a lead of template 5.
pub(crate) async fn lead(home: &Path) -> Desk {
    let vault = new_vault(&home.join("data"), Precision::F32).await;
    enrol(&vault, (1..=6).map(|key| reference(key, key)).collect()).await;
    let some = |text: &str| Some(text.to_owned());
    let stated = Stated {
        purpose: some("investigate_crime"),
        case_ref: some("CR/77/26"),
        reason: some("the only still"),
        authoriser: some("Insp. Theodora Marsh"),
        ..Stated::default()
    };
    let stated = Some(Statement { stated, policy_sha256: [7; 32], of: None });
    let first = SearchRecord { stated, ..search(&SEARCHED.map(TemplateId)) };
    let ids = vault.record_searches(&[first, search(&[TemplateId(6)])]).await.unwrap();
    let room = |who: &str| {
        let caller = Caller::new(who, "test", None);
        ReviewRoom::under(Policy::builtin().unwrap(), &vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
    };
    let review = room("ann").open(ids[0]).await.unwrap();
    for who in ["ann", "bob"] {
        let room = room(who);
        room.claim(review).await.unwrap();
        room.see(review).await.unwrap();
        room.decide(review, Finding::Possible(TemplateId(5)), Some("scar at the chin")).await.unwrap();
    }
    vault.close().await;
    opened(home).await
}

pub(crate) fn una() -> Caller {
    Caller::new("una", "test", None)
}

pub(crate) fn request(what: What, out: PathBuf) -> Request {
    let (recipient, reason) =
        ("Crown Prosecution Service, unit 4".to_owned(), "charge of the man with the van".to_owned());
    Request { what, recipient, reason, out, program: Program::new(Some("0123")) }
}

pub(crate) async fn made(desk: &Desk, what: What, out: &Path) -> (Made, Vec<u8>) {
    let made = disclosure::make(desk, &una(), &request(what, out.to_owned())).await.unwrap();
    let bytes = fs_err::read(out).unwrap();
    assert_eq!(made.bytes, bytes.len() as u64);
    (made, bytes)
}

fn file<'a>(entries: &'a [Entry], path: &str) -> &'a str {
    std::str::from_utf8(&entries.iter().find(|entry| entry.path == path).unwrap().bytes).unwrap()
}

/// The program in an empty folder, with nothing but the pack.
fn elsewhere(pack: &Path, key: Option<&str>) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::copy(pack, folder.path().join("pack.zip")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bertillon"));
    command.args(["disclose", "verify", "pack.zip"]).current_dir(folder.path()).env_remove("BERTILLON_DATA");
    let Output { status, stdout, stderr } = command.args(key.map(|key| format!("--key={key}"))).output().unwrap();
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "it leaves nothing there");
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn oracle(pack: &Path, key: &str) -> (bool, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pack.py");
    let output = Command::new("python3").arg(program).arg(pack).arg(key).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_pack_is_checked_elsewhere_by_the_public_key_alone() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let out = home.path().join("pack.zip");
        let (pack, bytes) = made(&desk, What::Lead(1), &out).await;
        assert_eq!(pack.search, 1);
        let (code, said) = elsewhere(&out, Some(&pack.key));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("the key that you gave") && said.contains("Crown Prosecution Service"), "{said}");
        assert!(said.contains("not evidence of identity"), "{said}");
        assert_eq!(elsewhere(&out, None).0, Some(3));
        let (code, said) = elsewhere(&out, Some(&"ab".repeat(32)));
        assert!(code == Some(1) && said.contains("key.pub"), "{said}");
        assert_eq!(oracle(&out, &pack.key), (true, "search 1: 9 files, 5 candidates\n".to_owned()));
        // All that was shown is in it, and names of nobody but the candidate of the lead.
        let entries = zip::read(&bytes).unwrap();
        let list: ListFile = serde_json::from_str(file(&entries, "list.json")).unwrap();
        let listed: Vec<(u64, bool)> =
            list.candidates.iter().map(|one| (one.template, one.subject.is_some())).collect();
        assert_eq!(listed, SEARCHED.map(|id| (id, id == 5)));
        let all: String = entries.iter().map(|entry| String::from_utf8(entry.bytes.clone()).unwrap()).collect();
        for key in 1..=6 {
            assert_eq!(all.contains(subject(key).as_str()), key == 5, "{key}");
        }
        for wanted in [
            "CR/77/26",
            "the only still",
            "Insp. Theodora Marsh",
            "scar at the chin",
            "possible_identification",
            "\"0123\"",
        ] {
            assert!(all.contains(wanted), "{wanted}");
        }
        let report = verify(&bytes, None).unwrap();
        assert!(report.list_bound && !report.key_known);
        // It was told, by number, before it was written; and nothing that was typed.
        let filter = EventFilter { kind: None, object: Some("disclosure:1".to_owned()) };
        let told = desk.vault.audit_book().newest(&filter, 9).await.unwrap();
        let event: bertillon::audit::Event = serde_json::from_str(&told[0].body).unwrap();
        assert_eq!((told.len(), event.kind.as_str(), event.actor.as_str()), (1, "disclosure.made", "una"));
        assert_eq!(event.objects, ["search:1", "review:1", "lead:1", "disclosure:1"]);
        assert!(!told[0].body.contains("Crown") && !told[0].body.contains("van"));
        let listed = disclosure::list(&desk, &una()).await.unwrap();
        assert_eq!((listed.len(), listed[0].what.recipient.as_str()), (1, "Crown Prosecution Service, unit 4"));
        desk.vault.close().await;
    });
}

#[test]
fn any_changed_byte_of_a_pack_is_found() {
    let home = tempfile::tempdir().unwrap();
    let good = run(async {
        let desk = lead(home.path()).await;
        let (_, bytes) = made(&desk, What::Search(1), &home.path().join("pack.zip")).await;
        desk.vault.close().await;
        bytes
    });
    verify(&good, None).unwrap();
    proptest!(ProptestConfig::with_cases(600), |(place in any::<prop::sample::Index>(), bit in 0_u32..8)| {
        let mut bad = good.clone();
        let at = place.index(bad.len());
        bad[at] ^= 1 << bit;
        prop_assert!(verify(&bad, None).is_err(), "byte {}", at);
    });
}

#[test]
fn a_pack_has_the_hash_of_the_picture_and_of_each_edit_of_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let (came, cropped) = (picture(1, 9_000), picture(2, 800));
        let sealed = desk.vault.seal_probes(&name(), vec![came.clone()], "2999-01-01T00:00:00Z").await.unwrap();
        let record = SearchRecord { probe_sha256: of(&came), ..search(&SEARCHED.map(TemplateId)) };
        let number = desk.vault.record_searches_keeping(&name(), vec![record], sealed).await.unwrap()[0];
        let (tool, parameters) = ("levels of the test 1.0".to_owned(), "cropped to 10,10 200x200".to_owned());
        let edit = NewEdit { bytes: cropped.clone(), tool: tool.clone(), parameters: parameters.clone() };
        let xena = desk.vault.acting_for(&Caller::new("xena", "test", None));
        xena.add_edit(1, edit).await.unwrap();
        let out = |name: &str| home.path().join(name);
        let (pack, bytes) = made(&desk, What::Search(number), &out("kept.zip")).await;
        let entries = zip::read(&bytes).unwrap();
        let probe: ProbeFile = serde_json::from_str(file(&entries, "probe.json")).unwrap();
        assert_eq!((probe.original, probe.picture, probe.bytes), (hex::encode(&of(&came)), Picture::Kept, Some(9_000)));
        let [edit] = probe.edits.as_slice() else { panic!("{:?}", probe.edits) };
        let sha256 = hex::encode(&of(&cropped));
        assert_eq!((edit.number, edit.sha256.as_ref(), edit.person.as_str()), (1, Some(&sha256), "xena"));
        assert_eq!((&edit.tool, &edit.parameters), (&Some(tool), &Some(parameters)));
        assert!(file(&entries, "audit.jsonl").contains("probe.edited"), "the log says when, by whom");
        for picture in [&came, &cropped] {
            assert!(!bytes.windows(64).any(|window| window == &picture[..64]), "no picture is in it");
        }
        assert!(verify(&bytes, None).is_ok() && oracle(&out("kept.zip"), &pack.key).0);
        let at = bytes.windows(64).position(|window| window == sha256.as_bytes()).unwrap();
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(verify(&bad, None).unwrap_err().to_string().starts_with("probe.json"));
        // Of a search with no kept picture its hash is known, of an erased one what is left.
        let (_, bytes) = made(&desk, What::Search(1), &out("none.zip")).await;
        let none: ProbeFile = serde_json::from_str(file(&zip::read(&bytes).unwrap(), "probe.json")).unwrap();
        assert_eq!((none.original, none.picture, none.probe), ("09".repeat(32), Picture::NotKept, None));
        desk.vault.erase_probe(1).await.unwrap();
        let (pack, bytes) = made(&desk, What::Search(number), &out("erased.zip")).await;
        let gone: ProbeFile = serde_json::from_str(file(&zip::read(&bytes).unwrap(), "probe.json")).unwrap();
        assert_eq!((gone.original, gone.picture), (hex::encode(&of(&came)), Picture::Erased));
        let left = &gone.edits[0];
        assert_eq!((&left.sha256, &left.tool, &left.parameters), (&None, &None, &None));
        assert_eq!((left.person.as_str(), left.made_at.is_empty()), ("xena", false));
        assert!(oracle(&out("erased.zip"), &pack.key).0);
        desk.vault.close().await;
    });
}

/// Whoever has the key can sign another pack: then the log has another hash.
#[test]
fn what_is_signed_again_is_not_what_the_log_tells() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let (pack, bytes) = made(&desk, What::Search(1), &home.path().join("pack.zip")).await;
        let seed = fs_err::read_to_string(desk.settings.data.folder.join("keys/signing.key")).unwrap();
        let key = SigningKey::from_seed(&hex::decode_32(seed.trim()).unwrap()).unwrap();
        let entries = zip::read(&bytes).unwrap();
        let manifest: Manifest = serde_json::from_str(file(&entries, "manifest.json")).unwrap();
        // The first four come with every pack.
        let inner = entries[4..].to_vec();
        let repacked = |manifest: Manifest, inner: Vec<Entry>| make(manifest, inner, &key).unwrap();
        assert_eq!(repacked(manifest.clone(), inner.clone()), bytes, "the same goes in, the same comes out");
        let known = Some(PublicKey::parse(&pack.key).unwrap());
        let fault = |bytes: &[u8]| verify(bytes, known).unwrap_err().to_string();
        // Another comparison score, with everything in the pack made to fit.
        let mut list: ListFile = serde_json::from_str(file(&entries, "list.json")).unwrap();
        list.candidates[2].score = 0.75;
        list.candidates[2].score_bits.0 = 0.75;
        let text = serde_json::to_string(&list).unwrap();
        let forged: Vec<Entry> = inner
            .iter()
            .map(|entry| if entry.path == "list.json" { Entry::text("list.json", &text) } else { entry.clone() })
            .collect();
        assert!(fault(&repacked(manifest.clone(), forged.clone())).contains("contents"));
        let listed: Vec<Listing> = forged.iter().map(Listing::of).collect();
        let fits = Manifest { contents: contents(&listed), ..manifest.clone() };
        assert!(fault(&repacked(fits, forged)).contains("other contents"));
        // A file left out, one put in, two exchanged.
        let mut fewer = entries.clone();
        fewer.retain(|entry| entry.path != "decisions.json");
        assert!(fault(&zip::write(&fewer).unwrap()).starts_with("policy.json"));
        let mut more = entries.clone();
        more.push(Entry::text("extra.txt", "x"));
        assert!(fault(&zip::write(&more).unwrap()).starts_with("extra.txt"));
        let mut exchanged = entries.clone();
        exchanged.swap(4, 5);
        assert!(fault(&zip::write(&exchanged).unwrap()).starts_with("list.json"));
        // Another's key, with another's signature.
        let other = SigningKey::from_seed(&[4; 32]).unwrap();
        let theirs = make(manifest, inner, &other).unwrap();
        assert!(fault(&theirs).contains("key.pub"));
        assert!(verify(&theirs, None).unwrap_err().to_string().contains("checkpoints.jsonl"));
        desk.vault.close().await;
    });
}

#[test]
fn who_was_erased_since_is_on_the_list_as_that() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let out = |name: &str| home.path().join(name);
        made(&desk, What::Search(1), &out("before.zip")).await;
        desk.vault.erase(&name(), Erase::Subject(subject(5)), |_| ()).await.unwrap();
        let (pack, bytes) = made(&desk, What::Lead(1), &out("after.zip")).await;
        let entries = zip::read(&bytes).unwrap();
        let list: ListFile = serde_json::from_str(file(&entries, "list.json")).unwrap();
        let gone: Vec<(u64, bool)> =
            list.candidates.iter().map(|one| (one.template, one.erased_at.is_some())).collect();
        assert_eq!(gone, SEARCHED.map(|id| if id == 5 { (0, true) } else { (id, false) }), "nobody's number");
        assert_eq!(list.candidates[2].score.to_bits(), 0, "nor how like the probe they were");
        let kept: Vec<String> = desk
            .vault
            .disclosure_book()
            .search(2)
            .await
            .unwrap()
            .unwrap()
            .candidates
            .into_iter()
            .map(|one| one.state)
            .collect();
        assert_eq!(kept, ["live"], "the list of somebody else stays");
        let search: SearchFile = serde_json::from_str(file(&entries, "search.json")).unwrap();
        assert_eq!((search.case_ref.as_deref(), search.reason), (Some("CR/77/26"), Some("x".repeat(14))));
        let by = search.searched.authorised.unwrap();
        assert!(matches!(by, Authorised::By { name, .. } if name == "Insp. Theodora Marsh"), "who is an officer stays");
        assert!(!file(&entries, "decisions.json").contains("scar"));
        assert!(verify(&bytes, None).unwrap().list_bound, "the log still binds the list");
        assert!(oracle(&out("after.zip"), &pack.key).0);
        // Why the first was made may have been about them; that it was made, and for whom, stays.
        let data = desk.settings.data.folder.clone();
        let listed = disclosure::list(&desk, &una()).await.unwrap();
        assert_eq!(listed[1].what.reason, "x".repeat("charge of the man with the van".len()));
        assert_eq!(listed[1].what.recipient, "Crown Prosecution Service, unit 4");
        assert_eq!(listed[0].what.reason, "charge of the man with the van", "made after, and written anew");
        assert!(data.is_dir());
        desk.vault.close().await;
    });
}

#[test]
fn what_can_not_be_disclosed_leaves_no_file_and_no_event() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let out = home.path().join("pack.zip");
        let ann = Caller::new("ann", "test", None);
        let room =
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &ann, Some(Roles::of(&Role::ALL))).unwrap();
        let review = room.open(2).await.unwrap();
        let before = desk.vault.audit_book().head().await.unwrap();
        let wish = |what| request(what, out.clone());
        let refused = async |request: Request| {
            let error = disclosure::make(&desk, &una(), &request).await.unwrap_err();
            assert!(!out.exists(), "{error}");
            error
        };
        // Who has yet to decide must not read there what others did.
        let error = refused(wish(What::Search(2))).await;
        let open = DisclosureError::UnderReview { search: 2, review };
        assert!(matches!(&error, CaseworkError::Disclosure(found) if found.to_string() == open.to_string()), "{error}");
        let error = refused(wish(What::Search(99))).await;
        assert!(matches!(error, CaseworkError::Disclosure(DisclosureError::NoSearch(99))), "{error}");
        let error = refused(wish(What::Lead(99))).await;
        assert!(matches!(error, CaseworkError::Disclosure(DisclosureError::NoLead(99))), "{error}");
        for (recipient, reason) in [("", "because"), ("somebody", "  "), ("somebody", &"x".repeat(1_025))] {
            let request =
                Request { recipient: recipient.to_owned(), reason: reason.to_owned(), ..wish(What::Search(1)) };
            let error = refused(request).await;
            assert!(matches!(error, CaseworkError::Disclosure(DisclosureError::Text { .. })), "{error}");
        }
        let nowhere = Request { out: home.path().join("no/such/folder.zip"), ..wish(What::Search(1)) };
        assert!(matches!(refused(nowhere).await, CaseworkError::Unreadable { .. }));
        // Nor for anybody but a supervisor of that gallery.
        for role in ["examiner", "verifier", "supervisor:elsewhere", "auditor", "administrator"] {
            let rights = Rights { grants: vec![role.parse().unwrap()], limits: None };
            let identity = Identity { user: 1, name: "eve".parse().unwrap(), key: None, rights };
            let eve = Caller::user(identity, None, 1);
            let error = disclosure::make(&desk, &eve, &wish(What::Search(1))).await.unwrap_err();
            assert!(matches!(error, CaseworkError::NotAllowed { .. }) && !out.exists(), "{role}: {error}");
        }
        assert_eq!(desk.vault.audit_book().head().await.unwrap(), before, "what was not done is not told as done");
        fs_err::write(&out, "mine").unwrap();
        let error = disclosure::make(&desk, &una(), &wish(What::Search(1))).await.unwrap_err();
        assert!(matches!(error, CaseworkError::Unreadable { .. }), "{error}");
        assert_eq!(fs_err::read_to_string(&out).unwrap(), "mine");
        assert!(disclosure::list(&desk, &una()).await.unwrap().is_empty());
        let newest = desk.vault.audit_book().newest(&EventFilter::default(), 1).await.unwrap();
        let event: bertillon::audit::Event = serde_json::from_str(&newest[0].body).unwrap();
        assert_eq!((event.kind.as_str(), event.outcome), ("disclosure.listed", Outcome::Ok));
        desk.vault.close().await;
    });
}

/// A real search of 30 people for somebody like number 7, recorded as searches are.
async fn searched(home: &Path, filter: &str, threshold: Option<f32>) -> (Desk, i64) {
    let vault = new_vault(&home.join("data"), Precision::F32).await;
    // More than one tail: what was enrolled then ends within a run.
    enrol(&vault, (1..=60).map(|key| reference(key, key / 2)).collect()).await;
    vault.close().await;
    let desk = opened(home).await;
    let rule = ListRule { people: 8, threshold };
    let filter: Filter = filter.parse().unwrap();
    let restriction = filter.for_the_record();
    let (gallery, model) = (name(), model_id(1));
    let question = Question { gallery, model, probes: vec![template(7)], rule, filter, mode: Mode::Exact };
    let Identification { lists, work, snapshot, seen, .. } =
        identify(&desk.vault, &desk.engine.batcher, question).await.unwrap();
    let candidate = |one: &bertillon::identify::Candidate| RecordedCandidate {
        rank: one.rank as u32,
        template: one.template,
        score: one.score,
        entry: None,
    };
    let record = SearchRecord {
        snapshot_number: snapshot,
        seen,
        people: rule.people,
        back_end: work.back_end,
        restriction,
        threshold,
        candidates: lists[0].iter().map(candidate).collect(),
        ..search(&[])
    };
    let ids = desk.vault.record_searches(&[record]).await.unwrap();
    (desk, ids[0])
}

async fn run_again(desk: &Desk, search: i64) -> Result<Rerun, CaseworkError> {
    let found = desk.vault.disclosure_book().search(search).await.unwrap().unwrap();
    again(desk, &una(), &found.searched, (template(7), model_id(1))).await
}

#[test]
fn a_search_that_is_run_again_gives_the_same_list_or_says_why_not() {
    run(async {
        for (filter, threshold) in
            [("", None), ("", Some(0.1)), ("place=0000007 police station,0000012 police station", None)]
        {
            let home = tempfile::tempdir().unwrap();
            let (desk, search) = searched(home.path(), filter, threshold).await;
            let same = Rerun { search, verdict: Verdict::Same, gone: 0, gone_from_list: 0, differs_at: None };
            assert_eq!(run_again(&desk, search).await.unwrap(), same);
            // Whoever was enrolled since was not there to be found: not even somebody just like the probe.
            let twins =
                (61..=90).map(|key| bertillon::gallery::NewReference { template: template(7), ..reference(key, key) });
            enrol(&desk.vault, twins.collect()).await;
            assert_eq!(run_again(&desk, search).await.unwrap(), same, "{filter}");
            // One of the list, and one who was not on it.
            let found = desk.vault.disclosure_book().search(search).await.unwrap().unwrap();
            assert_eq!(found.candidates[0].template, 7);
            desk.vault.erase(&name(), Erase::Template(TemplateId(7)), |_| ()).await.unwrap();
            let changed = run_again(&desk, search).await.unwrap();
            assert_eq!((changed.verdict, changed.gone, changed.gone_from_list), (Verdict::GalleryChanged, 1, 1));
            assert_eq!(changed.differs_at, Some(1));
            desk.vault.close().await;
        }
    });
}

#[test]
fn a_list_that_nothing_explains_is_different_and_told_so() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (desk, search) = searched(home.path(), "", None).await;
        let pool = by_hand(&desk.settings.data.folder).await;
        let pack = home.path().join("pack.zip");
        let (_, good) = made(&desk, What::Search(search), &pack).await;
        // By the last bit of one score.
        let score: f64 =
            sqlx::query_scalar("SELECT score FROM search_candidate WHERE rank = 3").fetch_one(&pool).await.unwrap();
        let other = f64::from(f32::from_bits((score as f32).to_bits() + 1));
        sqlx::query("UPDATE search_candidate SET score = $1 WHERE rank = 3").bind(other).execute(&pool).await.unwrap();
        let different = run_again(&desk, search).await.unwrap();
        assert_eq!((different.verdict, different.differs_at), (Verdict::Different, Some(3)));
        let newest = desk.vault.audit_book().newest(&EventFilter::default(), 1).await.unwrap();
        let event: bertillon::audit::Event = serde_json::from_str(&newest[0].body).unwrap();
        assert_eq!((event.kind.as_str(), event.outcome), ("search.rerun", Outcome::Failed));
        // A pack of before the change is whole; one of after is not what the log binds.
        assert!(verify(&good, None).unwrap().list_bound);
        let (_, bad) = made(&desk, What::Search(search), &home.path().join("after.zip")).await;
        assert!(verify(&bad, None).unwrap_err().to_string().starts_with("list.json"));
        for (column, value, said) in [
            ("back_end = 'APPROXIMATE: ef 64'", "search", "approximate"),
            ("back_end = 'cpu', restriction = '2 subjects (sha256 of their sorted lines 00)'", "search", "subjects"),
            ("people = 0", "search_context", "of before"),
        ] {
            let update = sqlx::AssertSqlSafe(format!("UPDATE {value} SET {column}"));
            sqlx::raw_sql(update).execute(&pool).await.unwrap();
            let error = run_again(&desk, search).await.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        pool.close().await;
        desk.vault.close().await;
    });
}
