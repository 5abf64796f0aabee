//! Calls of NVIDIA's driver, by cudarc's bindings: each checked, each error with the call's name.
#![expect(unsafe_code, reason = "the driver is a C library")]

use crate::library::{Code, Handle, library};
use cudarc::driver::sys::{
    CUdevice_attribute as Attribute, CUjit_option as JitOption,
    CUpointer_attribute as PointerAttribute, CUresult,
};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;

/// What the driver answered, other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: Code,
    /// What was asked of it.
    pub call: &'static str,
    /// What it said of the error; nothing, if it does not know the code.
    pub text: String,
}

impl Fault {
    fn new(call: &'static str, code: Code) -> Fault {
        let said = |function: unsafe extern "C" fn(Code, *mut *const c_char) -> Code| {
            let mut text = std::ptr::null();
            // SAFETY: the pointer is to a local. What it then points to is the driver's, and constant.
            unsafe {
                let answer = function(code, &mut text);
                (answer == 0 && !text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy())
            }
        };
        let words = [library().cuGetErrorName, library().cuGetErrorString];
        let words: Vec<_> = words.into_iter().filter_map(said).collect();
        let mut text = words.join(": ");
        if code == CUresult::CUDA_ERROR_NOT_INITIALIZED as Code {
            text.push_str(" (a child made by `fork` cannot use a GPU that its parent has used)");
        }
        Fault { code, call, text }
    }

    /// One line: the call, the code and the driver's words.
    pub(crate) fn line(&self) -> String {
        let Fault { code, call, text } = self;
        match text.is_empty() {
            true => format!("{call}: error {code}, of which the driver says no more"),
            false => format!("{call}: error {code}: {text}"),
        }
    }

    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.code == CUresult::CUDA_ERROR_OUT_OF_MEMORY as Code
    }

    /// Whether the driver compiles no kernels here, whatever their text: its compiler is a library of its own, which containers may lack.
    pub(crate) fn is_without_compiler(&self) -> bool {
        use CUresult::*;
        const MISSING: &[CUresult] = &[
            CUDA_ERROR_JIT_COMPILER_NOT_FOUND,
            CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
            CUDA_ERROR_JIT_COMPILATION_DISABLED,
        ];
        MISSING.iter().any(|code| *code as Code == self.code)
    }

    /// Whether the process can never use the device's context again: the driver answers the same to every later call.
    pub(crate) fn is_sticky(&self) -> bool {
        use CUresult::*;
        // The driver has been started: it only forgets that in a child made by `fork`, and when the process ends.
        const STICKY: &[CUresult] = &[
            CUDA_ERROR_NOT_INITIALIZED,
            CUDA_ERROR_DEINITIALIZED,
            CUDA_ERROR_ILLEGAL_ADDRESS,
            CUDA_ERROR_MISALIGNED_ADDRESS,
            CUDA_ERROR_ILLEGAL_INSTRUCTION,
            CUDA_ERROR_INVALID_ADDRESS_SPACE,
            CUDA_ERROR_INVALID_PC,
            CUDA_ERROR_HARDWARE_STACK_ERROR,
            CUDA_ERROR_LAUNCH_FAILED,
            CUDA_ERROR_LAUNCH_TIMEOUT,
            CUDA_ERROR_ASSERT,
            CUDA_ERROR_ECC_UNCORRECTABLE,
            CUDA_ERROR_NVLINK_UNCORRECTABLE,
            CUDA_ERROR_CONTEXT_IS_DESTROYED,
            CUDA_ERROR_DEVICE_UNAVAILABLE,
        ];
        STICKY.iter().any(|code| *code as Code == self.code)
    }
}

type Answer<T> = Result<T, Fault>;

fn checked(call: &'static str, code: Code) -> Answer<()> {
    match code {
        0 => Ok(()),
        code => Err(Fault::new(call, code)),
    }
}

pub(crate) fn init() -> Answer<()> {
    // SAFETY: it takes no pointer.
    checked("cuInit", unsafe { (library().cuInit)(0) })
}

/// The CUDA version of the driver: 1000 times the major one, plus 10 times the minor one.
pub(crate) fn version() -> Answer<i32> {
    let mut version = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuDriverGetVersion)(&mut version) };
    checked("cuDriverGetVersion", answer).map(|()| version)
}

