//! The little language of inputs: `x.npy`, `3.5`, `linspace(0, 1, 5)[:,None]`, `random((3, 4), 1) as f32`.

use std::fmt;
use std::path::PathBuf;

use ufc::DType;
use ufc::array::Weak;

/// Most axes that a generator's shape may have.
const MAX_AXES: usize = 32;

/// An input as the user wrote it, understood but not made yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    /// Where the elements come from.
    pub(crate) source: Source,
    /// The items of an index such as `[:,None]`; empty if there is none.
    pub(crate) index: Vec<Axis>,
    /// The dtype after `as`.
    pub(crate) dtype: Option<DType>,
}

/// Where the elements of an input come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// One number.
    Number(Weak),
    /// Elements made from a rule.
    Generated {
        /// Length of each axis.
        shape: Vec<usize>,
        /// The rule.
        rule: Rule,
    },
}

/// How a generator makes its elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Evenly from `start` to `stop`, both included.
    Linspace { start: f64, stop: f64 },
    /// `start`, `start + step` and so on.
    Arange { start: Number, step: Number },
    /// Uniform from `low` up to, not including, `high`; over all integers of the dtype if neither is given.
    Random {
        seed: u64,
        range: Option<(Number, Number)>,
    },
    /// The same everywhere.
    Full { value: Number },
}

/// An argument of a generator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Written as a whole number.
    Int(i128),
    /// Written with a point or an exponent.
    Float(f64),
}

/// One item of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// `:` keeps an axis.
    Keep,
    /// `None` adds an axis of length 1.
    New,
}

impl Number {
    /// The nearest f64.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Number::Int(n) => n as f64,
            Number::Float(x) => x,
        }
    }

    fn parse(text: &str) -> Option<Number> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let special = matches!(digits, "inf" | "nan" | "infinity" | "NaN");
        if !special && !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let plain = text.replace('_', "");
        match plain.parse() {
            Ok(n) => Some(Number::Int(n)),
            Err(_) => plain.parse().ok().map(Number::Float),
        }
    }
}

impl Spec {
    /// Understands an input's text.
    pub(crate) fn parse(text: &str) -> Result<Spec, String> {
        let (rest, dtype) = split_dtype(text.trim())?;
        let (rest, index) = split_index(rest)?;
        if rest.is_empty() {
            return Err("the value is missing".to_string());
        }
        let source = match parse_number(rest) {
            Some(number) => Source::Number(number),
            None => parse_call(rest)?.unwrap_or_else(|| Source::File(PathBuf::from(rest))),
        };
        Ok(Spec {
            source,
            index,
            dtype,
        })
    }

    /// The shape of what a generator or number makes, index applied; none for files.
    pub(crate) fn shape(&self) -> Result<Option<Vec<usize>>, String> {
        match &self.source {
            Source::File(_) => Ok(None),
            Source::Number(_) => indexed_shape(&[], &self.index).map(Some),
            Source::Generated { shape, .. } => indexed_shape(shape, &self.index).map(Some),
        }
    }

    /// Multiplies the length of every axis that a generator makes; no axis vanishes.
    pub(crate) fn scale(&mut self, factor: f64) {
        if let Source::Generated { shape, .. } = &mut self.source {
            for length in shape.iter_mut().filter(|length| **length > 1) {
                *length = ((*length as f64 * factor).round() as usize).max(1);
            }
        }
    }
}

/// Axes of length 1 are added where the index says; axes that it does not name stay at the end.
pub(crate) fn indexed_shape(shape: &[usize], index: &[Axis]) -> Result<Vec<usize>, String> {
    let mut axes = shape.iter().copied();
    let mut out = Vec::new();
    for item in index {
        out.push(match item {
            Axis::New => 1,
            Axis::Keep => axes.next().ok_or_else(|| {
                let plural = if shape.len() == 1 { "axis" } else { "axes" };
                format!(
                    "the index has more `:` than the array has axes ({} {plural})",
                    shape.len()
                )
            })?,
        });
    }
    out.extend(axes);
    Ok(out)
}

fn split_dtype(text: &str) -> Result<(&str, Option<DType>), String> {
    match text.rsplit_once(" as ") {
        Some((rest, name)) => {
            let dtype = crate::args::dtype(name.trim())?;
            Ok((rest.trim_end(), Some(dtype)))
        }
        None => Ok((text, None)),
    }
}

fn split_index(text: &str) -> Result<(&str, Vec<Axis>), String> {
    let Some((rest, items)) = text.strip_suffix(']').and_then(|t| t.rsplit_once('[')) else {
        return Ok((text, Vec::new()));
    };
    let axis = |item: &str| match item.trim() {
        ":" => Ok(Axis::Keep),
        "None" | "newaxis" | "np.newaxis" => Ok(Axis::New),
        other => Err(format!(
            "`{other}` in an index is neither `:` nor `None`, which adds an axis"
        )),
    };
    let items = items.trim_end_matches(',').split(',');
    Ok((
        rest.trim_end(),
        items.map(axis).collect::<Result<_, String>>()?,
    ))
}

