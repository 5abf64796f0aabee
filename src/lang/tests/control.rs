//! Control flow: the kernel language is a subset of Rust, so each body is run by rustc's code too.

use super::{eval, i32s};
use ufc_ir::DType;

/// Runs a body as a kernel and as Rust, on many inputs.
macro_rules! same {
    ($name:ident, |$a:ident, $b:ident| $body:block) => {
        #[test]
        #[allow(
            unused_mut,
            unused_variables,
            unused_assignments,
            unused_labels,
            clippy::all,
            reason = "the body is there for the kernel language"
        )]
        fn $name() {
            fn rust($a: i32, $b: i32) -> i32 $body
            let source = concat!("pub fn k(a: i32, b: i32) -> i32 ", stringify!($body));
            for a in -3..12 {
                for b in -2..9 {
                    let found = eval(source, &[], &i32s(&[a, b]))[0].as_int();
                    assert_eq!(found, i128::from(rust(a, b)), "a = {a}, b = {b}\n{source}");
                }
            }
        }
    };
}

same!(if_chain, |a, b| {
    if a < 0 {
        -1
    } else if a == b {
        0
    } else if a > b {
        a - b
    } else {
        b * 2
    }
});

same!(assignments_in_branches, |a, b| {
    let mut x = a;
    let mut y = 1;
    if a > 3 {
        x += b;
        y = x * 2;
    } else {
        y -= a;
        if b > 2 {
            x = 7;
        }
    }
    x * 100 + y
});

same!(early_returns, |a, b| {
    if a < 0 {
        return 5;
    }
    let x = a * 2;
    if x > 10 {
        return x + b;
    }
    if b < 0 {
        if a > 2 {
            return 9;
        }
        return 8;
    }
    x - b
});

same!(while_loop, |a, b| {
    let mut n = a;
    let mut steps = 0;
    while n > 1 {
        if n % 2 == 0 {
            n /= 2;
        } else {
            n = 3 * n + 1;
        }
        steps += 1;
    }
    steps * 10 + n
});

same!(while_with_break_and_continue, |a, b| {
    let mut n = 0;
    let mut sum = 0;
    while n < 20 {
        n += 1;
        if n % 3 == 0 {
            continue;
        }
        if n > a + 5 {
            break;
        }
        sum += n;
    }
    sum * 100 + n
});

same!(loop_with_value, |a, b| {
    let mut n = a;
    let found = loop {
        n += 1;
        if n * n > 50 {
            break n * 2;
        }
        if n > b + 8 {
            break -n;
        }
    };
    found + n * 1000
});

same!(for_up, |a, b| {
    let mut sum = 0;
    for i in a..b {
        sum = sum * 3 + i;
        if sum > 1000 {
            break;
        }
    }
    sum
});

same!(for_constant_bounds, |a, b| {
    let mut sum = a;
    for i in 0..5 {
        sum += i * b;
    }
    for _ in 3..3 {
        sum += 1000;
    }
    sum
});

same!(for_inclusive, |a, b| {
    let mut sum = 0;
    for i in a..=b {
        sum = sum * 2 + i;
    }
    sum
});

same!(for_reversed, |a, b| {
    let mut sum = 0;
    for i in (a..b).rev() {
        sum = sum * 2 + i;
    }
    for i in (0..=b).rev() {
        sum = sum * 2 - i;
    }
    for i in (0..4).rev() {
        sum = sum * 2 + i;
    }
    sum
});

same!(for_steps, |a, b| {
    let mut sum = 0;
    for i in (a..b + 4).step_by(3) {
        sum = sum * 2 + i;
    }
    for i in (a..=b).step_by(2) {
        sum = sum * 2 - i;
    }
    for i in (a..b).rev().step_by(2) {
        sum = sum * 3 + i;
    }
    for i in (a..b).step_by(2).rev() {
        sum = sum * 3 - i;
    }
    sum
});

same!(nested_loops_with_labels, |a, b| {
    let mut found = -1;
    'outer: for i in 0..10 {
        for j in 0..10 {
            if j > i {
                continue 'outer;
            }
            if i * j == a * 2 && i > b {
                found = i * 10 + j;
                break 'outer;
            }
        }
        if i == 8 {
            found -= 100;
        }
    }
    found
});

same!(return_from_nested_loops, |a, b| {
    let mut count = 0;
    for i in 0..a {
        let mut j = i;
        while j > 0 {
            count += 1;
            if i * j == b + 3 {
                return count * 100 + i;
            }
            j -= 1;
        }
        if i > 6 {
            return -i;
        }
    }
    count
});

same!(break_in_nested_ifs, |a, b| {
    let mut x = 0;
    let mut y = 0;
    loop {
        x += 1;
        if x > a {
            if x % 2 == 0 {
                y += 5;
                break;
            } else if y > b {
                break;
            }
            y += x;
        } else {
            y += 2;
            if y > 12 {
                continue;
            }
            y += 1;
        }
        if x > 15 {
            break;
        }
    }
    x * 100 + y
});

same!(loops_in_branches, |a, b| {
    let mut x = a;
    if a > b {
        let mut i = 0;
        while i < a {
            x += i;
            i += 2;
            if x > 20 {
                break;
            }
        }
    } else {
        for i in a..b {
            if i == 4 {
                return x * 7;
            }
            x -= i;
        }
        x += 1000;
    }
    x
});

