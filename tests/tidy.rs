//! The repository's own rules, as tests: documents that are true, files that are short, nothing left lying about.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ufc_ir::DType;
use ufc_ir::ops::{Accuracy, MathFn, Op};
use ufc_lang::codes::Code;

/// Longest a source file may be.
const MAX_LINES: usize = 800;
/// Files that may be longer: tables, which are read by looking up.
const LONG: &[&str] = &[];

/// Folders that hold what this repository is made of.
const FOLDERS: &[&str] = &[
    ".ci", "benches", "capi", "docs", "examples", "fuzz", "include", "kernels", "macros",
    "scripts", "src", "tests",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository with this extension, as paths from the root.
fn files(extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    let mut entries = list(&root());
    while let Some(folder) = folders.pop() {
        entries.extend(list(&folder));
        folders.extend(
            list(&folder)
                .into_iter()
                .filter(|path| path.is_dir() && !path.ends_with("target")),
        );
    }
    for path in entries {
        if path.is_file() && path.extension().is_some_and(|e| e == extension) {
            let path = path
                .strip_prefix(root())
                .expect("found below the root")
                .to_path_buf();
            found.push(
                path.iter()
                    .map(|part| part.to_string_lossy())
                    .collect::<Vec<_>>()
                    .join("/"),
            );
        }
    }
    found.sort();
    found.dedup();
    assert!(!found.is_empty(), "no file ends in .{extension}");
    found
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with everything found, so that one run shows it all.
fn none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut found = Vec::new();
    for path in files("rs") {
        let text = read(&path);
        if !text.starts_with("//! ")
            && !text.starts_with("#![doc = include_str!")
            && !text.starts_with("#![no_main]\n//! ")
        {
            found.push(path);
        }
    }
    for path in files("ufk") {
        // The documentation of an example is that of its kernels; broken text has no rules.
        let is_free = path.starts_with("kernels/examples/") || path.starts_with("tests/filetests/");
        if !read(&path).starts_with("//! ")
            && (!is_free || path.starts_with("tests/filetests/run/"))
        {
            found.push(path);
        }
    }
    none("files that do not start with `//! `", &found);
}

#[test]
fn every_example_kernel_is_documented() {
    let mut found = Vec::new();
    for path in files("ufk")
        .iter()
        .filter(|path| path.starts_with("kernels/examples/"))
    {
        let text = read(path);
        if !text.contains("pub fn ")
            || !text.contains("/// ")
            || !text.contains("#[test_case(")
            || !text.contains("#[bench(")
        {
            found.push(path.clone());
        }
    }
    none(
        "examples without documentation, a test case or a bench workload",
        &found,
    );
}

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for path in files("rs") {
        let lines = read(&path).lines().count();
        if lines > MAX_LINES && !LONG.contains(&path.as_str()) {
            found.push(format!("{path}: {lines} lines"));
        }
    }
    none(&format!("files of more than {MAX_LINES} lines"), &found);
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<String> = Code::ALL
        .iter()
        .map(|code| code.name().to_string())
        .collect();
    let pages: BTreeSet<String> = files("md")
        .iter()
        .filter_map(|path| path.strip_prefix("docs/errors/")?.strip_suffix(".md"))
        .filter(|name| name.starts_with("UFC"))
        .map(str::to_string)
        .collect();
    let difference: Vec<String> = codes.symmetric_difference(&pages).cloned().collect();
    none("codes without a page or pages without a code", &difference);
}

#[test]
fn every_pass_has_tests() {
    let mut found = Vec::new();
    for path in list(&root().join("src/ir/passes")) {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if !text.contains("pub fn run(") {
            continue;
        }
        let folder = if name == "spmd" {
            name.clone()
        } else {
            format!("passes/{name}")
        };
        let tests = list(&root().join("tests/filetests").join(&folder));
        if tests.is_empty() {
            found.push(format!("{name}: tests/filetests/{folder} is empty"));
        }
    }
    none("passes without file tests", &found);
}

#[test]
fn unsafe_code_is_where_the_list_says() {
    let listed = read("docs/unsafe.md");
    let mut found = Vec::new();
    for path in files("rs") {
        let is_unsafe = read(&path).lines().map(str::trim).any(|line| {
            let kinds = ["{", "fn", "impl", "extern"];
            let mut words = line.split(|c: char| c.is_whitespace() || c == '(');
            let follows = words.any(|word| word == "unsafe")
                && words.next().is_some_and(|next| kinds.contains(&next));
            !line.starts_with("//") && follows
        });
        let is_listed = listed.contains(&format!("`{path}`"));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if is_unsafe && !is_listed && !listed.contains(&format!("`{folder}/`")) {
            found.push(format!("{path}: not listed"));
        }
        let rows = listed.lines().filter(|line| line.starts_with('|'));
        if !is_unsafe
            && rows
                .into_iter()
                .any(|row| row.contains(&format!("`{path}`")))
        {
            found.push(format!("{path}: listed, but has none"));
        }
    }
    none(
        "docs/unsafe.md is not the list of files with unsafe code",
        &found,
    );
}

#[test]
fn paths_in_documents_exist() {
    let mut found = Vec::new();
    for document in files("md") {
        let folder = Path::new(&document)
            .parent()
            .unwrap_or(Path::new(""))
            .to_path_buf();
        let text = read(&document);
        for path in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| names_a_path(word))
        {
            let path = path.trim_end_matches('/').split(':').next().unwrap_or(path);
            if !root().join(path).exists() {
                found.push(format!("{document}: `{path}`"));
            }
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or(link);
            let is_local = !target.is_empty()
                && !target.contains("://")
                && !target.contains(char::is_whitespace);
            if is_local && !root().join(&folder).join(target).exists() {
                found.push(format!("{document}: ({link})"));
            }
        }
    }
    none("paths in documents that do not exist", &found);
}

