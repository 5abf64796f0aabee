//! Tests of the command `ufc` as a process: one file per verb, and one for the exit codes.

mod bench;
#[cfg(all(feature = "cuda", target_os = "linux"))]
mod calibrate;
mod check;
mod completions;
#[cfg(feature = "testing")]
mod devices;
mod emit;
mod eval;
mod exit_code;
mod explain;
#[cfg(all(feature = "cuda", target_os = "linux"))]
mod fallback;
mod ops;
mod render;
mod run;
mod targets;
#[cfg(feature = "ulp")]
mod ulp;
#[cfg(all(feature = "wgpu", target_os = "linux"))]
mod wgpu;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a process left behind.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The output of a process that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The messages of a process that must have failed with this code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self.stderr
    }

    /// The JSON that a process must have printed.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// The command in a folder, not touched by the environment of the tests.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ufc"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in [
        "UFC_TARGET",
        "UFC_SIMULATED",
        "UFC_CACHE_DIR",
        "UFC_FAKE_CUDA",
        "UFC_SOFTWARE_GPU",
        "UFC_NUM_THREADS",
        "UFC_CPU_LEVEL",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs the command in a folder.
pub(crate) fn ufc_in(folder: &Path, args: &[&str]) -> Outcome {
    outcome(command(folder).args(args))
}

/// Runs the command where the folder does not matter.
pub(crate) fn ufc(args: &[&str]) -> Outcome {
    ufc_in(Path::new(env!("CARGO_MANIFEST_DIR")), args)
}

/// Runs a prepared command.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder that is deleted afterwards.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file in a folder.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// The number that JSON has under a key.
#[track_caller]
pub(crate) fn number(value: &serde_json::Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}
