//! NVIDIA's driver past ufc, for what the device could do: copies on the device, and between it and pinned memory.
#![expect(unsafe_code, reason = "the driver's functions are C's")]

use std::ffi::{c_int, c_uint, c_void};
use std::time::Instant;

use libloading::Library;

use crate::Outcome;

/// Pinned memory that copies are measured with is asked for like this.
const PLAIN: c_uint = 0;

/// The driver's library, with a stream in the context that ufc uses too.
pub(crate) struct Driver {
    functions: Library,
    context: *mut c_void,
    stream: *mut c_void,
}

impl Driver {
    /// The driver for the device of this number; none if there is none.
    pub(crate) fn open(ordinal: c_int) -> Outcome<Option<Driver>> {
        let names = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"];
        // SAFETY: the library is the driver's, which ufc has loaded before.
        let mut found = names
            .iter()
            .filter_map(|name| unsafe { Library::new(*name) }.ok());
        let Some(library) = found.next() else {
            return Ok(None);
        };
        let mut driver = Driver {
            functions: library,
            context: std::ptr::null_mut(),
            stream: std::ptr::null_mut(),
        };
        // SAFETY: the functions are called as the driver's manual says, and give a context and a stream.
        unsafe {
            type Retain = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_uint;
            let retain = driver
                .functions
                .get::<Retain>(b"cuDevicePrimaryCtxRetain")?;
            let mut context = std::ptr::null_mut();
            checked("cuDevicePrimaryCtxRetain", retain(&mut context, ordinal))?;
            driver.context = context;
            driver.enter()?;
            type Create = unsafe extern "C" fn(*mut *mut c_void, c_uint) -> c_uint;
            let create = driver.functions.get::<Create>(b"cuStreamCreate")?;
            let mut stream = std::ptr::null_mut();
            checked("cuStreamCreate", create(&mut stream, 1))?;
            driver.stream = stream;
        }
        Ok(Some(driver))
    }

    /// Makes the context the thread's.
    fn enter(&self) -> Outcome<()> {
        type Set = unsafe extern "C" fn(*mut c_void) -> c_uint;
        // SAFETY: the context is the driver's.
        unsafe {
            let set = self.functions.get::<Set>(b"cuCtxSetCurrent")?;
            checked("cuCtxSetCurrent", set(self.context))
        }
    }

    fn wait(&self) -> Outcome<()> {
        type Wait = unsafe extern "C" fn(*mut c_void) -> c_uint;
        // SAFETY: the stream is the driver's.
        unsafe {
            let wait = self.functions.get::<Wait>(b"cuStreamSynchronize")?;
            checked("cuStreamSynchronize", wait(self.stream))
        }
    }

    /// Copies so many bytes from one address on the device to another, and waits until they are there.
    pub(crate) fn copy_there(&self, to: u64, from: u64, bytes: usize) -> Outcome<()> {
        type Copy = unsafe extern "C" fn(u64, u64, usize, *mut c_void) -> c_uint;
        self.enter()?;
        // SAFETY: the caller has so many bytes at both addresses.
        unsafe {
            let copy = self.functions.get::<Copy>(b"cuMemcpyDtoDAsync_v2")?;
            checked("cuMemcpyDtoDAsync_v2", copy(to, from, bytes, self.stream))?;
        }
        self.wait()
    }

    /// Bytes per second that go to the device from pinned memory, and back.
    pub(crate) fn pinned_rates(&self, bytes: usize) -> Outcome<(f64, f64)> {
        type Pin = unsafe extern "C" fn(*mut *mut c_void, usize, c_uint) -> c_uint;
        type Unpin = unsafe extern "C" fn(*mut c_void) -> c_uint;
        type Allocate = unsafe extern "C" fn(*mut u64, usize) -> c_uint;
        type Free = unsafe extern "C" fn(u64) -> c_uint;
        type Up = unsafe extern "C" fn(u64, *const c_void, usize, *mut c_void) -> c_uint;
        type Down = unsafe extern "C" fn(*mut c_void, u64, usize, *mut c_void) -> c_uint;
        self.enter()?;
        let (mut host, mut device) = (std::ptr::null_mut(), 0);
        // SAFETY: the functions are called as the driver's manual says; both memories have so many bytes, and are freed when
        // nothing is under way.
        unsafe {
            let pin = self.functions.get::<Pin>(b"cuMemHostAlloc")?;
            checked("cuMemHostAlloc", pin(&mut host, bytes, PLAIN))?;
            std::ptr::write_bytes(host.cast::<u8>(), 1, bytes);
            let allocate = self.functions.get::<Allocate>(b"cuMemAlloc_v2")?;
            checked("cuMemAlloc_v2", allocate(&mut device, bytes))?;
            let up = self.functions.get::<Up>(b"cuMemcpyHtoDAsync_v2")?;
            let up = self.rate(bytes, || {
                checked("cuMemcpyHtoDAsync_v2", up(device, host, bytes, self.stream))
            });
            let down = self.functions.get::<Down>(b"cuMemcpyDtoHAsync_v2")?;
            let down = self.rate(bytes, || {
                checked(
                    "cuMemcpyDtoHAsync_v2",
                    down(host, device, bytes, self.stream),
                )
            });
            let free = self.functions.get::<Free>(b"cuMemFree_v2")?;
            checked("cuMemFree_v2", free(device))?;
            let unpin = self.functions.get::<Unpin>(b"cuMemFreeHost")?;
            checked("cuMemFreeHost", unpin(host))?;
            Ok((up?, down?))
        }
    }

    /// The best of some runs of a copy, in bytes per second.
    fn rate(&self, bytes: usize, copy: impl Fn() -> Outcome<()>) -> Outcome<f64> {
        let mut least = f64::INFINITY;
        for _ in 0..6 {
            let start = Instant::now();
            copy()?;
            self.wait()?;
            least = least.min(start.elapsed().as_secs_f64());
        }
        Ok(bytes as f64 / least)
    }
}

fn checked(call: &str, answer: c_uint) -> Outcome<()> {
    match answer {
        0 => Ok(()),
        error => Err(format!("{call}: error {error}").into()),
    }
}
