//! What the CUDA target does when the driver fails it: each test in a process whose driver is to fail in some way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libtest_mimic::Trial;
use ufc::dispatch::{self, Target};
use ufc::{Array, CallOptions, DType, DeviceArray, Module, Report};
use ufc_target::{
    Backend, BackendError, CompileOptions, DeviceArgs, DeviceOperand, Executable, LaunchArgs,
    LaunchControl, LaunchReport,
};

use super::{Outcome, cuda_memory};

/// What goes wrong, and what must come of it.
pub(crate) struct Fault {
    /// Its test's name.
    pub name: &'static str,
    /// What the stand-in is to be like.
    pub plan: &'static str,
    /// What is in the environment.
    pub env: &'static [(&'static str, &'static str)],
    test: fn() -> Outcome,
}

/// A fault in a launch that is cut as it comes.
const fn fault(name: &'static str, plan: &'static str, test: fn() -> Outcome) -> Fault {
    let env = &[];
    Fault {
        name,
        plan,
        env,
        test,
    }
}

/// Every fault.
pub(crate) const FAULTS: &[Fault] = &[
    fault("no_device", "devices=0", no_device),
    fault("old_driver", "version=10020", old_driver),
    fault("old_gpu", "capability=6.1", old_gpu),
    fault("refused_module", "refuse-modules", refused_module),
    fault("refused_for_auto", "refuse-modules", refused_for_auto),
    fault("compiling_is_told", "", compiling_is_told),
    fault("no_compiler", "cuModuleLoadDataEx@1+=221", no_compiler),
    fault("stub_library", "cuInit@1=34", stub_library),
    fault("little_memory", "memory=400000", cuda_memory::little_memory),
    fault("one_block_fits", "memory=4000", cuda_memory::one_block_fits),
    fault("no_block_fits", "memory=3000", cuda_memory::no_block_fits),
    Fault {
        env: &[("UFC_CUDA_SHARE", "0.01")],
        ..fault("small_share", "memory=1000000", cuda_memory::small_share)
    },
    Fault {
        env: &[("UFC_CUDA_SHARE", "2")],
        ..fault("wrong_share", "", cuda_memory::wrong_share)
    },
    Fault {
        env: &[("UFC_CUDA_PIECE", "many")],
        ..fault("wrong_piece", "", cuda_memory::wrong_piece)
    },
    fault("large_copies", "", cuda_memory::large_copies),
    fault(
        "far_elements",
        "memory=9000000000",
        cuda_memory::far_elements,
    ),
    fault("little_to_be_pinned", "@", cuda_memory::little_to_be_pinned),
    fault("lost_in_a_copy", "cuEventRecord@3=719", lost_in_a_copy),
    fault("no_memory", "cuMemAlloc_v2@1+=2", cuda_memory::no_memory),
    fault(
        "memory_comes_back",
        "memory=1000000",
        cuda_memory::memory_comes_back,
    ),
    fault(
        "memory_runs_out_once",
        "cuMemAlloc_v2@2=2",
        cuda_memory::memory_runs_out_once,
    ),
    Fault {
        env: cuda_memory::IN_PIECES,
        ..fault(
            "memory_runs_out_anywhere",
            "@",
            cuda_memory::runs_out_anywhere,
        )
    },
    Fault {
        env: cuda_memory::IN_PIECES,
        ..fault(
            "memory_runs_out_for_good",
            "@",
            cuda_memory::runs_out_for_good,
        )
    },
    Fault {
        env: cuda_memory::IN_PIECES,
        ..fault(
            "memory_runs_out_on_one_of_two",
            "@devices=2",
            cuda_memory::runs_out_on_one_of_two,
        )
    },
    fault(
        "memory_runs_out_in_a_launch",
        "cuLaunchKernel@1=2",
        cuda_memory::cut_once,
    ),
    fault(
        "no_pinned_memory",
        "cuMemHostAlloc@1+=2",
        cuda_memory::no_memory,
    ),
    fault(
        "fault_in_a_launch",
        "cuLaunchKernel@2=719",
        lost_in_a_launch,
    ),
    fault(
        "fault_found_later",
        "cuStreamSynchronize@2=700",
        lost_in_a_launch,
    ),
    fault(
        "fault_of_the_hardware",
        "cuStreamSynchronize@2=214",
        lost_in_a_launch,
    ),
    fault("passing_error", "cuLaunchKernel@2=701", passing_error),
    fault("unlisted_error", "cuLaunchKernel@2=12345", unlisted_error),
    fault(
        "unlisted_first_error",
        "cuInit@1=4321",
        unlisted_first_error,
    ),
    fault("forked", "cuCtxSetCurrent@40+=3", forked),
    fault("two_gpus", "devices=2", two_gpus),
    Fault {
        env: &[("UFC_CUDA_PIECE", "2000")],
        ..fault("counters", "", counters)
    },
    Fault {
        env: &[("UFC_CUDA_PIECE", "2000")],
        ..fault("split_over_gpus", "devices=3", split_over_gpus)
    },
    Fault {
        env: &[("UFC_CUDA_PIECE", "2000")],
        ..fault(
            "one_gpu_fails",
            "devices=2,cuLaunchKernel@5=701",
            one_gpu_fails,
        )
    },
    fault("cancelled", "", cancelled),
    fault("stray_operands", "devices=2", stray_operands),
    fault("arrays_on_two_gpus", "devices=2", arrays_on_two_gpus),
    fault("holes_stay_there", "", holes_stay_there),
    fault("foreign_memory", "devices=2", super::cuda_foreign::test),
];

