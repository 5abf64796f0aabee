//! What devices allow: sizes of bindings and where they begin, how many there are, and grids. Where tests lower a limit, wgpu
//! refuses what goes beyond it, as it does on a device that has no more.

use super::launches::sum;
use super::{
    bytes_of, compare, compile, devices, launch, legal, meaning, random_columns, values_of,
};
use crate::device::{self, Gpu, Limits};
use crate::launch::WgpuLoop;
use crate::memory::DeviceBuffer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::Rng;
use ufc_ir::{DType, Func};
use ufc_target::{
    Backend, BackendError, Buffer, DeviceArgs, DeviceOperand, Executable, LaunchArgs,
    LaunchControl, LaunchReport,
};

pub(super) fn lowered(device: &str, change: impl FnOnce(&mut Limits)) -> Arc<Gpu> {
    let found = device::adapter(Some(device)).expect("listed");
    found.with_limits(change)
}

pub(super) fn compiled(gpu: &Arc<Gpu>, func: &Func) -> WgpuLoop {
    let element = crate::lower::lower(&legal(func), &gpu.caps).expect("it lowers");
    WgpuLoop::new(Arc::clone(gpu), element, None).expect("it compiles")
}

pub(super) fn with_limits(func: &Func, device: &str, change: impl FnOnce(&mut Limits)) -> WgpuLoop {
    compiled(&lowered(device, change), func)
}

