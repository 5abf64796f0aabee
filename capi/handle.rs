//! Handles: what callers hold instead of addresses, so that a wrong one is found out and not followed.
//!
//! A handle is the number of a slot and the slot's generation, dressed as a pointer that is never followed. Its
//! lowest bit is set, so no address of an object is ever one. Slots are never given back to the system, and freeing an
//! object ends its generation; so a handle that was freed, or made up, can be looked up like any other, and is refused.
//!
//! Looking up takes no lock: a slot counts its users and its owner. An object freed while others use it lives on
//! until the last of them is done.
#![expect(
    unsafe_code,
    reason = "slots are shared between threads under a count of their users"
)]

use std::cell::UnsafeCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::array::ArrayObject;
use crate::diagnostics::DiagnosticsObject;
use crate::error::{Failure, ufc_status};
use crate::kernel_loop::LoopObject;
use crate::module::ModuleObject;
use crate::text::TextObject;
use crate::ufunc::{CancelObject, UfuncObject};

/// Calls the macro `$m` with every kind of object: the type, the type of its handle, and what messages call it.
macro_rules! for_each_kind {
    ($m:ident) => {
        $m! {
            Module(ModuleObject) ufc_module "a module",
            Diagnostics(DiagnosticsObject) ufc_diagnostics "diagnostics",
            Ufunc(UfuncObject) ufc_ufunc "a ufunc",
            Loop(LoopObject) ufc_loop "a loop",
            Array(ArrayObject) ufc_array "an array",
            Text(TextObject) ufc_text "a text",
            Cancel(CancelObject) ufc_cancel "a way to cancel",
        }
    };
}

/// A type of object that callers hold.
pub(crate) trait Held: Sized {
    /// The type that its handles point to in C.
    type Handle;
    /// What messages call it.
    const WORD: &'static str;
    fn wrap(self) -> Object;
    fn find(object: &Object) -> Option<&Self>;
}

macro_rules! define_objects {
    ($($Kind:ident($Type:ident) $handle:ident $word:literal,)*) => {
        /// An object that a caller holds.
        pub(crate) enum Object {
            $($Kind($Type),)*
        }

        impl Object {
            fn word(&self) -> &'static str {
                match self { $(Object::$Kind(_) => $word,)* }
            }
        }

        $(impl Held for $Type {
            type Handle = $handle;
            const WORD: &'static str = $word;
            fn wrap(self) -> Object {
                Object::$Kind(self)
            }
            fn find(object: &Object) -> Option<&$Type> {
                match object {
                    Object::$Kind(found) => Some(found),
                    _ => None,
                }
            }
        })*
    };
}
for_each_kind!(define_objects);

/// A module: the kernels of one text.
pub struct ufc_module(());
/// What was found wrong with a text, or is worth a look.
pub struct ufc_diagnostics(());
/// One kernel, to be called on arrays.
pub struct ufc_ufunc(());
/// A kernel compiled for certain dtypes, as a function.
pub struct ufc_loop(());
/// An array whose memory ufc keeps.
pub struct ufc_array(());
/// A text made for the caller.
pub struct ufc_text(());
/// A way to stop calls from another thread.
pub struct ufc_cancel(());

/// A place for an object.
struct Slot {
    /// From the lowest bit: 32 bits that count users and the owner; one that is set until the object is freed; the
    /// generation.
    state: AtomicU64,
    object: UnsafeCell<Option<Object>>,
}

const COUNT: u64 = 0xffff_ffff;
const LIVE: u64 = 1 << 32;
const GENERATION_SHIFT: u32 = 33;
const LAST_GENERATION: u64 = u64::MAX >> GENERATION_SHIFT;

// SAFETY: the object is written before the slot is published and after its last user has gone; between, it is only
// read, and all its types may be read from any thread.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

/// Slots in the first chunk; each further chunk has twice as many.
const FIRST_CHUNK: usize = 64;

/// Enough chunks for 2^28 objects at a time.
static CHUNKS: [OnceLock<Box<[Slot]>>; 22] = [const { OnceLock::new() }; 22];

/// Slots that are free: those freed before, and all from `fresh` on.
struct Free {
    again: Vec<usize>,
    fresh: usize,
}

static FREE: Mutex<Free> = Mutex::new(Free {
    again: Vec::new(),
    fresh: 0,
});

