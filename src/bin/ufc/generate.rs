//! Makes the elements of generated inputs. The same text gives the same elements on every machine.

use half::{bf16, f16};
use num_complex::Complex;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ufc::DType;
use ufc::array::{Array, ArrayError, Element};

use crate::input::{Number, Rule};

/// An array of this dtype and shape with elements made by the rule.
pub(crate) fn generate(rule: Rule, dtype: DType, shape: &[usize]) -> Result<Array, ArrayError> {
    let mut array = Array::zeros(dtype, shape)?;
    match dtype {
        DType::Bool => fill::<bool>(rule, &mut array),
        DType::I8 => fill::<i8>(rule, &mut array),
        DType::I16 => fill::<i16>(rule, &mut array),
        DType::I32 => fill::<i32>(rule, &mut array),
        DType::I64 => fill::<i64>(rule, &mut array),
        DType::U8 => fill::<u8>(rule, &mut array),
        DType::U16 => fill::<u16>(rule, &mut array),
        DType::U32 => fill::<u32>(rule, &mut array),
        DType::U64 => fill::<u64>(rule, &mut array),
        DType::F16 => fill::<f16>(rule, &mut array),
        DType::BF16 => fill::<bf16>(rule, &mut array),
        DType::F32 => fill::<f32>(rule, &mut array),
        DType::F64 => fill::<f64>(rule, &mut array),
        DType::C64 => fill::<Complex<f32>>(rule, &mut array),
        DType::C128 => fill::<Complex<f64>>(rule, &mut array),
    }?;
    Ok(array)
}

fn fill<T: Made>(rule: Rule, array: &mut Array) -> Result<(), ArrayError> {
    let elements = array.as_mut_slice::<T>()?;
    match rule {
        Rule::Linspace { start, stop } => {
            let last = elements.len().saturating_sub(1);
            let step = (stop - start) / last.max(1) as f64;
            for (i, element) in elements.iter_mut().enumerate() {
                let x = if i == last && i > 0 {
                    stop
                } else {
                    start + i as f64 * step
                };
                *element = T::from_real(x);
            }
        }
        Rule::Arange { start, step } => {
            if let (Number::Int(start), Number::Int(step)) = (start, step) {
                for (i, element) in elements.iter_mut().enumerate() {
                    *element = T::from_whole(start.wrapping_add(step.wrapping_mul(i as i128)));
                }
            } else {
                let (start, step) = (start.to_f64(), step.to_f64());
                for (i, element) in elements.iter_mut().enumerate() {
                    *element = T::from_real(start + i as f64 * step);
                }
            }
        }
        Rule::Random { seed, range } => {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let range = range.map(|(low, high)| (low.to_f64(), high.to_f64()));
            for element in elements {
                *element = T::random(&mut random, range);
            }
        }
        Rule::Full { value } => elements.fill(match value {
            Number::Int(n) => T::from_whole(n),
            Number::Float(x) => T::from_real(x),
        }),
    }
    Ok(())
}

/// A type of element that generators can make.
trait Made: Element {
    /// The nearest value; integers take the floor.
    fn from_real(x: f64) -> Self;

    /// A whole number, wrapped to the type's width.
    fn from_whole(n: i128) -> Self;

    /// A random value between two numbers, or where the type's random values are by default.
    fn random(random: &mut Xoshiro256PlusPlus, range: Option<(f64, f64)>) -> Self;
}

/// Uniform between two numbers; never the upper one, unless rounding leaves no other choice.
fn uniform(random: &mut Xoshiro256PlusPlus, range: Option<(f64, f64)>) -> f64 {
    let unit = (random.next_u64() >> 11) as f64 * f64::EPSILON / 2.0;
    match range {
        Some((low, high)) => low + unit * (high - low),
        None => unit,
    }
}

