//! The wgpu target without drivers, and what it keeps in the cache folder.

use std::path::Path;

use super::{Outcome, command, folder, outcome, write};

const SAXPY: [&str; 5] = ["run", "saxpy", "a=2", "x=3", "y=4"];

/// Runs the command with no Vulkan driver but the one of this manifest, and none for GL.
fn with_driver(manifest: &str, args: &[&str]) -> Outcome {
    let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")));
    command
        .args(args)
        .env("VK_ICD_FILENAMES", manifest)
        .env("VK_DRIVER_FILES", manifest)
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json")
        .env("LIBGL_DRIVERS_PATH", "/nonexistent");
    outcome(&mut command)
}

#[track_caller]
fn is_missing(manifest: &str) {
    let listed = with_driver(manifest, &["targets"]).ok();
    let row = listed.lines().find(|line| line.starts_with("wgpu"));
    let row = row.unwrap_or_else(|| panic!("no row for wgpu:\n{listed}"));
    assert!(
        row.contains("missing") && row.contains("no Vulkan"),
        "{row}"
    );
    let run = |target: &str| with_driver(manifest, &[&SAXPY[..], &["--target", target]].concat());
    for target in ["wgpu", "wgpu:llvmpipe", "gpu"] {
        let found = run(target);
        assert_ne!(found.code, Some(0), "{}", found.stdout);
        assert!(found.stderr.contains("no Vulkan"), "{}", found.stderr);
    }
    let found = run("auto");
    assert_eq!(found.stderr, "");
    assert_eq!(found.ok().trim(), "10.0");
}

/// Without a driver the target is not there and says so, and `auto` does without.
#[test]
fn no_driver_is_no_target() {
    is_missing("/nonexistent.json");
}

#[test]
fn a_driver_that_cannot_be_loaded_is_as_none() {
    let folder = folder();
    let library = write(folder.path(), "libbroken.so", "this is no library");
    let text = format!(
        r#"{{"file_format_version": "1.0.0", "ICD": {{"library_path": {library:?}, "api_version": "1.3.0"}}}}"#
    );
    let manifest = write(folder.path(), "broken.json", &text);
    is_missing(&manifest.display().to_string());
}

/// What the driver made of shaders is in the cache folder, and does no harm there when damaged.
#[test]
fn shaders_are_kept_and_damage_does_no_harm() {
    let run = |cache: &Path| {
        let mut command = command(cache);
        command
            .args(SAXPY)
            .args(["--target", "wgpu:llvmpipe"])
            .env("UFC_CACHE_DIR", cache);
        outcome(&mut command)
    };
    let folder = folder();
    let first = run(folder.path());
    if first.code != Some(0) {
        let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
        assert!(!required, "{}", first.stderr);
        return;
    }
    assert_eq!(first.ok().trim(), "10.0");
    let kept = folder.path().join("wgpu");
    let files = std::fs::read_dir(&kept).expect("something is kept");
    let paths: Vec<_> = files
        .map(|file| file.expect("it is there").path())
        .collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    let whole = std::fs::read(&paths[0]).expect("it can be read");
    let mut changed = whole.clone();
    changed[whole.len() - 1] ^= 0x40;
    for bytes in [
        &changed[..],
        &whole[..whole.len() / 2],
        b"",
        b"something else",
    ] {
        std::fs::write(&paths[0], bytes).expect("it can be written");
        assert_eq!(run(folder.path()).ok().trim(), "10.0");
        let again = std::fs::read(&paths[0]).expect("it is there again");
        assert_ne!(again, bytes, "it is made anew");
    }
}

/// A driver that is software is taken by name, or where that is allowed, but not as `gpu` by itself.
#[test]
fn software_is_a_gpu_only_where_that_is_allowed() {
    let run = |target: &str, allowed: Option<&str>| {
        let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")));
        command.args(SAXPY).args(["--target", target, "--explain"]);
        if let Some(word) = allowed {
            command.env("UFC_SOFTWARE_GPU", word);
        }
        outcome(&mut command)
    };
    let devices = super::ufc(&["targets"]).ok();
    let rows: Vec<&str> = devices.lines().filter(|l| l.starts_with("wgpu")).collect();
    let is_software_alone = rows.iter().all(|row| row.contains("by name"));
    if !is_software_alone || devices.lines().any(|l| l.starts_with("cuda    ready")) {
        // A machine with a GPU.
        return;
    }
    for refused in [None, Some("0")] {
        let error = run("gpu", refused);
        assert_ne!(error.code, Some(0), "{}", error.stdout);
        assert!(
            error.stderr.contains("UFC_SOFTWARE_GPU=1"),
            "{}",
            error.stderr
        );
        let chosen = run("auto", refused);
        assert!(!chosen.stderr.contains("on wgpu"), "{}", chosen.stderr);
        assert_eq!(chosen.ok().trim(), "10.0");
    }
    for (target, allowed) in [("gpu", Some("1")), ("wgpu:llvmpipe", None)] {
        let chosen = run(target, allowed);
        assert!(chosen.stderr.contains("wgpu:llvmpipe"), "{}", chosen.stderr);
        assert_eq!(chosen.ok().trim(), "10.0");
    }
}

