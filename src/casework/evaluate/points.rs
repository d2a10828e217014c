//! Operating points taken from a finished evaluation.

use std::path::Path;

use crate::base::clock;
use crate::casework::CaseworkError;
use crate::casework::evaluate::figures;
use crate::evaluation::operating_point::{GroupRates, OPERATING_POINT_VERSION, OperatingPoint};
use crate::evaluation::results::{BreakdownKind, Evaluation, OperatingRow};

/// How near a breakdown's threshold must be to the point's for its group table to be taken over.
const SAME_THRESHOLD: f64 = 1e-9;

/// What an operating point is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoint {
    /// Its name.
    pub name: String,
    /// False positive identification rate; one of those in the evaluation's table.
    pub target_fpir: f64,
    /// For galleries of which kind.
    pub gallery_class: String,
    /// Takes a rate that the data do not support, too: its record then says so.
    pub unsupported: bool,
}

/// Takes a threshold out of the evaluation in `folder`. It holds for galleries no larger than the evaluated one: in larger ones
/// there are more false positives.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] for a rate that the evaluation does not support, with those that it does.
pub fn take(folder: &Path, new: &NewPoint) -> Result<OperatingPoint, CaseworkError> {
    let (evaluation, evaluation_sha256) = figures::read(folder)?;
    let bad = |what: String| CaseworkError::OperatingPoint(what);
    let whole = evaluation.galleries.last().ok_or_else(|| bad("the evaluation has no gallery".to_owned()))?;
    let is_it = |row: &&OperatingRow| (row.target_fpir - new.target_fpir).abs() <= new.target_fpir * 1e-3;
    let supported = || {
        let rows = whole.operating.iter().filter(|row| row.fpir.is_some_and(|fpir| fpir.supported));
        rows.map(|row| format!("{:.5}", row.target_fpir)).collect::<Vec<_>>().join(", ")
    };
    let row = whole.operating.iter().find(is_it);
    let row = row.filter(|row| new.unsupported || row.fpir.is_some_and(|fpir| fpir.supported));
    let found = row.and_then(|row| Some((row, row.threshold?, row.fpir?, row.fnir.last()?)));
    let Some((row, threshold, fpir, fnir)) = found else {
        return Err(bad(format!(
            "the evaluation's {} non-mated searches do not support an FPIR of {} (30 false positives are wanted, or none in \
             enough searches); those they do: {}",
            evaluation.counts.non_mated_searches,
            new.target_fpir,
            Some(supported()).filter(|rates| !rates.is_empty()).unwrap_or_else(|| "none".to_owned())
        )));
    };
    let identity = &evaluation.identity;
    let point = OperatingPoint {
        version: OPERATING_POINT_VERSION,
        name: new.name.clone(),
        model: identity.model.clone(),
        model_sha256: identity.model_sha256.clone(),
        gallery_class: new.gallery_class.clone(),
        templates: (0, evaluation.counts.enrolled_templates),
        target_fpir: row.target_fpir,
        threshold,
        fpir,
        fnir: fnir.fnir,
        list_length: fnir.rank,
        groups: groups(&evaluation, threshold),
        evaluation_sha256,
        data: identity.data.clone(),
        synthetic: identity.synthetic,
        made_at: clock::now_rfc3339(),
    };
    point.check().map_err(|error| bad(error.to_string()))?;
    Ok(point)
}

/// The evaluation's group tables, where they were made at this very threshold.
fn groups(evaluation: &Evaluation, threshold: f64) -> Vec<GroupRates> {
    let tables = evaluation.breakdowns.iter().filter(|table| table.kind == BreakdownKind::Group);
    let same = tables.filter(|table| table.threshold.is_some_and(|at| (at - threshold).abs() < SAME_THRESHOLD));
    same.flat_map(|table| {
        table.rows.iter().map(|row| GroupRates {
            column: table.column.clone(),
            value: row.value.clone(),
            fpir: row.fpir,
            fnir: row.fnir,
        })
    })
    .collect()
}
