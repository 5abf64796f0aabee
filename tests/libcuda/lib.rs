//! A library with the names of NVIDIA's driver, as far as ufc calls it. Kernels are run by the PTX interpreter; copies and
//! launches are done when their stream is waited for, in the worst order that the streams and events allow.
//!
//! `UFC_FAKE_CUDA` says what goes wrong, in words between commas; see `plan`. What a real driver would not allow, such as an access
//! outside of memory that was asked for, is the error that the driver gives for it.
#![expect(
    unsafe_code,
    reason = "the functions are called by C's rules, on raw memory"
)]

mod memory;
mod plan;
mod streams;

use memory::{Place, World};
use plan::Plan;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use streams::{Job, Launch, Streams};

/// What every function of the driver answers.
type Answer = c_uint;

pub(crate) const SUCCESS: Answer = 0;
pub(crate) const INVALID_VALUE: Answer = 1;
pub(crate) const OUT_OF_MEMORY: Answer = 2;
const NOT_INITIALIZED: Answer = 3;
const NO_DEVICE: Answer = 100;
const INVALID_DEVICE: Answer = 101;
const INVALID_PTX: Answer = 218;
const INVALID_CONTEXT: Answer = 201;
const NOT_FOUND: Answer = 500;
pub(crate) const ILLEGAL_ADDRESS: Answer = 700;
pub(crate) const MISALIGNED_ADDRESS: Answer = 716;
pub(crate) const LAUNCH_TIMEOUT: Answer = 702;
pub(crate) const LAUNCH_FAILED: Answer = 719;

/// The name of the kernel in every module of ours.
pub(crate) const ENTRY: &str = "ufc_loop";

/// Bytes of memory that each device has, unless the plan says otherwise.
const MEMORY: usize = 1 << 30;

/// The handle of the first device's primary context; those of other devices follow.
const PRIMARY_CONTEXT: usize = 1 << 8;
/// The same for contexts that are made besides.
const OTHER_CONTEXT: usize = 2 << 8;

thread_local! {
    /// The thread's context; 0 if it has none.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Memory that is asked for in the thread's context.
fn here(is_managed: bool) -> Place {
    let context = CURRENT.get();
    Place {
        kind: 2,
        context,
        ordinal: (context % PRIMARY_CONTEXT) as i32,
        is_managed,
    }
}

/// Calls that need no context.
const FREE_OF_CONTEXT: &[&str] = &[
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceTotalMem_v2",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuCtxCreate_v2",
    "cuCtxSetCurrent",
    "cuCtxGetCurrent",
    "cuPointerGetAttributes",
    "cuEventDestroy_v2",
    "cuMemFreeHost",
];

/// The driver's state.
struct State {
    plan: Plan,
    is_initialized: bool,
    world: World,
    streams: Streams,
    /// Loaded modules; their numbers are their handles.
    kernels: Vec<Arc<ufc_ptx::Module>>,
    /// The error that every call gives, once a device has failed.
    sticky: Answer,
}

fn state() -> MutexGuard<'static, State> {
    static STATE: OnceLock<Mutex<State>> = OnceLock::new();
    let state = STATE.get_or_init(|| {
        let plan = Plan::from_env();
        Mutex::new(State {
            is_initialized: false,
            world: World::new(plan.memory.unwrap_or(MEMORY)),
            streams: Streams::default(),
            kernels: Vec::new(),
            sticky: SUCCESS,
            plan,
        })
    });
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether what is asked for often is passed over.
static DOES_NOTHING: AtomicBool = AtomicBool::new(false);

/// Does what a call asks for, unless the driver is not started, a device has failed, or the plan has an error for it.
fn call(name: &str, body: impl FnOnce(&mut State) -> Result<(), Answer>) -> Answer {
    // Not behind the lock, which would take longer than what is measured.
    let is_passed_over = matches!(
        name,
        "cuCtxSetCurrent"
            | "cuLaunchKernel"
            | "cuMemcpyHtoDAsync_v2"
            | "cuMemcpyDtoHAsync_v2"
            | "cuEventRecord"
            | "cuEventSynchronize"
            | "cuStreamSynchronize"
            | "cuStreamWaitEvent"
    );
    if is_passed_over && DOES_NOTHING.load(Ordering::Relaxed) {
        return SUCCESS;
    }
    let mut state = state();
    let state = &mut *state;
    if !state.is_initialized && !matches!(name, "cuInit" | "cuDriverGetVersion") {
        return NOT_INITIALIZED;
    }
    if state.sticky != SUCCESS {
        return state.sticky;
    }
    if CURRENT.get() == 0 && !FREE_OF_CONTEXT.contains(&name) {
        return INVALID_CONTEXT;
    }
    if let Some(error) = state.plan.error_of(name) {
        if plan::is_sticky(error) {
            state.sticky = error;
        }
        return error;
    }
    match body(state) {
        Ok(()) => SUCCESS,
        Err(error) => {
            if plan::is_sticky(error) {
                state.sticky = error;
            }
            error
        }
    }
}

/// Writes a result to where the caller wants it.
///
/// # Safety
/// The pointer is null or may be written.
unsafe fn give<T>(to: *mut T, value: T) -> Result<(), Answer> {
    if to.is_null() {
        return Err(INVALID_VALUE);
    }
    // SAFETY: as the caller says.
    unsafe { to.write(value) };
    Ok(())
}

/// Defines functions of the driver, whose callers keep to the driver's manual.
macro_rules! driver {
    ($($name:ident($($arg:ident: $t:ty),*) |$state:ident| $body:block)*) => {
        $(
            /// As the driver's manual says, as far as ufc needs it.
            ///
            /// # Safety
            /// As there: pointers are to what the call is given or gives.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $t),*) -> c_uint {
                call(stringify!($name), |$state| $body)
            }
        )*
    };
}

