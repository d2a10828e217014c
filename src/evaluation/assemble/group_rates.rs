//! Rates of each group at a threshold that was chosen over everybody: what an operating point does to whom.

use std::collections::BTreeMap;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::dependence::Clustered;
use crate::evaluation::accuracy::trials::{Kind, Rank, Threshold, View};
use crate::evaluation::assemble::Column;
use crate::evaluation::assemble::tables::rate;
use crate::evaluation::results::{GroupRates, Rate};

/// Events and searches of each person.
type People = BTreeMap<u32, [f64; 2]>;

/// FPIR and FNIR of every group of every column, those without a search left out.
pub(super) fn at_threshold(
    view: &View,
    columns: &[Column],
    rank: Rank,
    threshold: Threshold,
) -> Result<Vec<GroupRates>, EvaluationError> {
    view.check_rank(rank)?;
    let mut all = Vec::new();
    for column in columns {
        let (mut non_mated, mut mated) =
            (vec![People::new(); column.values.len()], vec![People::new(); column.values.len()]);
        for (number, search) in view.searches() {
            let Some(value) = column.of_searches.get(number).copied().flatten().map(usize::from) else { continue };
            let (people, event) = match search.kind {
                Kind::NonMated => (non_mated.get_mut(value), search.returns(threshold)),
                Kind::Mated => (mated.get_mut(value), !search.hit(rank, threshold)),
            };
            let Some(people) = people else { continue };
            let [events, searches] = people.entry(search.subject).or_insert([0.0; 2]);
            *events += f64::from(u8::from(event));
            *searches += 1.0;
        }
        for ((value, non_mated), mated) in column.values.iter().zip(&non_mated).zip(&mated) {
            if non_mated.is_empty() && mated.is_empty() {
                continue;
            }
            let (fpir, fnir) = (of(non_mated)?, of(mated)?);
            let fnir = fnir.map(|fnir| fnir.beside(fpir.as_ref()));
            all.push(GroupRates { column: column.name.clone(), value: value.clone(), fpir, fnir });
        }
    }
    Ok(all)
}

fn of(people: &People) -> Result<Option<Rate>, EvaluationError> {
    if people.is_empty() {
        return Ok(None);
    }
    rate(&Clustered::of(&people.values().copied().collect::<Vec<_>>())?, None).map(Some)
}