fn place(index: usize) -> (usize, usize) {
    let chunk = (index / FIRST_CHUNK + 1).ilog2() as usize;
    (chunk, index - FIRST_CHUNK * ((1 << chunk) - 1))
}

fn slot(index: usize) -> Option<&'static Slot> {
    let (chunk, within) = place(index);
    CHUNKS.get(chunk)?.get()?.get(within)
}

/// Takes an object over from its maker; the handle is its caller's to free.
pub(crate) fn insert<T: Held>(object: T) -> Result<*mut T::Handle, Failure> {
    let index = {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.again.pop().unwrap_or_else(|| {
            free.fresh += 1;
            free.fresh - 1
        })
    };
    let (chunk, within) = place(index);
    let Some(chunk_of_slots) = CHUNKS.get(chunk) else {
        // What it was made of is the caller's as before.
        std::mem::forget(object);
        let message = "too many objects are held at a time";
        return Err(Failure::new(ufc_status::UFC_ERROR_MEMORY, message));
    };
    let slots = chunk_of_slots.get_or_init(|| {
        let empty = |_| Slot {
            state: AtomicU64::new(1 << GENERATION_SHIFT),
            object: UnsafeCell::new(None),
        };
        (0..FIRST_CHUNK << chunk).map(empty).collect()
    });
    let slot = &slots[within];
    let generation = slot.state.load(Ordering::Relaxed) >> GENERATION_SHIFT;
    // SAFETY: the slot was free and is ours alone, as its number came from the list of free slots.
    unsafe { *slot.object.get() = Some(object.wrap()) };
    let state = generation << GENERATION_SHIFT | LIVE | 1;
    slot.state.store(state, Ordering::Release);
    let address = generation << GENERATION_SHIFT | (index as u64) << 1 | 1;
    Ok(std::ptr::without_provenance_mut(address as usize))
}

/// Counts one user of a slot if its object is of this generation and has not been freed.
fn take(address: u64) -> Option<&'static Slot> {
    let index = (address & ((1 << GENERATION_SHIFT) - 1)) >> 1;
    let slot = slot(usize::try_from(index).ok()?)?;
    let mut state = slot.state.load(Ordering::Relaxed);
    loop {
        let is_meant = state >> GENERATION_SHIFT == address >> GENERATION_SHIFT;
        if address & 1 == 0 || !is_meant || state & LIVE == 0 || state & COUNT == COUNT {
            return None;
        }
        let taken = slot.state.compare_exchange_weak(
            state,
            state + 1,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        match taken {
            Ok(_) => return Some(slot),
            Err(now) => state = now,
        }
    }
}

/// Counts one user less; the last one of an object that was freed clears the slot.
fn give_back(slot: &'static Slot, index: usize) {
    let before = slot.state.fetch_sub(1, Ordering::Release);
    if before & COUNT != 1 {
        return;
    }
    fence(Ordering::Acquire);
    // SAFETY: the count was that of the last user and the object is not live, so nobody can come to it any more.
    let object = unsafe { (*slot.object.get()).take() };
    let generation = before >> GENERATION_SHIFT;
    if generation < LAST_GENERATION {
        let next = (generation + 1) << GENERATION_SHIFT;
        slot.state.store(next, Ordering::Release);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.again.push(index);
    }
    // Last, because it may run code of the caller's, which may call us.
    drop(object);
}

fn index_of(address: u64) -> usize {
    ((address & ((1 << GENERATION_SHIFT) - 1)) >> 1) as usize
}

/// An object in use; it stays while this lives, even if its handle is freed.
pub(crate) struct Used<T: Held> {
    slot: &'static Slot,
    index: usize,
    object: *const T,
}

impl<T: Held> Deref for Used<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the object is in the slot, whose count includes this user.
        unsafe { &*self.object }
    }
}

impl<T: Held> Drop for Used<T> {
    fn drop(&mut self) {
        give_back(self.slot, self.index);
    }
}

/// The object of a handle.
///
/// # Errors
/// `UFC_ERROR_NULL` or `UFC_ERROR_HANDLE`; `what` is the argument's name.
pub(crate) fn get<T: Held>(handle: *const T::Handle, what: &str) -> Result<Used<T>, Failure> {
    if handle.is_null() {
        return Err(Failure::null(what));
    }
    let address = handle.addr() as u64;
    let slot = take(address).ok_or_else(|| unknown::<T>(what))?;
    let index = index_of(address);
    // SAFETY: the slot's count includes us, so its object stays as it is.
    let object = unsafe { &*slot.object.get() };
    let found = object.as_ref().and_then(T::find);
    let Some(found) = found else {
        let word = object.as_ref().map_or("nothing", Object::word);
        let message = format!("`{what}` is the handle of {word}, not of {}", T::WORD);
        give_back(slot, index);
        return Err(Failure::new(ufc_status::UFC_ERROR_HANDLE, message));
    };
    Ok(Used {
        slot,
        index,
        object: found,
    })
}

