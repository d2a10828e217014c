//! Probes with more rows to keep than a list takes: mass duplicates, orders made to overflow, ranks beyond a list.

use std::sync::Arc;

use bertillon::base::ids::TemplateId;
use bertillon::gpu::{GpuOptions, GpuPass};
use bertillon::vector::coarse::{CoarsePass, Cut, Sweep};
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;

use super::conformance::data;
use super::{certified, gpu, probes, random_run, resident, tight};

/// `count` rows, every `every`-th of which is the first probe.
fn duplicates(count: u64, every: u64) -> Arc<dyn Rows> {
    let mut rows = MemoryRows::new(Dimension::new(128).unwrap());
    for id in 0..count {
        let own: Vec<f32> = (0..128).map(|i| data::mix(id, i) as f32 / 9.2e18 - 1.0).collect();
        let own = Template::from_raw(&own).unwrap();
        let same = probes(128).swap_remove(0);
        rows.push(TemplateId(id), if id % every == 0 { same.values() } else { own.values() });
    }
    Arc::new(rows.resident())
}

fn codes() -> Vec<Code> {
    probes(128).iter().map(|probe| Code::of(probe.values())).collect()
}

fn lengths(pass: &GpuPass, gallery: &[Arc<dyn Rows>], cuts: &[Cut]) -> Vec<Option<usize>> {
    let codes = codes();
    let length = |sweep: &Sweep| match sweep {
        Sweep::Complete { survivors, cut: _ } => Some(survivors.len()),
        Sweep::Overflowed => None,
    };
    pass.sweep(gallery, &codes[..cuts.len()], cuts).unwrap().iter().map(length).collect()
}

#[test]
fn equal_rows_beyond_a_list_are_all_found() {
    let Some(pass) = gpu(&tight()) else { return };
    let gallery = vec![duplicates(1501, 1), Arc::new(random_run(50, 128, 2000)) as Arc<dyn Rows>];
    let cuts =
        [Cut::Within { k: 3, slack: 0.0 }, Cut::AtLeast(1e9), Cut::Within { k: 310, slack: 0.0 }, Cut::AtLeast(-1e9)];
    let found = lengths(&pass, &gallery, &cuts);
    assert_eq!((found[0], found[1], found[3]), (Some(1501), Some(0), Some(1551)));
    assert!(found[2].is_some_and(|rows| rows >= 1501), "{found:?}");
}

#[test]
fn more_than_anyone_keeps_is_told() {
    let Some(pass) = gpu(&GpuOptions { survivors_total_max: 900, ..tight() }) else { return };
    let gallery = vec![duplicates(2002, 2)];
    // More than 900 in the first and last, exactly none and one in the others.
    let cuts =
        [Cut::Within { k: 3, slack: 0.0 }, Cut::AtLeast(1e9), Cut::Within { k: 1, slack: 0.0 }, Cut::AtLeast(-1e9)];
    assert_eq!(lengths(&pass, &gallery, &cuts), [None, Some(0), Some(1), None]);
}

#[test]
fn hostile_galleries_need_no_exhaustive_scan() {
    let Some(pass) = gpu(&tight()) else { return };
    for name in ["ascending", "duplicated", "all identical", "near ties", "clustered"] {
        let case = data::cases(4, 4000, 128, 3).into_iter().find(|case| case.name == name).unwrap();
        let gallery: Vec<Arc<dyn Rows>> = case.gallery.iter().map(resident).collect();
        for k in [1, 50, 700] {
            let wanted = NaiveScorer.top_k(&gallery, &case.probes, k).unwrap().lists;
            let found = certified(&pass).top_k(&gallery, &case.probes, k).unwrap();
            assert_eq!(found.lists, wanted, "{name}, k {k}");
            assert_eq!(found.work.exhaustive, 0, "{name}, k {k}: {:?}", found.work);
        }
    }
}

#[test]
fn the_repair_finds_the_level_of_the_whole_order() {
    let Some(pass) = gpu(&tight()) else { return };
    let ascending = data::cases(4, 6000, 128, 1).into_iter().find(|case| case.name == "ascending").unwrap();
    let gallery: Vec<Arc<dyn Rows>> = ascending.gallery.iter().map(resident).collect();
    let code = Code::of(ascending.probes[0].values());
    let sweep = pass.sweep(&gallery, &[code], &[Cut::Within { k: 5, slack: 0.0 }]).unwrap().remove(0);
    let Sweep::Complete { survivors, .. } = sweep else { panic!("not repaired") };
    // Ties of the coarse score aside, five rows and no more.
    assert!((5..9).contains(&survivors.len()), "{}", survivors.len());
}
