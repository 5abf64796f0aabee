//! The choice itself: by name, or for `auto` by estimated time.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;
use ufc_target::{Backend, BackendError, Buffer, Device, DeviceKind, Legality, Promise};

use super::compiling;
use super::entries::{self, Entry};
use super::figures;
use super::model::{Estimate, Work};
use super::rivals;
use super::words::{Target, gpus};
use crate::array::DeviceArray;
use crate::error::{Error, TargetError};
use crate::units;

/// A back end and device that a call may run on.
#[derive(Clone, Copy)]
pub(crate) struct Picked {
    pub(crate) backend: &'static dyn Backend,
    pub(crate) device: &'static Device,
    /// How many devices of the back end had been lost by then: what was compiled before is not used again.
    pub(crate) generation: u32,
}

impl PartialEq for Picked {
    /// Devices are told apart by where they stand in the lists of their back ends, which are never freed.
    fn eq(&self, other: &Picked) -> bool {
        std::ptr::eq(self.device, other.device) && self.generation == other.generation
    }
}

impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Picked {
    /// The device as users name it, such as `cuda:0`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.backend.name(), self.device.name)
    }

    /// Whether the device computes in the host's memory.
    pub(crate) fn is_host(&self) -> bool {
        self.device.kind == DeviceKind::Processor
    }

    /// How long a call takes there, and whether by measured figures.
    pub(crate) fn estimate(&self, work: &Work, threads: Option<usize>) -> (Estimate, bool) {
        let (figures, is_measured) = figures::of_device(self.backend.name(), self.device);
        let estimate = figures.estimate(work, Some(self.device), threads);
        (estimate, is_measured)
    }

    /// Whether a buffer is in this device's memory.
    pub(crate) fn has(&self, buffer: &dyn Buffer) -> bool {
        buffer.backend() == self.backend.name() && buffer.device() == self.device.name
    }
}

/// Chooses as [`choose`] does, without saying why: the quick way for calls.
#[inline]
pub(crate) fn pick(target: &Target) -> Result<Picked, Error> {
    // The processor, which most calls are for, is not lost while the process lives.
    static HOST: OnceLock<Picked> = OnceLock::new();
    if !target.is_processor() {
        return look_for(target);
    }
    match HOST.get() {
        Some(host) => Ok(*host),
        None => look_for(target).map(|host| *HOST.get_or_init(|| host)),
    }
}

fn look_for(target: &Target) -> Result<Picked, Error> {
    for name in target.backends() {
        let Some(entry) = entries::entry(name) else {
            continue;
        };
        if let (Ok(backend), Ok(device)) = (
            entry.backend(),
            entries::pick_device(entry, target.device()),
        ) {
            return Ok(Picked {
                backend,
                device,
                generation: entry.generation(),
            });
        }
    }
    Err(missing(target))
}

/// The choice for a call with arrays on devices, of which the target names several taken as one: these have no memory that is
/// all theirs, so that the call runs on the one where its arrays are. `stays` says whether its results are to stay there.
///
/// # Errors
/// If the arrays are on more than one device, or there are none and the results are to stay.
pub(crate) fn one_of_several(
    choice: Choice,
    residents: &[&DeviceArray],
    stays: bool,
) -> Result<Choice, Error> {
    let Some(part) = choice.device.parts.first() else {
        return Ok(choice);
    };
    let unsupported = |what: String| Error::Device {
        target: format!("{choice:?}"),
        error: BackendError::Unsupported(what),
    };
    let mut homes: Vec<String> = residents.iter().map(|array| array.device()).collect();
    homes.sort_unstable();
    homes.dedup();
    let name = choice.backend.name();
    match &homes[..] {
        [] if stays => Err(unsupported(format!(
            "results that stay on several devices: an array is on one, such as `{name}:{part}`"
        ))),
        [] => Ok(choice),
        [home] => {
            let is_home = |part: &&String| format!("{name}:{part}") == *home;
            match choice.device.parts.iter().find(is_home) {
                Some(part) => {
                    let target = Target::device_of(name, part).unwrap_or_default();
                    let reason = format!("operands are there, one of `{choice:?}`");
                    choose(&target).map(|choice| Choice { reason, ..choice })
                }
                None => Err(unsupported(format!(
                    "an operand on `{home}`, which is not one of its devices"
                ))),
            }
        }
        _ => Err(unsupported(format!(
            "operands on {} in one call: name the one that it is to run on",
            homes.join(" and ")
        ))),
    }
}

