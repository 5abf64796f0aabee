//! The functions of NVIDIA's driver that are called, found by their names in its library.
//!
//! cudarc finds the library. Its own bindings return an enum of the error codes that it knows, and a newer driver may
//! answer with others, so results are plain numbers here.
#![expect(unsafe_code, reason = "the driver is a C library")]

use cudarc::driver::sys;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

/// What a function answers: 0, or the number of an error.
pub(crate) type Code = c_uint;

/// A handle of the driver's: a context, a module and so on.
pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($name:ident($($t:ty),*);)*) => {
        /// A pointer to each function, by the driver's name for it.
        #[expect(non_snake_case, reason = "these are the driver's names")]
        #[derive(Debug)]
        pub(crate) struct Library {
            $(pub $name: unsafe extern "C" fn($($t),*) -> Code,)*
        }

        impl Library {
            /// Finds every function, or names the first that is not there.
            fn find() -> Result<Library, &'static str> {
                // SAFETY: the library stays loaded for as long as the process lives; the types are those of the driver's
                // manual.
                unsafe {
                    let library = sys::culib();
                    Ok(Library {
                        $($name: *library
                            .get(concat!(stringify!($name), "\0").as_bytes())
                            .map_err(|_| stringify!($name))?,)*
                    })
                }
            }
        }
    };
}

functions! {
    cuInit(c_uint);
    cuDriverGetVersion(*mut c_int);
    cuGetErrorName(Code, *mut *const c_char);
    cuGetErrorString(Code, *mut *const c_char);
    cuDeviceGetCount(*mut c_int);
    cuDeviceGet(*mut c_int, c_int);
    cuDeviceGetName(*mut c_char, c_int, c_int);
    cuDeviceTotalMem_v2(*mut usize, c_int);
    cuDeviceGetAttribute(*mut c_int, c_uint, c_int);
    cuDevicePrimaryCtxRetain(*mut Handle, c_int);
    cuCtxSetCurrent(Handle);
    cuCtxGetCurrent(*mut Handle);
    cuCtxSynchronize();
    cuPointerGetAttributes(c_uint, *mut c_uint, *mut *mut c_void, u64);
    cuMemGetInfo_v2(*mut usize, *mut usize);
    cuMemAlloc_v2(*mut u64, usize);
    cuMemFree_v2(u64);
    cuMemHostAlloc(*mut *mut c_void, usize, c_uint);
    cuMemFreeHost(*mut c_void);
    cuMemcpyHtoDAsync_v2(u64, *const c_void, usize, Handle);
    cuMemcpyDtoHAsync_v2(*mut c_void, u64, usize, Handle);
    cuStreamCreate(*mut Handle, c_uint);
    cuStreamSynchronize(Handle);
    cuStreamWaitEvent(Handle, Handle, c_uint);
    cuEventCreate(*mut Handle, c_uint);
    cuEventRecord(Handle, Handle);
    cuEventSynchronize(Handle);
    cuEventDestroy_v2(Handle);
    cuModuleLoadDataEx(*mut Handle, *const c_void, c_uint, *mut c_uint, *mut *mut c_void);
    cuModuleGetFunction(*mut Handle, Handle, *const c_char);
    cuLaunchKernel(
        Handle,
        c_uint,
        c_uint,
        c_uint,
        c_uint,
        c_uint,
        c_uint,
        c_uint,
        Handle,
        *mut *mut c_void,
        *mut *mut c_void
    );
}

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// Looks for the driver's library, and for the functions in it.
///
/// # Errors
/// One line on what is not there.
pub(crate) fn load() -> Result<(), String> {
    // SAFETY: loading runs the initializers of the library that the system has under this name, NVIDIA's driver.
    let is_present = unsafe { sys::is_culib_present() };
    let name = if cfg!(windows) {
        "nvcuda.dll"
    } else {
        "libcuda.so.1"
    };
    if !is_present {
        return Err(format!("{name} not found: no NVIDIA driver"));
    }
    let missing = |function| format!("{name} has no function {function}: it is no driver of use");
    let found = Library::find().map_err(missing)?;
    // Another thread may have been faster.
    let _ = LIBRARY.set(found);
    Ok(())
}

/// The functions, once [`load`] has found them.
pub(crate) fn library() -> &'static Library {
    LIBRARY
        .get()
        .expect("the library is loaded before anything is asked of it")
}
