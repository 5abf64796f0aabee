//! What happens when NVIDIA's driver fails, with the stand-in for it that `tests/libcuda` is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, command, folder, number, outcome, write};

/// The stand-in, which cargo makes beside the tests.
fn library() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let folder = binary.parent().unwrap();
    let name = "libufc_libcuda.so";
    let places = [folder.join(name), folder.join("..").join(name)];
    places
        .into_iter()
        .find(|path| path.exists())
        .expect("the stand-in was built")
}

/// The command in a folder, which is its cache folder too, with a driver that fails as `plan` says.
pub(crate) fn with_driver(folder: &Path, plan: &str) -> Command {
    let driver = folder.join("driver");
    std::fs::create_dir_all(&driver).unwrap();
    std::fs::copy(library(), driver.join("libcuda.so")).unwrap();
    let mut command = command(folder);
    command
        .env("LD_LIBRARY_PATH", &driver)
        .env("UFC_CACHE_DIR", folder)
        .env("UFC_FAKE_CUDA", plan);
    command
}

/// Figures by which the GPU is far better than the processor, so that `auto` takes it.
const FIGURES: &str = r#"{"version": 2, "devices": {"cuda:0 | Stand-in GPU 0 | CUDA 12.0": {
    "operations_per_s": 1e15, "wide_operations_per_s": 1e15, "memory_bytes_per_s": 1e15,
    "upload_bytes_per_s": 1e13, "download_bytes_per_s": 1e13, "latency_s": 1e-6, "start_s": 0.0,
    "compile_s": 0.0
}}}"#;

const KERNEL: &str = "/// Many operations.
pub fn heavy(x: f32) -> f32 {
    let mut a = x;
    for _i in 0..100 { a = a * 0.9375 + x; }
    a
}
";

/// Calls a kernel on a machine whose driver fails as `plan` says; its result goes to `out.npy`.
fn run(folder: &Path, plan: &str, target: &str) -> Outcome {
    write(folder, "heavy.ufk", KERNEL);
    write(folder, "devices.json", FIGURES);
    let mut command = with_driver(folder, plan);
    command.args(["run", "heavy.ufk", "x=linspace(0, 1, 3000)", "--explain"]);
    command.args(["--target", target, "-o", "out.npy"]);
    outcome(&mut command)
}

#[test]
fn auto_goes_on_on_the_processor_and_says_why() {
    let expected = folder();
    let said = run(expected.path(), "", "auto");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr.contains("on cuda:0, 12.0 kB copied"),
        "{}",
        said.stderr
    );
    let expected = std::fs::read(expected.path().join("out.npy")).unwrap();
    let plans = [
        (
            "cuLaunchKernel@1=700",
            "an illegal memory access was encountered",
        ),
        ("memory=1500", "bytes of memory left"),
        ("refuse-modules", "asked to refuse"),
    ];
    for (plan, why) in plans {
        let folder = folder();
        let said = run(folder.path(), plan, "auto");
        assert_eq!(said.code, Some(0), "{plan}: {}", said.stderr);
        for text in [why, "the call goes on on `cpu:", "took     "] {
            assert!(
                said.stderr.contains(text),
                "{plan}: {text}: {}",
                said.stderr
            );
        }
        let is_lost = said
            .stderr
            .contains("warning: the device `cuda:0` was lost");
        assert_eq!(is_lost, plan.contains("=700"), "{}", said.stderr);
        let found = std::fs::read(folder.path().join("out.npy")).unwrap();
        assert_eq!(found, expected, "{plan}");
    }
}

#[test]
fn bench_and_render_run_on_the_gpu() {
    let folder = folder();
    let ufc = |args: &[&str]| outcome(with_driver(folder.path(), "").args(args));
    let args = [
        "bench",
        "mandelbrot",
        "--target",
        "cpu,gpu",
        "--size",
        "300",
        "--time",
        "0",
        "--strict",
    ];
    let printed = ufc(&args).ok();
    for text in [
        "cuda    0       copied",
        "cuda    0       resident",
        "cuda:0: each call copies",
    ] {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    let rows = ufc(&[&args[..], &["--json"]].concat()).json();
    let rows = rows.as_array().unwrap();
    let words = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(words("target"), ["cpu", "cuda", "cuda"]);
    assert_eq!(words("data"), ["here", "copied", "resident"]);
    assert_eq!(words("promise"), ["bits", "bits", "bits"]);
    assert_eq!(words("verified"), [true, true, true]);
    assert!(number(&rows[1], "uploaded_bytes") > 0.0 && number(&rows[2], "uploaded_bytes") == 0.0);
    let draw = |target: &str| {
        let args = [
            "render",
            "mandelbrot",
            "--width",
            "24",
            "-o",
            "a.png",
            "--target",
            target,
        ];
        ufc(&args).ok();
        std::fs::read(folder.path().join("a.png")).unwrap()
    };
    assert_eq!(draw("gpu"), draw("cpu"));
}

#[test]
fn a_target_that_was_named_is_not_replaced() {
    let folder = folder();
    let message = run(folder.path(), "cuLaunchKernel@1=700", "gpu").fails(3);
    assert!(
        message.contains("`cuda:0` can no longer be used"),
        "{message}"
    );
    let message = run(folder.path(), "devices=0", "gpu").fails(3);
    assert!(message.contains("no CUDA-capable device"), "{message}");
    assert!(!folder.path().join("out.npy").exists());
}
