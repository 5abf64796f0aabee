//! The inputs of a call: from the texts that the user gave to operands.

use std::path::Path;

use ufc::array::broadcast::broadcast_shapes;
use ufc::array::cast::ParamType;
use ufc::array::{Array, Operand, View, Weak, npy};
use ufc::{Const, DType, Ufunc};
use ufc_ir::TypeSet;

use crate::generate::generate;
use crate::input::{Axis, Number, Rule, Source, Spec, indexed_shape};
use crate::output::Failure;

/// A parameter of a kernel, as inputs need it.
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: String,
    /// The dtypes that it may have.
    pub(crate) set: TypeSet,
}

/// The parameters of a kernel.
pub(crate) fn params(ufunc: &Ufunc) -> Vec<Param> {
    let param = |(name, ty): (&String, &ParamType)| Param {
        name: name.clone(),
        set: match ty {
            ParamType::Exact(dtype) => TypeSet::one(*dtype),
            ParamType::Generic(generic) => ufunc.bounds()[*generic],
        },
    };
    let types = ufunc.params().iter();
    ufunc.param_names().iter().zip(types).map(param).collect()
}

/// What the kernel's author says is a fair workload: a text for each parameter that the attribute names.
pub(crate) fn workload(ufunc: &Ufunc) -> &[(String, String)] {
    &ufunc.kernel().bench
}

/// A text for each parameter, in the parameters' order; `defaults` stand in for what is not given.
pub(crate) fn texts(
    params: &[Param],
    given: &[String],
    defaults: &[(String, String)],
) -> Result<Vec<String>, Failure> {
    let mut texts: Vec<Option<String>> = params
        .iter()
        .map(|param| {
            let default = defaults.iter().find(|(name, _)| *name == param.name);
            default.map(|(_, text)| text.clone())
        })
        .collect();
    let mut seen = Vec::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::usage(format!(
                "`{text}` is not an input: write NAME=VALUE, such as `{}={text}`",
                params.first().map_or("x", |p| &p.name)
            )));
        };
        let name = name.trim();
        let Some(at) = params.iter().position(|param| param.name == name) else {
            return Err(unknown_input(name, params));
        };
        if seen.contains(&at) {
            return Err(Failure::usage(format!("the input `{name}` is given twice")));
        }
        seen.push(at);
        texts[at] = Some(value.to_string());
    }
    let missing: Vec<String> = params
        .iter()
        .zip(&texts)
        .filter(|(_, text)| text.is_none())
        .map(|(param, _)| format!("`{}`", param.name))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::usage(format!(
            "no value for {}: give NAME=VALUE for each, such as {}=data.npy",
            missing.join(", "),
            missing[0].trim_matches('`')
        )));
    }
    Ok(texts.into_iter().flatten().collect())
}

fn unknown_input(name: &str, params: &[Param]) -> Failure {
    let names = || params.iter().map(|param| param.name.as_str());
    let hint = match ufc_lang::resolve::suggest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if params.is_empty() => "there are none".to_string(),
        None => format!("the inputs are {}", names().collect::<Vec<_>>().join(", ")),
    };
    Failure::usage(format!("there is no input `{name}`; {hint}"))
}

/// Understands the text of each parameter.
pub(crate) fn specs(params: &[Param], texts: &[String]) -> Result<Vec<Spec>, Failure> {
    let spec = |(param, text): (&Param, &String)| {
        Spec::parse(text).map_err(|e| Failure::usage(format!("input `{}`: {e}", param.name)))
    };
    params.iter().zip(texts).map(spec).collect()
}

/// Multiplies the generated axes so that there are about `size` elements in all.
pub(crate) fn resize(params: &[Param], specs: &mut [Spec], size: usize) -> Result<(), Failure> {
    let shape = generated_shape(params, specs)?;
    let axes = shape.iter().filter(|length| **length > 1).count();
    let total: f64 = shape.iter().map(|length| *length as f64).product();
    if axes > 0 && total > 0.0 {
        let factor = (size as f64 / total).powf(1.0 / axes as f64);
        specs.iter_mut().for_each(|spec| spec.scale(factor));
    }
    Ok(())
}

/// The shape that the generated inputs broadcast to.
pub(crate) fn generated_shape(params: &[Param], specs: &[Spec]) -> Result<Vec<usize>, Failure> {
    let mut shapes = Vec::new();
    for (param, spec) in params.iter().zip(specs) {
        let shape = spec.shape().map_err(Failure::usage)?;
        shapes.push((param.name.as_str(), shape.unwrap_or_default()));
    }
    let shapes = shapes.iter().map(|(name, shape)| (*name, shape.as_slice()));
    Ok(broadcast_shapes(shapes)?.to_vec())
}

/// One input, ready to be lent to calls.
pub(crate) enum Value {
    /// A number without a dtype of its own.
    Number(Weak),
    /// One value.
    Scalar(Const),
    /// Elements of ours.
    Array(Array),
    /// Elements of a file, and the axes to add.
    File(npy::NpyFile, Vec<Axis>),
}

/// The inputs of a call.
pub(crate) struct Values {
    values: Vec<Value>,
}

