//! The levels of x86-64 that code is generated for.

use std::fmt;

/// A set of instruction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// 256-bit vectors: AVX2 and FMA.
    Avx2,
    /// 512-bit vectors with mask registers: AVX-512 F, VL, DQ and BW, and BMI2.
    Avx512,
}

impl Level {
    /// Every level, the best first.
    pub(crate) const ALL: [Level; 2] = [Level::Avx512, Level::Avx2];

    /// The name that users know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// The level with this name, whether the processor has it or not.
    pub(crate) fn of_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level with this name, if the processor has it.
    pub(crate) fn named(name: &str) -> Option<Level> {
        Level::of_name(name).filter(|level| level.is_present())
    }

    /// The best level that the processor has.
    pub(crate) fn best() -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.is_present())
    }

    /// Whether the processor, and the system, have it.
    pub(crate) fn is_present(self) -> bool {
        let avx2 = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
        match self {
            Level::Avx2 => avx2,
            Level::Avx512 => {
                avx2 && std::is_x86_feature_detected!("bmi2")
                    && std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512dq")
                    && std::is_x86_feature_detected!("avx512bw")
            }
        }
    }

    /// Bytes in one vector.
    pub(crate) fn vector(self) -> usize {
        match self {
            Level::Avx2 => 32,
            Level::Avx512 => 64,
        }
    }

    /// How many vector registers there are.
    pub(super) fn registers(self) -> usize {
        match self {
            Level::Avx2 => 16,
            Level::Avx512 => 32,
        }
    }

    /// Whether masks live in registers of their own.
    pub(super) fn has_masks(self) -> bool {
        self == Level::Avx512
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
