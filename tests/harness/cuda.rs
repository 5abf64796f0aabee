//! The CUDA target without a GPU: run tests, examples and random kernels in a process whose driver is the stand-in of
//! `tests/libcuda`, which runs kernels from their PTX text.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use ufc::dispatch;

use super::{Outcome, cuda_faults, cuda_ops};

/// What is executed: a name, and the tests' names to filter by.
const GROUPS: &[(&str, &str)] = &[
    ("run", "run/"),
    ("ops", "ops/"),
    ("examples", "examples/agree"),
    ("diff", "diff/ir"),
    ("source", "diff/source"),
];

/// The environment variable that says what the stand-in is to be like.
pub(crate) const PLAN: &str = "UFC_FAKE_CUDA";

/// Pieces of few bytes, so that most launches are cut into several.
const SMALL_PIECES: &[(&str, &str)] = &[("UFC_CUDA_PIECE", "200")];

/// One trial for each group and each fault; in the process that they start, the faults' own.
pub(crate) fn trials() -> Vec<Trial> {
    if super::target_asked_for().is_some() {
        // A real driver fails nobody on purpose.
        let faults = match std::env::var_os(PLAN) {
            Some(_) => cuda_faults::trials(),
            None => Vec::new(),
        };
        return faults.into_iter().chain(cuda_ops::trials()).collect();
    }
    let mut trials: Vec<Trial> = GROUPS
        .iter()
        .map(|(name, filter)| {
            Trial::test(format!("cuda/{name}"), || group(filter, "", SMALL_PIECES))
        })
        .collect();
    trials.extend(cuda_faults::FAULTS.iter().map(|fault| {
        let test = || group(&format!("faults/{}", fault.name), fault.plan, fault.env);
        Trial::test(format!("cuda/faults/{}", fault.name), test)
    }));
    trials.push(Trial::test("cuda/faults/no_driver", no_driver));
    trials
}

/// Without a driver the target is not there, and says so.
fn no_driver() -> Outcome {
    let backend = dispatch::backend("cuda").map_err(|why| why.to_string())?;
    match backend.devices() {
        // A machine with a GPU.
        Ok(_) => Ok(()),
        Err(why) if why.reason == "libcuda.so.1 not found: no NVIDIA driver" => Ok(()),
        Err(why) if why.reason.starts_with("the NVIDIA driver") => Ok(()),
        Err(why) => Err(why.reason.into()),
    }
}

/// Runs the tests that a filter finds in a process with the stand-in. A plan after `@` is put in a file, for tests to change.
fn group(filter: &str, plan: &str, env: &[(&str, &str)]) -> Outcome {
    let folder = driver_folder()?;
    // A plan that the tests change as they go is in a file.
    let plan = match plan.strip_prefix('@') {
        Some(words) => {
            let file = folder.path().join("plan");
            std::fs::write(&file, words)?;
            format!("@{}", file.display())
        }
        None => plan.to_string(),
    };
    let done = Command::new(std::env::current_exe()?)
        .arg(filter)
        .env("LD_LIBRARY_PATH", folder.path())
        .env("UFC_TEST_TARGET", "cuda")
        .env(PLAN, plan)
        .env_remove("UFC_CUDA_PIECE")
        .env_remove("UFC_CUDA_SHARE")
        .envs(env.iter().copied())
        .output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let errors = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{text}\n{errors}").into());
    }
    // A filter that finds nothing, or a target that is not there, would look like success.
    let passed = text.lines().filter(|line| line.ends_with("... ok")).count();
    let is_skipped = text.lines().any(|line| line.contains("run on cuda: "));
    if passed == 0 || is_skipped {
        return Err(format!("nothing was executed:\n{text}").into());
    }
    Ok(())
}

/// A folder in which the stand-in has the driver's name.
fn driver_folder() -> Result<tempfile::TempDir, String> {
    let library = library()?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let link = folder.path().join("libcuda.so");
    std::fs::copy(&library, link).map_err(|error| format!("{}: {error}", library.display()))?;
    Ok(folder)
}

/// The stand-in, which cargo makes beside this binary.
fn library() -> Result<PathBuf, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = binary.parent().unwrap_or(Path::new("."));
    let name = "libufc_libcuda.so";
    let places = [folder.join(name), folder.join("..").join(name)];
    let found = places.into_iter().find(|path| path.exists());
    found.ok_or_else(|| format!("{name} is not in {}", folder.display()))
}