impl Values {
    /// Makes or opens every input; `dtype` is for generators where a parameter takes several dtypes.
    pub(crate) fn new(
        params: &[Param],
        specs: &[Spec],
        dtype: Option<DType>,
    ) -> Result<Values, Failure> {
        let value = |(param, spec): (&Param, &Spec)| {
            Value::new(spec, param.set, dtype).map_err(|failure| match failure {
                Failure::Message(code, text) => {
                    Failure::Message(code, format!("input `{}`: {text}", param.name))
                }
                other => other,
            })
        };
        let values = params.iter().zip(specs).map(value);
        Ok(Values {
            values: values.collect::<Result<_, Failure>>()?,
        })
    }

    /// The inputs as operands.
    pub(crate) fn operands(&self) -> Result<Vec<Operand<'_>>, Failure> {
        self.values.iter().map(Value::operand).collect()
    }
}

/// The shape that the operands broadcast to.
pub(crate) fn shape(names: &[String], operands: &[Operand<'_>]) -> Result<Vec<usize>, Failure> {
    let operands = names.iter().zip(operands);
    let shapes = operands.map(|(name, operand)| (name.as_str(), operand.shape()));
    Ok(broadcast_shapes(shapes)?.to_vec())
}

impl Value {
    fn new(spec: &Spec, set: TypeSet, dtype: Option<DType>) -> Result<Value, Failure> {
        match &spec.source {
            Source::File(path) => open(path, spec),
            Source::Number(number) => scalar(*number, spec),
            Source::Generated { shape, rule } => {
                let dtype = spec.dtype.unwrap_or_else(|| choose(*rule, set, dtype));
                let shape = indexed_shape(shape, &spec.index).map_err(Failure::usage)?;
                Ok(Value::Array(generate(*rule, dtype, &shape)?))
            }
        }
    }

    fn operand(&self) -> Result<Operand<'_>, Failure> {
        Ok(match self {
            Value::Number(number) => Operand::Weak(*number),
            Value::Scalar(value) => Operand::Scalar(*value),
            Value::Array(array) => Operand::View(array.view()),
            Value::File(file, index) => Operand::View(with_axes(file.view(), index)?),
        })
    }
}

fn open(path: &Path, spec: &Spec) -> Result<Value, Failure> {
    let file = npy::NpyFile::open(path)?;
    // An index that does not fit is to be reported before anything runs.
    indexed_shape(file.view().shape(), &spec.index).map_err(Failure::user)?;
    match spec.dtype {
        None => Ok(Value::File(file, spec.index.clone())),
        Some(dtype) => {
            let view = with_axes(file.view(), &spec.index)?;
            Ok(Value::Array(view.cast(dtype, ufc::array::Casting::Unsafe)?))
        }
    }
}

fn with_axes<'a>(mut view: View<'a>, index: &[Axis]) -> Result<View<'a>, Failure> {
    for (at, item) in index.iter().enumerate() {
        if *item == Axis::New {
            view = view.insert_axis(at)?;
        }
    }
    Ok(view)
}

fn scalar(number: Weak, spec: &Spec) -> Result<Value, Failure> {
    if !spec.index.is_empty() {
        return Err(Failure::usage("a number has no axes to index"));
    }
    let Some(dtype) = spec.dtype else {
        return Ok(Value::Number(number));
    };
    let full =
        |value| -> Result<Array, Failure> { Ok(generate(Rule::Full { value }, dtype, &[])?) };
    let array = match number {
        Weak::Bool(b) => full(Number::Int(b.into()))?,
        Weak::Int(n) => full(Number::Int(n))?,
        Weak::Float(x) => full(Number::Float(x))?,
        Weak::Complex(re, im) => {
            let z = Array::from(num_complex::Complex::new(re, im));
            z.cast(dtype, ufc::array::Casting::SameKind)?
        }
    };
    let value = array.get(&[]).unwrap_or(Const::zero(dtype));
    Ok(Value::Scalar(value))
}

/// The dtype that a generator makes for a parameter: the only one, else the one asked for, else the natural one.
fn choose(rule: Rule, set: TypeSet, asked: Option<DType>) -> DType {
    const REAL: &[DType] = &[DType::F64, DType::C128, DType::I64, DType::U64, DType::Bool];
    const WHOLE: &[DType] = &[DType::I64, DType::U64, DType::F64, DType::C128, DType::Bool];
    let whole = match rule {
        Rule::Arange { start, step } => {
            matches!((start, step), (Number::Int(_), Number::Int(_)))
        }
        Rule::Full { value } => matches!(value, Number::Int(_)),
        Rule::Linspace { .. } | Rule::Random { .. } => false,
    };
    let mut members = set.iter();
    match (members.next(), members.next()) {
        (Some(only), None) => return only,
        (None, _) => return DType::F64,
        _ => {}
    }
    let natural = if whole { WHOLE } else { REAL };
    asked
        .into_iter()
        .chain(natural.iter().copied())
        .find(|dtype| set.contains(*dtype))
        .or_else(|| set.iter().next())
        .unwrap_or(DType::F64)
}
