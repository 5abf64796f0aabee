//! Arrays against what NumPy does, as recorded in `fixtures/arrays` by `scripts/make-fixtures.py`.

use std::path::PathBuf;
use ufc::array::broadcast::broadcast_shapes;
use ufc::array::cast::{ArgType, Casting, can_cast, convert_value, promote, result_type};
use ufc::array::npy::{self, NpyFile};
use ufc::array::{Array, InPlace, View, ViewMut, Weak};
use ufc::{Const, DType};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/arrays")
        .join(name)
}

/// The lines of a fixture without comments; there must be at least so many.
fn lines(name: &str, at_least: usize) -> Vec<String> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert!(lines.len() >= at_least, "{name} has {} lines", lines.len());
    lines
}

fn dtype(name: &str) -> DType {
    DType::from_name(name).unwrap_or_else(|| panic!("no dtype {name}"))
}

fn shape(text: &str) -> Vec<usize> {
    match text {
        "scalar" => Vec::new(),
        axes => axes.split('x').map(|n| n.parse().unwrap()).collect(),
    }
}

fn bits(dtype: DType, text: &str) -> Vec<Const> {
    let parse = |word| Const::from_bits(dtype, u128::from_str_radix(word, 16).unwrap());
    text.split_whitespace().map(parse).collect()
}

/// The fields of a line between ` : `.
fn fields(line: &str) -> Vec<&str> {
    line.split(" :").map(str::trim).collect()
}

#[test]
fn promotion_of_every_pair() {
    let mut open = 0;
    for line in lines("promote.txt", 225) {
        let [a, b, result] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let common = promote(dtype(a), dtype(b));
        if result == "undefined" {
            // ml_dtypes leaves it open; the smallest dtype that holds both is ours.
            open += 1;
            assert!(
                can_cast(dtype(a), common, Casting::Safe),
                "{line}: {common}"
            );
            assert!(
                can_cast(dtype(b), common, Casting::Safe),
                "{line}: {common}"
            );
        } else {
            assert_eq!(common, dtype(result), "{line}");
        }
    }
    assert_eq!(open, 14);
}

#[test]
fn casting_of_every_pair_under_every_rule() {
    for line in lines("can_cast.txt", 225) {
        let words: Vec<&str> = line.split(' ').collect();
        let (from, to) = (dtype(words[0]), dtype(words[1]));
        for (casting, rule) in Casting::ALL {
            let numpy = words[2..].contains(&rule);
            // To NumPy bfloat16 is not a float but of a kind of its own, above all others.
            let ours = match (from, to, casting) {
                (DType::BF16, DType::F16, Casting::SameKind) => true,
                (DType::C64 | DType::C128, DType::BF16, Casting::SameKind) => false,
                _ => numpy,
            };
            assert_eq!(can_cast(from, to, casting), ours, "{line}: {rule}");
        }
    }
}

#[test]
fn common_dtypes_with_weak_numbers() {
    for line in lines("result_type.txt", 100) {
        let words: Vec<&str> = line.split(' ').collect();
        let (result, operands) = words.split_last().unwrap();
        let args: Vec<ArgType> = operands
            .iter()
            .map(|word| match *word {
                "int" => ArgType::Weak(Weak::Int(3)),
                "float" => ArgType::Weak(Weak::Float(0.5)),
                "complex" => ArgType::Weak(Weak::Complex(0.0, 1.0)),
                "true" => ArgType::Weak(Weak::Bool(true)),
                name => ArgType::of(dtype(name)),
            })
            .collect();
        assert_eq!(result_type(&args), Some(dtype(result)), "{line}");
        let reversed: Vec<ArgType> = args.into_iter().rev().collect();
        assert_eq!(
            result_type(&reversed),
            Some(dtype(result)),
            "{line}, reversed"
        );
    }
}

