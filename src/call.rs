//! A call of a kernel: its options, the choice of a loop and a target, the launch, and the plan that explains it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64};

use smallvec::SmallVec;
use ufc_ir::DType;
use ufc_target::{BackendError, LaunchControl};

use crate::array::call::{Launch, Request, arg_types};
use crate::array::cast::{ArgType, LoopTypes, resolve};
use crate::array::{Array, Casting, Inputs, Operand, Output, Outputs};
use crate::cache::{Loop, LoopKey};
use crate::dispatch::{self, Picked, Target};
use crate::error::Error;
use crate::fpenv::DefaultEnv;
use crate::plan::Plan;
use crate::quick::Quick;
use crate::raw::RawLoop;
use crate::ufunc::Ufunc;

/// How a call is to run. The default leaves the target to ufc, uses every core, and casts as NumPy does.
#[derive(Clone, Debug, Default)]
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
}

/// What is decided about a call before anything is prepared.
struct Decided {
    types: LoopTypes,
    picked: Picked,
    args: SmallVec<[ArgType; 4]>,
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
            _ => Err(Error::SeveralResults {
                kernel: self.ufunc.name().to_string(),
                nout: self.ufunc.nout(),
            }),
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
            return Err(Error::Array(crate::array::ArrayError::OperandCount {
                what: "outputs",
                have: 0,
                want: self.ufunc.nout(),
            }));
        }
        self.run(inputs.to_operands(), outputs).map(drop)
    }

    /// Compiles the loop that a call with these inputs would use, so that the call itself does not have to.
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn prepare<'a>(&self, inputs: impl Inputs<'a>) -> Result<(), Error> {
        let decided = self.decide(&inputs.to_operands(), &[])?;
        let generics = &decided.types.generics;
        let options = self.options.interleave;
        self.ufunc
            .loop_for(generics, &decided.picked, options)
            .map(drop)
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
        let picked = dispatch::pick(self.target())?;
        let interleave = self.options.interleave;
        let ready = self.ufunc.loop_for(&types.generics, &picked, interleave)?;
        RawLoop::new(ready).ok_or_else(|| {
            let what = "loops that can be called as a function: use the target `cpu`";
            let error = BackendError::Unsupported(what.to_string());
            self.ufunc.backend_error(&picked, error)
        })
    }

    fn decide(&self, inputs: &[Operand<'_>], outputs: &[Output<'_>]) -> Result<Decided, Error> {
        let inner = &*self.ufunc.inner;
        let args = arg_types(&inner.param_names, inputs, outputs)?;
        let casting = self.options.casting;
        let types = resolve(
            &inner.param_names,
            &inner.params,
            &inner.bounds,
            &args,
            casting,
        )?;
        let picked = dispatch::pick(self.target())?;
        Ok(Decided {
            types,
            picked,
            args,
        })
    }

    fn target(&self) -> &Target {
        match self.options.target.is_auto() {
            true => Target::from_env(),
            false => &self.options.target,
        }
    }

    fn thread_limit(&self) -> Option<usize> {
        self.options.threads.or_else(threads_from_env)
    }

    fn run<'a>(
        &self,
        inputs: SmallVec<[Operand<'a>; 4]>,
        outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Result<Vec<Array>, Error> {
        if let Some(quick) = self.quick(&inputs, &outputs) {
            quick.run();
            return Ok(Vec::new());
        }
        let _env = DefaultEnv::enter();
        let decided = self.decide(&inputs, &outputs)?;
        let ready = self.ufunc.loop_for(
            &decided.types.generics,
            &decided.picked,
            self.options.interleave,
        )?;
        let mut launch = self.launch(&ready, inputs, outputs)?;
        if !launch.is_empty() {
            let control = LaunchControl {
                threads: self.thread_limit(),
                cancel: self.options.cancel,
                progress: self.options.progress,
            };
            let done = launch.with_args(|args| {
                #[expect(unsafe_code, reason = "the operands are raw memory to the back end")]
                // SAFETY: the launch was prepared from views, which vouch for every element that their shapes and strides
                // reach; outputs are exclusive borrows or new arrays, and inputs that overlap them otherwise than
                // element by element were copied.
                unsafe {
                    ready.executable.launch(args, &control)
                }
            });
            done.map_err(|error| self.ufunc.backend_error(&decided.picked, error))?;
        }
        Ok(launch.finish()?)
    }

    /// The short way, if the operands are plain and a loop for exactly their dtypes has been compiled.
    fn quick(&self, inputs: &[Operand<'_>], outputs: &[Output<'_>]) -> Option<Quick> {
        let is_watched = self.options.cancel.is_some() || self.options.progress.is_some();
        if is_watched || inputs.len() != self.ufunc.nin() || outputs.len() != self.ufunc.nout() {
            return None;
        }
        let picked = dispatch::pick(self.target()).ok()?;
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

    fn launch<'a>(
        &self,
        ready: &Loop,
        inputs: SmallVec<[Operand<'a>; 4]>,
        outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Result<Launch<'a>, Error> {
        let inner = &*self.ufunc.inner;
        let launch = Launch::prepare(Request {
            input_names: &inner.param_names,
            inputs,
            input_dtypes: &ready.inputs,
            output_names: &inner.result_names,
            outputs,
            output_dtypes: &ready.outputs,
            positions: &ready.positions,
            casting: self.options.casting,
        });
        Ok(launch?)
    }

    /// What a call would do. See [`Ufunc::plan`].
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn plan<'a>(&self, inputs: impl Inputs<'a>) -> Result<Plan, Error> {
        let inputs = inputs.to_operands();
        let decided = self.decide(&inputs, &[])?;
        let choice = dispatch::choose(self.target())?;
        let generics = &decided.types.generics;
        let interleave = self.options.interleave;
        let ready = self.ufunc.loop_for(generics, &decided.picked, interleave)?;
        let names = self.ufunc.param_names().iter();
        let casts = names.zip(&decided.args).zip(&decided.types.params);
        let casts = casts.filter_map(|((name, arg), to)| match arg {
            ArgType::Strong(from, _) if from != to => Some((name.clone(), from.to_string(), *to)),
            _ => None,
        });
        let casts = casts.collect();
        let launch = self.launch(&ready, inputs, SmallVec::new())?;
        let (threads, threads_reason) = ready.executable.threads(
            launch.len(),
            &LaunchControl {
                threads: self.thread_limit(),
                ..LaunchControl::default()
            },
        );
        Ok(Plan {
            kernel: self.ufunc.name().to_string(),
            target: choice.backend.name().to_string(),
            device: choice.device.name.clone(),
            reason: choice.reason,
            rejected: choice
                .rejected
                .into_iter()
                .map(|(target, why)| (target.to_string(), why))
                .collect(),
            inputs: ready.inputs.clone(),
            outputs: ready.outputs.clone(),
            casts,
            shape: launch.shape().to_vec(),
            loop_dims: launch.plan().shape().to_vec(),
            threads,
            threads_reason,
            ops_per_element: ready.cost.ops,
            bytes_per_element: ready.cost.bytes,
        })
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
