//! The exit codes: 0 success, 1 error in the input, 2 wrong usage, 3 no suitable device, 130 interrupted.

use crate::{command, folder, outcome, ufc};

#[test]
fn success_and_help() {
    ufc(&["eval", "1"]).ok();
    assert!(ufc(&["--help"]).ok().contains("Exit codes"));
    assert!(ufc(&["--version"]).ok().starts_with("ufc "));
    for verb in [
        "run", "eval", "bench", "render", "check", "emit", "targets", "ops", "explain", "ulp",
    ] {
        assert!(ufc(&[verb, "--help"]).ok().contains("Usage"));
    }
}

#[test]
fn errors_in_the_input() {
    ufc(&["eval", "1 +"]).fails(1);
    ufc(&["run", "no_such_kernel"]).fails(1);
    ufc(&["check", "no_such_file.ufk"]).fails(1);
}

#[test]
fn wrong_usage() {
    ufc(&[]).fails(2);
    ufc(&["no_such_verb"]).fails(2);
    ufc(&["eval", "1", "--threads", "0"]).fails(2);
    ufc(&["eval", "1", "--casting", "any"]).fails(2);
    let message = ufc(&["eval", "1", "--target", "tpu"]).fails(2);
    assert!(message.contains("cuda"), "{message}");
}

#[test]
fn missing_devices() {
    let message = ufc(&["eval", "1", "--target", "wgpu"]).fails(3);
    assert!(
        message.contains("wgpu") && message.contains("cpu"),
        "{message}"
    );
    ufc(&[
        "emit",
        "saxpy",
        "--stage",
        "ir",
        "--target",
        "wgpu:no-such-card",
    ])
    .fails(3);
}

#[test]
fn the_environment_chooses_too() {
    let folder = folder();
    let run = |name, value| {
        let mut command = command(folder.path());
        outcome(command.args(["eval", "1"]).env(name, value))
    };
    run("UFC_TARGET", "cuda").fails(3);
    run("UFC_TARGET", "interp").ok();
    run("UFC_NUM_THREADS", "2").ok();
    run("UFC_NUM_THREADS", "many").fails(2);
    run("UFC_CPU_LEVEL", "clif").ok();
    let mut unknown = command(folder.path());
    unknown.args(["eval", "1", "--target", "cpu"]);
    let error = outcome(unknown.env("UFC_CPU_LEVEL", "z80")).fails(3);
    assert!(error.contains("UFC_CPU_LEVEL"), "{error}");
}

#[cfg(unix)]
#[test]
fn nobody_reading_is_no_error() {
    let folder = folder();
    let mut child = command(folder.path())
        .args(["emit", "mandelbrot", "--stage", "tokens"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