pub(crate) fn device_count() -> Answer<i32> {
    let mut count = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuDeviceGetCount)(&mut count) };
    checked("cuDeviceGetCount", answer).map(|()| count)
}

/// Facts about a device.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The driver's handle of it.
    pub handle: c_int,
    pub name: String,
    pub memory: u64,
    /// Compute capability.
    pub capability: (i32, i32),
    pub multiprocessors: u32,
}

/// Most bytes of a device's name.
const NAME_BYTES: usize = 256;

pub(crate) fn facts(ordinal: i32) -> Answer<Facts> {
    use Attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT as MULTIPROCESSORS,
    };
    let mut handle = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuDeviceGet)(&mut handle, ordinal) };
    checked("cuDeviceGet", answer)?;
    let attribute = |which: Attribute| {
        let mut value = 0;
        // SAFETY: the pointer is to a local.
        let answer =
            unsafe { (library().cuDeviceGetAttribute)(&mut value, which as c_uint, handle) };
        checked("cuDeviceGetAttribute", answer).map(|()| value)
    };
    let mut name = [0u8; NAME_BYTES];
    // SAFETY: the name is cut to so many bytes, the last of which stays zero.
    let answer = unsafe {
        let length = NAME_BYTES as c_int - 1;
        (library().cuDeviceGetName)(name.as_mut_ptr().cast(), length, handle)
    };
    checked("cuDeviceGetName", answer)?;
    let mut memory = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuDeviceTotalMem_v2)(&mut memory, handle) };
    checked("cuDeviceTotalMem", answer)?;
    Ok(Facts {
        handle,
        name: until_zero(&name),
        memory: memory as u64,
        capability: (attribute(MAJOR)?, attribute(MINOR)?),
        multiprocessors: attribute(MULTIPROCESSORS)?.max(1) as u32,
    })
}

/// The text that a C string in a larger memory has.
fn until_zero(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim().to_string()
}

/// A device's primary context. It lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context(Handle);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks what it must.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn retain(device: c_int) -> Answer<Context> {
        let mut context = null_mut();
        // SAFETY: the pointer is to a local.
        let answer = unsafe { (library().cuDevicePrimaryCtxRetain)(&mut context, device) };
        checked("cuDevicePrimaryCtxRetain", answer).map(|()| Context(context))
    }

    /// Its address, to be compared.
    pub(crate) fn address(self) -> usize {
        self.0.addr()
    }

    /// Makes it the calling thread's, as every call below asks for.
    pub(crate) fn bind(self) -> Answer<()> {
        // SAFETY: the context is never released.
        checked("cuCtxSetCurrent", unsafe {
            (library().cuCtxSetCurrent)(self.0)
        })
    }
}

/// The calling thread's context, given back when this is dropped: other libraries of the process take a thread's context for
/// the choice of a device, and so does CUDA's runtime.
#[derive(Debug)]
pub(crate) struct CallersContext(Option<Handle>);

impl CallersContext {
    /// To be called before the first [`Context::bind`] of a function that others call.
    pub(crate) fn keep() -> CallersContext {
        CallersContext(current_context())
    }
}

impl Drop for CallersContext {
    fn drop(&mut self) {
        if let Some(context) = self.0.filter(|context| current_context() != Some(*context)) {
            // SAFETY: the thread had it, or none. If the caller destroyed it meanwhile, the answer is an error.
            let _ = unsafe { (library().cuCtxSetCurrent)(context) };
        }
    }
}

/// The thread's context, null if it has none; none if the driver does not say.
fn current_context() -> Option<Handle> {
    let mut context = null_mut();
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuCtxGetCurrent)(&mut context) };
    (answer == 0).then_some(context)
}

/// Waits until everything that anybody does in the current context is done.
pub(crate) fn synchronize_context() -> Answer<()> {
    // SAFETY: it takes no pointer.
    checked("cuCtxSynchronize", unsafe {
        (library().cuCtxSynchronize)()
    })
}

/// What an address is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The CUmemorytype; 0 if the driver does not know the address.
    pub kind: c_uint,
    /// The address of the context that it was allocated in; 0 if that was none.
    pub context: usize,
    /// The device.
    pub ordinal: i32,
    /// Whether the memory moves to where it is used.
    pub is_managed: bool,
}

