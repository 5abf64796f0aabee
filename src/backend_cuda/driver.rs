//! Calls of NVIDIA's driver, by cudarc's bindings: each checked, each error with the call's name.
#![expect(unsafe_code, reason = "the driver is a C library")]

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUresult};
use std::ffi::{CString, c_char, c_uint, c_void};
use std::mem::MaybeUninit;

/// What the driver answered, other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: CUresult,
    /// What was asked of it.
    pub call: &'static str,
    /// What it said of the error.
    pub text: String,
}

impl Fault {
    fn new(call: &'static str, error: DriverError) -> Fault {
        let said = error
            .error_string()
            .map(|text| text.to_string_lossy().into_owned());
        Fault {
            code: error.0,
            call,
            text: said.unwrap_or_default(),
        }
    }

    /// One line: the call, the code and the driver's words.
    pub(crate) fn line(&self) -> String {
        format!("{}: {:?}: {}", self.call, self.code, self.text)
    }

    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.code == CUresult::CUDA_ERROR_OUT_OF_MEMORY
    }

    /// Whether the process can never use the device's context again: the driver answers the same to every later call.
    pub(crate) fn is_sticky(&self) -> bool {
        use CUresult::*;
        matches!(
            self.code,
            CUDA_ERROR_ILLEGAL_ADDRESS
                | CUDA_ERROR_MISALIGNED_ADDRESS
                | CUDA_ERROR_ILLEGAL_INSTRUCTION
                | CUDA_ERROR_INVALID_ADDRESS_SPACE
                | CUDA_ERROR_INVALID_PC
                | CUDA_ERROR_HARDWARE_STACK_ERROR
                | CUDA_ERROR_LAUNCH_FAILED
                | CUDA_ERROR_LAUNCH_TIMEOUT
                | CUDA_ERROR_ASSERT
                | CUDA_ERROR_ECC_UNCORRECTABLE
                | CUDA_ERROR_NVLINK_UNCORRECTABLE
                | CUDA_ERROR_CONTEXT_IS_DESTROYED
                | CUDA_ERROR_DEINITIALIZED
                | CUDA_ERROR_DEVICE_UNAVAILABLE
        )
    }
}

type Answer<T> = Result<T, Fault>;

fn checked<T>(call: &'static str, answer: Result<T, DriverError>) -> Answer<T> {
    answer.map_err(|error| Fault::new(call, error))
}

/// Whether the driver's library can be loaded; without it every call below would panic.
pub(crate) fn is_present() -> bool {
    // SAFETY: loading runs the initializers of the library that the system has under this name, NVIDIA's driver.
    unsafe { sys::is_culib_present() }
}

pub(crate) fn init() -> Answer<()> {
    checked("cuInit", result::init())
}

/// The CUDA version of the driver: 1000 times the major one, plus 10 times the minor one.
pub(crate) fn version() -> Answer<i32> {
    let mut version = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { sys::cuDriverGetVersion(&mut version) };
    checked("cuDriverGetVersion", answer.result().map(|()| version))
}

pub(crate) fn device_count() -> Answer<i32> {
    checked("cuDeviceGetCount", result::device::get_count())
}

/// Facts about a device.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub handle: sys::CUdevice,
    pub name: String,
    pub memory: u64,
    /// Compute capability.
    pub capability: (i32, i32),
    pub multiprocessors: u32,
}

pub(crate) fn facts(ordinal: i32) -> Answer<Facts> {
    use sys::CUdevice_attribute as Attribute;
    let handle = checked("cuDeviceGet", result::device::get(ordinal))?;
    let attribute = |which| {
        // SAFETY: the handle is a device's.
        let value = unsafe { result::device::get_attribute(handle, which) };
        checked("cuDeviceGetAttribute", value)
    };
    // SAFETY: the handle is a device's.
    let memory = unsafe { result::device::total_mem(handle) };
    Ok(Facts {
        handle,
        name: checked("cuDeviceGetName", result::device::get_name(handle))?,
        memory: checked("cuDeviceTotalMem", memory)? as u64,
        capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1)
            as u32,
    })
}

/// A device's primary context. It lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context(sys::CUcontext);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks what it must.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn retain(device: sys::CUdevice) -> Answer<Context> {
        // SAFETY: the handle is a device's.
        let context = unsafe { result::primary_ctx::retain(device) };
        checked("cuDevicePrimaryCtxRetain", context).map(Context)
    }

    /// Makes it the calling thread's, as every call below asks for.
    pub(crate) fn bind(self) -> Answer<()> {
        // SAFETY: the context is never released.
        checked("cuCtxSetCurrent", unsafe {
            result::ctx::set_current(self.0)
        })
    }
}

/// Memory on the device of the current context.
pub(crate) fn allocate(bytes: usize) -> Answer<u64> {
    // SAFETY: nothing reads the memory before it is written.
    checked("cuMemAlloc", unsafe { result::malloc_sync(bytes) })
}

/// Waits until nothing uses the memory, and gives it back.
///
/// # Safety
/// It is from [`allocate`], and nobody keeps its address.
pub(crate) unsafe fn free(address: u64) -> Answer<()> {
    // SAFETY: as the caller says.
    checked("cuMemFree", unsafe { result::free_sync(address) })
}

/// Memory of the host that the device copies from and to by itself.
#[derive(Debug)]
pub(crate) struct Pinned {
    pointer: *mut u8,
    pub bytes: usize,
}

// SAFETY: it is plain memory, owned.
unsafe impl Send for Pinned {}

