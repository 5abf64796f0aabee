//! Shaders through naga: always validated before any driver sees them, and written in the other languages.
//!
//! The SPIR-V gets one thing that naga does not write: `NoContraction` on every float operation (SPIR-V 1.6, section 3.20).
//! Without it a driver may fuse a product and a sum, and Mesa's optimizer takes `(a + b) - a` for `b`.

use crate::device::Caps;
use naga::back::{PipelineConstants, hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use std::collections::BTreeSet;
use ufc_target::BackendError;

/// Longest text that is given to naga, in bytes.
const TEXT_LIMIT: usize = 16 << 20;

/// A shader that naga takes.
pub(crate) struct Valid {
    module: Module,
    info: ModuleInfo,
}

fn failed(what: impl std::fmt::Display) -> BackendError {
    BackendError::CompileFailed(what.to_string())
}

/// Parses and validates a shader.
///
/// # Errors
/// If it is too large, or what naga finds wrong: a bug of ours.
pub(crate) fn validate(text: &str, caps: &Caps) -> Result<Valid, BackendError> {
    if text.len() > TEXT_LIMIT {
        return Err(BackendError::Unsupported(format!(
            "shaders of more than {TEXT_LIMIT} bytes; this one has {}",
            text.len()
        )));
    }
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::FLOAT64, caps.f64);
    capabilities.set(Capabilities::SHADER_INT64, caps.i64);
    let mut front = naga::front::wgsl::Frontend::new();
    let module = front
        .parse(text)
        .map_err(|error| failed(error.emit_to_string(text)))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| failed(error.emit_to_string(text)))?;
    Ok(Valid { module, info })
}

impl Valid {
    /// SPIR-V for Vulkan, nothing contracted, without checks that our shaders make themselves.
    pub(crate) fn spirv(&self) -> Result<Vec<u32>, BackendError> {
        let bindings = self.module.global_variables.iter();
        let binding_map = bindings
            .filter_map(|(_, global)| global.binding)
            .map(|at| {
                let info = spv::BindingInfo {
                    descriptor_set: at.group,
                    binding: at.binding,
                    binding_array_size: None,
                };
                (at, info)
            })
            .collect();
        let options = spv::Options {
            flags: spv::WriterFlags::empty(),
            binding_map,
            force_loop_bounding: false,
            emit_int_div_checks: false,
            ..spv::Options::default()
        };
        let pipeline = spv::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: "main".into(),
        };
        let words = spv::write_vec(&self.module, &self.info, &options, Some(&pipeline));
        Ok(no_contraction(&words.map_err(failed)?))
    }

    /// Metal's language.
    pub(crate) fn msl(&self) -> Result<String, BackendError> {
        let options = msl::Options {
            lang_version: (2, 4),
            fake_missing_bindings: true,
            ..msl::Options::default()
        };
        let pipeline = msl::PipelineOptions::default();
        let written = msl::write_string(&self.module, &self.info, &options, &pipeline);
        written.map(|(text, _)| text).map_err(failed)
    }

    /// DirectX 12's language.
    pub(crate) fn hlsl(&self) -> Result<String, BackendError> {
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_0,
            fake_missing_bindings: true,
            ..hlsl::Options::default()
        };
        let pipeline = hlsl::PipelineOptions::default();
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(&self.module, &self.info, None)
            .map_err(failed)?;
        Ok(text)
    }

    /// GL's language.
    pub(crate) fn glsl(&self) -> Result<String, BackendError> {
        use naga::back::glsl;
        let options = glsl::Options {
            version: glsl::Version::Desktop(430),
            ..glsl::Options::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: "main".into(),
            multiview: None,
        };
        let (module, info) = naga::back::pipeline_constants::process_overrides(
            &self.module,
            &self.info,
            Some((ShaderStage::Compute, "main")),
            &PipelineConstants::default(),
        )
        .map_err(failed)?;
        let mut text = String::new();
        glsl::Writer::new(
            &mut text,
            &module,
            &info,
            &options,
            &pipeline,
            naga::proc::BoundsCheckPolicies::default(),
        )
        .and_then(|mut writer| writer.write())
        .map_err(failed)?;
        Ok(text)
    }
}

/// SPIR-V as text.
///
/// # Errors
/// If it is not SPIR-V: a bug of ours.
pub(crate) fn disassemble(words: &[u32]) -> Result<String, BackendError> {
    use rspirv::binary::Disassemble as _;
    let module = rspirv::dr::load_words(words).map_err(failed)?;
    Ok(module.disassemble() + "\n")
}

/// Opcodes of float arithmetic (SPIR-V 1.6, section 3.42.13).
const FLOAT_OPCODES: [u32; 7] = [
    127, // OpFNegate
    129, // OpFAdd
    131, // OpFSub
    133, // OpFMul
    136, // OpFDiv
    140, // OpFRem
    141, // OpFMod
];
const OP_EXT_INST: u32 = 12;
const OP_DECORATE: u32 = 71;
const NO_CONTRACTION: u32 = 42;
/// The first instructions after all decorations are types and the like (section 2.4), from OpTypeVoid on.
const TYPES: std::ops::RangeInclusive<u32> = 19..=39;

/// The module with `NoContraction` on the result of every float operation.
fn no_contraction(words: &[u32]) -> Vec<u32> {
    const HEADER: usize = 5;
    let mut targets = BTreeSet::new();
    let mut place = None;
    let mut at = HEADER.min(words.len());
    while let Some(&first) = words.get(at) {
        let (opcode, length) = (first & 0xffff, (first >> 16) as usize);
        if TYPES.contains(&opcode) && place.is_none() {
            place = Some(at);
        }
        if (FLOAT_OPCODES.contains(&opcode) || opcode == OP_EXT_INST)
            && let Some(&result) = words.get(at + 2)
        {
            targets.insert(result);
        }
        // A length of 0 would never end.
        at += length.max(1);
    }
    let place = place.unwrap_or(words.len());
    let mut out = words[..place].to_vec();
    for target in targets {
        out.extend([3 << 16 | OP_DECORATE, target, NO_CONTRACTION]);
    }
    out.extend_from_slice(&words[place..]);
    out
}