/// The tests that a process with such a driver has.
pub(crate) fn trials() -> Vec<Trial> {
    let faults = FAULTS.iter();
    faults
        .map(|fault| Trial::test(format!("faults/{}", fault.name), fault.test))
        .collect()
}

/// Fails with a message unless a condition holds.
pub(super) fn ensure(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(format!("{what:?}").into()),
    }
}

pub(super) fn cuda() -> Result<&'static dyn Backend, String> {
    dispatch::backend("cuda").map_err(|why| why.to_string())
}

fn reason() -> Result<String, String> {
    match cuda()?.devices() {
        Ok(devices) => Err(format!("there are devices: {devices:?}")),
        Err(why) => Ok(why.reason),
    }
}

/// `a * x + y` of f32.
pub(super) fn saxpy(device: Option<&str>) -> Result<Arc<dyn Executable>, String> {
    let text = "pub fn saxpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }";
    let module = Module::from_source("saxpy.ufk", text).map_err(|error| error.to_string())?;
    let legal = ufc::pipeline::legal(&module, "saxpy", &[], cuda()?, None);
    let legal = legal.map_err(|error| error.to_string())?;
    let options = CompileOptions {
        device: device.map(str::to_string),
        ..CompileOptions::default()
    };
    cuda()?
        .compile(&legal, &options)
        .map_err(|error| error.to_string())
}

/// Runs it on so many elements of the host, `a` one value for all, and compares what comes out.
#[expect(unsafe_code, reason = "launches take raw addresses")]
fn launch(
    code: &dyn Executable,
    n: usize,
    control: &LaunchControl<'_>,
) -> Result<LaunchReport, BackendError> {
    let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.5 - 3.0).collect();
    let y: Vec<f32> = (0..n).map(|i| (i % 97) as f32).collect();
    let (mut a, mut out) = (1.5f32, vec![f32::NAN; n]);
    let pointers = [
        (&raw mut a).cast(),
        x.as_ptr().cast_mut().cast(),
        y.as_ptr().cast_mut().cast(),
        out.as_mut_ptr().cast(),
    ];
    let args = LaunchArgs {
        shape: &[n],
        pointers: &pointers,
        strides: &[&[0], &[4], &[4], &[4]],
        indices: &[],
    };
    // SAFETY: every vector has so many elements.
    let report = unsafe { code.launch(&args, control)? };
    let is_right = |i: usize| out[i] == a * x[i] + y[i];
    match (0..n).find(|i| !is_right(*i)) {
        None => Ok(report),
        Some(i) => Err(BackendError::LaunchFailed(format!(
            "element {i} of {n} is {}",
            out[i]
        ))),
    }
}

pub(super) fn plain(code: &dyn Executable, n: usize) -> Result<LaunchReport, BackendError> {
    launch(code, n, &LaunchControl::default())
}

fn no_device() -> Outcome {
    let reason = reason()?;
    ensure(
        reason.contains("CUDA_ERROR_NO_DEVICE") && reason.contains("no CUDA-capable"),
        reason,
    )
}

fn old_driver() -> Outcome {
    let reason = reason()?;
    ensure(
        reason == "the NVIDIA driver is of CUDA 10.2, 11.0 is needed",
        reason,
    )
}