impl Pinned {
    pub(crate) fn new(bytes: usize) -> Answer<Pinned> {
        // Not write-combined: results are read from it.
        // SAFETY: nothing reads the memory before it is written.
        let pointer = unsafe { result::malloc_host(bytes.max(1), 0) };
        let pointer = checked("cuMemHostAlloc", pointer)?.cast();
        Ok(Pinned { pointer, bytes })
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it is from `malloc_host` and freed once. An error here means that the context is gone with it.
        let _ = unsafe { result::free_host(self.pointer.cast()) };
    }
}

/// An order of work on a device. It lives as long as the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream(sys::CUstream);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    pub(crate) fn new() -> Answer<Stream> {
        let kind = result::stream::StreamKind::NonBlocking;
        checked("cuStreamCreate", result::stream::create(kind)).map(Stream)
    }

    pub(crate) fn synchronize(self) -> Answer<()> {
        // SAFETY: streams are never destroyed.
        checked("cuStreamSynchronize", unsafe {
            result::stream::synchronize(self.0)
        })
    }

    /// Lets what comes later in this stream wait for the event.
    pub(crate) fn wait(self, event: &Event) -> Answer<()> {
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: both handles are alive.
        let answer = unsafe { result::stream::wait_event(self.0, event.0, flags) };
        checked("cuStreamWaitEvent", answer)
    }

    /// Copies to the device when the stream comes to it.
    ///
    /// # Safety
    /// Both memories have so many bytes and stay until the stream has come by; nobody writes the host's until then.
    pub(crate) unsafe fn upload(self, to: u64, from: *const u8, bytes: usize) -> Answer<()> {
        // SAFETY: as the caller says.
        let answer = unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.cast(), bytes, self.0) };
        checked("cuMemcpyHtoDAsync", answer.result())
    }

    /// Copies from the device when the stream comes to it.
    ///
    /// # Safety
    /// Both memories have so many bytes and stay until the stream has come by; nobody touches the host's until then.
    pub(crate) unsafe fn download(self, to: *mut u8, from: u64, bytes: usize) -> Answer<()> {
        // SAFETY: as the caller says.
        let answer = unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, self.0) };
        checked("cuMemcpyDtoHAsync", answer.result())
    }
}

/// A point in a stream.
#[derive(Debug)]
pub(crate) struct Event(sys::CUevent);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Event {}

impl Event {
    pub(crate) fn new() -> Answer<Event> {
        let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING;
        checked("cuEventCreate", result::event::create(flags)).map(Event)
    }

    pub(crate) fn record(&self, stream: Stream) -> Answer<()> {
        // SAFETY: both handles are alive.
        checked("cuEventRecord", unsafe {
            result::event::record(self.0, stream.0)
        })
    }

    pub(crate) fn synchronize(&self) -> Answer<()> {
        // SAFETY: the handle is alive.
        checked("cuEventSynchronize", unsafe {
            result::event::synchronize(self.0)
        })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the handle is alive, and not used again.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

/// A kernel, loaded into a context. It lives as long as the process: the driver may still run it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel(sys::CUfunction);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

/// Most bytes of what the driver's compiler says.
const LOG_BYTES: usize = 16 << 10;

impl Kernel {
    /// Compiles a module for the current context and finds its kernel. The error's second half is the compiler's log.
    pub(crate) fn load(text: &str, entry: &str) -> Result<Kernel, (Fault, String)> {
        use sys::CUjit_option as Option_;
        let image = CString::new(text).expect("a module's text has no zero bytes");
        let mut log = vec![0u8; LOG_BYTES];
        let mut options = [
            Option_::CU_JIT_ERROR_LOG_BUFFER,
            Option_::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ];
        let mut values: [*mut c_void; 2] = [
            log.as_mut_ptr().cast(),
            std::ptr::without_provenance_mut(LOG_BYTES),
        ];
        let mut module = MaybeUninit::uninit();
        // SAFETY: the image ends in a zero byte; the log is as long as the options say and outlives the call.
        let answer = unsafe {
            sys::cuModuleLoadDataEx(
                module.as_mut_ptr(),
                image.as_ptr().cast(),
                options.len() as c_uint,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        checked("cuModuleLoadDataEx", answer.result()).map_err(|fault| {
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
            (
                fault,
                String::from_utf8_lossy(&log[..end]).trim().to_string(),
            )
        })?;
        let name = CString::new(entry).expect("an entry's name has no zero bytes");
        let mut function = MaybeUninit::uninit();
        // SAFETY: the module has just been loaded, and the name is a C string.
        let answer = unsafe {
            let module = module.assume_init();
            sys::cuModuleGetFunction(
                function.as_mut_ptr(),
                module,
                name.as_ptr().cast::<c_char>(),
            )
        };
        checked("cuModuleGetFunction", answer.result()).map_err(|fault| (fault, String::new()))?;
        // SAFETY: the call above has written it.
        Ok(Kernel(unsafe { function.assume_init() }))
    }

    /// Runs when the stream comes to it.
    ///
    /// # Safety
    /// The parameters are as many and as wide as the kernel takes, and what they point to on the device stays until
    /// the kernel has run.
    pub(crate) unsafe fn launch(
        self,
        stream: Stream,
        blocks: u32,
        threads: u32,
        params: &mut [u64],
    ) -> Answer<()> {
        let mut pointers: Vec<*mut c_void> = params
            .iter_mut()
            .map(|p| std::ptr::from_mut(p).cast())
            .collect();
        let (grid, block) = ((blocks, 1, 1), (threads, 1, 1));
        // SAFETY: as the caller says; a narrower parameter is in the first bytes of its word.
        let answer =
            unsafe { result::launch_kernel(self.0, grid, block, 0, stream.0, &mut pointers) };
        checked("cuLaunchKernel", answer)
    }
}
