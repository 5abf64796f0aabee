//! Launches on host memory: parts, strides, broadcast inputs, loops that do not end, cancelling.

use super::limits::{compiled, lowered, with_limits};
use super::{check, compare, compile, devices, launch, meaning, random_columns};
use std::sync::atomic::AtomicBool;
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::Rng;
use ufc_ir::{Const, DType, Func};
use ufc_target::{BackendError, Executable, LaunchArgs, LaunchControl};

/// A sum of two columns, the second converted; with a position if one is asked for.
pub(super) fn sum(dtype: DType, other: DType, index: Option<Option<u8>>) -> Func {
    let mut func = Func::new(&format!("sum of {dtype} and {other}"));
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", other));
    let y = b.convert(y, dtype);
    let mut sum = b.op(Op::Add, &[x, y]);
    if let Some(axis) = index {
        let position = b.index(axis);
        let position = b.convert(position, dtype);
        sum = b.op(Op::Add, &[sum, position]);
    }
    b.finish(vec![sum, y]);
    func
}

/// A kernel that counts to its argument: `loop { i = i + 1; if i >= n { break } }`.
fn counting() -> Func {
    let mut func = Func::new("counting");
    let mut b = Builder::new(&mut func);
    let n = b.param("n", DType::U32);
    let zero = b.constant(Const::int(DType::U32, 0));
    let one = b.constant(Const::int(DType::U32, 1));
    let results = b.loop_(&[zero], &[DType::U32], |b, params| {
        let next = b.op(Op::Add, &[params[0], one]);
        let goes_on = b.op(Op::Lt, &[next, n]);
        (goes_on, vec![next], vec![next])
    });
    b.finish(vec![results[0]]);
    func
}

#[test]
fn every_length_of_packed_results_keeps_to_itself() {
    for dtype in [DType::U8, DType::I16, DType::F16, DType::Bool] {
        let mut func = Func::new(&format!("copy of {dtype}"));
        let mut b = Builder::new(&mut func);
        let (x, y) = (b.param("x", dtype), b.param("y", DType::F32));
        b.finish(vec![x, y]);
        for n in (0..12).chain([63, 64, 65, 255, 257]) {
            check(&func, n, n as u64);
        }
    }
}

#[test]
fn one_value_for_all_is_not_uploaded() {
    let func = sum(DType::F32, DType::I64, None);
    for device in devices() {
        let executable = compile(&func, &device);
        let n = 1000;
        let mut columns = random_columns(&mut Rng::new(3), &func, n);
        columns[1].truncate(1);
        let found = launch(&*executable, &func, &columns, n, &LaunchControl::default());
        let (found, report) = found.expect("it runs");
        assert_eq!(report.uploaded, 4 * n as u64);
        let whole = [columns[0].clone(), vec![columns[1][0]; n]];
        compare(&device, &whole, &meaning(&func, &whole, n), &found);
    }
}

/// Launches alike have one shader and the same buffers; another layout of operands has a shader of its own.
#[test]
fn shaders_and_buffers_are_reused() {
    let func = sum(DType::F32, DType::I32, None);
    let n = 3000;
    let columns = random_columns(&mut Rng::new(8), &func, n);
    for device in devices() {
        // A device of its own, which no other test has buffers of.
        let gpu = lowered(&device, |_| ());
        let code = compiled(&gpu, &func);
        let run = |columns: &[Vec<Const>]| {
            let found = launch(&code, &func, columns, n, &LaunchControl::default());
            found.expect("it runs");
            (code.shaders(), gpu.pool.kept())
        };
        let (shaders, buffers) = run(&columns);
        assert!(shaders == 1 && buffers >= 4, "{shaders}, {buffers}");
        for _ in 0..3 {
            assert_eq!(run(&columns), (shaders, buffers));
        }
        let one_for_all = [columns[0].clone(), vec![columns[1][0]]];
        assert_eq!(run(&one_for_all), (2, buffers));
    }
}

