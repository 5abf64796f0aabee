//! The back ends there are, the words for them, and the choice of one for a call.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ufc_target::{Backend, Device, Legality, Unavailable};

use crate::backend_interp::InterpBackend;
use crate::error::{Error, TargetError};

/// Where a call is to run: one of the words `auto cpu gpu cuda wgpu interp`, with `:DEVICE` where one is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Target {
    word: Word,
    device: Option<String>,
}

/// The words for targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Word {
    #[default]
    Auto,
    Cpu,
    Gpu,
    Cuda,
    Wgpu,
    Interp,
}

/// One row per word: the word, the back ends that it means in order of preference, and what a person reads about it.
const WORDS: &[(Word, &str, &[&str], &str)] = &[
    (
        Word::Auto,
        "auto",
        &["cuda", "wgpu", "cpu"],
        "the best target that is there for the call",
    ),
    (
        Word::Cpu,
        "cpu",
        &["cpu"],
        "vector code on this machine's processor",
    ),
    (
        Word::Gpu,
        "gpu",
        &["cuda", "wgpu"],
        "a GPU, through CUDA if there, else through wgpu",
    ),
    (Word::Cuda, "cuda", &["cuda"], "an NVIDIA GPU"),
    (
        Word::Wgpu,
        "wgpu",
        &["wgpu"],
        "a GPU through Vulkan, Metal, DirectX 12 or GL",
    ),
    (
        Word::Interp,
        "interp",
        &["interp"],
        "the reference interpreter: slow, and right by definition",
    ),
];

impl Target {
    /// The best target that is there for the call.
    pub const AUTO: Target = Target::of(Word::Auto);
    /// This machine's processor.
    pub const CPU: Target = Target::of(Word::Cpu);
    /// A GPU, through CUDA if there, else through wgpu.
    pub const GPU: Target = Target::of(Word::Gpu);
    /// An NVIDIA GPU.
    pub const CUDA: Target = Target::of(Word::Cuda);
    /// A GPU through Vulkan, Metal, DirectX 12 or GL.
    pub const WGPU: Target = Target::of(Word::Wgpu);
    /// The reference interpreter.
    pub const INTERP: Target = Target::of(Word::Interp);

    const fn of(word: Word) -> Target {
        Target { word, device: None }
    }

    /// Every word for a target, each with one line on what it means.
    pub fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
        WORDS.iter().map(|(_, word, _, doc)| (*word, *doc))
    }

    /// The target that the environment variable `UFC_TARGET` names; `auto` if it is not set or names none.
    pub fn from_env() -> &'static Target {
        static TARGET: OnceLock<Target> = OnceLock::new();
        TARGET.get_or_init(|| {
            let text = std::env::var("UFC_TARGET").unwrap_or_default();
            text.parse().unwrap_or_default()
        })
    }

    /// Whether the choice is left to ufc.
    pub fn is_auto(&self) -> bool {
        self.word == Word::Auto
    }

    fn row(&self) -> &'static (Word, &'static str, &'static [&'static str], &'static str) {
        WORDS
            .iter()
            .find(|row| row.0 == self.word)
            .expect("every word has a row")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)?;
        match &self.device {
            Some(device) => write!(f, ":{device}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let (word, device) = match text.split_once(':') {
            Some((word, device)) => (word, Some(device)),
            None => (text, None),
        };
        let row = WORDS.iter().find(|row| row.1 == word);
        let unknown = || TargetError::Unknown {
            word: text.to_string(),
            choices: Target::words().map(|(word, _)| word).collect(),
        };
        let row = row.ok_or_else(unknown)?;
        if device == Some("") || (device.is_some() && row.2.len() > 1) {
            return Err(unknown());
        }
        Ok(Target {
            word: row.0,
            device: device.map(str::to_string),
        })
    }
}

/// What is known of one back end: its devices, or why there are none.
#[derive(Clone, Debug)]
pub struct TargetInfo {
    /// The word for it.
    pub name: &'static str,
    /// Its devices, or why there are none.
    pub devices: Result<Vec<Device>, Unavailable>,
}

/// A back end known to this build, started when first asked for.
struct Entry {
    name: &'static str,
    start: fn() -> Result<Box<dyn Backend>, Unavailable>,
    started: OnceLock<Started>,
}

struct Started {
    backend: Result<Box<dyn Backend>, Unavailable>,
    devices: Result<Vec<Device>, Unavailable>,
}

impl Entry {
    const fn new(
        name: &'static str,
        start: fn() -> Result<Box<dyn Backend>, Unavailable>,
    ) -> Entry {
        Entry {
            name,
            start,
            started: OnceLock::new(),
        }
    }

    fn started(&self) -> &Started {
        self.started.get_or_init(|| {
            let backend = (self.start)();
            let devices = match &backend {
                Ok(backend) => backend.devices(),
                Err(why) => Err(why.clone()),
            };
            Started { backend, devices }
        })
    }
}