/// Whether a word in backquotes is a path in the repository, rather than a pattern or a command.
fn names_a_path(word: &str) -> bool {
    let in_folder = |folder: &&str| word.starts_with(&format!("{folder}/"));
    let is_plain = word
        .chars()
        .all(|c| c.is_alphanumeric() || "/._-:".contains(c));
    // `NAME` stands for a name in recipes.
    FOLDERS.iter().any(in_folder) && is_plain && !word.contains("NAME")
}

#[test]
fn nothing_points_outside_or_waits_to_be_done() {
    // Written in two halves, so that this file does not find itself.
    let words = [
        ("/wo", "rk/"),
        ("/ho", "me/"),
        ("/ro", "ot/"),
        ("/Us", "ers/"),
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
    ];
    let mut found = Vec::new();
    for path in ["rs", "ufk", "ufir", "md", "toml", "sh"]
        .iter()
        .flat_map(|extension| optional(extension))
    {
        for (number, line) in read(&path).lines().enumerate() {
            for (a, b) in words {
                if line.contains(&format!("{a}{b}")) {
                    found.push(format!("{path}:{}: {a}{b}", number + 1));
                }
            }
        }
    }
    none("absolute paths and reminders", &found);
}

fn optional(extension: &str) -> Vec<String> {
    std::panic::catch_unwind(|| files(extension)).unwrap_or_default()
}

#[test]
fn crates_depend_on_what_they_may() {
    let allowed: &[(&str, &[&str])] = &[
        ("src/ir", &[]),
        ("src/lang", &["ufc-ir"]),
        ("src/target", &["ufc-ir"]),
        ("src/math", &["ufc-ir", "ufc-lang", "ufc-target"]),
        ("src/backend_cpu", &["ufc-ir", "ufc-target"]),
        ("capi", &["ufc"]),
        ("src/backend_cuda", &["ufc-ir", "ufc-target"]),
        ("src/backend_wgpu", &["ufc-ir", "ufc-target"]),
        ("macros", &["ufc-ir", "ufc-lang"]),
    ];
    let workspace = read("Cargo.toml");
    let mut found = Vec::new();
    for (folder, may) in allowed {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for line in dependencies.lines().filter(|line| line.starts_with("ufc")) {
            let name: String = line
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '-')
                .collect();
            if !may.contains(&name.as_str()) {
                found.push(format!("{folder} depends on {name}"));
            }
        }
        let is_pure = matches!(*folder, "src/ir" | "src/lang" | "src/target" | "src/math");
        if is_pure
            && dependencies
                .lines()
                .any(|line| line.contains('=') && !line.starts_with("ufc"))
        {
            found.push(format!("{folder} depends on a crate from outside"));
        }
        let members = workspace.matches(&format!("\"{folder}\"")).count();
        // What `cargo build` makes without being told is what the command and the library need.
        // The wgpu back end is a feature that is not on by default.
        let is_default = folder.starts_with("src/") && *folder != "src/backend_wgpu";
        let lists = if is_default { 2 } else { 1 };
        if members < lists {
            found.push(format!(
                "{folder} is missing from members or default-members"
            ));
        }
    }
    none("crates that depend on what they must not know", &found);
}

#[test]
fn the_list_of_operations_is_up_to_date() {
    let path = root().join("docs/ops.md");
    let wanted = operations();
    if std::fs::read_to_string(&path).is_ok_and(|text| text == wanted) {
        return;
    }
    if std::env::var_os("UFC_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, wanted).expect("docs/ops.md can be written");
        return;
    }
    panic!(
        "docs/ops.md differs from the tables in src/ir: run again with UFC_BLESS=1 to write it anew"
    );
}

/// `docs/ops.md`, from the tables.
fn operations() -> String {
    let mut out = String::from(
        "# Types, operations and functions\n\n\
         Written by `tests/tidy.rs` from the tables in `src/ir/dtype.rs` and `src/ir/ops.rs`; do not edit.\n\
         What the operations mean in every corner is told in `docs/numerics.md`.\n\n\
         ## Types\n\n| type | NumPy | bytes |\n| --- | --- | --- |\n",
    );
    for dtype in DType::ALL {
        let _ = writeln!(
            out,
            "| `{dtype}` | `{}` | {} |",
            dtype.numpy_name(),
            dtype.size()
        );
    }
    out.push_str(
        "\n## Core operations\n\nEvery target lowers these, or says what becomes of them.\n\n",
    );
    out.push_str("| name | takes and gives | what it computes |\n| --- | --- | --- |\n");
    for op in Op::ALL {
        let info = op.info();
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {} |",
            info.name,
            info.rule,
            escape(info.doc)
        );
    }
    out.push_str("\n## Functions\n\nWritten in terms of the core operations, once for all targets, in `src/math`.\n\n");
    out.push_str("| name | takes and gives | error at most (f32, f64) | what it computes |\n| --- | --- | --- | --- |\n");
    for f in MathFn::ALL {
        let info = f.info();
        let error = match info.accuracy {
            Accuracy::Exact => "exact or rounded once per step".to_string(),
            Accuracy::Ulp(a, b) => format!("{a} ulp, {b} ulp"),
        };
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {error} | {} |",
            info.name,
            info.rule,
            escape(info.doc)
        );
    }
    out
}

/// Text for a cell of a table.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*")
}
