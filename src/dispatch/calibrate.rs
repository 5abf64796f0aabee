//! Measures what this machine's devices can do, for the cost model.

use std::time::Instant;

use ufc_target::{Device, DeviceKind};

use super::entries::{self, Entry};
use super::figures::{self, Known};
use super::model::Figures;
use super::words::Target;
use crate::array::{Array, DeviceArray};
use crate::call::CallOptions;
use crate::error::Error;
use crate::module::Module;
use crate::ufunc::Ufunc;

/// Kernels to measure with. The chains are long enough that memory does not matter; there are several, so that the latency of
/// one operation is hidden as it is in kernels of some size.
const KERNELS: &str = "
/// Its argument, and one.
pub fn copy(x: f32) -> f32 { x + 1.0 }

/// Four chains of multiplications and additions.
pub fn chains(x: f32) -> f32 {
    let mut a = x;
    let mut b = x + 1.0;
    let mut c = x + 2.0;
    let mut d = x + 3.0;
    for _i in 0..256 {
        a = a * 0.9375 + 0.25;
        b = b * 0.9375 + 0.5;
        c = c * 0.9375 + 0.75;
        d = d * 0.9375 + 1.0;
    }
    a + b + c + d
}

/// The same of 64-bit values.
pub fn wide(x: f64) -> f64 {
    let mut a = x;
    let mut b = x + 1.0;
    let mut c = x + 2.0;
    let mut d = x + 3.0;
    for _i in 0..256 {
        a = a * 0.9375 + 0.25;
        b = b * 0.9375 + 0.5;
        c = c * 0.9375 + 0.75;
        d = d * 0.9375 + 1.0;
    }
    a + b + c + d
}
";

/// Seconds that are spent on one figure, about.
const BUDGET: f64 = 0.15;

/// Elements that memory and transfers are measured with: far more than caches hold; fewer where these take longer than there
/// is time for.
const LARGE: usize = 1 << 24;
/// The fewest, which are tried first.
const FEW: usize = 1 << 12;

/// What became of measuring one device.
pub type Calibrated = (String, Result<Figures, Error>);

/// Measures every device that is there, and keeps the figures for this and later processes. `say` is told what is being
/// measured. A device that cannot be measured is in the list with the reason, and keeps what is assumed of it.
///
/// # Errors
/// If the figures cannot be written to the cache folder; they count for this process then.
pub fn calibrate(mut say: impl FnMut(&str)) -> Result<Vec<Calibrated>, Error> {
    let mut known = Known::default();
    let mut results = Vec::new();
    for entry in entries::all().filter(|entry| entry.name != "interp") {
        let is_first = !entry.is_started();
        let start = Instant::now();
        let devices = entry.devices().unwrap_or_default();
        let started = start.elapsed().as_secs_f64();
        // Several devices taken as one are measured one by one.
        for device in devices.iter().filter(|device| device.parts.is_empty()) {
            let name = format!("{}:{}", entry.name, device.name);
            say(&name);
            let figures = measure(entry, device).map(|figures| Figures {
                start: match is_first {
                    true => started + figures.start,
                    // It was started before: what is known or assumed of that has to do.
                    false => figures::of_device(entry.name, device).0.start,
                },
                ..figures
            });
            if let Ok(figures) = &figures {
                known.insert(entry.name, device, *figures);
            }
            results.push((name, figures));
        }
    }
    let written = match figures::path() {
        Some(path) => known.write(&path),
        None => Ok(()),
    };
    figures::replace(known);
    written.map(|()| results)
}

fn measure(entry: &Entry, device: &Device) -> Result<Figures, Error> {
    let target = Target::device_of(entry.name, &device.name).unwrap_or_default();
    let module = Module::from_source("<calibration>", KERNELS)?;
    let bench = Bench {
        target,
        is_host: device.kind == DeviceKind::Processor,
    };
    let copy = module.ufunc("copy")?;
    let mut figures = Figures::assumed(entry.name, device.kind);
    let one = Array::zeros(ufc_ir::DType::F32, &[1])?;
    figures.start = bench.first_touch(&one)?;
    figures.latency = bench.seconds(&copy, &one)?;
    let large = bench.large(&copy)?;
    let seconds = bench.seconds(&copy, &large)?;
    figures.memory = 2.0 * large.as_bytes().len() as f64 / net(seconds, figures.latency);
    let chains = module.ufunc("chains")?;
    figures.compile = net(bench.first(&chains, &one)?, figures.latency);
    figures.ops = bench.rate(&chains, &large, figures.latency)?;
    let wide = Array::zeros(ufc_ir::DType::F64, &[(large.len() / 4).max(FEW)])?;
    figures.wide = match bench.rate(&module.ufunc("wide")?, &wide, figures.latency) {
        Ok(rate) => rate,
        // Kernels that need 64-bit floats do not get there; 64-bit integers may.
        Err(error) if error.is_unsupported() => figures.ops / 16.0,
        Err(error) => return Err(error),
    };
    if !bench.is_host {
        (figures.upload, figures.download) = bench.transfers(&large)?;
    }
    Ok(figures)
}

