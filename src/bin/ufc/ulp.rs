//! How far math functions are from the true results: compiled code against the correctly rounded functions of CORE-MATH,
//! and whether targets agree.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crc32fast::Hasher as Crc;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ufc::array::{Element, ToOperand};
use ufc::{Module, Target, Ufunc};
use ufc_ir::ops::{Accuracy, MathFn};

use crate::output::{Failure, INTERRUPTED};
use crate::progress::is_cancelled;

/// The correctly rounded function.
#[derive(Clone, Copy)]
pub(crate) enum Reference {
    /// Of one argument.
    One(fn(f64) -> f64),
    /// Of two.
    Two(fn(f64, f64) -> f64),
}

/// Every function that can be measured, with its reference.
const REFERENCES: &[(MathFn, Reference)] = &[
    (MathFn::Exp, Reference::One(core_math::exp)),
    (MathFn::Exp2, Reference::One(core_math::exp2)),
    (MathFn::Ln, Reference::One(core_math::log)),
    (MathFn::Log2, Reference::One(core_math::log2)),
    (MathFn::Log10, Reference::One(core_math::log10)),
    (MathFn::Sin, Reference::One(core_math::sin)),
    (MathFn::Cos, Reference::One(core_math::cos)),
    (MathFn::Tan, Reference::One(core_math::tan)),
    (MathFn::Asin, Reference::One(core_math::asin)),
    (MathFn::Acos, Reference::One(core_math::acos)),
    (MathFn::Atan, Reference::One(core_math::atan)),
    (MathFn::Tanh, Reference::One(core_math::tanh)),
    (MathFn::Pow, Reference::Two(core_math::pow)),
    (MathFn::Hypot, Reference::Two(core_math::hypot)),
    (MathFn::Atan2, Reference::Two(core_math::atan2)),
];

/// How many inputs a thread takes at a time.
const CHUNK: u64 = 1 << 16;

/// Values that are always among the inputs, for both arguments.
const SPECIAL: &[f64] = &[
    0.0,
    1.0,
    2.0,
    3.0,
    0.5,
    1.5,
    1e-3,
    1e3,
    1e20,
    1e-20,
    0.99999994,
    1.0000001,
    std::f64::consts::PI,
    std::f64::consts::FRAC_PI_2,
    std::f64::consts::LN_2,
    f32::MAX as f64,
    f32::MIN_POSITIVE as f64,
    1e-45,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NAN,
];

/// The largest error found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worst {
    /// In units in the last place.
    pub(crate) ulp: f64,
    /// The arguments; the second one is 0 for functions of one.
    pub(crate) at: [f64; 2],
    /// What the vector code gives.
    pub(crate) got: f64,
    /// The true result; to f64's precision.
    pub(crate) want: f64,
}

/// What a measurement found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// How many inputs were tried.
    pub(crate) checked: u64,
    /// The largest error that the first target makes.
    pub(crate) worst: Worst,
    /// The CRC-32 of the first target's results as little-endian bytes, in the inputs' order, special values aside; every NaN
    /// counts as the same.
    pub(crate) digest: u32,
    /// For each target after the first, what differs from the first.
    pub(crate) others: Vec<Difference>,
}

/// Where a target gives other bits than the first one, NaN for NaN aside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Difference {
    /// For how many inputs.
    pub(crate) count: u64,
    /// One of them; the second argument is 0 for functions of one.
    pub(crate) at: [f64; 2],
}

/// What was found on some inputs.
struct Part {
    checked: u64,
    worst: Worst,
    crc: Crc,
    others: Vec<Difference>,
}

/// Every function that can be measured, in the order of the table; only those of one argument if `is_unary`.
pub(crate) fn names(is_unary: bool) -> impl Iterator<Item = &'static str> {
    let all = REFERENCES.iter();
    let wanted = all.filter(move |(_, r)| !is_unary || matches!(r, Reference::One(_)));
    wanted.map(|(f, _)| f.info().name)
}