#[test]
fn shapes_broadcast() {
    let mut errors = 0;
    for line in lines("broadcast.txt", 300) {
        let (operands, result) = line.split_once(" = ").unwrap();
        let shapes: Vec<Vec<usize>> = operands.split(' ').map(shape).collect();
        let named = shapes.iter().map(|shape| ("x", &**shape));
        match broadcast_shapes(named) {
            Ok(common) => assert_eq!(common.to_vec(), shape(result), "{line}"),
            Err(_) => {
                errors += 1;
                assert_eq!(result, "error", "{line}");
            }
        }
    }
    assert!(errors > 10);
}

#[test]
fn elements_convert() {
    for line in lines("convert.txt", 180) {
        let [dtypes, from, to] = fields(&line)[..] else {
            panic!("{line}")
        };
        let (a, b) = dtypes.split_once(' ').unwrap();
        let (a, b) = (dtype(a), dtype(b));
        let (from, to) = (bits(a, from), bits(b, to));
        assert_eq!(from.len(), to.len(), "{line}");
        let bytes: Vec<u8> = from
            .iter()
            .flat_map(|value| value.to_le_bytes()[..a.size()].to_vec())
            .collect();
        let swapped = cfg!(target_endian = "big");
        let (count, step) = ([from.len()], [a.size() as isize]);
        let view = View::from_bytes(&bytes, a, 0, &count, &step, swapped).unwrap();
        let array = view.cast(b, Casting::Unsafe).unwrap();
        let all = from.into_iter().zip(to).zip(array.iter());
        for ((value, want), have) in all {
            assert!(have.same(want), "{value:?} as {b}: {have:?}, not {want:?}");
            assert!(convert_value(value, b).same(want), "{value:?} as {b}");
        }
    }
}

#[test]
fn conversions_agree_with_the_interpreter() {
    for &from in DType::ALL {
        for &to in DType::ALL {
            if from.is_complex() && !to.is_complex() {
                continue;
            }
            let mut state = 0x9e37_79b9_7f4a_7c15u128;
            for _ in 0..2000 {
                state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) + 1;
                // Numbers of every size: random bits, shifted by a random amount.
                let value = Const::from_bits(from, state.rotate_left(40) >> (state % 64));
                let (have, want) = (
                    convert_value(value, to),
                    ufc_ir::convert::convert(value, to),
                );
                assert!(have.same(want), "{value:?} as {to}: {have:?}, not {want:?}");
            }
        }
    }
}

#[test]
fn views_reach_the_same_elements() {
    let data: Vec<i32> = (0..24).collect();
    for line in lines("views.txt", 150) {
        let [steps, want_shape, elements] = fields(&line)[..] else {
            panic!("{line}")
        };
        let mut view = View::new(&data, &[2, 3, 4]).unwrap();
        for step in steps.split(", ") {
            let words: Vec<&str> = step.split(' ').collect();
            let n = |i: usize| words[i].parse::<usize>().unwrap();
            view = match words[0] {
                "transpose" => view.transpose(),
                "flip" => view.flip(n(1)).unwrap(),
                "permute" => view.permute(&[n(1), n(2), n(3)]).unwrap(),
                "slice" => view
                    .slice_axis(n(1), n(2)..n(3), words[4].parse().unwrap())
                    .unwrap(),
                "insert" => view.insert_axis(n(1)).unwrap(),
                "column" => view.column().unwrap(),
                "broadcast" => {
                    let wide: Vec<usize> = [2].iter().chain(view.shape()).copied().collect();
                    view.broadcast_to(&wide).unwrap()
                }
                other => panic!("{other}"),
            };
        }
        assert_eq!(view.shape(), shape(want_shape), "{line}");
        let want: Vec<i32> = elements
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let array = view.to_array().unwrap();
        assert_eq!(array.as_slice::<i32>().unwrap(), want, "{line}");
        let one_by_one: Vec<i128> = view.iter().map(Const::as_int).collect();
        assert!(
            one_by_one
                .iter()
                .copied()
                .eq(want.iter().map(|&n| n.into())),
            "{line}"
        );
    }
}

