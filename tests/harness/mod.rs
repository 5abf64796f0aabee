//! The file-test runner: finds the files, gives each to its kind, and compares what comes out with what is expected.
//!
//! A test is a file. Its folder under `tests/filetests` says which stage it tests ([`KINDS`] has them all); a
//! mismatch fails, and `UFC_BLESS=1` rewrites the expectation in place instead.

mod annotate;
mod cuda;
mod cuda_faults;
mod cuda_foreign;
mod cuda_memory;
mod cuda_ops;
mod examples;
pub(crate) mod exec;
mod expect;
mod front;
mod ir;
pub(crate) mod memory;
mod ptxas;
mod run;
mod self_test;
mod target;
pub(crate) mod values;
pub(crate) mod wgpu;

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use ufc::Target;

/// A file to be tested.
pub(crate) struct Case {
    /// Where it is.
    pub path: PathBuf,
    /// The folders between the kind's folder and the file: a pass or a target.
    pub within: String,
    /// What is in it.
    pub text: String,
}

/// What a test function gives.
pub(crate) type Outcome = Result<(), Failed>;

/// What is done with the files of one folder.
struct Kind {
    /// The folder under `tests/filetests`.
    folder: &'static str,
    /// What the inputs are called; other files in the folder are expectations.
    extensions: &'static [&'static str],
    /// Tests one file.
    test: fn(&Case) -> Outcome,
}

/// Every kind of file test.
const KINDS: &[Kind] = &[
    Kind {
        folder: "lex",
        extensions: &["ufk"],
        test: front::lex,
    },
    Kind {
        folder: "parse",
        extensions: &["ufk"],
        test: front::parse,
    },
    Kind {
        folder: "check",
        extensions: &["ufk"],
        test: front::check,
    },
    Kind {
        folder: "lower",
        extensions: &["ufk"],
        test: front::lower,
    },
    Kind {
        folder: "verify",
        extensions: &["ufir"],
        test: ir::verify,
    },
    Kind {
        folder: "passes",
        extensions: &["ufir"],
        test: ir::pass,
    },
    Kind {
        folder: "spmd",
        extensions: &["ufir"],
        test: ir::spmd,
    },
    Kind {
        folder: "legalize",
        extensions: &["ufir"],
        test: target::legalize,
    },
    Kind {
        folder: "clif",
        extensions: &["ufir"],
        test: target::clif,
    },
    Kind {
        folder: "asm",
        extensions: &["ufir"],
        test: target::asm,
    },
    Kind {
        folder: "ptx",
        extensions: &["ufir"],
        test: target::ptx,
    },
    Kind {
        folder: "run",
        extensions: &["ufk", "ufir"],
        test: run::run,
    },
];

/// Every test: the files of every kind, the example kernels, and what is skipped here. Where one target is asked for, those that
/// are executed on it.
pub(crate) fn trials() -> Vec<Trial> {
    let root = root().join("tests/filetests");
    let mut trials = Vec::new();
    let only_target = target_asked_for().is_some();
    for kind in KINDS {
        if only_target && kind.folder != "run" {
            continue;
        }
        for path in files(&root.join(kind.folder)) {
            let extension = path
                .extension()
                .and_then(|e| e.to_str())
                .unwrap_or_default();
            if kind.extensions.contains(&extension) {
                trials.push(trial(kind, &root, path));
            }
        }
    }
    if !only_target {
        trials.push(Trial::test("every_file_is_tested", every_file_is_tested));
        trials.extend(self_test::trials());
    }
    trials.extend(examples::trials());
    trials.extend(cuda::trials());
    trials.extend(ptxas::trials());
    trials.extend(run::skipped(&files(&root.join("run"))));
    trials
}

fn trial(kind: &'static Kind, root: &Path, path: PathBuf) -> Trial {
    let name = slashed(path.strip_prefix(root).expect("found below it"));
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let within = folder.strip_prefix(kind.folder).unwrap_or_default();
    let within = within.trim_start_matches('/').to_string();
    Trial::test(name, move || {
        let text = read(&path)?;
        (kind.test)(&Case { path, within, text })
    })
}

/// A file that no kind takes, and that is not beside one, would never be looked at.
fn every_file_is_tested() -> Outcome {
    let root = root().join("tests/filetests");
    let mut stray = Vec::new();
    for path in files(&root) {
        let name = slashed(path.strip_prefix(&root).expect("found below it"));
        let kind = KINDS
            .iter()
            .find(|kind| name.starts_with(&format!("{}/", kind.folder)));
        let is_used = kind.is_some_and(|kind| {
            kind.extensions
                .iter()
                .any(|extension| path.with_extension(extension).exists())
        });
        if !is_used {
            stray.push(name);
        }
    }
    if stray.is_empty() {
        return Ok(());
    }
    Err(format!("files that no test uses: {}", stray.join(", ")).into())
}

/// The one target that run tests, examples and random kernels are to be executed on, if `UFC_TEST_TARGET` names one.
pub(crate) fn target_asked_for() -> Option<Target> {
    let word = std::env::var("UFC_TEST_TARGET").ok()?;
    Some(
        word.parse()
            .unwrap_or_else(|error| panic!("UFC_TEST_TARGET: {error}")),
    )
}

/// The target that examples and random kernels are executed on.
pub(crate) fn target_under_test() -> Target {
    target_asked_for().unwrap_or(Target::CPU)
}

/// The repository's root; on a machine that has only what `scripts/gpu-check` packed, the folder with that.
pub(crate) fn root() -> PathBuf {
    let packed = std::env::var_os("UFC_TEST_ROOT");
    packed.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// Every file below a folder, sorted; none if the folder is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file as text.
pub(crate) fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