/// The function of this name and its reference.
pub(crate) fn find(name: &str) -> Result<(MathFn, Reference), Failure> {
    let found = REFERENCES.iter().find(|(f, _)| f.info().name == name);
    found.copied().ok_or_else(|| {
        let hint = match ufc_lang::resolve::suggest(name, names(false)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names(false).collect::<Vec<_>>().join(", ")),
        };
        Failure::user(format!("no function `{name}` can be measured; {hint}"))
    })
}

/// The bound that the function's row promises, for f32 and f64.
pub(crate) fn bound(function: MathFn) -> (f64, f64) {
    match function.info().accuracy {
        Accuracy::Exact => (0.5, 0.5),
        Accuracy::Ulp(f32, f64) => (f32, f64),
    }
}

/// How many inputs a measurement of every so-manieth one tries, special values aside.
pub(crate) fn count(every: u64) -> u64 {
    (1u64 << 32).div_ceil(every)
}

/// What to measure, and where.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// The function.
    pub(crate) function: MathFn,
    /// What it is compared with.
    pub(crate) reference: Reference,
    /// Every so-manieth value is tried.
    pub(crate) every: u64,
    /// The targets, at least one. Errors are measured on the first; the others are compared with it, bit for bit.
    pub(crate) targets: &'a [Target],
    /// Threads; all of the machine's if none are given.
    pub(crate) threads: Option<usize>,
}