fn unknown<T: Held>(what: &str) -> Failure {
    let message = format!(
        "`{what}` is not the handle of {}: it was freed before, or is not a handle at all",
        T::WORD
    );
    Failure::new(ufc_status::UFC_ERROR_HANDLE, message)
}

/// Frees a handle; its object goes when its last user does.
///
/// # Errors
/// As [`get`].
pub(crate) fn free<T: Held>(handle: *mut T::Handle, what: &str) -> Result<(), Failure> {
    let used = get::<T>(handle, what)?;
    let mut state = used.slot.state.load(Ordering::Relaxed);
    // Our own use keeps the generation as it is; only another thread's freeing can come before ours.
    while state & LIVE != 0 {
        let freed = used.slot.state.compare_exchange_weak(
            state,
            state & !LIVE,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        match freed {
            Ok(_) => {
                // The owner's count; ours goes with `used`.
                give_back(used.slot, used.index);
                return Ok(());
            }
            Err(now) => state = now,
        }
    }
    Err(unknown::<T>(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn text(text: &str) -> *mut ufc_text {
        insert(TextObject::new(text)).expect("a handle")
    }

    fn read(handle: *mut ufc_text) -> Option<String> {
        let text = get::<TextObject>(handle, "text").ok()?;
        Some(text.as_str().to_string())
    }

    #[test]
    fn handles_are_good_until_freed() {
        let (a, b) = (text("a"), text("b"));
        assert_eq!(read(a).as_deref(), Some("a"));
        assert_eq!(read(b).as_deref(), Some("b"));
        free::<TextObject>(a, "text").expect("frees");
        assert!(free::<TextObject>(a, "text").is_err());
        let again: Vec<_> = (0..200).map(|_| text("c")).collect();
        assert_eq!(read(a), None);
        assert_eq!(read(b).as_deref(), Some("b"));
        for handle in again {
            assert_eq!(read(handle).as_deref(), Some("c"));
            free::<TextObject>(handle, "text").expect("frees");
        }
        free::<TextObject>(b, "text").expect("frees");
    }

    #[test]
    fn what_is_not_a_handle_is_refused() {
        let good = text("good");
        let address = good.addr();
        let local = 5u64;
        let wrong = [
            address ^ 1,
            address + (1 << GENERATION_SHIFT),
            1,
            usize::MAX,
            usize::MAX - 1,
            (&raw const local).addr(),
            (&raw const local).addr() + 1,
        ];
        for wrong in wrong {
            assert_eq!(
                read(std::ptr::without_provenance_mut(wrong)),
                None,
                "{wrong:x}"
            );
        }
        let module = std::ptr::without_provenance_mut::<ufc_module>(address);
        let Err(failure) = get::<ModuleObject>(module, "module") else {
            panic!("a text is not a module");
        };
        let message = format!("{failure:?}");
        assert!(
            message.contains("`module` is the handle of a text, not of a module"),
            "{message}"
        );
        free::<TextObject>(good, "text").expect("frees");
    }

    #[test]
    fn an_object_in_use_outlives_its_handle() {
        let handle = text("kept");
        let used = get::<TextObject>(handle, "text").expect("is there");
        free::<TextObject>(handle, "text").expect("frees");
        assert_eq!(used.as_str(), "kept");
        assert_eq!(read(handle), None);
    }

    #[test]
    fn threads_free_a_handle_once() {
        for _ in 0..200 {
            let address = text("shared").addr();
            let freed: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(move || {
                            let handle = std::ptr::without_provenance_mut(address);
                            let seen = read(handle);
                            assert!(seen.is_none_or(|text| text == "shared"));
                            usize::from(free::<TextObject>(handle, "text").is_ok())
                        })
                    })
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap_or(9)).sum()
            });
            assert_eq!(freed, 1);
        }
    }

    #[test]
    fn slots_are_numbered_without_gaps() {
        let mut expected = (0, 0);
        for index in 0..FIRST_CHUNK * 20 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_CHUNK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
