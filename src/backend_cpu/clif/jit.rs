//! Executable memory for generated code, and the functions that generated code calls.
#![expect(
    unsafe_code,
    reason = "memory is made executable, called, and handed to generated code as raw addresses"
)]

use crate::clif::pool::Pool;
use memmap2::{Mmap, MmapMut};
use std::fmt;
use ufc_target::{BackendError, InnerLoop};

/// What a loop of Cranelift's begins with: the loop itself, at offset [`BODY`], is called in the default floating-point
/// environment, and the caller's is left as it was, its flags included. So a loop gives the same bits where the caller
/// flushes subnormals or rounds otherwise, and code that reads the flags afterwards does not see those of lanes that
/// nobody asked for. Loops of our own have the same in their `entry`.
///
/// MXCSR (Intel SDM volume 1, 10.2.3) has flags in its low six bits; 1f80 is its value at reset: all exceptions masked,
/// rounding to nearest, nothing flushed, no flags.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ENTRY: &[u8] = &[
    0x48, 0x83, 0xec, 0x28,                         //  0 sub rsp, 40 (aligns the stack; Windows wants 32 bytes of it)
    0x0f, 0xae, 0x5c, 0x24, 0x20,                   //  4 stmxcsr [rsp+32]
    0xc7, 0x44, 0x24, 0x24, 0x80, 0x1f, 0x00, 0x00, //  9 mov dword [rsp+36], 0x1f80
    0x0f, 0xae, 0x54, 0x24, 0x24,                   // 17 ldmxcsr [rsp+36]
    0xe8, BODY as u8 - 27, 0x00, 0x00, 0x00,        // 22 call BODY
    0x0f, 0xae, 0x54, 0x24, 0x20,                   // 27 ldmxcsr [rsp+32]
    0x48, 0x83, 0xc4, 0x28,                         // 32 add rsp, 40
    0xc3,                                           // 36 ret
];
/// The same with FPCR, which is 0 at reset, and FPSR, which has the flags (Arm Architecture Reference Manual, C5.2.8 and
/// C5.2.10). `scripts/arm-check` assembles the comments, compares, and runs it.
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
const ENTRY: &[u8] = &[
    0xfd, 0x7b, 0xbe, 0xa9, //  0 stp x29, x30, [sp, #-32]!
    0xfd, 0x03, 0x00, 0x91, //  4 mov x29, sp
    0x09, 0x44, 0x3b, 0xd5, //  8 mrs x9, fpcr
    0x2a, 0x44, 0x3b, 0xd5, // 12 mrs x10, fpsr
    0xe9, 0x2b, 0x01, 0xa9, // 16 stp x9, x10, [sp, #16]
    0x49, 0x00, 0x00, 0xb4, // 20 cbz x9, .+8
    0x1f, 0x44, 0x1b, 0xd5, // 24 msr fpcr, xzr
    0x19, 0x00, 0x00, 0x94, // 28 bl .+100
    0xe9, 0x2b, 0x41, 0xa9, // 32 ldp x9, x10, [sp, #16]
    0x49, 0x00, 0x00, 0xb4, // 36 cbz x9, .+8
    0x09, 0x44, 0x1b, 0xd5, // 40 msr fpcr, x9
    0x2b, 0x44, 0x3b, 0xd5, // 44 mrs x11, fpsr
    0x7f, 0x01, 0x0a, 0xeb, // 48 cmp x11, x10
    0x40, 0x00, 0x00, 0x54, // 52 b.eq .+8
    0x2a, 0x44, 0x1b, 0xd5, // 56 msr fpsr, x10
    0xfd, 0x7b, 0xc2, 0xa8, // 60 ldp x29, x30, [sp], #32
    0xc0, 0x03, 0x5f, 0xd6, // 64 ret
];
/// Elsewhere the caller has to be in the default environment.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ENTRY: &[u8] = &[];

