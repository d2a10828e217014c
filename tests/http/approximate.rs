//! Searches that ask for an approximate answer, over a socket: a gallery whose templates lie in a graph, but for the one
//! reference that was enrolled since.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bertillon::base::random::Stream;
use bertillon::gallery::{Access, IndexOutcome, IndexRequest, Vault};
use bertillon::graph::audit::Extent;
use bertillon::graph::build::Plan;
use bertillon::kernel;
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::vision::catalogue::Catalogue;
use serde_json::Value;

use super::server::{Answer, Form, Server};
use crate::{People, SEARCHES, enrol, people, subjects};

/// Synthetic templates of a gallery.
const ROWS: u64 = 1_500;
/// The policy of the server that keeps it.
const RECALL_MIN: f64 = 0.9;
/// More than there are templates: everything is in view.
const WIDE: u32 = 3_200;
/// Fewer than any audit looked at.
const NARROW: u32 = 10;

/// Two galleries of synthetic templates, made before a server opens them; `custody` has a graph.
async fn prepare(data: &Path) {
    let catalogue = Catalogue::builtin().unwrap();
    let set = catalogue.set("mtcnn-dlib").unwrap();
    let vault = Vault::open(data, Access::Writer, crate::records_at::vault_options()).await.unwrap();
    for name in ["custody", "without"] {
        let name = name.parse().unwrap();
        let dimension = set.dimension().unwrap();
        vault.create_gallery(&name, &set.id(), dimension, Precision::F16, "a test").await.unwrap();
        let fill = |row: u64, out: &mut [f32]| {
            let mut stream = Stream::new(7, row);
            out.fill_with(|| stream.normal());
        };
        vault.import_synthetic(&name, ROWS, fill, |_| ()).await.unwrap();
    }
    let request = IndexRequest {
        plan: Plan { m: 16, ef_construction: 64, threads: 2 },
        extent: Extent { probes: 200, threads: 2, ..Extent::default() },
        again: false,
        rows_min: 0,
        exhaustive: Arc::new(CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 2)), 2)),
        cancel: Arc::new(AtomicBool::new(false)),
        progress: Arc::new(|_, _| ()),
    };
    let built = vault.index(&"custody".parse().unwrap(), request).await.unwrap();
    assert_eq!(built, [(1, IndexOutcome::Built)]);
    vault.close().await;
}

fn start(recall_min: f64) -> Server {
    Server::start_with(|settings: &mut Settings| {
        settings.scoring.approximate_recall_min = recall_min;
        tokio::runtime::Runtime::new().unwrap().block_on(prepare(&settings.data.folder));
    })
}

fn form(people: &People, fields: &[(&str, &str)]) -> Form {
    let form = Form::default().image("p.jpg", &people.anne_again);
    fields.iter().fold(form, |form, (name, value)| form.text(name, value))
}

/// The words of a refusal of that status and type.
fn refusal(answer: &Answer, status: u16, kind: &str) -> String {
    let words = answer.refused(status);
    assert_eq!(answer.json()["type"], format!("urn:bertillon:problem:{kind}"), "{words}");
    words
}

/// What an approximate answer says of itself: its ef and its audit.
fn promise(answer: &Value) -> (u64, &Value) {
    assert_eq!(answer["scoring"]["exact"], false, "{answer}");
    assert!(answer["scoring"]["back_end"].as_str().unwrap().contains("APPROXIMATE"), "{answer}");
    let how = &answer["approximate"];
    assert_eq!((&how["graph_templates"], &how["exhaustive_templates"]), (&ROWS.into(), &1.into()), "{how}");
    (how["ef"].as_u64().unwrap(), &how["audit"])
}

