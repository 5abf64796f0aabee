//! The integration tests: every file under `tests/filetests` and every example kernel as a test of its own, and the
//! differential tests on random kernels. A word on the command line filters them by name.

mod diff;
mod harness;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let mut trials = harness::trials();
    trials.extend(diff::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
