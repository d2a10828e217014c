//! How far the rates of groups lie apart, recomputed from the rates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::columns::close;
use super::document::Element;
use super::rows;

/// Rates by group.
pub(crate) type Rates = BTreeMap<String, f64>;

/// Tables of pairs that were held against the page, by the name of the rate: those of several columns have one name.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<&'static str, usize>);

/// Largest over smallest, largest over geometric mean, Gini coefficient, mean |log10|; `None` where a rate of 0 leaves none.
fn spread(rates: &Rates) -> [Option<f64>; 4] {
    let mut sorted: Vec<f64> = rates.values().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let (n, sum) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    let positive = |what: &dyn Fn() -> f64| (least > 0.0).then(what);
    let mean = (sorted.iter().map(|rate| rate.ln()).sum::<f64>() / n).exp();
    // By ranks, with the correction for few groups.
    let ranked: f64 = (1..).zip(&sorted).map(|(rank, rate)| (2.0 * f64::from(rank) - n - 1.0) * rate).sum();
    [
        positive(&|| most / least),
        positive(&|| most / mean),
        (sum > 0.0).then(|| ranked / (n * sum) * n / (n - 1.0)),
        positive(&|| sorted.iter().map(|rate| (rate / mean).log10().abs()).sum::<f64>() / n),
    ]
}

fn holds(cell: &Element, wanted: Option<f64>) -> usize {
    match wanted {
        Some(wanted) => close(cell, wanted),
        None => assert!(cell.figures().is_empty(), "{}", cell.text),
    }
    usize::from(wanted.is_some())
}

/// A column's spreads and the ratio of each pair. Gives how many figures were held against the page.
pub(crate) fn differences(page: &Element, table: &Value, title: &str, rates: [Rates; 2], seen: &mut Seen) -> usize {
    let both = [("FNIR", "fnir_differences"), ("FPIR", "fpir_differences")].into_iter().zip(rates);
    let compared: Vec<_> = both.filter(|((_, name), _)| !table[name].is_null()).collect();
    if compared.is_empty() {
        return 0;
    }
    let printed = rows(page, "table-6", &format!("How the rates of {title} differ"));
    assert_eq!(printed.len(), compared.len(), "{title}");
    let mut held = 0;
    for (cells, ((rate, name), rates)) in printed.iter().zip(&compared) {
        for (cell, wanted) in cells.iter().zip(spread(rates)) {
            held += holds(cell, wanted);
        }
        let pairs = table[name]["pairs"].as_array().unwrap();
        assert_eq!(pairs.len(), rates.len() * (rates.len() - 1) / 2, "each with each");
        let nth = seen.0.entry(rate).or_default();
        let caption = format!("{rate} of pairs of groups");
        let tables = page.by_id("table-6").unwrap().all("table").into_iter();
        let of_pairs = tables.filter(|one| one.attribute("aria-label").starts_with(&caption)).nth(*nth).unwrap();
        *nth += 1;
        let lines = of_pairs.all("tbody")[0].all("tr");
        assert_eq!(lines.len(), pairs.len());
        let mut ratios = BTreeMap::new();
        for (a, of_a) in rates {
            for (b, of_b) in rates {
                ratios.insert(format!("{a} / {b}"), (*of_b > 0.0).then(|| of_a / of_b));
            }
        }
        for line in lines {
            held += holds(line.all("td")[0], ratios[line.all("th")[0].text.as_str()]);
        }
    }
    held
}
