//! Rates of each kind of probe by itself. A threshold that was chosen over clean and degraded pictures together is that of no
//! search that anybody makes: which mixture the evaluation happened to have would decide what is shown.

use crate::base::limits::{EVALUATION_KINDS_COMPARED_MAX, EVALUATION_VALUES_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::trials::View;
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::groups::part;
use crate::evaluation::assemble::{Column, Tell, tables};
use crate::evaluation::results::{About, KindResult, Statement};

/// The searches of each kind that has any, in the column's order.
pub(super) fn parts<'c, 'a>(view: &View<'a>, column: &'c Column) -> Result<Vec<(&'c str, View<'a>)>, EvaluationError> {
    if column.values.len() > EVALUATION_VALUES_MAX {
        let found = column.values.len();
        return Err(EvaluationError::TooMany { what: "kinds of probe", found, most: EVALUATION_VALUES_MAX });
    }
    let parts = column.values.iter().enumerate();
    let parts = parts.map(|(value, name)| (name.as_str(), part(view, &column.of_searches, value)));
    Ok(parts.filter(|(_, part)| part.searches().next().is_some()).collect())
}

/// Every kind, with rates of its own where there is more than one.
pub(super) fn of(
    parts: &[(&str, View)],
    groups: &[Column],
    resampling: Resampling,
    tell: Tell<'_>,
) -> Result<Vec<KindResult>, EvaluationError> {
    let several = parts.len() > 1;
    let one = |(name, part): &(&str, View)| {
        let people = part.trials().enrolled_subjects();
        let how = tables::How { seed: resampling.seed, resampling: Some(resampling), groups, tell };
        let rates = several.then(|| tables::gallery(part, people, &how));
        Ok(KindResult {
            kind: (*name).to_owned(),
            mated_searches: part.mated().count() as u64,
            non_mated_searches: part.non_mated().count() as u64,
            rates: rates.transpose()?,
        })
    };
    parts.iter().map(one).collect()
}

/// Kinds that groups are compared within: all of them where there are several, but not more than a few.
pub(super) fn compared<P>(parts: &[P]) -> &[P] {
    if (2..=EVALUATION_KINDS_COMPARED_MAX).contains(&parts.len()) { parts } else { &[] }
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
