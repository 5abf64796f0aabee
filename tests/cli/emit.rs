//! `ufc emit`.

use crate::{folder, ufc, ufc_in};

#[test]
fn every_stage_shows_the_kernel() {
    for stage in ["tokens", "ast", "ir", "opt", "legal", "spmd", "clif"] {
        let text = ufc(&["emit", "saxpy", "--stage", stage]).ok();
        assert!(text.lines().count() > 1, "{stage}: {text}");
    }
    assert!(
        ufc(&["emit", "saxpy", "--stage", "ir"])
            .ok()
            .contains("mul")
    );
}

#[test]
fn generic_kernels_take_a_dtype() {
    let text = ufc(&["emit", "hypot", "--stage", "ir", "--dtype", "f32"]).ok();
    assert!(text.contains("f32") && !text.contains("f64"), "{text}");
    let message = ufc(&["emit", "hypot", "--stage", "ir", "--dtype", "u8"]).fails(1);
    assert!(message.contains("u8"), "{message}");
}

#[test]
fn unknown_stages_list_the_known_ones() {
    let message = ufc(&["emit", "saxpy", "--stage", "machine"]).fails(2);
    assert!(
        message.contains("spmd") && message.contains("clif"),
        "{message}"
    );
}

#[test]
fn to_a_file() {
    let folder = folder();
    ufc_in(
        folder.path(),
        &["emit", "saxpy", "--stage", "ir", "-o", "saxpy.ufir"],
    )
    .ok();
    let text = std::fs::read_to_string(folder.path().join("saxpy.ufir")).unwrap();
    assert!(text.contains("saxpy"));
}
