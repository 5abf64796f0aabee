//! `include/ufc.h` is what cbindgen makes of the sources, and every function in it is exported and guarded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sources, in the order of the header's sections.
const SECTIONS: &[&str] = &[
    "error",
    "abi",
    "handle",
    "text",
    "diagnostics",
    "module",
    "array",
    "ufunc",
    "kernel_loop",
    "target",
    "dlpack",
    "arrow",
];

fn generate() -> String {
    let config =
        cbindgen::Config::from_file(folder().join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for section in SECTIONS {
        builder = builder.with_src(folder().join(section).with_extension("rs"));
    }
    let mut out = Vec::new();
    builder
        .generate()
        .expect("cbindgen reads the sources")
        .write(&mut out);
    String::from_utf8(out).expect("a text")
}

#[test]
fn the_header_is_up_to_date() {
    let path = folder().join("../include/ufc.h");
    let wanted = generate();
    if std::fs::read_to_string(&path).is_ok_and(|text| text == wanted) {
        return;
    }
    if std::env::var_os("UFC_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, wanted).expect("include/ufc.h can be written");
        return;
    }
    panic!(
        "include/ufc.h differs from the sources in capi: run again with UFC_BLESS=1 to write it anew"
    );
}

/// Every source file of the crate with its text.
fn sources() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder()).expect("the folder").flatten();
    let paths = entries.map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    paths
        .map(|path| {
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            let text = std::fs::read_to_string(&path).expect("a source");
            (name.unwrap_or_default(), text)
        })
        .collect()
}

#[test]
fn every_entry_is_in_the_header_and_guarded() {
    let header = std::fs::read_to_string(folder().join("../include/ufc.h")).expect("the header");
    let mut names = BTreeSet::new();
    for (file, text) in sources() {
        for part in text.split("#[unsafe(no_mangle)]").skip(1) {
            let after = part.split("extern \"C\" fn ").nth(1).unwrap_or_default();
            let name = after.split('(').next().unwrap_or_default().to_string();
            let body = after.split_once("{\n").map_or("", |(_, body)| body);
            let lines = body.lines().map(str::trim);
            let first = lines
                .filter(|line| !line.starts_with("//"))
                .find(|line| !line.is_empty());
            let first = first.unwrap_or_default();
            let guards = ["entry(|| ", "guarded(|| ", "value_entry("];
            let is_guarded = guards.iter().any(|guard| first.starts_with(guard));
            let is_constant = first == "UFC_ABI_VERSION";
            assert!(
                is_guarded || is_constant,
                "{file}: {name} is not guarded: {first}"
            );
            assert!(name.starts_with("ufc_"), "{file}: {name}");
            assert!(
                header.contains(&format!("{name}(")),
                "{name} is not in the header"
            );
            names.insert(name);
        }
        let exported = text.matches("extern \"C\" fn ufc_").count();
        assert_eq!(
            exported,
            text.matches("#[unsafe(no_mangle)]").count(),
            "{file}"
        );
    }
    assert!(names.len() > 30, "{names:?}");
}

#[test]
fn the_document_has_every_function() {
    let document = std::fs::read_to_string(folder().join("../docs/c.md")).expect("docs/c.md");
    let header =
        std::fs::read_to_string(Path::new(&folder()).join("../include/ufc.h")).expect("the header");
    let names = header.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(');
    let missing: BTreeSet<&str> = names
        .filter_map(|word| word.split_once('('))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("ufc_"))
        .filter(|name| !document.contains(*name))
        .collect();
    assert!(missing.is_empty(), "docs/c.md does not mention {missing:?}");
}
