//! Graphs of a gallery's segments: opened beside them, used by approximate searches only, built on request.
//!
//! A graph is a cache of its segment (`graph-<number>.hnsw` beside `segment-<number>.seg`). Where it is absent, stale or
//! damaged its segment is searched exhaustively, and nothing else changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::GalleryName;
use crate::gallery::GalleryError;
use crate::gallery::manifest::{Manifest, SegmentEntry};
use crate::gallery::opening::Held;
use crate::gallery::room::{Room, blocking};
use crate::gallery::shelf::Shelf;
use crate::gallery::snapshot::{SegmentRun, Snapshot, live_rows};
use crate::gallery::vault::{Inner, Vault};
use crate::graph::audit::{Extent, audit};
use crate::graph::build::{Built, Plan, Step, Watch};
use crate::graph::codes::RowMajor;
use crate::graph::curve::Curve;
use crate::graph::file::{Facts, segment_of, write};
use crate::graph::links::Flat;
use crate::graph::search::Indexed;
use crate::graph::walk::Terrain;
use crate::graph::{Graph, GraphError, SegmentIdentity};
use crate::kernel::rowdot;
use crate::segment::Segment;
use crate::store::{Folder, StoreError};
use crate::vector::rows::Rows;
use crate::vector::scorer::Scorer;

/// How often a build looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);
/// How long a building thread gives way to searches between two rows. Adding a row takes about a millisecond, so a search
/// that takes all cores loses a sixth of one at most, and under searches without end a build still goes on.
const GIVE_WAY: Duration = Duration::from_millis(5);

/// A run's graph, if it has one, and the copy of its codes that walks need. The copy is made by the first approximate
/// search and belongs to this run alone: an erasure makes a new run without it, and waits for this one to go.
#[derive(Debug, Default)]
pub(super) struct GraphSlot {
    graph: Option<Arc<Graph>>,
    codes: OnceLock<Option<RowMajor>>,
}

impl GraphSlot {
    /// Whether the run has a graph.
    pub(super) fn is_there(&self) -> bool {
        self.graph.is_some()
    }

    /// The same graph for a run whose rows have changed.
    pub(super) fn renewed(&self) -> Self {
        Self { graph: self.graph.clone(), codes: OnceLock::new() }
    }

    /// Ready to walk. The first call reads the whole graph and all codes; a graph that is damaged is none.
    fn ready(&self, rows: &dyn Rows) -> Option<Indexed<'_>> {
        let graph = self.graph.as_deref()?;
        let bytes = RowMajor::bytes_wanted(rows.len() as u64, rows.dimension().get());
        if self.codes.get().is_none()
            && let Err(error) = check_memory(rows.len() as u64, bytes)
        {
            // Not remembered: there may be memory for the next search.
            tracing::warn!(%error, "a segment is searched exhaustively");
            return None;
        }
        let copy = || match graph.verify() {
            Ok(()) => Some(RowMajor::of(rows)),
            Err(error) => {
                tracing::warn!(%error, "a graph can't be used; its segment is searched exhaustively");
                None
            }
        };
        let codes = self.codes.get_or_init(copy).as_ref()?;
        Some(Indexed { graph, codes })
    }
}

/// Which segment a graph must belong to.
fn identity(number: u64, segment: &Segment) -> SegmentIdentity {
    let (first, last) = segment.id_range();
    SegmentIdentity {
        number,
        rows: segment.len() as u64,
        first_id: first.0,
        last_id: last.0,
        dimension: segment.dimension().get() as u32,
        header_crc: segment.header_crc(),
    }
}

/// Opens the graphs of freshly opened segments: a page of each.
pub(super) fn attach(folder: &dyn Folder, segments: &mut [Held]) {
    for held in segments {
        let graph = open(folder, held.entry.number, &held.run.segment);
        if let Some(run) = Arc::get_mut(&mut held.run) {
            run.graph = GraphSlot { graph, codes: OnceLock::new() };
        }
    }
}

