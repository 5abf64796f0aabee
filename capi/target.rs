//! Which targets there are.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::OnceLock;

use crate::abi::{Sizable, put, write_struct};
use crate::error::{Failure, c_string, ufc_status};
use crate::panic::entry;

/// A device of a target, or a target that has none. Texts are valid for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_target_info {
    /// `sizeof(ufc_target_info)`.
    pub struct_size: usize,
    /// The target's word, such as "cpu".
    pub target: *const c_char,
    /// The device's name; "TARGET:DEVICE" asks for it in `ufc_call_options`. NULL if the target is not there.
    pub device: *const c_char,
    /// What a person calls it, such as the processor's model; NULL if the target is not there.
    pub description: *const c_char,
    /// What is worth knowing, a line each; NULL if the target is not there.
    pub notes: *const c_char,
    /// Why the target is not there; NULL if it is.
    pub reason: *const c_char,
}

// SAFETY: the fields follow one another without padding.
unsafe impl Sizable for ufc_target_info {
    const NAME: &'static str = "ufc_target_info";
}

struct Row {
    target: CString,
    device: Result<[CString; 3], CString>,
}

/// Every device of every target. Found out once, as it may start drivers.
fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut rows = Vec::new();
        for info in ufc::dispatch::targets() {
            let row = |device| Row {
                target: c_string(info.name),
                device,
            };
            match &info.devices {
                Ok(devices) => rows.extend(devices.iter().map(|device| {
                    let notes = c_string(device.notes.join("\n"));
                    row(Ok([
                        c_string(&*device.name),
                        c_string(&*device.description),
                        notes,
                    ]))
                })),
                Err(why) => rows.push(row(Err(c_string(why.to_string())))),
            }
        }
        rows
    })
}

/// How many devices there are, counting one for each target that has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_target_count(count: *mut usize) -> ufc_status {
    // SAFETY: the caller vouches for the place.
    entry(|| unsafe { put(count, rows().len(), "count") })
}

/// The device of this number, from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_target_get(index: usize, info: *mut ufc_target_info) -> ufc_status {
    entry(|| {
        let count = rows().len();
        let no_such =
            || Failure::argument(format!("there is no target {index}: there are {count}"));
        let row = rows().get(index).ok_or_else(no_such)?;
        let [device, description, notes] = match &row.device {
            Ok(texts) => texts.each_ref().map(|text| text.as_ptr()),
            Err(_) => [null(); 3],
        };
        let value = ufc_target_info {
            struct_size: 0,
            target: row.target.as_ptr(),
            device,
            description,
            notes,
            reason: row.device.as_ref().err().map_or(null(), |why| why.as_ptr()),
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(info, &value, "info") }
    })
}
