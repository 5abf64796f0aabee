//! `ufc run`.

use crate::{folder, names, ufc, ufc_in, write};
use ufc::array::npy;
use ufc::{Array, DType};

#[test]
fn files_in_and_files_out() {
    let folder = folder();
    let at = folder.path();
    let spot = Array::from([100.0f32, 120.0, 80.0]);
    let years = Array::from([1.0f64, 0.5, 2.0]);
    npy::write(at.join("spot.npy"), &spot.view()).unwrap();
    npy::write(at.join("t.npy"), &years.view()).unwrap();
    let args = [
        "run",
        "black_scholes",
        "spot=spot.npy",
        "strike=100",
        "years=t.npy",
        "-o",
        "call.npy",
        "put.npy",
    ];
    assert_eq!(ufc_in(at, &args).ok(), "");
    let call = npy::read(at.join("call.npy")).unwrap();
    assert_eq!((call.dtype(), call.shape()), (DType::F32, &[3][..]));
    // Independent values, from the exact normal distribution function.
    let expected = [12.821582f32, 23.281261, 8.082944];
    let near = |a: &f32, b: &f32| (a - b).abs() < 1e-4;
    let call = call.into_vec::<f32>().unwrap();
    assert!(
        call.iter().zip(&expected).all(|(a, b)| near(a, b)),
        "{call:?}"
    );
    assert_eq!(names(at), ["call.npy", "put.npy", "spot.npy", "t.npy"]);
}

#[test]
fn every_target_gives_the_same_bits() {
    let args = |target| {
        let inputs = ["x=linspace(-10, 10, 1001)", "--json", "--target", target];
        [&["run", "gelu"][..], &inputs[..]].concat()
    };
    assert_eq!(ufc(&args("cpu")).ok(), ufc(&args("interp")).ok());
}

#[test]
fn inputs_broadcast() {
    let args = [
        "run",
        "hypot",
        "x=arange(3)[:,None]",
        "y=full(2, 4)",
        "--dtype",
        "f64",
    ];
    let printed = ufc(&args).ok();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.starts_with("[[4.0, 4.0], "), "{printed}");
}

#[test]
fn a_kernel_of_several_is_named_after_a_colon() {
    let folder = folder();
    let text = "pub fn twice(x: i32) -> i32 { x * 2 }\npub fn half(x: i32) -> i32 { x / 2 }\n";
    write(folder.path(), "two.ufk", text);
    let run = |kernel| ufc_in(folder.path(), &["run", kernel, "x=21"]);
    assert_eq!(run("two.ufk:twice").ok(), "42\n");
    assert_eq!(run("two.ufk:half").ok(), "10\n");
    assert!(run("two.ufk").fails(1).contains("twice, half"));
    assert!(run("two.ufk:third").fails(1).contains("third"));
    assert!(run("three.ufk").fails(1).contains("three.ufk"));
    assert_eq!(
        ufc(&["run", "murmur_hash:murmur_hash_u64", "key=0"]).ok(),
        "0\n"
    );
    assert!(
        ufc(&["run", "mandelbrott"])
            .fails(1)
            .contains("did you mean `mandelbrot`?")
    );
}

#[test]
fn mistakes_in_inputs_are_named() {
    let fails = |inputs: &[&str], code| ufc(&[&["run", "saxpy"], inputs].concat()).fails(code);
    assert!(fails(&["a=1", "x=2"], 2).contains("`y`"));
    assert!(fails(&["a=1", "x=2", "z=3"], 2).contains("`z`"));
    assert!(fails(&["a=1", "a=2"], 2).contains("twice"));
    assert!(fails(&["1"], 2).contains("NAME=VALUE"));
    assert!(fails(&["a=1", "x=linspase(0,1,2)", "y=0"], 2).contains("linspace"));
    assert!(fails(&["a=1", "x=none.npy", "y=0"], 1).contains("none.npy"));
    assert!(fails(&["a=1", "x=arange(3)", "y=arange(4)"], 1).contains('3'));
    assert!(fails(&["a=1", "x=random(9000000000000000000, 1)", "y=0"], 1).contains("`x`"));
}

#[test]
fn damaged_files_are_refused() {
    let folder = folder();
    let at = folder.path();
    npy::write(at.join("good.npy"), &Array::from([1.0f32; 100]).view()).unwrap();
    let bytes = std::fs::read(at.join("good.npy")).unwrap();
    std::fs::write(at.join("short.npy"), &bytes[..bytes.len() - 1]).unwrap();
    std::fs::write(at.join("empty.npy"), b"").unwrap();
    std::fs::write(at.join("text.npy"), b"hello, world, this is no array").unwrap();
    for name in ["short.npy", "empty.npy", "text.npy"] {
        let input = format!("x={name}");
        let message = ufc_in(at, &["run", "sigmoid", &input, "-o", "out.npy"]).fails(1);
        assert!(message.contains(name), "{message}");
        assert!(!at.join("out.npy").exists());
    }
}

#[test]
fn outputs_are_whole_or_not_there() {
    let folder = folder();
    let at = folder.path();
    let run = |outputs: &[&str]| {
        let args = [
            &["run", "polar_to_cartesian", "r=1", "theta=0", "-o"],
            outputs,
        ]
        .concat();
        ufc_in(at, &args)
    };
    assert!(run(&["x.npy"]).fails(2).contains("2 results"));
    assert!(
        run(&["x.npy", "none/y.npy"])
            .fails(1)
            .contains("none/y.npy")
    );
    assert_eq!(names(at), [""; 0]);
    run(&["x.npy", "y.npy"]).ok();
    assert_eq!(npy::read(at.join("x.npy")).unwrap(), Array::from(1.0f32));
    // An input may be its own output.
    let sigmoid = ["run", "sigmoid", "x=x.npy", "-o", "x.npy"];
    ufc_in(at, &sigmoid).ok();
    assert_ne!(npy::read(at.join("x.npy")).unwrap(), Array::from(1.0f32));
}

#[test]
fn the_plan_explains_itself() {
    let outcome = ufc(&["run", "sigmoid", "x=0", "--plan", "--target", "cpu"]);
    assert!(outcome.stderr.contains("cpu"), "{}", outcome.stderr);
    assert_eq!(outcome.ok(), "0.5\n");
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_output() {
    let folder = folder();
    let text = "pub fn forever(x: u32) -> u32 {\n    let mut y = x;\n    while y < 4000000000 { y = y ^ 1; }\n    y\n}\n";
    write(folder.path(), "forever.ufk", text);
    let mut child = crate::command(folder.path())
        .args(["run", "forever.ufk", "x=arange(100000000)", "-o", "out.npy"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    // The kernel never ends, so the first signal only asks; the second one insists.
    for _ in 0..2 {
        let id = child.id().to_string();
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(names(folder.path()), ["forever.ufk"]);
}