same!(loop_value_through_labels, |a, b| {
    let mut n = 0;
    let x = 'outer: loop {
        n += 1;
        let inner = loop {
            n += 2;
            if n > a + 6 {
                break 'outer n * 10;
            }
            if n % 5 == b {
                break n;
            }
            if n > 30 {
                return -1;
            }
        };
        n += inner % 3;
    };
    x + n
});

same!(shadowing_and_blocks, |a, b| {
    let x = a;
    let x = {
        let x = x * 2;
        let mut b = b;
        b += 1;
        x + b
    };
    let y = if x > 4 {
        let x = 3;
        x
    } else {
        x
    };
    x * 100 + y + b
});

same!(short_circuit, |a, b| {
    let mut n = 0;
    let p = a > 2 && {
        n += 1;
        b > 2
    };
    let q = p || {
        n += 10;
        a == b
    };
    let r = a > 0 && b > 0 && a != b || a == -1;
    n + if q { 100 } else { 0 } + if r { 1000 } else { 0 }
});

same!(jumps_inside_expressions, |a, b| {
    let x = 1 + if a < 0 { return 77 } else { a };
    let mut n = 0;
    let y = loop {
        n += 1;
        let z = if n > b { break n } else { n * 2 };
        n += z - n;
        if n > 40 {
            return x;
        }
    };
    x * 100 + y + (a > 5 && return 3) as i32
});

same!(while_condition_with_block, |a, b| {
    let mut n = a;
    let mut k = 0;
    while {
        k += 1;
        n -= 2;
        n > 0 && k < b + 5
    } {
        if n == 5 {
            n += 1;
        }
    }
    n * 100 + k
});

same!(loop_that_ends_at_once, |a, b| {
    let mut x = a;
    let y = loop {
        x += 1;
        break x * b;
    };
    for i in 0..3 {
        x += i;
        return x + y;
    }
    0
});

same!(
    the_right_side_of_a_compound_assignment_comes_first,
    |a, b| {
        let mut x = a;
        x += {
            x = 2;
            b
        };
        let mut pair = (a, 1);
        pair.1 -= if b > 3 {
            pair.1 = 7;
            b
        } else {
            x
        };
        x * 100 + pair.1
    }
);

same!(tuples_and_patterns, |a, b| {
    let (mut x, (y, _)) = (a, (b, 3));
    let mut pair = (x, y);
    pair.0 += 2;
    pair.1 = pair.0 * 3;
    (x, pair.0) = (pair.1, x);
    let (p, q) = if x > y { (x, pair) } else { (y, (1, 2)) };
    p * 100 + q.0 * 10 + q.1
});

same!(variables_carried_through_two_loops, |a, b| {
    let mut last = 0;
    let mut total = 0;
    for i in 0..4 {
        let mut j = 0;
        while j < a {
            if last % 2 == 0 {
                total += j;
            }
            last += b + j;
            j += 1;
        }
        total += 1;
    }
    total
});

#[test]
fn loops_at_the_end_of_the_range_of_a_type_stop() {
    let source = "pub fn k(a: u8, b: u8) -> u32 {
        let mut n = 0u32;
        for i in a..=b { n += i as u32; }
        for i in (a..=b).step_by(100) { n += i as u32; }
        for _ in (a..=b).rev() { n += 1; }
        n
    }";
    let byte = |v: i128| ufc_ir::Const::int(DType::U8, v);
    for (a, b) in [(250, 255), (0, 255), (5, 4), (255, 255), (0, 0)] {
        let mut expected: u32 = (a..=b).sum();
        expected += (a..=b).step_by(100).sum::<u32>();
        expected += (a..=b).rev().count() as u32;
        let found = eval(source, &[], &[byte(a.into()), byte(b.into())])[0].as_int();
        assert_eq!(found, i128::from(expected), "{a}..={b}");
    }
    let source = "pub fn k(a: i8, b: i8) -> i32 {
        let mut n = 0i32;
        for i in (a..b).step_by(127) { n += i as i32 + 1000; }
        n
    }";
    let byte = |v: i128| ufc_ir::Const::int(DType::I8, v);
    for (a, b) in [(-128, 127), (-100, 100), (3, 2)] {
        let expected: i32 = (a..b).step_by(127).map(|i| i + 1000).sum();
        let found = eval(source, &[], &[byte(a.into()), byte(b.into())])[0].as_int();
        assert_eq!(found, i128::from(expected), "{a}..{b}");
    }
}

#[test]
fn a_step_of_zero_counts_as_one() {
    let source = "pub fn k(a: i32, b: i32) -> i32 { let mut n = 0; for _ in (0..a).step_by(b) { n += 1; } n }";
    assert_eq!(eval(source, &[], &i32s(&[5, 0]))[0].as_int(), 5);
    assert_eq!(eval(source, &[], &i32s(&[5, -2]))[0].as_int(), 5);
    assert_eq!(eval(source, &[], &i32s(&[5, 2]))[0].as_int(), 3);
}

#[test]
fn code_after_a_return_that_would_not_end_is_not_run() {
    // Were the loop computed for negative numbers too, it would never end.
    let source = "pub fn k(a: i32, b: i32) -> i32 {
        let x = (if a < 0 { return 1 } else { a }) + count(a) + (if b > 0 { count(a) } else { 0 });
        x
    }
    fn count(n: i32) -> i32 { let mut n = n; let mut k = 0; while n != 0 { n -= 1; k += 1; if k > 1000 { loop {} } } k }";
    assert_eq!(eval(source, &[], &i32s(&[-1, 1]))[0].as_int(), 1);
    assert_eq!(eval(source, &[], &i32s(&[5, 1]))[0].as_int(), 15);
}
