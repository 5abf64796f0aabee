//! The code generator of our own: what it has code for at each level, and what the code looks like.

use super::ops::{Constant, cases, single};
use super::{legal, random_layouts};
use crate::Launches;
use crate::clif::jit::Code;
use crate::native::{Level, compile};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::Rng;
use ufc_ir::{Const, DType, Func};

#[test]
fn every_operation_has_code_of_our_own() {
    for (op, dtype, to) in cases() {
        let func = single(op, dtype, to, Constant::None);
        for level in Level::ALL {
            if let Err(error) = compile(&func, level, None, &Launches::default()) {
                panic!("{} at {level}: {error}", func.name);
            }
        }
    }
}

/// a * x + y.
fn saxpy() -> Func {
    let mut func = Func::new("saxpy");
    let mut b = Builder::new(&mut func);
    let [a, x, y] = ["a", "x", "y"].map(|name| b.param(name, DType::F32));
    let product = b.op(Op::Mul, &[a, x]);
    let sum = b.op(Op::Add, &[product, y]);
    b.finish(vec![sum]);
    func
}

#[test]
fn the_text_shows_vectors_of_the_levels_width() {
    for (level, name) in [(Level::Avx2, "ymm"), (Level::Avx512, "zmm")] {
        let code = compile(&saxpy(), level, Some(1), &Launches::default()).expect("compiles");
        let text = code.text();
        let product = text.lines().filter(|line| line.contains("vmulps"));
        let product: Vec<&str> = product.collect();
        // In turns that may be partial, and in whole ones.
        assert_eq!(product.len(), 2, "{text}");
        assert!(product.iter().all(|line| line.contains(name)), "{text}");
        assert!(!text.contains("vfmadd"), "nothing is contracted: {text}");
        assert!(text.trim_end().ends_with("ret"), "{text}");
        assert!(text.contains("vzeroupper"), "{text}");
    }
}

#[test]
fn large_outputs_are_written_past_the_caches_and_fenced() {
    for level in Level::ALL {
        for streaming in [false, true] {
            let launches = Launches {
                broadcast: vec![0],
                streaming,
            };
            let code = compile(&saxpy(), level, None, &launches).expect("compiles");
            let text = code.text();
            let past = text.rfind("vmovnt");
            assert_eq!(past.is_some(), streaming, "{level}: {text}");
            assert_eq!(text.rfind("sfence") > past, streaming, "{level}: {text}");
        }
    }
}

/// x + 1 + 2 + ... with so many constants.
fn sums(count: usize) -> Func {
    let mut func = Func::new("sums");
    let mut b = Builder::new(&mut func);
    let mut sum = b.param("x", DType::F32);
    for i in 1..=count {
        let constant = b.constant(Const::f32(i as f32));
        sum = b.op(Op::Add, &[sum, constant]);
    }
    b.finish(vec![sum]);
    func
}

#[test]
fn constants_are_in_registers_as_long_as_there_are_any() {
    let compile = |count| {
        let func = sums(count);
        let code = compile(&func, Level::Avx512, Some(4), &Launches::default());
        code.expect("compiles").text()
    };
    let few = compile(8);
    let loads = few.matches("vbroadcastss").count();
    assert!(loads >= 8, "each is loaded ahead of the turns: {few}");
    let many = compile(60);
    assert!(many.contains("1to16"), "some stay in memory: {many}");
    assert!(many.matches("vbroadcastss").count() >= 20, "{many}");
    let mut lines = many.lines();
    let spills = lines.any(|line| line.contains("vmovups [rsp"));
    assert!(!spills, "nothing is spilled for them: {many}");
}

#[test]
fn many_live_values_are_spilled_and_right() {
    let mut func = Func::new("spills");
    let mut b = Builder::new(&mut func);
    let x = b.param("x", DType::F64);
    let mut values = vec![x];
    for i in 0..60 {
        let last = values[i];
        let root = b.op(Op::Sqrt, &[last]);
        values.push(b.op(Op::Add, &[root, x]));
    }
    // The first ones are used last, so that all are live at once.
    let mut sum = x;
    for value in values.iter().rev() {
        let product = b.op(Op::Mul, &[sum, *value]);
        sum = b.op(Op::Sub, &[*value, product]);
    }
    b.finish(vec![sum]);
    let legal = legal(func);
    let mut rng = Rng::new(5);
    for level in Level::ALL.into_iter().filter(|level| level.is_present()) {
        let compiled =
            compile(legal.func(), level, Some(4), &Launches::default()).expect("compiles");
        let code = Code::load_guarded(compiled.bytes(), compiled.start()).expect("loads");
        for n in [1, 31, 64, 100] {
            let layouts = random_layouts(&mut rng, legal.func());
            super::check(legal.func(), &code, n, &layouts, &mut rng, "spills");
        }
    }
}
