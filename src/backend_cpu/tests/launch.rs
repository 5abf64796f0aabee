//! Launches over loop dims: threads, blocks, broadcast inputs, cancelling.
#![expect(unsafe_code, reason = "launches take raw addresses")]

use super::{legal, levels, options};
use crate::call::{CpuLoop, last_cache};
use crate::{CpuBackend, Launches};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, fresh_seed};
use ufc_ir::{Const, DType, Func};
use ufc_target::{Backend, BackendError, Executable, LaunchArgs, LaunchControl};

/// Steps of a logistic map until it leaves a range: another number of turns for each element, times the position.
fn divergent() -> Func {
    let mut func = Func::new("divergent");
    let mut b = Builder::new(&mut func);
    let x = b.param("x", DType::F32);
    let r = b.param("r", DType::F32);
    let flat = b.index(None);
    let column = b.index(Some(1));
    let one = b.constant(Const::f32(1.0));
    let limit = b.constant(Const::int(DType::U32, 40));
    let (zero, step) = (Const::int(DType::U32, 0), Const::int(DType::U32, 1));
    let (zero, step) = (b.constant(zero), b.constant(step));
    let turns = b.loop_(&[zero, x], &[DType::U32], |b, carried| {
        let rest = b.op(Op::Sub, &[one, carried[1]]);
        let product = b.op(Op::Mul, &[carried[1], rest]);
        let next = b.op(Op::Mul, &[product, r]);
        let inside = b.op(Op::Lt, &[next, one]);
        let more = b.op(Op::Lt, &[carried[0], limit]);
        let cond = b.op(Op::And, &[inside, more]);
        let count = b.op(Op::Add, &[carried[0], step]);
        (cond, vec![count, next], vec![carried[0]])
    });
    let turns = b.convert(turns[0], DType::I64);
    let shifted = b.op(Op::Mul, &[turns, flat]);
    let result = b.op(Op::Sub, &[shifted, column]);
    b.finish(vec![result]);
    func
}

/// What is written past the caches: what does not fit them, is side by side and aligned alike, and was not just read.
#[test]
fn only_large_outputs_side_by_side_are_written_past_the_caches() {
    let legal = legal(divergent());
    let code = super::code(&legal, &options(None, Some(1)), &[]);
    let again = Box::new(|_: &Launches| unreachable!("only asked whether it would be"));
    let code = CpuLoop::new(legal.func(), code, true, again);
    let large = last_cache() / 8;
    let at = |address: usize| std::ptr::without_provenance_mut::<u8>(address);
    let streams = |n: usize, [x, out]: [usize; 2], step: isize| {
        code.streams(&LaunchArgs {
            shape: &[n],
            pointers: &[at(x), at(0x9000), at(out)],
            strides: &[&[4], &[0], &[step]],
            indices: &[],
        })
    };
    let apart = [0x1_0000, 0x8_0000_0000];
    assert!(streams(large, apart, 8));
    assert!(!streams(large - 1, apart, 8), "it fits the cache");
    assert!(!streams(large, apart, 16), "not side by side");
    assert!(
        !streams(large, [apart[1]; 2], 8),
        "in the place of an input"
    );
    assert!(
        streams(large, [apart[0], apart[1] + 8], 8),
        "a head is done first"
    );
    assert!(
        !streams(large, [apart[0], apart[1] + 4], 8),
        "never aligned"
    );
}

struct Grid {
    rows: usize,
    columns: usize,
    x: Vec<f32>,
    r: Vec<f32>,
}

impl Grid {
    fn new(rows: usize, columns: usize) -> Grid {
        let mut rng = Rng::new(fresh_seed());
        let mut random = |n| (0..n).map(|_| rng.below(4000) as f32 / 1000.0).collect();
        Grid {
            rows,
            columns,
            x: random(columns),
            r: random(rows),
        }
    }

    /// x along the columns, r along the rows.
    fn launch(
        &self,
        executable: &Arc<dyn Executable>,
        control: &LaunchControl<'_>,
    ) -> Result<Vec<i64>, BackendError> {
        let mut out = vec![i64::MIN; self.rows * self.columns];
        let pointers = [
            self.x.as_ptr().cast_mut().cast(),
            self.r.as_ptr().cast_mut().cast(),
            out.as_mut_ptr().cast(),
        ];
        let columns = self.columns as i64;
        let args = LaunchArgs {
            shape: &[self.rows, self.columns],
            pointers: &pointers,
            strides: &[&[0, 4], &[4, 0], &[8 * columns as isize, 8]],
            indices: &[(0, &[columns, 1]), (0, &[0, 1])],
        };
        // SAFETY: the strides stay within the vectors.
        unsafe { executable.launch(&args, control)? };
        Ok(out)
    }
}

fn compiled() -> Arc<dyn Executable> {
    CpuBackend
        .compile(&legal(divergent()), &options(None, None))
        .expect("compiles")
}

