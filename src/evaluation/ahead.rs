//! Rows of synthetic templates, made by several threads ahead of whoever asks for them in order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Rows that a thread hands over at a time.
pub const CHUNK_ROWS: u64 = 1_024;
/// Chunks that wait for whoever asks, a thread: bounds memory.
const CHUNKS_WAITING: usize = 2;

/// Rows to come.
#[derive(Debug)]
pub struct RowSource {
    parts: Vec<Receiver<Vec<f32>>>,
    first: u64,
    chunk: Vec<f32>,
}

impl RowSource {
    /// Begins to make `rows` of `dimension` numbers. Each thread has `maker` make what it makes rows with; threads end
    /// when the source is dropped.
    #[must_use]
    pub fn start<F, M>(rows: Range<u64>, dimension: usize, threads: usize, maker: M) -> Self
    where
        F: FnMut(u64, &mut [f32]),
        M: Fn() -> F + Send + Sync + 'static,
    {
        let threads = threads.max(1) as u64;
        let maker = Arc::new(maker);
        let part = |thread: u64| {
            let (sender, receiver) = sync_channel(CHUNKS_WAITING);
            let (maker, rows) = (Arc::clone(&maker), rows.clone());
            std::thread::spawn(move || make_chunks(maker(), rows, dimension, (thread, threads), &sender));
            receiver
        };
        Self { parts: (0..threads).map(part).collect(), first: rows.start, chunk: Vec::new() }
    }

    /// Writes row `row` into `out`. Rows are asked for in order, from the first; past the last one `out` is left as it is.
    pub fn take(&mut self, row: u64, out: &mut [f32]) {
        let place = row - self.first;
        let inside = (place % CHUNK_ROWS) as usize;
        if inside == 0 {
            let part = self.parts.get((place / CHUNK_ROWS) as usize % self.parts.len());
            self.chunk = part.and_then(|part| part.recv().ok()).unwrap_or_default();
        }
        if let Some(values) = self.chunk.chunks_exact(out.len()).nth(inside) {
            out.copy_from_slice(values);
        }
    }
}

fn make_chunks(
    mut make: impl FnMut(u64, &mut [f32]),
    rows: Range<u64>,
    dimension: usize,
    (thread, threads): (u64, u64),
    sender: &SyncSender<Vec<f32>>,
) {
    let chunks = (rows.end - rows.start).div_ceil(CHUNK_ROWS);
    for chunk in (thread..chunks).step_by(threads as usize) {
        let begin = rows.start + chunk * CHUNK_ROWS;
        let rows = begin..(begin + CHUNK_ROWS).min(rows.end);
        let mut values = vec![0.0; (rows.end - rows.start) as usize * dimension];
        for (row, out) in rows.zip(values.chunks_exact_mut(dimension)) {
            make(row, out);
        }
        if sender.send(values).is_err() {
            return;
        }
    }
}
