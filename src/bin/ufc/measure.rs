//! Times of repeated runs, and what to say about them.

use std::time::{Duration, Instant};

use crate::output::Failure;
use crate::progress::is_cancelled;

/// Fewest runs that make a figure, unless one run takes longer than all the time there is.
const MIN_RUNS: usize = 5;

/// Most runs, so that their times do not fill the memory.
const MAX_RUNS: usize = 100_000;

/// Times of runs in seconds, sorted.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    sorted: Vec<f64>,
}

impl Times {
    /// Runs a job for about a tenth of the time to warm up, then for the time, and keeps the times of the latter.
    pub(crate) fn of(
        time: Duration,
        mut job: impl FnMut() -> Result<(), Failure>,
    ) -> Result<Times, Failure> {
        let mut once = || {
            if is_cancelled() {
                return Err(Failure::Message(
                    crate::output::INTERRUPTED,
                    "interrupted".to_string(),
                ));
            }
            let start = Instant::now();
            job()?;
            Ok(start.elapsed())
        };
        let start = Instant::now();
        let mut first = once()?;
        while start.elapsed() < time / 10 {
            first = once()?;
        }
        // A run that takes longer than all the time is warm by its end and would not be repeated anyway.
        let mut sorted = Vec::new();
        if first > time {
            sorted.push(first.as_secs_f64());
        } else {
            let start = Instant::now();
            while sorted.len() < MIN_RUNS || (start.elapsed() < time && sorted.len() < MAX_RUNS) {
                sorted.push(once()?.as_secs_f64());
            }
        }
        Ok(Times::new(sorted))
    }

    fn new(mut times: Vec<f64>) -> Times {
        times.sort_unstable_by(f64::total_cmp);
        Times { sorted: times }
    }

    /// The middle time.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The shortest time.
    pub(crate) fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// Half of the distance between the quartiles, in proportion to the median.
    pub(crate) fn spread(&self) -> f64 {
        let median = self.median();
        let half = (self.quantile(0.75) - self.quantile(0.25)) / 2.0;
        if median > 0.0 { half / median } else { 0.0 }
    }

    /// How many runs were timed.
    pub(crate) fn runs(&self) -> usize {
        self.sorted.len()
    }

    /// The time that this share of the runs stays below, interpolated.
    fn quantile(&self, share: f64) -> f64 {
        let at = share * self.sorted.len().saturating_sub(1) as f64;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        match (self.sorted.get(low), self.sorted.get(high)) {
            (Some(a), Some(b)) => a + (b - a) * at.fract(),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        let times = Times::new(vec![4.0, 1.0, 2.0, 3.0, 5.0]);
        assert_eq!((times.median(), times.min(), times.runs()), (3.0, 1.0, 5));
        assert_eq!(times.spread(), 1.0 / 3.0);
        assert_eq!(Times::new(vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn slow_jobs_run_once_and_fast_ones_often() {
        let mut runs = 0;
        let mut job = |sleep| {
            runs += 1;
            std::thread::sleep(Duration::from_millis(sleep));
            Ok(())
        };
        let slow = Times::of(Duration::from_millis(1), || job(5)).unwrap();
        assert_eq!(slow.runs(), 1);
        let fast = Times::of(Duration::from_millis(30), || job(1)).unwrap();
        assert!(fast.runs() >= MIN_RUNS);
        assert!(runs > fast.runs());
    }
}