/// Where a buffer is.
pub(crate) fn where_buffer_is(buffer: &dyn Buffer) -> Result<Picked, Error> {
    let name = buffer.backend();
    match Target::device_of(name, buffer.device()) {
        Some(target) => pick(&target),
        None => Err(Error::Internal {
            stage: "allocation",
            message: format!("a buffer of the unknown back end `{name}`"),
        }),
    }
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

/// Chooses a back end and device by name. `auto` is the processor here: what else it may be depends on the call.
///
/// # Errors
/// If the target is not there; the error has the reason and the targets that are.
pub fn choose(target: &Target) -> Result<Choice, Error> {
    let picked = pick(target)?;
    let is_taken = |name: &str| name == picked.backend.name();
    let before = target.backends().iter().take_while(|name| !is_taken(name));
    let rejected = before.filter_map(|name| {
        let entry = entries::entry(name)?;
        let why = entries::pick_device(entry, target.device()).err()?;
        Some((entry.name, why))
    });
    Ok(Choice {
        backend: picked.backend,
        device: picked.device,
        reason: match target.is_auto() {
            true => "the processor is where `auto` starts".to_string(),
            false => format!("asked for as `{target}`"),
        },
        rejected: rejected.collect(),
    })
}

/// The error for a target of which nothing is there.
fn missing(target: &Target) -> Error {
    let reasons = target.backends().iter().filter_map(|name| {
        let entry = entries::entry(name)?;
        let why = entries::pick_device(entry, target.device()).err()?;
        Some((entry.name, why))
    });
    Error::Target(TargetError::Missing {
        target: target.to_string(),
        reasons: reasons.collect(),
        choices: available(),
    })
}

/// The words of the back ends that have a device.
fn available() -> Vec<&'static str> {
    let mut words: Vec<&str> = entries::all()
        .filter(|entry| entries::pick_device(entry, None).is_ok())
        .map(|entry| entry.name)
        .collect();
    words.push("auto");
    words
}

/// What becomes of a kernel on a device.
pub(crate) enum Compiled {
    /// It is there.
    Ready,
    /// It is not; calls so far would have gained so many seconds.
    Missing(f64),
    /// The device cannot have it; why.
    Refused(String),
}

/// A kernel, as `auto` asks about it.
pub(crate) trait Compilation {
    /// What becomes of it on a device.
    fn on(&self, picked: &Picked) -> Compiled;

    /// Takes note of what a call would have gained on a device that it is not compiled for.
    fn miss(&self, picked: &Picked, seconds: f64);
}

/// What `auto` asks about a call whose data is all on the host.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) kernel: &'q dyn Compilation,
    pub(crate) work: Work,
    pub(crate) threads: Option<usize>,
    /// Whether targets may be taken that do not promise the interpreter's bits.
    pub(crate) allow_approx: bool,
    /// Whether the call is about to happen, and not only explained.
    pub(crate) is_call: bool,
}

/// A device that a call may run on, with what that is estimated to take.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) picked: Picked,
    /// How long it is estimated to take, where that was the question.
    estimate: Option<Estimate>,
    /// What earlier calls would have gained there: so much of compiling is paid for.
    missed: f64,
    reason: Option<Cow<'static, str>>,
}