/// The largest errors of the functions, from the true results: a few units in the last place are promised.
#[cfg(feature = "ulp")]
#[test]
fn functions_are_near_the_true_results() {
    for (target, dtype) in [
        ("wgpu:llvmpipe", "f32"),
        ("wgpu:llvmpipe", "f64"),
        ("wgpu:llvmpipe-gl", "f32"),
    ] {
        let args = ["ulp", "--all", "--every", "49999", "--json"];
        let measured = super::ufc(&[&args[..], &["--dtype", dtype, "--target", target]].concat());
        if measured.stdout.is_empty() && measured.stderr.contains("not available") {
            let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
            assert!(!required, "{}", measured.stderr);
            continue;
        }
        // The command fails where an error is larger than on a processor, which is reported here as it is.
        let rows: serde_json::Value =
            serde_json::from_str(&measured.stdout).expect(&measured.stderr);
        let rows = rows.as_array().expect("a list");
        assert_eq!(rows.len(), 15);
        for row in rows {
            assert!(super::number(row, "max_ulp") <= 4.0, "{target}: {row}");
            assert!(super::number(row, "checked") > 80_000.0, "{row}");
        }
    }
}

/// The text of every language is there without a device, and the stage says which target is meant.
#[test]
fn shaders_are_shown_in_every_language() {
    for (stage, word) in [
        ("wgsl", "@compute @workgroup_size(64)"),
        ("spirv", "OpEntryPoint GLCompute"),
        ("msl", "kernel void"),
        ("hlsl", "[numthreads(64, 1, 1)]"),
        ("glsl", "local_size_x = 64"),
    ] {
        for target in [&[][..], &["--target", "wgpu"]] {
            let args = [&["emit", "saxpy", "--stage", stage][..], target].concat();
            let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")));
            let found = outcome(
                command
                    .args(args)
                    .env("VK_DRIVER_FILES", "/nonexistent.json"),
            );
            let text = found.ok();
            assert!(text.contains(word), "{stage}: {text}");
        }
    }
}

/// A dtype that a device lacks: the message says which, what kernel asks for it and which targets have it, for a text as for a
/// call.
#[test]
fn what_a_device_lacks_is_named() {
    let folder = folder();
    write(
        folder.path(),
        "wide.ufk",
        "pub fn wide(x: f64) -> f64 { x * 3.0 }\n",
    );
    let runs: [&[&str]; 2] = [
        &["emit", "wide.ufk", "--stage", "wgsl"],
        &["run", "wide.ufk", "x=1.5"],
    ];
    for args in runs {
        let args = [args, &["--target", "wgpu:llvmpipe-gl"]].concat();
        let found = super::ufc_in(folder.path(), &args);
        assert_ne!(found.code, Some(0), "{}", found.stdout);
        let message = found.stderr;
        if message.contains("not available") {
            let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
            assert!(!required, "{message}");
            return;
        }
        for word in [
            "f64",
            "`wide`",
            "`wgpu:llvmpipe-gl` has no floats of 64 bits",
            "`cpu`",
            "`cuda`",
        ] {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
}

/// `bench` compares the processor with a device, which gives the interpreter's results.
#[test]
fn bench_takes_a_device_beside_the_processor() {
    let args = [
        "bench",
        "mandelbrot",
        "--target",
        "cpu,wgpu:llvmpipe",
        "--size",
        "5000",
        "--time",
        "0.01",
        "--json",
    ];
    let found = super::ufc(&args);
    if found.stderr.contains("not available") {
        let required = std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required");
        assert!(!required, "{}", found.stderr);
        return;
    }
    let rows = found.json();
    let rows = rows.as_array().expect("a list");
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (&row["target"], &row["data"]))
        .collect();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(rows.iter().all(|row| row["verified"] == true), "{rows:?}");
}