/// What a call takes beside its latency.
fn net(seconds: f64, latency: f64) -> f64 {
    (seconds - latency).max(seconds * 0.1)
}

struct Bench {
    target: Target,
    is_host: bool,
}

impl Bench {
    /// Seconds until a device whose driver is there has memory of ours: drivers make much of what a process needs no sooner.
    fn first_touch(&self, one: &Array) -> Result<f64, Error> {
        if self.is_host {
            return Ok(0.0);
        }
        let start = Instant::now();
        one.to_device(&self.target)?.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// As many elements as are to be copied, for the device to show its memory: so many that one call takes a good part of the
    /// time there is, but no more than caches are surely too small for.
    fn large(&self, copy: &Ufunc) -> Result<Array, Error> {
        let mut len = FEW;
        loop {
            let array = Array::zeros(ufc_ir::DType::F32, &[len])?;
            if len >= LARGE || self.once(copy, &array)? > 0.25 * BUDGET {
                return Ok(array);
            }
            len *= 8;
        }
    }

    /// Seconds that one call takes, after one that is not counted.
    fn once(&self, kernel: &Ufunc, input: &Array) -> Result<f64, Error> {
        self.timed(kernel, input, |job| {
            job()?;
            let start = Instant::now();
            job()?;
            Ok(start.elapsed().as_secs_f64())
        })
    }

    /// Seconds that a call takes whose operands are where the device wants them.
    fn seconds(&self, kernel: &Ufunc, input: &Array) -> Result<f64, Error> {
        self.timed(kernel, input, |job| least(job))
    }

    /// What `clock` gives for such a call.
    fn timed(
        &self,
        kernel: &Ufunc,
        input: &Array,
        clock: impl FnOnce(&mut dyn FnMut() -> Result<(), Error>) -> Result<f64, Error>,
    ) -> Result<f64, Error> {
        let call = kernel.on(self.target.clone());
        if self.is_host {
            let mut output = Array::zeros(input.dtype(), input.shape())?;
            return clock(&mut || call.call_into(input, &mut output));
        }
        let input = input.to_device(&self.target)?;
        let mut outputs = [call.call_on_device(&input)?];
        clock(&mut || {
            call.call_into_device(&input, &mut outputs)?;
            outputs[0].synchronize()
        })
    }

    /// Seconds that the first call of a kernel takes, nothing of which is found in the cache folder.
    fn first(&self, kernel: &Ufunc, input: &Array) -> Result<f64, Error> {
        let call = kernel.with(CallOptions {
            target: self.target.clone(),
            cache: false,
            ..CallOptions::default()
        });
        if self.is_host {
            let start = Instant::now();
            call.call(input)?;
            return Ok(start.elapsed().as_secs_f64());
        }
        let input = input.to_device(&self.target)?;
        let start = Instant::now();
        call.call_on_device(&input)?.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Operations per second, with as many elements as keep the device busy for a moment.
    fn rate(&self, kernel: &Ufunc, input: &Array, latency: f64) -> Result<f64, Error> {
        let per_element = kernel.on(self.target.clone()).plan(input)?.ops_per_element;
        let mut len = FEW;
        loop {
            let part = Array::zeros(input.dtype(), &[len])?;
            let seconds = self.seconds(kernel, &part)?;
            if seconds > 100.0 * latency.max(2e-5) || 4 * len > input.len() {
                return Ok(per_element * len as f64 / net(seconds, latency));
            }
            len *= 4;
        }
    }

    /// Bytes per second to the device and back.
    fn transfers(&self, host: &Array) -> Result<(f64, f64), Error> {
        let there: DeviceArray = host.to_device(&self.target)?;
        let bytes = host.as_bytes();
        let buffer = there.buffer();
        let picked = super::where_buffer_is(&**buffer)?;
        let failed = |error| super::failed(&picked, error);
        let up = least(|| {
            buffer.upload(0, bytes).map_err(failed)?;
            there.synchronize()
        })?;
        let mut back = vec![0; bytes.len()];
        let down = least(|| buffer.download(0, &mut back).map_err(failed))?;
        let rate = |seconds: f64| bytes.len() as f64 / seconds;
        Ok((rate(up), rate(down)))
    }
}

/// The least seconds that a job takes: once to warm up, then as often as there is time for, at least three times.
fn least(mut job: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    job()?;
    let begin = Instant::now();
    let mut least = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || begin.elapsed().as_secs_f64() < BUDGET {
        let start = Instant::now();
        job()?;
        least = least.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    // A clock too coarse for the job must not make it take no time.
    Ok(least.max(1e-9))
}
