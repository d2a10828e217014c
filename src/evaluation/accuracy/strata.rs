//! Parts of the searches by a measured quantity, such as quality deciles, and false positives by pairs of groups.

use serde::Serialize;

use super::rates::is_cut;
use super::trials::{Kind, Threshold, View};
use crate::base::limits::EVALUATION_GROUPS_MAX;
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::finite;
use crate::evaluation::arithmetic::intervals::Proportion;

/// One of several parts of about equal size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Lowest value in it.
    pub from: f64,
    /// Highest value in it.
    pub to: f64,
    /// How many values.
    pub count: usize,
}

/// Puts each value of a column into one of `parts` parts of about equal size, lowest values first: ten give deciles. Equal
/// values stay together, so parts may differ in size, and there may be fewer of them. `None` stays `None`.
///
/// # Errors
/// [`EvaluationError::Empty`] without any value, [`EvaluationError::Figure`] for a value that is not finite,
/// [`EvaluationError::TooMany`] parts.
pub fn equal_parts(column: &[Option<f64>], parts: u16) -> Result<(Vec<Option<u16>>, Vec<Part>), EvaluationError> {
    if parts == 0 {
        return Err(EvaluationError::Empty("parts"));
    }
    if usize::from(parts) > EVALUATION_GROUPS_MAX {
        let found = usize::from(parts);
        return Err(EvaluationError::TooMany { what: "parts", found, most: EVALUATION_GROUPS_MAX });
    }
    let mut sorted = Vec::with_capacity(column.len());
    for value in column.iter().flatten() {
        // Adding 0 makes -0 the 0 that it equals.
        sorted.push(finite("a value to part searches by", *value)? + 0.0);
    }
    if sorted.is_empty() {
        return Err(EvaluationError::Empty("values to part searches by"));
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let mut found: Vec<Part> = Vec::new();
    let mut taken = 0;
    for part in 1..=usize::from(parts) {
        let end = sorted.len() * part / usize::from(parts);
        let Some(&to) = end.checked_sub(1).and_then(|last| sorted.get(last)) else { continue };
        let end = sorted.partition_point(|value| *value <= to);
        if let Some(&from) = sorted.get(taken).filter(|_| end > taken) {
            found.push(Part { from, to, count: end - taken });
            taken = end;
        }
    }
    let place = |value: f64| found.partition_point(|part| part.to < value) as u16;
    Ok((column.iter().map(|value| value.map(place)).collect(), found))
}

/// Candidates at or above a threshold in non-mated searches, by group of the probe and group of the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossTable {
    /// Row by row (probe's group), columns by the reference's group: candidates of comparisons; `None` where nothing was compared.
    pub cells: Vec<Vec<Option<Proportion>>>,
    /// Searches all of whose list is at or above the threshold though the gallery has more: their row is a lower bound.
    pub cut_lists: u64,
}

/// False matches of one comparison by pairs of groups: the heat map. `probes` gives each search's group, `references` the group of
/// a reference's subject, `templates` how many templates of each group are enrolled.
///
/// # Errors
/// [`EvaluationError::NotPaired`] for a column of another length or more candidates than comparisons,
/// [`EvaluationError::TooMany`] groups, [`EvaluationError::Empty`] without groups.
pub fn cross_table(
    view: &View,
    threshold: Threshold,
    probes: &[Option<u16>],
    references: impl Fn(u32) -> Option<u16>,
    templates: &[u64],
) -> Result<CrossTable, EvaluationError> {
    let groups = templates.len();
    if groups == 0 {
        return Err(EvaluationError::Empty("groups"));
    }
    if groups > EVALUATION_GROUPS_MAX {
        return Err(EvaluationError::TooMany { what: "groups", found: groups, most: EVALUATION_GROUPS_MAX });
    }
    let searches = view.trials().searches().len();
    if probes.len() != searches {
        return Err(EvaluationError::NotPaired(format!("{} groups of {searches} searches", probes.len())));
    }
    let mut compared = vec![0_u64; groups];
    let mut returned = vec![vec![0_u64; groups]; groups];
    let mut cut_lists = 0;
    for (number, search) in view.searches().filter(|(_, search)| search.kind == Kind::NonMated && search.extracted) {
        let Some(row) = probes.get(number).copied().flatten().map(usize::from) else { continue };
        let (Some(count), Some(cells)) = (compared.get_mut(row), returned.get_mut(row)) else {
            return Err(EvaluationError::NotPaired(format!("group {row} of {groups} groups")));
        };
        *count += 1;
        let above = search.returned(threshold);
        cut_lists += u64::from(is_cut(view, search, threshold));
        for candidate in search.candidates.iter().take(above) {
            if let Some(cell) = references(candidate.subject).and_then(|column| cells.get_mut(usize::from(column))) {
                *cell += 1;
            }
        }
    }
    let row = |(cells, searches): (Vec<u64>, u64)| {
        let cell = |(events, &templates): (u64, &u64)| match searches * templates {
            0 if events == 0 => Ok(None),
            comparisons if events <= comparisons => Proportion::new(events, comparisons).map(Some),
            comparisons => Err(EvaluationError::NotPaired(format!("{events} candidates of {comparisons} comparisons"))),
        };
        cells.into_iter().zip(templates).map(cell).collect::<Result<Vec<_>, _>>()
    };
    let cells = returned.into_iter().zip(compared).map(row).collect::<Result<_, _>>()?;
    Ok(CrossTable { cells, cut_lists })
}

