//! What the CUDA target does when memory is short, on either side: smaller pieces, and errors that say what is lacking.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ufc_target::{
    BackendError, Buffer, DeviceArgs, DeviceOperand, Executable, LaunchArgs, LaunchControl,
    LaunchReport,
};

use super::Outcome;
use super::cuda::PLAN;
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

/// Elements that are further apart than 32 bits can say, on either side of the first one.
pub(super) fn far_elements() -> Outcome {
    const ROW: usize = 2_200_000_000;
    let (backend, code) = (cuda()?, saxpy(None)?);
    let shape = [3, 5];
    let at = |row: usize, column: usize| row * ROW + 4 * column;
    let x = backend.allocate("0", 2 * ROW + 20)?;
    let y = backend.allocate("0", 4 * 15)?;
    let out = backend.allocate("0", 2 * ROW + 20)?;
    let number = |row: usize, column: usize| (row * 5 + column) as f32 + 0.25;
    let mut packed = Vec::new();
    for row in 0..3 {
        let numbers: Vec<u8> = (0..5).flat_map(|c| number(row, c).to_le_bytes()).collect();
        x.upload(at(row, 0), &numbers)?;
        packed.extend(numbers);
    }
    y.upload(0, &packed)?;
    let row = ROW as isize;
    let mut a = [0; 16];
    a[..4].copy_from_slice(&2.0f32.to_le_bytes());
    // Forwards, and from the last row and column backwards.
    for (first, sign) in [(0, 1), (at(2, 4), -1)] {
        let operand = |buffer: &Arc<dyn Buffer>, offset| DeviceOperand::Buffer {
            buffer: buffer.clone(),
            offset,
        };
        let args = DeviceArgs {
            shape: &shape,
            operands: &[
                DeviceOperand::Value(a),
                operand(&x, first),
                operand(&y, 0),
                operand(&out, first),
            ],
            strides: &[
                &[0, 0],
                &[sign * row, sign * 4],
                &[20, 4],
                &[sign * row, sign * 4],
            ],
            indices: &[],
        };
        code.launch_on_device(&args, &LaunchControl::default())?;
        for (r, c) in (0..3).flat_map(|r| (0..5).map(move |c| (r, c))) {
            let (there_r, there_c) = if sign > 0 { (r, c) } else { (2 - r, 4 - c) };
            let mut found = [0; 4];
            out.download(at(there_r, there_c), &mut found)?;
            let wanted = 2.0 * number(there_r, there_c) + number(r, c);
            ensure(f32::from_le_bytes(found) == wanted, (sign, r, c, found))?;
        }
    }
    Ok(())
}

/// Copies go on in smaller parts where little memory can be pinned.
pub(super) fn little_to_be_pinned() -> Outcome {
    let sent: Vec<u8> = (0..9 << 20).map(|i| (i / 5 % 251) as u8).collect();
    let buffer = cuda()?.allocate("0", sent.len())?;
    // The second part finds no memory going up, and so does the first that is new coming down.
    set_plan("cuMemHostAlloc@2=2,cuMemHostAlloc@3=2")?;
    buffer.upload(0, &sent)?;
    ensure(has_come()?, "on the way up")?;
    set_plan("cuMemHostAlloc@1=2,cuMemHostAlloc@2=2")?;
    let mut back = vec![0; sent.len()];
    buffer.download(0, &mut back)?;
    ensure(has_come()?, "on the way down")?;
    ensure(sent == back, "the bytes")
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

/// Elements of the launches that run out of memory, and into how many pieces they are cut at first.
const ELEMENTS: usize = 9000;
const PIECES: usize = 3;
/// What the environment says for that.
pub(super) const IN_PIECES: &[(&str, &str)] = &[("UFC_CUDA_PIECE", "36000")];

/// Where the stand-in looks for what it is to do wrong.
fn plan_file() -> Result<PathBuf, String> {
    let plan = std::env::var(PLAN).map_err(|error| error.to_string())?;
    let file = plan.strip_prefix('@').ok_or("the plan is in no file")?;
    Ok(PathBuf::from(file))
}

/// What the stand-in is to do wrong from now on; its calls are counted anew.
fn set_plan(words: &str) -> Outcome {
    Ok(std::fs::write(plan_file()?, words)?)
}

/// Whether the error that was planned has come.
fn has_come() -> Result<bool, String> {
    let words = std::fs::read_to_string(plan_file()?);
    Ok(words.map_err(|error| error.to_string())?.is_empty())
}

/// What became of `y = a * x + y`, where the result takes the place of an input, so that no element may be computed twice.
struct InPlace {
    done: Result<LaunchReport, BackendError>,
    /// How many elements have their result, and how many are as they were; the sum is smaller if any is neither.
    new: usize,
    old: usize,
    /// How many elements were said to be done.
    progress: u64,
}

#[expect(unsafe_code, reason = "launches take raw addresses")]
fn in_place(code: &dyn Executable) -> InPlace {
    let n = ELEMENTS;
    let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.5 + 3.0).collect();
    let old: Vec<f32> = (0..n).map(|i| (i % 97) as f32).collect();
    let (mut a, mut y) = (1.5f32, old.clone());
    let at = y.as_mut_ptr().cast();
    let args = LaunchArgs {
        shape: &[n],
        pointers: &[(&raw mut a).cast(), x.as_ptr().cast_mut().cast(), at, at],
        strides: &[&[0], &[4], &[4], &[4]],
        indices: &[],
    };
    let progress = AtomicU64::new(0);
    let control = LaunchControl {
        progress: Some(&progress),
        ..LaunchControl::default()
    };
    // SAFETY: every vector has so many elements.
    let done = unsafe { code.launch(&args, &control) };
    let count = |is: &dyn Fn(usize) -> bool| (0..n).filter(|i| is(*i)).count();
    InPlace {
        done,
        new: count(&|i| y[i] == a * x[i] + old[i]),
        old: count(&|i| y[i] == old[i]),
        progress: progress.load(Ordering::Relaxed),
    }
}

