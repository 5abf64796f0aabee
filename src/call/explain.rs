//! What a call would do, and why.

use smallvec::SmallVec;
use ufc_target::LaunchControl;

use super::{Call, Decided, Failed, Wish};
use crate::array::call::outline;
use crate::array::cast::ArgType;
use crate::array::layout::element_count;
use crate::array::{Inputs, Operand};
use crate::cache::Loop;
use crate::dispatch::{self, Candidate, Compilation, Compiled, Picked, Work};
use crate::error::Error;
use crate::plan::Plan;
use crate::units;

impl Call<'_, '_> {
    /// What a call would do. See [`crate::Ufunc::plan`].
    ///
    /// # Errors
    /// As [`crate::Ufunc::call`].
    pub fn plan<'a>(&self, inputs: impl Inputs<'a>) -> Result<Plan, Error> {
        let inputs = inputs.to_operands();
        let decided = self.decide(&inputs, &[], &[], Wish::Host, false)?;
        self.first_that_works(&decided, |candidate, notes| {
            let compiling = self.compiling_on(&decided, &candidate.picked);
            let ready = self.loop_at(&decided, &candidate.picked)?;
            let mut plan = self.explain(&decided, candidate, &ready, &inputs)?;
            plan.estimate = plan.estimate.after_compiling(compiling);
            plan.notes.splice(0..0, notes.drain(..));
            Ok(plan)
        })
    }

    /// How long compiling the kernel for a device is likely to take, the host's processor aside; nothing if it has been done.
    fn compiling_on(&self, decided: &Decided, picked: &Picked) -> f64 {
        let known = self.known(&decided.types.generics, None);
        match known.on(picked) {
            Compiled::Missing(_) if !picked.is_host() => dispatch::compiling_seconds(picked),
            _ => 0.0,
        }
    }

    fn explain(
        &self,
        decided: &Decided,
        candidate: &Candidate,
        ready: &Loop,
        inputs: &SmallVec<[Operand<'_>; 4]>,
    ) -> Result<Plan, Failed> {
        let picked = &candidate.picked;
        let names = self.ufunc.param_names().iter();
        let casts = names.zip(&decided.args).zip(&decided.types.params);
        let casts = casts.filter_map(|((name, arg), to)| match arg {
            ArgType::Strong(from, _) if from != to => Some((name.clone(), from.to_string(), *to)),
            _ => None,
        });
        let (shape, loop_plan) = outline(&self.request(ready, inputs.clone(), SmallVec::new()))?;
        let elements = element_count(&shape).unwrap_or(usize::MAX);
        let control = LaunchControl {
            threads: self.thread_limit(),
            ..LaunchControl::default()
        };
        let (threads, threads_reason) = ready.executable.threads(elements, &control);
        let cost = ready.sampler.cost(inputs, &shape);
        let mut work = Work::new(elements, &cost);
        self.add_moves(&mut work, ready, inputs, Wish::Host);
        let (estimate, is_measured) = picked.estimate(&work, self.thread_limit());
        let all = decided.ranking.candidates.iter();
        let others = all.filter(|other| other.picked != *picked);
        let others = others.map(|other| (other.picked.name(), other.reason().into_owned()));
        Ok(Plan {
            kernel: self.ufunc.name().to_string(),
            target: picked.backend.name().to_string(),
            device: picked.device.name.clone(),
            reason: candidate.reason().into_owned(),
            rejected: others.chain(decided.ranking.rejected.clone()).collect(),
            inputs: ready.inputs.clone(),
            outputs: ready.outputs.clone(),
            casts: casts.collect(),
            shape: shape.to_vec(),
            loop_dims: loop_plan.shape().to_vec(),
            threads,
            threads_reason,
            ops_per_element: cost.ops,
            bytes_per_element: cost.bytes,
            estimate,
            is_calibrated: is_measured,
            notes: self.places_of(inputs, picked),
            measured: None,
        })
    }

    /// A line for each operand that is not where the call would run.
    fn places_of(&self, inputs: &[Operand<'_>], picked: &Picked) -> Vec<String> {
        let names = self.ufunc.param_names().iter();
        let place = |(name, input): (&String, &Operand<'_>)| match input {
            Operand::Device(array) if picked.has(&**array.buffer()) => {
                Some(format!("`{name}` is there already"))
            }
            Operand::Device(array) => {
                let (device, bytes) = (array.device(), array.bytes() as f64);
                let bytes = units::bytes(bytes);
                Some(format!("`{name}` is copied from `{device}`: {bytes}"))
            }
            _ => None,
        };
        names.zip(inputs).filter_map(place).collect()
    }
}
