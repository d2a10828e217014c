//! Whole graphs: built, walked, written, damaged, audited. The oracle is the naive scorer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use crate::base::ids::TemplateId;
use crate::base::random::{Stream, mix};
use crate::graph::audit::{EFS, Extent, MATE_COSINES, audit};
use crate::graph::build::{Built, Plan, Step, Watch};
use crate::graph::codes::RowMajor;
use crate::graph::curve::{Curve, Measured};
use crate::graph::file::{Facts, file_name, write};
use crate::graph::links::{Flat, Links, NONE};
use crate::graph::search::{Indexed, top_k};
use crate::graph::walk::{Scratch, Terrain, Walked};
use crate::graph::{Graph, GraphError, SegmentIdentity};
use crate::kernel::rowdot;
use crate::store::memory::MemoryFolder;
use crate::store::{read_small, replace_small};
use crate::vector::dimension::Dimension;
use crate::vector::memory::MemoryRows;
use crate::vector::naive::NaiveScorer;
use crate::vector::rows::Rows;
use crate::vector::scorer::Scorer;
use crate::vector::template::Template;

const D: usize = 32;

fn template(seed: u64, number: u64) -> Template {
    let mut stream = Stream::new(seed, number);
    Template::from_raw(&(0..D).map(|_| stream.normal()).collect::<Vec<f32>>()).unwrap()
}

fn gallery_of(seed: u64, count: u64) -> MemoryRows {
    let mut rows = MemoryRows::new(Dimension::new(D).unwrap());
    for id in 0..count {
        rows.push(TemplateId(id), template(seed, id).values());
    }
    rows
}

fn quiet(cancel: &AtomicBool) -> Watch<'_> {
    Watch { progress: &|_| (), cancel, rest: &|| () }
}

fn plan(threads: usize) -> Plan {
    Plan { m: 8, ef_construction: 40, threads }
}

fn built(codes: &RowMajor, threads: usize) -> (Flat, u64) {
    let cancel = AtomicBool::new(false);
    Built::new(codes, plan(threads), &quiet(&cancel)).unwrap().flatten(codes, &quiet(&cancel)).unwrap()
}

fn facts(rows: u64) -> Facts {
    let segment =
        SegmentIdentity { number: 7, rows, first_id: 0, last_id: rows - 1, dimension: D as u32, header_crc: 99 };
    let line = Measured { ef: 50, mate_cosine: 0.34, agreed: 90, probes: 100 };
    Facts { segment, plan: plan(1), points: rows, unreachable: 0, curve: Curve { seed: 5, lines: vec![line] } }
}

fn written(flat: &Flat, facts: &Facts) -> (MemoryFolder, Vec<u8>) {
    let folder = MemoryFolder::default();
    write(&folder, flat, facts).unwrap();
    let bytes = read_small(&folder, &file_name(7), 1 << 24).unwrap();
    (folder, bytes)
}

fn opened(bytes: &[u8], facts: &Facts) -> Result<Graph, GraphError> {
    let folder = MemoryFolder::default();
    replace_small(&folder, &file_name(7), bytes)?;
    Graph::open(&folder, &facts.segment)
}