#[test]
fn threads_blocks_and_repetition_change_no_bit() {
    let func = divergent();
    let executable = compiled();
    for (rows, columns) in [(1, 1), (3, 5), (1, 100_000), (100_000, 1), (700, 333)] {
        let grid = Grid::new(rows, columns);
        let expected: Vec<i64> = (0..rows * columns)
            .map(|i| {
                let x = Const::f32(grid.x[i % columns]);
                let r = Const::f32(grid.r[i / columns]);
                let inputs = [vec![x], vec![r]];
                let position = |axis: Option<u8>, _| match axis {
                    None => i as i64,
                    Some(_) => (i % columns) as i64,
                };
                let result = ufc_ir::interp::run(&func, 1, &inputs, &position, None);
                result.expect("the function runs")[0][0].as_int() as i64
            })
            .collect();
        // Again and again: code for broadcast inputs comes in after some launches.
        for threads in [None, Some(1), Some(2), Some(3), Some(7), Some(2)] {
            let progress = AtomicU64::new(0);
            let control = LaunchControl {
                threads,
                progress: Some(&progress),
                ..LaunchControl::default()
            };
            let found = grid.launch(&executable, &control).expect("runs");
            assert!(found == expected, "{rows} x {columns}, threads {threads:?}");
            assert_eq!(progress.into_inner(), (rows * columns) as u64);
        }
    }
}

#[test]
fn cancelled_launches_stop() {
    let executable = compiled();
    let cancel = AtomicBool::new(true);
    let control = LaunchControl {
        cancel: Some(&cancel),
        ..LaunchControl::default()
    };
    let grid = Grid::new(500, 500);
    assert_eq!(
        grid.launch(&executable, &control),
        Err(BackendError::Cancelled)
    );
    cancel.store(false, Ordering::Relaxed);
    assert!(grid.launch(&executable, &control).is_ok());
}

#[test]
fn empty_and_zero_dimensional_launches() {
    let executable = compiled();
    let (x, r, mut out) = (0.5f32, 3.0f32, 17i64);
    let pointers = [
        (&raw const x).cast_mut().cast(),
        (&raw const r).cast_mut().cast(),
        (&raw mut out).cast(),
    ];
    let null = [std::ptr::null_mut(); 3];
    let empty = LaunchArgs {
        shape: &[3, 0],
        pointers: &null,
        strides: &[&[0, 0], &[0, 0], &[0, 0]],
        indices: &[(0, &[0, 0]), (0, &[0, 0])],
    };
    let single = LaunchArgs {
        shape: &[],
        pointers: &pointers,
        strides: &[&[], &[], &[]],
        indices: &[(2, &[]), (1, &[])],
    };
    let control = LaunchControl::default();
    // SAFETY: the first has no elements, the second one.
    unsafe {
        assert!(executable.launch(&empty, &control).is_ok());
        assert_eq!(out, 17);
        assert!(executable.launch(&single, &control).is_ok());
    }
    assert_eq!(out, 79);
}

#[test]
fn unknown_levels_are_named_in_the_error() {
    let error = CpuBackend
        .compile(&legal(divergent()), &options(Some("mmx"), None))
        .expect_err("no such level");
    assert!(error.to_string().contains("mmx"), "{error}");
}

/// What a loop makes of both inputs, and the first input itself.
fn kept_input() -> Func {
    let mut func = Func::new("kept_input");
    let mut b = Builder::new(&mut func);
    let [x, y] = ["x", "y"].map(|name| b.param(name, DType::F32));
    let (zero, step) = (Const::int(DType::U32, 0), Const::int(DType::U32, 1));
    let (zero, step) = (b.constant(zero), b.constant(step));
    let limit = b.constant(Const::int(DType::U32, 3));
    let sums = b.loop_(&[zero, x], &[DType::F32], |b, carried| {
        let sum = b.op(Op::Add, &[carried[1], x]);
        let sum = b.op(Op::Mul, &[sum, y]);
        let count = b.op(Op::Add, &[carried[0], step]);
        let more = b.op(Op::Lt, &[count, limit]);
        (more, vec![count, sum], vec![sum])
    });
    let bits = b.bitcast(x, DType::U32);
    let same = b.bitcast(bits, DType::F32);
    let sum = b.op(Op::Add, &[sums[0], y]);
    b.finish(vec![sum, same]);
    func
}

#[test]
fn outputs_may_take_the_place_of_inputs() {
    let legal = legal(kept_input());
    for level in levels() {
        for interleave in [1, 2, 4] {
            let executable = CpuBackend
                .compile(&legal, &options(level, Some(interleave)))
                .expect("compiles");
            for n in [1usize, 7, 64, 200] {
                let mut x: Vec<f32> = (0..n).map(|i| i as f32 / 7.0 - 3.0).collect();
                let mut y: Vec<f32> = (0..n).map(|i| 1.5 - i as f32 / 100.0).collect();
                let kept = x.clone();
                let sums: Vec<f32> = x
                    .iter()
                    .zip(&y)
                    .map(|(x, y)| {
                        let turn = |sum: f32| (sum + x) * y;
                        turn(turn(turn(*x))) + y
                    })
                    .collect();
                let (px, py) = (x.as_mut_ptr().cast(), y.as_mut_ptr().cast());
                let args = LaunchArgs {
                    shape: &[n],
                    pointers: &[px, py, px, py],
                    strides: &[&[4], &[4], &[4], &[4]],
                    indices: &[],
                };
                // SAFETY: the vectors have `n` elements, and outputs are at the addresses of inputs.
                unsafe { executable.launch(&args, &LaunchControl::default()) }.expect("runs");
                assert_eq!(x, sums, "{level:?}, interleave {interleave}, {n} elements");
                assert_eq!(y, kept, "{level:?}, interleave {interleave}, {n} elements");
            }
        }
    }
}
