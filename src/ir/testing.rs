//! Random functions and inputs, the same for the same seed: for tests that compare what must agree.

use crate::builder::Builder;
use crate::constant::Const;
use crate::convert::{convert, from_f64};
use crate::dtype::{DType, Kind, TypeSet};
use crate::func::{Func, InstKind, Terminator, Value};
use crate::ops::{AnyOp, MathFn, Op, Rule};
use std::hash::{BuildHasher, Hasher, RandomState};

/// What random functions are made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// Dtypes of parameters, values and results. Bool, u32 and i32 occur whatever is asked for.
    pub dtypes: TypeSet,
    /// Core operations to choose from; `any`, which the scalar form has not, is never chosen.
    pub ops: Vec<Op>,
    /// Math functions to choose from.
    pub math: Vec<MathFn>,
    /// Whether positions are asked for.
    pub index: bool,
    /// About how many instructions there are.
    pub size: usize,
    /// How deep `if` and `loop` nest.
    pub depth: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            dtypes: TypeSet::ANY,
            ops: Op::ALL.to_vec(),
            math: Vec::new(),
            index: true,
            size: 40,
            depth: 3,
        }
    }
}

/// A small random number generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below a bound that is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() >> 11) as usize % bound
    }

    /// True once in so many times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the items, of which there is at least one.
    pub fn choose<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// A seed that differs from run to run.
pub fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Calls `test` with so many seeds that differ from run to run; first with fixed ones.
///
/// # Panics
/// If the test does, with the seed in the message.
pub fn for_seeds(count: usize, fixed: &[u64], test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let start = fresh_seed();
    let fresh = (0..count as u64).map(|i| start.wrapping_add(i));
    for seed in fixed.iter().copied().chain(fresh) {
        if let Err(cause) = std::panic::catch_unwind(|| test(seed)) {
            let message = cause
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_string()))
                .unwrap_or_default();
            panic!("with seed {seed}: {message}");
        }
    }
}

/// A value of a dtype: special ones, small integers, and any bits.
pub fn random_const(rng: &mut Rng, dtype: DType) -> Const {
    let bits = u128::from(rng.bits()) << 64 | u128::from(rng.bits());
    match dtype.kind() {
        Kind::Bool => Const::bool(bits & 1 == 1),
        Kind::Signed | Kind::Unsigned => match rng.below(4) {
            0 => Const::int(dtype, rng.below(10) as i128 - 3),
            1 => {
                let near = (1i128 << (dtype.bits() - rng.below(2) as u32)) - 1;
                Const::int(dtype, near + rng.below(3) as i128 - 1)
            }
            2 => Const::int(dtype, 1 << rng.below(dtype.bits() as usize)),
            _ => Const::from_bits(dtype, bits),
        },
        Kind::Float => random_float(rng, dtype, bits),
        Kind::Complex => {
            let part = dtype.part();
            let (re, im) = (random_const(rng, part), random_const(rng, part));
            Const::complex(re, im).expect("parts of a complex dtype")
        }
    }
}

fn random_float(rng: &mut Rng, dtype: DType, bits: u128) -> Const {
    const SPECIAL: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        // Near the limits of f16, f32 and the integers.
        65504.0,
        2_147_483_648.0,
        1e-45,
        3.4e38,
    ];
    match rng.below(4) {
        0 => from_f64(dtype, rng.choose(&SPECIAL)),
        1 => from_f64(dtype, rng.below(2000) as f64 - 1000.0),
        2 => from_f64(dtype, (rng.bits() >> 11) as f64 / (1u64 << 50) as f64 - 4.0),
        _ => Const::from_bits(dtype, bits),
    }
}

/// Inputs for a function: per parameter, so many lanes.
pub fn random_inputs(seed: u64, func: &Func, lanes: usize) -> Vec<Vec<Const>> {
    let mut rng = Rng::new(seed);
    let dtypes = func.param_dtypes().into_iter();
    dtypes
        .map(|d| (0..lanes).map(|_| random_const(&mut rng, d)).collect())
        .collect()
}