macro_rules! made_floats {
    ($($T:ty: |$x:ident| $from:expr;)*) => {$(
        impl Made for $T {
            fn from_real($x: f64) -> Self {
                $from
            }

            fn from_whole(n: i128) -> Self {
                Self::from_real(n as f64)
            }

            fn random(random: &mut Xoshiro256PlusPlus, range: Option<(f64, f64)>) -> Self {
                Self::from_real(uniform(random, range))
            }
        }
    )*};
}
made_floats! {
    f16: |x| f16::from_f64(x);
    bf16: |x| bf16::from_f64(x);
    f32: |x| x as f32;
    f64: |x| x;
}

macro_rules! made_integers {
    ($($T:ty)*) => {$(
        impl Made for $T {
            fn from_real(x: f64) -> Self {
                x.floor() as $T
            }

            fn from_whole(n: i128) -> Self {
                n as $T
            }

            fn random(random: &mut Xoshiro256PlusPlus, range: Option<(f64, f64)>) -> Self {
                match range {
                    Some(_) => Self::from_real(uniform(random, range)),
                    // The high bits are the generator's best.
                    None => Self::from_whole((random.next_u64() >> (64 - <$T>::BITS)).into()),
                }
            }
        }
    )*};
}
made_integers!(i8 i16 i32 i64 u8 u16 u32 u64);

impl Made for bool {
    fn from_real(x: f64) -> bool {
        x != 0.0
    }

    fn from_whole(n: i128) -> bool {
        n != 0
    }

    fn random(random: &mut Xoshiro256PlusPlus, _range: Option<(f64, f64)>) -> bool {
        random.next_u64() >> 63 != 0
    }
}

macro_rules! made_complex {
    ($($T:ty)*) => {$(
        impl Made for Complex<$T> {
            fn from_real(x: f64) -> Self {
                Complex::new(<$T>::from_real(x), 0.0)
            }

            fn from_whole(n: i128) -> Self {
                Complex::new(<$T>::from_whole(n), 0.0)
            }

            fn random(random: &mut Xoshiro256PlusPlus, range: Option<(f64, f64)>) -> Self {
                let re = <$T>::random(random, range);
                Complex::new(re, <$T>::random(random, range))
            }
        }
    )*};
}
made_complex!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced() {
        let line = Rule::Linspace {
            start: 0.0,
            stop: 1.0,
        };
        let array = generate(line, DType::F64, &[5]).unwrap();
        assert_eq!(
            array.as_slice::<f64>().unwrap(),
            [0.0, 0.25, 0.5, 0.75, 1.0]
        );
        assert_eq!(
            generate(line, DType::F32, &[1]).unwrap(),
            Array::from([0f32])
        );
        assert!(generate(line, DType::F32, &[0]).unwrap().is_empty());
        let count = Rule::Arange {
            start: Number::Int(254),
            step: Number::Int(1),
        };
        let array = generate(count, DType::U8, &[3]).unwrap();
        assert_eq!(array.as_slice::<u8>().unwrap(), [254, 255, 0]);
    }

    #[test]
    fn random_numbers_are_pinned_and_in_range() {
        let rule = |range| Rule::Random { seed: 1, range };
        // The first outputs of xoshiro256++ seeded by splitmix64 from 1.
        let bits = generate(rule(None), DType::U64, &[2]).unwrap();
        let expected = [0xcfc5_d07f_6f03_c29b, 0xbf42_4132_963f_e08d];
        assert_eq!(bits.as_slice::<u64>().unwrap(), expected);
        let range = Some((Number::Int(-3), Number::Int(4)));
        let array = generate(rule(range), DType::I8, &[1000]).unwrap();
        let values = array.as_slice::<i8>().unwrap();
        assert!((-3..4).all(|v| values.contains(&v)) && values.iter().all(|v| (-3..4).contains(v)));
        let array = generate(rule(None), DType::F32, &[1000]).unwrap();
        let values = array.as_slice::<f32>().unwrap();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        for &dtype in DType::ALL {
            assert_eq!(generate(rule(None), dtype, &[7]).unwrap().len(), 7);
        }
    }
}
