//! Tests on the software devices that are here, against the interpreter.
//!
//! A machine without any skips them, unless `UFC_TEST_WGPU=required` is set, as `scripts/test` does.

mod faults;
mod golden;
mod launches;
mod limits;
mod ops;
mod random;
mod resident;
mod sizes;

use crate::WgpuBackend;
use crate::legal::WgpuLegality;
use std::sync::Arc;
use ufc_ir::testing::{Rng, random_const};
use ufc_ir::{Const, DType, Func, interp};
use ufc_math::legalize::{expand_math, legalize};
use ufc_target::{
    Backend, CompileOptions, DeviceKind, Executable, LaunchArgs, LaunchControl, LaunchReport, Legal,
};

/// The names of the software devices.
fn devices() -> Vec<String> {
    let found = WgpuBackend.devices().unwrap_or_default();
    let software = found.into_iter().filter(|d| d.kind == DeviceKind::Software);
    let names: Vec<String> = software.map(|d| d.name).collect();
    let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
    assert!(
        !required || names.len() >= 2,
        "software devices for Vulkan and GL are required, and there are: {names:?}"
    );
    names
}

fn legal(func: &Func) -> Legal {
    legalize(func.clone(), &WgpuLegality).expect("everything is native or expanded")
}

fn compile(func: &Func, device: &str) -> Arc<dyn Executable> {
    let options = CompileOptions {
        device: Some(device.to_string()),
        ..CompileOptions::default()
    };
    WgpuBackend
        .compile(&legal(func), &options)
        .unwrap_or_else(|error| panic!("`{}` on {device}: {error}", func.name))
}

/// Whether a device has what a function computes with.
fn has_dtypes(func: &Func, device: &str) -> bool {
    let gpu = crate::device::adapter(Some(device)).and_then(|found| found.gpu());
    crate::check_dtypes(func, &gpu.expect("the device opens")).is_ok()
}

/// Columns of random values.
fn random_columns(rng: &mut Rng, func: &Func, n: usize) -> Vec<Vec<Const>> {
    let dtypes = func.param_dtypes().into_iter();
    dtypes
        .map(|d| (0..n).map(|_| random_const(rng, d)).collect())
        .collect()
}

/// What the interpreter gives.
fn meaning(func: &Func, columns: &[Vec<Const>], n: usize) -> Vec<Vec<Const>> {
    let core = expand_math(func.clone()).expect("every function has an expansion");
    let position = |axis: Option<u8>, lane: usize| match axis {
        None => lane as i64,
        Some(axis) => lane as i64 * 3 - i64::from(axis),
    };
    let mut results = vec![Vec::new(); func.results.len()];
    for i in 0..n {
        let element: Vec<Vec<Const>> = columns.iter().map(|c| vec![c[i]]).collect();
        let found = interp::run(&core, 1, &element, &|axis, _| position(axis, i), None);
        for (all, one) in results.iter_mut().zip(found.expect("the function runs")) {
            all.push(one[0]);
        }
    }
    results
}

/// A column as packed bytes.
fn bytes_of(column: &[Const]) -> Vec<u8> {
    let bytes = column
        .iter()
        .map(|c| c.to_le_bytes()[..c.dtype().size()].to_vec());
    bytes.flatten().collect()
}

fn values_of(bytes: &[u8], dtype: DType) -> Vec<Const> {
    let elements = bytes.chunks_exact(dtype.size());
    elements.map(|b| Const::from_le_bytes(dtype, b)).collect()
}

/// Launches over packed operands; an input of one value is broadcast. Outputs are poisoned, and so is what is beside them.
#[expect(unsafe_code, reason = "the code under test takes raw addresses")]
fn launch(
    executable: &dyn Executable,
    func: &Func,
    columns: &[Vec<Const>],
    n: usize,
    control: &LaunchControl<'_>,
) -> Result<(Vec<Vec<Const>>, LaunchReport), ufc_target::BackendError> {
    const BESIDE: usize = 16;
    let mut inputs: Vec<Vec<u8>> = columns.iter().map(|c| bytes_of(c)).collect();
    let sizes = func.results.iter().map(|d| n * d.size() + 2 * BESIDE);
    let mut outputs: Vec<Vec<u8>> = sizes.map(|size| vec![0xa5; size]).collect();
    let mut pointers: Vec<*mut u8> = inputs.iter_mut().map(|b| b.as_mut_ptr()).collect();
    pointers.extend(outputs.iter_mut().map(|b| b[BESIDE..].as_mut_ptr()));
    let params = func.param_dtypes();
    let mut strides: Vec<[isize; 1]> = columns
        .iter()
        .zip(&params)
        .map(|(column, d)| {
            [if column.len() == 1 {
                0
            } else {
                d.size() as isize
            }]
        })
        .collect();
    strides.extend(func.results.iter().map(|d| [d.size() as isize]));
    let strides: Vec<&[isize]> = strides.iter().map(|s| s.as_slice()).collect();
    let steps = [[1], [3]];
    let positions = ufc_target::launch::positions(func);
    let indices: Vec<(i64, &[i64])> = positions
        .iter()
        .map(|axis| match axis {
            None => (0, steps[0].as_slice()),
            Some(axis) => (-i64::from(*axis), steps[1].as_slice()),
        })
        .collect();
    let args = LaunchArgs {
        shape: &[n],
        pointers: &pointers,
        strides: &strides,
        indices: &indices,
    };
    // SAFETY: every operand has memory for `n` elements at its stride.
    let report = unsafe { executable.launch(&args, control)? };
    let mut found = Vec::new();
    for (output, dtype) in outputs.iter().zip(&func.results) {
        let (before, rest) = output.split_at(BESIDE);
        let (own, after) = rest.split_at(n * dtype.size());
        assert!(
            before.iter().chain(after).all(|b| *b == 0xa5),
            "written beside"
        );
        found.push(values_of(own, *dtype));
    }
    Ok((found, report))
}

/// Fails at the first element whose results are not the interpreter's.
fn compare(what: &str, inputs: &[Vec<Const>], expected: &[Vec<Const>], found: &[Vec<Const>]) {
    for (expected, found) in expected.iter().zip(found) {
        for (i, (e, f)) in expected.iter().zip(found).enumerate() {
            let inputs: Vec<Const> = inputs.iter().map(|c| *c.get(i).unwrap_or(&c[0])).collect();
            assert!(
                e.same(*f),
                "{what}, element {i}: {f:?} ({:#x}), not {e:?} ({:#x}), for {inputs:?}",
                f.bits(),
                e.bits()
            );
        }
    }
}

/// Runs a function on `n` random elements on every device that has its dtypes.
fn check(func: &Func, n: usize, seed: u64) {
    check_on(func, &random_columns(&mut Rng::new(seed), func, n), n);
}

/// Runs a function on these elements on every device that has its dtypes.
fn check_on(func: &Func, columns: &[Vec<Const>], n: usize) {
    let expected = meaning(func, columns, n);
    for device in devices() {
        if !has_dtypes(func, &device) {
            continue;
        }
        let what = format!("`{}` on {device}", func.name);
        let executable = compile(func, &device);
        let found = launch(&*executable, func, columns, n, &LaunchControl::default());
        let (found, _) = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        compare(&what, columns, &expected, &found);
    }
}