#[test]
fn files_of_every_kind_are_read() {
    for line in lines("npy.txt", 33) {
        let [head, elements] = fields(&line)[..] else {
            panic!("{line}")
        };
        let [name, want_dtype, want_shape] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let file = NpyFile::open(path(name)).unwrap();
        assert_eq!(file.dtype(), dtype(want_dtype), "{name}");
        assert_eq!(file.shape(), shape(want_shape), "{name}");
        let want = bits(dtype(want_dtype), elements);
        assert_eq!(file.view().iter().collect::<Vec<_>>(), want, "{name}");
        let array = file.view().to_array().unwrap();
        assert_eq!(array.iter().collect::<Vec<_>>(), want, "{name}");
        // What is written is read back, by way of a new file.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(name);
        npy::write(&copy, &file.view()).unwrap();
        assert_eq!(npy::read(&copy).unwrap(), array, "{name}");
    }
}

#[test]
fn damaged_files_say_what_is_wrong() {
    for line in lines("damaged.txt", 20) {
        let [name, reason] = fields(&line)[..] else {
            panic!("{line}")
        };
        let message = NpyFile::open(path(name)).unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains(reason),
            "{message}"
        );
    }
    let message = NpyFile::open(path("missing.npy")).unwrap_err().to_string();
    assert!(message.starts_with("cannot read `"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let array = Array::zeros(DType::F64, &[1000]).unwrap();
    let message = npy::write("/dev/full", &array.view())
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("cannot write `/dev/full`"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (
        folder.path().join("real.npy"),
        folder.path().join("link.npy"),
    );
    let (old, new) = (Array::from([1u8]), Array::from([2.5f32, 3.5]));
    npy::write(&real, &old.view()).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    // A reader of the old file keeps its elements while the new one takes the name.
    let open = NpyFile::open(&real).unwrap();
    npy::write(&link, &new.view()).unwrap();
    assert!(link.is_symlink());
    assert_eq!(npy::read(&real).unwrap(), new);
    assert_eq!(open.view().to_array().unwrap(), old);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Every element of what a kernel gives, on every target that is here.
fn on_all_targets<'a>(source: &str, inputs: impl ufc::array::Inputs<'a> + Clone) -> Vec<Array> {
    let module = ufc::Module::from_source("test", source).unwrap_or_else(|e| panic!("{e}"));
    let ufunc = module.only().unwrap();
    let targets: &[&str] = if cfg!(feature = "cpu") {
        &["interp", "cpu"]
    } else {
        &["interp"]
    };
    let call = |target: &&str| {
        let target: ufc::Target = target.parse().unwrap();
        let result = ufunc.on(target).call(inputs.clone());
        result.unwrap_or_else(|e| panic!("{e}"))
    };
    targets.iter().map(call).collect()
}

const WEIGHTED: &str = "pub fn weighted(a: i32, b: i32) -> i32 { a + 10 * b }";

#[test]
fn calls_on_any_layout() {
    let data: Vec<i32> = (0..240).collect();
    let cube = || View::new(&data, &[4, 6, 10]).unwrap();
    let layouts: Vec<View<'_>> = vec![
        cube(),
        cube().flip(0).unwrap().flip(2).unwrap(),
        View::new(&data, &[10, 6, 4])
            .unwrap()
            .transpose()
            .permute(&[0, 1, 2])
            .unwrap(),
        cube().slice_axis(2, 3..4, 1).unwrap(),
        cube().slice_axis(0, 1..2, 1).unwrap(),
        cube().slice_axis(1, 0..1, 1).unwrap().flip(2).unwrap(),
        View::from_slice(&data[5..15]),
        View::new(&data[..60], &[6, 10]).unwrap(),
        View::from_value(&data[7]),
        View::strided(&data, 239, &[4, 6, 10], &[-10, -40, -1]).unwrap(),
    ];
    for a in &layouts {
        for b in &layouts {
            let shapes = [("a", a.shape()), ("b", b.shape())];
            let shape = broadcast_shapes(shapes.into_iter()).unwrap();
            let wide_a = a.clone().broadcast_to(&shape).unwrap();
            let wide_b = b.clone().broadcast_to(&shape).unwrap();
            let want: Vec<i128> = wide_a
                .iter()
                .zip(wide_b.iter())
                .map(|(a, b)| a.as_int() + 10 * b.as_int())
                .collect();
            for result in on_all_targets(WEIGHTED, (a, b)) {
                assert_eq!(result.shape(), &*shape);
                let have: Vec<i128> = result.iter().map(Const::as_int).collect();
                assert_eq!(have, want, "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn calls_on_no_elements_and_without_axes() {
    let none: [i32; 0] = [];
    let empty = View::new(&none, &[3, 0]).unwrap();
    for result in on_all_targets(WEIGHTED, (&empty, 1i32)) {
        assert_eq!(result.shape(), [3, 0]);
    }
    for result in on_all_targets(WEIGHTED, (2i32, Weak::Int(4))) {
        assert_eq!(
            (result.ndim(), result.as_slice::<i32>().unwrap()),
            (0, &[42][..])
        );
    }
}

#[test]
fn calls_convert_their_operands() {
    let bytes = [0u8, 0, 3, 0, 0, 0, 4];
    let swapped = View::from_bytes(&bytes, DType::U16, 1, &[3], &[2], true).unwrap();
    for result in on_all_targets(WEIGHTED, (&swapped, &[1u8, 2, 3])) {
        assert_eq!(result.as_slice::<i32>().unwrap(), [13, 20, 34]);
    }
    let generic = "pub fn half<T: Float>(x: T) -> T { x / 2 }";
    for result in on_all_targets(generic, &[1i16, 3]) {
        assert_eq!(result.as_slice::<f32>().unwrap(), [0.5, 1.5]);
    }
}

#[test]
fn positions_follow_the_operands_own_order() {
    let data = [0i32; 24];
    let view = View::new(&data, &[4, 3, 2])
        .unwrap()
        .transpose()
        .flip(1)
        .unwrap();
    let source = "pub fn position(x: i32) -> i64 { index() + 100 * index(0) + 10000 * index(2) + (x as i64) }";
    for result in on_all_targets(source, &view) {
        assert_eq!(result.shape(), [2, 3, 4]);
        for i in 0..2 {
            for j in 0..3 {
                for k in 0..4 {
                    let want = (i * 12 + j * 4 + k) + 100 * i + 10000 * k;
                    assert_eq!(result.get(&[i, j, k]).unwrap().as_int(), want as i128);
                }
            }
        }
    }
}

#[test]
fn a_call_may_write_over_its_input() {
    let source = "pub fn saxpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }";
    let ufunc = ufc::Module::from_source("test", source)
        .unwrap()
        .only()
        .unwrap();
    for len in [1, 3, 4, 100, 4097] {
        let x: Vec<f32> = (0..len).map(|i| i as f32).collect();
        let mut y = vec![0.5f32; len];
        ufunc.call_into((2.0f32, &x, InPlace(0)), &mut y).unwrap();
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 2.0 * x + 0.5));
        // Backwards: the input is the output's own memory in the other order, so it is copied.
        let start = y.as_mut_ptr().cast::<u8>();
        let want: Vec<f32> = y.iter().rev().map(|y| y + 1.0).collect();
        #[expect(unsafe_code, reason = "safe code cannot make operands overlap")]
        // SAFETY: both views lie in `y`, which is not used otherwise until the call is over.
        let (reversed, output) = unsafe {
            let end = start.wrapping_add(4 * (len - 1));
            let reversed = View::from_raw(end, DType::F32, &[len], &[-4], false);
            (
                reversed,
                ViewMut::from_raw(start, DType::F32, &[len], &[4], false),
            )
        };
        ufunc.call_into((1.0f32, 1.0f32, reversed), output).unwrap();
        assert_eq!(y, want);
    }
}
