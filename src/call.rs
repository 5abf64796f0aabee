//! A call of a kernel: its options, and the launch.

mod explain;
mod rank;
mod short;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use smallvec::SmallVec;
use ufc_ir::DType;
use ufc_target::{BackendError, LaunchControl, LaunchReport};

use crate::array::call::{Launch, Request};
use crate::array::cast::{ArgType, LoopTypes, resolve};
use crate::array::device_call::{DeviceLaunch, bring_home, copies_of, download, write_home};
use crate::array::{Array, Casting, DeviceArray, Inputs, Operand, Output, Outputs};
use crate::cache::{Loop, LoopKey};
use crate::dispatch::{self, Candidate, Picked, Ranking, Target, Transfers};
use crate::error::Error;
use crate::fpenv::DefaultEnv;
use crate::plan::{Measured, Report};
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
        self.first_that_works(&decided, |candidate, _| {
            Ok(self.loop_at(&decided, &candidate.picked).map(drop)?)
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
        decided: &Decided,
        mut attempt: impl FnMut(&Candidate, &mut Vec<String>) -> Result<R, Failed>,
    ) -> Result<R, Error> {
        let mut notes = Vec::new();
        let mut places = decided.ranking.candidates.iter().peekable();
        while let Some(place) = places.next() {
            match attempt(place, &mut notes) {
                Ok(done) => return Ok(done),
                Err(failed) => match places.peek() {
                    Some(next) if !failed.is_final && failed.error.is_of_target() => {
                        self.note_refusal(decided, &place.picked, &failed.error);
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

    /// Remembers that a driver refused the kernel, also if it did so no sooner than at a launch: `auto` does not try again.
    fn note_refusal(&self, decided: &Decided, picked: &Picked, error: &Error) {
        let key = LoopKey {
            types: decided.types.generics.to_vec(),
            place: *picked,
            interleave: self.options.interleave,
        };
        if let Error::Backend { error, .. } = error {
            self.ufunc.inner.loops.note_refusal(&key, error);
        }
    }

    fn run<'a>(
        &self,
        inputs: SmallVec<[Operand<'a>; 4]>,
        mut outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Result<Vec<Array>, Error> {
        if outputs.is_empty() {
            if let Some(results) = self.call_short_new(&inputs)? {
                return Ok(results);
            }
        } else if self.call_short(&inputs, &outputs)? {
            return Ok(Vec::new());
        }
        self.run_long(&inputs, &mut outputs)
    }

    /// Runs a call for whatever operands: converts, copies and allocates what is needed, on the best device.
    fn run_long(
        &self,
        inputs: &[Operand<'_>],
        outputs: &mut [Output<'_>],
    ) -> Result<Vec<Array>, Error> {
        let _env = DefaultEnv::enter();
        let decided = self.decide(inputs, outputs, &[], Wish::Host, true)?;
        self.first_that_works(&decided, |candidate, notes| {
            let picked = &candidate.picked;
            let start = Instant::now();
            let ready = self.loop_at(&decided, picked)?;
            let is_resident = inputs.iter().any(|i| matches!(i, Operand::Device(_)));
            let (results, mut measured) = match is_resident && !picked.is_host() {
                true => self.run_resident(picked, &ready, inputs, outputs)?,
                false => self.run_from_host(picked, &ready, inputs, outputs)?,
            };
            note_compiling(picked, &ready);
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
        self.first_that_works(&decided, |candidate, notes| {
            let picked = &candidate.picked;
            let start = Instant::now();
            if picked.is_host() {
                let what = "results that stay on the device: its memory is the host's";
                let error = ufc_target::BackendError::Unsupported(what.to_string());
                return Err(self.ufunc.backend_error(picked, error).into());
            }
            let ready = self.loop_at(&decided, picked)?;
            let launched = self.launch_on(picked, &ready, inputs, SmallVec::new(), outputs);
            let (results, mut measured) = launched?;
            note_compiling(picked, &ready);
            if self.options.report.is_some() {
                let done = picked.backend.synchronize(&picked.device.name);
                done.map_err(|error| self.ufunc.backend_error(picked, error))?;
            }
            measured.notes.splice(0..0, notes.drain(..));
            self.report(picked, start, measured);
            Ok(results)
        })
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
}

/// Tells the cost model what compiling the loop took, where its figure counts and that is news.
fn note_compiling(picked: &Picked, ready: &Loop) {
    if !picked.is_host()
        && let Some(seconds) = ready.news_of_compiling()
    {
        dispatch::note_compiling(picked, seconds);
    }
}

fn transfers(report: &LaunchReport) -> Transfers {
    Transfers {
        uploaded: report.uploaded,
        downloaded: report.downloaded,
    }
}

/// The number of threads that the environment variable `UFC_NUM_THREADS` asks for; ignored unless it is a positive number.
fn threads_from_env() -> Option<usize> {
    static THREADS: OnceLock<Option<usize>> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let text = std::env::var("UFC_NUM_THREADS").ok()?;
        text.trim().parse().ok().filter(|n| *n > 0)
    })
}
