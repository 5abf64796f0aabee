//! The words for targets: what users write, and which back ends each word means.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::error::TargetError;

/// Where a call is to run: one of the words `auto cpu gpu cuda wgpu interp`, with `:DEVICE` where one is meant.
///
/// A device is named as `ufc targets` lists it, such as `cuda:1`, or by a part of its name or description that only it has,
/// such as `wgpu:llvmpipe`.
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
    #[cfg(any(test, feature = "testing"))]
    Sim,
}

/// What is known of a word.
struct Row {
    word: Word,
    name: &'static str,
    /// The back ends that it means, in order of preference where nothing tells them apart.
    backends: &'static [&'static str],
    doc: &'static str,
}

/// The back ends of GPUs, the preferred first; tests have a simulated one.
const GPUS: &[&str] = if cfg!(any(test, feature = "testing")) {
    &["cuda", "sim", "wgpu"]
} else {
    &["cuda", "wgpu"]
};

/// One row per word.
const WORDS: &[Row] = &[
    Row {
        word: Word::Auto,
        name: "auto",
        backends: &["cpu"],
        doc: "where the call is estimated to be done first, data that is on a device staying there",
    },
    Row {
        word: Word::Cpu,
        name: "cpu",
        backends: &["cpu"],
        doc: "vector code on this machine's processor",
    },
    Row {
        word: Word::Gpu,
        name: "gpu",
        backends: GPUS,
        doc: "a GPU, through CUDA if there, else through wgpu",
    },
    Row {
        word: Word::Cuda,
        name: "cuda",
        backends: &["cuda"],
        doc: "an NVIDIA GPU",
    },
    Row {
        word: Word::Wgpu,
        name: "wgpu",
        backends: &["wgpu"],
        doc: "a GPU through Vulkan, Metal, DirectX 12 or GL",
    },
    Row {
        word: Word::Interp,
        name: "interp",
        backends: &["interp"],
        doc: "the reference interpreter: slow, and right by definition",
    },
    #[cfg(any(test, feature = "testing"))]
    Row {
        word: Word::Sim,
        name: "sim",
        backends: &["sim"],
        doc: "a device that tests simulate",
    },
];

impl Target {
    /// Where the call is estimated to be done first.
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
        WORDS.iter().map(|row| (row.name, row.doc))
    }

    /// The target that the environment variable `UFC_TARGET` names; `auto` if it is not set.
    ///
    /// # Errors
    /// If it names none: a target that was asked for is never quietly replaced by another.
    pub fn from_env() -> Result<&'static Target, TargetError> {
        static TARGET: OnceLock<Result<Target, TargetError>> = OnceLock::new();
        let target = TARGET.get_or_init(|| match std::env::var("UFC_TARGET") {
            Ok(text) if !text.is_empty() => text.parse(),
            _ => Ok(Target::AUTO),
        });
        target.as_ref().map_err(Clone::clone)
    }

    /// Whether the choice is left to ufc.
    pub fn is_auto(&self) -> bool {
        self.word == Word::Auto
    }

    /// Whether it is the processor, no level of it being named; `auto` starts there.
    #[inline]
    pub(crate) fn is_processor(&self) -> bool {
        matches!(self.word, Word::Auto | Word::Cpu) && self.device.is_none()
    }

    /// The device asked for, if one was.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// The word without the device.
    pub fn word(&self) -> &'static str {
        self.row().name
    }

    /// A device of a back end.
    pub(crate) fn device_of(backend: &str, device: &str) -> Option<Target> {
        let row = WORDS.iter().find(|row| row.name == backend)?;
        Some(Target {
            word: row.word,
            device: Some(device.to_string()),
        })
    }

    /// The back ends that the word means, in order of preference.
    pub fn backends(&self) -> &'static [&'static str] {
        self.row().backends
    }

    fn row(&self) -> &'static Row {
        WORDS
            .iter()
            .find(|row| row.word == self.word)
            .expect("every word has a row")
    }
}

/// The back ends of GPUs, the preferred first.
pub(super) fn gpus() -> &'static [&'static str] {
    GPUS
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
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
        let unknown = || TargetError::Unknown {
            word: text.to_string(),
            choices: Target::words().map(|(word, _)| word).collect(),
        };
        let row = WORDS.iter().find(|row| row.name == word);
        let row = row.ok_or_else(unknown)?;
        let may_have_device = row.backends == [row.name];
        if device == Some("") || (device.is_some() && !may_have_device) {
            return Err(unknown());
        }
        Ok(Target {
            word: row.word,
            device: device.map(str::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_devices() {
        let parse = |text: &str| text.parse::<Target>();
        assert_eq!(parse("auto").unwrap(), Target::AUTO);
        let second = parse("cuda:1").unwrap();
        assert_eq!((second.word(), second.device()), ("cuda", Some("1")));
        assert_eq!(second.to_string(), "cuda:1");
        // A device's own name may have colons.
        assert_eq!(parse("wgpu:a:b").unwrap().device(), Some("a:b"));
        for wrong in ["", "tpu", "gpu:1", "auto:0", "cpu:", "CPU"] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("targets are: auto, cpu, gpu"), "{error}");
        }
        assert_eq!(Target::device_of("cuda", "0"), parse("cuda:0").ok());
        assert_eq!(Target::device_of("tpu", "0"), None);
    }
}