/// Where the loop itself starts: a whole number of cache lines, because the code's own constants are aligned.
const BODY: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
    128
} else {
    0
};
const _: () = assert!(ENTRY.len() <= BODY && BODY.is_multiple_of(64));

/// A compiled inner loop and the memory it lives in.
pub(crate) struct Code {
    memory: Mmap,
    /// Where in it the function starts.
    start: usize,
    /// Read by the code.
    _pool: Pool,
}

impl Code {
    /// Copies machine code into fresh memory, behind [`ENTRY`], and makes that executable, and no longer writable.
    ///
    /// The code must be a position-independent function with the type [`InnerLoop`]: what `lower` makes.
    ///
    /// # Errors
    /// If the system gives no memory, or forbids executable memory.
    pub(crate) fn load(bytes: &[u8], pool: Pool) -> Result<Code, BackendError> {
        let mut all = ENTRY.to_vec();
        all.resize(BODY, 0);
        all.extend_from_slice(bytes);
        Code::map(&all, 0, pool)
    }

    /// The same for code that guards the floating-point environment itself, and starts so many bytes after the first.
    ///
    /// # Errors
    /// As [`Code::load`].
    #[cfg(all(target_arch = "x86_64", unix))]
    pub(crate) fn load_guarded(bytes: &[u8], start: usize) -> Result<Code, BackendError> {
        Code::map(bytes, start, Pool::default())
    }

    fn map(bytes: &[u8], start: usize, pool: Pool) -> Result<Code, BackendError> {
        let failed = |what: &str, error: std::io::Error| {
            BackendError::LaunchFailed(format!("{what}: {error}"))
        };
        let mut memory =
            MmapMut::map_anon(bytes.len()).map_err(|e| failed("no memory for code", e))?;
        memory[..bytes.len()].copy_from_slice(bytes);
        let memory = memory.make_exec().map_err(|e| {
            failed(
                "the system forbids executable memory (a hardened kernel or container?)",
                e,
            )
        })?;
        clear_instruction_cache(&memory);
        Ok(Code {
            memory,
            start,
            _pool: pool,
        })
    }

