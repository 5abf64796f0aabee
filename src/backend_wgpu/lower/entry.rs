//! The entry point: which element an invocation computes, where its operands are, and how its results are stored.
//!
//! All memory is bound as words of 32 bits. The uniform `args` holds, one word after another: the number of elements,
//! invocations in a row of the grid, a zero that no compiler knows, the turns that loops may take, the loop dims, and
//! then per operand either a value (4 words) or its offset and strides, and per position its base and steps (2 words each).
//! Offsets and strides are in words for elements of 4 bytes and more, in bytes for smaller ones.

use super::{Element, position_name, prelude, type_of};
use crate::device::Caps;
use crate::names;
use crate::wgsl;
use std::fmt::Write as _;
use ufc_ir::DType;

/// Invocations in a workgroup.
pub(crate) const WORKGROUP: u32 = 64;

/// The words of `args` before the loop dims.
pub(crate) const HEAD_WORDS: usize = 4;

/// How a launch's operand is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Access {
    /// One value, in the arguments.
    Value,
    /// Elements one after another in the order of the loop, in this binding.
    Linear(u32),
    /// A stride for each loop dim, in this binding.
    Strided(u32),
}

impl Access {
    /// The binding, if it is in memory.
    pub(crate) fn binding(self) -> Option<u32> {
        match self {
            Access::Value => None,
            Access::Linear(binding) | Access::Strided(binding) => Some(binding),
        }
    }
}

/// What a shader is made for, besides the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Layout {
    /// Number of loop dims.
    pub(crate) rank: usize,
    /// Inputs, then outputs.
    pub(crate) operands: Vec<Access>,
    /// How many elements an invocation computes, so that results of less than a word fill words.
    pub(crate) group: u32,
}

impl Layout {
    /// Number of bindings of memory.
    pub(crate) fn bindings(&self) -> u32 {
        let bindings = self.operands.iter().filter_map(|a| a.binding());
        bindings.max().map_or(0, |last| last + 1)
    }

    /// How many words `args` has.
    pub(crate) fn words(&self, positions: usize) -> usize {
        let of = |access: &Access| match access {
            Access::Value => 4,
            Access::Linear(_) | Access::Strided(_) => 1 + self.rank,
        };
        let operands: usize = self.operands.iter().map(of).sum();
        HEAD_WORDS + self.rank + operands + positions * (2 + 2 * self.rank)
    }
}

/// How many elements an invocation computes where the results of a kernel are stored one after another.
pub(crate) fn group_of(results: &[DType]) -> u32 {
    let smallest = results.iter().map(|d| d.size()).min().unwrap_or(4);
    (4 / smallest.clamp(1, 4)) as u32
}

/// The whole shader.
pub(crate) fn shader(element: &Element, layout: &Layout, caps: &Caps) -> String {
    let mut writer = Writer {
        element,
        layout,
        out: String::new(),
        next_word: HEAD_WORDS + layout.rank,
    };
    writer.main();
    let main = std::mem::take(&mut writer.out);
    writer.function();
    let function = std::mem::take(&mut writer.out);
    let helpers = {
        let mut called: Vec<&str> = prelude::words(&main).collect();
        wgsl::each_call(&element.body, &mut |name| called.push(name));
        prelude::text(called.into_iter(), caps.i64)
    };
    writer.head(caps);
    format!("{}{helpers}{function}\n{main}", writer.out)
}

struct Writer<'a> {
    element: &'a Element,
    layout: &'a Layout,
    out: String,
    next_word: usize,
}

/// A line of text.
macro_rules! line {
    ($to:expr, $($text:tt)*) => {{
        // Writing to a string does not fail.
        let _ = writeln!($to.out, $($text)*);
    }};
}

fn word(index: usize) -> String {
    format!("args[{}].{}", index / 4, ["x", "y", "z", "w"][index % 4])
}

