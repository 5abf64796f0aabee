//! The rows: for each the data, the hand-written code, the kernel, and the comparison of their results.

use crate::functions::Functions;
use crate::loops::{BlendU8, Clip, Collatz, Julia, Mandelbrot, Murmur, Poly12, Saxpy};
use crate::simd::Enter;
use crate::timing::{About, Table, Timed};
use std::ops::{Deref, DerefMut};
use ufc::{Module, Target, Ufunc, View, ViewMut};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Elements of 4 bytes, and of 8, in the rows that stay in the caches: a call costs little of their time.
const ELEMENTS: usize = 1 << 16;
const WIDE: usize = ELEMENTS / 2;

/// A kernel of a file and how it is called.
struct Kernel {
    ufunc: Ufunc,
    target: Target,
}

impl Kernel {
    fn new(table: &Table<'_>, file: &str, name: &str) -> Kernel {
        let module = Module::from_file(format!("{ROOT}/{file}")).expect("a file of kernels");
        let target = format!("cpu:{}", table.level());
        Kernel {
            ufunc: module.ufunc(name).expect("a kernel of the file"),
            target: target.parse().expect("a target"),
        }
    }

    fn example(table: &Table<'_>, name: &str) -> Kernel {
        Kernel::new(table, &format!("kernels/examples/{name}.ufk"), name)
    }

    fn own(table: &Table<'_>, name: &str) -> Kernel {
        Kernel::new(table, "benches/limits/rows.ufk", name)
    }

    fn call(&self) -> ufc::Call<'_, 'static> {
        self.ufunc.on(self.target.clone()).threads(1)
    }
}

/// Elements at a multiple of 64 bytes.
struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    fn new(len: usize, fill: T) -> Aligned<T> {
        let memory = vec![fill; len + 64 / size_of::<T>()];
        let start = memory.as_ptr().align_offset(64);
        Aligned { memory, start, len }
    }

    fn of(values: impl ExactSizeIterator<Item = T>, fill: T) -> Aligned<T> {
        let mut found = Aligned::new(values.len(), fill);
        found
            .iter_mut()
            .zip(values)
            .for_each(|(to, value)| *to = value);
        found
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Numbers spread evenly over a range, in an order with no pattern (a linear congruential generator).
fn random(seed: u64, from: f64, to: f64, count: usize) -> impl ExactSizeIterator<Item = f64> {
    let mut state = seed;
    (0..count).map(move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        from + (to - from) * ((state >> 11) as f64 / (1u64 << 53) as f64)
    })
}

fn floats(seed: u64, from: f64, to: f64, count: usize) -> Aligned<f32> {
    Aligned::of(random(seed, from, to, count).map(|x| x as f32), f32::NAN)
}

fn doubles(seed: u64, from: f64, to: f64, count: usize) -> Aligned<f64> {
    Aligned::of(random(seed, from, to, count), f64::NAN)
}

fn linspace(from: f64, to: f64, count: usize) -> impl ExactSizeIterator<Item = f64> {
    let step = (to - from) / (count - 1) as f64;
    (0..count).map(move |i| from + step * i as f64)
}

