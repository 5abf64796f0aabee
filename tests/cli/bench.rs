//! `ufc bench`.

use crate::{number, ufc};

const KEYS: [&str; 13] = [
    "data",
    "device",
    "downloaded_bytes",
    "elements_per_s",
    "kernel",
    "median_ns",
    "min_ns",
    "n",
    "promise",
    "target",
    "threads",
    "uploaded_bytes",
    "verified",
];

#[test]
fn json_has_exactly_these_keys() {
    let args = [
        "bench",
        "mandelbrot",
        "--target",
        "cpu,interp",
        "--size",
        "10000",
        "--time",
        "0.01",
        "--json",
    ];
    let rows = ufc(&args).json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for (row, target) in rows.iter().zip(["cpu", "interp"]) {
        let mut keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, KEYS);
        assert_eq!(row["kernel"], "mandelbrot");
        assert_eq!(row["target"], target);
        assert_eq!(row["verified"], true);
        let n = number(row, "n");
        assert!((8000.0..12000.0).contains(&n), "{n}");
        assert!(number(row, "min_ns") <= number(row, "median_ns"));
        let rate = n / number(row, "median_ns") * 1e9;
        assert!((number(row, "elements_per_s") / rate - 1.0).abs() < 0.01);
    }
}

#[test]
fn threads_are_compared() {
    let args = [
        "bench",
        "sigmoid",
        "x=linspace(-1, 1, 1000000)",
        "--threads",
        "1,2",
        "--time",
        "0.01",
        "--json",
    ];
    let rows = ufc(&args).json();
    let threads: Vec<f64> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|r| number(r, "threads"))
        .collect();
    assert_eq!(threads, [1.0, 2.0]);
}

#[test]
fn a_missing_target_is_a_row_that_says_why() {
    let args = [
        "bench", "saxpy", "--target", "cpu,gpu", "--size", "20000", "--time", "0.01",
    ];
    let printed = ufc(&args).ok();
    assert!(
        printed.contains("saxpy(a: f32, x: f32, y: f32) -> f32"),
        "{printed}"
    );
    assert!(printed.contains("missing"), "{printed}");
    assert!(printed.contains("yes, 8192"), "{printed}");
    let strict = ufc(&[&args[..], &["--strict"]].concat()).fails(3);
    assert!(strict.contains("gpu"), "{strict}");
    let rows = ufc(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(rows[0]["target"], "cpu");
    assert_eq!(rows[1]["target"], "gpu");
    let why = rows[1]["missing"].as_str().unwrap();
    assert!(why.contains("libcuda.so") && why.contains("wgpu"), "{why}");
}

#[test]
fn every_example_is_verified() {
    let args = [
        "bench", "all", "--size", "5000", "--time", "0", "--strict", "--json",
    ];
    let rows = ufc(&args).json();
    let rows = rows.as_array().unwrap();
    let examples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/examples"));
    assert_eq!(rows.len(), examples.unwrap().count());
    assert!(rows.iter().all(|row| row["verified"] == true), "{rows:?}");
}
