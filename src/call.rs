//! A call of a kernel: its options, the choice of a loop and a target, the launch, and the plan that explains it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use smallvec::{SmallVec, smallvec};
use ufc_ir::DType;
use ufc_target::{BackendError, LaunchControl, LaunchReport};

use crate::array::call::{Launch, Request, arg_types, loop_shape, outline};
use crate::array::cast::{ArgType, LoopTypes, resolve};
use crate::array::device_call::{DeviceLaunch, bring_home, copies_of, download, write_home};
use crate::array::layout::element_count;
use crate::array::{Array, Casting, DeviceArray, Inputs, Operand, Output, Outputs};
use crate::cache::{Loop, LoopKey};
use crate::dispatch::{self, Candidate, Picked, Question, Ranking, Target, Transfers, Work};
use crate::error::Error;
use crate::fpenv::DefaultEnv;
use crate::plan::{Measured, Plan, Report};
use crate::quick::{self, Plain, Quick};
use crate::raw::RawLoop;
use crate::ufunc::Ufunc;

/// How a call is to run. The default leaves the target to ufc, uses every core, and casts as NumPy does.
#[derive(Clone, Debug)]
pub struct CallOptions<'a> {
    /// Where to run; where this is `auto`, the environment variable `UFC_TARGET` decides if it is set.
    pub target: Target,
    /// At most so many threads; if none is given, the environment variable `UFC_NUM_THREADS`, else as many as there are cores.
    pub threads: Option<usize>,
    /// Which conversions of operands are allowed.
    pub casting: Casting,
    /// How many vectors are in flight per turn; chosen by the back end if none is given.
    pub interleave: Option<usize>,
    /// Set from another thread to stop the call between blocks of elements; it then gives an error.
    pub cancel: Option<&'a AtomicBool>,
    /// Counts elements as they are done.
    pub progress: Option<&'a AtomicU64>,
    /// Whether `auto` may take a target whose floats may differ from other targets' in the last places.
    pub allow_approx: bool,
    /// Filled with what the call took, once it is done. Such a call waits for its device.
    pub report: Option<&'a Report>,
    /// Whether what is compiled for this call may be kept in the cache folder for other processes, where the target does
    /// that: loops that are compiled in this process are kept by it in any case.
    pub cache: bool,
}

impl Default for CallOptions<'_> {
    fn default() -> Self {
        CallOptions {
            target: Target::AUTO,
            threads: None,
            casting: Casting::default(),
            interleave: None,
            cancel: None,
            progress: None,
            allow_approx: false,
            report: None,
            cache: true,
        }
    }
}

/// What is decided about a call before anything is prepared.
struct Decided {
    types: LoopTypes,
    args: SmallVec<[ArgType; 4]>,
    /// The back ends and devices that it may run on, the best first.
    ranking: Ranking,
}

/// Where the results are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Host,
    Device,
}

/// Why a call did not work out on a device.
struct Failed {
    error: Box<Error>,
    /// Whether the caller's memory may have been changed, so that no other device can start over.
    is_final: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed {
            error: Box::new(error),
            is_final: false,
        }
    }
}

impl From<crate::array::ArrayError> for Failed {
    fn from(error: crate::array::ArrayError) -> Failed {
        Error::from(error).into()
    }
}

/// A ufunc together with how it is to be called.
#[derive(Clone, Debug)]
pub struct Call<'u, 'o> {
    ufunc: &'u Ufunc,
    options: CallOptions<'o>,
}

impl<'u, 'o> Call<'u, 'o> {
    pub(crate) fn new(ufunc: &'u Ufunc, options: CallOptions<'o>) -> Call<'u, 'o> {
        Call { ufunc, options }
    }

    /// Uses at most so many threads.
    pub fn threads(mut self, threads: usize) -> Call<'u, 'o> {
        self.options.threads = Some(threads);
        self
    }

    /// Allows these conversions of operands.
    pub fn casting(mut self, casting: Casting) -> Call<'u, 'o> {
        self.options.casting = casting;
        self
    }