/// Three dims: one input broadcast along the middle one, the other backwards and unaligned, results apart.
#[test]
#[expect(unsafe_code, reason = "the code under test takes raw addresses")]
fn strides_of_any_kind() {
    let func = sum(DType::I32, DType::I16, Some(Some(1)));
    let shape = [3usize, 5, 7];
    for device in devices() {
        for part in [64 << 20, 256] {
            let executable = with_limits(&func, &device, |l| l.part = part);
            let mut rng = Rng::new(99);
            let mut x: Vec<u8> = (0..4 * 21).map(|_| rng.bits() as u8).collect();
            let mut y: Vec<u8> = (0..3 * 105 + 1).map(|_| rng.bits() as u8).collect();
            let mut out = vec![0xa5u8; 6 * 105];
            let mut second = vec![0xa5u8; 4 * 105];
            let strides: [&[isize]; 4] =
                [&[28, 0, 4], &[-105, -21, -3], &[210, 42, 6], &[4, 12, 60]];
            // SAFETY: the last element of `y` is its first along every dim, in bounds.
            let last = unsafe { y.as_mut_ptr().add(1 + 3 * 104) };
            let pointers = [x.as_mut_ptr(), last, out.as_mut_ptr(), second.as_mut_ptr()];
            let steps: [i64; 3] = [0, 1, 0];
            let args = LaunchArgs {
                shape: &shape,
                pointers: &pointers,
                strides: &strides,
                indices: &[(40, &steps)],
            };
            // SAFETY: every operand has memory for all elements at its strides.
            let report = unsafe { executable.launch(&args, &LaunchControl::default()) };
            let report = report.expect("it runs");
            assert_eq!(report.chunks > 1, part == 256);
            for i in 0..105isize {
                let at = [i / 35, i / 7 % 5, i % 7];
                let place = |s: &[isize]| -> isize { at.iter().zip(s).map(|(a, b)| a * b).sum() };
                let from = |b: &[u8], p: isize| b[p as usize..][..4].try_into().expect("4 bytes");
                let a = i32::from_le_bytes(from(&x, place(strides[0])));
                let p = (1 + 3 * 104 + place(strides[1])) as usize;
                let b = i32::from(i16::from_le_bytes([y[p], y[p + 1]]));
                let found = i32::from_le_bytes(from(&out, place(strides[2])));
                let expected = a.wrapping_add(b).wrapping_add(40 + at[1] as i32);
                assert_eq!(found, expected, "{device}, element {at:?}");
                assert_eq!(i32::from_le_bytes(from(&second, place(strides[3]))), b);
            }
            let beside = out.chunks(6).all(|c| c[4..] == [0xa5; 2]);
            assert!(beside, "written between the results");
        }
    }
}

/// Mesa ends loops after 65,535 turns: that is an error, and fewer turns are right.
#[test]
fn loops_that_do_not_end_are_errors() {
    let func = counting();
    for device in devices() {
        let executable = compile(&func, &device);
        let run = |turns: &[u32]| {
            let column = turns.iter().map(|n| Const::int(DType::U32, i128::from(*n)));
            let columns = vec![column.collect::<Vec<_>>()];
            let n = turns.len();
            launch(&*executable, &func, &columns, n, &LaunchControl::default())
        };
        let (found, _) = run(&[1, 10, 60_000, 3, 0]).expect("these end");
        let found: Vec<i128> = found[0].iter().map(|c| c.as_int()).collect();
        assert_eq!(found, [1, 10, 60_000, 3, 1]);
        for endless in [70_000, u32::MAX] {
            let error = run(&[1, endless, 5]).expect_err("the driver ends the loop");
            let text = error.to_string();
            assert!(
                text.contains("`counting`") && text.contains(&device),
                "{text}"
            );
        }
        // Its own limit, where the driver has none.
        let limited = with_limits(&func, &device, |l| l.turns = 50);
        let column = vec![vec![Const::int(DType::U32, 60); 3]];
        let found = launch(&limited, &func, &column, 3, &LaunchControl::default());
        assert!(
            matches!(found, Err(BackendError::LaunchFailed(_))),
            "{found:?}"
        );
    }
}

