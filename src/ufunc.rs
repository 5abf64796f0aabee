//! One kernel as a ufunc: its name, signature and loops, and calls of it on arrays.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ufc_ir::{DType, TypeSet};
use ufc_target::CompileOptions;
use ufc_target::launch::positions;

use crate::array::cast::ParamType;
use crate::array::{Array, DeviceArray, Inputs, Outputs};
use crate::cache::{CompileTime, Loop, LoopCache, LoopKey};
use crate::call::{Call, CallOptions};
use crate::dispatch::{self, Picked, Sampler, Target};
use crate::error::Error;
use crate::fpenv::DefaultEnv;
use crate::module::Module;
use crate::pipeline;
use crate::plan::Plan;
use crate::quick::Short;

/// A kernel that is applied to every element of its operands. Cheap to clone; usable from many threads at once.
///
/// Operands are broadcast as in NumPy, and converted to the kernel's dtypes as far as the casting rule allows. The
/// first call with new dtypes compiles a loop for them, which later calls reuse.
#[derive(Clone)]
pub struct Ufunc {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    module: Module,
    kernel: usize,
    pub(crate) param_names: Vec<String>,
    pub(crate) result_names: Vec<String>,
    pub(crate) params: Vec<ParamType>,
    pub(crate) bounds: Vec<TypeSet>,
    pub(crate) loops: LoopCache,
}

/// One loop of a kernel: what it is compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopInfo {
    /// Dtypes of the inputs.
    pub inputs: Vec<DType>,
    /// Dtypes of the outputs.
    pub outputs: Vec<DType>,
    /// The target's word.
    pub target: &'static str,
    /// The device's name.
    pub device: String,
}

impl Ufunc {
    pub(crate) fn new(module: Module, kernel: usize) -> Ufunc {
        let checked = &module.kernels()[kernel];
        let params = checked.params.iter().map(|param| match param.ty {
            ufc_lang::ParamType::DType(dtype) => ParamType::Exact(dtype),
            ufc_lang::ParamType::Generic(generic) => ParamType::Generic(generic),
            ufc_lang::ParamType::Inferred => unreachable!("only results are inferred"),
        });
        let inner = Inner {
            kernel,
            param_names: checked.params.iter().map(|p| p.name.clone()).collect(),
            result_names: (0..checked.results.len()).map(|i| i.to_string()).collect(),
            params: params.collect(),
            bounds: checked.generics.iter().map(|g| g.set).collect(),
            loops: LoopCache::default(),
            module: module.clone(),
        };
        Ufunc {
            inner: Arc::new(inner),
        }
    }

    /// What the front end knows of the kernel.
    pub fn kernel(&self) -> &ufc_lang::Kernel {
        &self.inner.module.kernels()[self.inner.kernel]
    }

    /// The module that the kernel is from.
    pub fn module(&self) -> &Module {
        &self.inner.module
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.kernel().name
    }

    /// The kernel's documentation comment.
    pub fn doc(&self) -> &str {
        &self.kernel().docs
    }

