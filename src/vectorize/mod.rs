//! What `#[vectorize]` makes of a function: a kernel whose Rust types are known, and which can still be called.
//!
//! The kernel's IR is embedded in the program as bytes (`Embedded`); the first call reads it. The traits of
//! `args` let rustc check the arguments of a call against the function's parameters.

mod args;
mod quick;
pub mod scalar;
mod typed;

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use quick::Plain;

pub use args::{Arg, Args, Out, Outs, Results, Signature};
pub use typed::{AsColumn, TypedArray, TypedView};

use smallvec::SmallVec;

use crate::array::{ArrayError, Operand, Output};
use crate::call::CallOptions;
use crate::dispatch::Target;
use crate::error::Error;
use crate::module::Module;
use crate::plan::Plan;
use crate::ufunc::Ufunc;

/// A function under `#[vectorize]`: `f(x)` calls the Rust function, `f.call(&xs)?` applies the kernel to every element.
///
/// `F` is the function's type, such as `fn(f32, f32) -> u8`. Usable from many threads at once.
pub struct Vectorized<F: Signature> {
    scalar: F,
    kernel: &'static Embedded,
}

/// The IR of a kernel as the macro embeds it, and the kernel once it has been read.
pub struct Embedded {
    name: &'static str,
    bytes: &'static [u8],
    target: Target,
    cache: bool,
    ufunc: OnceLock<Ufunc>,
    /// The processor's loop for the types of the first call, if short calls may use it.
    fast: OnceLock<Option<quick::Fast>>,
}

impl Embedded {
    /// A kernel from the bytes that [`Module::from_ir_bytes`] reads, and the target that its calls are for.
    pub const fn new(name: &'static str, bytes: &'static [u8], target: Target) -> Embedded {
        Embedded {
            name,
            bytes,
            target,
            cache: true,
            ufunc: OnceLock::new(),
            fast: OnceLock::new(),
        }
    }

    /// The same, of which nothing is kept outside the process: see [`CallOptions::cache`].
    #[must_use]
    pub const fn without_cache(mut self) -> Embedded {
        self.cache = false;
        self
    }

    fn ufunc(&self) -> Result<&Ufunc, Error> {
        match self.ufunc.get() {
            Some(ufunc) => Ok(ufunc),
            None => {
                let ufunc = Module::from_ir_bytes(self.bytes)?.only()?;
                Ok(self.ufunc.get_or_init(|| ufunc))
            }
        }
    }
}

impl<F: Signature> Vectorized<F> {
    /// A function and its kernel; for the macro, which sees to it that they belong together.
    pub const fn new(scalar: F, kernel: &'static Embedded) -> Vectorized<F> {
        Vectorized { scalar, kernel }
    }

    /// Applies the kernel to every element of the arguments, which are broadcast, and gives new arrays: one, or a
    /// tuple if the function has several results.
    ///
    /// # Errors
    /// If the shapes do not broadcast, the target is not there, or there is no memory.
    pub fn call<'a>(
        &self,
        args: impl Args<'a, F::Params>,
    ) -> Result<<F::Result as Results>::Arrays, Error> {
        self.with(CallOptions::default()).call(args)
    }

    /// Applies the kernel to every element and writes the results to `out`: a slice, a `Vec`, an array or a view each.
    ///
    /// # Errors
    /// As [`Vectorized::call`], and if `out` has another shape than the results; on an error while the loop runs, `out`
    /// is partly written.
    pub fn call_into<'a>(
        &self,
        args: impl Args<'a, F::Params>,
        out: impl Outs<'a, F::Result>,
    ) -> Result<(), Error> {
        let mut out = out;
        if let Some(Some(fast)) = self.kernel.fast.get()
            && fast.is_for::<F>()
        {
            let mut plain = Plain::new();
            let mut is_plain = args.add_all_to(&mut plain).is_some();
            is_plain = is_plain && out.add_all_to(&mut plain).is_some();
            if is_plain && plain.run(fast).is_some() {
                return Ok(());
            }
        }
        self.call_into_slowly(args.operands(), out.outputs())
    }

    /// The long way of [`Vectorized::call_into`], which makes the short way possible.
    #[cold]
    #[inline(never)]
    fn call_into_slowly<'a>(
        &self,
        inputs: SmallVec<[Operand<'a>; 4]>,
        outputs: SmallVec<[Output<'a>; 2]>,
    ) -> Result<(), Error> {
        let target = self.kernel.target.clone();
        let options = CallOptions {
            target,
            cache: self.kernel.cache,
            ..CallOptions::default()
        };
        let ufunc = self.ufunc()?;
        ufunc.with(options).call_into(inputs, outputs)?;
        let target = &self.kernel.target;
        self.kernel
            .fast
            .get_or_init(|| quick::Fast::new::<F>(ufunc, target));
        Ok(())
    }

    /// What a call would do: which target, how many threads, and why. To be printed.
    pub fn explain<'a>(&self, args: impl Args<'a, F::Params>) -> Explanation {
        self.with(CallOptions::default()).explain(args)
    }

    /// The kernel, to be called in a certain way. Where the options leave the target to ufc, it is the one that the
    /// attribute names; nothing is kept in the cache folder if either says so.
    pub fn with<'o>(&self, options: CallOptions<'o>) -> TypedCall<'o, F> {
        let target = match options.target.is_auto() {
            true => self.kernel.target.clone(),
            false => options.target,
        };
        TypedCall {
            function: *self,
            options: CallOptions {
                target,
                cache: options.cache && self.kernel.cache,
                ..options
            },
        }
    }

    /// The kernel, to be called on a target.
    pub fn on(&self, target: Target) -> TypedCall<'static, F> {
        self.with(CallOptions {
            target,
            ..CallOptions::default()
        })
    }

    /// The kernel without its Rust types, which takes operands of any dtype and converts them as NumPy does.
    ///
    /// # Errors
    /// [`Error::Ir`] if the program embeds IR of another version of ufc.
    pub fn ufunc(&self) -> Result<&'static Ufunc, Error> {
        self.kernel.ufunc()
    }

    /// The kernel's name.
    pub fn name(&self) -> &'static str {
        self.kernel.name
    }

    /// The function itself.
    pub fn scalar(&self) -> F {
        self.scalar
    }
}

