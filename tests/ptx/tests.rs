//! The interpreter on small kernels whose results follow from the manual.

use crate::{Memory, Module, Trap};
use std::cell::RefCell;

/// Memory from address 256 on.
struct Bytes(RefCell<Vec<u8>>);

const BASE: u64 = 256;

impl Memory for Bytes {
    fn load(&self, address: u64, bytes: usize) -> Option<u64> {
        let start = address.checked_sub(BASE)? as usize;
        let memory = self.0.borrow();
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(memory.get(start..start + bytes)?);
        Some(u64::from_le_bytes(word))
    }

    fn store(&self, address: u64, bytes: usize, value: u64) -> Option<()> {
        let start = address.checked_sub(BASE)? as usize;
        let mut memory = self.0.borrow_mut();
        let place = memory.get_mut(start..start + bytes)?;
        place.copy_from_slice(&value.to_le_bytes()[..bytes]);
        Some(())
    }
}

fn module(body: &str) -> String {
    format!(
        ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k(.param .u64 out)\n{{\n\
         .reg .pred %p<8>;\n.reg .b16 %h<8>;\n.reg .b32 %r<8>;\n.reg .b64 %d<8>;\n\
         ld.param.u64 %d0, [out];\n{body}\nret;\n}}\n"
    )
}

/// What one thread leaves in the first eight bytes of memory.
fn result(body: &str) -> Result<u64, Trap> {
    let module = Module::parse(&module(body)).expect("the text is taken");
    let memory = Bytes(RefCell::new(vec![0; 64]));
    let kernel = module.kernel("k").expect("there is the kernel");
    kernel.run(1, 1, &[BASE], &memory, 1000)?;
    Ok(memory.load(BASE, 8).expect("it is memory"))
}

fn refusal(body: &str) -> String {
    Module::parse(&module(body))
        .expect_err("it is refused")
        .what
}

/// Instructions, and what one thread then leaves in memory.
const CASES: &[(&str, u64)] = &[
    ("shl.b32 %r1, 1, 32; st.global.b32 [%d0], %r1;", 0),
    (
        "shr.s32 %r1, -8, 40; st.global.b32 [%d0], %r1;",
        0xffff_ffff,
    ),
    ("shr.u32 %r1, 0x80000000, 31; st.global.b32 [%d0], %r1;", 1),
    (
        "bfe.s32 %r1, 0x8F00, 8, 8; st.global.b32 [%d0], %r1;",
        0xffff_ff8f,
    ),
    (
        "bfi.b32 %r1, 0xAB, 0x11223344, 8, 8; st.global.b32 [%d0], %r1;",
        0x1122_ab44,
    ),
    (
        "prmt.b32 %r1, 0x11223344, 0, 0x0123; st.global.b32 [%d0], %r1;",
        0x4433_2211,
    ),
    (
        "shf.l.wrap.b32 %r1, 0x80000001, 0x80000001, 33; st.global.b32 [%d0], %r1;",
        3,
    ),
    (
        "shf.r.wrap.b32 %r1, 3, 3, 1; st.global.b32 [%d0], %r1;",
        0x8000_0001,
    ),
    ("clz.b32 %r1, 0; st.global.b32 [%d0], %r1;", 32),
    (
        "mul.hi.u32 %r1, 0xFFFFFFFF, 0xFFFFFFFF; st.global.b32 [%d0], %r1;",
        0xffff_fffe,
    ),
    ("mad.wide.s32 %d1, -2, 3, 10; st.global.b64 [%d0], %d1;", 4),
    (
        "cvt.s32.s8 %r1, 0x80; st.global.b32 [%d0], %r1;",
        0xffff_ff80,
    ),
    (
        "cvt.rzi.s32.f32 %r1, 0f4F800000; st.global.b32 [%d0], %r1;",
        0x7fff_ffff,
    ),
    (
        "cvt.rzi.u32.f32 %r1, 0fBF800000; st.global.b32 [%d0], %r1;",
        0,
    ),
    (
        "cvt.rn.f32.s32 %r1, 16777217; st.global.b32 [%d0], %r1;",
        0x4b80_0000,
    ),
    (
        "cvt.rni.f32.f32 %r1, 0f40200000; st.global.b32 [%d0], %r1;",
        0x4000_0000,
    ),
    (
        "min.f32 %r1, 0f80000000, 0f00000000; st.global.b32 [%d0], %r1;",
        0x8000_0000,
    ),
    (
        "max.f32 %r1, 0f80000000, 0f00000000; st.global.b32 [%d0], %r1;",
        0,
    ),
    // 9.7.3.11, 9.7.3.12: zeros in the other order, and NaN on either side.
    (
        "min.f32 %r1, 0f00000000, 0f80000000; st.global.b32 [%d0], %r1;",
        0x8000_0000,
    ),
    (
        "max.f32 %r1, 0f00000000, 0f80000000; st.global.b32 [%d0], %r1;",
        0,
    ),
    (
        "max.f64 %d1, 0d8000000000000000, 0d8000000000000000; st.global.b64 [%d0], %d1;",
        1 << 63,
    ),
    (
        "min.f32 %r1, 0fFFC00001, 0f40000000; st.global.b32 [%d0], %r1;",
        0x4000_0000,
    ),
    (
        "max.f32 %r1, 0fC0000000, 0f7FC00001; st.global.b32 [%d0], %r1;",
        0xc000_0000,
    ),
    (
        "min.f32 %r1, 0f7FC00001, 0f7FC00002; setp.nan.f32 %p1, %r1, %r1; selp.b32 %r2, 1, 0, %p1; st.global.b32 [%d0], %r2;",
        1,
    ),
    // 9.7.8.18: NaN to an integer, where no version of the manual differs.
    (
        "cvt.rzi.s32.f32 %r1, 0f7FC00000; st.global.b32 [%d0], %r1;",
        0,
    ),
    (
        "cvt.rzi.u32.f32 %r1, 0fFFC00000; st.global.b32 [%d0], %r1;",
        0,
    ),
    (
        "cvt.rzi.s64.f32 %d1, 0fFF800000; st.global.b64 [%d0], %d1;",
        1 << 63,
    ),
    (
        "fma.rn.f32 %r1, 0f3F800001, 0f3F7FFFFE, 0fBF800000; st.global.b32 [%d0], %r1;",
        0xa880_0000,
    ),
    (
        "mov.b64 %d1, {1, 2}; st.global.b64 [%d0], %d1;",
        0x2_0000_0001,
    ),
    (
        "mov.b32 {%h0, %h1}, 0x12345678; st.global.b16 [%d0], %h1;",
        0x1234,
    ),
    (
        "cvt.rn.f16.f32 %h0, 0f477FF000; st.global.b16 [%d0], %h0;",
        0x7c00,
    ),
    (
        "cvt.rn.f16.u64 %h0, 2049; st.global.b16 [%d0], %h0;",
        0x6800,
    ),
    (
        "setp.lt.f32 %p1, 0f3F800000, 0f40000000; selp.b32 %r1, 7, 8, %p1; st.global.b32 [%d0], %r1;",
        7,
    ),
    (
        "setp.eq.s32 %p1, 1, 2; @%p1 bra X; st.global.b32 [%d0], 5; X:",
        5,
    ),
    (
        "mov.pred %p1, 1; not.pred %p2, %p1; @!%p2 bra X; st.global.b32 [%d0], 5; X:",
        0,
    ),
];

