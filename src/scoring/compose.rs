//! Puts together what the settings ask for: a GPU with the CPU in reserve, or the CPU alone.

use std::sync::Arc;
use std::time::Duration;

use crate::base::limits::PROBES_PER_SWEEP_MAX;
use crate::gpu::{AdapterChoice, GpuInfo, GpuOptions, GpuPass};
use crate::kernel::{self, Kernel};
use crate::scoring::batcher::{BatchOptions, Batcher};
use crate::scoring::{CertifiedScorer, CpuPass, WithFallback, threads_here};
use crate::settings::back_end::BackEnd;
use crate::settings::sections::Scoring;
use crate::vector::scorer::Scorer;

/// The scorer of a process, and what there is to tell about it.
pub struct Engine {
    /// What answers.
    pub scorer: Arc<dyn Scorer>,
    /// The queue before it: searches go through here.
    pub batcher: Batcher,
    /// The settings' choice.
    pub asked_for: BackEnd,
    /// Why something else than asked for answers; `None` when all is as asked.
    pub remark: Option<String>,
    gpu: Option<Gpu>,
}

struct Gpu {
    pass: Arc<GpuPass>,
    scorer: Arc<WithFallback>,
}

impl Engine {
    /// The GPU as it stands now; `None` when none is in use.
    #[must_use]
    pub fn gpu(&self) -> Option<GpuInfo> {
        self.gpu.as_ref().map(|gpu| gpu.pass.info())
    }

    /// Why the GPU is out of order and the CPU answers for it.
    #[must_use]
    pub fn fell_back(&self) -> Option<String> {
        self.gpu.as_ref().and_then(|gpu| gpu.scorer.failure())
    }
}

/// Chooses by `settings`. Where a choice can't be had the CPU answers, and [`Engine::remark`] says why.
///
/// # Errors
/// What the system says when it has no thread to give.
pub fn compose(settings: &Scoring) -> std::io::Result<Engine> {
    let (scorer, remark, gpu) = choose(settings);
    let options =
        BatchOptions { gather: Duration::from_millis(settings.gather_ms), probes_per_pass: PROBES_PER_SWEEP_MAX };
    let batcher = Batcher::start(Arc::clone(&scorer), options)?;
    Ok(Engine { scorer, batcher, asked_for: settings.back_end, remark, gpu })
}

/// What scores, a remark, and the GPU if there is one.
type Choice = (Arc<dyn Scorer>, Option<String>, Option<Gpu>);

fn choose(settings: &Scoring) -> Choice {
    let threads = if settings.threads == 0 { threads_here() } else { settings.threads };
    let (kernel, mut remark) = kernel_for(settings.back_end);
    let cpu = || CpuPass::new(Arc::clone(&kernel), threads);
    let adapter = match settings.back_end {
        BackEnd::Auto => Some(AdapterChoice::Hardware),
        BackEnd::Gpu => Some(AdapterChoice::Any),
        BackEnd::Cpu
        | BackEnd::CpuScalar
        | BackEnd::CpuAvx2
        | BackEnd::CpuAvxvnni
        | BackEnd::CpuAvx512bw
        | BackEnd::CpuAvx512vnni
        | BackEnd::CpuAmx
        | BackEnd::CpuNeon => None,
    };
    if let Some(adapter) = adapter {
        let memory_max_bytes = (settings.gpu_memory_max_mib > 0).then_some(settings.gpu_memory_max_mib << 20);
        let options = GpuOptions { adapter, memory_max_bytes, ..GpuOptions::default() };
        match GpuPass::new(options, Box::new(cpu())) {
            Ok(pass) => return with_gpu(Arc::new(pass), cpu(), threads),
            Err(error) if settings.back_end == BackEnd::Gpu => {
                tracing::warn!(%error, "no GPU: the CPU scores");
                remark = Some(format!("a GPU was asked for, the CPU answers: {error}"));
            }
            Err(error) => {
                tracing::info!(%error, "no GPU: the CPU scores");
                remark = Some(format!("no GPU is used: {error}"));
            }
        }
    }
    (Arc::new(CertifiedScorer::new(Arc::new(cpu()), threads)), remark, None)
}

fn with_gpu(pass: Arc<GpuPass>, reserve: CpuPass, threads: usize) -> Choice {
    let first = CertifiedScorer::new(Arc::<GpuPass>::clone(&pass), threads);
    let second = CertifiedScorer::new(Arc::new(reserve), threads);
    let scorer = Arc::new(WithFallback::new(Box::new(first), Box::new(second)));
    (Arc::<WithFallback>::clone(&scorer), None, Some(Gpu { pass, scorer }))
}

/// The kernel of the CPU under this choice, and a remark where the machine lacks the one asked for.
fn kernel_for(choice: BackEnd) -> (Arc<dyn Kernel>, Option<String>) {
    let Some(named) = choice.kernel() else { return (kernel::best(), None) };
    match kernel::by_name(named) {
        Ok(kernel) => (kernel, None),
        Err(error) => {
            let best = kernel::best();
            let remark = format!("{error}; {} answers", best.name());
            (best, Some(remark))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::settings::flags::Flags;

    fn engine(choice: BackEnd) -> Engine {
        let flags = Flags { back_end: Some(choice), threads: Some(2), ..Flags::default() };
        let folder = tempfile::tempdir().unwrap();
        compose(&Settings::load(None, folder.path(), flags).unwrap().settings.scoring).unwrap()
    }

    #[test]
    fn a_forced_kernel_is_the_one_that_answers() {
        let scalar = engine(BackEnd::CpuScalar);
        assert!(scalar.scorer.name().contains("scalar"), "{}", scalar.scorer.name());
        assert!(scalar.remark.is_none() && scalar.gpu().is_none() && scalar.fell_back().is_none());
    }

    #[test]
    fn every_kernel_can_be_forced_and_a_missing_one_is_told() {
        for choice in BackEnd::ALL {
            let Some(name) = choice.kernel() else { continue };
            let here = kernel::by_name(name).is_ok();
            let forced = engine(choice);
            assert_eq!(forced.scorer.name() == format!("cpu {name} x 2 threads"), here, "{choice}");
            assert_eq!(forced.remark.is_none(), here, "{choice}: {:?}", forced.remark);
        }
        for kernel in kernel::all() {
            assert!(BackEnd::ALL.iter().any(|choice| choice.kernel() == Some(kernel.name())), "{kernel:?}");
        }
    }

    #[test]
    fn a_missing_gpu_is_answered_for_and_told() {
        let asked = engine(BackEnd::Gpu);
        // With a driver the GPU answers; without one the remark says that the CPU does. Silence would be the mistake.
        assert_eq!(asked.gpu().is_none(), asked.remark.is_some());
        // Left to itself the program tells too why it uses none.
        let auto = engine(BackEnd::Auto);
        assert_eq!(auto.gpu().is_none(), auto.remark.is_some());
        assert!(engine(BackEnd::Cpu).remark.is_none());
    }
}
