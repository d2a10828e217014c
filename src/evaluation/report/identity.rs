//! The first page: what was evaluated, on what, how.

use super::markup::Markup;
use super::words;
use crate::base::limits::REPORT_ROWS_MAX;
use crate::base::text::thousands;
use crate::evaluation::results::{Evaluation, Identity};

/// Title, identity card and contents.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    let identity = &evaluation.identity;
    page.element("header", &[], |page| {
        page.leaf("h1", &[], &words::shown(&identity.title));
        let made = format!("Accuracy of face identification, evaluated by {}, {}", identity.program, identity.made_at);
        page.leaf("p", &[("class", "subtitle")], &words::shown(&made));
    });
    if identity.synthetic {
        page.leaf(
            "p",
            &[("class", "notice")],
            "SYNTHETIC. The templates of this evaluation were made by a generator. Nothing in it is about any person or any model.",
        );
    }
    page.element("p", &[], |page| {
        page.text("Before any figure is quoted, the ");
        page.leaf("a", &[("href", "#statements")], "last page");
        page.text(" is to be read: it says what is real, what is synthetic and what is extrapolated.");
    });
    contents(page);
    page.element("section", &[("id", "identity")], |page| {
        page.leaf("h2", &[], "Identity card");
        card(page, "What was evaluated", &facts(identity, evaluation.version));
        card(page, "Protocol", &identity.protocol);
        card(page, "Hardware", &identity.hardware);
        let counted = |(what, count): &(String, u64)| (what.clone(), thousands(*count));
        let exclusions: Vec<(String, String)> = identity.exclusions.iter().map(counted).collect();
        if exclusions.is_empty() {
            page.leaf("p", &[("class", "note last")], "Exclusions: none.");
        } else {
            card(page, "Exclusions", &exclusions);
        }
    });
}

fn facts(identity: &Identity, version: u32) -> Vec<(String, String)> {
    let unknown = || "not known: built without tools/".to_owned();
    let facts = [
        ("program", identity.program.clone()),
        ("commit", identity.commit.clone().unwrap_or_else(unknown)),
        ("settings, sha256", identity.config_sha256.clone()),
        ("model set", identity.model.clone()),
        ("model, sha256", identity.model_sha256.clone()),
        ("numbers in a template", identity.dimension.to_string()),
        ("data", identity.data.clone()),
        ("data, sha256", identity.data_sha256.clone()),
        ("templates", if identity.synthetic { "synthetic" } else { "made from pictures" }.to_owned()),
        ("seed", identity.seed.to_string()),
        ("format of the results", format!("version {version}")),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn card(page: &mut Markup, caption: &str, facts: &[(String, String)]) {
    if facts.is_empty() {
        return page.leaf("p", &[("class", "missing")], &format!("{caption}: not recorded."));
    }
    page.element("table", &[("class", "card")], |page| {
        page.leaf("caption", &[], caption);
        page.element("tbody", &[], |page| {
            for (name, value) in facts.iter().take(REPORT_ROWS_MAX) {
                page.element("tr", &[], |page| {
                    page.leaf("th", &[("scope", "row")], &words::cut(name, 80));
                    page.leaf("td", &[], &words::shown(value));
                });
            }
        });
    });
    if facts.len() > REPORT_ROWS_MAX {
        let more = format!("The first {REPORT_ROWS_MAX} of {}; evaluation.json has all.", facts.len());
        page.leaf("p", &[("class", "note")], &more);
    }
}

fn contents(page: &mut Markup) {
    let tables = [
        "Counts",
        "Misses by rank",
        "FNIR at stated FPIR",
        "Size of the gallery",
        "Probe type and quality",
        "Groups",
        "Workload and predictive value",
        "Calibration",
        "Exact and approximate searches",
        "Time of scoring",
    ];
    page.element("nav", &[("aria-label", "contents")], |page| {
        page.leaf("p", &[("class", "caption")], "Contents");
        page.element("ol", &[], |page| {
            for (index, title) in tables.iter().enumerate() {
                page.element("li", &[], |page| {
                    page.leaf("a", &[("href", &format!("#table-{}", index + 1))], title);
                });
            }
            for (anchor, title) in [("#figures", "Figures"), ("#statements", "What is real, synthetic, extrapolated")] {
                page.element("li", &[], |page| page.leaf("a", &[("href", anchor)], title));
            }
        });
    });
}