/// Asks the driver whose an address is.
pub(crate) fn place_of(address: u64) -> Answer<Place> {
    use PointerAttribute::{
        CU_POINTER_ATTRIBUTE_CONTEXT as CONTEXT, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL as ORDINAL,
        CU_POINTER_ATTRIBUTE_IS_MANAGED as MANAGED, CU_POINTER_ATTRIBUTE_MEMORY_TYPE as KIND,
    };
    let mut place = Place::default();
    let mut is_managed: c_uint = 0;
    let mut attributes = [KIND, CONTEXT, ORDINAL, MANAGED].map(|which| which as c_uint);
    let mut values: [*mut c_void; 4] = [
        (&raw mut place.kind).cast(),
        (&raw mut place.context).cast(),
        (&raw mut place.ordinal).cast(),
        (&raw mut is_managed).cast(),
    ];
    // SAFETY: there is a place for each attribute, as large as its value.
    let answer = unsafe {
        let count = attributes.len() as c_uint;
        let (attributes, values) = (attributes.as_mut_ptr(), values.as_mut_ptr());
        (library().cuPointerGetAttributes)(count, attributes, values, address)
    };
    checked("cuPointerGetAttributes", answer)?;
    place.is_managed = is_managed != 0;
    Ok(place)
}

/// Memory on the device of the current context.
pub(crate) fn allocate(bytes: usize) -> Answer<u64> {
    let mut address = 0;
    // SAFETY: the pointer is to a local.
    let answer = unsafe { (library().cuMemAlloc_v2)(&mut address, bytes) };
    checked("cuMemAlloc", answer).map(|()| address)
}

/// How many bytes the device of the current context has free.
pub(crate) fn free_memory() -> Answer<usize> {
    let (mut free, mut total) = (0, 0);
    // SAFETY: the pointers are to locals.
    let answer = unsafe { (library().cuMemGetInfo_v2)(&mut free, &mut total) };
    checked("cuMemGetInfo", answer).map(|()| free)
}

/// Waits until nothing uses the memory, and gives it back.
///
/// # Safety
/// It is from [`allocate`], and nobody keeps its address.
pub(crate) unsafe fn free(address: u64) -> Answer<()> {
    // SAFETY: as the caller says.
    checked("cuMemFree", unsafe { (library().cuMemFree_v2)(address) })
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
        let mut pointer = null_mut();
        // No flags, so not write-combined: results are read from it.
        // SAFETY: the pointer is to a local.
        let answer = unsafe { (library().cuMemHostAlloc)(&mut pointer, bytes.max(1), 0) };
        checked("cuMemHostAlloc", answer)?;
        let pointer = pointer.cast();
        Ok(Pinned { pointer, bytes })
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it is from `cuMemHostAlloc` and freed once. An error here means that the context is gone with it.
        let _ = unsafe { (library().cuMemFreeHost)(self.pointer.cast()) };
    }
}

/// An order of work on a device. It lives as long as the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream(Handle);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    pub(crate) fn new() -> Answer<Stream> {
        // CU_STREAM_NON_BLOCKING: it does not wait for what others do in the default stream.
        let flags = 1;
        let mut stream = null_mut();
        // SAFETY: the pointer is to a local.
        let answer = unsafe { (library().cuStreamCreate)(&mut stream, flags) };
        checked("cuStreamCreate", answer).map(|()| Stream(stream))
    }

    pub(crate) fn synchronize(self) -> Answer<()> {
        // SAFETY: streams are never destroyed.
        checked("cuStreamSynchronize", unsafe {
            (library().cuStreamSynchronize)(self.0)
        })
    }

    /// Lets what comes later in this stream wait for the event.
    pub(crate) fn wait(self, event: &Event) -> Answer<()> {
        // SAFETY: both handles are alive.
        checked("cuStreamWaitEvent", unsafe {
            (library().cuStreamWaitEvent)(self.0, event.0, 0)
        })
    }

    /// Copies to the device when the stream comes to it.
    ///
    /// # Safety
    /// Both memories have so many bytes and stay until the stream has come by; nobody writes the host's until then.
    pub(crate) unsafe fn upload(self, to: u64, from: *const u8, bytes: usize) -> Answer<()> {
        // SAFETY: as the caller says.
        checked("cuMemcpyHtoDAsync", unsafe {
            (library().cuMemcpyHtoDAsync_v2)(to, from.cast(), bytes, self.0)
        })
    }

    /// Copies from the device when the stream comes to it.
    ///
    /// # Safety
    /// Both memories have so many bytes and stay until the stream has come by; nobody touches the host's until then.
    pub(crate) unsafe fn download(self, to: *mut u8, from: u64, bytes: usize) -> Answer<()> {
        // SAFETY: as the caller says.
        checked("cuMemcpyDtoHAsync", unsafe {
            (library().cuMemcpyDtoHAsync_v2)(to.cast(), from, bytes, self.0)
        })
    }
}

