//! Programs in C and C++ against the header and the library: linked both ways, run as they are and under valgrind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What a program that uses the static library has to link besides.
const STATIC_NEEDS: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo put this crate's libraries: beside the test.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("a folder").to_path_buf();
    for file in ["libufc_capi.so", "libufc_capi.a"] {
        assert!(
            folder.join(file).exists(),
            "{file} is not in {}",
            folder.display()
        );
    }
    folder
}

/// An installation made by `scripts/install` of the libraries that this test was built with.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
        let _ = std::fs::remove_dir_all(&prefix);
        let mut install = Command::new(folder().join("../scripts/install"));
        install.arg("--prefix").arg(&prefix);
        install.arg("--libraries").arg(libraries());
        succeed(&mut install);
        prefix
    })
}

/// Runs a command that must succeed; gives its standard output.
fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Dynamic,
    Static,
}

/// Compiles a program, without a warning, with what pkg-config says; gives its path.
fn compile(source: &Path, link: Link) -> PathBuf {
    let name = source.file_name().expect("a name").to_string_lossy();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{link:?}"));
    let is_cxx = name.ends_with(".cc");
    let mut cc = Command::new(if is_cxx { "c++" } else { "cc" });
    cc.arg(if is_cxx { "-std=c++17" } else { "-std=c11" });
    cc.args([
        "-O1",
        "-g",
        "-Wall",
        "-Wextra",
        "-Wno-missing-field-initializers",
        "-Werror",
    ]);
    cc.arg("-o").arg(&program).arg(source);
    let mut config = Command::new("pkg-config");
    config.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    match link {
        Link::Dynamic => {
            config.args(["--cflags", "--libs", "ufc"]);
            cc.args(succeed(&mut config).split_whitespace());
            cc.args(["-pthread", "-lm"]);
            cc.arg(format!("-Wl,-rpath,{}", prefix().join("lib").display()));
        }
        Link::Static => {
            config.args(["--cflags", "ufc"]);
            cc.args(succeed(&mut config).split_whitespace());
            cc.arg(prefix().join("lib/libufc.a")).args(STATIC_NEEDS);
        }
    }
    succeed(&mut cc);
    program
}

fn program(name: &str) -> PathBuf {
    folder().join("tests/c").join(name)
}

/// Compiles and runs a program, linked both ways.
fn run(name: &str) {
    for link in [Link::Dynamic, Link::Static] {
        let out = succeed(&mut Command::new(compile(&program(name), link)));
        assert_eq!(out, "all is well\n", "{name}, {link:?}");
    }
}

/// A folder of files that stand before the libraries of GPU drivers and cannot be loaded: valgrind would watch the drivers, too.
fn no_drivers() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-drivers");
    std::fs::create_dir_all(&folder).expect("a folder for this test");
    for library in ["libvulkan.so", "libEGL.so"] {
        for end in ["", ".1"] {
            let file = folder.join(format!("{library}{end}"));
            std::fs::write(file, "").expect("it can be written");
        }
    }
    folder
}

/// Runs a program under valgrind: no access that is not its own, no memory lost.
fn run_watched(name: &str) {
    let program = compile(&program(name), Link::Dynamic);
    let mut valgrind = Command::new("valgrind");
    valgrind.env("LD_LIBRARY_PATH", no_drivers());
    valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
    valgrind.args([
        "--errors-for-leak-kinds=definite",
        "--exit-on-first-error=yes",
    ]);
    let out = succeed(valgrind.arg(program));
    assert_eq!(out, "all is well\n", "{name}");
}

#[test]
fn calls() {
    run("call.c");
    run_watched("call.c");
}

#[test]
fn mistakes() {
    run("mistakes.c");
    run_watched("mistakes.c");
}

#[test]
fn exchange() {
    run("exchange.c");
    run_watched("exchange.c");
}

#[test]
fn devices() {
    let mut command = Command::new(compile(&program("devices.c"), Link::Dynamic));
    assert_eq!(
        succeed(command.env("UFC_SIMULATED", "yes")),
        "all is well\n"
    );
}

