//! Random well-typed kernels as source text, of every dtype and control-flow form, that end on every input.

use std::fmt::Write as _;

use ufc::DType;
use ufc_ir::Kind;
use ufc_ir::ops::{AnyOp, MathFn, Op, Rule};
use ufc_ir::testing::Rng;

/// How deep expressions nest.
const EXPR_DEPTH: usize = 3;
/// How deep blocks nest.
const BLOCK_DEPTH: usize = 3;

/// Generates a kernel called `kernel`.
pub(super) fn generate(seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let dtypes: Vec<DType> = (0..2 + rng.below(3))
        .map(|_| rng.choose(DType::ALL))
        .collect();
    let mut writer = Writer {
        rng,
        dtypes: [&dtypes[..], &[DType::Bool, DType::I32]].concat(),
        out: String::new(),
        scope: Vec::new(),
        helpers: Vec::new(),
        results: Vec::new(),
        names: 0,
        indent: 0,
        loops: 0,
    };
    for _ in 0..writer.rng.below(3) {
        writer.helper();
    }
    writer.function("pub fn kernel");
    writer.out
}

#[derive(Clone)]
struct Variable {
    name: String,
    dtype: DType,
    is_mut: bool,
}

#[derive(Clone)]
struct Helper {
    name: String,
    params: Vec<DType>,
    result: DType,
}

struct Writer {
    rng: Rng,
    /// The dtypes of this kernel.
    dtypes: Vec<DType>,
    out: String,
    scope: Vec<Variable>,
    helpers: Vec<Helper>,
    /// What the function being written gives.
    results: Vec<DType>,
    names: usize,
    indent: usize,
    /// Loops around the statement being written.
    loops: usize,
}