/// A point in a stream.
#[derive(Debug)]
pub(crate) struct Event(Handle);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Event {}

impl Event {
    pub(crate) fn new() -> Answer<Event> {
        // CU_EVENT_DISABLE_TIMING.
        let flags = 2;
        let mut event = null_mut();
        // SAFETY: the pointer is to a local.
        let answer = unsafe { (library().cuEventCreate)(&mut event, flags) };
        checked("cuEventCreate", answer).map(|()| Event(event))
    }

    pub(crate) fn record(&self, stream: Stream) -> Answer<()> {
        // SAFETY: both handles are alive.
        checked("cuEventRecord", unsafe {
            (library().cuEventRecord)(self.0, stream.0)
        })
    }

    pub(crate) fn synchronize(&self) -> Answer<()> {
        // SAFETY: the handle is alive.
        checked("cuEventSynchronize", unsafe {
            (library().cuEventSynchronize)(self.0)
        })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the handle is alive, and not used again.
        let _ = unsafe { (library().cuEventDestroy_v2)(self.0) };
    }
}

/// A kernel, loaded into a context. It lives as long as the process: the driver may still run it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel(Handle);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

/// Most bytes of what the driver's compiler says.
const LOG_BYTES: usize = 16 << 10;

impl Kernel {
    /// Compiles a module for the current context and finds its kernel. The error's second half is the compiler's log.
    pub(crate) fn load(text: &str, entry: &str) -> Result<Kernel, (Fault, String)> {
        let image = CString::new(text).expect("a module's text has no zero bytes");
        let mut log = vec![0u8; LOG_BYTES];
        let mut options = [
            JitOption::CU_JIT_ERROR_LOG_BUFFER as c_uint,
            JitOption::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES as c_uint,
        ];
        let mut values: [*mut c_void; 2] = [
            log.as_mut_ptr().cast(),
            std::ptr::without_provenance_mut(LOG_BYTES),
        ];
        let mut module = null_mut();
        // SAFETY: the image ends in a zero byte; the log is as long as the options say and outlives the call.
        let answer = unsafe {
            (library().cuModuleLoadDataEx)(
                &mut module,
                image.as_ptr().cast(),
                options.len() as c_uint,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        checked("cuModuleLoadDataEx", answer).map_err(|fault| (fault, until_zero(&log)))?;
        let name = CString::new(entry).expect("an entry's name has no zero bytes");
        let mut function = null_mut();
        // SAFETY: the module has just been loaded, and the name is a C string.
        let answer =
            unsafe { (library().cuModuleGetFunction)(&mut function, module, name.as_ptr()) };
        checked("cuModuleGetFunction", answer).map_err(|fault| (fault, String::new()))?;
        Ok(Kernel(function))
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
        params: &[u64],
    ) -> Answer<()> {
        let mut pointers: Vec<*mut c_void> = params
            .iter()
            .map(|p| std::ptr::from_ref(p).cast_mut().cast())
            .collect();
        // SAFETY: as the caller says; a narrower parameter is in the first bytes of its word, and is only read.
        checked("cuLaunchKernel", unsafe {
            (library().cuLaunchKernel)(
                self.0,
                blocks,
                1,
                1,
                threads,
                1,
                1,
                0,
                stream.0,
                pointers.as_mut_ptr(),
                null_mut(),
            )
        })
    }
}
