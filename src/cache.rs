//! Compiled loops of one kernel, in memory, by dtypes and target; and what targets refused.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ufc_ir::DType;
use ufc_ir::cost::Cost;
use ufc_target::{BackendError, Executable};

use crate::dispatch::{Picked, Sampler};
use crate::error::Error;
use crate::quick::Short;

/// What tells the loops of a kernel apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoopKey {
    /// One dtype for each generic parameter.
    pub(crate) types: Vec<DType>,
    /// Where it runs.
    pub(crate) place: Picked,
    /// How many vectors are in flight, if the caller chose.
    pub(crate) interleave: Option<usize>,
}

impl LoopKey {
    /// Whether a loop is for this target, with these choices of code generation.
    pub(crate) fn is_for(&self, picked: &Picked, interleave: Option<usize>) -> bool {
        self.place == *picked && self.interleave == interleave
    }
}

/// A loop that is ready to launch, and what the caller must know about it.
#[derive(Debug)]
pub(crate) struct Loop {
    /// What short calls need, if there may be any.
    pub(crate) short: Option<Short>,
    pub(crate) executable: Arc<dyn Executable>,
    pub(crate) inputs: Vec<DType>,
    pub(crate) outputs: Vec<DType>,
    /// The positions that the kernel asks for, in the order of their slots.
    pub(crate) positions: Vec<Option<u8>>,
    /// What an element costs by what the function looks like.
    pub(crate) cost: Cost,
    /// What an element costs by its inputs.
    pub(crate) sampler: Sampler,
    /// Where calls of this loop would have been done sooner, had the kernel been compiled there: seconds in all.
    pub(crate) missed: Mutex<Vec<(Picked, f64)>>,
    pub(crate) compiling: CompileTime,
}

/// The time that compiling a loop has taken, and how much of it has been told.
#[derive(Debug)]
pub(crate) struct CompileTime {
    /// Until there was an executable.
    first: Duration,
    /// Nanoseconds that launches had spent when it was last told, and one; 0 before that.
    told: AtomicU64,
}

impl CompileTime {
    pub(crate) fn new(first: Duration) -> CompileTime {
        CompileTime {
            first,
            told: AtomicU64::new(0),
        }
    }

    /// Seconds that compiling took, if any of them was not told before; given what launches have spent so far.
    fn news(&self, in_launches: Duration) -> Option<f64> {
        let now = in_launches.as_nanos() as u64 + 1;
        let told = self.told.load(Ordering::Relaxed);
        if told >= now {
            return None;
        }
        self.told.store(now, Ordering::Relaxed);
        let since = Duration::from_nanos(now - told.max(1));
        Some((self.first + since).as_secs_f64())
    }
}

impl Loop {
    /// Seconds that compiling the loop has taken, if any of them was not told before.
    pub(crate) fn news_of_compiling(&self) -> Option<f64> {
        self.compiling.news(self.executable.compiling())
    }

    /// The seconds that calls of this loop would have gained so far on a device that the kernel is not compiled for.
    pub(crate) fn missed_on(&self, picked: &Picked) -> f64 {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = missed.iter().find(|(place, _)| place == picked);
        found.map_or(0.0, |(_, seconds)| *seconds)
    }

    /// Adds what a call would have gained there.
    pub(crate) fn add_missed(&self, picked: &Picked, seconds: f64) {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        match missed.iter_mut().find(|(place, _)| place == picked) {
            Some((_, sum)) => *sum += seconds,
            None => missed.push((*picked, seconds)),
        }
    }
}

/// The loops compiled so far. Calls find theirs without a lock: loops are only ever added, and stay as long as the kernel.
#[derive(Debug, Default)]
pub(crate) struct LoopCache {
    first: Link,
    /// What targets cannot have, and why.
    refused: RwLock<Vec<(LoopKey, BackendError)>>,
    /// Held while compiling, so that threads that want the same loop at once compile it once.
    compiling: Mutex<()>,
}

// A panic leaves the lists as they were, or longer by something whole.
impl UnwindSafe for LoopCache {}
impl RefUnwindSafe for LoopCache {}

type Link = OnceLock<Box<Node>>;

/// A loop in the list of all, in the order of compilation.
#[derive(Debug)]
struct Node {
    key: LoopKey,
    ready: Arc<Loop>,
    next: Link,
}

impl LoopCache {
    fn iter(&self) -> impl Iterator<Item = &Node> {
        let first = self.first.get();
        std::iter::successors(first, |node| node.next.get()).map(|node| &**node)
    }

    /// The first loop that is wanted, if one has been compiled.
    #[inline]
    pub(crate) fn get(&self, is_wanted: impl Fn(&LoopKey, &Loop) -> bool) -> Option<&Arc<Loop>> {
        let mut link = &self.first;
        while let Some(node) = link.get() {
            if is_wanted(&node.key, &node.ready) {
                return Some(&node.ready);
            }
            link = &node.next;
        }
        None
    }

    /// Calls `f` with every loop compiled so far, in the order of compilation.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&LoopKey, &Loop)) {
        self.iter().for_each(|node| f(&node.key, &node.ready));
    }

    /// Why a target cannot have a loop that it was asked for before, if it cannot.
    pub(crate) fn refusal(&self, is_wanted: impl Fn(&LoopKey) -> bool) -> Option<BackendError> {
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner);
        let found = refused.iter().find(|(key, _)| is_wanted(key));
        found.map(|(_, error)| error.clone())
    }

    /// Remembers that a target cannot have a loop, if that is what an error says: another try would end the same way.
    pub(crate) fn note_refusal(&self, key: &LoopKey, error: &BackendError) {
        if !matches!(
            error,
            BackendError::Unsupported(_) | BackendError::CompileFailed(_)
        ) {
            return;
        }
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        if refused.iter().all(|(known, _)| known != key) {
            refused.push((key.clone(), error.clone()));
        }
    }

    /// The loop, compiled now if it has not been before.
    pub(crate) fn get_or_compile(
        &self,
        key: LoopKey,
        compile: impl FnOnce(&LoopKey) -> Result<Loop, Error>,
    ) -> Result<Arc<Loop>, Error> {
        if let Some(known) = self.get(|k, _| *k == key) {
            return Ok(known.clone());
        }
        let _turn = self
            .compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.get(|k, _| *k == key) {
            return Ok(known.clone());
        }
        let ready = match compile(&key) {
            Ok(compiled) => Arc::new(compiled),
            Err(error) => {
                if let Error::Backend { error, .. } = &error {
                    self.note_refusal(&key, error);
                }
                return Err(error);
            }
        };
        let mut link = &self.first;
        while let Some(node) = link.get() {
            link = &node.next;
        }
        // Only who compiles adds, one at a time, so the last link is free still.
        let _ = link.set(Box::new(Node {
            key,
            ready: ready.clone(),
            next: Link::new(),
        }));
        Ok(ready)
    }
}
