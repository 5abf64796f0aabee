//! Names in WGSL: values by number, operands by their number and what the author calls them.

use ufc_ir::func::{Entity, Func, Value};

/// The name of a value of the kernel.
pub(crate) fn value(value: Value) -> String {
    format!("v{}", value.index())
}

/// The name of an operand: no keyword of WGSL and no name of ours looks like it.
pub(crate) fn param(func: &Func, index: usize) -> String {
    let name = func.param_names.get(index).map_or("", String::as_str);
    // WGSL takes more letters than these, but not every driver's front end does.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.contains("__") || name.len() > 40 {
        format!("x{index}")
    } else {
        format!("x{index}_{name}")
    }
}

/// The text of a comment: one line, whatever the kernel's name is.
pub(crate) fn comment(name: &str) -> String {
    let text: String = name.chars().filter(|c| !c.is_control()).collect();
    text.chars().take(200).collect()
}
