//! The floating-point environment of the calling thread: ufc computes in the default one and leaves the caller's as it was.
//!
//! Kernels are folded, operands converted and loops interpreted by Rust code, which takes the default environment
//! for granted. A program in C, or an audio thread, may have set another.

#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(
        unsafe_code,
        reason = "the control register is reached by instructions only"
    )
)]

use std::marker::PhantomData;

/// While it lives, the thread rounds to nearest, keeps subnormals and traps nothing. Dropped, it gives back the
/// caller's environment, the flags of past exceptions included.
///
/// On processors other than x86-64 and aarch64 it does nothing: there, the caller has to be in the default environment.
#[derive(Debug)]
#[must_use = "the environment is the default one only while this lives"]
pub struct DefaultEnv {
    caller: machine::Env,
    /// It belongs to one thread.
    thread: PhantomData<*const ()>,
}

impl DefaultEnv {
    /// Enters the default environment.
    #[inline]
    pub fn enter() -> DefaultEnv {
        DefaultEnv {
            caller: machine::enter(),
            thread: PhantomData,
        }
    }
}

impl Drop for DefaultEnv {
    #[inline]
    fn drop(&mut self) {
        machine::leave(self.caller);
    }
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use std::arch::asm;

    /// MXCSR: control bits and flags in one register.
    pub(super) type Env = u32;

    /// MXCSR at reset (Intel SDM volume 1, 10.2.3).
    pub(super) const DEFAULT: Env = 0x1f80;

    /// The bits of MXCSR that are flags of past exceptions.
    const FLAGS: Env = 0x3f;

    #[inline]
    pub(super) fn enter() -> Env {
        let caller = read();
        if caller & !FLAGS != DEFAULT {
            write(DEFAULT);
        }
        caller
    }

    #[inline]
    pub(super) fn leave(caller: Env) {
        if read() != caller {
            write(caller);
        }
    }

    #[inline]
    pub(super) fn read() -> Env {
        let mut value = 0u32;
        // SAFETY: stores the register to `value`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
        value
    }

    #[inline]
    pub(super) fn write(value: Env) {
        // SAFETY: loads the register with a value that it had or that is the default, so no reserved bit is set.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags))
        };
    }
}

/// `scripts/arm-check` compiles this module by itself and runs it.
#[cfg(target_arch = "aarch64")]
mod machine {
    use std::arch::asm;

    /// FPCR, which says how to compute, and FPSR, which has flags of past exceptions.
    pub(super) type Env = (u64, u64);

    /// FPCR at reset: nothing flushed, rounding to nearest, nothing trapped, IEEE half precision (Arm Architecture
    /// Reference Manual, C5.2.8).
    const DEFAULT: u64 = 0;

    #[inline]
    pub(super) fn enter() -> Env {
        let caller = (control(), flags());
        if caller.0 != DEFAULT {
            set_control(DEFAULT);
        }
        caller
    }

    #[inline]
    pub(super) fn leave(caller: Env) {
        if control() != caller.0 {
            set_control(caller.0);
        }
        if flags() != caller.1 {
            set_flags(caller.1);
        }
    }

    #[inline]
    fn control() -> u64 {
        let value: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nostack, preserves_flags)) };
        value
    }

    #[inline]
    fn set_control(value: u64) {
        // SAFETY: writes a value that the register had or that is the default, so no reserved bit is set.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack, preserves_flags)) };
    }

    #[inline]
    fn flags() -> u64 {
        let value: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpsr", out(reg) value, options(nostack, preserves_flags)) };
        value
    }

    #[inline]
    fn set_flags(value: u64) {
        // SAFETY: writes a value that the register had.
        unsafe { asm!("msr fpsr, {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod machine {
    pub(super) type Env = ();

    pub(super) fn enter() -> Env {}

    pub(super) fn leave(_caller: Env) {}
}

#[cfg(all(test, target_arch = "x86_64", feature = "cpu"))]
mod tests {
    use super::machine::{DEFAULT, read, write};
    use crate::Module;

    /// Flush to zero, subnormals as zero, rounding towards zero, the division trap on and a flag set.
    const ODD: u32 = (1 << 15 | 1 << 6 | 3 << 13 | DEFAULT | 1 << 5) & !(1 << 9);

    /// What `f` gives in an odd environment, and the environment it leaves.
    fn in_odd_env<T>(f: impl FnOnce() -> T) -> (T, u32) {
        let before = read();
        write(ODD);
        let value = std::hint::black_box(f());
        let after = read();
        write(before);
        (value, after)
    }

    #[test]
    fn calls_do_not_depend_on_the_environment_and_leave_it() {
        let text = "pub fn f(x: f64, y: f64) -> f64 { x / y + 1e-310 * 0.1 }";
        let x: Vec<f64> = (0..37).map(|i| 1e-310 * f64::from(i)).collect();
        let narrow: Vec<f32> = (0..37).map(|i| i as f32 * 1e-40).collect();
        let mut runs = [false, true].map(|is_odd| {
            let mut wide = [vec![0f64; 37], vec![0f64; 37], vec![0f64; 37]];
            let mut half = vec![0f32; 37];
            let mut run = || {
                let kernel = Module::from_source("f", text).and_then(|module| module.only());
                let kernel = kernel.expect("a kernel");
                let [first, second, converted] = &mut wide;
                // By the long way, by the short way, with converted inputs, with converted outputs.
                kernel.call_into((&x, 3.0), first).expect("runs");
                kernel.call_into((&x, 0.0), second).expect("runs");
                kernel.call_into((&narrow, 3.0), converted).expect("runs");
                kernel.call_into((&x, 1e-280), &mut half).expect("runs");
            };
            match is_odd {
                true => assert_eq!(in_odd_env(run).1, ODD),
                false => run(),
            }
            let wide = wide.iter().flatten().map(|v| v.to_bits());
            let half = half.iter().map(|v| u64::from(v.to_bits()));
            wide.chain(half).collect::<Vec<u64>>()
        });
        let [plain, odd] = &mut runs;
        assert_eq!(plain, odd);
        assert_eq!(f64::from_bits(plain[2]), 2e-310 / 3.0 + 1e-311);
    }
}