#[test]
fn calls_are_cut_into_parts_that_fit() {
    type Change = (&'static str, fn(&mut Limits));
    let changes: [Change; 4] = [
        ("bindings of 1 KiB", |l| l.binding = 1024),
        ("parts of 4 KiB", |l| l.part = 4096),
        ("a grid of 3 by 3", |l| l.workgroups = 3),
        ("two bindings", |l| l.bindings = 2),
    ];
    for device in devices() {
        for (what, change) in changes {
            for (dtype, other) in [(DType::I32, DType::U8), (DType::U8, DType::I16)] {
                let func = sum(dtype, other, Some(None));
                let executable = with_limits(&func, &device, change);
                let n = 5003;
                let columns = random_columns(&mut Rng::new(7), &func, n);
                let done = AtomicU64::new(0);
                let control = LaunchControl {
                    progress: Some(&done),
                    ..LaunchControl::default()
                };
                let found = launch(&executable, &func, &columns, n, &control);
                let (found, report) = found.unwrap_or_else(|e| panic!("{what}: {e}"));
                compare(what, &columns, &meaning(&func, &columns, n), &found);
                assert_eq!(done.load(Ordering::Relaxed), n as u64);
                assert!(
                    report.chunks > 1 || what == "two bindings",
                    "{what}: {report:?}"
                );
                assert!(report.uploaded >= (n * (dtype.size() + other.size())) as u64);
            }
        }
    }
}

#[test]
fn grids_of_two_dims_reach_every_element() {
    let func = sum(DType::I32, DType::I8, None);
    for device in devices() {
        let executable = with_limits(&func, &device, |l| l.workgroups = 10);
        // 94 workgroups in rows of 10: one dispatch.
        let n = 6001;
        let columns = random_columns(&mut Rng::new(11), &func, n);
        let found = launch(&executable, &func, &columns, n, &LaunchControl::default());
        let (found, report) = found.expect("it runs");
        assert_eq!(report.chunks, 1);
        compare(&device, &columns, &meaning(&func, &columns, n), &found);
    }
}

/// As many operands as WebGPU promises bindings for, and two more: they share one.
#[test]
fn more_operands_than_bindings() {
    let mut func = Func::new("many");
    let mut b = Builder::new(&mut func);
    let params: Vec<_> = (0..8)
        .map(|i| b.param(&format!("p{i}"), DType::I32))
        .collect();
    let mut all = params[0];
    for param in &params[1..] {
        let doubled = b.op(Op::Add, &[all, all]);
        all = b.op(Op::Xor, &[doubled, *param]);
    }
    b.finish(vec![all, params[3]]);
    let n = 1001;
    let columns = random_columns(&mut Rng::new(9), &func, n);
    for device in devices() {
        let executable = with_limits(&func, &device, |l| {
            (l.bindings, l.alignment, l.binding) = (8, 256, 128 << 20);
        });
        let found = launch(&executable, &func, &columns, n, &LaunchControl::default());
        let (found, _) = found.expect("it runs");
        compare(&device, &columns, &meaning(&func, &columns, n), &found);
    }
}

/// A launch on device memory of a sum of two columns, the second of which begins at its second element.
fn resident(gpu: &Arc<Gpu>, n: usize) -> Result<LaunchReport, BackendError> {
    let func = sum(DType::I32, DType::I16, None);
    let code = compiled(gpu, &func);
    let mut columns = random_columns(&mut Rng::new(21), &func, n + 1);
    let buffer = |bytes: &[u8]| {
        let buffer = DeviceBuffer::new(gpu, bytes.len()).expect("memory");
        buffer.upload(0, bytes).expect("it fits");
        Arc::new(buffer)
    };
    let inputs = [
        buffer(&bytes_of(&columns[0])),
        buffer(&bytes_of(&columns[1])),
    ];
    let outputs = [buffer(&vec![0xa5; 4 * n]), buffer(&vec![0xa5; 4 * n])];
    let at = |buffer: &Arc<DeviceBuffer>, offset| DeviceOperand::Buffer {
        buffer: Arc::clone(buffer) as Arc<dyn Buffer>,
        offset,
    };
    let args = DeviceArgs {
        shape: &[n],
        operands: &[
            at(&inputs[0], 0),
            at(&inputs[1], 2),
            at(&outputs[0], 0),
            at(&outputs[1], 0),
        ],
        strides: &[&[4], &[2], &[4], &[4]],
        indices: &[],
    };
    let report = code.launch_on_device(&args, &LaunchControl::default())?;
    columns[0].pop();
    columns[1].remove(0);
    let found = outputs.map(|output| {
        let mut bytes = vec![0; 4 * n];
        output.download(0, &mut bytes).expect("it is there");
        values_of(&bytes, DType::I32)
    });
    compare(&gpu.name, &columns, &meaning(&func, &columns, n), &found);
    Ok(report)
}

#[test]
fn launches_on_device_memory_are_cut_into_parts_that_fit() {
    type Change = (&'static str, fn(&mut Limits));
    let changes: [Change; 3] = [
        ("bindings of 1 KiB", |l| l.binding = 1024),
        ("that begin at every 256th byte", |l| {
            (l.binding, l.alignment) = (1024, 256);
        }),
        ("a grid of 3 by 3", |l| l.workgroups = 3),
    ];
    for device in devices() {
        for (what, change) in changes {
            let found = resident(&lowered(&device, change), 3001);
            let report = found.unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(report.chunks > 1, "{what}: {report:?}");
        }
        let report = resident(&lowered(&device, |_| ()), 3001).expect("it fits");
        assert_eq!(report.chunks, 1);
    }
}

#[test]
fn more_arrays_on_a_device_than_bindings_are_an_error() {
    for device in devices() {
        let error = resident(&lowered(&device, |l| l.bindings = 3), 10).expect_err("there are 4");
        let text = error.to_string();
        assert!(
            text.contains("4 arrays") && text.contains(&device) && text.contains("binds 3"),
            "{text}"
        );
    }
}

/// A value with each bit changed.
fn complement(dtype: DType) -> Func {
    let mut func = Func::new(&format!("complement of {dtype}"));
    let mut b = Builder::new(&mut func);
    let x = b.param("x", dtype);
    let result = b.op(Op::Not, &[x]);
    b.finish(vec![result]);
    func
}

/// The device's own limit of workgroups along a dimension, 65,535 of 64 invocations of 4 bytes each, is passed.
#[test]
#[expect(unsafe_code, reason = "the code under test takes raw addresses")]
fn calls_larger_than_a_row_of_workgroups() {
    let func = complement(DType::U8);
    let n: usize = 4 * 64 * 65_536 + 5;
    let mut rng = Rng::new(4);
    let mut input: Vec<u8> = (0..n.div_ceil(8))
        .flat_map(|_| rng.bits().to_le_bytes())
        .collect();
    for device in devices() {
        let executable = compile(&func, &device);
        let mut output = vec![0xa5u8; n];
        let args = LaunchArgs {
            shape: &[n],
            pointers: &[input.as_mut_ptr(), output.as_mut_ptr()],
            strides: &[&[1], &[1]],
            indices: &[],
        };
        // SAFETY: both operands have `n` bytes.
        let report = unsafe { executable.launch(&args, &LaunchControl::default()) };
        assert_eq!(report.expect("it runs").chunks, 1, "it is one dispatch");
        let is_right = input.iter().zip(&output).all(|(x, y)| !x == *y);
        assert!(is_right, "{device}");
    }
}

/// The device's own limit of a binding's size is passed.
#[test]
fn arrays_on_a_device_larger_than_a_binding() {
    let func = complement(DType::U32);
    for device in devices() {
        let gpu = device::adapter(Some(&device)).and_then(|found| found.gpu());
        let n = (gpu.expect("it opens").limits.binding as usize / 4) + 3;
        if n > 1 << 26 {
            continue;
        }
        let mut rng = Rng::new(6);
        let bytes = (0..n.div_ceil(2)).flat_map(|_| rng.bits().to_le_bytes());
        let mut input: Vec<u8> = bytes.collect();
        input.truncate(4 * n);
        let allocate = || super::WgpuBackend.allocate(&device, 4 * n).expect("memory");
        let (x, out) = (allocate(), allocate());
        x.upload(0, &input).expect("it fits");
        let at = |buffer: &Arc<dyn Buffer>| DeviceOperand::Buffer {
            buffer: Arc::clone(buffer),
            offset: 0,
        };
        let args = DeviceArgs {
            shape: &[n],
            operands: &[at(&x), at(&out)],
            strides: &[&[4], &[4]],
            indices: &[],
        };
        let executable = compile(&func, &device);
        let report = executable.launch_on_device(&args, &LaunchControl::default());
        assert!(report.expect("it runs").chunks > 1);
        let mut found = vec![0; 4 * n];
        out.download(0, &mut found).expect("it is there");
        assert!(input.iter().zip(&found).all(|(x, y)| !x == *y), "{device}");
    }
}
