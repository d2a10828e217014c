//! The last page: what is real, what is synthetic, what is extrapolated, and what can't be said.

use super::markup::Markup;
use super::{section, words};
use crate::base::limits::REPORT_ROWS_MAX;
use crate::evaluation::results::{About, Evaluation};

/// What holds for every evaluation.
const ALWAYS: [&str; 3] = [
    "These figures must not be cited as operational accuracy. They hold for the pictures, the gallery, the model and the \
     settings named on the first page, and for no others.",
    "A comparison score is no probability, and a candidate is a lead: whether it shows the person sought is decided by trained \
     people, independently of each other.",
    "“Undetermined” means that the data are too few. It is not evidence that groups are treated alike.",
];

/// The statements, by what they are about.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    section(page, "statements", "What is real, what is synthetic, what is extrapolated", |page| {
        for (about, heading) in [
            (About::Real, "Real"),
            (About::Synthetic, "Synthetic"),
            (About::Extrapolated, "Extrapolated"),
            (About::Limit, "Limits"),
        ] {
            page.leaf("h3", &[], heading);
            let said = evaluation.statements.iter().filter(|statement| statement.about == about);
            let made = of_itself(evaluation, about, said.clone().next().is_some());
            let texts: Vec<&str> = made.into_iter().chain(said.map(|statement| statement.text.as_str())).collect();
            if texts.is_empty() {
                page.leaf("p", &[], "Nothing in this report.");
                continue;
            }
            page.element("ul", &[], |page| {
                texts.iter().take(REPORT_ROWS_MAX).for_each(|text| page.leaf("li", &[], &words::shown(text)));
            });
            if texts.len() > REPORT_ROWS_MAX {
                let more = format!("The first {REPORT_ROWS_MAX} of {}; evaluation.json has all.", texts.len());
                page.leaf("p", &[("class", "note")], &more);
            }
        }
        page.leaf(
            "p",
            &[("class", "note")],
            "Set in Noto Sans (copyright 2012 Google Inc.), SIL Open Font License 1.1. This file refers to nothing outside itself and runs no script.",
        );
    });
}

/// What the results themselves make true: limits always, the rest where nothing of its kind is `stated`.
fn of_itself(evaluation: &Evaluation, about: About, stated: bool) -> Vec<&'static str> {
    let predicted = evaluation.prediction.as_ref().is_some_and(|prediction| !prediction.rows.is_empty());
    match about {
        About::Synthetic if evaluation.identity.synthetic && !stated => vec![
            "All templates were made by a generator; presets reproduce published points by construction and are no evidence \
             about any model.",
        ],
        About::Extrapolated if predicted && !stated => vec![
            "Predicted FPIRs of table 4 and of the figure of FPIR against the size of the gallery are model-based; only those \
             beside which a measured rate stands have been checked.",
        ],
        About::Real | About::Synthetic | About::Extrapolated => Vec::new(),
        About::Limit => ALWAYS.to_vec(),
    }
}
