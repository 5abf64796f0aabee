//! Launches on memory of the device, and that memory.

use super::{bytes_of, compare, compile, devices, meaning, random_columns, values_of};
use crate::WgpuBackend;
use std::sync::Arc;
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::Rng;
use ufc_ir::{Const, DType, Func};
use ufc_target::{
    Backend, BackendError, Buffer, DeviceArgs, DeviceOperand, Executable, LaunchControl,
};

fn difference(dtype: DType) -> Func {
    let mut func = Func::new(&format!("difference of {dtype}"));
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let result = b.op(Op::Sub, &[x, y]);
    b.finish(vec![result]);
    func
}

fn uploaded(device: &str, bytes: &[u8]) -> Arc<dyn Buffer> {
    let buffer = WgpuBackend.allocate(device, bytes.len()).expect("memory");
    buffer.upload(0, bytes).expect("it fits");
    buffer
}

fn at(buffer: &Arc<dyn Buffer>, offset: usize) -> DeviceOperand {
    DeviceOperand::Buffer {
        buffer: Arc::clone(buffer),
        offset,
    }
}

fn run(
    executable: &dyn Executable,
    shape: &[usize],
    operands: &[DeviceOperand],
    strides: &[&[isize]],
) -> Result<(), BackendError> {
    let args = DeviceArgs {
        shape,
        operands,
        strides,
        indices: &[],
    };
    let report = executable.launch_on_device(&args, &LaunchControl::default())?;
    assert_eq!((report.uploaded, report.downloaded), (0, 0));
    Ok(())
}

#[test]
fn bytes_come_back_from_any_place() {
    for device in devices() {
        let mut expected: Vec<u8> = (0..1003).map(|i| (i * 7) as u8).collect();
        let buffer = uploaded(&device, &expected);
        assert_eq!((buffer.size(), buffer.device()), (1003, device.as_str()));
        for (offset, len) in [(0, 1), (5, 3), (1000, 3), (17, 500), (3, 0), (4, 8)] {
            let new: Vec<u8> = (0..len).map(|i| (i * 31 + offset) as u8).collect();
            buffer.upload(offset, &new).expect("it fits");
            expected[offset..offset + len].copy_from_slice(&new);
            let mut found = vec![0; len];
            buffer.download(offset, &mut found).expect("it is there");
            assert_eq!(found, new);
        }
        let mut found = vec![0; 1003];
        buffer.download(0, &mut found).expect("it is there");
        assert_eq!(found, expected);
        assert!(buffer.upload(1000, &[0; 4]).is_err());
        assert!(buffer.download(1004, &mut []).is_err());
    }
}

/// Results at odd places: what lies beside them stays as it is.
#[test]
fn results_are_written_where_they_belong_and_nowhere_else() {
    for dtype in [DType::U8, DType::I16, DType::F16, DType::F32, DType::I64] {
        let func = difference(dtype);
        let size = dtype.size();
        for device in devices() {
            let executable = compile(&func, &device);
            for (n, first, step) in [(1, 0, 1), (7, 1, 1), (64, 3, 1), (33, 2, 2), (9, 40, -3)] {
                let columns = random_columns(&mut Rng::new(n as u64), &func, n);
                let x = uploaded(&device, &bytes_of(&columns[0]));
                let y = uploaded(&device, &bytes_of(&columns[1]));
                let out = uploaded(&device, &vec![0xa5; 100 * size]);
                let s = size as isize;
                let operands = [at(&x, 0), at(&y, 0), at(&out, first * size)];
                run(&*executable, &[n], &operands, &[&[s], &[s], &[s * step]]).expect("it runs");
                let mut found = vec![0; 100 * size];
                out.download(0, &mut found).expect("it is there");
                let values = values_of(&found, dtype);
                let places: Vec<usize> = (0..n as isize)
                    .map(|i| (first as isize + i * step) as usize)
                    .collect();
                let own: Vec<Const> = places.iter().map(|p| values[*p]).collect();
                compare(&device, &columns, &meaning(&func, &columns, n), &[own]);
                for (i, element) in found.chunks(size).enumerate() {
                    let is_beside = !places.contains(&i);
                    assert!(
                        !is_beside || element.iter().all(|b| *b == 0xa5),
                        "{dtype} {i}"
                    );
                }
            }
        }
    }
}

#[test]
fn inputs_may_be_values_broadcast_or_the_result_itself() {
    let func = difference(DType::I32);
    for device in devices() {
        let executable = compile(&func, &device);
        let columns = random_columns(&mut Rng::new(5), &func, 12);
        let x = uploaded(&device, &bytes_of(&columns[0]));
        let mut value = [0; 16];
        value[..4].copy_from_slice(&columns[1][0].to_le_bytes()[..4]);
        let operands = [at(&x, 0), DeviceOperand::Value(value), at(&x, 0)];
        run(&*executable, &[12], &operands, &[&[4], &[0], &[4]]).expect("it runs");
        let mut found = vec![0; 48];
        x.download(0, &mut found).expect("it is there");
        let inputs = [columns[0].clone(), vec![columns[1][0]; 12]];
        let expected = meaning(&func, &inputs, 12);
        compare(
            &device,
            &inputs,
            &expected,
            &[values_of(&found, DType::I32)],
        );
        // Rows of three, the second input the same for each row.
        let y = uploaded(&device, &bytes_of(&columns[1]));
        let out = WgpuBackend.allocate(&device, 48).expect("memory");
        let operands = [at(&x, 0), at(&y, 4), at(&out, 0)];
        let strides: [&[isize]; 3] = [&[12, 4], &[0, 4], &[12, 4]];
        run(&*executable, &[4, 3], &operands, &strides).expect("it runs");
        let row = &columns[1][1..4];
        let inputs = [
            expected[0].clone(),
            row.iter().copied().cycle().take(12).collect(),
        ];
        let mut found = vec![0; 48];
        out.download(0, &mut found).expect("it is there");
        let expected = meaning(&func, &inputs, 12);
        compare(
            &device,
            &inputs,
            &expected,
            &[values_of(&found, DType::I32)],
        );
        WgpuBackend
            .synchronize(&device)
            .expect("nothing went wrong");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let func = difference(DType::I32);
    for device in devices() {
        let executable = compile(&func, &device);
        let small = uploaded(&device, &[0; 40]);
        let out = uploaded(&device, &[0; 44]);
        let go = |n, offset, step| {
            let operands = [at(&small, offset), at(&small, 0), at(&out, 0)];
            run(&*executable, &[n], &operands, &[&[step], &[4], &[4]])
        };
        assert!(go(10, 0, 4).is_ok());
        assert!(matches!(go(11, 0, 4), Err(BackendError::LaunchFailed(_))));
        assert!(matches!(go(2, 0, -4), Err(BackendError::LaunchFailed(_))));
        assert!(matches!(go(2, 2, 4), Err(BackendError::Unsupported(_))));
    }
}
