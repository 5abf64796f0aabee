//! A progress bar for calls that take long, and Ctrl-C.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{INTERRUPTED, is_watched};

/// Set when the user presses Ctrl-C.
pub(crate) static CANCEL: AtomicBool = AtomicBool::new(false);

/// How long a call may take before a bar is worth showing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Lets Ctrl-C stop the running call, so that no output is half written; a second one stops the process.
pub(crate) fn catch_interrupt() {
    // Without a handler Ctrl-C still ends the process, only less gently.
    let _ = ctrlc::set_handler(|| {
        if CANCEL.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "the user insists on stopping at once")]
            std::process::exit(INTERRUPTED.into());
        }
    });
}

/// Whether the user wants to stop.
pub(crate) fn is_cancelled() -> bool {
    CANCEL.load(Ordering::Relaxed)
}

/// Runs a job that counts what it has done of `total`; shows a bar once it takes long and somebody watches.
pub(crate) fn watch<T>(total: u64, job: impl FnOnce(&AtomicU64) -> T) -> T {
    let done = AtomicU64::new(0);
    if !is_watched() {
        return job(&done);
    }
    let (finished, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            // An error says that the job is over: its end of the channel is gone.
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                show(total, done, &waiting);
            }
        });
        // Dropped when the job is over, even by a panic.
        let _finished = finished;
        job(done)
    })
}

fn show(total: u64, done: &AtomicU64, waiting: &Receiver<()>) {
    let template = "{bar:40} {percent:>3} %  {human_pos} of {human_len} elements, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let start = Instant::now().checked_sub(PATIENCE);
    let bar = ProgressBar::new(total).with_style(style);
    let bar = match start {
        Some(start) => bar.with_elapsed(start.elapsed()),
        None => bar,
    };
    loop {
        bar.set_position(done.load(Ordering::Relaxed));
        if waiting.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
            bar.finish_and_clear();
            return;
        }
    }
}