/// A well-formed function in scalar form that ends on every input.
///
/// No result depends on the payload or sign of a NaN: the bits of floats are taken only where they are numbers.
pub fn random_func(seed: u64, config: &Config) -> Func {
    let mut rng = Rng::new(seed);
    let mut func = Func::new(&format!("random_{seed}"));
    let mut builder = Builder::new(&mut func);
    let always = [DType::Bool, DType::U32, DType::I32];
    let dtypes: Vec<DType> = config
        .dtypes
        .or(always.into_iter().collect())
        .iter()
        .collect();
    let asked: Vec<DType> = config.dtypes.iter().collect();
    let mut pool = Vec::new();
    for i in 0..1 + rng.below(4) {
        let source = if asked.is_empty() { &dtypes } else { &asked };
        pool.push(builder.param(&format!("p{i}"), rng.choose(source)));
    }
    let mut generator = Generator {
        rng,
        config,
        dtypes,
        builder,
        pool,
        budget: config.size,
    };
    while generator.budget > 0 {
        generator.step(config.depth);
    }
    let count = 1 + generator.rng.below(3);
    let results = (0..count).map(|_| generator.recent()).collect();
    generator.builder.finish(results);
    func
}

struct Generator<'c, 'f> {
    rng: Rng,
    config: &'c Config,
    dtypes: Vec<DType>,
    builder: Builder<'f>,
    /// Values in scope, of any dtype.
    pool: Vec<Value>,
    /// Instructions still to be made.
    budget: usize,
}

impl Generator<'_, '_> {
    fn step(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        if depth > 0 && self.rng.one_in(8) {
            if self.rng.one_in(2) {
                self.branch(depth - 1);
            } else {
                self.repeat(depth - 1);
            }
        } else if self.config.index && self.rng.one_in(20) {
            let axis = self.rng.choose(&[None, Some(0), Some(1)]);
            let value = self.builder.index(axis);
            self.pool.push(value);
        } else {
            self.operation();
        }
    }

    /// A value in scope, more likely one of the last.
    fn recent(&mut self) -> Value {
        let back = self.rng.below(self.pool.len());
        let back = back.min(self.rng.below(self.pool.len()));
        self.pool[self.pool.len() - 1 - back]
    }

    /// A value of a dtype: one in scope if there is any, sometimes a constant.
    fn value(&mut self, dtype: DType) -> Value {
        if !self.rng.one_in(8) {
            let builder = &self.builder;
            let fitting = |v: &Value| builder.func.dtype(*v) == dtype;
            // Of very many values only the last ones, so that the time grows with the size alone.
            let recent = &self.pool[self.pool.len().saturating_sub(500)..];
            let found: Vec<Value> = recent.iter().copied().filter(fitting).collect();
            if !found.is_empty() {
                return self.rng.choose(&found);
            }
            let from = self.recent();
            let convertible = !self.builder.func.dtype(from).is_complex() || dtype.is_complex();
            if convertible && self.rng.one_in(2) {
                return self.builder.convert(from, dtype);
            }
        }
        let value = random_const(&mut self.rng, dtype);
        self.builder.constant(value)
    }

    fn operation(&mut self) {
        let math = self.config.math.len();
        let number = self.rng.below(self.config.ops.len() + math);
        let op = match self.config.math.get(number) {
            Some(f) => AnyOp::Math(*f),
            None => AnyOp::Core(self.config.ops[number - math]),
        };
        let rule = op.rule();
        let set = rule.set();
        let fitting: Vec<DType> = self
            .dtypes
            .iter()
            .copied()
            .filter(|d| set.contains(*d))
            .collect();
        if fitting.is_empty() || op == AnyOp::Core(Op::Any) {
            return;
        }
        let dtype = self.rng.choose(&fitting);
        let args: Vec<Value> = (0..rule.arity())
            .map(|i| {
                let first = rule.argument(i, dtype).iter().next();
                let wanted = if i == rule.key() { Some(dtype) } else { first };
                self.value(wanted.expect("some dtype"))
            })
            .collect();
        match op {
            AnyOp::Core(Op::Convert) => self.conversion(args[0], dtype),
            AnyOp::Core(Op::Bitcast) => self.bitcast(args[0], dtype),
            AnyOp::Core(op) => {
                let result = self.builder.op(op, &args);
                // Parts of complex numbers may be of a dtype that was not asked for.
                if self.dtypes.contains(&self.builder.func.dtype(result)) {
                    self.pool.push(result);
                }
            }
            AnyOp::Math(f) => {
                let results = self.builder.math(f, &args);
                self.pool.extend(results);
            }
        }
    }

    fn conversion(&mut self, value: Value, from: DType) {
        let to = self.rng.choose(&self.dtypes);
        if !from.is_complex() || to.is_complex() {
            let result = self.builder.convert(value, to);
            self.pool.push(result);
        }
    }