fn old_gpu() -> Outcome {
    let reason = reason()?;
    ensure(
        reason == "Stand-in GPU 0 has compute capability 6.1: 7.0 is needed",
        reason,
    )
}

fn refused_module() -> Outcome {
    match plain(&*saxpy(None)?, 10) {
        Err(BackendError::CompileFailed(log)) => ensure(
            log.contains("asked to refuse") && log.contains("INVALID_PTX"),
            log,
        ),
        other => Err(format!("{other:?}").into()),
    }
}

/// A kernel that the driver refused is the processor's from then on, which is said once.
fn refused_for_auto() -> Outcome {
    let text = "pub fn heavy(x: f32) -> f32 {
        let mut a = x;
        for _i in 0..200 { a = a * 0.9375 + x; }
        a
    }";
    let heavy = Module::from_source("heavy.ufk", text).and_then(|module| module.only());
    let heavy = heavy.map_err(|error| error.to_string())?;
    dispatch::choose(&Target::CUDA).map_err(|error| error.to_string())?;
    let x: Vec<f32> = (0..1 << 21).map(|i| i as f32 * 0.5 - 3.0).collect();
    let report = Report::default();
    // With one thread it takes the processor far longer than a GPU by any figures.
    let call = heavy.with(CallOptions {
        threads: Some(1),
        report: Some(&report),
        ..CallOptions::default()
    });
    for number in 0..3 {
        call.call(&x).map_err(|error| error.to_string())?;
        let measured = report.get().unwrap_or_default();
        ensure(measured.target.starts_with("cpu:"), &measured)?;
        let said = measured.notes.join("\n");
        let is_said = said.contains("asked to refuse") && said.contains("goes on on `cpu:");
        ensure(is_said == (number == 0), (number, &said))?;
        ensure(is_said || said.is_empty(), said)?;
    }
    let plan = call
        .plan(&x)
        .map_err(|error| error.to_string())?
        .to_string();
    let is_told = plan.contains("not cuda:0: ") && plan.contains("asked to refuse");
    ensure(is_told, plan)
}

/// Kernels are compiled when first launched; what that takes for a target that was named counts for the next estimate.
fn compiling_is_told() -> Outcome {
    let kernel = |number: u32| {
        let text = format!("pub fn add(x: f32) -> f32 {{ x + {number}.0 }}");
        Module::from_source("add.ufk", &text)?.only()
    };
    let expected = |number| -> Result<f64, ufc::Error> {
        let plan = kernel(number)?.on(Target::CUDA).plan(&[1.0f32, 2.0])?;
        Ok(plan.estimate.compiling)
    };
    let assumed = expected(1)?;
    ensure(expected(2)? == assumed, "plans compile nothing")?;
    let add = kernel(3)?;
    add.on(Target::CUDA).call(&[1.0f32, 2.0])?;
    let measured = expected(4)?;
    ensure(measured > 0.0 && measured != assumed, measured)?;
    add.on(Target::CUDA).call(&[1.0f32, 2.0])?;
    ensure(expected(5)? == measured, "the second call compiled nothing")
}

/// The driver's compiler is a library of its own, and may be missing: that is no bug of ours, and `auto` goes elsewhere.
fn no_compiler() -> Outcome {
    match plain(&*saxpy(None)?, 10) {
        Err(BackendError::Unsupported(what)) => ensure(
            what.contains("compiling kernels") && what.contains("JIT compiler library not found"),
            what,
        ),
        other => Err(format!("{other:?}").into()),
    }
}

/// The library of the CUDA toolkit that programs are only linked with.
fn stub_library() -> Outcome {
    let reason = reason()?;
    ensure(reason.contains("cuInit: error 34"), reason)
}

/// A device that is lost between two parts of a copy.
fn lost_in_a_copy() -> Outcome {
    let bytes = vec![7; 20 << 20];
    let buffer = cuda()?.allocate("0", bytes.len())?;
    let sent = buffer.upload(0, &bytes);
    ensure(matches!(sent, Err(BackendError::DeviceLost { .. })), &sent)
}