/// The call at which memory runs out, for every one that a launch has from a process's first to the last; and for launches that
/// find everything warm. Each goes on in smaller pieces and is right.
pub(super) fn runs_out_anywhere() -> Outcome {
    // A device that could not be started can be started later.
    for number in 1..=4 {
        set_plan(&format!("any@{number}=2"))?;
        let failed = saxpy(None).err().unwrap_or_default();
        ensure(
            failed.contains("`cuda:0` has no memory left for its driver"),
            failed,
        )?;
        ensure(has_come()?, number)?;
    }
    for is_warm in [false, true] {
        let (mut cut, mut number) = (0, 0);
        loop {
            number += 1;
            let code = saxpy(None)?;
            if is_warm {
                set_plan("")?;
                in_place(&*code).done?;
            }
            set_plan(&format!("any@{number}=2"))?;
            let InPlace {
                done,
                new,
                progress,
                ..
            } = in_place(&*code);
            let report = done.map_err(|error| format!("call {number}: {error}"))?;
            ensure(new == ELEMENTS, (is_warm, number, new))?;
            ensure(progress == ELEMENTS as u64, (number, progress))?;
            // What was sent in vain counts as well.
            let bytes = 4 * ELEMENTS as u64;
            ensure(report.downloaded == bytes, (number, report))?;
            ensure(report.uploaded >= 2 * bytes, (number, report))?;
            if !has_come()? {
                ensure(report.chunks == PIECES, (number, report))?;
                break;
            }
            cut += usize::from(report.chunks > PIECES);
        }
        // Each piece goes up, is computed and comes down, with events in between.
        ensure(number > 8 * PIECES && cut > 6 * PIECES, (number, cut))?;
    }
    Ok(())
}

/// From some call on there is no memory at all: the launch fails, and every element has its result or is as it was.
pub(super) fn runs_out_for_good() -> Outcome {
    let mut partly = 0;
    for number in 1.. {
        set_plan("")?;
        let code = saxpy(None)?;
        in_place(&*code).done?;
        set_plan(&format!("any@{number}+=2"))?;
        let InPlace { done, new, old, .. } = in_place(&*code);
        match done {
            Ok(_) => {
                ensure(new == ELEMENTS, (number, new))?;
                return ensure(partly > PIECES, partly);
            }
            Err(error) => {
                let is_short = matches!(error, BackendError::OutOfMemory { .. });
                ensure(is_short, (number, &error))?;
                ensure(new + old == ELEMENTS, (number, new, old))?;
                partly += usize::from(new > 0);
            }
        }
    }
    Ok(())
}

/// Two GPUs share a launch: what the one has no memory for is done all the same, and nothing twice.
pub(super) fn runs_out_on_one_of_two() -> Outcome {
    for number in 1..60 {
        let code = saxpy(Some("all"))?;
        set_plan(&format!("devices=2,any@{number}=2"))?;
        let InPlace { done, new, .. } = in_place(&*code);
        let report = done.map_err(|error| format!("call {number}: {error}"))?;
        ensure(new == ELEMENTS, (number, new, report))?;
    }
    Ok(())
}