driver! {
    cuInit(_flags: c_uint) |state| {
        if state.plan.devices == 0 {
            return Err(NO_DEVICE);
        }
        state.is_initialized = true;
        Ok(())
    }
    cuDriverGetVersion(version: *mut c_int) |state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(version, state.plan.version) }
    }
    cuDeviceGetCount(count: *mut c_int) |state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(count, state.plan.devices) }
    }
    cuDeviceGet(device: *mut c_int, ordinal: c_int) |state| {
        if !(0..state.plan.devices).contains(&ordinal) {
            return Err(INVALID_DEVICE);
        }
        // SAFETY: the caller gives a place for it.
        unsafe { give(device, ordinal) }
    }
    cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) |_state| {
        let text = format!("Stand-in GPU {device}\0");
        if text.len() > length as usize {
            return Err(INVALID_VALUE);
        }
        // SAFETY: the caller gives so many bytes.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, text.len()) };
        Ok(())
    }
    cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) |state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(bytes, state.world.capacity()) }
    }
    cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, _device: c_int) |state| {
        let found = match attribute {
            // Multiprocessors; few, so that each thread has several turns.
            16 => 1,
            75 => state.plan.capability.0,
            76 => state.plan.capability.1,
            _ => return Err(INVALID_VALUE),
        };
        // SAFETY: the caller gives a place for it.
        unsafe { give(value, found) }
    }
    cuDevicePrimaryCtxRetain(context: *mut usize, device: c_int) |_state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(context, PRIMARY_CONTEXT + device as usize) }
    }
    cuCtxCreate_v2(context: *mut usize, _flags: c_uint, device: c_int) |_state| {
        let found = OTHER_CONTEXT + device as usize;
        CURRENT.set(found);
        // SAFETY: the caller gives a place for it.
        unsafe { give(context, found) }
    }
    cuCtxSetCurrent(context: usize) |_state| {
        CURRENT.set(context);
        Ok(())
    }
    cuCtxGetCurrent(context: *mut usize) |_state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(context, CURRENT.get()) }
    }
    cuCtxSynchronize() |state| {
        state.streams.wait_for_all(&mut state.world)
    }
    cuPointerGetAttributes(
        count: c_uint,
        attributes: *const c_uint,
        values: *const *mut c_void,
        address: u64
    ) |state| {
        let place = state.world.place_of(address);
        for number in 0..count as usize {
            // SAFETY: the attributes and the places for their values are so many.
            unsafe {
                let to = values.add(number).read();
                match attributes.add(number).read() {
                    1 => give(to.cast(), place.context)?,
                    2 => give(to.cast(), place.kind)?,
                    8 => give(to.cast(), u32::from(place.is_managed))?,
                    9 => give(to.cast(), place.ordinal)?,
                    _ => return Err(INVALID_VALUE),
                }
            }
        }
        Ok(())
    }
    cuStreamCreate(stream: *mut usize, _flags: c_uint) |state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(stream, state.streams.create()) }
    }
    cuStreamSynchronize(stream: usize) |state| {
        state.streams.wait_for_stream(stream, &mut state.world)
    }
    cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) |state| {
        state.streams.wait_event(stream, event)
    }
    cuEventCreate(event: *mut usize, _flags: c_uint) |state| {
        // SAFETY: the caller gives a place for it.
        unsafe { give(event, state.streams.create_event()) }
    }
    cuEventRecord(event: usize, stream: usize) |state| {
        state.streams.record(event, stream)
    }
    cuEventSynchronize(event: usize) |state| {
        state.streams.wait_for_event(event, &mut state.world)
    }
    cuEventDestroy_v2(event: usize) |state| {
        state.streams.destroy_event(event)
    }
    cuMemGetInfo_v2(free: *mut usize, total: *mut usize) |state| {
        // SAFETY: the caller gives places for both.
        unsafe {
            give(free, state.world.free_bytes())?;
            give(total, state.world.capacity())
        }
    }
    cuMemAlloc_v2(address: *mut u64, bytes: usize) |state| {
        let found = state.world.allocate(bytes, here(false)).ok_or(OUT_OF_MEMORY)?;
        // SAFETY: the caller gives a place for it.
        unsafe { give(address, found) }
    }
    cuMemAllocManaged(address: *mut u64, bytes: usize, _flags: c_uint) |state| {
        let found = state.world.allocate(bytes, here(true)).ok_or(OUT_OF_MEMORY)?;
        // SAFETY: the caller gives a place for it.
        unsafe { give(address, found) }
    }
    cuMemFree_v2(address: u64) |state| {
        // The driver waits for everything that may use the memory.
        state.streams.wait_for_all(&mut state.world)?;
        state.world.free(address)
    }
    cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, _flags: c_uint) |state| {
        let found = state.world.allocate_host(bytes);
        // SAFETY: the caller gives a place for it.
        unsafe { give(pointer, found.cast()) }
    }
    cuMemFreeHost(pointer: *mut c_void) |state| {
        state.streams.wait_for_all(&mut state.world)?;
        state.world.free_host(pointer.cast())
    }
    cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) |state| {
        state.world.check(to, bytes)?;
        let from = from.expose_provenance();
        state.streams.push(stream, Job::Upload { to, from, bytes })
    }
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) |state| {
        state.world.check(from, bytes)?;
        let to = to.expose_provenance();
        state.streams.push(stream, Job::Download { to, from, bytes })
    }
    cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) |state| {
        state.world.check(to, bytes)?;
        state.world.check(from, bytes)?;
        state.streams.push(stream, Job::Copy { to, from, bytes })
    }
    cuModuleLoadDataEx(
        module: *mut usize,
        image: *const c_char,
        count: c_uint,
        options: *const c_uint,
        values: *const *mut c_void
    ) |state| {
        // SAFETY: an image that is PTX is a C string.
        let text = unsafe { CStr::from_ptr(image) }.to_string_lossy().into_owned();
        let refused = match ufc_ptx::Module::parse(&text) {
            Ok(_) if state.plan.refuses_modules => "ptxas fatal: asked to refuse".to_string(),
            Ok(loaded) => {
                state.kernels.push(Arc::new(loaded));
                DOES_NOTHING.store(state.plan.does_nothing, Ordering::Relaxed);
                // SAFETY: the caller gives a place for it.
                return unsafe { give(module, state.kernels.len()) };
            }
            Err(refused) => refused.to_string(),
        };
        for option in 0..count as usize {
            // 5 is the buffer for errors. SAFETY: the options and their values are so many.
            unsafe {
                if options.add(option).read() == 5 {
                    let log: *mut u8 = values.add(option).read().cast();
                    std::ptr::copy_nonoverlapping(refused.as_ptr(), log, refused.len());
                    log.add(refused.len()).write(0);
                }
            }
        }
        Err(INVALID_PTX)
    }
    cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) |state| {
        // SAFETY: the name is a C string.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        let loaded = module.checked_sub(1).and_then(|n| state.kernels.get(n));
        if loaded.and_then(|module| module.kernel(&name)).is_none() {
            return Err(NOT_FOUND);
        }
        // A module of ours has one kernel, so that both have one number. SAFETY: the caller gives a place for it.
        unsafe { give(function, module) }
    }
    cuLaunchKernel(
        function: usize,
        blocks: c_uint,
        blocks_y: c_uint,
        blocks_z: c_uint,
        threads: c_uint,
        threads_y: c_uint,
        threads_z: c_uint,
        _shared: c_uint,
        stream: usize,
        params: *const *const u8,
        _extra: *const *const c_void
    ) |state| {
        let module = function.checked_sub(1).and_then(|n| state.kernels.get(n)).cloned();
        let module = module.ok_or(INVALID_VALUE)?;
        let kernel = module.kernel(ENTRY).ok_or(INVALID_VALUE)?;
        let is_flat = [blocks_y, blocks_z, threads_y, threads_z] == [1; 4];
        if !is_flat || blocks == 0 || threads == 0 || threads > 1024 {
            return Err(INVALID_VALUE);
        }
        let mut bits = Vec::new();
        for (number, bytes) in kernel.params.iter().enumerate() {
            let mut word = [0; 8];
            // SAFETY: there is a pointer for each parameter, to so many bytes.
            unsafe {
                let from = params.add(number).read();
                std::ptr::copy_nonoverlapping(from, word.as_mut_ptr(), *bytes);
            }
            bits.push(u64::from_le_bytes(word));
        }
        let launch = Launch {
            module: module.clone(),
            blocks,
            threads,
            params: bits,
        };
        state.streams.push(stream, Job::Launch(Box::new(launch)))
    }
}