impl Writer<'_> {
    fn inputs(&self) -> usize {
        self.element.params.len()
    }

    fn dtype(&self, operand: usize) -> DType {
        match self.element.params.get(operand) {
            Some((dtype, _)) => *dtype,
            None => self.element.results[operand - self.inputs()],
        }
    }

    /// Whether the results of an operand are stored as parts of words that others write too.
    fn shares_words(&self, operand: usize) -> bool {
        let is_output = operand >= self.inputs();
        let alone = matches!(self.layout.operands[operand], Access::Linear(_));
        is_output && self.dtype(operand).size() < 4 && !(alone && self.layout.group > 1)
    }

    fn is_atomic(&self, binding: u32) -> bool {
        let operands = self.layout.operands.iter().enumerate();
        operands
            .filter(|(_, access)| access.binding() == Some(binding))
            .any(|(operand, _)| self.shares_words(operand))
    }

    /// A word of a binding, as a value.
    fn load(&self, binding: u32, index: &str) -> String {
        if self.is_atomic(binding) {
            format!("atomicLoad(&b{binding}[{index}])")
        } else {
            format!("b{binding}[{index}]")
        }
    }

    fn head(&mut self, caps: &Caps) {
        let words = self.layout.words(self.element.positions.len());
        line!(self, "// `{}`", names::comment(&self.element.name));
        let wide = if caps.i64 { "u64" } else { "vec2<u32>" };
        line!(self, "alias wide = {wide};\n");
        let length = words.div_ceil(4);
        line!(
            self,
            "@group(0) @binding(0) var<uniform> args: array<vec4<u32>, {length}>;"
        );
        for binding in 0..self.layout.bindings() {
            let ty = if self.is_atomic(binding) {
                "atomic<u32>"
            } else {
                "u32"
            };
            line!(
                self,
                "@group(0) @binding({}) var<storage, read_write> b{binding}: array<{ty}>;",
                binding + 1
            );
        }
        if self.element.has_loop {
            line!(
                self,
                "@group(0) @binding({}) var<storage, read_write> status: atomic<u32>;\n",
                self.layout.bindings() + 1
            );
            line!(self, "var<private> turns_left: u32;");
            line!(self, "var<private> failed: u32;");
        }
        self.out.push('\n');
    }

    fn function(&mut self) {
        line!(self, "struct Results {{");
        for (i, dtype) in self.element.results.iter().enumerate() {
            line!(self, "    r{i}: {},", type_of(*dtype));
        }
        line!(self, "}}\n");
        let params = self.element.params.iter();
        let mut list: Vec<String> = params
            .map(|(dtype, name)| format!("{name}: {}", type_of(*dtype)))
            .collect();
        let positions = self.element.positions.iter();
        list.extend(positions.map(|axis| format!("{}: wide", position_name(*axis))));
        line!(self, "fn element({}) -> Results {{", list.join(", "));
        wgsl::print(&self.element.body, 1, &mut self.out);
        line!(self, "}}");
    }

    fn main(&mut self) {
        line!(self, "@compute @workgroup_size({WORKGROUP})");
        line!(
            self,
            "fn main(@builtin(global_invocation_id) id: vec3<u32>) {{"
        );
        line!(self, "    let invocation = id.y * {} + id.x;", word(1));
        let group = self.layout.group;
        if group == 1 {
            line!(
                self,
                "    if (invocation >= {}) {{\n        return;\n    }}",
                word(0)
            );
        } else {
            line!(self, "    let first = invocation * {group}u;");
            line!(
                self,
                "    if (first >= {}) {{\n        return;\n    }}",
                word(0)
            );
            for operand in self.packed() {
                line!(self, "    var packed{operand} = 0u;");
            }
        }
        if self.element.has_loop {
            line!(self, "    turns_left = {};", word(3));
        }
        if group == 1 {
            line!(self, "    let e = invocation;");
            self.one();
        } else {
            line!(self, "    for (var k = 0u; k < {group}u; k = k + 1u) {{");
            // Elements past the end are computed as the last one once more: they share a word with others.
            line!(self, "    let e = min(first + k, {} - 1u);", word(0));
            self.one();
            line!(self, "    }}");
        }
        if self.element.has_loop {
            line!(
                self,
                "    if (failed != 0u) {{\n        atomicStore(&status, 1u);\n    }}"
            );
        }
        line!(self, "}}");
    }

    /// The outputs whose words an invocation fills.
    fn packed(&self) -> Vec<usize> {
        let outputs = self.inputs()..self.layout.operands.len();
        outputs
            .filter(|o| self.dtype(*o).size() < 4 && !self.shares_words(*o))
            .collect()
    }

    /// Computes element `e`.
    fn one(&mut self) {
        self.dims();
        let mut args = Vec::new();
        for operand in 0..self.inputs() {
            args.push(self.input(operand));
        }
        let outputs = self.inputs()..self.layout.operands.len();
        let places: Vec<String> = outputs.map(|operand| self.place(operand)).collect();
        for slot in 0..self.element.positions.len() {
            args.push(self.position(slot));
        }
        line!(self, "    let result = element({});", args.join(", "));
        for (i, place) in places.iter().enumerate() {
            self.output(i, place);
        }
    }

    /// The element's number along each loop dim, where anything asks for it.
    fn dims(&mut self) {
        let strided = |access: &Access| matches!(access, Access::Strided(_));
        let rank = self.layout.rank;
        let is_asked =
            self.layout.operands.iter().any(strided) || !self.element.positions.is_empty();
        if !is_asked || rank == 0 {
            return;
        }
        let mut rest = "e".to_string();
        for dim in (1..rank).rev() {
            let extent = word(HEAD_WORDS + dim);
            line!(self, "    let q{dim} = {rest} / {extent};");
            line!(self, "    let i{dim} = {rest} - q{dim} * {extent};");
            rest = format!("q{dim}");
        }
        line!(self, "    let i0 = {rest};");
    }

    /// The place of an operand's element: in words, or in bytes for elements of less.
    fn place(&mut self, operand: usize) -> String {
        let rank = self.layout.rank;
        let at = self.next_word;
        self.next_word += 1 + rank;
        let size = self.dtype(operand).size();
        let unit = if size < 4 { size } else { size / 4 };
        let mut sum = word(at);
        match self.layout.operands[operand] {
            Access::Linear(_) if unit == 1 => {
                let _ = write!(sum, " + e");
            }
            Access::Linear(_) => {
                let _ = write!(sum, " + e * {unit}u");
            }
            Access::Strided(_) => {
                for dim in 0..rank {
                    let _ = write!(sum, " + i{dim} * {}", word(at + 1 + dim));
                }
            }
            Access::Value => {}
        }
        line!(self, "    let a{operand} = {sum};");
        format!("a{operand}")
    }

    /// The value of an input, as an expression.
    fn input(&mut self, operand: usize) -> String {
        let dtype = self.dtype(operand);
        let words: Vec<String> = match self.layout.operands[operand] {
            Access::Value => {
                let at = self.next_word;
                self.next_word += 4;
                (0..4).map(|i| word(at + i)).collect()
            }
            Access::Linear(binding) | Access::Strided(binding) => {
                let place = self.place(operand);
                match dtype.size() {
                    1 => {
                        let word = self.load(binding, &format!("{place} >> 2u"));
                        vec![format!("({word} >> (({place} & 3u) * 8u))")]
                    }
                    2 => {
                        let word = self.load(binding, &format!("{place} >> 2u"));
                        vec![format!("({word} >> (({place} & 2u) * 8u))")]
                    }
                    size => (0..size / 4)
                        .map(|i| self.load(binding, &format!("{place} + {i}u")))
                        .collect(),
                }
            }
        };
        let name = format!("in{operand}");
        let value = of_words(dtype, &words);
        line!(self, "    let {name} = {value};");
        name
    }

    fn position(&mut self, slot: usize) -> String {
        let rank = self.layout.rank;
        let at = self.next_word;
        self.next_word += 2 + 2 * rank;
        let wide = |at: usize| format!("wide_of({}, {})", word(at), word(at + 1));
        let mut sum = wide(at);
        for dim in 0..rank {
            let step = wide(at + 2 + 2 * dim);
            sum = format!("wide_add({sum}, wide_mul(wide_of(i{dim}, 0u), {step}))");
        }
        line!(self, "    let position{slot} = {sum};");
        format!("position{slot}")
    }

    fn output(&mut self, result: usize, place: &str) {
        let operand = self.inputs() + result;
        let Some(binding) = self.layout.operands[operand].binding() else {
            return;
        };
        let dtype = self.dtype(operand);
        let words = to_words(dtype, &format!("result.r{result}"));
        let size = dtype.size();
        if size >= 4 {
            for (i, text) in words.iter().enumerate() {
                let index = format!("{place} + {i}u");
                if self.is_atomic(binding) {
                    line!(self, "    atomicStore(&b{binding}[{index}], {text});");
                } else {
                    line!(self, "    b{binding}[{index}] = {text};");
                }
            }
            return;
        }
        let bits = &words[0];
        if self.shares_words(operand) {
            let mask = if size == 1 { "0xffu" } else { "0xffffu" };
            line!(self, "    let s{operand} = ({place} & 3u) * 8u;");
            let target = format!("&b{binding}[{place} >> 2u]");
            line!(self, "    atomicAnd({target}, ~({mask} << s{operand}));");
            line!(self, "    atomicOr({target}, {bits} << s{operand});");
            return;
        }
        let per_word = 4 / size;
        let packed = format!("packed{operand}");
        line!(
            self,
            "    {packed} = {packed} | ({bits} << ((k & {}u) * {}u));",
            per_word - 1,
            size * 8
        );
        line!(self, "    if ((k & {0}u) == {0}u) {{", per_word - 1);
        let first = format!("{} + (first + k) * {size}u", place_base(self, operand));
        line!(self, "        b{binding}[({first}) >> 2u] = {packed};");
        line!(self, "        {packed} = 0u;\n    }}");
    }
}