/// The second launch finds the device lost; every later one is told so without asking, and it is no longer listed.
fn lost_in_a_launch() -> Outcome {
    let code = saxpy(None)?;
    plain(&*code, 40)?;
    for _ in 0..2 {
        match plain(&*code, 40) {
            Err(BackendError::DeviceLost { device, why }) => {
                ensure(
                    device == "cuda:0" && why.contains("CUDA_ERROR"),
                    (device, why),
                )?;
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    let reason = reason()?;
    ensure(reason.contains("can no longer be used"), reason)?;
    let lost = cuda()?.allocate("0", 10);
    ensure(matches!(lost, Err(BackendError::DeviceLost { .. })), &lost)
}

/// An error of one call only does not cost the device.
fn passing_error() -> Outcome {
    let code = saxpy(None)?;
    plain(&*code, 40)?;
    let failed = plain(&*code, 40);
    ensure(
        matches!(failed, Err(BackendError::LaunchFailed(_))),
        &failed,
    )?;
    plain(&*code, 40)?;
    ensure(cuda()?.devices().is_ok(), "the device is still there")
}

/// A code that nobody has listed is told by its number, and costs one call only.
fn unlisted_error() -> Outcome {
    let code = saxpy(None)?;
    plain(&*code, 40)?;
    match plain(&*code, 40) {
        Err(BackendError::LaunchFailed(text)) => {
            let wanted = "`cuda:0`: cuLaunchKernel: error 12345, of which the driver says no more";
            ensure(text == wanted, text)?;
        }
        other => return Err(format!("{other:?}").into()),
    }
    plain(&*code, 40)?;
    Ok(())
}

fn unlisted_first_error() -> Outcome {
    let reason = reason()?;
    ensure(reason.contains("cuInit: error 4321"), reason)
}

/// In a child made by `fork` the driver says that it was never started; the device is then as good as lost.
fn forked() -> Outcome {
    let code = saxpy(None)?;
    let calls: Vec<_> = (0..40).map(|_| plain(&*code, 40)).collect();
    let lost = calls.iter().position(Result::is_err).unwrap_or(0);
    ensure(lost > 0, "the first calls succeed")?;
    let is_lost = |call: &_| match call {
        Err(BackendError::DeviceLost { why, .. }) => why.contains("CUDA_ERROR_NOT_INITIALIZED"),
        _ => false,
    };
    ensure(calls[lost..].iter().all(is_lost), &calls[lost..])
}

fn two_gpus() -> Outcome {
    let devices = cuda()?.devices().map_err(|why| why.to_string())?;
    let names: Vec<&str> = devices.iter().map(|d| d.name.as_str()).collect();
    ensure(names == ["0", "1", "all"], &names)?;
    for (device, threads) in [("0", 1), ("1", 1), ("all", 2)] {
        let code = saxpy(Some(device))?;
        for n in [0, 1, 2, 3, 1000, 1001] {
            // What is done in one piece is done by one GPU.
            let report = plain(&*code, n)?;
            ensure(report.threads == 1, report)?;
        }
        let report = plain(&*code, 400_000)?;
        ensure(report.threads == threads && report.chunks > 1, report)?;
    }
    let missing = saxpy(Some("2"));
    ensure(
        missing.is_err_and(|what| what.contains("cuda:2")),
        "there is no third one",
    )
}

/// Three GPUs take pieces from one queue: every element is done once, whatever the shape.
#[expect(unsafe_code, reason = "launches take raw addresses")]
fn split_over_gpus() -> Outcome {
    let code = saxpy(Some("all"))?;
    for (rows, columns) in [(1, 5000), (3, 1000), (4000, 1), (7, 333), (2, 200)] {
        let mut a: Vec<f32> = (0..rows).map(|i| i as f32 - 1.5).collect();
        let mut x: Vec<f32> = (0..columns).map(|i| i as f32 * 0.25).collect();
        let mut y: Vec<f32> = (0..rows * columns).map(|i| (i % 89) as f32).collect();
        let wanted: Vec<f32> = (0..rows * columns)
            .map(|i| a[i / columns] * x[i % columns] + y[i])
            .collect();
        let operands: [*mut u8; 3] = [
            a.as_mut_ptr().cast(),
            x.as_mut_ptr().cast(),
            y.as_mut_ptr().cast(),
        ];
        let row = 4 * columns as isize;
        let args = LaunchArgs {
            shape: &[rows, columns],
            pointers: &[operands[0], operands[1], operands[2], operands[2]],
            strides: &[&[4, 0], &[0, 4], &[row, 4], &[row, 4]],
            indices: &[],
        };
        // SAFETY: the strides stay within the vectors.
        let report = unsafe { code.launch(&args, &LaunchControl::default())? };
        ensure(report.threads == report.chunks.min(3), report)?;
        ensure(report.downloaded == 4 * (rows * columns) as u64, report)?;
        ensure(y == wanted, (rows, columns))?;
    }
    Ok(())
}

/// If one GPU fails, the launch does, and the next one finds both as they were.
fn one_gpu_fails() -> Outcome {
    let code = saxpy(Some("all"))?;
    let failed = plain(&*code, 5000);
    ensure(
        matches!(&failed, Err(BackendError::LaunchFailed(text)) if text.contains("error 701")),
        &failed,
    )?;
    plain(&*code, 5000)?;
    Ok(())
}

/// Bytes are counted, values go with the launch, and an operand that serves many rows is sent once.
#[expect(unsafe_code, reason = "launches take raw addresses")]
fn counters() -> Outcome {
    let code = saxpy(None)?;
    let report = plain(&*code, 1000)?;
    ensure(report.uploaded == 8000 && report.downloaded == 4000, report)?;
    let (rows, columns) = (64, 30);
    let mut a: Vec<f32> = (0..rows).map(|i| i as f32).collect();
    let mut x: Vec<f32> = (0..columns).map(|i| i as f32 * 0.25).collect();
    let mut y = vec![0.5f32; rows * columns];
    let pointers = [
        a.as_mut_ptr().cast(),
        x.as_mut_ptr().cast(),
        y.as_mut_ptr().cast(),
    ];
    // The result takes the place of an input.
    let pointers = [pointers[0], pointers[1], pointers[2], pointers[2]];
    let row = 4 * columns as isize;
    let args = LaunchArgs {
        shape: &[rows, columns],
        pointers: &pointers,
        strides: &[&[4, 0], &[0, 4], &[row, 4], &[row, 4]],
        indices: &[],
    };
    let progress = AtomicU64::new(0);
    let control = LaunchControl {
        progress: Some(&progress),
        ..LaunchControl::default()
    };
    // SAFETY: the strides stay within the vectors.
    let report = unsafe { code.launch(&args, &control)? };
    let total = (rows * columns) as u64;
    ensure(
        report.uploaded == 4 * (rows as u64 + columns as u64 + total),
        report,
    )?;
    ensure(report.downloaded == 4 * total && report.chunks > 1, report)?;
    ensure(
        progress.into_inner() == total,
        "every element is counted once",
    )?;
    let is_right = |i: usize| y[i] == a[i / columns] * x[i % columns] + 0.5;
    ensure((0..rows * columns).all(is_right), &y)
}

fn cancelled() -> Outcome {
    let cancel = AtomicBool::new(true);
    let control = LaunchControl {
        cancel: Some(&cancel),
        ..LaunchControl::default()
    };
    let code = saxpy(None)?;
    let stopped = launch(&*code, 1000, &control);
    ensure(stopped == Err(BackendError::Cancelled), &stopped)?;
    cancel.store(false, Ordering::Relaxed);
    launch(&*code, 1000, &control)?;
    Ok(())
}

/// Operands that reach out of their buffers, or are on another device, are refused before anything runs.
fn stray_operands() -> Outcome {
    let (backend, code) = (cuda()?, saxpy(Some("0"))?);
    let run = |device: &str, bytes: usize, offset: usize, stride: isize| {
        let buffer = backend.allocate(device, bytes)?;
        let operand = DeviceOperand::Buffer { buffer, offset };
        let value = DeviceOperand::Value([0; 16]);
        let args = DeviceArgs {
            shape: &[10],
            operands: &[value, operand.clone(), operand.clone(), operand],
            strides: &[&[0], &[stride], &[stride], &[stride]],
            indices: &[],
        };
        code.launch_on_device(&args, &LaunchControl::default())
    };
    ensure(run("0", 40, 0, 4).is_ok(), "it fits")?;
    ensure(run("0", 40, 36, -4).is_ok(), "backwards it fits too")?;
    let strays = [
        ("0", 39, 0, 4),
        ("0", 40, 4, 4),
        ("0", 40, 32, -4),
        ("0", 40, 0, isize::MAX / 16),
        ("1", 40, 0, 4),
    ];
    for (device, bytes, offset, stride) in strays {
        let refused = run(device, bytes, offset, stride);
        ensure(
            matches!(refused, Err(BackendError::LaunchFailed(_))),
            &refused,
        )?;
    }
    backend.synchronize("0").map_err(Into::into)
}

fn target(name: &str) -> Result<Target, String> {
    name.parse().map_err(|error| format!("{error}"))
}

/// An array is on one GPU. A call on all of them runs where its arrays are, and is split if they are on the host.
fn arrays_on_two_gpus() -> Outcome {
    let text = "pub fn sum(x: f32, y: f32) -> f32 { x + y }";
    let sum = Module::from_source("sum.ufk", text)?.only()?;
    let n = 600_000;
    let numbers: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
    let wanted: Vec<f32> = numbers.iter().map(|x| x + x).collect();
    let host = Array::try_from_slice(&numbers)?;
    let all = sum.on(target("cuda:all")?);
    let split = all.call((&host, &host))?.into_vec::<f32>()?;
    ensure(split == wanted, "the call is split")?;
    let zero = host.to_device(&target("cuda:0")?)?;
    let one = host.to_device(&target("cuda:1")?)?;
    for (array, name) in [(&zero, "cuda:0"), (&one, "cuda:1")] {
        let there = all.call_on_device((array, &host))?;
        ensure(there.device() == name, &there)?;
        ensure(there.to_vec::<f32>()? == wanted, name)?;
        ensure(all.call((array, array))?.into_vec::<f32>()? == wanted, name)?;
        let plan = all.plan((array, &host))?.to_string();
        ensure(plan.contains(name), plan)?;
    }
    let mut outputs = [DeviceArray::zeros(DType::F32, &[n], &target("cuda:1")?)?];
    all.call_into_device((&one, &host), &mut outputs)?;
    ensure(outputs[0].to_vec::<f32>()? == wanted, "into an array there")?;
    let refused = [
        (
            all.call_on_device((&zero, &one)).err(),
            "operands on cuda:0 and cuda:1 in one call",
        ),
        (
            all.call_on_device((&host, &host)).err(),
            "an array is on one, such as `cuda:0`",
        ),
        (
            host.to_device(&target("cuda:all")?).err(),
            "memory of 2 GPUs: an array is in that of one",
        ),
    ];
    for (error, words) in refused {
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        ensure(text.contains(words) && text.contains("cuda:all"), text)?;
    }
    // Elsewhere they meet, and that is said.
    let met = sum.on(target("cuda:0")?).call_on_device((&zero, &one))?;
    ensure(met.to_vec::<f32>()? == wanted, "copied over the host")
}

/// Only elements come back from an array with steps, each of them once.
fn holes_stay_there() -> Outcome {
    let wanted: Vec<f64> = (0..600).map(f64::from).collect();
    let array = Array::try_from_slice(&wanted)?.reshape(&[20, 30])?;
    let there = array.to_device(&Target::CUDA)?;
    let fetched = |part: DeviceArray, bytes: u64| -> Result<Vec<f64>, ufc::Error> {
        let before = dispatch::transfers().downloaded;
        let host = part.to_host()?.into_vec();
        assert_eq!(dispatch::transfers().downloaded - before, bytes, "{part:?}");
        Ok(host?)
    };
    let pick = |f: fn(usize, usize) -> bool| -> Vec<f64> {
        let kept = (0..600).filter(|i| f(i / 30, i % 30));
        kept.map(|i| wanted[i]).collect()
    };
    let columns = there.clone().slice_axis(1, 3..28, 1)?;
    ensure(
        fetched(columns, 20 * 25 * 8)? == pick(|_, c| (3..28).contains(&c)),
        "columns",
    )?;
    let rows = there.clone().slice_axis(0, .., 2)?;
    ensure(
        fetched(rows, 10 * 30 * 8)? == pick(|r, _| r % 2 == 0),
        "rows",
    )?;
    let turned = there.clone().transpose();
    let back: Vec<f64> = (0..600).map(|i| wanted[i % 20 * 30 + i / 20]).collect();
    ensure(fetched(turned, 600 * 8)? == back, "transposed")?;
    let flipped: Vec<f64> = wanted.iter().rev().copied().collect();
    let both = there.clone().flip(0)?.flip(1)?;
    ensure(fetched(both, 600 * 8)? == flipped, "backwards")?;
    let row = there.slice_axis(0, 4..5, 1)?.broadcast_to(&[50, 30])?;
    let repeated: Vec<f64> = (0..1500).map(|i| wanted[120 + i % 30]).collect();
    ensure(fetched(row, 30 * 8)? == repeated, "repeated")
}