#[test]
fn an_approximate_answer_is_asked_for_and_says_what_it_is() {
    let Some(people) = people() else { return };
    let server = start(RECALL_MIN);
    enrol(&server, "Anne", &people.anne);
    let ask = |fields: &[(&str, &str)]| server.post_form(SEARCHES, form(&people, fields)).good();

    // Exact unless asked otherwise, and when asked for; a form of a browser sends fields that were left empty.
    let exact = ask(&[]);
    for fields in [&[("mode", "exact")][..], &[("mode", ""), ("ef", " ")], &[("mode", " exact ")]] {
        let answer = ask(fields);
        assert_eq!((&answer["scoring"]["exact"], &answer["approximate"]), (&true.into(), &Value::Null), "{fields:?}");
        assert_eq!(subjects(&answer), subjects(&exact), "{fields:?}");
    }

    // Left to the server: the fewest templates in view that keep the policy.
    let least = ask(&[("mode", "approximate")]);
    let (ef, audit) = promise(&least);
    assert_eq!(audit["ef"], ef, "an ef that was audited");
    assert!(audit["recall_low"].as_f64().unwrap() >= RECALL_MIN && audit["recall"].as_f64().unwrap() <= 1.0, "{audit}");
    assert_eq!(audit["probes"], 200);
    // No graph covers her reference, so every template of the part where it lies was compared.
    assert_eq!(subjects(&least)[0], "Anne");
    assert!(least["approximate"]["visited"].as_u64().unwrap() > 0);

    // With everything in view the answer is that of an exact search; one more is in view than was audited.
    let wide = ask(&[("mode", "approximate"), ("ef", &(WIDE + 1).to_string())]);
    let (asked, audit) = promise(&wide);
    assert_eq!((asked, &audit["ef"]), (u64::from(WIDE) + 1, &WIDE.into()));
    assert_eq!(wide["pictures"][0]["probes"][0]["candidates"], exact["pictures"][0]["probes"][0]["candidates"]);

    let narrow = server.post_form(SEARCHES, form(&people, &[("mode", "approximate"), ("ef", &NARROW.to_string())]));
    let words = refusal(&narrow, 409, "recall-policy");
    assert!(words.contains(&format!("an ef of {NARROW} was not audited so low")), "{words}");
    assert!(words.contains(&format!("an ef of {ef} would do")) && words.contains("0.900"), "{words}");
}

#[test]
fn what_can_not_be_asked_of_an_approximate_search_is_told() {
    let Some(people) = people() else { return };
    // Nothing that was measured promises this.
    let server = start(1.0);
    let ask = |path: &str, fields: &[(&str, &str)]| server.post_form(path, form(&people, fields));
    let malformed: [(&[(&str, &str)], &str); 8] = [
        (&[("mode", "fast")], "there is no mode \"fast\": use exact or approximate"),
        (&[("mode", "Approximate")], "there is no mode"),
        (&[("ef", "100")], "an ef belongs to the mode approximate"),
        (&[("mode", "exact"), ("ef", "100")], "an ef belongs to the mode approximate"),
        (&[("mode", "approximate"), ("ef", "many")], "\"many\""),
        (&[("mode", "approximate"), ("ef", "-1")], "\"-1\""),
        (&[("mode", "approximate"), ("ef", "0")], "0"),
        (&[("mode", "approximate"), ("ef", "4294967295")], "4294967295"),
    ];
    for (fields, words) in malformed {
        let told = refusal(&ask(SEARCHES, fields), 400, "malformed");
        assert!(told.contains(words), "{fields:?}: {told}");
    }
    for fields in [&[("mode", "approximate")][..], &[("mode", "approximate"), ("ef", "100")]] {
        let told = refusal(&ask(SEARCHES, fields), 409, "recall-policy");
        assert!(told.contains("would do: search exactly") && told.contains("1.000"), "{fields:?}: {told}");
    }
    let told = refusal(&ask("/api/v1/galleries/without/searches", &[("mode", "approximate")]), 409, "no-graph");
    assert!(!told.is_empty());
    // What is refused approximately is answered exactly.
    assert_eq!(ask(SEARCHES, &[]).good()["scoring"]["exact"], true);
}
