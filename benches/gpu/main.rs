//! What a GPU could do, and how much of it ufc reaches: memory, the first call of a kernel, small calls, and arrays that stream through.
//!
//! `gpu TARGET...` prints a table for each device and, after `--json FILE`, writes the same to a file. `UFC_GPU_CHECK_SIZE` is the
//! number of elements, for devices that are simulated. What the device could do is asked of NVIDIA's driver, past ufc.
#![expect(
    clippy::print_stdout,
    reason = "what was measured goes to standard output"
)]

mod driver;

use std::time::Instant;

use driver::Driver;
use serde_json::{Value, json};
use ufc::array::InPlace;
use ufc::dispatch::{self, Target};
use ufc::{Array, CallOptions, DType, DeviceArray, Module, Ufunc};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Elements of what memory is measured with: 256 MiB of f32, more than any cache.
const LARGE: usize = 64 << 20;
/// Elements of the array that streams through: 8 GB of f32.
const STREAMED: usize = 2_000_000_000;

/// One thing that was measured.
struct Row {
    what: &'static str,
    /// In the unit, more being better for rates and worse for seconds.
    value: f64,
    unit: &'static str,
    /// What the device could do, in the same unit, if that is known.
    limit: Option<f64>,
    /// What is aimed for: the least share of the limit, or the most seconds.
    aim: Option<f64>,
}

impl Row {
    /// A time, in seconds.
    fn time(what: &'static str, value: f64, aim: Option<f64>) -> Row {
        Row {
            what,
            value,
            unit: "s",
            limit: None,
            aim,
        }
    }

    /// A rate, in bytes a second.
    fn rate(what: &'static str, value: f64, limit: Option<f64>, aim: Option<f64>) -> Row {
        Row {
            what,
            value,
            unit: "bytes/s",
            limit,
            aim,
        }
    }

    /// The part of the limit that is reached.
    fn share(&self) -> Option<f64> {
        Some(self.value / self.limit?)
    }

    fn is_reached(&self) -> Option<bool> {
        match (self.share(), self.unit) {
            (Some(share), _) => Some(share >= self.aim?),
            (None, "s") => Some(self.value <= self.aim?),
            (None, _) => None,
        }
    }

    fn show(&self, value: f64) -> String {
        match self.unit {
            "s" => format!("{:.1} us", value * 1e6),
            _ => format!("{:.2} GB/s", value * 1e-9),
        }
    }

    fn line(&self) -> String {
        let limit = self
            .limit
            .map_or_else(String::new, |limit| self.show(limit));
        let share = self
            .share()
            .map_or_else(String::new, |s| format!("{:.0} %", 100.0 * s));
        let aim = match (self.aim, self.limit) {
            (Some(aim), Some(_)) => format!("at least {:.0} %", 100.0 * aim),
            (Some(aim), None) => format!("at most {}", self.show(aim)),
            (None, _) => String::new(),
        };
        let reached = match self.is_reached() {
            Some(true) => "reached",
            Some(false) => "NOT reached",
            None => "",
        };
        let value = self.show(self.value);
        let line = format!(
            "{:<51} {value:>14} {limit:>14} {share:>6}  {aim:<17} {reached}",
            self.what
        );
        line.trim_end().to_string()
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "limit": self.limit,
            "share": self.share(),
            "aim": self.aim,
            "reached": self.is_reached(),
        })
    }
}