    /// The function, valid while `self` is.
    pub(crate) fn inner_loop(&self) -> InnerLoop {
        let start = self.memory[self.start..].as_ptr();
        // SAFETY: there starts a complete function of this type and calling convention, in memory that is executable and
        // has been flushed to where instructions are fetched from. Calling it is the caller's responsibility.
        unsafe { std::mem::transmute::<*const u8, InnerLoop>(start) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({} bytes)", self.memory.len())
    }
}

/// On x86 instruction fetches see what was written; elsewhere the caches are told.
#[cfg(not(target_arch = "aarch64"))]
fn clear_instruction_cache(_memory: &[u8]) {}

#[cfg(target_arch = "aarch64")]
fn clear_instruction_cache(memory: &[u8]) {
    use std::arch::asm;
    const LINE: usize = 16;
    let start = memory.as_ptr() as usize;
    let lines = || (start..start + memory.len()).step_by(LINE);
    for address in lines() {
        // SAFETY: cleans a line of memory that we own; no data changes.
        unsafe { asm!("dc cvau, {}", in(reg) address) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish") };
    for address in lines() {
        // SAFETY: drops a line of instructions from the cache.
        unsafe { asm!("ic ivau, {}", in(reg) address) };
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb") };
}

/// Copies `count` elements of `size` bytes, `step` bytes apart, side by side into a buffer, then fills the buffer up
/// to `total` elements with copies of the last.
///
/// # Safety
/// The elements are readable at any alignment, the buffer is writable for `total` of them, and 0 < `count` <= `total`.
pub(crate) unsafe extern "C" fn gather(
    to: *mut u8,
    from: *const u8,
    step: isize,
    count: usize,
    total: usize,
    size: usize,
) {
    // SAFETY: the same contract, with the element type's size.
    unsafe {
        match size {
            1 => gather_as::<u8>(to, from, step, count, total),
            2 => gather_as::<u16>(to, from, step, count, total),
            4 => gather_as::<u32>(to, from, step, count, total),
            8 => gather_as::<u64>(to, from, step, count, total),
            _ => gather_as::<u128>(to, from, step, count, total),
        }
    }
}

unsafe fn gather_as<T: Copy>(
    to: *mut u8,
    from: *const u8,
    step: isize,
    count: usize,
    total: usize,
) {
    let to = to.cast::<T>();
    let mut from = from;
    let is_packed = step == size_of::<T>() as isize;
    // SAFETY: the caller of `gather` vouches for `count` elements and room for `total`.
    unsafe {
        let mut last = from.cast::<T>().read_unaligned();
        if is_packed {
            from.copy_to_nonoverlapping(to.cast(), count * size_of::<T>());
            last = to.add(count - 1).read_unaligned();
        } else {
            for i in 0..count {
                last = from.cast::<T>().read_unaligned();
                to.add(i).write_unaligned(last);
                from = from.wrapping_offset(step);
            }
        }
        for i in count..total {
            to.add(i).write_unaligned(last);
        }
    }
}

/// Copies `count` elements of `size` bytes from a buffer to places `step` bytes apart.
///
/// # Safety
/// The buffer holds `count` elements, and the places are writable at any alignment.
pub(crate) unsafe extern "C" fn scatter(
    to: *mut u8,
    from: *const u8,
    step: isize,
    count: usize,
    size: usize,
) {
    // SAFETY: the same contract, with the element type's size.
    unsafe {
        match size {
            1 => scatter_as::<u8>(to, from, step, count),
            2 => scatter_as::<u16>(to, from, step, count),
            4 => scatter_as::<u32>(to, from, step, count),
            8 => scatter_as::<u64>(to, from, step, count),
            _ => scatter_as::<u128>(to, from, step, count),
        }
    }
}

unsafe fn scatter_as<T: Copy>(to: *mut u8, from: *const u8, step: isize, count: usize) {
    let from = from.cast::<T>();
    let mut to = to;
    if step == size_of::<T>() as isize {
        // SAFETY: as below; the buffer is on the stack, where no operand of the call is.
        unsafe { to.copy_from_nonoverlapping(from.cast(), count * size_of::<T>()) };
        return;
    }
    for i in 0..count {
        // SAFETY: the caller of `scatter` vouches for `count` elements on both sides.
        unsafe { to.cast::<T>().write_unaligned(from.add(i).read_unaligned()) };
        to = to.wrapping_offset(step);
    }
}

/// a * b + c with one rounding, for processors that lack it.
pub(crate) extern "C" fn soft_fma_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// [`ufc_ir::ops::MathFn::Scalb`], for code that was made legal for processors that have it.
pub(crate) extern "C" fn soft_scalb_f32(x: f32, n: f32) -> f32 {
    // What f64 rounds is far too small for f32.
    soft_scalb_f64(x.into(), n.clamp(-800.0, 800.0).into()) as f32
}

/// As [`soft_scalb_f32`].
pub(crate) extern "C" fn soft_scalb_f64(x: f64, n: f64) -> f64 {
    if n.is_nan() {
        return n;
    }
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let normal = if x.is_normal() { x } else { x * 2f64.powi(54) };
    let exponent =
        (normal.to_bits() >> 52 & 0x7ff) as i64 - if x.is_normal() { 1023 } else { 1077 };
    let power = |k: i64| f64::from_bits(((k + 1023) as u64) << 52);
    let significand = f64::from_bits(normal.to_bits() & !(0x7ff << 52) | 1023 << 52);
    // The first of two factors, both of them normal numbers, rounds nothing.
    let k = (n.floor().clamp(-2200.0, 2200.0) as i64 + exponent).clamp(-1078, 1026);
    significand * power(k >> 1) * power(k - (k >> 1))
}

/// a * b + c with one rounding, for processors that lack it.
pub(crate) extern "C" fn soft_fma_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}