/// What the driver calls an error, and its words on it, as far as tests have it; code 0 is none.
const ERRORS: &[(Answer, &CStr, &CStr)] = &[
    (
        INVALID_VALUE,
        c"CUDA_ERROR_INVALID_VALUE",
        c"invalid argument",
    ),
    (OUT_OF_MEMORY, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
    (
        NOT_INITIALIZED,
        c"CUDA_ERROR_NOT_INITIALIZED",
        c"initialization error",
    ),
    (
        NO_DEVICE,
        c"CUDA_ERROR_NO_DEVICE",
        c"no CUDA-capable device is detected",
    ),
    (
        INVALID_DEVICE,
        c"CUDA_ERROR_INVALID_DEVICE",
        c"invalid device ordinal",
    ),
    (
        INVALID_CONTEXT,
        c"CUDA_ERROR_INVALID_CONTEXT",
        c"invalid device context",
    ),
    (
        214,
        c"CUDA_ERROR_ECC_UNCORRECTABLE",
        c"uncorrectable ECC error encountered",
    ),
    (
        INVALID_PTX,
        c"CUDA_ERROR_INVALID_PTX",
        c"a PTX JIT compilation failed",
    ),
    (
        221,
        c"CUDA_ERROR_JIT_COMPILER_NOT_FOUND",
        c"PTX JIT compiler library not found",
    ),
    (
        NOT_FOUND,
        c"CUDA_ERROR_NOT_FOUND",
        c"named symbol not found",
    ),
    (
        ILLEGAL_ADDRESS,
        c"CUDA_ERROR_ILLEGAL_ADDRESS",
        c"an illegal memory access was encountered",
    ),
    (
        701,
        c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
        c"too many resources requested for launch",
    ),
    (
        LAUNCH_TIMEOUT,
        c"CUDA_ERROR_LAUNCH_TIMEOUT",
        c"the launch timed out and was terminated",
    ),
    (
        MISALIGNED_ADDRESS,
        c"CUDA_ERROR_MISALIGNED_ADDRESS",
        c"misaligned address",
    ),
    (
        LAUNCH_FAILED,
        c"CUDA_ERROR_LAUNCH_FAILED",
        c"unspecified launch failure",
    ),
];

/// Gives a text of an error; for a code that it does not know, no text and an error, as the driver does.
///
/// # Safety
/// The pointer may be written.
unsafe fn give_text(
    error: c_uint,
    to: *mut *const c_char,
    text: fn(&(Answer, &'static CStr, &'static CStr)) -> &'static CStr,
) -> c_uint {
    let found = ERRORS.iter().find(|row| row.0 == error);
    let pointer = found.map_or(std::ptr::null(), |row| text(row).as_ptr());
    // SAFETY: as the caller says.
    match unsafe { give(to, pointer) } {
        Ok(()) if found.is_some() => SUCCESS,
        _ => INVALID_VALUE,
    }
}

/// The driver's name of an error.
///
/// # Safety
/// The pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: c_uint, name: *mut *const c_char) -> c_uint {
    // SAFETY: as the caller says.
    unsafe { give_text(error, name, |row| row.1) }
}

/// The words of the driver on an error.
///
/// # Safety
/// The pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: c_uint, text: *mut *const c_char) -> c_uint {
    // SAFETY: as the caller says.
    unsafe { give_text(error, text, |row| row.2) }
}
