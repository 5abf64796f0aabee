//! Text of shaders: expectations beside functions in `golden`, and the other languages.

use super::legal;
use crate::WgpuBackend;
use crate::device::Caps;
use crate::{launch, lower, validate};
use std::path::PathBuf;
use std::process::Command;
use ufc_ir::text;
use ufc_target::{Backend, CompileOptions};

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "ufir"))
        .collect();
    found.sort();
    found
}

/// Text for a device with integers and floats of 64 bits, or for one that has neither and whose compiler does as it likes.
fn shader(func: &ufc_ir::Func, poor: bool) -> String {
    let caps = Caps {
        f64: !poor,
        i64: !poor,
        keep: poor,
        ..Caps::PORTABLE
    };
    let element = lower::lower(&legal(func), &caps).expect("it lowers");
    let text = lower::entry::shader(&element, &launch::packed_layout(&element), &caps);
    validate::validate(&text, &caps).unwrap_or_else(|error| panic!("{error}"));
    text
}

#[test]
fn shaders_are_as_expected() {
    let bless = std::env::var("UFC_BLESS").is_ok();
    let mut wrong = Vec::new();
    let files = files();
    assert!(files.len() >= 6, "{files:?}");
    for path in files {
        let source = std::fs::read_to_string(&path).expect("it is there");
        let func = text::parse(&source).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (poor, extension) in [(false, "wgsl"), (true, "poor.wgsl")] {
            if poor && source.contains("f64") {
                continue;
            }
            let found = shader(&func, poor);
            let path = path.with_extension(extension);
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            if bless && found != expected {
                std::fs::write(&path, &found).expect("it can be written");
            } else if found != expected {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_stage_has_text_without_a_device() {
    let func = text::parse(&std::fs::read_to_string(&files()[0]).expect("it is there"));
    let legal = legal(&func.expect("it parses"));
    for (stage, _) in WgpuBackend.stages() {
        let text = WgpuBackend.emit(&legal, &CompileOptions::default(), stage);
        let text = text.unwrap_or_else(|error| panic!("{stage}: {error}"));
        let word = match *stage {
            "wgsl" => "@compute",
            "spirv" => "OpEntryPoint GLCompute",
            "msl" => "kernel void",
            "hlsl" => "[numthreads(64, 1, 1)]",
            _ => "local_size_x = 64",
        };
        assert!(text.contains(word), "{stage}:\n{text}");
    }
    let error = WgpuBackend.emit(&legal, &CompileOptions::default(), "clif");
    assert!(error.is_err());
}

/// The SPIR-V of every expectation and of every tenth operation, by Khronos' own validator (Debian's spirv-tools).
#[test]
fn spirv_is_valid() {
    let has_validator = Command::new("spirv-val").arg("--version").output().is_ok();
    let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
    assert!(has_validator || !required, "spirv-val is not there");
    if !has_validator {
        return;
    }
    let parsed = files().into_iter().map(|path| {
        let source = std::fs::read_to_string(path).expect("it is there");
        text::parse(&source).expect("it parses")
    });
    let cases = super::ops::cases().into_iter().step_by(10);
    let file = std::env::temp_dir().join(format!("ufc-{}.spv", std::process::id()));
    for func in parsed.chain(cases) {
        let element = lower::lower(&legal(&func), &Caps::PORTABLE).expect("it lowers");
        let layout = launch::packed_layout(&element);
        let shader = lower::entry::shader(&element, &layout, &Caps::PORTABLE);
        let valid = validate::validate(&shader, &Caps::PORTABLE);
        let words = valid.and_then(|valid| valid.spirv()).expect("it is valid");
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        std::fs::write(&file, bytes).expect("it can be written");
        let run = Command::new("spirv-val")
            .args(["--target-env", "vulkan1.1"])
            .arg(&file)
            .output()
            .expect("it runs");
        let log = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}: {log}\n{shader}", func.name);
    }
    let _ = std::fs::remove_file(file);
}
