//! Sources that are much too large or too deep: a diagnostic or the right answer, quickly, on a small stack.

use super::shown;
use crate::{Code, check, check_expr};
use std::time::{Duration, Instant};
use ufc_ir::DType;

/// Checks and lowers on a thread with little stack; gives the codes, or none if all went well.
fn codes(source: String) -> Vec<Code> {
    let run = move || {
        let start = Instant::now();
        let (module, mut diagnostics) = check(&source);
        if diagnostics.is_empty() {
            for kernel in module.kernels() {
                let types: Vec<DType> = kernel
                    .generics
                    .iter()
                    .filter_map(|g| g.set.iter().next())
                    .collect();
                match module.lower(&kernel.name, &types) {
                    Ok(func) => assert!(ufc_ir::verify::verify(&func).is_ok()),
                    Err(errors) => diagnostics.extend(errors),
                }
            }
        }
        drop(module);
        let taken = start.elapsed();
        assert!(
            taken < Duration::from_secs(10),
            "took {taken:?}: {:?}",
            shown(&diagnostics)
        );
        diagnostics.iter().map(|d| d.code).collect()
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no panic")
}

fn kernel(body: &str) -> Vec<Code> {
    codes(format!("pub fn k(x: f32) -> f32 {{ {body} }}"))
}

const MANY: usize = 100_000;

#[test]
fn nested_brackets() {
    assert_eq!(
        kernel(&format!("{}x{}", "(".repeat(MANY), ")".repeat(MANY))),
        [Code::NestedTooDeeply]
    );
    assert_eq!(
        kernel(&format!("{}x{}", "{".repeat(MANY), "}".repeat(MANY))),
        [Code::NestedTooDeeply]
    );
    assert_eq!(
        kernel(&format!("{}x{}", "abs(".repeat(MANY), ")".repeat(MANY))),
        [Code::NestedTooDeeply]
    );
    assert!(!kernel(&"(".repeat(MANY)).is_empty());
    assert!(!kernel(&")".repeat(MANY)).is_empty());
    assert!(!kernel(&"[".repeat(MANY)).is_empty());
    assert!(!codes("#[".repeat(MANY)).is_empty());
    assert!(!codes(format!("fn f(x: {}f32", "(".repeat(MANY))).is_empty());
    assert!(!kernel(&format!("let {}", "(".repeat(MANY))).is_empty());
    assert_eq!(
        kernel(&format!(
            "{}x{}",
            "if x > 0.0 { ".repeat(MANY),
            " } else { x }".repeat(MANY)
        )),
        [Code::NestedTooDeeply]
    );
}

#[test]
fn as_deep_as_allowed_is_fine() {
    let depth = crate::parser::MAX_DEPTH as usize - 8;
    assert_eq!(
        kernel(&format!("{}x{}", "(".repeat(depth), ")".repeat(depth))),
        []
    );
    assert_eq!(
        kernel(&format!(
            "{}x{}",
            "abs(1.0 + ".repeat(depth / 2),
            ")".repeat(depth / 2)
        )),
        []
    );
    let depth = depth / 3 - 2;
    assert_eq!(
        kernel(&format!(
            "{}x{}",
            "{ let y = x; y + ".repeat(depth),
            "}".repeat(depth)
        )),
        []
    );
    assert_eq!(
        kernel(&format!(
            "{}x{}",
            "if x > 0.0 { ".repeat(depth),
            "} else { x }".repeat(depth)
        )),
        []
    );
    let loops = format!(
        "let mut y = x; {} y += 1.0; {} y",
        "while y < 5.0 { ".repeat(depth),
        "}".repeat(depth)
    );
    assert_eq!(kernel(&loops), []);
}

#[test]
fn long_chains() {
    assert_eq!(
        kernel(&format!("x{}", " + x".repeat(MANY))),
        [Code::KernelTooLarge]
    );
    assert_eq!(kernel(&format!("x{}", " + x".repeat(20_000))), []);
    assert_eq!(
        kernel(&format!("{}x", "-".repeat(MANY))),
        [Code::NestedTooDeeply]
    );
    assert_eq!(kernel(&format!("{}x", "- -".repeat(50))), []);
    assert_eq!(
        kernel(&format!("x{}", ".abs()".repeat(MANY))),
        [Code::KernelTooLarge]
    );
    assert_eq!(
        kernel(&format!("x{}", " as f64 as f32".repeat(MANY))),
        [Code::KernelTooLarge]
    );
    assert_eq!(
        kernel(&format!(
            "if {} {{ x }} else {{ 1.0 }}",
            vec!["x > 1.0"; MANY].join(" && ")
        )),
        [Code::KernelTooLarge]
    );
    assert_eq!(
        kernel(&format!(
            "if x > 1.0 {{ x }} {} else {{ 1.0 }}",
            "else if x > 2.0 { 2.0 }".repeat(MANY)
        )),
        [Code::NestedTooDeeply]
    );
    assert_eq!(
        kernel(&format!("{}x", "return ".repeat(MANY))),
        [Code::NestedTooDeeply]
    );
}

#[test]
fn many_statements() {
    assert_eq!(
        kernel(&format!("let mut y = x; {} y", "y = y * x;".repeat(MANY))),
        [Code::KernelTooLarge]
    );
    assert_eq!(
        kernel(&format!("let mut y = x; {} y", "y = x;".repeat(MANY))),
        []
    );
    assert_eq!(kernel(&format!("{} x", "let x = x;".repeat(MANY))), []);
    assert_eq!(
        kernel(&format!("{} x", "if x > 1.0 { return 2.0; }".repeat(MANY))),
        [Code::KernelTooLarge]
    );
    assert_eq!(
        kernel(&format!("{} x", "if x > 1.0 { return 2.0; }".repeat(2000))),
        []
    );
    let looping = "if x > 1.0 { return 2.0; } let mut n = 0; while n < 3 { n += 1; }";
    assert_eq!(kernel(&format!("{} x", looping.repeat(150))), []);
    assert_eq!(
        kernel(&format!("{} x", looping.repeat(400))),
        [Code::KernelTooLarge]
    );
    let many: String = (0..MANY).map(|i| format!("let a{i} = x;")).collect();
    assert_eq!(kernel(&format!("{many} x")), []);
    assert_eq!(
        kernel(&format!("{} x", "nothing;".repeat(MANY))).len(),
        crate::diag::MAX_DIAGNOSTICS
    );
}

#[test]
fn large_numbers() {
    let digits = "7".repeat(1_000_000);
    assert_eq!(kernel(&format!("{digits}.0")), [Code::LiteralOutOfRange]);
    assert_eq!(kernel(&format!("x + 0.{digits}")), []);
    assert_eq!(
        kernel(&format!("x + {digits} as f32")),
        [Code::LiteralOutOfRange]
    );
    assert_eq!(
        kernel(&format!("x + ({digits}u64 as f32)")),
        [Code::LiteralOutOfRange]
    );
    assert_eq!(
        kernel(&format!("x + 1e{digits}")),
        [Code::LiteralOutOfRange]
    );
    assert_eq!(kernel(&format!("x + 1e-{digits}")), []);
    assert_eq!(
        codes(format!("pub fn k(x: f16) -> f16 {{ x + 0.{digits} }}")),
        []
    );
    assert_eq!(kernel(&"a".repeat(1_000_000)), [Code::UnknownName]);
}

#[test]
fn many_parameters_and_functions() {
    let params: Vec<String> = (0..10_000).map(|i| format!("a{i}: f32")).collect();
    assert_eq!(
        codes(format!("pub fn k({}) -> f32 {{ a0 }}", params.join(", "))),
        [Code::TooManyParameters]
    );
    assert_eq!(
        codes(format!("fn k({}) -> f32 {{ a0 }}", params.join(", "))),
        [Code::TooManyParameters]
    );
    let chain: String = (0..20_000)
        .map(|i| format!("fn f{i}(x: f32) -> f32 {{ f{}(x) + 1.0 }}\n", i + 1))
        .collect();
    let found = codes(format!(
        "{chain} fn f20000(x: f32) -> f32 {{ x }} pub fn k(x: f32) -> f32 {{ f0(x) }}"
    ));
    assert_eq!(found, [Code::KernelTooLarge]);
    let doubling: String = (0..40)
        .map(|i| format!("fn f{i}(x: f32) -> f32 {{ f{0}(x) + f{0}(x) }}\n", i + 1))
        .collect();
    let found = codes(format!(
        "{doubling} fn f40(x: f32) -> f32 {{ x }} pub fn k(x: f32) -> f32 {{ f0(x) }}"
    ));
    assert_eq!(found, [Code::KernelTooLarge]);
    let cycle: String = (0..20_000)
        .map(|i| format!("fn f{i}(x: f32) -> f32 {{ f{}(x) }}\n", (i + 1) % 20_000))
        .collect();
    assert_eq!(
        codes(format!("{cycle} pub fn k(x: f32) -> f32 {{ f0(x) }}")),
        [Code::Recursion]
    );
}

#[test]
fn types_that_double() {
    let lets: String = (0..60)
        .map(|i| format!("let a{} = (a{i}, a{i});", i + 1))
        .collect();
    assert_eq!(
        kernel(&format!("let a0 = (x, x); {lets} x")),
        [Code::KernelTooLarge]
    );
    assert!(!kernel("let mut a = loop {}; a = (a, a); x").is_empty());
}

#[test]
fn one_line_expressions_have_limits_too() {
    let sum: Vec<String> = (0..1000).map(|i| format!("a{i}")).collect();
    let found: Vec<Code> = check_expr(&sum.join("+"))
        .1
        .iter()
        .map(|d| d.code)
        .collect();
    assert_eq!(found, [Code::TooManyParameters]);
    assert!(!check_expr(&"(".repeat(MANY)).1.is_empty());
}

#[test]
fn sources_of_nonsense_never_panic() {
    // Every prefix of a kernel that has everything in it, and the kernel with each byte replaced.
    let source = "/// d\n#[identity(0)] #[test_case(1, 2 => 3, ulp = 1)] #[bench(a = f(1)[:,None])]\n\
        pub fn k<T: Num + Int>(a: T, (b, mut c): (T, u8)) -> (T, i32) { 'l: for i in (0..=9).rev().step_by(2) \
        { while !a.x { continue 'l; } let (x, _) = loop { break 'l 1.5e-3f32; }; x.0.1 += -y as T; } \
        if a < b && c { return f::<u8>(T::MAX, 0xFF); } else if q { } else { g } } const N: u8 = 1;";
    for end in (0..source.len()).filter(|end| source.is_char_boundary(*end)) {
        check(&source[..end]);
        check_expr(&source[..end]);
    }
    for at in 0..source.len() {
        for other in ["(", "}", ";", "'", "\"", "é", "0", "."] {
            check(&format!("{}{other}{}", &source[..at], &source[at + 1..]));
        }
    }
}