    /// Gives the one result in a new array. See [`Ufunc::call`].
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn call<'a>(&self, inputs: impl Inputs<'a>) -> Result<Array, Error> {
        let mut results = self.call_all(inputs)?;
        match (results.pop(), results.is_empty()) {
            (Some(result), true) => Ok(result),
            _ => Err(self.several_results()),
        }
    }

    /// Gives all results in new arrays. See [`Ufunc::call_all`].
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn call_all<'a>(&self, inputs: impl Inputs<'a>) -> Result<Vec<Array>, Error> {
        self.run(inputs.to_operands(), SmallVec::new())
    }

    /// Writes the results to the outputs. See [`Ufunc::call_into`].
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn call_into<'a>(
        &self,
        inputs: impl Inputs<'a>,
        outputs: impl Outputs<'a>,
    ) -> Result<(), Error> {
        let outputs = outputs.to_outputs();
        if outputs.is_empty() {
            return Err(self.no_outputs());
        }
        self.run(inputs.to_operands(), outputs).map(drop)
    }

    /// Gives the one result in new memory on a device. See [`Ufunc::call_on_device`].
    ///
    /// # Errors
    /// As [`Ufunc::call_on_device`].
    pub fn call_on_device<'a>(&self, inputs: impl Inputs<'a>) -> Result<DeviceArray, Error> {
        let mut results = self.call_all_on_device(inputs)?;
        match (results.pop(), results.is_empty()) {
            (Some(result), true) => Ok(result),
            _ => Err(self.several_results()),
        }
    }

    /// Gives all results in new memory on a device. See [`Ufunc::call_on_device`].
    ///
    /// # Errors
    /// As [`Ufunc::call_on_device`].
    pub fn call_all_on_device<'a>(
        &self,
        inputs: impl Inputs<'a>,
    ) -> Result<Vec<DeviceArray>, Error> {
        self.run_on_device(&inputs.to_operands(), &[])
    }

    /// Writes the results to arrays on a device. See [`Ufunc::call_into_device`].
    ///
    /// # Errors
    /// As [`Ufunc::call_on_device`].
    pub fn call_into_device<'a>(
        &self,
        inputs: impl Inputs<'a>,
        outputs: &mut [DeviceArray],
    ) -> Result<(), Error> {
        if outputs.is_empty() {
            return Err(self.no_outputs());
        }
        self.run_on_device(&inputs.to_operands(), outputs).map(drop)
    }

    /// Compiles the loop that a call with these inputs would use, so that the call itself does not have to.
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn prepare<'a>(&self, inputs: impl Inputs<'a>) -> Result<(), Error> {
        let inputs = inputs.to_operands();
        let decided = self.decide(&inputs, &[], &[], Wish::Host, false)?;
        self.first_that_works(&decided.ranking, |picked, _| {
            Ok(self.loop_at(&decided, picked).map(drop)?)
        })
    }

    /// The loop for inputs of exactly these dtypes as a raw function, compiled if it has not been before.
    ///
    /// # Errors
    /// If there is no loop for exactly these dtypes, or the target is not there or has no such functions.
    pub fn raw_loop(&self, inputs: &[DType]) -> Result<RawLoop, Error> {
        let inner = &*self.ufunc.inner;
        let args: SmallVec<[ArgType; 4]> = inputs.iter().map(|dtype| ArgType::of(*dtype)).collect();
        let names = &inner.param_names;
        let types = resolve(names, &inner.params, &inner.bounds, &args, Casting::No)?;
        let picked = dispatch::pick(self.target()?)?;
        let ready = self.loop_of(&types.generics, &picked)?;
        RawLoop::new(ready).ok_or_else(|| {
            let what = "loops that can be called as a function: use the target `cpu`";
            let error = BackendError::Unsupported(what.to_string());
            self.ufunc.backend_error(&picked, error)
        })
    }

    fn several_results(&self) -> Error {
        Error::SeveralResults {
            kernel: self.ufunc.name().to_string(),
            nout: self.ufunc.nout(),
        }
    }

    fn no_outputs(&self) -> Error {
        Error::Array(crate::array::ArrayError::OperandCount {
            what: "outputs",
            have: 0,
            want: self.ufunc.nout(),
        })
    }

    /// Dtypes, and the devices that the call may run on.
    fn decide(
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
            let choice = dispatch::choose(target)?;
            let choice = dispatch::one_of_several(choice, residents, wish == Wish::Device)?;
            return Ok(Ranking::named(choice));
        }
        if let Some(home) = most_of(residents) {
            let picked = dispatch::where_buffer_is(&**home.buffer())?;
            return Ok(Ranking::resident(picked, wish == Wish::Host));
        }
        if wish == Wish::Device {
            return Ok(Ranking::named(dispatch::choose(&Target::GPU)?));
        }
        let Ok(host) = dispatch::pick(&Target::CPU) else {
            return dispatch::auto(&self.question(Work::default(), is_call));
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
        dispatch::auto(&self.question(work, is_call))
    }

    fn question(&self, work: Work, is_call: bool) -> Question {
        Question {
            work,
            threads: self.thread_limit(),
            allow_approx: self.options.allow_approx,
            is_call,
        }
    }

    /// Adds what a device would have to be sent of the operands, and would send back; and counts repeated elements once.
    fn add_moves(&self, work: &mut Work, ready: &Loop, inputs: &[Operand<'_>], wish: Wish) {
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

    fn target(&self) -> Result<&Target, Error> {
        match self.options.target.is_auto() {
            true => Ok(Target::from_env()?),
            false => Ok(&self.options.target),
        }
    }

    fn thread_limit(&self) -> Option<usize> {
        self.options.threads.or_else(threads_from_env)
    }

    fn loop_at(&self, decided: &Decided, picked: &Picked) -> Result<std::sync::Arc<Loop>, Error> {
        self.loop_of(&decided.types.generics, picked)
    }

    fn loop_of(&self, generics: &[DType], picked: &Picked) -> Result<std::sync::Arc<Loop>, Error> {
        let CallOptions {
            interleave, cache, ..
        } = self.options;
        self.ufunc.loop_for(generics, picked, interleave, cache)
    }

    fn control(&self) -> LaunchControl<'_> {
        LaunchControl {
            threads: self.thread_limit(),
            cancel: self.options.cancel,
            progress: self.options.progress,
        }
    }

    /// Tries the devices in order. One that cannot do it gives way to the next, and is named in the notes.
    fn first_that_works<R>(
        &self,
        ranking: &Ranking,
        mut attempt: impl FnMut(&Picked, &mut Vec<String>) -> Result<R, Failed>,
    ) -> Result<R, Error> {
        let mut notes = Vec::new();
        let mut places = ranking.candidates.iter().peekable();
        while let Some(place) = places.next() {
            match attempt(&place.picked, &mut notes) {
                Ok(done) => return Ok(done),
                Err(failed) => match places.peek() {
                    Some(next) if !failed.is_final && failed.error.is_of_target() => {
                        let (error, next) = (failed.error, next.picked.name());
                        notes.push(format!("{error}; the call goes on on `{next}`"));
                    }
                    _ => return Err(*failed.error),
                },
            }
        }
        Err(Error::Internal {
            stage: "dispatch",
            message: "no device to run on".to_string(),
        })
    }

    fn run<'a>(
        &self,
        inputs: SmallVec<[Operand<'a>; 4]>,
        mut outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Result<Vec<Array>, Error> {
        if let Some(quick) = self.quick(&inputs, &outputs) {
            quick.run();
            return Ok(Vec::new());
        }
        let _env = DefaultEnv::enter();
        let decided = self.decide(&inputs, &outputs, &[], Wish::Host, true)?;
        self.first_that_works(&decided.ranking, |picked, notes| {
            let start = Instant::now();
            let ready = self.loop_at(&decided, picked)?;
            let is_resident = inputs.iter().any(|i| matches!(i, Operand::Device(_)));
            let (results, mut measured) = match is_resident && !picked.is_host() {
                true => self.run_resident(picked, &ready, &inputs, &mut outputs)?,
                false => self.run_from_host(picked, &ready, &inputs, &mut outputs)?,
            };
            measured.notes.splice(0..0, notes.drain(..));
            self.report(picked, start, measured);
            Ok(results)
        })
    }

    fn report(&self, picked: &Picked, start: Instant, measured: Measured) {
        if let Some(report) = self.options.report {
            report.set(Measured {
                target: picked.name(),
                seconds: start.elapsed().as_secs_f64(),
                ..measured
            });
        }
    }

    /// Launches a loop on operands in the host's memory; the back end moves them where its device has memory of its own.
    fn run_from_host(
        &self,
        picked: &Picked,
        ready: &Loop,
        inputs: &[Operand<'_>],
        outputs: &mut [Output<'_>],
    ) -> Result<(Vec<Array>, Measured), Failed> {
        let mut measured = Measured::default();
        let mut copies = Vec::new();
        if inputs.iter().any(|i| matches!(i, Operand::Device(_))) {
            let copied = copies_of(self.ufunc.param_names(), inputs)?;
            copies = copied.arrays;
            measured.add(copied.moved);
            measured.notes = copied.notes;
        }
        let inputs = match copies.is_empty() {
            true => inputs.iter().cloned().collect(),
            false => bring_home(inputs, &copies),
        };
        let outputs = outputs.iter_mut().map(Output::reborrow).collect();
        let mut launch = Launch::prepare(self.request(ready, inputs, outputs))?;
        if !launch.is_empty() {
            let control = self.control();
            let done = launch.with_args(|args| {
                #[expect(unsafe_code, reason = "the operands are raw memory to the back end")]
                // SAFETY: the launch was prepared from views, which vouch for every element that their shapes and strides
                // reach; outputs are exclusive borrows or new arrays, and inputs that overlap them otherwise than
                // element by element were copied.
                unsafe {
                    ready.executable.launch(args, &control)
                }
            });
            let is_final = launch.updates();
            let report = done.map_err(|error| Failed {
                error: Box::new(self.ufunc.backend_error(picked, error)),
                is_final,
            })?;
            dispatch::count_transfers(transfers(&report));
            measured.add(transfers(&report));
            measured.chunks = report.chunks;
            measured.threads = report.threads;
        }
        Ok((launch.finish()?, measured))
    }

    /// Launches a loop on operands of which some are on the device, and brings the results home.
    fn run_resident(
        &self,
        picked: &Picked,
        ready: &Loop,
        inputs: &[Operand<'_>],
        outputs: &mut [Output<'_>],
    ) -> Result<(Vec<Array>, Measured), Failed> {
        let reborrowed = outputs.iter_mut().map(Output::reborrow).collect();
        let (results, mut measured) = self.launch_on(picked, ready, inputs, reborrowed, &[])?;
        if !outputs.is_empty() {
            measured.add(write_home(&results, outputs)?);
            return Ok((Vec::new(), measured));
        }
        let mut arrays = Vec::with_capacity(results.len());
        for result in &results {
            let (array, moved) = download(result)?;
            measured.add(moved);
            arrays.push(array);
        }
        Ok((arrays, measured))
    }

    /// Launches a loop on a device; gives what it wrote there.
    fn launch_on<'x>(
        &self,
        picked: &Picked,
        ready: &Loop,
        inputs: &[Operand<'x>],
        outputs: SmallVec<[Output<'x>; 2]>,
        on_device: &[DeviceArray],
    ) -> Result<(Vec<DeviceArray>, Measured), Failed> {
        let request = self.request(ready, inputs.iter().cloned().collect(), outputs);
        let launch = DeviceLaunch::prepare(request, on_device, picked)?;
        let done = launch.run(&*ready.executable, &self.control(), picked);
        let report = done.map_err(|error| Failed {
            error: Box::new(error.of_kernel(self.ufunc.name())),
            is_final: !on_device.is_empty(),
        })?;
        let mut measured = Measured {
            notes: launch.notes.clone(),
            chunks: report.chunks,
            threads: report.threads,
            ..Measured::default()
        };
        measured.add(launch.moved);
        dispatch::count_transfers(transfers(&report));
        measured.add(transfers(&report));
        Ok((launch.into_results(), measured))
    }

    fn run_on_device(
        &self,
        inputs: &[Operand<'_>],
        outputs: &[DeviceArray],
    ) -> Result<Vec<DeviceArray>, Error> {
        let _env = DefaultEnv::enter();
        let decided = self.decide(inputs, &[], outputs, Wish::Device, true)?;
        self.first_that_works(&decided.ranking, |picked, notes| {
            let start = Instant::now();
            if picked.is_host() {
                let what = "results that stay on the device: its memory is the host's";
                let error = ufc_target::BackendError::Unsupported(what.to_string());
                return Err(self.ufunc.backend_error(picked, error).into());
            }
            let ready = self.loop_at(&decided, picked)?;
            let launched = self.launch_on(picked, &ready, inputs, SmallVec::new(), outputs);
            let (results, mut measured) = launched?;
            if self.options.report.is_some() {
                let done = picked.backend.synchronize(&picked.device.name);
                done.map_err(|error| self.ufunc.backend_error(picked, error))?;
            }
            measured.notes.splice(0..0, notes.drain(..));
            self.report(picked, start, measured);
            Ok(results)
        })
    }

    /// Runs the kernel on plain memory, for callers who have only that; says whether it did. It does not if there is no
    /// loop yet for exactly these dtypes, the operands do not fit, overlap otherwise than element by element, or are large:
    /// then [`Call::call_into`] is the way.
    ///
    /// # Safety
    /// For every operand that has a length, all its elements, else the one, may be read (inputs) or written (outputs), and
    /// nothing else touches them during the call. Elements of an output do not overlap each other.
    #[expect(
        unsafe_code,
        reason = "the operands are raw memory that the caller vouches for"
    )]
    pub unsafe fn call_plain(&self, inputs: &[Plain], outputs: &[Plain]) -> bool {
        let quick = || {
            if self.is_watched() {
                return None;
            }
            let picked = dispatch::pick(self.target().ok()?).ok()?;
            let is_same = |plain: &[Plain], dtypes: &[DType]| {
                let mut both = plain.iter().zip(dtypes);
                plain.len() == dtypes.len() && both.all(|(plain, dtype)| plain.dtype == *dtype)
            };
            let is_exact = |key: &LoopKey, ready: &Loop| {
                is_same(inputs, &ready.inputs)
                    && is_same(outputs, &ready.outputs)
                    && key.is_for(&picked, self.options.interleave)
            };
            let ready = self.ufunc.inner.loops.get(is_exact)?;
            Some((Quick::of_plain(&ready, inputs, outputs)?, ready))
        };
        let found = quick();
        let is_done = found.is_some();
        if let Some((quick, _ready)) = found {
            quick.run();
        }
        is_done
    }

    fn is_watched(&self) -> bool {
        self.options.cancel.is_some()
            || self.options.progress.is_some()
            || self.options.report.is_some()
    }

    /// The short way, if the operands are plain and a loop for exactly their dtypes has been compiled.
    fn quick(&self, inputs: &[Operand<'_>], outputs: &[Output<'_>]) -> Option<Quick> {
        let is_watched = self.is_watched();
        if is_watched || inputs.len() != self.ufunc.nin() || outputs.len() != self.ufunc.nout() {
            return None;
        }
        // What is small enough for this way is left to the processor by `auto`.
        let picked = dispatch::pick(self.target().ok()?).ok()?;
        let is_exact = |key: &LoopKey, ready: &Loop| {
            let mut given = inputs.iter().zip(&ready.inputs);
            let mut taken = outputs.iter().zip(&ready.outputs);
            given.all(|(operand, dtype)| operand.dtype() == Some(*dtype))
                && taken.all(|(output, dtype)| output.view.dtype() == *dtype)
                && key.is_for(&picked, self.options.interleave)
        };
        let ready = self.ufunc.inner.loops.get(is_exact)?;
        Quick::new(&ready, inputs, outputs)
    }

    fn request<'r, 'a>(
        &'r self,
        ready: &'r Loop,
        inputs: SmallVec<[Operand<'a>; 4]>,
        outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Request<'r, 'a> {
        let inner = &*self.ufunc.inner;
        Request {
            input_names: &inner.param_names,
            inputs,
            input_dtypes: &ready.inputs,
            output_names: &inner.result_names,
            outputs,
            output_dtypes: &ready.outputs,
            positions: &ready.positions,
            casting: self.options.casting,
        }
    }

    /// What a call would do. See [`Ufunc::plan`].
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn plan<'a>(&self, inputs: impl Inputs<'a>) -> Result<Plan, Error> {
        let inputs = inputs.to_operands();
        let decided = self.decide(&inputs, &[], &[], Wish::Host, false)?;
        self.first_that_works(&decided.ranking, |picked, notes| {
            let ready = self.loop_at(&decided, picked)?;
            let mut plan = self.explain(&decided, picked, &ready, &inputs)?;
            plan.notes.splice(0..0, notes.drain(..));
            Ok(plan)
        })
    }

    fn explain(
        &self,
        decided: &Decided,
        picked: &Picked,
        ready: &Loop,
        inputs: &SmallVec<[Operand<'_>; 4]>,
    ) -> Result<Plan, Failed> {
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
        let is_this = |c: &&Candidate| c.picked.name() == picked.name();
        let all = &decided.ranking.candidates;
        let others = all.iter().filter(|c| !is_this(c));
        let others = others.map(|c| (c.picked.name(), c.reason.clone()));
        let reason = all.iter().find(is_this).map(|c| c.reason.clone());
        Ok(Plan {
            kernel: self.ufunc.name().to_string(),
            target: picked.backend.name().to_string(),
            device: picked.device.name.clone(),
            reason: reason.unwrap_or_default(),
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
                let bytes = crate::units::bytes(bytes);
                Some(format!("`{name}` is copied from `{device}`: {bytes}"))
            }
            _ => None,
        };
        names.zip(inputs).filter_map(place).collect()
    }
}

fn transfers(report: &LaunchReport) -> Transfers {
    Transfers {
        uploaded: report.uploaded,
        downloaded: report.downloaded,
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

/// The number of threads that the environment variable `UFC_NUM_THREADS` asks for; ignored unless it is a positive number.
fn threads_from_env() -> Option<usize> {
    static THREADS: OnceLock<Option<usize>> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let text = std::env::var("UFC_NUM_THREADS").ok()?;
        text.trim().parse().ok().filter(|n| *n > 0)
    })
}
