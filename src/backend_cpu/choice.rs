//! The level of the processor that code is generated for where none is named: the best, or what `UFC_CPU_LEVEL` says.

use std::sync::OnceLock;
use ufc_target::Device;

/// The environment variable.
const VARIABLE: &str = "UFC_CPU_LEVEL";

/// The device of 128-bit code through Cranelift, for the best instruction sets of this processor that it knows.
pub(crate) const CLIF: &str = "clif";

/// What the environment asks for, read once.
fn wanted() -> Option<&'static str> {
    static WANTED: OnceLock<Option<String>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let value = std::env::var_os(VARIABLE)?;
        let value = value.to_string_lossy().trim().to_string();
        (!value.is_empty()).then_some(value)
    });
    wanted.as_deref()
}

/// The level that code for a device is of, if it is not the best.
pub(crate) fn level(device: Option<&str>) -> Option<&str> {
    match device {
        Some(name) => Some(name),
        None => wanted(),
    }
}

/// Puts the device first that the environment asks for.
///
/// # Errors
/// If there is none of that name.
pub(crate) fn order(devices: Vec<Device>) -> Result<Vec<Device>, String> {
    order_by(wanted(), devices)
}

fn order_by(wanted: Option<&str>, mut devices: Vec<Device>) -> Result<Vec<Device>, String> {
    let Some(wanted) = wanted else {
        return Ok(devices);
    };
    let Some(place) = devices.iter().position(|device| device.name == wanted) else {
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        let names = names.join(", ");
        return Err(format!(
            "{VARIABLE} is `{wanted}`, but the levels of this processor are {names}"
        ));
    };
    devices[..=place].rotate_right(1);
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::{CLIF, order_by};
    use ufc_target::Device;

    fn names(wanted: Option<&str>) -> Result<Vec<String>, String> {
        let devices = ["avx512", "avx2", CLIF].map(|name| Device {
            name: name.to_string(),
            ..Device::default()
        });
        let ordered = order_by(wanted, devices.to_vec())?;
        Ok(ordered.into_iter().map(|device| device.name).collect())
    }

    #[test]
    fn what_is_asked_for_comes_first() {
        assert_eq!(names(None).unwrap(), ["avx512", "avx2", "clif"]);
        assert_eq!(names(Some("avx2")).unwrap(), ["avx2", "avx512", "clif"]);
        assert_eq!(names(Some("clif")).unwrap(), ["clif", "avx512", "avx2"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = names(Some("avx1024")).unwrap_err();
        assert!(error.contains("UFC_CPU_LEVEL is `avx1024`"), "{error}");
        assert!(error.ends_with("are avx512, avx2, clif"), "{error}");
    }
}