#[test]
fn instructions_do_what_the_manual_says() {
    let nan = "0f7FC00000";
    for (body, wanted) in CASES {
        assert_eq!(result(body), Ok(*wanted), "{body}");
    }
    for (compare, wanted) in [
        ("eq", 0),
        ("ne", 0),
        ("neu", 1),
        ("num", 0),
        ("nan", 1),
        ("ge", 0),
    ] {
        let body = format!(
            "setp.{compare}.f32 %p1, {nan}, {nan}; selp.b32 %r1, 1, 0, %p1; st.global.b32 [%d0], %r1;"
        );
        assert_eq!(result(&body), Ok(wanted), "{compare}");
    }
}

/// 9.7.8.18: what NaN gives as an integer differs between the manuals if one of the two has 64 bits, so it is neither.
#[test]
fn what_manuals_differ_in_is_garbage() {
    for body in [
        "cvt.rzi.s64.f32 %d1, 0f7FC00000; st.global.b64 [%d0], %d1;",
        "cvt.rzi.u64.f64 %d1, 0d7FF8000000000000; st.global.b64 [%d0], %d1;",
        "cvt.rzi.s32.f64 %r1, 0d7FF8000000000000; st.global.b32 [%d0], %r1;",
        "mov.b32 %r2, 0; rem.s32 %r1, -7, 7; st.global.b32 [%d0], %r1;",
    ] {
        let found = result(body).expect("it runs");
        assert!(
            ![0, 1 << 31, 1 << 63].contains(&found),
            "{body}: {found:#x}"
        );
    }
}

#[test]
fn what_is_open_is_refused() {
    let bodies = [
        "add.f32 %r1, %r2, %r3;",
        "mul.f32 %r1, %r2, %r3;",
        "add.rn.ftz.f32 %r1, %r2, %r3;",
        "div.approx.f32 %r1, %r2, %r3;",
        "sqrt.approx.f32 %r1, %r2;",
        "fma.rn.sat.f32 %r1, %r2, %r3, %r4;",
        "mad.f32 %r1, %r2, %r3, %r4;",
        "ex2.approx.f32 %r1, %r2;",
        "cvt.f32.s32 %r1, %r2;",
        "add.s32 %r1, %d2, %r3;",
        "add.s32 %r1, %r9, %r3;",
        "min.NaN.f32 %r1, %r2, %r3;",
        "bra Y;",
    ];
    for body in bodies {
        let what = refusal(body);
        assert!(!what.is_empty(), "{body}");
    }
}

#[test]
fn stray_accesses_are_caught() {
    assert_eq!(
        result("st.global.b32 [%d0+64], 1;"),
        Err(Trap::IllegalAddress(BASE + 64))
    );
    assert_eq!(
        result("st.global.b32 [%d0+2], 1;"),
        Err(Trap::Misaligned(BASE + 2))
    );
    let body = "ld.global.v2.b32 {%r1, %r2}, [%d0+4];";
    assert_eq!(result(body), Err(Trap::Misaligned(BASE + 4)));
    assert!(matches!(
        result("st.global.b32 [%d0], %r1;"),
        Err(Trap::Unwritten(_))
    ));
    assert_eq!(result("X: bra X;"), Err(Trap::Endless));
}

#[test]
fn every_half_comes_back_and_ties_go_to_even() {
    for bits in 0..0x7c00u16 {
        let value = crate::float::from_half(bits);
        assert_eq!(crate::float::to_half(value), bits);
        assert_eq!(crate::float::to_half(-value), bits | 0x8000);
        if bits < 0x7bff {
            let middle = (value + crate::float::from_half(bits + 1)) / 2.0;
            assert_eq!(crate::float::to_half(middle) & 1, 0, "{bits:#x}");
        }
    }
    assert_eq!(crate::float::to_half(65519.99), 0x7bff);
    assert_eq!(crate::float::to_half(f64::INFINITY), 0x7c00);
}