fn main() -> Outcome<()> {
    let mut file = None;
    let mut targets = Vec::new();
    // Cargo adds `--bench`.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => file = words.next(),
            _ => targets.push(word.parse::<Target>()?),
        }
    }
    if targets.is_empty() {
        targets.push(Target::GPU);
    }
    let size = std::env::var("UFC_GPU_CHECK_SIZE").ok();
    let size: Option<usize> = size
        .filter(|size| !size.is_empty())
        .map(|size| size.parse())
        .transpose()?;
    let mut all = Vec::new();
    for target in &targets {
        let choice = match dispatch::choose(target) {
            Ok(choice) => choice,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        println!("{choice:?}: {}", choice.device.description);
        let rows = measure(target, (choice.backend.name(), &choice.device.name), size)?;
        let heading = ["measured", "limit", "share", "aim"];
        println!(
            "{:<51} {:>14} {:>14} {:>6}  {}",
            "", heading[0], heading[1], heading[2], heading[3]
        );
        for row in &rows {
            println!("{}", row.line());
        }
        all.push(json!({
            "device": format!("{choice:?}"),
            "description": choice.device.description,
            "rows": rows.iter().map(Row::json).collect::<Vec<Value>>(),
        }));
    }
    if let Some(file) = file {
        std::fs::write(file, format!("{:#}\n", Value::from(all)))?;
    }
    Ok(())
}

fn measure(
    target: &Target,
    (backend, device): (&str, &str),
    size: Option<usize>,
) -> Outcome<Vec<Row>> {
    let driver = match backend {
        "cuda" => Driver::open(device.parse()?)?,
        _ => None,
    };
    let mut rows = first_calls(target)?;
    small_calls(target, &mut rows)?;
    memory(target, size.unwrap_or(LARGE), driver.as_ref(), &mut rows)?;
    streamed(target, size.unwrap_or(STREAMED), driver.as_ref(), &mut rows)?;
    Ok(rows)
}

/// The middle of the seconds that a job takes, of some runs after one that is not counted.
fn median(mut job: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    job()?;
    let (mut times, begin) = (Vec::new(), Instant::now());
    while times.len() < 3 || (times.len() < 50 && begin.elapsed().as_secs_f64() < 0.5) {
        let start = Instant::now();
        job()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn kernel(text: &str) -> Outcome<Ufunc> {
    Ok(Module::from_source("gpu.ufk", text)?.only()?)
}

/// A text that no process before has had compiled, as drivers keep what they compiled: it returns its argument, or not.
fn unheard_of(text: &str) -> Outcome<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let number = now.as_nanos() as u32;
    Ok(text.replace("UNHEARD", &format!("{number}")))
}

/// From the text of a kernel to its results, the driver being at work already.
fn first_calls(target: &Target) -> Outcome<Vec<Row>> {
    let kernels = [
        (
            "first call of saxpy, compiling included",
            "pub fn first(x: f32) -> f32 { if x == UNHEARD.0 { 0.0 } else { 2.5 * x + 1.0 } }",
        ),
        (
            "first call of mandelbrot, compiling included",
            "pub fn first(x: f32) -> f32 {
                let mut re = 0.0;
                let mut im = 0.0;
                let mut turns = 0.0;
                for _i in 0..255 {
                    let next = re * re - im * im + x;
                    im = 2.0 * re * im + UNHEARD.0;
                    re = next;
                    turns = if re * re + im * im < 4.0 { turns + 1.0 } else { turns };
                }
                turns
            }",
        ),
        (
            "first call of exp, sin and log, compiling included",
            "pub fn first(x: f32) -> f32 { x.exp() + (x + UNHEARD.0).sin() + x.abs().ln() }",
        ),
    ];
    // The driver starts with the first kernel of all.
    kernel("pub fn warm(x: f32) -> f32 { x }")?
        .on(target.clone())
        .call(&[1.0f32])?;
    let mut rows = Vec::new();
    for (what, text) in kernels {
        let text = unheard_of(text)?;
        let start = Instant::now();
        let first = kernel(&text)?;
        let call = first.with(CallOptions {
            target: target.clone(),
            cache: false,
            ..CallOptions::default()
        });
        call.call(&[0.5f32, 1.5])?;
        let seconds = start.elapsed().as_secs_f64();
        rows.push(Row::time(what, seconds, Some(0.05)));
    }
    Ok(rows)
}

fn saxpy() -> Outcome<Ufunc> {
    kernel("pub fn saxpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }")
}