impl<F: Signature> Deref for Vectorized<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.scalar
    }
}

impl<F: Signature> Clone for Vectorized<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Signature> Copy for Vectorized<F> {}

impl<F: Signature> fmt::Debug for Vectorized<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ufunc() {
            Ok(ufunc) => f.write_str(&ufunc.signature()),
            Err(_) => f.write_str(self.kernel.name),
        }
    }
}

/// A function under `#[vectorize]`, and how it is to be called.
#[derive(Debug)]
pub struct TypedCall<'o, F: Signature> {
    function: Vectorized<F>,
    options: CallOptions<'o>,
}

impl<F: Signature> TypedCall<'_, F> {
    /// At most so many threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = Some(threads);
        self
    }

    /// As [`Vectorized::call`].
    ///
    /// # Errors
    /// As [`Vectorized::call`].
    pub fn call<'a>(
        &self,
        args: impl Args<'a, F::Params>,
    ) -> Result<<F::Result as Results>::Arrays, Error> {
        let ufunc = self.function.ufunc()?;
        let arrays = ufunc.with(self.options.clone()).call_all(args.operands())?;
        let given = arrays.len();
        F::Result::from_arrays(arrays).ok_or(Error::Array(ArrayError::OperandCount {
            what: "outputs",
            have: given,
            want: ufunc.nout(),
        }))
    }

    /// As [`Vectorized::call_into`].
    ///
    /// # Errors
    /// As [`Vectorized::call_into`].
    pub fn call_into<'a>(
        &self,
        args: impl Args<'a, F::Params>,
        out: impl Outs<'a, F::Result>,
    ) -> Result<(), Error> {
        let ufunc = self.function.ufunc()?;
        let call = ufunc.with(self.options.clone());
        call.call_into(args.operands(), out.outputs())
    }

    /// As [`Vectorized::explain`].
    pub fn explain<'a>(&self, args: impl Args<'a, F::Params>) -> Explanation {
        let plan = |ufunc: &Ufunc| ufunc.with(self.options.clone()).plan(args.operands());
        Explanation(self.function.ufunc().and_then(plan))
    }
}

/// What a call would do, or why it would fail.
#[derive(Debug)]
pub struct Explanation(Result<Plan, Error>);

impl Explanation {
    /// The decisions themselves.
    ///
    /// # Errors
    /// What the call itself would give.
    pub fn into_plan(self) -> Result<Plan, Error> {
        self.0
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(plan) => plan.fmt(f),
            Err(error) => write!(f, "the call would fail: {error}"),
        }
    }
}

/// What the code that the macros make refers to. Not for use by hand.
#[doc(hidden)]
pub mod expansion {
    pub use super::scalar;
    pub use super::{Embedded, Vectorized};
    pub use crate::Target;
    pub use half::{bf16, f16};
    pub use num_complex::Complex;
    #[cfg(feature = "macros")]
    pub use ufc_macros::__step as step;

    /// The Rust function of a generic kernel `K` for one choice of its type parameters, a tuple of which this is
    /// implemented for.
    pub trait Instance<K> {
        /// The type of the function for these types.
        type Fn: Copy + 'static;
        /// The function.
        const SCALAR: Self::Fn;
    }
}