fn open(folder: &dyn Folder, number: u64, segment: &Segment) -> Option<Arc<Graph>> {
    match Graph::open(folder, &identity(number, segment)) {
        Ok(graph) => Some(Arc::new(graph)),
        Err(GraphError::Store(StoreError::Missing(_))) => None,
        Err(error) => {
            tracing::warn!(%error, "a graph can't be used; its segment is searched exhaustively");
            None
        }
    }
}

/// Removes graphs of segments that are gone.
pub(super) fn remove_orphans(folder: &dyn Folder, manifest: &Manifest) -> Result<(), StoreError> {
    let listed = |number: u64| manifest.segments.iter().any(|entry| entry.number == number);
    for name in folder.list()? {
        if segment_of(&name).is_some_and(|number| !listed(number)) {
            tracing::info!(file = %folder.path(&name).display(), "removing the graph of a segment that is gone");
            folder.remove(&name)?;
        }
    }
    Ok(())
}

impl Snapshot {
    /// The recall audits of all graphs.
    #[must_use]
    pub fn curves(&self) -> Vec<&Curve> {
        self.graphs().map(|(_, graph)| graph.curve()).collect()
    }

    /// What all graphs say about themselves.
    #[must_use]
    pub fn graph_facts(&self) -> Vec<Facts> {
        self.graphs().map(|(_, graph)| graph.facts()).collect()
    }

    /// Rows of each segment.
    #[must_use]
    pub fn segment_rows(&self) -> Vec<u64> {
        self.segments.iter().map(|run| run.len() as u64).collect()
    }

    fn graphs(&self) -> impl Iterator<Item = (&Arc<SegmentRun>, &Graph)> {
        self.segments.iter().filter_map(|run| run.graph.graph.as_deref().map(|graph| (run, graph)))
    }

    /// The graph of each run of [`rows`](Self::rows) that has one, ready to walk. The first call for a graph reads all of it
    /// and copies its segment's codes: not for a thread that talks to clients.
    #[must_use]
    pub fn indexed(&self) -> Vec<Option<Indexed<'_>>> {
        self.segments.iter().map(|run| run.graph.ready(run.as_ref())).collect()
    }
}

/// How the graphs of a gallery are kept up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphPlan {
    /// Most neighbours of a template on an upper level; twice as many on the lowest.
    pub m: usize,
    /// Templates kept in view while one is added.
    pub ef_construction: usize,
    /// Probes of the recall audit at each difficulty.
    pub audit_probes: usize,
}

/// What is to be built.
#[derive(Clone)]
pub struct IndexRequest {
    /// How.
    pub plan: Plan,
    /// How much is audited.
    pub extent: Extent,
    /// Builds graphs again that are there already.
    pub again: bool,
    /// Segments with fewer rows get none: they are searched exhaustively, which is fast, and merged with others later.
    pub rows_min: u64,
    /// What the audit takes for the truth.
    pub exhaustive: Arc<dyn Scorer>,
    /// Set to stop; nothing unfinished is kept.
    pub cancel: Arc<AtomicBool>,
    /// Told how far it is: the segment's number and the step.
    pub progress: Arc<dyn Fn(u64, Step) + Send + Sync>,
}

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexOutcome {
    /// It has a new graph.
    Built,
    /// It had one.
    Kept,
    /// It changed meanwhile (an erasure, a merge): to be built again.
    Changed,
    /// It has no live row.
    Empty,
    /// It has fewer rows than were asked for.
    Small,
}