    /// The kernel's head, such as `mandelbrot(re: f32, im: f32, iters: u32) -> u8`.
    pub fn signature(&self) -> String {
        let kernel = self.kernel();
        let name_of = |ty: &ufc_lang::ParamType| match ty {
            ufc_lang::ParamType::DType(dtype) => dtype.name().to_string(),
            ufc_lang::ParamType::Generic(i) => kernel.generics[*i].name.clone(),
            ufc_lang::ParamType::Inferred => "_".to_string(),
        };
        let params: Vec<String> = kernel
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, name_of(&param.ty)))
            .collect();
        let generics: Vec<String> = kernel
            .generics
            .iter()
            .map(|generic| format!("{}: {}", generic.name, generic.set))
            .collect();
        let generics = match generics.is_empty() {
            true => String::new(),
            false => format!("<{}>", generics.join(", ")),
        };
        let results: Vec<String> = kernel.results.iter().map(name_of).collect();
        let results = match &results[..] {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        };
        format!(
            "{}{generics}({}) -> {results}",
            kernel.name,
            params.join(", ")
        )
    }

    /// Number of inputs.
    pub fn nin(&self) -> usize {
        self.inner.params.len()
    }

    /// Number of outputs.
    pub fn nout(&self) -> usize {
        self.inner.result_names.len()
    }

    /// Names of the inputs in order.
    pub fn param_names(&self) -> &[String] {
        &self.inner.param_names
    }

    /// Types of the inputs: a dtype each, or the number of the generic whose dtype it takes.
    pub fn params(&self) -> &[ParamType] {
        &self.inner.params
    }

    /// The dtypes that each generic may stand for.
    pub fn bounds(&self) -> &[TypeSet] {
        &self.inner.bounds
    }

    /// The loops compiled so far, in the order of compilation.
    pub fn loops(&self) -> Vec<LoopInfo> {
        let mut found = Vec::new();
        self.inner.loops.for_each(|key, ready| {
            found.push(LoopInfo {
                inputs: ready.inputs.clone(),
                outputs: ready.outputs.clone(),
                target: key.place.backend.name(),
                device: key.place.device.name.clone(),
            });
        });
        found
    }

    /// Calls the kernel and gives its one result, in a new array.
    ///
    /// # Errors
    /// If the operands do not fit, the target is not there, the kernel has several results, or there is no memory.
    pub fn call<'a>(&self, inputs: impl Inputs<'a>) -> Result<Array, Error> {
        self.with(CallOptions::default()).call(inputs)
    }

    /// Calls the kernel and gives all its results, in new arrays.
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn call_all<'a>(&self, inputs: impl Inputs<'a>) -> Result<Vec<Array>, Error> {
        self.with(CallOptions::default()).call_all(inputs)
    }

    /// Calls the kernel and writes its results to the outputs.
    ///
    /// # Errors
    /// As [`Ufunc::call`]; on an error while the loop runs, the outputs are partly written.
    pub fn call_into<'a>(
        &self,
        inputs: impl Inputs<'a>,
        outputs: impl Outputs<'a>,
    ) -> Result<(), Error> {
        self.with(CallOptions::default()).call_into(inputs, outputs)
    }

    /// Calls the kernel and leaves its one result on the device: the one that inputs are on, else the target's, a GPU for
    /// `auto`. Returns when the work has been asked for; what goes wrong later is said by whatever waits for it.
    ///
    /// # Errors
    /// As [`Ufunc::call`], and if the target has no memory of its own.
    pub fn call_on_device<'a>(&self, inputs: impl Inputs<'a>) -> Result<DeviceArray, Error> {
        self.with(CallOptions::default()).call_on_device(inputs)
    }

    /// Calls the kernel and leaves all its results on the device.
    ///
    /// # Errors
    /// As [`Ufunc::call_on_device`].
    pub fn call_all_on_device<'a>(
        &self,
        inputs: impl Inputs<'a>,
    ) -> Result<Vec<DeviceArray>, Error> {
        self.with(CallOptions::default()).call_all_on_device(inputs)
    }

    /// Calls the kernel and writes its results to arrays on the device, which may also be inputs.
    ///
    /// # Errors
    /// As [`Ufunc::call_on_device`]; on an error while the loop runs, the outputs are partly written.
    pub fn call_into_device<'a>(
        &self,
        inputs: impl Inputs<'a>,
        outputs: &mut [DeviceArray],
    ) -> Result<(), Error> {
        let call = self.with(CallOptions::default());
        call.call_into_device(inputs, outputs)
    }

    /// What a call would do: which target and loop, how many threads, and why.
    ///
    /// # Errors
    /// As [`Ufunc::call`].
    pub fn plan<'a>(&self, inputs: impl Inputs<'a>) -> Result<Plan, Error> {
        self.with(CallOptions::default()).plan(inputs)
    }

    /// The kernel, to be called in a certain way.
    pub fn with<'o>(&self, options: CallOptions<'o>) -> Call<'_, 'o> {
        Call::new(self, options)
    }

    /// The kernel, to be called on a target.
    pub fn on(&self, target: Target) -> Call<'_, 'static> {
        self.with(CallOptions {
            target,
            ..CallOptions::default()
        })
    }

    /// The loop for these dtypes and this target, compiled if it has not been before. What is compiled may be kept in the cache
    /// folder if `cache` says so.
    pub(crate) fn loop_for(
        &self,
        generics: &[DType],
        picked: &Picked,
        interleave: Option<usize>,
        cache: bool,
    ) -> Result<Arc<Loop>, Error> {
        let is_it = |key: &LoopKey| key.types == generics && key.is_for(picked, interleave);
        if let Some(known) = self.inner.loops.get(|key, _| is_it(key)) {
            return Ok(known.clone());
        }
        if let Some(error) = self.inner.loops.refusal(is_it) {
            return Err(self.backend_error(picked, error));
        }
        let key = LoopKey {
            types: generics.to_vec(),
            place: *picked,
            interleave,
        };
        let options = CompileOptions {
            device: Some(picked.device.name.clone()),
            interleave,
            cache: cache.then(dispatch::cache_folder).flatten(),
        };
        let compile = |key: &LoopKey| self.compile(&key.types, &options, picked);
        self.inner.loops.get_or_compile(key, compile)
    }

    fn compile(
        &self,
        types: &[DType],
        options: &CompileOptions,
        picked: &Picked,
    ) -> Result<Loop, Error> {
        let _env = DefaultEnv::enter();
        let start = Instant::now();
        let legal = pipeline::legal(
            self.module(),
            self.name(),
            types,
            picked.backend,
            options.device.as_deref(),
        )?;
        let executable = picked
            .backend
            .compile(&legal, options)
            .map_err(|error| self.backend_error(picked, error))?;
        let compiling = CompileTime::new(start.elapsed());
        let sampler = Sampler::new(legal.func());
        let (inputs, outputs) = (legal.func().param_dtypes(), legal.func().results.clone());
        let (positions, cost) = (positions(legal.func()), sampler.hint());
        Ok(Loop {
            short: Short::new(&*executable, &inputs, &outputs, &positions, cost.ops),
            executable,
            inputs,
            outputs,
            positions,
            cost,
            sampler,
            missed: Mutex::default(),
            compiling,
        })
    }

    pub(crate) fn backend_error(&self, picked: &Picked, error: ufc_target::BackendError) -> Error {
        dispatch::note_error(picked, &error);
        Error::Backend {
            kernel: self.name().to_string(),
            target: picked.backend.name().to_string(),
            error,
        }
    }
}

impl fmt::Debug for Ufunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<ufunc {}>", self.signature())
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;

    fn ufunc(text: &str) -> Ufunc {
        Module::from_source("test.ufk", text)
            .and_then(|module| module.only())
            .expect("a kernel")
    }

    #[test]
    fn a_loop_is_compiled_once_for_each_dtype_and_target() {
        let twice = ufunc("pub fn twice<T: Num>(x: T) -> T { x + x }");
        assert_eq!(twice.loops(), []);
        for _ in 0..2 {
            twice.call(&[1.5f32, 2.5]).expect("f32");
            twice.call(&[3u8]).expect("u8");
            twice.on(Target::INTERP).call(&[3u8]).expect("interp");
        }
        let loops = twice.loops();
        let seen: Vec<_> = loops.iter().map(|l| (l.inputs[0], l.target)).collect();
        let expected = [
            (DType::F32, "cpu"),
            (DType::U8, "cpu"),
            (DType::U8, "interp"),
        ];
        assert_eq!(seen, expected);
    }
}
