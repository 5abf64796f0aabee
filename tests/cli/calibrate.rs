//! `ufc targets --calibrate` with the stand-in for NVIDIA's driver: figures are measured, kept, read back, and decide where calls run.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fallback::with_driver;
use crate::{Outcome, folder, number, outcome, write};

/// What the figures of the stand-in are kept under.
const DEVICE: &str = "cuda:0 | Stand-in GPU 0 | CUDA 12.0";

/// Every figure, and one with which the device is taken for nothing.
const FIGURES: [(&str, f64, f64); 8] = [
    ("operations_per_s", 1e15, 1e3),
    ("wide_operations_per_s", 1e15, 1e3),
    ("memory_bytes_per_s", 1e15, 1e3),
    ("upload_bytes_per_s", 1e13, 1e3),
    ("download_bytes_per_s", 1e13, 1e3),
    ("latency_s", 1e-6, 10.0),
    ("start_s", 0.0, 10.0),
    ("compile_s", 0.0, 10.0),
];

/// Kernels with many operations, all on 32-bit or on 64-bit values: without loops, whose counters would be both.
fn kernels() -> String {
    let steps = "    a = a * 0.9375 + x;\n".repeat(100);
    let kernel = |name: &str, dtype: &str| {
        format!("pub fn {name}(x: {dtype}) -> {dtype} {{\n    let mut a = x;\n{steps}    a\n}}\n")
    };
    kernel("narrow", "f32") + &kernel("wide", "f64")
}

/// The command with the stand-in, and without other GPUs, which would take their time.
fn ufc(folder: &Path, plan: &str) -> Command {
    let mut command = with_driver(folder, plan);
    command
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent");
    command
}

fn run(folder: &Path, args: &[&str]) -> Outcome {
    outcome(ufc(folder, "").args(args))
}

fn kept(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("devices.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What `ufc targets --json` says of the first device of a target.
fn listed(targets: &Value, name: &str) -> Value {
    let mut all = targets.as_array().unwrap().iter();
    let found = all.find(|target| target["target"] == name).unwrap();
    found["devices"][0].clone()
}

/// Where `auto` runs a kernel by the figures in the folder, and what is said.
fn place(folder: &Path, kernel: &str, dtype: &str) -> String {
    let x = format!("x=linspace(0, 1, 3000) as {dtype}");
    let kernel = format!("kernels.ufk:{kernel}");
    let said = run(folder, &["run", &kernel, &x, "--explain", "-o", "out.npy"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stderr
}

#[test]
fn figures_are_measured_kept_and_read_back() {
    let folder = folder();
    let folder = folder.path();
    // Of a later version of ufc, say; it is ignored until it is written anew.
    write(folder, "devices.json", r#"{"version": 99, "devices": {}}"#);
    let before = run(folder, &["targets", "--json"]);
    assert!(
        before
            .stderr
            .contains("devices.json is ignored: it is of version 99"),
        "{}",
        before.stderr
    );
    assert_eq!(listed(&before.json(), "cuda")["measured"], false);
    let said = run(folder, &["targets", "--calibrate", "--json"]);
    assert!(said.stderr.contains("measuring cuda:0"), "{}", said.stderr);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    let cuda = listed(&said.json(), "cuda");
    let kept = kept(folder);
    for (name, ..) in FIGURES {
        let figure = number(&kept["devices"][DEVICE], name);
        assert!(figure > 0.0, "{name}: {kept}");
        assert_eq!(number(&cuda["figures"], name), figure, "{name}");
    }
    // Another process has the same ones, and estimates by them.
    let after = run(folder, &["targets", "--json"]);
    assert!(!after.stderr.contains("ignored"), "{}", after.stderr);
    let after = after.json();
    assert_eq!(listed(&after, "cuda"), cuda);
    assert_eq!(listed(&after, "cpu")["measured"], true);
    let args = [
        "run",
        "saxpy",
        "a=2",
        "x=arange(9)",
        "y=1",
        "--explain",
        "--target",
        "cuda",
    ];
    let said = run(folder, &args);
    assert!(
        said.stderr.contains("by figures measured on this machine"),
        "{}",
        said.stderr
    );
    // With another driver nothing is known.
    let other = outcome(ufc(folder, "version=12010").args(["targets", "--json"])).json();
    assert_eq!(listed(&other, "cuda")["measured"], false);
    assert_eq!(listed(&other, "cpu")["measured"], true);
    // Half a file is no file, and what runs goes on running.
    let text = kept.to_string();
    write(folder, "devices.json", &text[..text.len() / 2]);
    let said = run(folder, &args);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr.contains("by assumed figures"),
        "{}",
        said.stderr
    );
    let said = run(folder, &["targets"]);
    assert!(
        said.stderr.contains("devices.json is ignored"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_device_that_cannot_be_measured_is_named_and_the_others_are() {
    let folder = folder();
    let folder = folder.path();
    let said =
        outcome(ufc(folder, "cuMemAlloc_v2@4+=2").args(["targets", "--calibrate", "--json"]));
    assert!(
        said.stderr
            .contains("warning: cuda:0 could not be measured: ")
            && said.stderr.contains("bytes of memory left"),
        "{}",
        said.stderr
    );
    let targets = said.json();
    assert_eq!(listed(&targets, "cuda")["measured"], false);
    assert_eq!(listed(&targets, "cpu")["measured"], true);
    let kept = kept(folder);
    let names: Vec<&String> = kept["devices"].as_object().unwrap().keys().collect();
    assert!(
        names.iter().all(|name| name.starts_with("cpu:")),
        "{names:?}"
    );
}

#[test]
fn each_figure_decides_where_calls_run() {
    let folder = folder();
    let folder = folder.path();
    write(folder, "kernels.ufk", &kernels());
    let with = |spoiled: Option<&str>| {
        let figures: serde_json::Map<String, Value> = FIGURES
            .iter()
            .map(|(name, good, bad)| {
                let figure = if spoiled == Some(name) { bad } else { good };
                ((*name).to_string(), json!(figure))
            })
            .collect();
        let text = json!({ "version": 2, "devices": { DEVICE: figures } }).to_string();
        write(folder, "devices.json", &text);
        let taken = |kernel, dtype| {
            let said = place(folder, kernel, dtype);
            let line = said.lines().find(|line| line.starts_with("target "));
            let is_cuda = line.unwrap_or_default().contains("cuda:0");
            // It is told either way.
            assert!(said.contains("cuda"), "{said}");
            assert!(
                said.contains(if is_cuda { "on cuda:0" } else { "on cpu:" }),
                "{said}"
            );
            is_cuda
        };
        (taken("narrow", "f32"), taken("wide", "f64"))
    };
    assert_eq!(with(None), (true, true));
    for (name, ..) in FIGURES {
        let expected = match name {
            "operations_per_s" => (false, true),
            "wide_operations_per_s" => (true, false),
            _ => (false, false),
        };
        assert_eq!(with(Some(name)), expected, "{name}");
    }
}
