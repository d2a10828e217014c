//! Open-set identification, CMC and DET.

use bertillon::evaluation::accuracy::rates::{cmc, det, fnir, fpir};
use bertillon::evaluation::accuracy::trials::{Candidate, Kind, MateScore, Rank, Search, Threshold, Trials};
use serde_json::Value;

use crate::{agree, list, number, numbers, read, whole};

const LENGTH: usize = 40;

fn search(probe: usize, subject: u32, row: &[f32], owners: &[u32]) -> Search {
    let one = |(template, (&score, &subject))| Candidate { subject, template: template as u64, score };
    let mut candidates: Vec<Candidate> = row.iter().zip(owners).enumerate().map(one).collect();
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let place = candidates.iter().position(|candidate| candidate.subject == subject);
    let mate = place.map(|at| MateScore { score: candidates[at].score, rank: Some(at as u32 + 1) });
    let kind = if mate.is_some() { Kind::Mated } else { Kind::NonMated };
    Search { probe: probe as u32, subject, kind, extracted: true, mate_enrolled_failed: false, candidates, mate }
}

fn trials(golden: &Value) -> Trials {
    let owners: Vec<u32> = numbers(&golden["templates"]).iter().map(|owner| *owner as u32).collect();
    let rows = list(&golden["probes"]).iter().zip(list(&golden["scores"])).enumerate();
    let searches = rows.map(|(probe, (subject, row))| {
        let row: Vec<f32> = numbers(row).iter().map(|value| (value / number(&golden["scale"])) as f32).collect();
        search(probe, whole(subject) as u32, &row, &owners)
    });
    Trials::new(30, owners.len() as u64, LENGTH as u32, searches.collect()).unwrap()
}

#[test]
fn open_set_rates_are_bobs() {
    let golden = read("open_set.json");
    let trials = trials(&golden);
    let view = trials.view();
    let at = |case: &Value| Threshold::new((number(&case["threshold"]) / number(&golden["scale"])) as f32).unwrap();
    for case in list(&golden["found"]) {
        let rank = Rank::Within(whole(&case["rank"]) as u32);
        agree("TPIR", fnir(&view, rank, at(case)).unwrap().complement().rate(), &case["tpir"]);
        agree("FPIR", fpir(&view, at(case)).unwrap().rate(), &case["fpir"]);
    }
    for case in list(&golden["any_rank"]) {
        agree("FNIR at any rank", fnir(&view, Rank::Any, at(case)).unwrap().rate(), &case["fnir"]);
        agree("FPIR", fpir(&view, at(case)).unwrap().rate(), &case["fpir"]);
    }
    // bob's curve ends at the last rank that some mate has.
    for (found, golden) in cmc(&view).unwrap().iter().zip(list(&golden["cmc"])) {
        agree("CMC", found.rate(), golden);
    }
}

#[test]
fn curves_are_pyeers_and_scikit_learns() {
    let (golden, curves) = (read("open_set.json"), read("curves.json"));
    let trials = trials(&golden);
    for (found, golden) in cmc(&trials.view()).unwrap().iter().zip(list(&curves["cmc"])) {
        agree("CMC", found.rate(), golden);
    }
    let points = det(&trials.view(), Rank::Any).unwrap();
    let mut compared = 0;
    for case in list(&curves["det"]) {
        let threshold = (number(&case["threshold"]) / number(&golden["scale"])) as f32;
        let Some(point) = points.iter().find(|point| point.threshold == threshold) else { continue };
        agree("FPIR", point.fpir.rate(), &case["fpir"]);
        agree("FNIR", point.fnir.rate(), &case["fnir"]);
        compared += 1;
    }
    assert!(compared + 1 >= list(&curves["det"]).len(), "all but the infinite threshold are points of ours");
}