/// Where the offset of an operand is in the arguments.
fn place_base(writer: &Writer<'_>, operand: usize) -> String {
    let mut at = HEAD_WORDS + writer.layout.rank;
    for access in &writer.layout.operands[..operand] {
        at += match access {
            Access::Value => 4,
            Access::Linear(_) | Access::Strided(_) => 1 + writer.layout.rank,
        };
    }
    word(at)
}

/// A value of a dtype from its words; of the last word only the dtype's bits are meant.
fn of_words(dtype: DType, words: &[String]) -> String {
    let w = |i: usize| words[i].as_str();
    match dtype {
        DType::Bool => format!("({} & 0xffu) != 0u", w(0)),
        DType::I8 => format!("bitcast<i32>({} << 24u) >> 24u", w(0)),
        DType::I16 => format!("bitcast<i32>({} << 16u) >> 16u", w(0)),
        DType::I32 => format!("bitcast<i32>({})", w(0)),
        DType::U8 => format!("{} & 0xffu", w(0)),
        DType::U16 | DType::F16 | DType::BF16 => format!("{} & 0xffffu", w(0)),
        DType::U32 => w(0).to_string(),
        DType::I64 | DType::U64 => format!("wide_of({}, {})", w(0), w(1)),
        DType::F32 => format!("bitcast<f32>({})", w(0)),
        DType::F64 => format!("f64_of({}, {})", w(0), w(1)),
        DType::C64 => format!("c64_of({}, {})", w(0), w(1)),
        DType::C128 => format!("c128_of({}, {}, {}, {})", w(0), w(1), w(2), w(3)),
    }
}

/// The words of a value.
fn to_words(dtype: DType, value: &str) -> Vec<String> {
    match dtype {
        DType::Bool => vec![format!("select(0u, 1u, {value})")],
        DType::I8 => vec![format!("(bitcast<u32>({value}) & 0xffu)")],
        DType::I16 => vec![format!("(bitcast<u32>({value}) & 0xffffu)")],
        DType::U8 | DType::U16 | DType::F16 | DType::BF16 | DType::U32 => vec![value.to_string()],
        DType::I32 | DType::F32 => vec![format!("bitcast<u32>({value})")],
        DType::I64 | DType::U64 => {
            vec![format!("wide_low({value})"), format!("wide_high({value})")]
        }
        DType::F64 => ["x", "y"]
            .map(|w| format!("f64_words({value}).{w}"))
            .to_vec(),
        DType::C64 => ["x", "y"]
            .map(|part| format!("bitcast<u32>({value}.{part})"))
            .to_vec(),
        DType::C128 => ["x.x", "x.y", "y.x", "y.y"]
            .map(|p| {
                let (part, word) = p.split_at(1);
                format!("f64_words({value}.{part}){word}")
            })
            .to_vec(),
    }
}
