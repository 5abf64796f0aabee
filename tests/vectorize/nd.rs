//! Views of the crate `ndarray` as arguments and outputs.

use ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis, IxDyn, s};
use ufc::vectorize;

#[vectorize]
fn difference(a: f64, b: f64) -> f64 {
    a - b
}

#[test]
fn views_of_any_dimension_and_layout() {
    let cube = Array3::from_shape_fn((3, 4, 5), |(i, j, k)| (100 * i + 10 * j + k) as f64);
    let row = Array1::from_iter((0..5).map(f64::from));
    let found = difference.call((&cube, &row)).expect("a call").to_ndarray();
    assert_eq!(found, (&cube - &row).into_dyn());
    let part = cube.slice(s![..;-1, 1..3, ..;2]);
    let column = row
        .slice(s![..3])
        .insert_axis(Axis(1))
        .insert_axis(Axis(2))
        .to_owned();
    let mut out = Array3::<f64>::from_elem((3, 2, 3), f64::NAN);
    difference
        .call_into((part, &column), &mut out)
        .expect("a call");
    assert_eq!(out, &part - &column);
    let dynamic: ArrayD<f64> = Array::ones(IxDyn(&[2, 1, 2, 2]));
    let found = difference.call((&dynamic, 0.5)).expect("a call");
    assert_eq!(
        (found.shape(), found.as_slice()[7]),
        (&[2, 1, 2, 2][..], 0.5)
    );
}

#[test]
fn into_a_part_of_an_array() {
    let mut table = Array2::<f64>::zeros((3, 3));
    difference
        .call_into(
            (&Array1::from(vec![1.0, 2.0, 3.0]), 0.5),
            table.slice_mut(s![.., 1]),
        )
        .expect("a call");
    assert_eq!(table.row(2).to_vec(), [0.0, 2.5, 0.0]);
    let view = table.t();
    assert_eq!(
        difference.call((view, &table)).expect("a call").shape(),
        [3, 3]
    );
}
