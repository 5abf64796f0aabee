//! The short way of a typed call: plain slices and numbers, whose types need no check, go straight to a compiled loop.
//!
//! A call on one element should cost about as much as what is around it. So there are no operands, no views and no choice
//! here: the first call, which goes the long way, leaves the processor's loop behind for the next. Whatever is not plain, or
//! too much work for one thread, goes the long way.

#![expect(unsafe_code, reason = "the loop takes its operands as addresses")]

use std::any::TypeId;
use std::marker::PhantomData;

use crate::array::Element;
use crate::dispatch::Target;
use crate::quick::DIRECT_OPS;
use crate::raw::RawLoop;
use crate::ufunc::Ufunc;

/// More operands than this go the long way.
const MOST_OPERANDS: usize = 8;

/// A kernel's loop on the processor.
#[derive(Debug)]
pub(super) struct Fast {
    /// The function's type, which the operands' dtypes follow from.
    of: TypeId,
    raw: RawLoop,
    operands: usize,
    /// The most elements that need no look at threads or at better code.
    most: usize,
}

impl Fast {
    /// The loop for a function's type, if calls for this target may use it.
    pub(super) fn new<F: super::Signature>(ufunc: &Ufunc, target: &Target) -> Option<Fast> {
        let is_host = |target: &Target| target.is_auto() || *target == Target::CPU;
        let asked = match target.is_auto() {
            true => Target::from_env().ok()?,
            false => target,
        };
        if !is_host(asked) {
            return None;
        }
        let inputs = F::inputs();
        let raw = ufunc.on(Target::CPU).raw_loop(&inputs).ok()?;
        let operands = inputs.len() + raw.outputs().len();
        let is_plain = raw.positions().is_empty() && operands <= MOST_OPERANDS;
        is_plain.then(|| Fast {
            of: TypeId::of::<F>(),
            most: (DIRECT_OPS / raw.ops().max(1.0)) as usize,
            raw,
            operands,
        })
    }

    /// Whether it is the loop for functions of this type.
    #[inline]
    pub(super) fn is_for<F: 'static>(&self) -> bool {
        self.of == TypeId::of::<F>()
    }
}

/// The operands of a call as far as they are plain, the inputs first.
///
/// Other crates cannot name this type, and so cannot say of their own types what is plain about them: that an operand
/// has the type of its place rests on the implementations in `args.rs` alone.
#[derive(Debug)]
pub struct Plain<'s> {
    pointers: [*mut u8; MOST_OPERANDS],
    steps: [isize; MOST_OPERANDS],
    count: usize,
    /// How many elements the operands have that are no single values.
    len: Option<usize>,
    operands: PhantomData<&'s mut u8>,
}

impl<'s> Plain<'s> {
    #[inline]
    pub(super) fn new() -> Plain<'s> {
        Plain {
            pointers: [std::ptr::null_mut(); MOST_OPERANDS],
            steps: [0; MOST_OPERANDS],
            count: 0,
            len: None,
            operands: PhantomData,
        }
    }

    #[inline]
    fn push(&mut self, start: *mut u8, step: usize) -> Option<()> {
        *self.pointers.get_mut(self.count)? = start;
        *self.steps.get_mut(self.count)? = step as isize;
        self.count += 1;
        Some(())
    }

    /// A value as an input.
    #[inline]
    pub(super) fn value<T: Element>(&mut self, value: &'s T) -> Option<()> {
        self.push(std::ptr::from_ref(value).cast_mut().cast(), 0)
    }

    /// A slice as an input.
    #[inline]
    pub(super) fn slice<T: Element>(&mut self, slice: &'s [T]) -> Option<()> {
        if *self.len.get_or_insert(slice.len()) != slice.len() {
            return None;
        }
        self.push(slice.as_ptr().cast_mut().cast(), size_of::<T>())
    }

    /// A slice as an output, which the results of the inputs given so far fill.
    #[inline]
    pub(super) fn output<T: Element>(&mut self, slice: &'s mut [T]) -> Option<()> {
        if slice.len() != self.len.unwrap_or(1) {
            return None;
        }
        self.push(slice.as_mut_ptr().cast(), size_of::<T>())
    }

    /// Runs a loop on the operands, if they are all there and not too many elements.
    #[inline]
    pub(super) fn run(self, fast: &Fast) -> Option<()> {
        let len = self.len.unwrap_or(1);
        if self.count != fast.operands || len == 0 || len > fast.most {
            return None;
        }
        let (function, len) = (fast.raw.function(), len as isize);
        // SAFETY: operands are added by this module's callers alone, each of the type that the function's has in its
        // place, and there are as many as the loop has. Each has `len` elements or is a value that is repeated, and is
        // borrowed for as long as `self` is: outputs exclusively, so they share memory with nothing. `fast` keeps the code.
        unsafe {
            function(
                self.pointers.as_ptr(),
                &len,
                self.steps.as_ptr(),
                std::ptr::null_mut(),
            );
        }
        Some(())
    }
}
