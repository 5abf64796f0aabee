//! Kernels as large and as nested as shaders may be, and beyond: no text makes naga overflow the stack.

use super::legal;
use crate::WgpuBackend;
use crate::device::Caps;
use crate::{lower, validate};
use ufc_ir::builder::Builder;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::{DType, Func};
use ufc_target::{Backend, BackendError, CompileOptions};

/// So many operations, one after the other.
fn long(operations: usize) -> Func {
    let mut func = Func::new("long");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", DType::U32), b.param("y", DType::U32));
    let last = (0..operations).fold(x, |last, i| {
        let op = if i % 2 == 0 { Op::Add } else { Op::Xor };
        b.op(op, &[last, y])
    });
    b.finish(vec![last]);
    func
}

fn nested(b: &mut Builder<'_>, depth: usize, cond: Value, value: Value) -> Value {
    if depth == 0 {
        return b.op(Op::Add, &[value, value]);
    }
    let arms = b.if_else(
        cond,
        &[DType::U32],
        |b| vec![nested(b, depth - 1, cond, value)],
        |_| vec![value],
    );
    arms[0]
}

/// Branches in branches.
fn deep(depth: usize) -> Func {
    let mut func = Func::new("deep");
    let mut b = Builder::new(&mut func);
    let (x, cond) = (b.param("x", DType::U32), b.param("cond", DType::Bool));
    let result = nested(&mut b, depth, cond, x);
    b.finish(vec![result]);
    func
}

fn emitted(func: &Func) -> Result<String, BackendError> {
    WgpuBackend.emit(&legal(func), &CompileOptions::default(), "spirv")
}

#[track_caller]
fn is_refused(func: &Func, words: [&str; 2]) {
    let error = emitted(func).expect_err("it is too much");
    assert!(matches!(error, BackendError::Unsupported(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("`{}`", func.name)) && words.iter().all(|word| text.contains(word)),
        "{text}"
    );
}

#[test]
fn the_largest_kernels_are_taken_and_larger_ones_refused() {
    emitted(&long(50_000)).expect("it is as large as may be");
    is_refused(&long(50_001), ["50000", "50001"]);
}

#[test]
fn the_deepest_kernels_are_taken_and_deeper_ones_refused() {
    emitted(&deep(60)).expect("it is as deep as may be");
    is_refused(&deep(61), ["60", "61"]);
    let element = lower::lower(&legal(&deep(60)), &Caps::PORTABLE);
    assert!(element.is_ok());
}

/// The text itself is measured too, whatever it was made from.
#[test]
fn longer_texts_are_refused_before_they_are_parsed() {
    let text = "(".repeat((16 << 20) + 1);
    match validate::validate(&text, &Caps::PORTABLE).map(|_| ()) {
        Err(BackendError::Unsupported(why)) => assert!(why.contains("16777217"), "{why}"),
        other => panic!("{other:?}"),
    }
}
