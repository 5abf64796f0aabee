//! Every example kernel gives, on every target there is, the bits that its `.ufk` form gives, and what the kept Rust
//! function gives: the same bits where Rust defines the same result, and nearly the same where its library does not.

use std::path::Path;

use num_complex::Complex;
use ufc::array::{Element, Operand};
use ufc::vectorize::scalar::c64;
use ufc::{Array, Const, Module, Target, Ufunc};
use ufc_ir::testing::{Rng, for_seeds, random_const};
use ufc_target::Promise;

use crate::kernels;

/// Around the vector widths, and enough for several blocks.
const LENGTHS: &[usize] = &[0, 1, 3, 15, 16, 17, 64, 333];

/// The targets that are there, each with whether it promises the interpreter's bits.
fn targets() -> Vec<(Target, bool)> {
    let words = ufc::dispatch::targets().into_iter().map(|there| there.name);
    let targets = words.filter_map(|word| word.parse::<Target>().ok());
    let found: Vec<(Target, bool)> = targets
        .filter_map(|target| {
            let choice = ufc::dispatch::choose(&target).ok()?;
            let promise = choice.backend.promise(Some(&choice.device.name));
            Some((target, promise == Promise::Bits))
        })
        .collect();
    assert!(found.contains(&(Target::INTERP, true)));
    found
}

/// The kernel as its file has it.
fn from_text(name: &str) -> Ufunc {
    let file = match name {
        "murmur_hash_u64" => "murmur_hash",
        name => name,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("kernels/examples/{file}.ufk"));
    let module = Module::from_file(path).expect("an example");
    module.ufunc(name).expect("its kernel")
}

/// Values of a parameter: any at all, or from a range.
trait Values: Element {
    fn any(rng: &mut Rng) -> Self {
        Self::from_const(random_const(rng, Self::DTYPE))
    }
    fn within(rng: &mut Rng, low: f64, high: f64) -> Self {
        let unit = (rng.bits() >> 11) as f64 / (1u64 << 53) as f64;
        let value = Const::f64(low + (high - low) * unit);
        Self::from_const(ufc_ir::convert::convert(value, Self::DTYPE))
    }
}
impl<T: Element> Values for T {}

fn same_bits(a: Const, b: Const) -> bool {
    let nan = |c: Const| c.dtype().is_float() && c.is_nan();
    let part = |a: Const, b: Const| a.bits() == b.bits() || (nan(a) && nan(b));
    match a.dtype().is_complex() {
        true => part(a.re(), b.re()) && part(a.im(), b.im()),
        false => part(a, b),
    }
}

fn near(a: Const, b: Const) -> bool {
    if a.dtype().is_complex() {
        return near(a.re(), b.re()) && near(a.im(), b.im());
    }
    if !a.dtype().is_float() {
        return same_bits(a, b);
    }
    let (x, y) = (ufc_ir::convert::to_f64(a), ufc_ir::convert::to_f64(b));
    same_bits(a, b) || (x - y).abs() <= 1e-4 * x.abs().max(y.abs()).max(1.0)
}

