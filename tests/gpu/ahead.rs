//! Runs that are brought to the device while searches and erasures go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::gpu::{GpuOptions, GpuPass};
use bertillon::vector::coarse::CoarsePass;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::{ErasedRows, Residency, Rows};
use bertillon::vector::scorer::Scorer;

use super::conformance::undead::Undead;
use super::{all_found, certified, gpu, missing, probes, random_run};

/// A run whose codes can't be read until the gate is open; whoever waits at it is seen.
struct Gated {
    run: Arc<dyn Rows>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    somebody_waits: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        self.somebody_waits.store(true, Ordering::SeqCst);
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait_for_somebody(&self) {
        while !self.somebody_waits.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Rows for Gated {
    fn dimension(&self) -> Dimension {
        self.run.dimension()
    }
    fn len(&self) -> usize {
        self.run.len()
    }
    fn codes(&self) -> &[i8] {
        self.run.codes()
    }
    fn scales(&self) -> &[f32] {
        self.run.scales()
    }
    fn error_norm_max(&self) -> f32 {
        self.run.error_norm_max()
    }
    fn template_id(&self, row: usize) -> TemplateId {
        self.run.template_id(row)
    }
    fn original(&self, row: usize, out: &mut [f32]) {
        self.run.original(row, out);
    }
    fn erased(&self) -> &ErasedRows {
        self.run.erased()
    }
    fn residency(&self) -> Option<&Arc<Residency>> {
        self.run.residency()
    }
    fn is_live(&self, row: usize) -> bool {
        // What an upload asks first of each row.
        if row == 0 {
            self.gate.pass();
        }
        self.run.is_live(row)
    }
}

/// Loads two runs, the second behind a gate, and does `meanwhile` while the load stands before it.
fn load_gated(pass: &GpuPass, runs: [&Arc<dyn Rows>; 2], meanwhile: impl FnOnce(&Gate)) {
    let gate = Arc::new(Gate::default());
    let gated: Arc<dyn Rows> = Arc::new(Gated { run: runs[1].clone(), gate: gate.clone() });
    let gallery = [runs[0].clone(), gated];
    std::thread::scope(|scope| {
        scope.spawn(|| pass.load(&gallery).unwrap());
        gate.wait_for_somebody();
        meanwhile(&gate);
        gate.open();
    });
}

#[test]
fn a_search_during_a_load_is_answered_without_what_is_not_there_yet() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let runs: [Arc<dyn Rows>; 2] = [Arc::new(random_run(300, 128, 0)), Arc::new(random_run(500, 128, 1_000))];
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&runs, &probes, 60).unwrap().lists;
    load_gated(&pass, [&runs[0], &runs[1]], |_gate| {
        // The gate is shut: a search that waited for the load would never come back.
        assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
        assert_eq!(pass.info().resident_rows, 300);
    });
    assert_eq!(pass.info().resident_rows, 800);
    assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
}

#[test]
fn an_erasure_during_a_load_leaves_nothing_of_the_row_on_the_device() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let mut rows = random_run(500, 128, 0);
    let whole: Arc<dyn Rows> = Arc::new(rows.clone());
    let other: Arc<dyn Rows> = Arc::new(random_run(100, 128, 1_000));
    rows.erase(200);
    let erased: Arc<dyn Rows> = Arc::new(rows);
    std::thread::scope(|scope| {
        load_gated(&pass, [&other, &whole], |gate| {
            let refreshed = scope.spawn(|| pass.refresh(&[other.clone(), erased.clone()]).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!refreshed.is_finished(), "acknowledged while the row was on its way");
            gate.open();
            refreshed.join().unwrap();
            // The load had read the row before: it ended, and took nothing in.
            assert_eq!(pass.info().resident_rows, 100);
        });
    });
    pass.load(&[other, erased.clone()]).unwrap();
    assert_eq!(pass.info().resident_rows, 600);
    let liar: Arc<dyn Rows> = Arc::new(Undead::new(whole.clone()));
    assert_eq!(missing(&all_found(&pass, &liar)), [200]);
}
