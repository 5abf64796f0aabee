//! Functions and constants that kernels use: from other modules, under other names, generic, through each other.

use ufc::vectorize;

mod shapes {
    use ufc::{device, vectorize};

    #[device]
    pub(super) const TWO: f32 = 1.0 + 1.0;

    #[device]
    pub(super) const HALF: f16 = 0.5;

    #[device]
    pub(super) fn twice(x: f32) -> f32 {
        x * TWO
    }

    #[device]
    pub(super) fn swap<T: Float>((a, b): (T, T)) -> (T, T) {
        (b, a)
    }

    /// A kernel that other kernels use too.
    #[vectorize]
    pub(super) fn area(width: f32, height: f32) -> f32 {
        width * height
    }

    #[vectorize]
    pub(super) fn blend<T: Float>(a: T, b: T) -> T {
        let (b, a) = swap((a, b));
        a * 0.25 + b * 0.75
    }
}

use shapes::{HALF, TWO, area, blend, swap, twice as doubled};

#[vectorize]
fn everything(x: f32, y: f32) -> f32 {
    let (a, b) = swap((doubled(x), y));
    blend(a, b) + area(x, TWO) + HALF as f32
}

#[vectorize]
fn other_words(z: Complex<f32>, w: num_complex::Complex64) -> Complex<f32> {
    z * Complex::new(0.0, 1.0) + Complex::new(w.re as f32, w.im as f32)
}

/// What a macro makes is Rust like any other.
macro_rules! powers {
    ($($name:ident $x:ident $value:expr;)*) => {$(
        #[vectorize]
        fn $name($x: f64) -> f64 {
            $value * 1.0
        }
    )*};
}
powers! {
    second x x * x;
    third x x * x * x;
}

#[vectorize]
fn nested(t: i32) -> i32 {
    let pair = ((t, 2), 3);
    'outer: for i in 0..10 {
        for j in (0..i).step_by(2).rev() {
            if i * j > pair.0.1 {
                break 'outer;
            }
        }
    }
    let mut total = 0;
    for k in (1..=t).step_by(pair.1) {
        total += k;
    }
    total + pair.0.0 * i32::BITS as i32
}

fn main_of(x: f32, y: f32) -> f32 {
    let (a, b) = (y, 2.0 * x);
    (a * 0.25 + b * 0.75) * 1.0 + 2.0 * x + 0.5
}

#[test]
fn helpers_are_inlined_and_still_called() {
    let x = [1.0f32, -3.5, 8.25];
    let found = everything.call((&x, 4.0)).expect("a call");
    for (x, found) in x.into_iter().zip(found.as_slice()) {
        assert_eq!(everything(x, 4.0), *found);
        assert_eq!(main_of(x, 4.0), *found);
    }
    assert_eq!(nested.call(&[7]).expect("a call").as_slice(), [nested(7)]);
    assert_eq!((second(1.5), third(2.0)), (2.25, 8.0));
    let z = num_complex::Complex::new(1.0, 2.0);
    let w = num_complex::Complex::new(0.5, 0.25);
    let turned = other_words.call((&[z], w)).expect("a call");
    assert_eq!(turned.as_slice(), [num_complex::Complex::new(-1.5, 1.25)]);
    assert_eq!(turned.as_slice(), [other_words(z, w)]);
    assert_eq!(area(3.0, 4.0), 12.0);
    assert_eq!(area.call((3.0, &[4.0])).expect("a call").as_slice(), [12.0]);
}