#[cfg(test)]
mod tests {
    use super::super::rates::selectivity;
    use super::super::trials::tests::{any_trials, non_mated, trials};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_ordered_and_hold_everything(
            column in proptest::collection::vec(proptest::option::of((0_u8..9).prop_map(f64::from)), 1..60), parts in 1_u16..12,
        ) {
            let Ok((numbers, found)) = equal_parts(&column, parts) else {
                prop_assert!(column.iter().all(Option::is_none));
                return Ok(());
            };
            prop_assert!(found.len() <= usize::from(parts));
            prop_assert!(found.windows(2).all(|two| two[0].to < two[1].from));
            prop_assert_eq!(found.iter().map(|part| part.count).sum::<usize>(), column.iter().flatten().count());
            for (value, number) in column.iter().zip(&numbers) {
                let part = number.map(|number| found[usize::from(number)]);
                prop_assert_eq!(value.is_some(), part.is_some());
                prop_assert!(value.is_none_or(|value| part.unwrap().from <= value && value <= part.unwrap().to));
            }
        }

        #[test]
        fn cells_add_up_to_selectivity(trials in any_trials(), score in 0.0_f32..1.0) {
            let (view, threshold) = (trials.view(), Threshold::new(score).unwrap());
            let Ok(expected) = selectivity(&view, threshold) else { return Ok(()) };
            let probes: Vec<Option<u16>> = trials.searches().iter().map(|search| Some((search.subject % 2) as u16)).collect();
            let all = trials.enrolled_templates();
            let found = cross_table(&view, threshold, &probes, |subject| Some((subject % 2) as u16), &[all, all]).unwrap();
            let sum: u64 = found.cells.iter().flatten().flatten().map(Proportion::events).sum();
            prop_assert_eq!((sum, found.cut_lists), (expected.candidates, expected.cut_lists));
        }
    }

    #[test]
    fn deciles_of_a_hundred_are_tens() {
        let column: Vec<Option<f64>> = (0..100).rev().map(|value| Some(f64::from(value))).collect();
        let (numbers, found) = equal_parts(&column, 10).unwrap();
        assert!(found.iter().all(|part| part.count == 10) && found.len() == 10);
        assert_eq!((numbers[0], numbers[99]), (Some(9), Some(0)));
        assert!(equal_parts(&column, 0).is_err() && equal_parts(&column, 65).is_err());
        assert!(equal_parts(&[None], 4).is_err() && equal_parts(&[Some(f64::NAN)], 4).is_err());
    }

    #[test]
    fn groups_of_another_number_than_searches_or_templates_are_refused() {
        let trials = trials(vec![non_mated(0, 0, &[0.9, 0.8]), non_mated(1, 1, &[0.9]), non_mated(2, 2, &[0.1])]);
        let table = |probes: &[Option<u16>], templates: &[u64]| {
            cross_table(&trials.view(), Threshold::new(0.5).unwrap(), probes, |_| Some(0), templates)
        };
        assert!(table(&[Some(0)], &[9]).is_err() && table(&[Some(1); 3], &[9]).is_err());
        assert!(table(&[Some(0); 3], &[]).is_err() && table(&[Some(0); 3], &[0]).is_err());
        assert_eq!(table(&[Some(0), None, Some(0)], &[9]).unwrap().cells[0][0], Some(Proportion::new(2, 18).unwrap()));
    }
}