fn walk(links: Links<'_>, codes: &RowMajor, probe: &Template, ef: usize) -> Vec<u32> {
    let kernel = rowdot::best();
    let code = crate::vector::codec::Code::of(probe.values());
    let terrain = Terrain { links, codes, kernel: kernel.as_ref() };
    match terrain.walk(&code.codes, ef, u64::MAX, |_| true, &mut Scratch::default()) {
        Walked::Found(found) => found.iter().map(|one| one.row).collect(),
        Walked::TooFar => panic!("no limit was set"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn with_everything_in_view_the_list_is_the_oracles(
        seed in any::<u64>(), count in 1_u64..400, threads in 1_usize..3, k in 1_usize..40, erase in 0_u64..5, keep in 1_u64..4,
    ) {
        let mut rows = gallery_of(seed, count);
        // Built with some rows dead already; more die afterwards, some of them with their bytes still there.
        let dead = |row: u64| erase > 0 && mix(seed ^ row).is_multiple_of(erase * 7);
        (0..count).filter(|&row| dead(row)).for_each(|row| rows.erase(row as usize));
        let before = RowMajor::of(&rows);
        prop_assume!((0..count as u32).any(|row| before.scale(row) > 0.0));
        let (flat, unreachable) = built(&before, threads);
        prop_assert_eq!(flat.links().fault(), None);
        prop_assert_eq!(unreachable, 0);
        let late = (0..count as u32).filter(|&row| mix(seed ^ 0x4d ^ u64::from(row)).is_multiple_of(5 * keep)).collect();
        rows.mark_erased(late);
        let rows: Arc<dyn Rows> = Arc::new(rows);
        let codes = RowMajor::of(rows.as_ref());
        let facts = facts(count);
        let (folder, _) = written(&flat, &facts);
        let graph = Graph::open(&folder, &facts.segment).unwrap();
        graph.verify().unwrap();
        let probes: Vec<Template> = (0..3).map(|number| template(seed ^ 1, number)).collect();
        let gallery = [Arc::clone(&rows)];
        let indexed = [Some(Indexed { graph: &graph, codes: &codes })];
        let (found, _) = top_k(&gallery, &indexed, &probes, k, count as usize, threads, &NaiveScorer).unwrap();
        prop_assert_eq!(found.lists, NaiveScorer.top_k(&gallery, &probes, k).unwrap().lists);
    }

    #[test]
    fn no_edges_lead_a_walk_out_of_range_or_round_for_ever(
        seed in any::<u64>(), count in 1_u64..60, m in 4_usize..9, top in 0_usize..16, entry in any::<u32>(),
        base in proptest::collection::vec(prop_oneof![3 => 0_u32..70, 1 => any::<u32>()], 0..900),
        heads in proptest::collection::vec(any::<u32>(), 0..70),
        upper in proptest::collection::vec(prop_oneof![3 => 0_u32..70, 1 => any::<u32>()], 0..200),
    ) {
        let rows = gallery_of(seed, count);
        let codes = RowMajor::of(&rows);
        let links = Links { m, top, entry, base: &base, heads: &heads, upper: &upper };
        let found = walk(links, &codes, &template(seed ^ 1, 0), 10);
        prop_assert!(found.len() <= 10 && found.iter().all(|&row| u64::from(row) < count));
        let _ = links.fault();
    }
}

#[test]
fn every_flipped_byte_and_every_cut_is_found() {
    let rows = gallery_of(3, 60);
    let (flat, _) = built(&RowMajor::of(&rows), 1);
    let facts = facts(60);
    let (_, good) = written(&flat, &facts);
    let graph = opened(&good, &facts).unwrap();
    graph.verify().unwrap();
    assert_eq!(graph.facts(), facts);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let found = opened(&bytes, &facts).and_then(|graph| graph.verify());
        assert!(found.is_err(), "byte {at} flipped");
    }
    for at in (0..good.len()).step_by(61) {
        assert!(opened(&good[..at], &facts).is_err(), "cut at {at}");
    }
    assert!(opened(&[good, vec![0]].concat(), &facts).is_err(), "one byte longer");
}

#[test]
fn wild_neighbours_under_a_right_checksum_are_told() {
    let rows = gallery_of(4, 50);
    let (good, _) = built(&RowMajor::of(&rows), 1);
    let spoil: [fn(&mut Flat); 5] = [
        |flat| flat.base[3] = 50,
        |flat| flat.base[0] = 0,
        |flat| flat.base[0] = NONE,
        |flat| flat.heads[9] = 15 << 28,
        |flat| flat.entry = 49,
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let mut flat = good.clone();
        spoil(&mut flat);
        let facts = facts(50);
        let (folder, _) = written(&flat, &facts);
        let graph = Graph::open(&folder, &facts.segment).unwrap();
        let told = graph.verify();
        // A first neighbour that is taken away, and an entry that happens to be on the top level, may leave a graph.
        assert!(told.is_err() || flat.links().fault().is_none(), "{number}");
        assert!(told.is_err() || number >= 2, "{number}");
        walk(graph.links(), &RowMajor::of(&rows), &template(9, 9), 20);
    }
}

#[test]
fn another_segments_graph_is_stale_and_other_files_are_foreign() {
    let rows = gallery_of(3, 40);
    let (flat, _) = built(&RowMajor::of(&rows), 1);
    let facts = facts(40);
    let (folder, bytes) = written(&flat, &facts);
    let same = facts.segment;
    let others = [
        SegmentIdentity { rows: 41, last_id: 40, ..same },
        SegmentIdentity { header_crc: 1, ..same },
        SegmentIdentity { first_id: 1, ..same },
        SegmentIdentity { dimension: 16, ..same },
    ];
    for other in others {
        assert!(matches!(Graph::open(&folder, &other), Err(GraphError::Stale(_))), "{other:?}");
    }
    let mut foreign = bytes.clone();
    foreign[0] = b'?';
    assert!(matches!(opened(&foreign, &facts), Err(GraphError::Foreign(_))));
    let mut later = bytes;
    later[8] = 2;
    assert!(matches!(opened(&later, &facts), Err(GraphError::Version { found: 2, .. })));
}

#[test]
fn a_file_has_no_template_in_it() {
    let rows = gallery_of(6, 64);
    let (flat, _) = built(&RowMajor::of(&rows), 1);
    let (_, bytes) = written(&flat, &facts(64));
    let codes = RowMajor::of(&rows);
    for row in 0..64_u32 {
        let some: Vec<u8> = codes.row(row)[..8].iter().map(|code| code.cast_unsigned()).collect();
        assert!(!bytes.windows(8).any(|window| window == some), "codes of row {row}");
    }
    // Header and whole pages, and as many edges as were announced.
    let edges = 64 * 16 * 4 + 64 * 4 + flat.upper.len() * 4;
    assert!(bytes.len() >= 4096 + edges && bytes.len() <= 4096 * 4 + edges);
}

#[test]
fn filtered_rows_are_walked_through_and_never_returned() {
    let rows = gallery_of(8, 1500);
    let codes = RowMajor::of(&rows);
    let (flat, _) = built(&codes, 2);
    let kernel = rowdot::best();
    let terrain = Terrain { links: flat.links(), codes: &codes, kernel: kernel.as_ref() };
    for number in 0..20 {
        let code = crate::vector::codec::Code::of(template(80, number).values());
        let wanted = |row: u32| row % 10 == 3;
        let walked = terrain.walk(&code.codes, 150, u64::MAX, wanted, &mut Scratch::default());
        let Walked::Found(found) = walked else { panic!("no limit was set") };
        assert!(found.iter().all(|one| wanted(one.row)));
        assert_eq!(found.len(), 150, "as many as pass: those that don't are no dead ends");
        let few = terrain.walk(&code.codes, 150, 300, wanted, &mut Scratch::default());
        assert_eq!(few, Walked::TooFar, "and a narrow filter is noticed");
    }
}

#[test]
fn recall_is_measured_against_everything_and_rises_with_ef() {
    let rows: Arc<dyn Rows> = Arc::new(gallery_of(11, 3000));
    let codes = RowMajor::of(rows.as_ref());
    let (flat, _) = built(&codes, 2);
    let kernel = rowdot::best();
    let terrain = Terrain { links: flat.links(), codes: &codes, kernel: kernel.as_ref() };
    let extent = Extent { probes: 200, seed: 3, threads: 2 };
    let cancel = AtomicBool::new(false);
    let curve = audit(&[Arc::clone(&rows)], terrain, &NaiveScorer, extent, &quiet(&cancel)).unwrap();
    assert_eq!(curve.lines.len(), EFS.len() * MATE_COSINES.len());
    for cosine in MATE_COSINES {
        let of: Vec<&Measured> = curve.lines.iter().filter(|line| line.mate_cosine == cosine).collect();
        assert!(of.windows(2).all(|two| two[0].recall() <= two[1].recall() + 0.02), "{of:?}");
        // Every row is in view.
        assert_eq!(of.last().unwrap().agreed, 200, "{of:?}");
    }
    // A graph of nothing but chance finds next to nothing, and the audit says so.
    let mut stream = Stream::new(1, 1);
    let mut chance = flat.clone();
    chance.base.iter_mut().for_each(|other| *other = (stream.bits() % 3000) as u32);
    let terrain = Terrain { links: chance.links(), ..terrain };
    let poor = audit(&[rows], terrain, &NaiveScorer, extent, &quiet(&cancel)).unwrap();
    let at_50 = |curve: &Curve| curve.at(50, 0.34).unwrap().recall();
    assert!(at_50(&poor) + 0.2 < at_50(&curve), "{} and {}", at_50(&poor), at_50(&curve));
}

#[test]
fn a_build_can_be_stopped_at_any_time() {
    let codes = RowMajor::of(&gallery_of(12, 3000));
    let cancel = AtomicBool::new(false);
    let stop = |step: Step| {
        if let Step::Linking { done, rows: _ } = step {
            cancel.store(done > 500, Ordering::Relaxed);
        }
    };
    let watch = Watch { progress: &stop, cancel: &cancel, rest: &|| () };
    assert!(matches!(Built::new(&codes, plan(2), &watch), Err(GraphError::Cancelled)));
    let empty = RowMajor::of(&gallery_of(12, 0));
    assert!(matches!(Built::new(&empty, plan(2), &quiet(&AtomicBool::new(false))), Err(GraphError::Empty)));
}

#[test]
fn whenever_the_power_goes_there_is_a_whole_graph_or_none() {
    let rows = gallery_of(3, 40);
    let (flat, _) = built(&RowMajor::of(&rows), 1);
    let facts = facts(40);
    let mut stream = Stream::new(1, 2);
    let mut whole = 0;
    for changes in 0..12 {
        for _coin in 0..8 {
            let folder = MemoryFolder::default();
            folder.cut_power_after(changes);
            let written = write(&folder, &flat, &facts);
            let after = folder.after_power_cut(&mut || stream.uniform() < 0.5);
            match Graph::open(&after, &facts.segment) {
                Ok(graph) => {
                    graph.verify().unwrap();
                    whole += 1;
                }
                Err(error) => assert!(written.is_err() && matches!(error, GraphError::Store(_)), "{changes}: {error}"),
            }
        }
    }
    assert!(whole > 0);
}
