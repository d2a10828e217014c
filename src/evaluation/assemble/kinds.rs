//! Rates of each kind of probe by itself. A threshold that was chosen over clean and degraded pictures together is that of no
//! search that anybody makes: which mixture the evaluation happened to have would decide what is shown.

use crate::base::limits::{EVALUATION_KINDS_COMPARED_MAX, EVALUATION_VALUES_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::trials::View;
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::groups::part;
use crate::evaluation::assemble::{Column, Tell, tables};
use crate::evaluation::results::{About, KindResult, Statement};

/// Every kind that has a search, in the column's order; with rates of its own where there is more than one.
pub(super) fn of(
    view: &View,
    column: &Column,
    groups: &[Column],
    resampling: Resampling,
    tell: Tell<'_>,
) -> Result<Vec<KindResult>, EvaluationError> {
    if column.values.len() > EVALUATION_VALUES_MAX {
        let found = column.values.len();
        return Err(EvaluationError::TooMany { what: "kinds of probe", found, most: EVALUATION_VALUES_MAX });
    }
    let parts: Vec<(&String, View)> =
        column.values.iter().enumerate().map(|(value, name)| (name, part(view, &column.of_searches, value))).collect();
    let there: Vec<_> = parts.iter().filter(|(_, part)| part.searches().next().is_some()).collect();
    let several = there.len() > 1;
    let one = |(name, part): &&(&String, View)| {
        let people = part.trials().enrolled_subjects();
        let how = tables::How { seed: resampling.seed, resampling: Some(resampling), groups, tell };
        let rates = several.then(|| tables::gallery(part, people, &how));
        Ok(KindResult {
            kind: (*name).clone(),
            mated_searches: part.mated().count() as u64,
            non_mated_searches: part.non_mated().count() as u64,
            rates: rates.transpose()?,
        })
    };
    there.iter().map(one).collect()
}

/// Kinds that groups are compared within: all that have searches where there are several, but not more than a few.
pub(super) fn several<'c, 'a>(view: &View<'a>, column: &'c Column) -> Vec<(&'c str, View<'a>)> {
    let parts = column.values.iter().enumerate();
    let parts = parts.map(|(value, name)| (name.as_str(), part(view, &column.of_searches, value)));
    let there: Vec<_> = parts.filter(|(_, part)| part.searches().next().is_some()).collect();
    if (2..=EVALUATION_KINDS_COMPARED_MAX).contains(&there.len()) { there } else { Vec::new() }
}

/// What is to be known of rates over several kinds.
pub(super) fn statement(kinds: &[KindResult]) -> Option<Statement> {
    let (true, list) = (kinds.len() > 1, composition(kinds)) else { return None };
    let text = format!(
        "Probes are of several kinds: {list}. Rates and thresholds that name no kind are over this very mixture, which no \
         operation has; each kind has thresholds and rates of its own beside them."
    );
    Some(Statement { about: About::Limit, text })
}

fn composition(kinds: &[KindResult]) -> String {
    let one = |kind: &KindResult| {
        format!("{} ({} mated and {} non-mated searches)", kind.kind, kind.mated_searches, kind.non_mated_searches)
    };
    kinds.iter().map(one).collect::<Vec<_>>().join(", ")
}
