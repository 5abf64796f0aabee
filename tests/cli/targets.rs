//! `ufc targets`.

use crate::ufc;

#[test]
fn every_target_has_a_device_or_a_reason() {
    let printed = ufc(&["targets"]).ok();
    for name in ["cpu", "cuda", "wgpu", "interp"] {
        assert!(
            printed.lines().any(|line| line.starts_with(name)),
            "{name}: {printed}"
        );
    }
    let value = ufc(&["targets", "--json"]).json();
    for target in value.as_array().unwrap() {
        let devices = target["devices"].as_array().unwrap();
        assert_eq!(target["available"], !devices.is_empty());
        assert_eq!(target["reason"].is_string(), devices.is_empty());
    }
}
