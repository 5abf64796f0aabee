//! What the CUDA target does when memory is short, on either side: smaller pieces, and errors that say what is lacking.

use ufc_target::BackendError;

use super::Outcome;
use super::cuda_faults::{cuda, ensure, plain, saxpy};

/// A launch of 1.2 MB on a device of 0.4 MB is cut.
pub(super) fn little_memory() -> Outcome {
    let report = plain(&*saxpy(None)?, 100_000)?;
    ensure(report.chunks > 1 && report.uploaded == 800_000, report)
}

/// The least that a launch is cut into is the elements of one block of threads, one after the other.
pub(super) fn one_block_fits() -> Outcome {
    let report = plain(&*saxpy(None)?, 5000)?;
    ensure(report.chunks == 5000usize.div_ceil(256), report)
}

/// Below that the launch fails, and says how much memory it would have taken.
pub(super) fn no_block_fits() -> Outcome {
    match plain(&*saxpy(None)?, 5000) {
        Err(error) if error.to_string() == "`cuda:0` has no 3072 bytes of memory left" => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// A hundredth of 1 MB is shared by four pieces in flight and what is sent once.
pub(super) fn small_share() -> Outcome {
    let report = plain(&*saxpy(None)?, 100_000)?;
    let each = 1_000_000 / 100 / 5 / 12;
    ensure(
        report.chunks == 100_000usize.div_ceil(each.max(256)),
        report,
    )
}

fn refused_variable(wanted: &str) -> Outcome {
    match plain(&*saxpy(None)?, 10) {
        Err(BackendError::LaunchFailed(text)) => ensure(text == wanted, text),
        other => Err(format!("{other:?}").into()),
    }
}

pub(super) fn wrong_share() -> Outcome {
    refused_variable(
        "the environment variable `UFC_CUDA_SHARE` is `2`, not a number above 0 and at most 1",
    )
}

pub(super) fn wrong_piece() -> Outcome {
    refused_variable(
        "the environment variable `UFC_CUDA_PIECE` is `many`, not a number of bytes above 0",
    )
}

/// Copies of several parts, which go round the stages more than once, to and from any place of a buffer.
pub(super) fn large_copies() -> Outcome {
    let (backend, part) = (cuda()?, 4 << 20);
    for (bytes, offset) in [
        (1, 0),
        (part, 0),
        (part + 1, 3),
        (3 * part, 0),
        (7 * part + 5, 11),
    ] {
        let buffer = backend.allocate("0", bytes + offset + 7)?;
        let sent: Vec<u8> = (0..bytes).map(|i| (i / 3 % 251 + i / part) as u8).collect();
        buffer.upload(offset, &sent)?;
        let mut back = vec![0; bytes];
        buffer.download(offset, &mut back)?;
        ensure(sent == back, bytes)?;
        let beyond = buffer.upload(offset + 8, &sent);
        ensure(beyond.is_err(), "it does not fit")?;
    }
    Ok(())
}

pub(super) fn no_memory() -> Outcome {
    let (code, failed) = (saxpy(None)?, |found: &_| {
        matches!(found, Err(BackendError::OutOfMemory { .. }))
    });
    let found = plain(&*code, 100_000);
    ensure(failed(&found), &found)?;
    let text = found.expect_err("it failed").to_string();
    ensure(text.contains("cuda:0"), text)
}

/// What was kept for reuse is given back when something else needs it.
pub(super) fn memory_comes_back() -> Outcome {
    let backend = cuda()?;
    for bytes in [600_000, 900_000, 100_000, 950_000] {
        let buffer = backend.allocate("0", bytes)?;
        let sent: Vec<u8> = (0..bytes).map(|i| (i * 13 % 251) as u8).collect();
        buffer.upload(0, &sent)?;
        let mut back = vec![0; bytes];
        buffer.download(0, &mut back)?;
        ensure(sent == back, bytes)?;
    }
    let two = [
        backend.allocate("0", 600_000),
        backend.allocate("0", 600_000),
    ];
    ensure(two[0].is_ok(), &two[0])?;
    match &two[1] {
        Err(BackendError::OutOfMemory { device, bytes }) => {
            ensure(device == "cuda:0" && *bytes == 600_000, (device, bytes))
        }
        other => Err(format!("{other:?}").into()),
    }
}

pub(super) fn memory_runs_out_once() -> Outcome {
    plain(&*saxpy(None)?, 5000)?;
    Ok(())
}

/// A kernel that needs memory of the device itself, and finds it when the launch is cut smaller.
pub(super) fn cut_once() -> Outcome {
    let report = plain(&*saxpy(None)?, 5000)?;
    ensure(report.chunks == 2, report)
}
