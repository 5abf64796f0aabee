//! What the command says and does about devices with memory of their own, on a simulated one.

use std::process::Command;

use crate::{Outcome, command, folder, number, outcome};

/// The command with a simulated device, its cache in a folder.
fn simulated(folder: &std::path::Path, machine: &str) -> Command {
    let mut command = command(folder);
    command
        .env("UFC_SIMULATED", machine)
        .env("UFC_CACHE_DIR", folder.join("cache"));
    command
}

fn run(machine: &str, args: &[&str]) -> Outcome {
    outcome(simulated(folder().path(), machine).args(args))
}

#[test]
fn bench_has_a_row_with_transfers_and_one_without() {
    let args = [
        "bench",
        "saxpy",
        "--target",
        "cpu,sim,sim:approx",
        "--size",
        "20000",
        "--time",
        "0.01",
        "--json",
    ];
    let rows = run("", &args).json();
    let rows = rows.as_array().unwrap();
    let words = |key: &str| {
        rows.iter()
            .map(|row| row[key].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(words("target"), ["cpu", "sim", "sim", "sim", "sim"]);
    assert_eq!(
        words("data"),
        ["here", "copied", "resident", "copied", "resident"]
    );
    assert!(rows.iter().all(|row| row["verified"] == true), "{rows:?}");
    let n = number(&rows[1], "n");
    assert_eq!(number(&rows[1], "uploaded_bytes"), 8.0 * n + 4.0);
    assert_eq!(number(&rows[1], "downloaded_bytes"), 4.0 * n);
    assert_eq!(number(&rows[2], "uploaded_bytes"), 0.0);
    assert_eq!(
        (&rows[1]["promise"], &rows[3]["promise"]["ulps"]),
        (&"bits".into(), &4.into())
    );
    let printed = run("", &args[..args.len() - 1]).ok();
    assert!(
        printed.contains("resident") && printed.contains("within 1 ulp"),
        "{printed}"
    );
    assert!(printed.contains("sim:0: each call copies"), "{printed}");
}

#[test]
fn a_picture_is_the_same_on_any_target() {
    let folder = folder();
    let draw = |target: &str, file: &str| {
        let mut command = simulated(folder.path(), "");
        command.args([
            "render",
            "mandelbrot",
            "--width",
            "64",
            "--target",
            target,
            "-o",
            file,
        ]);
        outcome(&mut command).ok();
        std::fs::read(folder.path().join(file)).unwrap()
    };
    assert_eq!(draw("gpu", "gpu.png"), draw("cpu", "cpu.png"));
}

#[test]
fn explain_tells_the_estimate_and_what_it_took() {
    let args = [
        "run",
        "saxpy",
        "a=2",
        "x=linspace(0,1,1000)",
        "y=1",
        "--explain",
        "--target",
        "gpu",
    ];
    let said = run("", &args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    for text in [
        "target   sim:0 (asked for as `gpu`)",
        "not cuda:",
        "time     about",
        "assumed figures",
        "took     ",
        "on sim:0",
        "copied to a device",
    ] {
        assert!(said.stderr.contains(text), "{text}: {}", said.stderr);
    }
    let absent = run("absent=no card,", &args).fails(3);
    assert!(
        absent.contains("sim: no card") && absent.contains("cuda: "),
        "{absent}"
    );
}

#[test]
fn a_lost_device_is_warned_of() {
    let args = ["eval", "x + 1", "x=arange(5)", "--target", "sim"];
    let said = run("lose=1,", &args);
    let message = said.fails(3);
    assert!(
        message.contains("warning: the device `sim:0` was lost: an illegal address"),
        "{message}"
    );
    assert!(message.contains("error: kernel"), "{message}");
}

#[test]
fn software_is_taken_only_by_name_or_by_leave() {
    let folder = folder();
    let mut command = simulated(folder.path(), "");
    command.args(["targets"]);
    let printed = outcome(&mut command).ok();
    let soft = printed
        .lines()
        .find(|line| line.starts_with("sim") && line.contains(" soft "));
    assert!(
        soft.is_some_and(|line| line.contains("by name")),
        "{printed}"
    );
    run("", &["eval", "1", "--target", "sim:soft"]).ok();
}

#[test]
fn stages_of_targets_need_no_device() {
    let text = run("absent=no card,", &["emit", "saxpy", "--stage", "simtext"]).ok();
    assert_eq!(text, "simulated saxpy\n");
    let text = run(
        "absent=no card,",
        &["emit", "saxpy", "--stage", "simtext", "--target", "gpu"],
    )
    .ok();
    assert_eq!(text, "simulated saxpy\n");
    run(
        "absent=no card,",
        &["emit", "saxpy", "--stage", "ir", "--target", "sim:0"],
    )
    .fails(3);
    let message = run("", &["emit", "saxpy", "--stage", "clif", "--target", "sim"]).fails(2);
    assert!(
        message.contains("simtext") && !message.contains("Cranelift"),
        "{message}"
    );
}

#[test]
fn calibration_is_kept_and_shown() {
    let folder = folder();
    let ufc = |args: &[&str]| outcome(simulated(folder.path(), "").args(args));
    let before = ufc(&["targets", "--json"]).json();
    let state = |targets: &serde_json::Value| {
        let all = targets.as_array().unwrap().iter();
        let all = all.filter(|t| t["target"] != "interp");
        let devices = all.flat_map(|t| t["devices"].as_array().unwrap().clone());
        devices
            .map(|d| d["measured"] == true)
            .collect::<Vec<bool>>()
    };
    assert!(state(&before).iter().all(|measured| !measured));
    let said = ufc(&["targets", "--calibrate"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr.contains("measuring sim:approx"),
        "{}",
        said.stderr
    );
    let after = ufc(&["targets", "--json"]).json();
    assert!(state(&after).iter().all(|measured| *measured), "{after}");
    let sim = after
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["target"] == "sim")
        .unwrap();
    let figures = &sim["devices"][0]["figures"];
    for key in [
        "operations_per_s",
        "wide_operations_per_s",
        "memory_bytes_per_s",
        "upload_bytes_per_s",
        "download_bytes_per_s",
    ] {
        assert!(number(figures, key) > 1e5, "{key}: {figures}");
    }
    let approx = &sim["devices"][2];
    assert_eq!(approx["promise"]["ulps"], 4);
    let dtypes = approx["dtypes"].as_array().unwrap();
    assert!(
        dtypes.contains(&"f32".into()) && !dtypes.contains(&"f64".into()),
        "{approx}"
    );
    // A damaged file is ignored, and that is said.
    let file = folder.path().join("cache/devices.json");
    assert!(file.exists());
    std::fs::write(&file, "{").unwrap();
    let said = ufc(&["targets"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.stderr.contains("devices.json is ignored"),
        "{}",
        said.stderr
    );
    assert!(said.stdout.contains("assumed"), "{}", said.stdout);
}