impl Writer {
    fn dtype(&mut self) -> DType {
        let dtypes = self.dtypes.clone();
        self.rng.choose(&dtypes)
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn line(&mut self, text: &str) {
        let indent = 4 * self.indent;
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn helper(&mut self) {
        let name = format!("helper{}", self.helpers.len());
        self.function(&format!("fn {name}"));
        let params = self.scope.iter().map(|variable| variable.dtype).collect();
        self.helpers.push(Helper {
            name,
            params,
            result: self.results[0],
        });
    }

    /// Writes a function; its parameters stay in scope.
    fn function(&mut self, head: &str) {
        let is_kernel = head.starts_with("pub");
        let params: Vec<DType> = (0..1 + self.rng.below(3)).map(|_| self.dtype()).collect();
        self.scope = params
            .iter()
            .map(|dtype| Variable {
                name: self.name(),
                dtype: *dtype,
                is_mut: false,
            })
            .collect();
        let params = self.scope.clone();
        let listed: Vec<String> = params
            .iter()
            .map(|p| format!("{}: {}", p.name, p.dtype))
            .collect();
        let count = if is_kernel { 1 + self.rng.below(3) } else { 1 };
        self.results = (0..count).map(|_| self.dtype()).collect();
        let results: Vec<&str> = self.results.iter().map(|dtype| dtype.name()).collect();
        let results = if count == 1 {
            results[0].to_string()
        } else {
            format!("({})", results.join(", "))
        };
        self.line(&format!("{head}({}) -> {results} {{", listed.join(", ")));
        self.indent += 1;
        let size = 3 + self.rng.below(6);
        self.statements(size, BLOCK_DEPTH);
        let value = self.result();
        self.line(&value);
        self.indent -= 1;
        self.line("}\n");
        self.scope = params;
    }

    /// The results of the function, as an expression.
    fn result(&mut self) -> String {
        let results = self.results.clone();
        let values: Vec<String> = results
            .iter()
            .map(|dtype| self.expr(*dtype, EXPR_DEPTH))
            .collect();
        if values.len() == 1 {
            values[0].clone()
        } else {
            format!("({})", values.join(", "))
        }
    }

    fn statements(&mut self, count: usize, depth: usize) {
        for _ in 0..count {
            self.statement(depth);
        }
    }

    /// Statements in braces of their own, after `head`.
    fn block(&mut self, head: &str, depth: usize) {
        self.line(&format!("{head} {{"));
        let outer = self.scope.len();
        self.indent += 1;
        let count = 1 + self.rng.below(3);
        self.statements(count, depth - 1);
        self.indent -= 1;
        self.scope.truncate(outer);
        self.line("}");
    }

    fn statement(&mut self, depth: usize) {
        match self.rng.below(if depth > 0 { 16 } else { 8 }) {
            0..=2 => self.binding(),
            3..=5 => self.assignment(),
            6 => self.leave(),
            7 => self.pair(),
            8..=10 => {
                let cond = self.expr(DType::Bool, 2);
                self.block(&format!("if {cond}"), depth);
                if self.rng.one_in(2) {
                    self.block("else", depth);
                }
            }
            11..=12 => self.for_loop(depth),
            13 => self.while_loop(depth),
            _ => self.loop_value(depth),
        }
    }

    fn binding(&mut self) {
        let dtype = self.dtype();
        let value = self.expr(dtype, EXPR_DEPTH);
        let is_mut = !self.rng.one_in(3);
        // Sometimes a name that is taken, which is shadowed then.
        let taken = !self.scope.is_empty() && self.rng.one_in(5);
        let name = if taken {
            self.scope[self.rng.below(self.scope.len())].name.clone()
        } else {
            self.name()
        };
        self.line(&format!(
            "let {}{name}: {dtype} = {value};",
            if is_mut { "mut " } else { "" }
        ));
        self.declare(name, dtype, is_mut);
    }

    fn declare(&mut self, name: String, dtype: DType, is_mut: bool) {
        self.scope.push(Variable {
            name,
            dtype,
            is_mut,
        });
    }

    /// The variables that their names mean here: the last of each name.
    fn visible(&self) -> Vec<Variable> {
        let hidden = |at: usize| {
            self.scope[at + 1..]
                .iter()
                .any(|later| later.name == self.scope[at].name)
        };
        (0..self.scope.len())
            .filter(|at| !hidden(*at))
            .map(|at| self.scope[at].clone())
            .collect()
    }

    fn assignment(&mut self) {
        let targets: Vec<Variable> = self.visible().into_iter().filter(|v| v.is_mut).collect();
        if targets.is_empty() {
            return self.binding();
        }
        let target = &targets[self.rng.below(targets.len())];
        let sign = match target.dtype.kind() {
            Kind::Bool => self.rng.choose(&["", "&", "|", "^"]),
            Kind::Complex => self.rng.choose(&["", "+", "-", "*"]),
            Kind::Float => self.rng.choose(&["", "+", "-", "*", "/"]),
            Kind::Signed | Kind::Unsigned => self
                .rng
                .choose(&["", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]),
        };
        let value = self.expr(target.dtype, EXPR_DEPTH);
        self.line(&format!("{} {sign}= {value};", target.name));
    }

    /// Leaves a loop or the function on some condition.
    fn leave(&mut self) {
        let cond = self.expr(DType::Bool, 1);
        let what = match self.rng.below(3) {
            0 => format!("return {};", self.result()),
            1 if self.loops > 0 => "break;".to_string(),
            2 if self.loops > 0 => "continue;".to_string(),
            _ => return,
        };
        self.line(&format!("if {cond} {{ {what} }}"));
    }

    fn pair(&mut self) {
        let (a, b) = (self.dtype(), self.dtype());
        let (x, y) = (self.expr(a, 2), self.expr(b, 2));
        let (p, q) = (self.name(), self.name());
        self.line(&format!("let ({p}, mut {q}): ({a}, {b}) = ({x}, {y});"));
        self.declare(p, a, false);
        self.declare(q, b, true);
    }

    fn for_loop(&mut self, depth: usize) {
        let ints: Vec<DType> = DType::ALL
            .iter()
            .copied()
            .filter(|dtype| dtype.is_int())
            .collect();
        let dtype = self.rng.choose(&ints);
        let name = self.name();
        let low = self.rng.below(3);
        let range = format!(
            "{low}{dtype}{}{}",
            self.rng.choose(&["..", "..="]),
            low + self.rng.below(5)
        );
        let adapters = self.rng.choose(&[
            "",
            ".rev()",
            ".step_by(2)",
            ".rev().step_by(3)",
            ".step_by(2).rev()",
        ]);
        let range = if adapters.is_empty() {
            range
        } else {
            format!("({range}){adapters}")
        };
        let outer = self.scope.len();
        self.declare(name.clone(), dtype, false);
        self.loops += 1;
        self.block(&format!("for {name} in {range}"), depth);
        self.loops -= 1;
        self.scope.truncate(outer);
    }

    /// A `while` that a counter ends at last; the counter is out of reach of the statements.
    fn while_loop(&mut self, depth: usize) {
        let count = self.name();
        let cond = self.expr(DType::Bool, 2);
        let turns = 1 + self.rng.below(6);
        self.line(&format!("let mut {count} = 0u32;"));
        self.loops += 1;
        self.block(
            &format!("while {{ {count} += 1; {count} <= {turns} && {cond} }}"),
            depth,
        );
        self.loops -= 1;
    }

    /// A `loop` with a value, with a label now and then.
    fn loop_value(&mut self, depth: usize) {
        let (count, name, dtype) = (self.name(), self.name(), self.dtype());
        let label = if self.rng.one_in(2) {
            format!("'{name}")
        } else {
            String::new()
        };
        let head = if label.is_empty() {
            "loop {".to_string()
        } else {
            format!("{label}: loop {{")
        };
        self.line(&format!("let mut {count} = 0u32;"));
        self.line(&format!("let mut {name}: {dtype} = {head}"));
        let outer = self.scope.len();
        let value = self.expr(dtype, 2);
        self.indent += 1;
        self.line(&format!("{count} += 1;"));
        let turns = 1 + self.rng.below(5);
        self.line(&format!(
            "if {count} > {turns} {{ break {label} {value}; }}"
        ));
        // A plain `break` would lack the value here, so the statements are not told that they are in a loop.
        let loops = std::mem::take(&mut self.loops);
        let size = 1 + self.rng.below(2);
        self.statements(size, depth - 1);
        self.loops = loops;
        let cond = self.expr(DType::Bool, 2);
        let value = self.expr(dtype, 2);
        self.line(&format!("if {cond} {{ break {label} {value}; }}"));
        self.indent -= 1;
        self.scope.truncate(outer);
        self.line("};");
        self.declare(name, dtype, true);
    }

    fn expr(&mut self, dtype: DType, depth: usize) -> String {
        if depth == 0 || self.rng.one_in(6) {
            return self.leaf(dtype);
        }
        match self.rng.below(10) {
            0..=3 => self.binary(dtype, depth - 1),
            4..=6 => self.operation(dtype, depth - 1),
            7 => self.cast(dtype, depth - 1),
            8 => {
                let cond = self.expr(DType::Bool, depth - 1);
                let (a, b) = (self.expr(dtype, depth - 1), self.expr(dtype, depth - 1));
                format!("(if {cond} {{ {a} }} else {{ {b} }})")
            }
            _ => self.call(dtype, depth - 1),
        }
    }

    fn leaf(&mut self, dtype: DType) -> String {
        let fitting: Vec<Variable> = self
            .visible()
            .into_iter()
            .filter(|v| v.dtype == dtype)
            .collect();
        if !fitting.is_empty() && !self.rng.one_in(4) {
            return fitting[self.rng.below(fitting.len())].name.clone();
        }
        self.literal(dtype)
    }

    fn literal(&mut self, dtype: DType) -> String {
        let number = self.rng.choose(&["0", "1", "2", "3", "7", "100"]);
        match dtype.kind() {
            Kind::Bool => self.rng.choose(&["true", "false"]).to_string(),
            Kind::Signed | Kind::Unsigned if dtype == DType::I64 && self.rng.one_in(3) => {
                "index()".to_string()
            }
            Kind::Signed | Kind::Unsigned => format!("{number}{dtype}"),
            Kind::Float => format!("({number}.5f32 as {dtype})"),
            Kind::Complex => format!("{dtype}({number}.0, {}.25)", self.rng.below(5)),
        }
    }

    fn binary(&mut self, dtype: DType, depth: usize) -> String {
        let signs: &[&str] = match dtype.kind() {
            Kind::Bool => return self.condition(depth),
            Kind::Complex => &["+", "-", "*"],
            Kind::Float => &["+", "-", "*", "/", "%"],
            Kind::Signed | Kind::Unsigned => &["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"],
        };
        let sign = self.rng.choose(signs);
        let (a, b) = (self.expr(dtype, depth), self.expr(dtype, depth));
        format!("({a} {sign} {b})")
    }

    fn condition(&mut self, depth: usize) -> String {
        if self.rng.one_in(3) {
            let sign = self.rng.choose(&["&&", "||", "&", "|", "^"]);
            let (a, b) = (self.expr(DType::Bool, depth), self.expr(DType::Bool, depth));
            return format!("({a} {sign} {b})");
        }
        let dtype = self.dtype();
        let signs: &[&str] = match dtype.kind() {
            Kind::Bool | Kind::Complex => &["==", "!="],
            Kind::Float | Kind::Signed | Kind::Unsigned => &["<", "<=", ">", ">=", "==", "!="],
        };
        let sign = self.rng.choose(signs);
        let (a, b) = (self.expr(dtype, depth), self.expr(dtype, depth));
        format!("({a} {sign} {b})")
    }

    /// A row of the table of operations that gives this dtype from arguments of the same, as a method or a function.
    fn operation(&mut self, dtype: DType, depth: usize) -> String {
        let fits = |op: &AnyOp| match op.rule() {
            Rule::Same(set, n) => n > 0 && set.contains(dtype),
            _ => false,
        };
        let rows: Vec<AnyOp> = AnyOp::all()
            .filter(|op| fits(op) && is_plain(*op))
            .collect();
        if rows.is_empty() {
            return self.leaf(dtype);
        }
        let op = self.rng.choose(&rows);
        let args: Vec<String> = (0..op.rule().arity())
            .map(|_| self.expr(dtype, depth))
            .collect();
        match self.rng.one_in(2) {
            true => format!("{}({})", op.name(), args.join(", ")),
            false => format!("({}).{}({})", args[0], op.name(), args[1..].join(", ")),
        }
    }

    fn cast(&mut self, dtype: DType, depth: usize) -> String {
        let from = self.dtype();
        let is_cast = !from.is_complex() && !dtype.is_complex() && dtype != DType::Bool;
        if !is_cast {
            return self.leaf(dtype);
        }
        format!("({} as {dtype})", self.expr(from, depth))
    }

    fn call(&mut self, dtype: DType, depth: usize) -> String {
        let fitting: Vec<Helper> = self
            .helpers
            .iter()
            .filter(|helper| helper.result == dtype)
            .cloned()
            .collect();
        if fitting.is_empty() {
            return self.leaf(dtype);
        }
        let helper = &fitting[self.rng.below(fitting.len())];
        let args: Vec<String> = helper
            .params
            .iter()
            .map(|dtype| self.expr(*dtype, depth))
            .collect();
        format!("{}({})", helper.name, args.join(", "))
    }
}

/// Whether a row can be called by its name on any value and shows nothing of a NaN's bits.
fn is_plain(op: AnyOp) -> bool {
    match op {
        AnyOp::Core(op) => matches!(
            op,
            Op::Abs
                | Op::MulAdd
                | Op::Sqrt
                | Op::Min
                | Op::Max
                | Op::Minimum
                | Op::Maximum
                | Op::Floor
                | Op::Ceil
                | Op::Trunc
                | Op::RoundTiesEven
        ),
        AnyOp::Math(f) => !matches!(f, MathFn::Copysign | MathFn::Pow | MathFn::FloatSignum),
    }
}
