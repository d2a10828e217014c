//! Which back end the settings ask for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::kernel::{self, Kernel, KernelError};

/// What may score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackEndChoice {
    /// A GPU where there is a usable one, else the CPU.
    #[default]
    Auto,
    /// The CPU, with its fastest kernel.
    Cpu,
    /// The CPU without special instructions.
    CpuScalar,
    /// The CPU with AVX2, or an error where it has none.
    CpuAvx2,
    /// A GPU, or an error where there is none.
    Gpu,
}

/// A word that names no back end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scoring back end: use auto, cpu, cpu-scalar, cpu-avx2 or gpu")]
pub struct UnknownBackEnd(String);

impl BackEndChoice {
    /// The word for settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::CpuScalar => "cpu-scalar",
            Self::CpuAvx2 => "cpu-avx2",
            Self::Gpu => "gpu",
        }
    }

    /// The kernel with which the CPU works under this choice, as the answering back end or as the one in reserve.
    ///
    /// # Errors
    /// [`KernelError::NotHere`] when the choice names a kernel that this machine can't run.
    pub fn kernel(self) -> Result<Arc<dyn Kernel>, KernelError> {
        match self {
            Self::Auto | Self::Cpu | Self::Gpu => Ok(kernel::best()),
            Self::CpuScalar => kernel::by_name("scalar"),
            Self::CpuAvx2 => kernel::by_name("avx2"),
        }
    }
}

impl FromStr for BackEndChoice {
    type Err = UnknownBackEnd;

    fn from_str(text: &str) -> Result<Self, UnknownBackEnd> {
        [Self::Auto, Self::Cpu, Self::CpuScalar, Self::CpuAvx2, Self::Gpu]
            .into_iter()
            .find(|choice| choice.as_str() == text)
            .ok_or_else(|| UnknownBackEnd(text.chars().take(80).collect()))
    }
}

impl fmt::Display for BackEndChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_others_are_refused() {
        for word in ["auto", "cpu", "cpu-scalar", "cpu-avx2", "gpu"] {
            assert_eq!(word.parse::<BackEndChoice>().map(|choice| choice.to_string()), Ok(word.to_owned()));
        }
        for bad in ["", "CPU", "cuda", "cpu "] {
            let error = bad.parse::<BackEndChoice>().unwrap_err().to_string();
            assert!(error.contains("cpu-avx2"), "{error}");
        }
    }

    #[test]
    fn a_choice_has_its_kernel() {
        assert_eq!(BackEndChoice::CpuScalar.kernel().unwrap().name(), "scalar");
        assert_eq!(BackEndChoice::Auto.kernel().unwrap().name(), kernel::best().name());
    }
}
