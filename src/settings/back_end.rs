//! Which back end compares templates, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A choice of back end. All of them give the same candidate lists to the bit; they differ in speed only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackEnd {
    /// The GPU where there is a real one, else the best instructions of the CPU.
    #[default]
    Auto,
    /// The best instructions that this CPU has.
    Cpu,
    /// The CPU without vector instructions.
    CpuScalar,
    /// The CPU with AVX2.
    CpuAvx2,
    /// The CPU with AVX-VNNI.
    CpuAvxvnni,
    /// The CPU with AVX-512BW.
    CpuAvx512bw,
    /// The CPU with AVX-512 VNNI.
    CpuAvx512vnni,
    /// The CPU with AMX.
    CpuAmx,
    /// The CPU with NEON.
    CpuNeon,
    /// The GPU, also a software driver; the CPU answers when it fails.
    Gpu,
}

impl BackEnd {
    /// Every choice.
    pub const ALL: [Self; 10] = [
        Self::Auto,
        Self::Cpu,
        Self::CpuScalar,
        Self::CpuAvx2,
        Self::CpuAvxvnni,
        Self::CpuAvx512bw,
        Self::CpuAvx512vnni,
        Self::CpuAmx,
        Self::CpuNeon,
        Self::Gpu,
    ];

    /// The kernel of the CPU that is forced; `None` where the choice leaves it open.
    #[must_use]
    pub fn kernel(self) -> Option<&'static str> {
        match self {
            Self::Auto | Self::Cpu | Self::Gpu => None,
            Self::CpuScalar
            | Self::CpuAvx2
            | Self::CpuAvxvnni
            | Self::CpuAvx512bw
            | Self::CpuAvx512vnni
            | Self::CpuAmx
            | Self::CpuNeon => self.as_str().strip_prefix("cpu-"),
        }
    }

    /// The name in files, variables and flags.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::CpuScalar => "cpu-scalar",
            Self::CpuAvx2 => "cpu-avx2",
            Self::CpuAvxvnni => "cpu-avxvnni",
            Self::CpuAvx512bw => "cpu-avx512bw",
            Self::CpuAvx512vnni => "cpu-avx512vnni",
            Self::CpuAmx => "cpu-amx",
            Self::CpuNeon => "cpu-neon",
            Self::Gpu => "gpu",
        }
    }
}

impl fmt::Display for BackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no back end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no back end: use auto, cpu, cpu-scalar, cpu-avx2, cpu-avxvnni, cpu-avx512bw, cpu-avx512vnni, cpu-amx, cpu-neon or gpu"
)]
pub struct UnknownBackEnd(String);

impl FromStr for BackEnd {
    type Err = UnknownBackEnd;

    fn from_str(text: &str) -> Result<Self, UnknownBackEnd> {
        let known = Self::ALL.into_iter().find(|choice| choice.as_str() == text);
        known.ok_or_else(|| UnknownBackEnd(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_everywhere() {
        for choice in BackEnd::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
            assert_eq!(serde_json::to_value(choice).unwrap(), choice.as_str());
            assert!(UnknownBackEnd(String::new()).to_string().contains(choice.as_str()));
        }
        assert!("cuda".parse::<BackEnd>().is_err());
    }
}