impl Vault {
    /// Builds the graphs of a gallery's segments, one after another. Searches, enrolments and erasures go on meanwhile;
    /// an erasure from a segment stops the building of its graph. One outcome a segment, by number.
    ///
    /// # Errors
    /// [`GalleryError::Graph`], also when it was cancelled: graphs that were finished before are kept.
    pub async fn index(
        &self,
        name: &GalleryName,
        request: IndexRequest,
    ) -> Result<Vec<(u64, IndexOutcome)>, GalleryError> {
        let room = self.inner.room(name)?;
        request.plan.check()?;
        let segments: Vec<(u64, u64, bool)> = {
            let snapshot = room.snapshot();
            snapshot.segments.iter().map(|run| (run.number, run.len() as u64, run.graph.is_there())).collect()
        };
        let mut outcomes = Vec::with_capacity(segments.len());
        for (number, rows, there) in segments {
            let outcome = if there && !request.again {
                IndexOutcome::Kept
            } else if rows < request.rows_min {
                IndexOutcome::Small
            } else {
                index_one(&self.inner, &room, number, &request).await?
            };
            outcomes.push((number, outcome));
        }
        Ok(outcomes)
    }

    /// Says how a gallery's graphs are to be kept up from now on: after sealing and merging too. `None` keeps those there
    /// are, and makes no more. For any process: it is the serving one that reads it and builds.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`], [`GalleryError::Graph`] for figures that nothing can be built with.
    pub async fn keep_graphs(&self, name: &GalleryName, plan: Option<GraphPlan>) -> Result<(), GalleryError> {
        if self.inner.records.gallery(name).await?.is_none() {
            return Err(GalleryError::NoGallery(name.clone()));
        }
        if let Some(GraphPlan { m, ef_construction, .. }) = plan {
            Plan { m, ef_construction, threads: 1 }.check()?;
        }
        let text = plan.and_then(|plan| serde_json::to_string(&plan).ok());
        Ok(self.inner.records.set_graph_plan(&self.caller, name, text.as_deref()).await?)
    }

    /// Galleries whose graphs are kept up and of which a segment of at least `rows_min` rows has none, with their plans.
    ///
    /// # Errors
    /// What the records say.
    pub async fn wanting_graphs(&self, rows_min: u64) -> Result<Vec<(GalleryName, GraphPlan)>, GalleryError> {
        let mut wanting = Vec::new();
        for record in self.inner.records.galleries().await? {
            let plan = record.graph_plan.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let (Some(plan), Ok(room)) = (plan, self.inner.room(&record.name)) else { continue };
            let lacks = |run: &Arc<SegmentRun>| {
                !run.graph.is_there() && live_rows(run.as_ref()) > 0 && run.len() as u64 >= rows_min
            };
            if room.snapshot().segments.iter().any(lacks) {
                wanting.push((record.name, plan));
            }
        }
        Ok(wanting)
    }
}