/// A folder in which the driver that runs kernels without a GPU has the name of NVIDIA's.
fn driver() -> PathBuf {
    let library = "libufc_libcuda.so";
    let beside = libraries();
    let places = [beside.join(library), beside.join("..").join(library)];
    let found = places.iter().find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{library} is not in {}", beside.display()));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("driver");
    std::fs::create_dir_all(&folder).expect("a folder for this test");
    std::fs::copy(found, folder.join("libcuda.so")).expect("it can be copied");
    folder
}

/// Linked to the library, as that and the program must have the same driver.
#[test]
fn cuda() {
    let mut command = Command::new(compile(&program("cuda.c"), Link::Dynamic));
    command.env("LD_LIBRARY_PATH", driver());
    command.env("UFC_FAKE_CUDA", "devices=2");
    assert_eq!(succeed(&mut command), "all is well\n");
}

/// Not under valgrind, which does not have the control register's rarer bits.
#[test]
fn environment() {
    run("environment.c");
}

#[test]
fn threads() {
    run("threads.c");
}

#[test]
fn fork() {
    run("fork.c");
}

#[test]
fn cxx() {
    run("classes.cc");
    run_watched("classes.cc");
}

/// The program in README.md prints what the page says.
#[test]
fn readme() {
    let page = std::fs::read_to_string(folder().join("../README.md")).expect("the page");
    let (_, rest) = page.split_once("```c\n").expect("a program in C");
    let (text, rest) = rest.split_once("```\n").expect("its end");
    let (_, shown) = rest.split_once("./saxpy\n").expect("how it is run");
    let (shown, _) = shown.split_once("```").expect("the end of that");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme.c");
    std::fs::write(&source, text).expect("a file");
    for link in [Link::Dynamic, Link::Static] {
        assert_eq!(succeed(&mut Command::new(compile(&source, link))), shown);
    }
}

/// The example draws what the kernel gives: the same picture on every target, and not an empty one.
#[test]
fn example() {
    let program = compile(&folder().join("../examples/c/mandelbrot.c"), Link::Dynamic);
    let draw = |target: &str| {
        let mut command = Command::new(&program);
        let output = command.arg("90").env("UFC_TARGET", target).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let picture = draw("cpu");
    let (head, pixels) = picture.split_at(b"P5\n90 60\n255\n".len());
    assert_eq!(head, b"P5\n90 60\n255\n");
    assert_eq!(pixels.len(), 90 * 60);
    let inside = pixels.iter().filter(|pixel| **pixel == 255).count();
    assert!(
        (900..1600).contains(&inside),
        "{inside} points are in the set"
    );
    assert_eq!(draw("interp"), picture);
    let wrong = Command::new(&program).arg("-3").output();
    assert_eq!(wrong.expect("it runs").status.code(), Some(2));
}

/// What a call costs is printed by a program of its own; here it only has to run.
#[test]
fn benchmark_compiles() {
    compile(&folder().join("benches/latency.c"), Link::Dynamic);
}

/// A Python with the packages that the script needs, in an environment made once for their list.
fn python() -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venv");
    let list = folder().join("tests/python/requirements.txt");
    let wanted = std::fs::read_to_string(&list).expect("the list of packages");
    let (python, made_for) = (environment.join("bin/python"), environment.join("made-for"));
    if std::fs::read_to_string(&made_for).is_ok_and(|known| known == wanted) {
        return python;
    }
    let _ = std::fs::remove_dir_all(&environment);
    succeed(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    );
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    succeed(
        install
            .args(["--only-binary", ":all:", "--requirement"])
            .arg(&list),
    );
    std::fs::write(&made_for, wanted).expect("a file");
    python
}

/// The library through ctypes, on arrays of NumPy and of Arrow.
#[test]
fn against_numpy() {
    let mut script = Command::new(python());
    script.arg(folder().join("tests/python/against_numpy.py"));
    let out = succeed(script.arg(prefix().join("lib/libufc.so")));
    assert!(
        out.lines()
            .filter(|line| line.ends_with("as in NumPy"))
            .count()
            >= 8,
        "{out}"
    );
}