/// Every back end, also those that this build lacks, so that asking for one says why it is not there.
static BACKENDS: [Entry; 4] = [
    Entry::new("cpu", start_cpu),
    Entry::new("cuda", start_cuda),
    Entry::new("wgpu", || {
        Err(missing("this version of ufc has no wgpu back end yet"))
    }),
    Entry::new("interp", || Ok(Box::new(InterpBackend))),
];

#[cfg(feature = "cpu")]
fn start_cpu() -> Result<Box<dyn Backend>, Unavailable> {
    Ok(Box::new(ufc_backend_cpu::CpuBackend))
}

#[cfg(not(feature = "cpu"))]
fn start_cpu() -> Result<Box<dyn Backend>, Unavailable> {
    Err(missing("this build of ufc is without the feature `cpu`"))
}

#[cfg(feature = "cuda")]
fn start_cuda() -> Result<Box<dyn Backend>, Unavailable> {
    Ok(Box::new(ufc_backend_cuda::CudaBackend))
}

#[cfg(not(feature = "cuda"))]
fn start_cuda() -> Result<Box<dyn Backend>, Unavailable> {
    Err(missing("this build of ufc is without the feature `cuda`"))
}

fn missing(reason: &str) -> Unavailable {
    Unavailable {
        reason: reason.to_string(),
    }
}

/// Every back end with its devices or the reason why it has none. Starts drivers where there are any.
pub fn targets() -> Vec<TargetInfo> {
    BACKENDS
        .iter()
        .map(|entry| TargetInfo {
            name: entry.name,
            devices: entry.started().devices.clone(),
        })
        .collect()
}

/// The back end and device chosen for a call.
#[derive(Clone, Copy)]
pub(crate) struct Picked {
    pub(crate) backend: &'static dyn Backend,
    pub(crate) device: &'static Device,
}

/// Chooses as [`choose`] does, without saying why: the quick way for calls.
pub(crate) fn pick(target: &Target) -> Result<Picked, Error> {
    let (_, _, candidates, _) = target.row();
    for name in *candidates {
        let started = entry(name).started();
        let (Ok(backend), Ok(devices)) = (&started.backend, &started.devices) else {
            continue;
        };
        let wanted = target.device.as_deref();
        if let Some(device) = devices.iter().find(|d| wanted.is_none_or(|w| d.name == w)) {
            return Ok(Picked {
                backend: &**backend,
                device,
            });
        }
    }
    let choice = choose(target)?;
    Ok(Picked {
        backend: choice.backend,
        device: choice.device,
    })
}

/// The back end and device chosen for a call, and why.
#[derive(Clone)]
pub struct Choice {
    /// The back end.
    pub backend: &'static dyn Backend,
    /// The device, one of the back end's.
    pub device: &'static Device,
    /// Why it was chosen.
    pub reason: String,
    /// The targets that were not taken, each with the reason.
    pub rejected: Vec<(&'static str, String)>,
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.backend.name(), self.device.name)
    }
}

impl Choice {
    /// What the device does natively.
    pub fn legality(&self) -> &'static dyn Legality {
        self.backend.legality(Some(&self.device.name))
    }
}

/// Chooses a back end and device for what the caller asked for.
///
/// # Errors
/// If a target that was asked for by name is not there; the error has the reason and the targets that are.
pub fn choose(target: &Target) -> Result<Choice, Error> {
    let (_, word, candidates, _) = target.row();
    let mut rejected = Vec::new();
    for name in *candidates {
        let entry = entry(name);
        match device(entry, target.device.as_deref()) {
            Ok((backend, device)) => {
                let reason = match (target.is_auto(), rejected.is_empty()) {
                    (false, _) => format!("asked for as `{target}`"),
                    (true, true) => "preferred by `auto`".to_string(),
                    (true, false) => "the best target that is there".to_string(),
                };
                return Ok(Choice {
                    backend,
                    device,
                    reason,
                    rejected,
                });
            }
            Err(why) => rejected.push((entry.name, why)),
        }
    }
    Err(Error::Target(TargetError::Missing {
        target: word.to_string(),
        reasons: rejected,
        choices: available(),
    }))
}

fn entry(name: &str) -> &'static Entry {
    BACKENDS
        .iter()
        .find(|entry| entry.name == name)
        .expect("every word's back ends have entries")
}

fn device(
    entry: &'static Entry,
    name: Option<&str>,
) -> Result<(&'static dyn Backend, &'static Device), String> {
    let started = entry.started();
    let backend = started.backend.as_deref().map_err(|why| why.to_string())?;
    let devices = started.devices.as_ref().map_err(|why| why.to_string())?;
    let found = devices
        .iter()
        .find(|device| name.is_none_or(|name| device.name == name));
    match found {
        Some(device) => Ok((backend, device)),
        None => {
            let names: Vec<&str> = devices.iter().map(|d| d.name.as_str()).collect();
            Err(format!("its devices are: {}", names.join(", ")))
        }
    }
}

/// The words of the back ends that have a device.
fn available() -> Vec<&'static str> {
    let mut words: Vec<&str> = BACKENDS
        .iter()
        .filter(|entry| entry.started().devices.is_ok())
        .map(|entry| entry.name)
        .collect();
    words.push("auto");
    words
}
