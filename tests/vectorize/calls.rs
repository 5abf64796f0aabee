//! What may be given to a call, what it gives, and what can be asked of a kernel.

use half::{bf16, f16};
use num_complex::Complex;
use ufc::array::Casting;
use ufc::{AsColumn, CallOptions, Target, TypedArray, TypedView, vectorize};

/// A sum.
///
/// Of two numbers.
#[vectorize]
fn sum(x: f32, y: f32) -> f32 {
    x + y
}

#[vectorize]
fn square(x: i64) -> i64 {
    x * x
}

#[vectorize]
fn parts(z: c64) -> (f32, f32) {
    (z.re, z.im)
}

#[vectorize(name = "plus", identity = 0)]
fn add<T: Num>(x: T, y: T) -> T {
    x + y
}

#[vectorize(types((f32, i32), (f64, u8)))]
fn scale<T: Float, U: Int>(x: T, n: U) -> T {
    x * n as T
}

#[vectorize(fast_math, target = "parallel", cache)]
fn dot2(a: f32, b: f32, c: f32, d: f32) -> f32 {
    a * b + c * d
}

#[vectorize]
fn half_steps(x: f16, y: bf16) -> (f16, bf16) {
    (x * 2.0 + 0.5, y - 1)
}

#[vectorize]
fn position() -> i64 {
    index() * 10
}

#[test]
fn arguments_of_many_kinds() {
    let (vec, array) = (vec![1.0f32, 2.0, 3.0], [10.0f32, 20.0, 30.0]);
    let typed = TypedArray::from_shape(&[3], &array).expect("an array");
    let view = TypedView::new(&vec, &[3]).expect("a view");
    let wanted = [11.0, 22.0, 33.0];
    assert_eq!(
        sum.call((&vec, &array))
            .expect("a Vec and an array")
            .as_slice(),
        wanted
    );
    assert_eq!(
        sum.call((&vec[..], &typed))
            .expect("a slice and ours")
            .as_slice(),
        wanted
    );
    assert_eq!(sum.call((view, &array)).expect("a view").as_slice(), wanted);
    assert_eq!(
        sum.call((&vec, 1.0)).expect("a number").as_slice(),
        [2.0, 3.0, 4.0]
    );
    assert_eq!(square.call(&[2, -3]).expect("one alone").as_slice(), [4, 9]);
    assert_eq!(
        square.call((&[2, -3],)).expect("a tuple of one").as_slice(),
        [4, 9]
    );
    let one = sum.call((1.0, 2.0)).expect("two numbers");
    assert_eq!((one.as_slice(), one.ndim()), (&[3.0][..], 0));
}