async fn index_one(
    inner: &Arc<Inner>,
    room: &Arc<Room>,
    number: u64,
    request: &IndexRequest,
) -> Result<IndexOutcome, GalleryError> {
    let Some(run) = room.snapshot().segments.iter().find(|run| run.number == number).cloned() else {
        return Ok(IndexOutcome::Changed);
    };
    let ours = Arc::downgrade(&run);
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_when_dropped = StopWhenDropped(Arc::clone(&stop));
    let (task_request, task_stop) = (request.clone(), Arc::clone(&stop));
    let task_inner = Arc::clone(inner);
    let rest = move || task_inner.give_way_blocking(GIVE_WAY);
    let mut task = tokio::task::spawn_blocking(move || build(&run, &task_request, &task_stop, &rest));
    let mut changed = false;
    let done = loop {
        tokio::select! {
            done = &mut task => break done,
            () = tokio::time::sleep(LOOK) => {
                // The build reads the run, and an erasure waits for whoever does.
                changed |= !is_current(room, &ours);
                if changed || inner.is_closed() || request.cancel.load(Ordering::Relaxed) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    let (flat, facts) = match done.map_err(|_| GalleryError::Interrupted)? {
        Ok(built) => built,
        Err(GraphError::Cancelled) if changed => return Ok(IndexOutcome::Changed),
        Err(GraphError::Empty) => return Ok(IndexOutcome::Empty),
        Err(error) => return Err(error.into()),
    };
    let guard = room.lock().await?;
    if !is_current(room, &ours) {
        return Ok(IndexOutcome::Changed);
    }
    let (guard, adopted) = blocking(guard, move |shelf| shelf.adopt_graph(&flat, &facts)).await?;
    let outcome = adopted?;
    room.publish(&guard, room.snapshot().number());
    Ok(outcome)
}

/// Stops a build that nobody waits for any more.
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_current(room: &Room, ours: &Weak<SegmentRun>) -> bool {
    room.snapshot().segments.iter().any(|run| std::ptr::eq(Arc::as_ptr(run), ours.as_ptr()))
}

/// Everything that takes long: edges and audit.
fn build(
    run: &Arc<SegmentRun>,
    request: &IndexRequest,
    stop: &AtomicBool,
    rest: &(dyn Fn() + Sync),
) -> Result<(Flat, Facts), GraphError> {
    let (rows, dimension) = (run.len() as u64, run.dimension().get());
    check_memory(rows, request.plan.bytes_wanted(rows, dimension))?;
    let tell = |step| (request.progress)(run.number, step);
    let watch = Watch { progress: &tell, cancel: stop, rest };
    let codes = RowMajor::of(run.as_ref());
    let built = Built::new(&codes, request.plan, &watch)?;
    let (flat, unreachable) = built.flatten(&codes, &watch)?;
    // Much memory, not needed any more.
    drop(built);
    let kernel = rowdot::best();
    let terrain = Terrain { links: flat.links(), codes: &codes, kernel: kernel.as_ref() };
    let gallery: [Arc<dyn Rows>; 1] = [Arc::<SegmentRun>::clone(run)];
    let curve = audit(&gallery, terrain, request.exhaustive.as_ref(), request.extent, &watch)?;
    let points = (0..codes.len() as u32).filter(|&row| codes.scale(row) > 0.0).count() as u64;
    let segment = identity(run.number, &run.segment);
    Ok((flat, Facts { segment, plan: request.plan, points, unreachable, curve }))
}

/// Refuses a build for which this machine has not the memory. Where the system doesn't say, it is tried.
fn check_memory(rows: u64, wanted: u64) -> Result<(), GraphError> {
    let told = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free_kib = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    match free_kib.map(|kib| kib / 1024) {
        Some(free_mib) if wanted >> 20 > free_mib => {
            Err(GraphError::Memory { rows, wanted_mib: wanted >> 20, free_mib })
        }
        Some(_) | None => Ok(()),
    }
}

impl Shelf {
    /// Writes a graph and gives it to its segment's run, which is replaced. Nothing is written where the segment has gone.
    fn adopt_graph(&mut self, flat: &Flat, facts: &Facts) -> Result<IndexOutcome, GalleryError> {
        let number = facts.segment.number;
        let Some(held) = self.segments.iter_mut().find(|held| held.entry.number == number) else {
            return Ok(IndexOutcome::Changed);
        };
        write(self.folder.as_ref(), flat, facts)?;
        let graph = open(self.folder.as_ref(), number, &held.run.segment);
        let run = SegmentRun {
            number,
            segment: Arc::clone(&held.run.segment),
            erased: held.run.erased.clone(),
            graph: GraphSlot { graph, codes: OnceLock::new() },
        };
        let old = std::mem::replace(&mut held.run, Arc::new(run));
        let old: Weak<dyn Rows> = Arc::downgrade(&old) as Weak<dyn Rows>;
        self.retired.push(old);
        Ok(IndexOutcome::Built)
    }
}

/// What is wrong with graph files that are there.
pub(super) fn faults(folder: &dyn Folder, segments: &[Held]) -> Vec<String> {
    let fault = |held: &Held| {
        let SegmentEntry { number, .. } = held.entry;
        match Graph::open(folder, &identity(number, &held.run.segment)) {
            Ok(graph) => graph.verify().err(),
            Err(GraphError::Store(StoreError::Missing(_))) => None,
            Err(error) => Some(error),
        }
    };
    segments.iter().filter_map(fault).map(|error| error.to_string()).collect()
}