    fn bitcast(&mut self, value: Value, from: DType) {
        let fits = |to: &DType| Rule::Bitcast.check(&[from], Some(*to)).is_ok() && *to != from;
        let fitting: Vec<DType> = self.dtypes.iter().copied().filter(fits).collect();
        if fitting.is_empty() {
            return;
        }
        let to = self.rng.choose(&fitting);
        let mut value = value;
        if from.is_float() {
            let is_number = self.builder.op(Op::Eq, &[value, value]);
            let one = self.builder.constant(convert(Const::bool(true), from));
            value = self.builder.op(Op::Select, &[is_number, value, one]);
        }
        let result = self.builder.bitcast(value, to);
        self.pool.push(result);
    }

    /// Adds some instructions to the region that the builder is at.
    fn fill(&mut self, depth: usize) {
        let share = 1 + self.rng.below(self.budget.max(1));
        let stop = self.budget.saturating_sub(share);
        while self.budget > stop {
            self.step(depth);
        }
    }

    fn branch(&mut self, depth: usize) {
        let cond = self.value(DType::Bool);
        let count = self.rng.below(4);
        let dtypes: Vec<DType> = (0..count).map(|_| self.rng.choose(&self.dtypes)).collect();
        let regions = [(); 2].map(|()| self.builder.func.add_region());
        let outer = self.builder.region();
        for region in regions {
            self.builder.switch_to(region);
            let in_scope = self.pool.len();
            if !self.rng.one_in(4) {
                self.fill(depth);
            }
            let values = dtypes.iter().map(|d| self.value(*d)).collect();
            self.builder.func.regions[region].end = Terminator::Yield(values);
            self.pool.truncate(in_scope);
        }
        self.builder.switch_to(outer);
        let kind = InstKind::If {
            then_region: regions[0],
            else_region: regions[1],
        };
        let inst = self.builder.inst(kind, vec![cond], &dtypes);
        self.pool
            .extend_from_slice(&self.builder.func.insts[inst].results);
    }

    /// Puts the square of a value in scope, sometimes; tells whether it did.
    fn square(&mut self, value: Value) -> bool {
        let wanted = self.rng.one_in(3);
        if wanted {
            let square = self.builder.op(Op::Mul, &[value, value]);
            self.pool.push(square);
        }
        wanted
    }

    /// A loop that turns at most eight times; the limit may differ between elements.
    fn repeat(&mut self, depth: usize) {
        let limit = match self.rng.one_in(2) {
            true => {
                let limit = Const::int(DType::U32, self.rng.below(8) as i128);
                self.builder.constant(limit)
            }
            false => {
                let any = self.value(DType::U32);
                let seven = self.builder.constant(Const::int(DType::U32, 7));
                self.builder.op(Op::And, &[any, seven])
            }
        };
        let zero = self.builder.constant(Const::int(DType::U32, 0));
        let count = self.rng.below(4);
        let carried: Vec<DType> = (0..count).map(|_| self.rng.choose(&self.dtypes)).collect();
        let mut init = vec![zero];
        init.extend(carried.iter().map(|d| self.value(*d)));

        let region = self.builder.func.add_region();
        let outer = self.builder.switch_to(region);
        let in_scope = self.pool.len();
        let counter = self.builder.func.add_param(region, DType::U32);
        self.pool.push(counter);
        for dtype in &carried {
            let param = self.builder.func.add_param(region, *dtype);
            self.pool.push(param);
        }
        let square = self.square(counter);
        self.fill(depth);
        let one = self.builder.constant(Const::int(DType::U32, 1));
        let mut next = vec![self.builder.op(Op::Add, &[counter, one])];
        if square {
            // The square of the next turn, which predictive commoning looks for.
            let square = self.builder.op(Op::Mul, &[next[0], next[0]]);
            self.pool.push(square);
        }
        let mut cond = self.builder.op(Op::Lt, &[counter, limit]);
        if self.rng.one_in(2) {
            let early = self.value(DType::Bool);
            cond = self.builder.op(Op::And, &[cond, early]);
        }
        next.extend(carried.iter().map(|d| self.value(*d)));
        let results: Vec<Value> = (0..self.rng.below(4)).map(|_| self.recent()).collect();
        let dtypes: Vec<DType> = results
            .iter()
            .map(|v| self.builder.func.dtype(*v))
            .collect();
        self.builder.func.regions[region].end = Terminator::ContinueIf {
            cond,
            next,
            results,
        };
        self.pool.truncate(in_scope);
        self.builder.switch_to(outer);
        let kind = InstKind::Loop { body: region };
        let inst = self.builder.inst(kind, init, &dtypes);
        self.pool
            .extend_from_slice(&self.builder.func.insts[inst].results);
    }
}