impl Candidate {
    /// Why it is one.
    pub(crate) fn reason(&self) -> Cow<'_, str> {
        match (&self.reason, self.estimate) {
            (Some(reason), _) => Cow::Borrowed(reason),
            (None, Some(estimate)) => format!("estimated at {estimate}").into(),
            (None, None) => Cow::Borrowed(""),
        }
    }

    /// What it is ranked by: seconds, of which those that earlier calls make up for do not count.
    fn rank(&self) -> f64 {
        self.estimate.map_or(f64::INFINITY, |estimate| {
            estimate.seconds - estimate.compiling.min(self.missed)
        })
    }
}

/// The devices for a call, the best first, and the targets that were not considered, each with the reason.
#[derive(Default)]
pub(crate) struct Ranking {
    pub(crate) candidates: SmallVec<[Candidate; 1]>,
    pub(crate) rejected: Vec<(String, String)>,
}

/// Nanoseconds that each back end which has not been started would have spared so far, in the order of [`gpus`].
static SPARED: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Ranks the devices for a call by estimated time. A driver that has not been started is started once the calls that it would
/// have made shorter add up to what starting it takes, so small calls never wait for one; and so it is with compiling a
/// kernel for a device.
///
/// # Errors
/// If there is no target at all.
pub(crate) fn auto(question: &Question<'_>) -> Result<Ranking, Error> {
    if question.is_call
        && rivals::is_for_host(&question.work, question.threads, question.allow_approx)
        && let Ok(host) = pick(&Target::CPU)
    {
        return Ok(Ranking::only(host, "estimated to be done first"));
    }
    let mut ranking = Ranking::default();
    let host = pick(&Target::CPU).ok();
    let mut on_host = f64::INFINITY;
    if let Some(host) = host {
        let (figures, _) = figures::of_device("cpu", host.device);
        let estimate = figures.estimate(&question.work, Some(host.device), question.threads);
        on_host = estimate.seconds;
        ranking.push(host, estimate, 0.0);
    }
    for (name, spared) in gpus().iter().zip(&SPARED) {
        if let Some(entry) = entries::entry(name)
            && let Err(why) = ranking.consider(entry, question, on_host, spared)
        {
            ranking.rejected.push((entry.name.to_string(), why));
        }
    }
    ranking
        .candidates
        .sort_by(|a, b| a.rank().total_cmp(&b.rank()));
    if question.is_call {
        for other in ranking.candidates.iter().skip(1) {
            let Some(estimate) = other.estimate.filter(|e| e.compiling > 0.0) else {
                continue;
            };
            let gain = on_host - (estimate.seconds - estimate.compiling);
            if gain > 0.0 && gain.is_finite() {
                question.kernel.miss(&other.picked, gain);
            }
        }
    }
    match ranking.candidates.is_empty() {
        true => Err(missing(&Target::AUTO)),
        false => Ok(ranking),
    }
}

impl Ranking {
    /// One device.
    pub(crate) fn only(picked: Picked, reason: impl Into<Cow<'static, str>>) -> Ranking {
        let mut ranking = Ranking::default();
        ranking.candidates.push(Candidate {
            picked,
            estimate: None,
            missed: 0.0,
            reason: Some(reason.into()),
        });
        ranking
    }

    /// The device that was chosen by name, and why.
    pub(crate) fn named(choice: Choice) -> Ranking {
        let picked = Picked {
            backend: choice.backend,
            device: choice.device,
            generation: entries::entry(choice.backend.name()).map_or(0, Entry::generation),
        };
        let rejected = choice.rejected.into_iter();
        Ranking {
            rejected: rejected.map(|(t, why)| (t.to_string(), why)).collect(),
            ..Ranking::only(picked, choice.reason)
        }
    }

    /// The device that the data is on; the processor, if the results may be anywhere, should that fail.
    pub(crate) fn resident(picked: Picked, may_be_host: bool) -> Ranking {
        let mut ranking = Ranking::only(picked, "operands are there");
        if may_be_host && let Ok(host) = pick(&Target::CPU) {
            let reason = "it would have to be sent what is on the device";
            ranking
                .candidates
                .extend(Ranking::only(host, reason).candidates);
        }
        ranking
    }