/// Runs a hand-written loop with 1, 2, 4 and 8 vectors in flight as jobs; `$n` is their number in `$body`.
macro_rules! in_flight {
    ($jobs:ident, $n:ident, [$($count:literal)*], $body:expr) => {
        $({
            const $n: usize = $count;
            $jobs.push(Box::new($body) as Timed<'_>);
        })*
    };
}

/// The rows without math functions.
pub(crate) fn loops(table: &mut Table<'_>, s: impl Enter) {
    mandelbrot(table, s);
    julia(table, s);
    collatz(table, s);
    poly12(table, s);
    blend_u8(table, s);
    murmur(table, s);
    saxpy(table, s);
    clip(table, s);
}

/// The size of a picture of Mandelbrot's set or a Julia set.
fn picture(table: &Table<'_>) -> (usize, usize) {
    if table.is_measured() {
        (1024, 256)
    } else {
        (256, 8)
    }
}

fn mandelbrot(table: &mut Table<'_>, s: impl Enter) {
    if !table.wants("mandelbrot f32") {
        return;
    }
    let (width, height) = picture(table);
    let re = Aligned::of(linspace(-2.0, 1.0, width).map(|x| x as f32), 0.0);
    let im = Aligned::of(linspace(-1.0, 1.0, height).map(|x| x as f32), 0.0);
    let kernel = Kernel::example(table, "mandelbrot");
    let bound = kernel.call();
    let (mut ours, mut theirs) = (vec![1u8; width * height], vec![2u8; width * height]);
    let shared = std::cell::RefCell::new(&mut ours[..]);
    let mut jobs: Vec<Timed<'_>> = vec![];
    in_flight!(jobs, N, [1 2 4 8], || {
        for (out, im) in shared.borrow_mut().chunks_exact_mut(width).zip(&*im) {
            s.enter(Mandelbrot::<N> { re: &re, im: *im, iters: 255, out });
        }
    });
    jobs.push(Box::new(|| {
        let im = View::from_slice(&im).column().expect("a column");
        let out = ViewMut::from_slice(&mut theirs)
            .reshape(&[height, width])
            .expect("the picture's shape");
        bound.call_into((&re[..], im, 255u32), out).expect("runs");
    }));
    table.row(
        About {
            name: "mandelbrot f32",
            elements: width * height,
            aim: 1.32,
        },
        &mut jobs,
    );
    drop(jobs);
    assert_eq!(ours, theirs, "mandelbrot");
}

fn julia(table: &mut Table<'_>, s: impl Enter) {
    if !table.wants("julia f64") {
        return;
    }
    let (width, height) = picture(table);
    let re = Aligned::of(linspace(-1.6, 1.6, width), 0.0);
    let im = Aligned::of(linspace(-1.2, 1.2, height), 0.0);
    let kernel = Kernel::example(table, "julia");
    let bound = kernel.call();
    let (mut ours, mut theirs) = (vec![1u8; width * height], vec![2u8; width * height]);
    let shared = std::cell::RefCell::new(&mut ours[..]);
    let mut jobs: Vec<Timed<'_>> = vec![];
    in_flight!(jobs, N, [1 2 4 8], || {
        for (out, im) in shared.borrow_mut().chunks_exact_mut(width).zip(&*im) {
            s.enter(Julia::<N> { re: &re, im: *im, c: (-0.8, 0.156), iters: 255, out });
        }
    });
    jobs.push(Box::new(|| {
        let im = View::from_slice(&im).column().expect("a column");
        let out = ViewMut::from_slice(&mut theirs)
            .reshape(&[height, width])
            .expect("the picture's shape");
        bound
            .call_into((&re[..], im, -0.8f64, 0.156f64, 255u32), out)
            .expect("runs");
    }));
    table.row(
        About {
            name: "julia f64",
            elements: width * height,
            aim: 1.31,
        },
        &mut jobs,
    );
    drop(jobs);
    assert_eq!(ours, theirs, "julia");
}

/// A row whose kernel and hand-written loops write one slice each; their results are compared by `$agree`.
macro_rules! row {
    ($table:ident, $name:literal, $aim:literal, $kernel:expr, $elements:expr, $fill:expr, $agree:expr,
     |$n:ident, $out:ident| $body:expr, ($($input:expr),+)) => {
        if $table.wants($name) {
            let elements = $elements;
            // All write to one place: where arrays lie in memory matters as much as who writes them.
            let mut out = Aligned::new(elements, $fill);
            let kernel = $kernel;
            let bound = kernel.call();
            let shared = std::cell::RefCell::new(&mut out[..]);
            let mut jobs: Vec<Timed<'_>> = vec![];
            in_flight!(jobs, $n, [1 2 4 8], || {
                let $out = &mut **shared.borrow_mut();
                $body
            });
            jobs.push(Box::new(|| {
                bound.call_into(($($input,)+), &mut **shared.borrow_mut()).expect("runs");
            }));
            $table.row(About { name: $name, elements, aim: $aim }, &mut jobs);
            let mut result = |job: usize| {
                shared.borrow_mut().fill($fill);
                jobs[job]();
                shared.borrow().to_vec()
            };
            let (ours, theirs) = (result(3), result(4));
            $agree($name, &ours, &theirs);
        }
    };
}

fn same<T: PartialEq + std::fmt::Debug>(name: &str, a: &[T], b: &[T]) {
    if let Some(i) = (0..a.len()).find(|i| a[*i] != b[*i]) {
        panic!(
            "{name}: element {i} is {:?} by hand and {:?} by the kernel",
            a[i], b[i]
        );
    }
}

/// Both are within about one unit in the last place of the truth, so at most two apart.
fn close(name: &str, a: &[f32], b: &[f32]) {
    let off = |i: &usize| a[*i].to_bits().abs_diff(b[*i].to_bits());
    if let Some(i) = (0..a.len()).find(|i| off(i) > 2) {
        panic!(
            "{name}: element {i} is {:e} by hand and {:e} by the kernel",
            a[i], b[i]
        );
    }
}

/// The same for f64.
fn close_f64(name: &str, a: &[f64], b: &[f64]) {
    let off = |i: &usize| a[*i].to_bits().abs_diff(b[*i].to_bits());
    if let Some(i) = (0..a.len()).find(|i| off(i) > 2) {
        panic!(
            "{name}: element {i} is {:e} by hand and {:e} by the kernel",
            a[i], b[i]
        );
    }
}

fn collatz(table: &mut Table<'_>, s: impl Enter) {
    let count = if table.is_measured() {
        1 << 16
    } else {
        1 << 12
    };
    let start: Vec<u32> = (0..count).collect();
    row!(
        table,
        "collatz u32",
        1.35,
        Kernel::example(table, "collatz"),
        start.len(),
        7u32,
        same,
        |N, out| s.enter(Collatz::<N> { start: &start, out }),
        (&start)
    );
}

fn poly12(table: &mut Table<'_>, s: impl Enter) {
    let x = floats(1, -1.0, 1.0, ELEMENTS);
    row!(
        table,
        "poly12 f32",
        1.21,
        Kernel::example(table, "poly12"),
        x.len(),
        7f32,
        same,
        |N, out| s.enter(Poly12::<f32, N> { x: &x, out }),
        (&x[..])
    );
    let x = doubles(1, -1.0, 1.0, WIDE);
    row!(
        table,
        "poly12 f64",
        1.23,
        Kernel::example(table, "poly12"),
        x.len(),
        7f64,
        same,
        |N, out| s.enter(Poly12::<f64, N> { x: &x, out }),
        (&x[..])
    );
}

fn blend_u8(table: &mut Table<'_>, s: impl Enter) {
    let bytes = |seed| Aligned::of(random(seed, 0.0, 256.0, 1 << 18).map(|x| x as u8), 0);
    let (base, light) = (bytes(1), bytes(2));
    row!(
        table,
        "blend_u8",
        1.35,
        Kernel::example(table, "blend_u8"),
        base.len(),
        7u8,
        same,
        |N, out| s.enter(BlendU8::<N> {
            base: &base,
            light: &light,
            alpha: 160,
            out
        }),
        (&base[..], &light[..], 160u8)
    );
}

fn murmur(table: &mut Table<'_>, s: impl Enter) {
    let file = "kernels/examples/murmur_hash.ufk";
    let key = Aligned::of((0..ELEMENTS as u32).collect::<Vec<_>>().into_iter(), 0);
    row!(
        table,
        "murmur u32",
        1.24,
        Kernel::new(table, file, "murmur_hash"),
        key.len(),
        7u32,
        same,
        |N, out| s.enter(Murmur::<u32, N> { key: &key, out }),
        (&key[..])
    );
    let key = Aligned::of((0..WIDE as u64).collect::<Vec<_>>().into_iter(), 0);
    row!(
        table,
        "murmur u64",
        1.24,
        Kernel::new(table, file, "murmur_hash_u64"),
        key.len(),
        7u64,
        same,
        |N, out| s.enter(Murmur::<u64, N> { key: &key, out }),
        (&key[..])
    );
}

/// Elements of the rows that are bound by memory.
fn many(table: &Table<'_>) -> usize {
    if table.is_measured() {
        64 << 20
    } else {
        1 << 16
    }
}

fn saxpy(table: &mut Table<'_>, s: impl Enter) {
    if table.wants("saxpy f32, 64 Mi") {
        let n = many(table);
        let (x, y) = (floats(1, -1.0, 1.0, n), floats(2, -1.0, 1.0, n));
        row!(
            table,
            "saxpy f32, 64 Mi",
            1.1,
            Kernel::example(table, "saxpy"),
            n,
            7f32,
            same,
            |N, out| s.enter(Saxpy::<N> {
                a: 2.5,
                x: &x,
                y: &y,
                out
            }),
            (2.5f32, &x[..], &y[..])
        );
    }
}

fn clip(table: &mut Table<'_>, s: impl Enter) {
    if table.wants("clip f32, 64 Mi") {
        let x = floats(1, 0.0, 1.0, many(table));
        row!(
            table,
            "clip f32, 64 Mi",
            1.13,
            Kernel::example(table, "clip"),
            x.len(),
            7f32,
            same,
            |N, out| s.enter(Clip::<N> {
                x: &x,
                low: 0.25,
                high: 0.75,
                out
            }),
            (&x[..], 0.25f32, 0.75f32)
        );
    }
}

/// The rows with math functions.
pub(crate) fn math(table: &mut Table<'_>, s: impl Functions) {
    math_f32(table, s);
    math_f64(table, s);
    pow(table, s);
    black_scholes(table, s);
}

fn math_f32(table: &mut Table<'_>, s: impl Functions) {
    let x = floats(1, -80.0, 80.0, ELEMENTS);
    row!(
        table,
        "exp f32",
        1.42,
        Kernel::own(table, "exp"),
        x.len(),
        7f32,
        close,
        |N, out| s.exp::<N>(&x, out),
        (&x[..])
    );
    let x = floats(1, 0.001, 1000.0, ELEMENTS);
    row!(
        table,
        "log f32",
        1.36,
        Kernel::own(table, "ln"),
        x.len(),
        7f32,
        close,
        |N, out| s.ln::<N>(&x, out),
        (&x[..])
    );
    let x = floats(1, -1e5, 1e5, ELEMENTS);
    row!(
        table,
        "sin f32",
        1.91,
        Kernel::own(table, "sin"),
        x.len(),
        7f32,
        close,
        |N, out| s.sin::<N>(&x, out),
        (&x[..])
    );
    let x = floats(1, -5.0, 5.0, ELEMENTS);
    row!(
        table,
        "tanh f32",
        1.55,
        Kernel::own(table, "tanh"),
        x.len(),
        7f32,
        close,
        |N, out| s.tanh::<N>(&x, out),
        (&x[..])
    );
}

fn math_f64(table: &mut Table<'_>, s: impl Functions) {
    let x = doubles(1, -700.0, 700.0, WIDE);
    row!(
        table,
        "exp f64",
        1.48,
        Kernel::own(table, "exp"),
        x.len(),
        7f64,
        close_f64,
        |N, out| s.exp_f64::<N>(&x, out),
        (&x[..])
    );
    let x = doubles(1, 0.001, 1000.0, WIDE);
    row!(
        table,
        "log f64",
        1.41,
        Kernel::own(table, "ln"),
        x.len(),
        7f64,
        close_f64,
        |N, out| s.ln_f64::<N>(&x, out),
        (&x[..])
    );
    let x = doubles(1, -1e5, 1e5, WIDE);
    row!(
        table,
        "sin f64",
        2.03,
        Kernel::own(table, "sin"),
        x.len(),
        7f64,
        close_f64,
        |N, out| s.sin_f64::<N>(&x, out),
        (&x[..])
    );
}

fn pow(table: &mut Table<'_>, s: impl Functions) {
    let (x, y) = (
        floats(1, 0.01, 100.0, ELEMENTS),
        floats(2, -10.0, 10.0, ELEMENTS),
    );
    row!(
        table,
        "pow f32",
        1.89,
        Kernel::own(table, "pow"),
        x.len(),
        7f32,
        close,
        |N, out| s.pow::<N>(&x, &y, out),
        (&x[..], &y[..])
    );
}

/// The hand-written code fuses where the kernel does not, so prices agree only in proportion to spot and strike.
fn black_scholes(table: &mut Table<'_>, s: impl Functions) {
    macro_rules! both {
        ($name:literal, $aim:literal, $numbers:ident, $f:ident, $kernel:expr, $within:literal) => {
            if table.wants($name) {
                let spot = $numbers(1, 5.0, 30.0, WIDE);
                let strike = $numbers(2, 1.0, 100.0, WIDE);
                let years = $numbers(3, 0.25, 10.0, WIDE);
                let new = || (Aligned::new(WIDE, 7.0), Aligned::new(WIDE, 7.0));
                let (mut ours, mut theirs) = (new(), new());
                let kernel = $kernel;
            let bound = kernel.call();
                let shared = std::cell::RefCell::new((&mut ours.0[..], &mut ours.1[..]));
                let mut jobs: Vec<Timed<'_>> = vec![];
                in_flight!(jobs, N, [1 2 4], || {
                    let mut out = shared.borrow_mut();
                    let (call, put) = &mut *out;
                    s.$f::<N>([&spot, &strike, &years], [call, put])
                });
                jobs.push(Box::new(|| {
                    let out = (&mut theirs.0[..], &mut theirs.1[..]);
                    bound.call_into((&spot[..], &strike[..], &years[..]), out).expect("runs");
                }));
                table.row(About { name: $name, elements: WIDE, aim: $aim }, &mut jobs);
                drop(jobs);
                for (ours, theirs) in [(&ours.0, &theirs.0), (&ours.1, &theirs.1)] {
                    for i in 0..WIDE {
                        let (a, b) = (ours[i], theirs[i]);
                        let close = (a - b).abs() <= $within * (spot[i] + strike[i]);
                        assert!(close, "{}: element {i} is {a} by hand and {b} by the kernel", $name);
                    }
                }
            }
        };
    }
    let kernel = Kernel::example(table, "black_scholes");
    both!(
        "black_scholes f32",
        1.41,
        floats,
        black_scholes,
        kernel,
        1e-6
    );
    let kernel = Kernel::own(table, "black_scholes_f64");
    both!(
        "black_scholes f64",
        1.27,
        doubles,
        black_scholes_f64,
        kernel,
        1e-15
    );
}
