//! What goes wrong, as the environment variable `UFC_FAKE_CUDA` says.
//!
//! Words between commas: `devices=N`, `version=N`, `capability=M.N`, `memory=BYTES`, `refuse-modules`,
//! `null` (once a kernel is loaded, launches and copies return at once and do nothing, for measurements), and `CALL@N=CODE`: the N-th
//! call of that name (from 1) gives the code, `CALL@N+=CODE`: so does every later one. `any` is every call that asks for
//! something that the driver may have no memory for.
//!
//! `@FILE` has the words in a file instead, which is looked at again at every call: once they are others, the calls are counted
//! anew. The file is emptied when all of its errors have come and none comes again.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the driver is to be like.
#[derive(Debug)]
pub(crate) struct Plan {
    pub devices: i32,
    pub version: i32,
    pub capability: (i32, i32),
    pub memory: Option<usize>,
    pub refuses_modules: bool,
    pub does_nothing: bool,
    errors: Vec<Error>,
    calls: BTreeMap<String, u64>,
    /// Where the words are, and which they were.
    file: Option<(PathBuf, String)>,
}

/// Calls that a driver may have no memory for.
const ASKING: &[&str] = &[
    "cuDevicePrimaryCtxRetain",
    "cuStreamCreate",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventRecord",
    "cuMemAlloc_v2",
    "cuMemHostAlloc",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuModuleLoadDataEx",
    "cuModuleGetFunction",
    "cuLaunchKernel",
];

#[derive(Debug)]
struct Error {
    call: String,
    number: u64,
    also_later: bool,
    code: u32,
}

impl Plan {
    pub(crate) fn from_env() -> Plan {
        let words = std::env::var("UFC_FAKE_CUDA").unwrap_or_default();
        match words.strip_prefix('@') {
            None => Plan::parse(&words),
            Some(file) => Plan::of_file(PathBuf::from(file)),
        }
    }

    fn of_file(file: PathBuf) -> Plan {
        let words = std::fs::read_to_string(&file).unwrap_or_default();
        Plan {
            file: Some((file, words.clone())),
            ..Plan::parse(&words)
        }
    }

    /// Words that are none of those above are an error of the test.
    fn parse(text: &str) -> Plan {
        let mut plan = Plan {
            devices: 1,
            version: 12_000,
            capability: (7, 0),
            memory: None,
            refuses_modules: false,
            does_nothing: false,
            errors: Vec::new(),
            calls: BTreeMap::new(),
            file: None,
        };
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || -> i64 {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("UFC_FAKE_CUDA: `{word}`"))
            };
            match name {
                "devices" => plan.devices = number() as i32,
                "version" => plan.version = number() as i32,
                "capability" => {
                    let (major, minor) = value.split_once('.').unwrap_or((value, "0"));
                    let part = |text: &str| text.parse().unwrap_or(0);
                    plan.capability = (part(major), part(minor));
                }
                "memory" => plan.memory = Some(number() as usize),
                "null" => plan.does_nothing = true,
                "refuse-modules" => plan.refuses_modules = true,
                _ => {
                    let (call, at) = name
                        .split_once('@')
                        .unwrap_or_else(|| panic!("UFC_FAKE_CUDA: `{word}`"));
                    let also_later = at.ends_with('+');
                    plan.errors.push(Error {
                        call: call.to_string(),
                        number: at
                            .trim_end_matches('+')
                            .parse()
                            .expect("the number of a call"),
                        also_later,
                        code: number() as u32,
                    });
                }
            }
        }
        plan
    }

    /// Counts a call, and gives the error that is planned for it.
    pub(crate) fn error_of(&mut self, call: &str) -> Option<u32> {
        if let Some((file, words)) = &self.file
            && std::fs::read_to_string(file).unwrap_or_default() != *words
        {
            *self = Plan::of_file(file.clone());
        }
        let own = self.counted(call);
        let any = match ASKING.contains(&call) {
            true => self.counted("any"),
            false => 0,
        };
        let hit = |error: &&Error| {
            let count = match error.call.as_str() {
                "any" => any,
                name if name == call => own,
                _ => 0,
            };
            error.number == count || (error.also_later && error.number < count)
        };
        let place = self.errors.iter().position(|error| hit(&error))?;
        let code = self.errors[place].code;
        if !self.errors[place].also_later {
            self.errors.remove(place);
        }
        if let Some((file, words)) = &mut self.file
            && self.errors.is_empty()
        {
            words.clear();
            std::fs::write(file, "").expect("the file of the plan can be written");
        }
        Some(code)
    }

    /// How often this was called, with this time.
    fn counted(&mut self, call: &str) -> u64 {
        let count = self.calls.entry(call.to_string()).or_default();
        *count += 1;
        *count
    }
}

/// Whether a device that gives this error gives it from then on.
pub(crate) fn is_sticky(error: u32) -> bool {
    matches!(error, 214 | 220 | 700 | 702 | 709 | 710 | 714..=719)
}