    /// Leaves out the devices that cannot have a kernel, as long as there are others.
    pub(crate) fn without_refusals(mut self, kernel: &dyn Compilation) -> Ranking {
        let mut rejected = Vec::new();
        let mut left = self.candidates.len();
        self.candidates.retain(|candidate| {
            let picked = &candidate.picked;
            match kernel.on(picked) {
                Compiled::Refused(why) if left > 1 => {
                    left -= 1;
                    rejected.push((picked.name(), why));
                    false
                }
                _ => true,
            }
        });
        self.rejected.extend(rejected);
        self
    }

    fn push(&mut self, picked: Picked, estimate: Estimate, missed: f64) {
        self.candidates.push(Candidate {
            picked,
            estimate: Some(estimate),
            missed,
            reason: None,
        });
    }

    /// Adds the devices of a back end; or says why none of them is to be considered.
    fn consider(
        &mut self,
        entry: &'static Entry,
        question: &Question<'_>,
        on_host: f64,
        spared: &AtomicU64,
    ) -> Result<(), String> {
        let backend = entry.backend().map_err(ToString::to_string)?;
        let is_exact = |device| backend.promise(device) == Promise::Bits;
        if !entry.is_started() {
            if !question.allow_approx && !is_exact(None) {
                return Err(APPROX.to_string());
            }
            is_worth_starting(entry, question, on_host, spared)?;
        }
        for device in entry.devices().map_err(ToString::to_string)? {
            let mut reject = |why: String| {
                let name = format!("{}:{}", entry.name, device.name);
                self.rejected.push((name, why));
            };
            if let Some(why) = entries::loss(entry.name, &device.name) {
                reject(format!("it was lost: {why}"));
            } else if !device.parts.is_empty() {
                reject("it is several devices, which are taken as one only by name".to_string());
            } else if !entries::is_hardware(device) {
                reject("software stands in for a GPU there: it is taken only by name".to_string());
            } else if !question.allow_approx && !is_exact(Some(&device.name)) {
                reject(APPROX.to_string());
            } else {
                let (figures, _) = figures::of_device(entry.name, device);
                let picked = Picked {
                    backend,
                    device,
                    generation: entry.generation(),
                };
                let estimate = figures.estimate(&question.work, Some(device), None);
                match question.kernel.on(&picked) {
                    Compiled::Refused(why) => reject(why),
                    Compiled::Missing(missed) => {
                        let compiling = compiling::seconds(&picked);
                        self.push(picked, estimate.after_compiling(compiling), missed);
                    }
                    Compiled::Ready => self.push(picked, estimate, 0.0),
                }
            }
        }
        Ok(())
    }
}

/// Why `auto` leaves a device alone that does not promise the interpreter's bits.
const APPROX: &str =
    "its results may differ in the last places, which `auto` takes only if that is allowed";

/// Whether a driver is to be started: what calls, this one included, would have gained is as much as starting it takes.
fn is_worth_starting(
    entry: &Entry,
    question: &Question<'_>,
    on_host: f64,
    spared: &AtomicU64,
) -> Result<(), String> {
    let figures = figures::expected(entry.name);
    let there = figures.estimate(&question.work, None, None);
    let gain = on_host - there.seconds;
    if gain <= 0.0 {
        return Err(format!("not started: the call would take {there} there"));
    }
    let so_far = spared.load(Ordering::Relaxed) as f64 * 1e-9;
    if so_far + gain >= figures.start {
        return Ok(());
    }
    if question.is_call && gain.is_finite() {
        spared.fetch_add((gain * 1e9) as u64, Ordering::Relaxed);
    }
    Err(format!(
        "not started: that takes about {}, and calls would have gained {} so far",
        units::time(figures.start),
        units::time(so_far + gain)
    ))
}

/// Forgets what calls would have gained.
#[cfg(any(test, feature = "testing"))]
pub(super) fn reset_spared() {
    for spared in &SPARED {
        spared.store(0, Ordering::Relaxed);
    }
    compiling::reset();
}