fn parse_number(text: &str) -> Option<Weak> {
    match text {
        "true" | "True" => return Some(Weak::Bool(true)),
        "false" | "False" => return Some(Weak::Bool(false)),
        _ => {}
    }
    if let Some(parts) = text.strip_suffix(['i', 'j']) {
        return parse_complex(parts);
    }
    Number::parse(text).map(|number| match number {
        Number::Int(n) => Weak::Int(n),
        Number::Float(x) => Weak::Float(x),
    })
}

/// `1+2`, `-1.5e3-2`, `2`: what stands before the `i` of a complex number.
fn parse_complex(text: &str) -> Option<Weak> {
    // The sign between the parts is the last one that does not belong to an exponent.
    let is_exponent = |at: usize| text[..at].ends_with(['e', 'E']);
    let split = text
        .char_indices()
        .rfind(|(at, c)| matches!(c, '+' | '-') && *at > 0 && !is_exponent(*at));
    let (re, im) = match split {
        Some((at, _)) => (
            Number::parse(text[..at].trim())?.to_f64(),
            text[at..].trim(),
        ),
        None => (0.0, text),
    };
    let im = match im {
        "+" | "" => 1.0,
        "-" => -1.0,
        digits => Number::parse(&digits.replace(' ', ""))?.to_f64(),
    };
    Some(Weak::Complex(re, im))
}

/// Name, arguments as users write them, and what makes a source of the arguments.
type Generator = (
    &'static str,
    &'static str,
    fn(&[&str]) -> Result<Source, String>,
);

const GENERATORS: &[Generator] = &[
    ("linspace", "start, stop, n", linspace),
    ("arange", "n` or `start, stop[, step]", arange),
    ("random", "n, seed[, low, high]", random),
    ("full", "n, value", full),
];

/// A call of a generator; none if the text is not a call.
fn parse_call(text: &str) -> Result<Option<Source>, String> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(None);
    };
    if text.ends_with(".npy") {
        return Ok(None);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Ok(None);
    }
    let Some((_, usage, make)) = GENERATORS.iter().find(|(known, ..)| *known == name) else {
        let names: Vec<&str> = GENERATORS.iter().map(|(name, ..)| *name).collect();
        return Err(format!(
            "there is no generator `{name}`; there are {}",
            names.join(", ")
        ));
    };
    let args = rest
        .strip_suffix(')')
        .ok_or_else(|| format!("`{name}(` is not closed"))?;
    make(&split_args(args)).map(Some).map_err(|error| {
        let what = if error.is_empty() {
            "wrong number of arguments"
        } else {
            &error
        };
        format!("{what}; `{name}` takes `{usage}`")
    })
}

/// Splits at commas outside parentheses.
fn split_args(text: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let mut args: Vec<&str> = text
        .split(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
        .collect();
    if args.last() == Some(&"") {
        args.pop();
    }
    args
}

fn number(text: &str) -> Result<Number, String> {
    Number::parse(text).ok_or_else(|| format!("`{text}` is not a number"))
}

fn shape(text: &str) -> Result<Vec<usize>, String> {
    let length = |text: &str| {
        let plain = text.replace('_', "");
        plain
            .parse::<usize>()
            .map_err(|_| format!("`{text}` is not a number of elements"))
    };
    match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        None => Ok(vec![length(text)?]),
        Some(list) => {
            let lengths = split_args(list);
            if lengths.len() > MAX_AXES {
                return Err(format!("more than {MAX_AXES} axes"));
            }
            lengths.into_iter().map(length).collect()
        }
    }
}

fn linspace(args: &[&str]) -> Result<Source, String> {
    let [start, stop, n] = args else {
        return Err(String::new());
    };
    Ok(Source::Generated {
        shape: shape(n)?,
        rule: Rule::Linspace {
            start: number(start)?.to_f64(),
            stop: number(stop)?.to_f64(),
        },
    })
}

fn arange(args: &[&str]) -> Result<Source, String> {
    let (start, stop, step) = match args {
        [stop] => ("0", *stop, "1"),
        [start, stop] => (*start, *stop, "1"),
        [start, stop, step] => (*start, *stop, *step),
        _ => return Err(String::new()),
    };
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
    let length = match (start, stop, step) {
        (_, _, Number::Int(0)) => return Err("the step is zero".to_string()),
        (Number::Int(a), Number::Int(b), Number::Int(s)) => int_length(a, b, s),
        _ => float_length(start.to_f64(), stop.to_f64(), step.to_f64()),
    };
    let length = length.ok_or("that is not a number of elements")?;
    Ok(Source::Generated {
        shape: vec![length],
        rule: Rule::Arange { start, step },
    })
}

fn int_length(start: i128, stop: i128, step: i128) -> Option<usize> {
    let distance = stop.checked_sub(start)?;
    if (distance > 0) != (step > 0) {
        return Some(0);
    }
    let (distance, step) = (distance.unsigned_abs(), step.unsigned_abs());
    usize::try_from(distance.div_ceil(step)).ok()
}

