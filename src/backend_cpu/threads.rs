//! The threads that launches run on: pools by size, started when first needed, and anew after a fork.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use ufc_target::BackendError;

/// The pools of one process. A child made by `fork` has its parent's memory, but none of its threads.
struct Pools {
    process: u32,
    by_threads: Mutex<BTreeMap<usize, Arc<ThreadPool>>>,
}

/// How many threads the process may use.
pub(crate) fn all_threads() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let known = COUNT.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    COUNT.store(count, Ordering::Relaxed);
    count
}

/// The pool with this many threads, started on first use by this process.
pub(crate) fn pool(threads: usize) -> Result<Arc<ThreadPool>, BackendError> {
    let pools = pools();
    let mut by_threads = pools
        .by_threads
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = by_threads.get(&threads) {
        return Ok(pool.clone());
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("ufc-{i}"))
        .build()
        .map_err(|e| BackendError::LaunchFailed(format!("threads cannot be started: {e}")))?;
    let pool = Arc::new(pool);
    by_threads.insert(threads, pool.clone());
    Ok(pool)
}

/// This process's pools. Those of its parent are left as they are: stopping their threads, which are not here, would wait for ever.
fn pools() -> &'static Pools {
    static POOLS: RwLock<Option<&'static Pools>> = RwLock::new(None);
    let process = std::process::id();
    let known = *POOLS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(pools) = known.filter(|pools| pools.process == process) {
        return pools;
    }
    let mut current = POOLS.write().unwrap_or_else(PoisonError::into_inner);
    match *current {
        Some(pools) if pools.process == process => pools,
        _ => {
            let fresh: &'static Pools = Box::leak(Box::new(Pools {
                process,
                by_threads: Mutex::default(),
            }));
            *current = Some(fresh);
            fresh
        }
    }
}
