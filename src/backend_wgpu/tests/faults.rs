//! Devices that are lost, memory that there is none of, and what a driver has to complain about.

use super::{compare, devices, launch, meaning, random_columns};
use crate::device::{self, Gpu, Limits};
use crate::launch::WgpuLoop;
use crate::memory::DeviceBuffer;
use crate::pipeline;
use std::sync::Arc;
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::Rng;
use ufc_ir::{DType, Func};
use ufc_target::{BackendError, Buffer, LaunchControl};

fn sum() -> Func {
    let mut func = Func::new("sum");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", DType::F32), b.param("y", DType::F32));
    let result = b.op(Op::Add, &[x, y]);
    b.finish(vec![result]);
    func
}

/// A device of its own, so that nothing happens to that of other tests.
fn opened(device: &str, change: impl FnOnce(&mut Limits)) -> Arc<Gpu> {
    let found = device::adapter(Some(device)).expect("it is listed");
    found.with_limits(change)
}

fn compiled(gpu: &Arc<Gpu>, func: &Func) -> Result<WgpuLoop, BackendError> {
    let element = crate::lower::lower(&super::legal(func), &gpu.caps)?;
    WgpuLoop::new(Arc::clone(gpu), element, None)
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(found: Result<T, BackendError>, name: &str) {
    match found {
        Err(BackendError::DeviceLost { device, .. }) => assert_eq!(device, format!("wgpu:{name}")),
        other => panic!("{other:?}"),
    }
}

/// Everything that is asked of a lost device is an error that says so.
#[test]
fn lost_devices_are_errors() {
    let func = sum();
    for name in devices() {
        let gpu = opened(&name, |_| ());
        let code = compiled(&gpu, &func).expect("it compiles");
        let buffer = DeviceBuffer::new(&gpu, 64).expect("memory");
        buffer.upload(0, &[1; 64]).expect("it fits");
        let columns = random_columns(&mut Rng::new(1), &func, 100);
        let run = || launch(&code, &func, &columns, 100, &LaunchControl::default());
        run().expect("it is not lost yet");
        gpu.device.destroy();
        assert_lost(run(), &name);
        assert_lost(run(), &name);
        assert!(gpu.lost().is_some());
        assert_lost(compiled(&gpu, &func), &name);
        assert_lost(DeviceBuffer::new(&gpu, 64), &name);
        assert_lost(buffer.upload(0, &[2; 64]), &name);
        assert_lost(buffer.download(0, &mut [0; 64]), &name);
        assert_lost(gpu.wait(None), &name);
    }
}

/// A device that was lost is not listed any more, and the others are.
#[test]
fn lost_devices_are_left_out() {
    for name in devices() {
        let found = device::find();
        let one = found.iter().find(|f| f.device.name == name);
        let one = one.expect("it is there each time");
        assert!(!one.is_lost());
        let gpu = one.gpu().expect("it opens");
        assert!(!one.is_lost());
        gpu.device.destroy();
        assert!(gpu.wait(None).is_err());
        assert!(one.is_lost());
        let others = found.iter().filter(|f| f.device.name != name);
        assert!(others.into_iter().all(|f| !f.is_lost()));
    }
}

/// Where there is no memory for a part, smaller ones are tried, and then it is an error with the number of bytes.
#[test]
fn parts_are_halved_until_there_is_memory_for_them() {
    let func = sum();
    let n = 5000;
    let columns = random_columns(&mut Rng::new(2), &func, n);
    for name in devices() {
        let gpu = opened(&name, |l| l.buffer = 4096);
        let code = compiled(&gpu, &func).expect("it compiles");
        let found = launch(&code, &func, &columns, n, &LaunchControl::default());
        let (found, report) = found.expect("parts of 4 KiB fit");
        assert!(report.chunks >= 5, "{report:?}");
        compare(&name, &columns, &meaning(&func, &columns, n), &found);
        let error = DeviceBuffer::new(&gpu, 5000).expect_err("it is larger");
        assert!(
            matches!(&error, BackendError::OutOfMemory { device, bytes }
                if *device == format!("wgpu:{name}") && *bytes >= 5000),
            "{error:?}"
        );
        let gpu = opened(&name, |l| l.buffer = 128);
        let code = compiled(&gpu, &func).expect("it compiles");
        let found = launch(&code, &func, &columns, n, &LaunchControl::default());
        let found = found.expect_err("nothing fits");
        assert!(
            matches!(found, BackendError::OutOfMemory { .. }),
            "{found:?}"
        );
    }
}

/// Set in the process that may have little memory.
#[cfg(target_os = "linux")]
const LITTLE_MEMORY: &str = "UFC_TEST_LITTLE_MEMORY";

/// The driver's own answer where there is no memory: the test runs itself again, in a process that may have little.
#[cfg(target_os = "linux")]
#[test]
fn drivers_without_memory_are_errors() {
    if std::env::var_os(LITTLE_MEMORY).is_some() {
        return ask_for_too_much();
    }
    if devices().is_empty() {
        return;
    }
    let binary = std::env::current_exe().expect("it runs");
    let name = "tests::faults::drivers_without_memory_are_errors";
    let done = std::process::Command::new("prlimit")
        .arg("--as=4000000000")
        .arg(binary)
        .args(["--exact", name])
        .env(LITTLE_MEMORY, "1")
        .output()
        .expect("prlimit is part of every Linux");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

#[cfg(target_os = "linux")]
fn ask_for_too_much() {
    let func = sum();
    let columns = random_columns(&mut Rng::new(3), &func, 100);
    for name in devices() {
        let gpu = opened(&name, |_| ());
        let code = compiled(&gpu, &func).expect("it compiles");
        let run = || launch(&code, &func, &columns, 100, &LaunchControl::default());
        run().expect("there is enough memory for this");
        let mut held = Vec::new();
        let error = loop {
            assert!(
                held.len() < 64,
                "{name}: that is more than the process may have"
            );
            match DeviceBuffer::new(&gpu, 1 << 30) {
                Ok(buffer) => held.push(buffer),
                Err(error) => break error,
            }
        };
        let (device, bytes) = (format!("wgpu:{name}"), 1 << 30);
        assert_eq!(error, BackendError::OutOfMemory { device, bytes });
        drop(held);
        let (found, _) = run().expect("the device is not lost");
        compare(&name, &columns, &meaning(&func, &columns, 100), &found);
    }
}

/// What wgpu finds wrong, in a scope of ours or out of it, does not panic.
#[test]
fn complaints_are_errors() {
    let wrong = wgpu::BufferDescriptor {
        label: None,
        size: 64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    };
    for name in devices() {
        let gpu = opened(&name, |_| ());
        let found = gpu.checked(0, || gpu.device.create_buffer(&wrong));
        assert!(
            matches!(found, Err(BackendError::CompileFailed(_))),
            "{found:?}"
        );
        assert!(gpu.lost().is_none(), "the next call works");
        DeviceBuffer::new(&gpu, 64).expect("the next call works");
        let found = pipeline::build(&gpu, "fn main( {", 1, None);
        assert!(
            matches!(found, Err(BackendError::CompileFailed(_))),
            "{found:?}"
        );
        let _ = gpu.device.create_buffer(&wrong);
        assert_lost(DeviceBuffer::new(&gpu, 64), &name);
    }
}