/// The host's time for calls on one element that is on the device, which are not waited for; and a call with waiting.
fn small_calls(target: &Target, rows: &mut Vec<Row>) -> Outcome<()> {
    let saxpy = saxpy()?;
    let call = saxpy.on(target.clone());
    let there = Array::try_from_slice(&[1.5f32])?.to_device(target)?;
    let mut outputs = [call.call_on_device((2.5f32, &there, &there))?];
    let batch = 100u32;
    let mut queued = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..batch {
            call.call_into_device((2.5f32, &there, &there), &mut outputs)?;
        }
        queued = queued.min(start.elapsed().as_secs_f64() / f64::from(batch));
        outputs[0].synchronize()?;
    }
    let waited = median(|| {
        call.call_into_device((2.5f32, &there, &there), &mut outputs)?;
        Ok(outputs[0].synchronize()?)
    })?;
    rows.push(Row::time(
        "call on one element there, host's time",
        queued,
        Some(1e-5),
    ));
    rows.push(Row::time(
        "call on one element there, waited for",
        waited,
        None,
    ));
    Ok(())
}

/// Kernels that do little besides reading and writing, on data that is there, beside the driver's own copy.
fn memory(
    target: &Target,
    len: usize,
    driver: Option<&Driver>,
    rows: &mut Vec<Row>,
) -> Outcome<()> {
    let (saxpy, copy) = (saxpy()?, kernel("pub fn copy(x: f32) -> f32 { x }")?);
    let host = Array::try_from_slice(&vec![0.5f32; len])?;
    let (x, y) = (host.to_device(target)?, host.to_device(target)?);
    let mut outputs = [DeviceArray::zeros(DType::F32, &[len], target)?];
    let bytes = 4.0 * len as f64;
    let mut limit = None;
    if let Some(driver) = driver
        && let (Some(from), Some(to)) = (x.address(), outputs[0].address())
    {
        let seconds = median(|| driver.copy_there(to, from, 4 * len))?;
        limit = Some(2.0 * bytes / seconds);
    }
    if let Some(limit) = limit {
        rows.push(Row::rate(
            "the driver's copy on the device",
            limit,
            None,
            None,
        ));
    }
    let aim = limit.map(|_| 0.9);
    let seconds = median(|| {
        copy.on(target.clone()).call_into_device(&x, &mut outputs)?;
        Ok(outputs[0].synchronize()?)
    })?;
    rows.push(Row::rate(
        "copy, data there",
        2.0 * bytes / seconds,
        limit,
        aim,
    ));
    let seconds = median(|| {
        let call = saxpy.on(target.clone());
        call.call_into_device((2.5f32, &x, &y), &mut outputs)?;
        Ok(outputs[0].synchronize()?)
    })?;
    rows.push(Row::rate(
        "saxpy, data there",
        3.0 * bytes / seconds,
        limit,
        aim,
    ));
    Ok(())
}

/// An array of the host that goes through the device piece by piece, in place, beside the driver's copies of pinned memory.
fn streamed(
    target: &Target,
    len: usize,
    driver: Option<&Driver>,
    rows: &mut Vec<Row>,
) -> Outcome<()> {
    let mut limit = None;
    if let Some(driver) = driver {
        let (up, down) = driver.pinned_rates((4 * len).min(256 << 20))?;
        rows.push(Row::rate("pinned memory to the device", up, None, None));
        rows.push(Row::rate("the device to pinned memory", down, None, None));
        limit = Some(up.min(down));
    }
    let next = kernel("pub fn next(x: f32) -> f32 { x + 1.0 }")?;
    let call = next.on(target.clone());
    let mut array = Array::try_from_slice(&vec![0.5f32; len])?;
    // The first call compiles.
    call.call(&[0.5f32, 1.5])?;
    let start = Instant::now();
    call.call_into(InPlace(0), &mut array)?;
    let seconds = start.elapsed().as_secs_f64();
    let is_right = array.as_slice::<f32>()?.iter().all(|x| *x == 1.5);
    if !is_right {
        return Err("the array that streamed through is wrong".into());
    }
    let aim = limit.map(|_| 0.85);
    let bytes = 4.0 * len as f64;
    rows.push(Row::rate(
        "array streamed there and back, each way",
        bytes / seconds,
        limit,
        aim,
    ));
    Ok(())
}
