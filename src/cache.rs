//! Compiled loops of one kernel, in memory, by dtypes and target.

use std::sync::{Arc, Mutex, RwLock};

use ufc_ir::DType;
use ufc_ir::cost::Cost;
use ufc_target::{BackendError, CompileOptions, Executable};

use crate::dispatch::{Picked, Sampler};
use crate::error::Error;

/// What tells the loops of a kernel apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoopKey {
    /// One dtype for each generic parameter.
    pub(crate) types: Vec<DType>,
    /// The back end's word.
    pub(crate) target: &'static str,
    /// Device and code generation choices.
    pub(crate) options: CompileOptions,
    /// How many devices of the back end had been lost by then.
    pub(crate) generation: u32,
}

impl LoopKey {
    /// Whether a loop is for this target, with these choices of code generation.
    pub(crate) fn is_for(&self, picked: &Picked, interleave: Option<usize>) -> bool {
        self.target == picked.backend.name()
            && self.options.device.as_deref() == Some(picked.device.name.as_str())
            && self.options.interleave == interleave
            && self.generation == picked.generation
    }
}

/// A loop that is ready to launch, and what the caller must know about it.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) executable: Arc<dyn Executable>,
    pub(crate) inputs: Vec<DType>,
    pub(crate) outputs: Vec<DType>,
    /// The positions that the kernel asks for, in the order of their slots.
    pub(crate) positions: Vec<Option<u8>>,
    /// What an element costs by what the function looks like.
    pub(crate) cost: Cost,
    /// What an element costs by its inputs.
    pub(crate) sampler: Sampler,
}

/// The loops compiled so far.
#[derive(Debug, Default)]
pub(crate) struct LoopCache {
    loops: RwLock<Vec<(LoopKey, Arc<Loop>)>>,
    /// What targets cannot have, and why.
    refused: RwLock<Vec<(LoopKey, BackendError)>>,
    /// Held while compiling, so that threads that want the same loop at once compile it once.
    compiling: Mutex<()>,
}

impl LoopCache {
    /// The first loop that is wanted, if one has been compiled.
    pub(crate) fn get(&self, is_wanted: impl Fn(&LoopKey, &Loop) -> bool) -> Option<Arc<Loop>> {
        let loops = self.loops.read().unwrap_or_else(|e| e.into_inner());
        let found = loops.iter().find(|(key, ready)| is_wanted(key, ready));
        found.map(|(_, compiled)| compiled.clone())
    }

    /// Calls `f` with every loop compiled so far, in the order of compilation.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&LoopKey, &Loop)) {
        let loops = self.loops.read().unwrap_or_else(|e| e.into_inner());
        loops.iter().for_each(|(key, ready)| f(key, ready));
    }

    /// Why a target cannot have a loop that it was asked for before, if it cannot.
    pub(crate) fn refusal(&self, is_wanted: impl Fn(&LoopKey) -> bool) -> Option<BackendError> {
        let refused = self.refused.read().unwrap_or_else(|e| e.into_inner());
        let found = refused.iter().find(|(key, _)| is_wanted(key));
        found.map(|(_, error)| error.clone())
    }

    /// The loop, compiled now if it has not been before.
    pub(crate) fn get_or_compile(
        &self,
        key: LoopKey,
        compile: impl FnOnce(&LoopKey) -> Result<Loop, Error>,
    ) -> Result<Arc<Loop>, Error> {
        if let Some(known) = self.get(|k, _| *k == key) {
            return Ok(known);
        }
        let _turn = self.compiling.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = self.get(|k, _| *k == key) {
            return Ok(known);
        }
        let compiled = match compile(&key) {
            Ok(compiled) => Arc::new(compiled),
            Err(error) => {
                if let Error::Backend { error, .. } = &error
                    && matches!(error, BackendError::Unsupported(_))
                {
                    let mut refused = self.refused.write().unwrap_or_else(|e| e.into_inner());
                    refused.push((key, error.clone()));
                }
                return Err(error);
            }
        };
        let mut loops = self.loops.write().unwrap_or_else(|e| e.into_inner());
        loops.push((key, compiled.clone()));
        Ok(compiled)
    }
}
