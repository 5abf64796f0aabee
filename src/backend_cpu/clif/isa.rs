//! The machine that code is generated for: the host's instruction sets, or fewer of them on request.

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use ufc_target::BackendError;

/// A level of instruction sets that a caller may ask for by name.
struct Level {
    name: &'static str,
    /// Settings of Cranelift that this level switches on, beyond those of the levels before it.
    adds: &'static [&'static str],
    /// Whether the host has it.
    present: fn() -> bool,
}

#[cfg(target_arch = "x86_64")]
const LEVELS: &[Level] = &[
    Level {
        name: "sse4.1",
        adds: &["has_sse3", "has_ssse3", "has_sse41"],
        present: || ["sse3", "ssse3", "sse4.1"].iter().all(|f| detected(f)),
    },
    Level {
        name: "avx",
        adds: &["has_sse42", "has_popcnt", "has_avx"],
        present: || ["sse4.2", "popcnt", "avx"].iter().all(|f| detected(f)),
    },
    Level {
        name: "avx2+fma",
        adds: &["has_avx2", "has_fma", "has_bmi1", "has_bmi2", "has_lzcnt"],
        present: || {
            ["avx2", "fma", "bmi1", "bmi2", "lzcnt"]
                .iter()
                .all(|f| detected(f))
        },
    },
    Level {
        name: "avx512vl",
        adds: &["has_avx512f", "has_avx512vl", "has_avx512dq"],
        present: || {
            ["avx512f", "avx512vl", "avx512dq"]
                .iter()
                .all(|f| detected(f))
        },
    },
];

#[cfg(target_arch = "x86_64")]
fn detected(feature: &str) -> bool {
    match feature {
        "sse3" => std::is_x86_feature_detected!("sse3"),
        "ssse3" => std::is_x86_feature_detected!("ssse3"),
        "sse4.1" => std::is_x86_feature_detected!("sse4.1"),
        "sse4.2" => std::is_x86_feature_detected!("sse4.2"),
        "popcnt" => std::is_x86_feature_detected!("popcnt"),
        "avx" => std::is_x86_feature_detected!("avx"),
        "avx2" => std::is_x86_feature_detected!("avx2"),
        "fma" => std::is_x86_feature_detected!("fma"),
        "bmi1" => std::is_x86_feature_detected!("bmi1"),
        "bmi2" => std::is_x86_feature_detected!("bmi2"),
        "lzcnt" => std::is_x86_feature_detected!("lzcnt"),
        "avx512f" => std::is_x86_feature_detected!("avx512f"),
        "avx512vl" => std::is_x86_feature_detected!("avx512vl"),
        "avx512dq" => std::is_x86_feature_detected!("avx512dq"),
        _ => false,
    }
}

#[cfg(target_arch = "aarch64")]
const LEVELS: &[Level] = &[Level {
    name: "neon",
    adds: &[],
    present: || true,
}];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const LEVELS: &[Level] = &[];

/// The names that a caller may ask for on this machine, best first.
pub(crate) fn names() -> Vec<&'static str> {
    let present = LEVELS.iter().take_while(|level| (level.present)());
    let mut names: Vec<&str> = present.map(|level| level.name).collect();
    names.reverse();
    names
}

/// A machine to generate code for.
pub(crate) struct Isa {
    /// Cranelift's description of it.
    pub(crate) target: OwnedTargetIsa,
    /// Whether it blends vectors by the sign bit of each lane in one instruction.
    pub(crate) has_blend: bool,
    /// Whether it multiplies and adds with one rounding.
    pub(crate) has_fma: bool,
    /// Whether memory operands of vector instructions may have any alignment.
    pub(crate) takes_unaligned: bool,
}

impl Isa {
    /// The level of this name, or the best that the host has.
    ///
    /// # Errors
    /// If the host lacks it.
    pub(crate) fn new(name: Option<&str>) -> Result<Isa, BackendError> {
        let names = names();
        let best = names
            .first()
            .copied()
            .ok_or_else(|| BackendError::NoDevice(missing().to_string()))?;
        let name = name.unwrap_or(best);
        if !names.contains(&name) {
            let there = names.join(", ");
            return Err(BackendError::NoDevice(format!("{name} (there is {there})")));
        }
        let failed = |error: &dyn std::fmt::Display| BackendError::CompileFailed(error.to_string());
        let mut builder = cranelift_native::builder_with_options(false).map_err(|e| failed(&e))?;
        for level in LEVELS {
            for setting in level.adds {
                builder.enable(setting).map_err(|e| failed(&e))?;
            }
            if level.name == name {
                break;
            }
        }
        let flags = flags().map_err(|e| failed(&e))?;
        let target = builder.finish(flags).map_err(|e| failed(&e))?;
        let x86 = cfg!(target_arch = "x86_64");
        Ok(Isa {
            target,
            has_blend: x86,
            has_fma: !x86 || matches!(name, "avx2+fma" | "avx512vl"),
            takes_unaligned: !x86 || name != "sse4.1",
        })
    }
}

/// Why a machine may have no level at all.
pub(crate) fn missing() -> &'static str {
    if cfg!(target_arch = "x86_64") {
        "the processor lacks SSE4.1"
    } else {
        "no code generator for this processor's architecture"
    }
}

fn flags() -> Result<Flags, settings::SetError> {
    let mut builder = settings::builder();
    // Our own passes have optimized already; Cranelift's would move loads away from the instructions that use them.
    builder.set("opt_level", "none")?;
    // A large frame touches its pages in order, so that running out of stack is a fault and nothing worse.
    builder.set("enable_probestack", "true")?;
    builder.set("probestack_strategy", "inline")?;
    builder.set("unwind_info", "false")?;
    let verify = if cfg!(debug_assertions) {
        "true"
    } else {
        "false"
    };
    builder.set("enable_verifier", verify)?;
    Ok(Flags::new(builder))
}