/// Both forms on all targets. The expected results are those of the text on the interpreter; on targets that do not promise
/// its bits, those of the text on that target.
fn compare(name: &str, macro_form: &Ufunc, inputs: &[Operand<'_>]) -> Vec<Array> {
    let text_form = from_text(name);
    let expected = text_form
        .on(Target::INTERP)
        .call_all(inputs)
        .expect("the text's");
    for (target, gives_bits) in targets() {
        let on_target = |form: &Ufunc| form.on(target.clone()).call_all(inputs);
        let text = on_target(&text_form);
        let wanted = match gives_bits {
            true => &expected,
            // It may lack a dtype.
            false if text.is_err() => continue,
            false => text.as_ref().expect("checked"),
        };
        for found in [&text, &on_target(macro_form)] {
            let found = found.as_ref().expect("a call");
            for (found, expected) in found.iter().zip(wanted) {
                assert_eq!(found.shape(), expected.shape());
                let mut pairs = found.iter().zip(expected.iter()).enumerate();
                let wrong = pairs.find(|(_, (a, b))| !same_bits(*a, *b));
                assert!(wrong.is_none(), "{name} on {target}: {wrong:?}");
            }
        }
    }
    expected
}

/// The results of one element as constants.
trait Flat {
    fn flat(self) -> Vec<Const>;
}

macro_rules! flat {
    ($($T:ty)*) => {$(
        impl Flat for $T {
            fn flat(self) -> Vec<Const> {
                vec![self.to_const()]
            }
        }
    )*};
}
flat!(u8 u32 u64 half::f16 f32 f64 c64);

impl<A: Flat, B: Flat> Flat for (A, B) {
    fn flat(self) -> Vec<Const> {
        [self.0.flat(), self.1.flat()].concat()
    }
}

macro_rules! oracle {
    ($($test:ident: $name:ident $(as $ufunc:expr)?, ($($arg:ident: $T:ty $(= $low:literal .. $high:literal)?),*), $how:ident;)*) => {$(
        #[test]
        fn $test() {
            let name = stringify!($name);
            let ufunc = oracle!(@ufunc $name $($ufunc)?);
            for_seeds(4, &[], |seed| {
                let mut rng = Rng::new(seed);
                for &len in LENGTHS {
                    $(let $arg: Vec<$T> = (0..len).map(|_| oracle!(@value rng $T $(= $low .. $high)?)).collect();)*
                    let inputs = [$(ufc::array::ToOperand::to_operand(&$arg)),*];
                    let results = compare(name, &ufunc, &inputs);
                    for i in 0..len {
                        let scalar = Flat::flat(kernels::$name($($arg[i]),*));
                        for (result, scalar) in results.iter().zip(scalar) {
                            let result = result.get(&[i]).expect("an element");
                            assert!($how(result, scalar), "{name} of {:?}: {result:?}, {scalar:?}", ($($arg[i],)*));
                        }
                    }
                }
            });
        }
    )*};
    (@ufunc $name:ident) => { kernels::$name.ufunc().expect("embedded").clone() };
    (@ufunc $name:ident $ufunc:expr) => { $ufunc };
    (@value $rng:ident $T:ty) => { <$T as Values>::any(&mut $rng) };
    (@value $rng:ident $T:ty = $low:literal .. $high:literal) => { <$T as Values>::within(&mut $rng, $low, $high) };
}

fn of_generic<F: ufc::vectorize::Signature>(function: ufc::Vectorized<F>) -> Ufunc {
    function.ufunc().expect("embedded").clone()
}

oracle! {
    black_scholes: black_scholes, (spot: f32 = 5.0..30.0, strike: f32 = 1.0..100.0, years: f32 = 0.25..10.0), near;
    blend_u8: blend_u8, (base: u8, light: u8, alpha: u8), same_bits;
    clip_f32: clip as of_generic(kernels::clip::of::<f32>()), (x: f32, low: f32, high: f32), same_bits;
    clip_f64: clip as of_generic(kernels::clip::of::<f64>()), (x: f64, low: f64, high: f64), same_bits;
    clip_f16: clip as of_generic(kernels::clip::of::<half::f16>()), (x: half::f16, low: half::f16, high: half::f16), same_bits;
    collatz: collatz, (start: u32 = 0.0..300000.0), same_bits;
    complex_sqrt: complex_sqrt, (z: c64 = -10.0..10.0), near;
    gelu: gelu, (x: f32 = -20.0..20.0), near;
    haversine: haversine, (lat1: f64 = -90.0..90.0, lon1: f64 = -180.0..180.0, lat2: f64 = -90.0..90.0, lon2: f64 = -180.0..180.0), near;
    hypot_f32: hypot as of_generic(kernels::hypot::of::<f32>()), (x: f32, y: f32), same_bits;
    hypot_f64: hypot as of_generic(kernels::hypot::of::<f64>()), (x: f64, y: f64), same_bits;
    julia: julia, (re: f64 = -1.6..1.6, im: f64 = -1.2..1.2, c_re: f64 = -1.0..0.5, c_im: f64 = -0.5..0.5, iters: u32 = 0.0..60.0), same_bits;
    logistic_map: logistic_map, (r: f64 = 2.5..4.0, x: f64 = 0.0..1.0, steps: u32 = 0.0..60.0), same_bits;
    mandelbrot: mandelbrot, (re: f32 = -2.0..1.0, im: f32 = -1.0..1.0, iters: u32 = 0.0..60.0), same_bits;
    mandelbrot_smooth: mandelbrot_smooth, (re: f32 = -2.0..1.0, im: f32 = -1.0..1.0, iters: u32 = 0.0..60.0), near;
    murmur_hash: murmur_hash, (key: u32), same_bits;
    murmur_hash_u64: murmur_hash_u64, (key: u64), same_bits;
    polar_to_cartesian: polar_to_cartesian, (r: f32 = 0.0..10.0, theta: f32 = -100.0..100.0), near;
    poly12_f32: poly12 as of_generic(kernels::poly12::of::<f32>()), (x: f32), same_bits;
    poly12_f64: poly12 as of_generic(kernels::poly12::of::<f64>()), (x: f64), same_bits;
    saxpy: saxpy, (a: f32, x: f32, y: f32), same_bits;
    sigmoid: sigmoid, (x: f32), near;
}

/// Every example kernel is here.
#[test]
fn every_example_is_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/examples");
    let here = include_str!("kernels.rs");
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        let module = Module::from_file(&path).expect("an example");
        for kernel in module.kernels() {
            let head = format!("pub(crate) fn {}", kernel.name);
            assert!(
                here.contains(&head),
                "{} is not a Rust function",
                kernel.name
            );
        }
    }
}

/// Rust's complex numbers are the language's.
#[test]
fn complex_numbers_are_passed_as_they_are() {
    let z = [Complex::new(3.0f32, 4.0), Complex::new(-4.0, 0.0)];
    let roots = kernels::complex_sqrt.call(&z).expect("roots");
    assert_eq!(
        roots.as_slice(),
        [Complex::new(2.0, 1.0), Complex::new(0.0, 2.0)]
    );
}