/// Elements that are done would go on if they were computed further, as 1 becomes 4 here: what they end with is their own
/// last turn, not that of the slowest element beside them.
#[test]
fn elements_keep_what_their_own_last_turn_gave() {
    let text = "\
func steps(v0 start: u32) -> (u32, u32) {
  v1: u32 = const 0
  v2: u32 = const 1
  v3: u32 = const 3
  v4: u32, v5: u32 = loop (v6: u32 = v0, v7: u32 = v1) {
    v8: bool = gt v6, v2
    v9: u32 = and v6, v2
    v10: bool = eq v9, v1
    v11: u32 = shr v6, v2
    v12: u32 = mul v6, v3
    v13: u32 = add v12, v2
    v14: u32 = select v10, v11, v13
    v15: u32 = add v7, v2
    v16: u32 = xor v14, v15
    continue_if v8 (v14, v15) else (v7, v16)
  }
  yield v4, v5
}
";
    let func = ufc_ir::text::parse(text).expect("it parses");
    let n = 500;
    let starts = (0..n as i128).map(|i| Const::int(DType::U32, i));
    let columns = vec![starts.collect::<Vec<_>>()];
    let expected = meaning(&func, &columns, n);
    assert_eq!(expected[0][27].as_int(), 111);
    for device in devices() {
        let executable = compile(&func, &device);
        let control = LaunchControl::default();
        let (found, _) = launch(&*executable, &func, &columns, n, &control).expect("they end");
        compare(&device, &columns, &expected, &found);
    }
}

/// Turns of nested loops count together in Mesa's driver: an outer loop of 400 turns around one of 400.
#[test]
fn nested_loops_that_the_driver_ends_are_errors() {
    let mut func = Func::new("nested");
    let mut b = Builder::new(&mut func);
    let n = b.param("n", DType::U32);
    let zero = b.constant(Const::int(DType::U32, 0));
    let one = b.constant(Const::int(DType::U32, 1));
    let results = b.loop_(&[zero, zero], &[DType::U32], |b, outer| {
        let inner = b.loop_(&[zero, outer[1]], &[DType::U32], |b, params| {
            let next = b.op(Op::Add, &[params[0], one]);
            let sum = b.op(Op::Add, &[params[1], next]);
            let goes_on = b.op(Op::Lt, &[next, n]);
            (goes_on, vec![next, sum], vec![sum])
        });
        let next = b.op(Op::Add, &[outer[0], one]);
        let goes_on = b.op(Op::Lt, &[next, n]);
        (goes_on, vec![next, inner[0]], vec![inner[0]])
    });
    b.finish(vec![results[0]]);
    let columns = |turns: [i128; 3]| vec![turns.map(|n| Const::int(DType::U32, n)).to_vec()];
    for device in devices() {
        let executable = compile(&func, &device);
        let few = columns([3, 100, 1]);
        let found = launch(&*executable, &func, &few, 3, &LaunchControl::default());
        let (found, _) = found.expect("these end");
        compare(&device, &few, &meaning(&func, &few, 3), &found);
        let many = columns([3, 400, 1]);
        let found = launch(&*executable, &func, &many, 3, &LaunchControl::default());
        match found {
            Err(BackendError::LaunchFailed(_)) => {}
            Ok((found, _)) => {
                compare(&device, &many, &meaning(&func, &many, 3), &found);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn cancelled_launches_stop() {
    let func = sum(DType::F32, DType::F32, None);
    for device in devices() {
        let executable = compile(&func, &device);
        let cancel = AtomicBool::new(true);
        let control = LaunchControl {
            cancel: Some(&cancel),
            ..LaunchControl::default()
        };
        let columns = random_columns(&mut Rng::new(1), &func, 10);
        let found = launch(&*executable, &func, &columns, 10, &control);
        assert!(matches!(found, Err(BackendError::Cancelled)));
    }
}
