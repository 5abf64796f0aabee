//! Prints a function as `.ufir` text.

use crate::constant::Const;
use crate::convert::to_f64;
use crate::dtype::{DType, Kind};
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::text::KEYWORDS;
use std::fmt::Write;

/// The text of a verified function.
pub fn print(func: &Func) -> String {
    let mut cx = Cx {
        func,
        numbers: SecondaryMap::new(None),
        next: 0,
        out: String::new(),
        depth: 1,
    };
    cx.attrs();
    cx.header();
    cx.region(func.body);
    cx.out.push_str("}\n");
    cx.out
}

/// A constant as the text form writes it, without its dtype.
pub fn constant(value: Const) -> String {
    match value.dtype().kind() {
        Kind::Bool => value.as_bool().to_string(),
        Kind::Signed | Kind::Unsigned => value.as_int().to_string(),
        Kind::Complex => format!("({}, {})", constant(value.re()), constant(value.im())),
        Kind::Float => float(value),
    }
}

fn float(value: Const) -> String {
    if value.is_nan() {
        let plain = super::parse::plain_nan(value.dtype());
        return match value == plain {
            true => "nan".to_string(),
            false => format!("{:#x}", value.bits()),
        };
    }
    match value.dtype() {
        DType::F64 => format!("{:?}", value.as_f64()),
        // An f32 has the shortest digits; the smaller floats are f32s.
        _ => format!("{:?}", to_f64(value) as f32),
    }
}

struct Cx<'f> {
    func: &'f Func,
    numbers: SecondaryMap<Value, Option<usize>>,
    next: usize,
    out: String,
    depth: usize,
}

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($cx:expr, $($arg:tt)*) => {
        write!($cx.out, $($arg)*).expect("writing to a string")
    };
}

impl Cx<'_> {
    fn attrs(&mut self) {
        let attrs = &self.func.attrs;
        if !attrs.doc.is_empty() {
            put!(self, "doc {}\n", quoted(&attrs.doc));
        }
        if attrs.fast_math {
            self.out.push_str("fast_math\n");
        }
        if let Some(value) = attrs.identity {
            put!(self, "identity {}: {}\n", constant(value), value.dtype());
        }
    }

    fn header(&mut self) {
        let func = self.func;
        put!(self, "func {}(", name(&func.name));
        for (i, param) in func.params().iter().enumerate() {
            let value = self.define(*param);
            let param_name = func.param_names.get(i).map_or("", String::as_str);
            let (comma, dtype) = (comma(i), func.dtype(*param));
            put!(self, "{comma}{value} {}: {dtype}", name(param_name));
        }
        let results: Vec<&str> = func.results.iter().map(|d| d.name()).collect();
        put!(self, ") -> ({}) {{\n", results.join(", "));
    }

    fn define(&mut self, value: Value) -> String {
        self.numbers.set(value, Some(self.next));
        self.next += 1;
        self.value(value)
    }

    fn value(&self, value: Value) -> String {
        match self.numbers[value] {
            Some(number) => format!("v{number}"),
            // Only a function that breaks the rules uses what has not been defined.
            None => format!("undefined_{value}"),
        }
    }

    fn list(&self, values: &[Value]) -> String {
        let values: Vec<String> = values.iter().map(|v| self.value(*v)).collect();
        values.join(", ")
    }

    fn line_start(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn region(&mut self, region: Region) {
        let func = self.func;
        let data = &func.regions[region];
        for &inst in &data.insts {
            self.inst(inst);
        }
        self.line_start();
        match &data.end {
            Terminator::Yield(values) if values.is_empty() => self.out.push_str("yield\n"),
            Terminator::Yield(values) => put!(self, "yield {}\n", self.list(values)),
            Terminator::ContinueIf {
                cond,
                next,
                results,
            } => {
                let (next, results) = (self.list(next), self.list(results));
                let cond = self.value(*cond);
                put!(self, "continue_if {cond} ({next}) else ({results})\n");
            }
        }
    }

    fn inst(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        self.line_start();
        // The text of the arguments before the results get their numbers.
        let args = self.list(&data.args);
        for (i, &result) in data.results.iter().enumerate() {
            let value = self.define(result);
            put!(self, "{}{value}: {}", comma(i), func.dtype(result));
        }
        if !data.results.is_empty() {
            self.out.push_str(" = ");
        }
        match &data.kind {
            InstKind::Const(value) => put!(self, "const {}", constant(*value)),
            InstKind::Index(None) => self.out.push_str("index"),
            InstKind::Index(Some(axis)) => put!(self, "index {axis}"),
            InstKind::Op(op) => put!(self, "{} {args}", op.info().name),
            InstKind::Math(f) => put!(self, "{} {args}", f.info().id),
            InstKind::If {
                then_region,
                else_region,
            } => {
                put!(self, "if {args} ");
                self.block(*then_region);
                self.out.push_str(" else ");
                self.block(*else_region);
            }
            InstKind::Loop { body } => {
                self.out.push_str("loop (");
                for (i, &param) in func.regions[*body].params.iter().enumerate() {
                    let init = data
                        .args
                        .get(i)
                        .map_or(String::new(), |init| self.value(*init));
                    let value = self.define(param);
                    let dtype = func.dtype(param);
                    put!(self, "{}{value}: {dtype} = {init}", comma(i));
                }
                self.out.push_str(") ");
                self.block(*body);
            }
        }
        self.out.push('\n');
    }

    fn block(&mut self, region: Region) {
        self.out.push_str("{\n");
        self.depth += 1;
        self.region(region);
        self.depth -= 1;
        self.line_start();
        self.out.push('}');
    }
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { ", " }
}

/// A name as it is if it is a word, else in quotes.
fn name(name: &str) -> String {
    let mut chars = name.chars();
    let starts_well = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_word = starts_well && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word && !KEYWORDS.contains(&name) {
        name.to_string()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
