//! The wgpu target without a GPU: kernels on Mesa's software devices for Vulkan and GL.
//!
//! A machine that has no such device skips this, unless `UFC_TEST_WGPU=required` is set, as `scripts/test` does.

use ufc::{Target, dispatch};

use super::exec::{Columns, Kernel};

/// Mesa's llvmpipe for Vulkan.
pub(crate) const VULKAN: &str = "wgpu:llvmpipe";
/// The same for GL, which has no f64.
pub(crate) const GL: &str = "wgpu:llvmpipe-gl";
/// Both.
pub(crate) const SOFTWARE: [&str; 2] = [VULKAN, GL];

/// What the back end says of kernels with f64 on a device without.
const NO_F64: &str = "has no floats of 64 bits";

pub(crate) fn is_software(word: &str) -> bool {
    SOFTWARE.contains(&word)
}

fn is_required() -> bool {
    std::env::var("UFC_TEST_WGPU").is_ok_and(|word| word == "required")
}

/// Compares a kernel with its meaning on a software device that is there and has its dtypes.
pub(crate) fn check(
    kernel: &Kernel,
    word: &str,
    inputs: &Columns,
    meaning: &Columns,
) -> Result<(), String> {
    let target: Target = word
        .parse()
        .map_err(|error: ufc::TargetError| error.to_string())?;
    let choice = match dispatch::choose(&target) {
        Ok(choice) => choice,
        Err(error) if is_required() => return Err(error.to_string()),
        Err(_) => return Ok(()),
    };
    let compiled = match kernel.compile(choice.backend, &choice.device.name, 1) {
        Ok(compiled) => compiled,
        Err(mismatch) if mismatch.what.contains(NO_F64) && (word == GL || !is_required()) => {
            return Ok(());
        }
        Err(mismatch) => return Err(mismatch.to_string()),
    };
    let checked = kernel.check_briefly(&compiled, inputs, meaning);
    checked.map_err(|mismatch| mismatch.to_string())
}