/// Measures a function on every so-manieth f32, or on as many values and pairs that are spread over everything
/// interesting. `done` counts them.
pub(crate) fn measure<T: Float>(job: Job<'_>, done: &AtomicU64) -> Result<Report, Failure> {
    let scan = Scan::<T>::new(job)?;
    let chunks = count(job.every).div_ceil(CHUNK);
    let all = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = job.threads.unwrap_or_else(all);
    let next = AtomicU64::new(0);
    let total = Mutex::new(Ok(Total::new(scan.special()?)));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let chunk = next.fetch_add(1, Ordering::Relaxed);
                    if chunk >= chunks || total.lock().is_ok_and(|total| total.is_err()) {
                        return;
                    }
                    let found = scan.chunk(chunk);
                    if let Ok(part) = &found {
                        done.fetch_add(part.checked, Ordering::Relaxed);
                    }
                    if let Ok(mut total) = total.lock() {
                        match (total.as_mut(), found) {
                            (Ok(total), Ok(part)) => total.add(chunk, part),
                            (Ok(_), Err(failure)) => *total = Err(failure),
                            (Err(_), _) => {}
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner();
    let total = total.unwrap_or_else(|poisoned| poisoned.into_inner());
    total.map(Total::report)
}

/// All that was found so far.
struct Total {
    sum: Part,
    /// Of the chunks, which end in any order.
    crcs: BTreeMap<u64, Crc>,
}

impl Total {
    /// Begins with the special values, which have no place in the order that the digest is of.
    fn new(special: Part) -> Total {
        let crcs = BTreeMap::new();
        Total { sum: special, crcs }
    }

    fn add(&mut self, chunk: u64, part: Part) {
        self.crcs.insert(chunk, part.crc);
        self.sum.checked += part.checked;
        if part.worst.ulp > self.sum.worst.ulp {
            self.sum.worst = part.worst;
        }
        for (sum, other) in self.sum.others.iter_mut().zip(part.others) {
            if sum.count == 0 {
                sum.at = other.at;
            }
            sum.count += other.count;
        }
    }

    fn report(self) -> Report {
        let mut crc = Crc::new();
        self.crcs.values().for_each(|next| crc.combine(next));
        Report {
            checked: self.sum.checked,
            worst: self.sum.worst,
            digest: crc.finalize(),
            others: self.sum.others,
        }
    }
}

/// A function to measure, compiled.
struct Scan<'a, T> {
    function: MathFn,
    reference: Reference,
    every: u64,
    targets: &'a [Target],
    ufunc: Ufunc,
    float: std::marker::PhantomData<T>,
}

impl<T: Float> Scan<'_, T> {
    fn new(job: Job<'_>) -> Result<Scan<'_, T>, Failure> {
        let (name, dtype) = (job.function.info().name, T::DTYPE);
        let source = match job.reference {
            Reference::One(_) => format!("pub fn f(x: {dtype}) -> {dtype} {{ x.{name}() }}"),
            Reference::Two(_) => {
                format!("pub fn f(x: {dtype}, y: {dtype}) -> {dtype} {{ x.{name}(y) }}")
            }
        };
        Ok(Scan {
            function: job.function,
            reference: job.reference,
            every: job.every,
            targets: job.targets,
            ufunc: Module::from_source(name, &source)?.only()?,
            float: std::marker::PhantomData,
        })
    }

    /// Measures the special values and their neighbours, each with each where there are two arguments.
    fn special(&self) -> Result<Part, Failure> {
        let near = |x: f64| {
            let x = T::from_f64(x);
            [x, x.next(), x.before()]
        };
        let positive = SPECIAL.iter().copied().flat_map(near);
        let values: Vec<T> = positive.flat_map(|x| [x, x.negated()]).collect();
        let (xs, ys): (Vec<T>, Vec<T>) = match self.reference {
            Reference::One(_) => (values, Vec::new()),
            Reference::Two(_) => {
                let pairs = values
                    .iter()
                    .flat_map(|x| values.iter().map(move |y| (*x, *y)));
                pairs.unzip()
            }
        };
        self.compare(&xs, &ys)
    }

    fn chunk(&self, chunk: u64) -> Result<Part, Failure> {
        if is_cancelled() {
            return Err(Failure::Message(INTERRUPTED, "interrupted".to_string()));
        }
        let first = chunk * CHUNK;
        let length = CHUNK.min(count(self.every) - first);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(chunk);
        match self.reference {
            Reference::One(_) if T::DTYPE == ufc::DType::F32 => {
                let bits = (first..first + length).map(|i| T::from_bits(i * self.every));
                self.compare(&bits.collect::<Vec<_>>(), &[])
            }
            Reference::One(_) => {
                let xs: Vec<T> = (0..length).map(|_| self.value(&mut random)).collect();
                self.compare(&xs, &[])
            }
            Reference::Two(_) => {
                let pairs = (0..length).map(|_| {
                    let x = self.value(&mut random);
                    let y = match random.next_u64() % 4 {
                        // Near the other one, where hypot and atan2 are hard.
                        0 => T::from_f64(x.to_f64() * (0.25 + 4.0 * unit(&mut random))),
                        // Where powers neither overflow nor vanish.
                        1 => T::from_f64(
                            (unit(&mut random) - 0.5) * T::EXPONENTS / x.to_f64().abs().log2(),
                        ),
                        _ => self.value(&mut random),
                    };
                    (x, y)
                });
                let (xs, ys): (Vec<T>, Vec<T>) = pairs.unzip();
                self.compare(&xs, &ys)
            }
        }
    }

    /// A value from one of the intervals in the function's row, or any bits.
    fn value(&self, random: &mut Xoshiro256PlusPlus) -> T {
        let domain = self.function.info().domain;
        let bits = random.next_u64();
        match domain.get(bits as usize % (domain.len() + 1)) {
            Some((low, high)) => T::from_f64(low + (high - low) * unit(random)),
            None => T::from_bits(random.next_u64()),
        }
    }

    /// What a target gives.
    fn results(&self, target: &Target, xs: &[T], ys: &[T]) -> Result<Vec<T>, Failure> {
        let mut results = vec![T::from_f64(0.0); xs.len()];
        let call = self.ufunc.on(target.clone()).threads(1);
        let operands = [xs.to_operand(), ys.to_operand()];
        call.call_into(&operands[..self.ufunc.nin()], &mut results[..])?;
        Ok(results)
    }

    /// Runs the code for every target, compares each result of the first with the reference, and the others with it.
    fn compare(&self, xs: &[T], ys: &[T]) -> Result<Part, Failure> {
        let (first, rest) = self
            .targets
            .split_first()
            .ok_or_else(|| Failure::usage("no target to measure on"))?;
        let results = self.results(first, xs, ys)?;
        let mut others = Vec::new();
        for target in rest {
            let other = self.results(target, xs, ys)?;
            let differ = |i: &usize| results[*i].bits() != other[*i].bits();
            let mut places = (0..xs.len()).filter(differ);
            let place = places.next();
            others.push(Difference {
                count: place.map_or(0, |_| 1 + places.count() as u64),
                at: place.map_or([0.0; 2], |i| {
                    [xs[i].to_f64(), ys.get(i).map_or(0.0, |y| y.to_f64())]
                }),
            });
        }
        let mut crc = Crc::new();
        let bytes = results
            .iter()
            .flat_map(|x| x.bits().to_le_bytes().into_iter().take(size_of::<T>()));
        crc.update(&bytes.collect::<Vec<u8>>());
        let mut worst = Worst::default();
        for (i, (x, got)) in xs.iter().zip(&results).enumerate() {
            let x = x.to_f64();
            let (y, want) = match self.reference {
                Reference::One(f) => (0.0, f(x)),
                Reference::Two(f) => (ys[i].to_f64(), f(x, ys[i].to_f64())),
            };
            let ulp = got.error(want);
            if ulp > worst.ulp {
                worst = Worst {
                    ulp,
                    at: [x, y],
                    got: got.to_f64(),
                    want,
                };
            }
        }
        Ok(Part {
            checked: xs.len() as u64,
            worst,
            crc,
            others,
        })
    }
}

/// Uniform from 0 up to 1.
fn unit(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 * f64::EPSILON / 2.0
}

/// A float that functions are measured on.
pub(crate) trait Float: Element {
    /// Span of the exponents of all values, subnormal ones included.
    const EXPONENTS: f64;
    /// From the low bits.
    fn from_bits(bits: u64) -> Self;
    /// All of them; every NaN's are the same.
    fn bits(self) -> u64;
    /// The nearest value.
    fn from_f64(x: f64) -> Self;
    /// The same value.
    fn to_f64(self) -> f64;
    /// The next value up.
    fn next(self) -> Self;
    /// The next value down.
    fn before(self) -> Self;
    /// With the other sign.
    fn negated(self) -> Self;
    /// The distance from the true result in units in the last place; infinite where nothing is right.
    fn error(self, want: f64) -> f64;
}

impl Float for f32 {
    const EXPONENTS: f64 = 277.0;

    fn from_bits(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }

    fn bits(self) -> u64 {
        let canonical = if self.is_nan() { f32::NAN } else { self };
        canonical.to_bits().into()
    }

    fn from_f64(x: f64) -> f32 {
        x as f32
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn next(self) -> f32 {
        self.next_up()
    }

    fn before(self) -> f32 {
        self.next_down()
    }

    fn negated(self) -> f32 {
        -self
    }

    /// The reference is rounded to f64 only, so that the distance is known to a small part of a unit.
    fn error(self, want: f64) -> f64 {
        if self.is_nan() || want.is_nan() {
            return if self.is_nan() && want.is_nan() {
                0.0
            } else {
                f64::INFINITY
            };
        }
        if want == 0.0 || want.is_infinite() {
            let same = self.to_bits() == (want as f32).to_bits();
            return if same { 0.0 } else { f64::INFINITY };
        }
        if self == 0.0 && self.is_sign_negative() != want.is_sign_negative() {
            return f64::INFINITY;
        }
        // Infinity stands for the value that would follow the largest one.
        let beyond = f64::powi(2.0, 128);
        let limit = |x: f64| x.clamp(-beyond, beyond);
        (limit(self.into()) - limit(want)).abs() / unit_f32(want)
    }
}

/// The unit in the last place of f32 at a value.
fn unit_f32(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    f64::powi(2.0, exponent.clamp(-126, 127) - 23)
}

impl Float for f64 {
    const EXPONENTS: f64 = 2098.0;

    fn from_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    fn bits(self) -> u64 {
        let canonical = if self.is_nan() { f64::NAN } else { self };
        canonical.to_bits()
    }

    fn from_f64(x: f64) -> f64 {
        x
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn next(self) -> f64 {
        self.next_up()
    }

    fn before(self) -> f64 {
        self.next_down()
    }

    fn negated(self) -> f64 {
        -self
    }

    /// The distance from the correctly rounded result, a whole number of units.
    fn error(self, want: f64) -> f64 {
        if self.is_nan() || want.is_nan() {
            return if self.is_nan() && want.is_nan() {
                0.0
            } else {
                f64::INFINITY
            };
        }
        if self == 0.0 && want == 0.0 {
            return if self.to_bits() == want.to_bits() {
                0.0
            } else {
                f64::INFINITY
            };
        }
        ordinal(self).abs_diff(ordinal(want)) as f64
    }
}

/// The number of a float among all in order.
fn ordinal(x: f64) -> i64 {
    let magnitude = (x.to_bits() & !(1 << 63)) as i64;
    if x.is_sign_negative() {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_units() {
        assert_eq!(1.0f32.error(1.0), 0.0);
        assert_eq!(1.0f32.next_up().error(1.0), 1.0);
        assert_eq!(1.0f32.error(1.0 + f64::from(f32::EPSILON) / 2.0), 0.5);
        assert_eq!(f32::INFINITY.error(f64::from(f32::MAX)), 1.0);
        assert!(f32::MAX.error(1e300) <= 1.0);
        assert_eq!(0.0f32.error(-1e-60), f64::INFINITY);
        assert!((-0.0f32).error(-1e-60) < 1e-10);
        assert_eq!(f32::NAN.error(f64::NAN), 0.0);
        assert_eq!(f32::NAN.error(1.0), f64::INFINITY);
        assert_eq!(f32::MAX.error(f64::INFINITY), f64::INFINITY);
        assert_eq!(1.0f64.next_up().error(1.0), 1.0);
        assert_eq!((-0.0f64).error(0.0), f64::INFINITY);
        assert_eq!(f64::MAX.error(f64::INFINITY), 1.0);
    }

    #[test]
    fn a_wrong_reference_is_noticed() {
        let wrong = Reference::One(|x| core_math::exp(x) * 1.000_001);
        let done = AtomicU64::new(0);
        let job = Job {
            function: MathFn::Exp,
            reference: wrong,
            every: 1 << 18,
            targets: &[Target::CPU],
            threads: Some(1),
        };
        let report = measure::<f32>(job, &done).unwrap();
        assert!(report.worst.ulp > 5.0, "{report:?}");
        assert_eq!(done.into_inner(), 1 << 14);
    }

    #[test]
    fn the_digest_is_that_of_all_results_in_order() {
        let job = Job {
            function: MathFn::Exp,
            reference: Reference::One(core_math::exp),
            every: 1 << 14,
            targets: &[Target::CPU, Target::INTERP],
            threads: Some(2),
        };
        let report = measure::<f32>(job, &AtomicU64::new(0)).unwrap();
        assert_eq!(report.others[0].count, 0, "{report:?}");
        let scan = Scan::<f32>::new(job).unwrap();
        let xs: Vec<f32> = (0..count(job.every))
            .map(|i| f32::from_bits((i * job.every) as u32))
            .collect();
        let results = scan.results(&Target::CPU, &xs, &[]).unwrap();
        let bytes = results.iter().flat_map(|x| (x.bits() as u32).to_le_bytes());
        assert_eq!(report.digest, crc32fast::hash(&bytes.collect::<Vec<u8>>()));
    }

    #[test]
    fn a_target_that_gives_other_bits_is_noticed() {
        let part = |count, at| Part {
            checked: 3,
            worst: Worst::default(),
            crc: Crc::new(),
            others: vec![Difference {
                count,
                at: [at, 0.0],
            }],
        };
        let mut total = Total::new(part(0, 0.0));
        total.add(1, part(2, 7.0));
        total.add(0, part(1, 8.0));
        let report = total.report();
        assert_eq!(
            (report.others[0].count, report.others[0].at),
            (3, [7.0, 0.0])
        );
    }
}
