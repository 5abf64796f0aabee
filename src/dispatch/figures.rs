//! Measured figures of this machine's devices, kept in a file in the cache folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use ufc_target::{Device, DeviceKind};

use super::model::{FIELDS, Figures};
use super::rivals;
use crate::error::Error;

/// Goes up when the file's form changes, or what its figures mean.
const VERSION: u64 = 2;

/// The file's name in the cache folder.
const FILE: &str = "devices.json";

/// Figures by device.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    figures: BTreeMap<String, Figures>,
    /// What was wrong with the file, which was ignored then.
    note: Option<String>,
}

/// What tells devices apart across processes: another driver, or another card in the same place, is measured anew.
fn key(target: &str, device: &Device) -> String {
    let driver = device.driver.as_deref().unwrap_or("-");
    format!(
        "{target}:{} | {} | {driver}",
        device.name, device.description
    )
}

impl Known {
    /// The figures of a device, if it has been measured.
    pub(super) fn of(&self, target: &str, device: &Device) -> Option<Figures> {
        self.figures.get(&key(target, device)).copied()
    }

    /// The best figures of any device of a target.
    pub(super) fn best(&self, target: &str) -> Option<Figures> {
        let prefix = format!("{target}:");
        let all = self.figures.iter();
        let ours = all.filter(|(key, _)| key.starts_with(&prefix));
        ours.map(|(_, figures)| *figures)
            .max_by(|a, b| a.ops.total_cmp(&b.ops))
    }

    pub(super) fn insert(&mut self, target: &str, device: &Device, figures: Figures) {
        self.figures.insert(key(target, device), figures);
    }

    /// Reads a file. One that is damaged, or of another version, counts as empty, with a note.
    pub(super) fn read(path: &Path) -> Known {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Known::default(),
            Err(error) => return Known::ignored(path, &error.to_string()),
        };
        match parse(&text) {
            Ok(figures) => Known {
                figures,
                note: None,
            },
            Err(why) => Known::ignored(path, &why),
        }
    }

    fn ignored(path: &Path, why: &str) -> Known {
        let path = path.display();
        Known {
            figures: BTreeMap::new(),
            note: Some(format!(
                "{path} is ignored: {why}; `ufc targets --calibrate` writes it anew"
            )),
        }
    }

    /// Writes a file, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |error| Error::Io {
            path: path.to_path_buf(),
            error,
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let text = format!("{:#}\n", self.to_json());
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let devices: Map<String, Value> = self
            .figures
            .iter()
            .map(|(key, figures)| (key.clone(), figures.to_json()))
            .collect();
        json!({ "version": VERSION, "devices": devices })
    }
}

impl Figures {
    /// As JSON. A rate that is not a number, such as the infinite one of copying nothing, is null.
    pub fn to_json(&self) -> Value {
        FIELDS
            .iter()
            .map(|(name, get, _)| ((*name).to_string(), json!(get(self))))
            .collect::<Map<String, Value>>()
            .into()
    }

    fn from_json(value: &Value) -> Option<Figures> {
        let mut figures = Figures {
            ops: 0.0,
            wide: 0.0,
            memory: 0.0,
            upload: 0.0,
            download: 0.0,
            latency: 0.0,
            start: 0.0,
            compile: 0.0,
        };
        for (name, _, slot) in FIELDS {
            *slot(&mut figures) = match value.get(name)? {
                Value::Null => f64::INFINITY,
                number => number.as_f64()?,
            };
        }
        figures.is_sane().then_some(figures)
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, Figures>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => return Err(format!("it is of version {other}, not {VERSION}")),
        None => return Err("it has no version".to_string()),
    }
    let devices = value.get("devices").and_then(Value::as_object);
    let devices = devices.ok_or("it has no devices")?;
    let mut figures = BTreeMap::new();
    for (key, value) in devices {
        let read = Figures::from_json(value);
        let read = read.ok_or_else(|| format!("the figures of `{key}` make no sense"))?;
        figures.insert(key.clone(), read);
    }
    Ok(figures)
}

/// The folder for what is kept from one process to the next: `UFC_CACHE_DIR`, or else `ufc` in the user's cache folder. None
/// if there is neither.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os("UFC_CACHE_DIR") {
        Some(folder) if !folder.is_empty() => Some(PathBuf::from(folder)),
        _ => Some(dirs::cache_dir()?.join("ufc")),
    }
}

/// Where the file is.
pub(super) fn path() -> Option<PathBuf> {
    Some(cache_folder()?.join(FILE))
}

static KNOWN: RwLock<Option<Arc<Known>>> = RwLock::new(None);

/// The figures measured on this machine, read once.
pub(super) fn known() -> Arc<Known> {
    if let Some(known) = &*KNOWN.read().unwrap_or_else(PoisonError::into_inner) {
        return known.clone();
    }
    let mut slot = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let read = || Arc::new(path().map(|path| Known::read(&path)).unwrap_or_default());
    slot.get_or_insert_with(read).clone()
}

/// Takes these figures from now on.
pub(super) fn replace(known: Known) {
    *KNOWN.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(known));
    rivals::forget();
}

/// The file of measured figures was ignored, and why, if it was.
pub fn note() -> Option<String> {
    known().note.clone()
}

/// What is expected of the best device of a back end for GPUs whose devices have not been looked for.
pub(super) fn expected(target: &str) -> Figures {
    let best = known().best(target);
    best.unwrap_or_else(|| Figures::assumed(target, DeviceKind::Gpu))
}

/// The figures of a device, and whether they were measured.
pub(super) fn of_device(target: &str, device: &Device) -> (Figures, bool) {
    match known().of(target, device) {
        Some(figures) => (figures, true),
        None => (Figures::assumed(target, device.kind), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(driver: &str) -> Device {
        Device {
            name: "0".into(),
            description: "a card".into(),
            kind: DeviceKind::Gpu,
            driver: Some(driver.into()),
            ..Device::default()
        }
    }

    #[test]
    fn figures_survive_the_file_and_belong_to_a_driver() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join(FILE);
        assert_eq!(Known::read(&path), Known::default());
        let mut known = Known::default();
        let figures = Figures {
            ops: 1.25e13,
            upload: f64::INFINITY,
            ..Figures::assumed("cuda", DeviceKind::Gpu)
        };
        known.insert("cuda", &device("550"), figures);
        known.write(&path).unwrap();
        let read = Known::read(&path);
        assert_eq!(read, known);
        assert_eq!(read.of("cuda", &device("550")), Some(figures));
        assert_eq!(read.of("cuda", &device("560")), None);
        assert_eq!(read.of("wgpu", &device("550")), None);
        assert_eq!(read.best("cuda"), Some(figures));
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing else is left in the folder");
    }

    #[test]
    fn a_damaged_file_is_ignored_with_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let cases = [
            ("{\"version\": 2, \"dev", "EOF"),
            ("{\"version\": 9, \"devices\": {}}", "version 9"),
            ("[]", "no version"),
            ("{\"version\": 2}", "no devices"),
            (
                "{\"version\": 2, \"devices\": {\"cuda:0\": {\"operations_per_s\": -1}}}",
                "`cuda:0` make no sense",
            ),
        ];
        for (text, why) in cases {
            std::fs::write(&path, text).unwrap();
            let known = Known::read(&path);
            assert!(known.figures.is_empty());
            let note = known.note.unwrap();
            assert!(note.contains(why) && note.contains("--calibrate"), "{note}");
        }
    }
}