#[test]
fn results_are_broadcast_and_typed() {
    let table = sum
        .call((&[1.0, 2.0, 3.0], [10.0, 20.0].column()))
        .expect("a table");
    assert_eq!(table.shape(), [2, 3]);
    assert_eq!(table.to_vec(), [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
    let (re, im) = parts.call(&[Complex::new(1.0, 2.0)]).expect("two results");
    assert_eq!((re.as_slice(), im.as_slice()), (&[1.0][..], &[2.0][..]));
    let error = sum
        .call((&[1.0, 2.0], &[1.0, 2.0, 3.0]))
        .expect_err("shapes differ");
    assert!(error.to_string().contains("`x`"), "{error}");
}

#[test]
fn results_go_where_they_are_wanted() {
    let x = [1.0, 2.0];
    let mut vec = vec![f32::NAN; 2];
    sum.call_into((&x, 1.0), &mut vec).expect("into a Vec");
    assert_eq!(vec, [2.0, 3.0]);
    let mut slice = [f32::NAN; 4];
    sum.call_into((&x, 2.0), &mut slice[1..3])
        .expect("into a part");
    assert_eq!(slice[1..3], [3.0, 4.0]);
    assert!(slice[0].is_nan() && slice[3].is_nan());
    let mut array = TypedArray::from_shape(&[2], &[0.0; 2]).expect("an array");
    sum.call_into((&x, 3.0), &mut array).expect("into an array");
    assert_eq!(array.as_slice(), [4.0, 5.0]);
    let (mut re, mut im) = ([0.0; 2], vec![0.0; 2]);
    let z = [Complex::new(1.0, 2.0), Complex::new(3.0, 4.0)];
    parts.call_into(&z, (&mut re, &mut im)).expect("into two");
    assert_eq!((re, im), ([1.0, 3.0], vec![2.0, 4.0]));
    let mut short = [0.0f32; 1];
    assert!(sum.call_into((&x, 1.0), &mut short).is_err());
}

#[test]
fn the_function_is_still_one() {
    assert_eq!(sum(1.5, 2.0), 3.5);
    let pointer: fn(f32, f32) -> f32 = *sum;
    assert_eq!([1.0f32, 2.0].map(|x| pointer(x, 1.0)), [2.0, 3.0]);
    assert_eq!(add(2u8, 3), 5);
    assert_eq!(scale(1.5f64, 4u8), 6.0);
    assert_eq!(
        half_steps(f16::ONE, bf16::ONE),
        (f16::from_f32(2.5), bf16::ZERO)
    );
    assert_eq!(position(), 0);
}

#[test]
fn small_floats_and_positions() {
    let (x, y) = half_steps
        .call((&[f16::ONE; 3], bf16::from_f32(3.0)))
        .expect("halves");
    assert_eq!(x.as_slice(), [f16::from_f32(2.5); 3]);
    assert_eq!(y.as_slice(), [bf16::from_f32(2.0); 3]);
    let mut out = [-1i64; 4];
    position.call_into((), &mut out).expect("positions");
    assert_eq!(out, [0, 10, 20, 30]);
}

#[test]
fn generic_kernels_have_a_loop_for_each_type() {
    assert_eq!(add::call((&[1u8, 255], 1)).expect("u8").as_slice(), [2, 0]);
    assert_eq!(add::call((&[1.5f64], 1.0)).expect("f64").as_slice(), [2.5]);
    let z = Complex::new(1.0f32, -1.0);
    assert_eq!(add::call((&[z], z)).expect("c64").as_slice(), [z + z]);
    assert_eq!(
        scale::call((&[0.5f32], &[3i32]))
            .expect("f32 and i32")
            .as_slice(),
        [1.5]
    );
    let mut out = [0.0f64];
    scale::call_into((&[0.5f64], 3u8), &mut out).expect("f64 and u8");
    assert_eq!(out, [1.5]);
    let interpreted = add::of().on(Target::INTERP).call((&[1i64], 2));
    assert_eq!(interpreted.expect("i64").as_slice(), [3]);
    assert_eq!(add::of::<u8>().name(), "plus");
    let ufunc = scale::of::<f32, i32>().ufunc().expect("embedded").clone();
    let refused = ufunc.call((&[0.5f32], &[3u64])).expect_err("not listed");
    assert!(refused.to_string().contains("i32"), "{refused}");
}

#[test]
fn calls_can_be_shaped_and_explained() {
    let x = [1.0f32; 5];
    let one = sum.on(Target::CPU).threads(1);
    assert_eq!(one.call((&x, 1.0)).expect("a call").as_slice(), [2.0; 5]);
    let options = CallOptions {
        target: Target::INTERP,
        casting: Casting::No,
        ..CallOptions::default()
    };
    let plan = sum
        .with(options)
        .explain((&x, 1.0))
        .into_plan()
        .expect("a plan");
    assert_eq!(
        (plan.target.as_str(), plan.kernel.as_str()),
        ("interp", "sum")
    );
    let text = dot2.explain((&x, 1.0, 2.0, 3.0)).to_string();
    assert!(text.contains("target   cpu"), "{text}");
    let text = sum.explain((&x, &[1.0, 2.0])).to_string();
    assert!(text.starts_with("the call would fail: "), "{text}");
}

#[test]
fn what_is_known_of_a_kernel() {
    let ufunc = sum.ufunc().expect("embedded");
    assert_eq!(ufunc.doc(), "A sum.\n\nOf two numbers.");
    assert_eq!(format!("{sum:?}"), "sum(x: f32, y: f32) -> f32");
    assert!(
        add::of::<u8>()
            .ufunc()
            .expect("embedded")
            .kernel()
            .has_identity
    );
    assert!(dot2.ufunc().expect("embedded").kernel().fast_math);
    // The kernel without its Rust types converts as NumPy does.
    let wide = ufunc
        .call((&[1u8, 2], &[0.5f32]))
        .expect("bytes are converted");
    assert_eq!(wide.as_slice::<f32>().expect("f32"), [1.5, 2.5]);
}

#[test]
fn kernels_are_called_from_many_threads() {
    let x: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    std::thread::scope(|scope| {
        for t in 0..8 {
            let x = &x;
            scope.spawn(move || {
                for _ in 0..50 {
                    let found = sum.call((x, t as f32)).expect("a call");
                    assert_eq!(found.as_slice()[999], 999.0 + t as f32);
                }
            });
        }
    });
}
