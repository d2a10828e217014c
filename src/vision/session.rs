//! One loaded ONNX model. Checked against its catalogue entry before it is parsed; run on a thread of its own.
//!
//! Why threads: ONNX Runtime's `Run` must not be called from two threads at once, and its flush-to-zero setting is a state
//! of the *thread*, set on whichever thread makes the process's first session. So one loader thread makes every session and
//! starts a worker for each; a new thread inherits that state from the thread that starts it. Every run then computes under
//! the same state, whoever asks, and no caller's arithmetic (the scorer's) changes behind its back.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use ort::session::Session as OrtSession;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Tensor, TensorElementType, ValueType};

use crate::base::limits::MODEL_INPUT_NUMBERS_MAX;
use crate::vision::catalogue::FileSpec;
use crate::vision::error::VisionError;
use crate::vision::files;
use crate::vision::runtime::Runtime;

/// One output of a run.
#[derive(Clone, PartialEq)]
pub struct Output {
    /// The model's name for it.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// A loaded model with one image input `[N, 3, height, width]`. Runs one input at a time; others wait.
#[derive(Debug)]
pub struct Session {
    path: PathBuf,
    input: Vec<Option<usize>>,
    jobs: SyncSender<Job>,
}

/// An input on its way to a worker, and the way back.
struct Job {
    shape: [usize; 4],
    values: Vec<f32>,
    reply: SyncSender<Result<Vec<Output>, String>>,
}

/// A model on its way to the loader, and the way back.
struct Order {
    runtime: Runtime,
    bytes: Vec<u8>,
    threads: usize,
    reply: SyncSender<Result<Ready, String>>,
}

/// A model's declared input sizes and the way to its worker.
type Ready = (Vec<Option<usize>>, SyncSender<Job>);

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The numbers may be a template: not for logs.
        f.debug_struct("Output").field("name", &self.name).field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads the model at `path`, which must have the size and sha256 of `wanted`; its runs use up to `threads` threads.
    /// The result of a run does not depend on `threads`.
    ///
    /// # Errors
    /// [`VisionError::ModelMissing`], [`VisionError::Damaged`], or [`VisionError::ModelRefused`] for a file that is what its
    /// entry says but is no model with one float32 input of four axes.
    pub fn load(path: &Path, wanted: &FileSpec, runtime: &Runtime, threads: usize) -> Result<Self, VisionError> {
        let bytes = files::read_checked(path, wanted.pin())?;
        let refused = |problem: String| VisionError::ModelRefused { path: path.to_owned(), problem };
        let (reply, answer) = sync_channel(1);
        let order = Order { runtime: *runtime, bytes, threads: threads.clamp(1, 64), reply };
        let gone = || refused("the thread that loads models has ended".to_owned());
        loader(path)?.send(order).map_err(|_| gone())?;
        let (input, jobs) = answer.recv().map_err(|_| gone())?.map_err(refused)?;
        Ok(Self { path: path.to_owned(), input, jobs })
    }

    /// The input's sizes `[N, 3, height, width]` as the model declares them; `None` where any size will do.
    #[must_use]
    pub fn input_shape(&self) -> &[Option<usize>] {
        &self.input
    }

    /// Runs the model on `input` of `shape` (row-major) and gives all outputs in the model's order. The same input gives
    /// the same bits on the same machine.
    ///
    /// # Errors
    /// [`VisionError::ModelRun`] when shape and input disagree, are too large, or the model fails on them.
    pub fn run(&self, shape: [usize; 4], input: Vec<f32>) -> Result<Vec<Output>, VisionError> {
        let failed = |problem: String| VisionError::ModelRun { path: self.path.clone(), shape, problem };
        let numbers = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        if numbers != Some(input.len()) || input.is_empty() || input.len() > MODEL_INPUT_NUMBERS_MAX {
            return Err(failed(format!("{} numbers given; at most {MODEL_INPUT_NUMBERS_MAX}", input.len())));
        }
        let (reply, answer) = sync_channel(1);
        let gone = || failed("the model's thread has ended".to_owned());
        self.jobs.send(Job { shape, values: input, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?.map_err(failed)
    }
}

/// The way to the loader thread, started at the first call.
fn loader(path: &Path) -> Result<SyncSender<Order>, VisionError> {
    static LOADER: OnceLock<SyncSender<Order>> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(orders) = LOADER.get() {
        return Ok(orders.clone());
    }
    let (orders, queue) = sync_channel::<Order>(1);
    thread::Builder::new().name("model-loader".to_owned()).spawn(move || serve_orders(&queue)).map_err(|error| {
        VisionError::ModelRefused { path: path.to_owned(), problem: format!("no thread to load it: {error}") }
    })?;
    Ok(LOADER.get_or_init(|| orders).clone())
}

fn serve_orders(queue: &Receiver<Order>) {
    while let Ok(order) = queue.recv() {
        let made = make(order.runtime, &order.bytes, order.threads).and_then(|(session, input)| {
            let (jobs, work) = sync_channel(1);
            thread::Builder::new()
                .name("model".to_owned())
                .spawn(move || serve_jobs(session, &work))
                .map_err(|error| format!("no thread to run it: {error}"))?;
            Ok((input, jobs))
        });
        // An error here means that nobody waits any more.
        let _ = order.reply.send(made);
    }
}

/// Ends when the [`Session`] is dropped.
fn serve_jobs(mut session: OrtSession, work: &Receiver<Job>) {
    while let Ok(job) = work.recv() {
        let outputs = run_once(&mut session, job.shape, job.values).map_err(|error| error.to_string());
        let _ = job.reply.send(outputs);
    }
}

/// A session from a model's bytes, and its input's declared sizes.
fn make(runtime: Runtime, bytes: &[u8], threads: usize) -> Result<(OrtSession, Vec<Option<usize>>), String> {
    let session = configure(runtime, threads)
        .and_then(|mut builder| builder.commit_from_memory(bytes))
        .map_err(|error| error.to_string())?;
    let [input] = session.inputs() else {
        return Err(format!("{} inputs; one is wanted", session.inputs().len()));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, dimension_symbols: _ } = input.dtype() else {
        return Err(format!("its input {:?} is not a tensor of float32", input.name()));
    };
    let input: Vec<_> = shape.iter().map(|size| usize::try_from(*size).ok()).collect();
    if input.len() != 4 {
        return Err(format!("its input has {} axes; four are wanted: pictures, colours, rows, columns", input.len()));
    }
    Ok((session, input))
}

fn configure(runtime: Runtime, threads: usize) -> Result<SessionBuilder, ort::Error> {
    let builder = OrtSession::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_deterministic_compute(true)?
        // Denormals cost a factor of six on one model, and mean nothing.
        .with_flush_to_zero()?
        // Idle threads sleep: the scorer wants the cores.
        .with_intra_op_spinning(false)?;
    Ok(builder)
}

fn run_once(session: &mut OrtSession, shape: [usize; 4], values: Vec<f32>) -> Result<Vec<Output>, ort::Error> {
    let tensor = Tensor::from_array((shape, values))?;
    let outputs = session.run(ort::inputs![tensor])?;
    let mut all = Vec::new();
    for (name, value) in &outputs {
        let (shape, values) = value.try_extract_tensor::<f32>()?;
        let shape = shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
        all.push(Output { name: name.to_owned(), shape, values: values.to_vec() });
    }
    Ok(all)
}