fn float_length(start: f64, stop: f64, step: f64) -> Option<usize> {
    let length = ((stop - start) / step).ceil();
    (length.is_finite() && length < isize::MAX as f64).then_some(length.max(0.0) as usize)
}

fn random(args: &[&str]) -> Result<Source, String> {
    let (n, seed, range) = match args {
        [n, seed] => (n, seed, None),
        [n, seed, low, high] => (n, seed, Some((number(low)?, number(high)?))),
        _ => return Err(String::new()),
    };
    if let Some((low, high)) = range {
        let (low, high) = (low.to_f64(), high.to_f64());
        if low >= high || !(high - low).is_finite() {
            return Err("`low` is not below `high`".to_string());
        }
    }
    let Number::Int(seed) = number(seed)? else {
        return Err("the seed is not a whole number".to_string());
    };
    Ok(Source::Generated {
        shape: shape(n)?,
        rule: Rule::Random {
            seed: seed as u64,
            range,
        },
    })
}

fn full(args: &[&str]) -> Result<Source, String> {
    let [n, value] = args else {
        return Err(String::new());
    };
    Ok(Source::Generated {
        shape: shape(n)?,
        rule: Rule::Full {
            value: number(value)?,
        },
    })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Number(number) => number.fmt(f),
            Source::Generated { .. } => f.write_str("a generated array"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(text: &str) -> (Vec<usize>, Rule) {
        match Spec::parse(text).unwrap().source {
            Source::Generated { shape, rule } => (shape, rule),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers() {
        let number = |text: &str| match Spec::parse(text).unwrap().source {
            Source::Number(weak) => weak,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(number("3.5"), Weak::Float(3.5));
        assert_eq!(number(" -7 "), Weak::Int(-7));
        assert_eq!(number("1_000"), Weak::Int(1000));
        assert_eq!(number("-inf"), Weak::Float(f64::NEG_INFINITY));
        assert_eq!(number("1e-3"), Weak::Float(1e-3));
        assert_eq!(number("true"), Weak::Bool(true));
        assert_eq!(number("1+2i"), Weak::Complex(1.0, 2.0));
        assert_eq!(number("-1.5e-3-i"), Weak::Complex(-1.5e-3, -1.0));
        assert_eq!(number("2j"), Weak::Complex(0.0, 2.0));
        assert_eq!(Spec::parse("3 as u8").unwrap().dtype, Some(DType::U8));
    }

    #[test]
    fn generators_and_indices() {
        let (shape, rule) = generated("linspace(-2.0,1,2_000)[:,None]");
        assert_eq!(shape, [2000]);
        assert_eq!(
            rule,
            Rule::Linspace {
                start: -2.0,
                stop: 1.0
            }
        );
        assert_eq!(generated("arange(5)").0, [5]);
        assert_eq!(generated("arange(5, 0)").0, [0]);
        assert_eq!(generated("arange(5, 0, -2)").0, [3]);
        assert_eq!(generated("arange(0, 1, 0.1)").0, [10]);
        assert_eq!(generated("random((3, 4), 1, -1, 1)").0, [3, 4]);
        assert_eq!(generated("full((), 2)").0, [0; 0]);
        let file = Spec::parse("copy(1).npy").unwrap();
        assert_eq!(file.source, Source::File("copy(1).npy".into()));
        let spec = Spec::parse("x.npy[None, :, None] as f32").unwrap();
        assert_eq!(spec.source, Source::File("x.npy".into()));
        assert_eq!(spec.index, [Axis::New, Axis::Keep, Axis::New]);
        assert_eq!(indexed_shape(&[5], &spec.index).unwrap(), [1, 5, 1]);
        assert!(indexed_shape(&[], &spec.index).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| Spec::parse(text).unwrap_err();
        assert!(error("linspac(0, 1, 5)").contains("linspace"));
        assert!(error("linspace(0, 1)").contains("start, stop, n"));
        assert!(error("linspace(0, 1, 5").contains("not closed"));
        assert!(error("arange(0, 1, 0)").contains("zero"));
        assert!(error("arange(0, inf)").contains("elements"));
        assert!(error("random(4, 1, 2, 2)").contains("not below"));
        assert!(error("random(-4, 1)").contains("`-4`"));
        assert!(error("x.npy[3]").contains("`3`"));
        assert!(error("1 as f31").contains("f32"));
        assert!(error("").contains("missing"));
        // Deep nesting and huge numbers do no harm.
        assert!(Spec::parse(&"(".repeat(100_000)).is_ok());
        assert!(error(&format!("arange({})", "9".repeat(400))).contains("elements"));
    }

    #[test]
    fn scaling_keeps_axes() {
        let mut spec = Spec::parse("random((10, 1, 3), 1)").unwrap();
        spec.scale(0.1);
        assert_eq!(spec.shape().unwrap().unwrap(), [1, 1, 1]);
        spec.scale(2.0);
        assert_eq!(spec.shape().unwrap().unwrap(), [1, 1, 1]);
    }
}
