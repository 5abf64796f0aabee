//! Tests of the runner itself: what is wrong must fail.

use libtest_mimic::Trial;

use super::annotate::{self, Finding};
use super::{Case, Outcome, expect, ir, root, run};

/// Every test of the runner.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("harness/wrong_results_fail", wrong_results_fail),
        Trial::test("harness/annotations_must_fit", annotations_must_fit),
        Trial::test("harness/a_changed_pass_fails", a_changed_pass_fails),
        Trial::test("harness/differences_are_short", differences_are_short),
    ]
}

fn case(name: &str, within: &str, text: &str) -> Case {
    Case {
        path: root().join(name),
        within: within.to_string(),
        text: text.to_string(),
    }
}

fn must_fail(outcome: Outcome, part: &str) -> Outcome {
    let Err(failed) = outcome else {
        return Err("it did not fail".into());
    };
    let message = failed.message().unwrap_or_default().to_string();
    if message.contains(part) {
        Ok(())
    } else {
        Err(format!("it failed with: {message}").into())
    }
}

fn wrong_results_fail() -> Outcome {
    let kernel = "pub fn f(x: f32) -> f32 { x + 1.0 }";
    let run = |call: &str| run::run(&case("none.ufk", "", &format!("{kernel}\n// run: {call}")));
    run("f(1.0) == 2.0")?;
    run("f(1.0) == 2.0000002 ~ 1 ulp")?;
    must_fail(run("f(1.0) == 3.0"), "gives 2.0, not 3.0")?;
    must_fail(run("f(1.0) == 2.0000002"), "gives 2.0")?;
    must_fail(run("f(-1.0) == -0.0"), "gives 0.0, not -0.0")?;
    must_fail(run("f(nan) == 1.0"), "gives nan")?;
    must_fail(run("f(1.0, 2.0) == 3.0"), "2 arguments, not 1")?;
    must_fail(run("f(1i32) == 3.0"), "is not a value of type f32")?;
    must_fail(run("g(1.0) == 3.0"), "no kernel `g`")?;
    must_fail(run::run(&case("none.ufk", "", kernel)), "no `run:` line")
}

fn annotations_must_fit() -> Outcome {
    let text = "fine\nwrong //~ UFC0000: it is wrong\n//~^ UFC0001: above";
    let finding = |line, text: &str| Finding {
        line,
        text: text.to_string(),
    };
    let (one, two) = (
        finding(2, "UFC0000: it is wrong here"),
        finding(2, "UFC0001: above"),
    );
    annotate::check(text, "//~", &[one.clone(), two.clone()])?;
    must_fail(
        annotate::check(text, "//~", std::slice::from_ref(&one)),
        "annotated, but not found",
    )?;
    must_fail(
        annotate::check("fine", "//~", &[one]),
        "found, but not annotated",
    )?;
    must_fail(
        annotate::check("\n\nfine //~ UFC0001: above", "//~", &[two]),
        "line 3",
    )
}

fn a_changed_pass_fails() -> Outcome {
    if expect::blessing() {
        return Ok(());
    }
    let text = "func f(v0 x: i32) -> (i32) {\n  v1: i32 = add v0, v0\n  yield v0\n}\n\n; expect\n";
    must_fail(ir::pass(&case("none.ufir", "dce", text)), "UFC_BLESS=1")?;
    must_fail(
        ir::pass(&case("none.ufir", "no_such_pass", text)),
        "no pass",
    )?;
    must_fail(ir::pass(&case("none.ufir", "dce", "func f(")), "expected")
}

fn differences_are_short() -> Outcome {
    let old = "a\nb\nc\nd\ne\nf\ng";
    let shown = expect::difference(old, &old.replace('d', "x"));
    let wanted = "from line 4 on (- expected, + found):\n  b\n  c\n- d\n+ x\n  e\n  f";
    if shown == wanted {
        Ok(())
    } else {
        Err(shown.into())
    }
}
