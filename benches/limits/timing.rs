//! Least times of jobs that run in turns, and the table of them.

#![expect(clippy::print_stdout, reason = "prints a table")]

use std::time::{Duration, Instant};

/// For so long the jobs of a row take turns.
const ROW: Duration = Duration::from_millis(1500);

/// A turn repeats a job for about so long.
const TURN: Duration = Duration::from_micros(300);

/// Something that is timed.
pub(crate) type Timed<'a> = Box<dyn FnMut() + 'a>;

/// The rows of one level of the processor.
pub(crate) struct Table<'a> {
    level: &'static str,
    is_measured: bool,
    words: &'a [&'a str],
    rows: usize,
}

/// What a row is about.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// Elements of a run.
    pub(crate) elements: usize,
    /// The ratio that is aimed at.
    pub(crate) aim: f64,
}

impl<'a> Table<'a> {
    pub(crate) fn new(level: &'static str, is_measured: bool, words: &'a [&'a str]) -> Table<'a> {
        Table {
            level,
            is_measured,
            words,
            rows: 0,
        }
    }

    /// The name of the level, which is also that of the device for the kernels.
    pub(crate) fn level(&self) -> &'static str {
        self.level
    }

    /// Whether times are wanted, and not only that both sides agree.
    pub(crate) fn is_measured(&self) -> bool {
        self.is_measured
    }

    /// Whether the level is selected: by its name, or because no level is named.
    pub(crate) fn is_selected(&self) -> bool {
        self.words.contains(&self.level) || !self.words.iter().any(is_level)
    }

    /// Whether the row is selected: by a part of its name, or because no row is.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let mut words = self.words.iter().filter(|word| !is_level(word)).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word))
    }

    /// Runs every job once; measures them if that is wanted. The last job is the kernel, the others are the limit with
    /// 1, 2, 4 ... vectors in flight.
    pub(crate) fn row(&mut self, about: About, jobs: &mut [Timed<'_>]) {
        self.rows += 1;
        jobs.iter_mut().for_each(|job| job());
        if !self.is_measured {
            return;
        }
        let times = least(jobs);
        let (kernel, limits) = times.split_last().expect("a kernel");
        let (best, limit) = limits
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .expect("a limit");
        let per = 1e9 / about.elements as f64;
        let ratio = kernel / limit;
        let mark = if ratio > about.aim { ", above" } else { "" };
        if self.rows == 1 {
            println!("\n{}, ns per element, least times of one run\n", self.level);
            println!("| kernel | elements | limit (vectors in flight) | ufc | ratio | aim |");
            println!("| --- | ---: | ---: | ---: | ---: | ---: |");
        }
        println!(
            "| {} | {} | {:.4} ({}) | {:.4} | {ratio:.2} | {:.2}{mark} |",
            about.name,
            about.elements,
            limit * per,
            1 << best,
            kernel * per,
            about.aim
        );
    }

    /// Says how many rows agreed, if that is all that was wanted.
    pub(crate) fn finish(&self) {
        if !self.is_measured {
            println!("{}: {} rows agree", self.level, self.rows);
        }
    }
}

/// Whether a word is the name of a level.
fn is_level(word: &&str) -> bool {
    ["avx512", "avx2", "clif"].contains(word)
}

/// The least time of each job in seconds; they take turns.
fn least(jobs: &mut [Timed<'_>]) -> Vec<f64> {
    let time = |job: &mut Timed<'_>, times: u32| {
        let start = Instant::now();
        (0..times).for_each(|_| job());
        start.elapsed() / times
    };
    let repeats: Vec<u32> = jobs
        .iter_mut()
        .map(|job| {
            let once = time(job, 3).as_nanos().max(1);
            (TURN.as_nanos() / once).clamp(1, 100_000) as u32
        })
        .collect();
    let mut least = vec![f64::INFINITY; jobs.len()];
    let start = Instant::now();
    while start.elapsed() < ROW || least.contains(&f64::INFINITY) {
        for ((job, repeats), least) in jobs.iter_mut().zip(&repeats).zip(&mut least) {
            *least = least.min(time(job, *repeats).as_secs_f64());
        }
    }
    least
}
