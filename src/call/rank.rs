//! Which devices a call may run on: the one that was named, the one that operands are on, or the estimated best.

use smallvec::{SmallVec, smallvec};
use ufc_ir::DType;

use super::{Call, Decided, Wish};
use crate::array::call::{arg_types, loop_shape};
use crate::array::cast::resolve;
use crate::array::layout::element_count;
use crate::array::{DeviceArray, Operand, Output};
use crate::cache::{Loop, LoopKey};
use crate::dispatch::{self, Compilation, Compiled, Picked, Question, Ranking, Target, Work};
use crate::error::Error;
use crate::quick;

/// A kernel for some dtypes, and what is known of it on each device.
pub(super) struct Known<'c> {
    call: &'c Call<'c, 'c>,
    types: &'c [DType],
    /// The processor's loop, where there is one.
    host: Option<&'c Loop>,
}

impl Known<'_> {
    fn is_it(&self, key: &LoopKey, picked: &Picked) -> bool {
        key.types == self.types && key.is_for(picked, self.call.options.interleave)
    }
}

impl Compilation for Known<'_> {
    fn on(&self, picked: &Picked) -> Compiled {
        let loops = &self.call.ufunc.inner.loops;
        if let Some(error) = loops.refusal(|key| self.is_it(key, picked)) {
            return Compiled::Refused(error.to_string());
        }
        match loops.get(|key, _| self.is_it(key, picked)) {
            Some(_) => Compiled::Ready,
            None => Compiled::Missing(self.host.map_or(0.0, |host| host.missed_on(picked))),
        }
    }

    fn miss(&self, picked: &Picked, seconds: f64) {
        if let Some(host) = self.host {
            host.add_missed(picked, seconds);
        }
    }
}

impl Call<'_, '_> {
    /// What is known of the kernel for these dtypes, and of calls by the processor's loop.
    pub(super) fn known<'c>(&'c self, types: &'c [DType], host: Option<&'c Loop>) -> Known<'c> {
        Known {
            call: self,
            types,
            host,
        }
    }

    /// Dtypes, and the devices that the call may run on.
    pub(super) fn decide(
        &self,
        inputs: &[Operand<'_>],
        outputs: &[Output<'_>],
        on_device: &[DeviceArray],
        wish: Wish,
        is_call: bool,
    ) -> Result<Decided, Error> {
        let inner = &*self.ufunc.inner;
        let args = arg_types(&inner.param_names, inputs, outputs, on_device)?;
        let casting = self.options.casting;
        let types = resolve(
            &inner.param_names,
            &inner.params,
            &inner.bounds,
            &args,
            casting,
        )?;
        let mut decided = Decided {
            types,
            args,
            ranking: Ranking::default(),
        };
        let residents = residents(inputs, on_device);
        decided.ranking = self.rank(&decided, inputs, outputs, &residents, wish, is_call)?;
        Ok(decided)
    }

    /// The devices that the call may run on, the best first.
    fn rank(
        &self,
        decided: &Decided,
        inputs: &[Operand<'_>],
        outputs: &[Output<'_>],
        residents: &[&DeviceArray],
        wish: Wish,
        is_call: bool,
    ) -> Result<Ranking, Error> {
        let target = self.target()?;
        if !target.is_auto() {
            if is_call && residents.is_empty() && wish == Wish::Host {
                // Why is asked by plans only.
                return Ok(Ranking::only(dispatch::pick(target)?, ""));
            }
            let choice = dispatch::choose(target)?;
            let choice = dispatch::one_of_several(choice, residents, wish == Wish::Device)?;
            return Ok(Ranking::named(choice));
        }
        let types = &decided.types.generics;
        let known = |host| self.known(types, host);
        if let Some(home) = most_of(residents) {
            let picked = dispatch::where_buffer_is(&**home.buffer())?;
            let ranking = Ranking::resident(picked, wish == Wish::Host);
            return Ok(ranking.without_refusals(&known(None)));
        }
        if wish == Wish::Device {
            return Ok(Ranking::named(dispatch::choose(&Target::GPU)?));
        }
        let Ok(host) = dispatch::pick(&Target::CPU) else {
            return dispatch::auto(&self.question(Work::default(), &known(None), is_call));
        };
        let inner = &*self.ufunc.inner;
        let shape = loop_shape(&inner.param_names, inputs, &inner.result_names, outputs)?;
        let elements = element_count(&shape).unwrap_or(usize::MAX);
        let ready = self.loop_at(decided, &host)?;
        if ready.cost.ops.max(1.0) * elements as f64 <= quick::MOST_OPS {
            return Ok(Ranking::only(
                host,
                "the call is too small for anything else",
            ));
        }
        let mut work = Work::new(elements, &ready.sampler.cost(inputs, &shape));
        self.add_moves(&mut work, &ready, inputs, wish);
        dispatch::auto(&self.question(work, &known(Some(&ready)), is_call))
    }

    fn question<'q>(&self, work: Work, kernel: &'q dyn Compilation, is_call: bool) -> Question<'q> {
        Question {
            kernel,
            work,
            threads: self.thread_limit(),
            allow_approx: self.options.allow_approx,
            is_call,
        }
    }

    /// Adds what a device would have to be sent of the operands, and would send back; and counts repeated elements once.
    pub(super) fn add_moves(
        &self,
        work: &mut Work,
        ready: &Loop,
        inputs: &[Operand<'_>],
        wish: Wish,
    ) {
        let sizes = ready.outputs.iter().map(|dtype| dtype.size() as f64);
        let written = sizes.sum::<f64>() * work.elements;
        work.bytes = written;
        for (input, dtype) in inputs.iter().zip(&ready.inputs) {
            match input {
                Operand::View(view) => {
                    let once = view.clone().without_repeats().len();
                    let bytes = (once * dtype.size()) as f64;
                    work.host_in += bytes;
                    work.bytes += bytes;
                }
                Operand::Device(array) => work.bytes += array.bytes() as f64,
                Operand::InPlace(_) => work.bytes += dtype.size() as f64 * work.elements,
                Operand::Scalar(_) | Operand::Weak(_) => {}
            }
        }
        if wish == Wish::Host {
            work.host_out = written;
        }
    }
}

/// The operands that are on devices.
fn residents<'i>(
    inputs: &'i [Operand<'_>],
    outputs: &'i [DeviceArray],
) -> SmallVec<[&'i DeviceArray; 4]> {
    let mut found: SmallVec<[&DeviceArray; 4]> = smallvec![];
    // Results go where the caller wants them, wherever the inputs are.
    if let Some(first) = outputs.first() {
        found.push(first);
        return found;
    }
    found.extend(inputs.iter().filter_map(|input| match input {
        Operand::Device(array) => Some(array),
        _ => None,
    }));
    found
}

/// The array whose device has the most bytes of all.
fn most_of<'i>(residents: &[&'i DeviceArray]) -> Option<&'i DeviceArray> {
    let bytes_on = |device: &str| {
        let there = residents.iter().filter(|array| array.device() == device);
        there.map(|array| array.bytes()).sum::<usize>()
    };
    // Of equals the first counts.
    residents
        .iter()
        .rev()
        .max_by_key(|array| bytes_on(&array.device()))
        .copied()
}
