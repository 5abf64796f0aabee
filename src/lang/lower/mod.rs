//! Typed tree to IR: one kernel, every function it calls inlined, all control flow structured.
//!
//! Jumps (`break`, `continue`, `return`) become *exits*: conditions, with the values that the place jumped to needs.
//! After an exit the code goes on as if it had not been taken, for everything is pure and nothing can go wrong; only
//! what might not end, or costs much, is put behind an `if`. Where a region ends, its exits become the condition and
//! the results of the loop, flags yielded by the `if`, or a choice between results. See [`exits`].

mod analysis;
mod branch;
mod emit;
mod exits;
mod expr;
mod loops;

use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::hir::{Binding, Body, ExprKind, LocalId, Type};
use crate::resolve::Item;
use crate::span::Span;
use crate::typeck::{Scope, check_body};
use analysis::{Analysis, ENDLESS, analyze};
use exits::Exit;
use std::collections::HashMap;
use std::sync::Arc;
use ufc_ir::func::{Func, Region, Value};
use ufc_ir::{Const, DType};

/// Most instructions that a kernel may have once everything is inlined.
pub(crate) const MAX_INSTS: usize = 1 << 16;

/// How deep expressions may be nested once everything is inlined.
const MAX_DEPTH: u32 = 320;

/// How deep regions may be nested: math functions in the innermost one still have to find room.
const MAX_REGIONS: usize = ufc_ir::verify::MAX_NESTING - 24;

/// Bodies that have been checked, by item and dtypes.
pub(crate) type Bodies = HashMap<(Item, Vec<DType>), Arc<Body>>;

/// Lowers a function for these dtypes; the parameters are named so in the IR.
pub(crate) fn lower_item(
    scope: Scope<'_>,
    bodies: &Bodies,
    item: Item,
    types: &[DType],
    name: &str,
    param_names: &[String],
) -> Result<Func, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(scope, bodies, name);
    if let Some(body) = lowering.body(item, types) {
        lowering.kernel(item, types, &body, param_names);
    }
    lowering.done()
}

/// Lowers expressions that stand for themselves to a function without parameters that gives their values.
pub(crate) fn lower_body(
    scope: Scope<'_>,
    bodies: &Bodies,
    values: &[Body],
) -> Result<Func, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(scope, bodies, "value");
    let mut results = Vec::new();
    for (index, body) in values.iter().enumerate() {
        // No item has this number, so the analysis is remembered for this body alone.
        let item = Item::Constant(usize::MAX - index);
        results.extend(lowering.inlined(item, &[], &Arc::new(body.clone()), Vec::new()));
    }
    lowering.builder().finish(results);
    lowering.done()
}

pub(super) struct Lowering<'a> {
    scope: Scope<'a>,
    bodies: &'a Bodies,
    own_bodies: Bodies,
    analyses: HashMap<(Item, Vec<DType>), Arc<Analysis>>,
    sink: Sink,
    func: Func,
    region: Region,
    /// Exits of the current region so far, in the order in which they happen.
    exits: Vec<Exit>,
    /// Whether control cannot come to this point.
    dead: bool,
    frames: Vec<Frame>,
    frame_count: u32,
    /// Every change of a variable: its place and old value, so that branches can be undone and compared.
    log: Vec<(usize, LocalId, Option<Vec<Value>>)>,
    depth: u32,
    /// Conditions and their opposites, with the region in which the opposite may be used unless it is older.
    inverses: HashMap<Value, (Option<Region>, Value)>,
    /// How many regions are around the current place.
    region_depth: usize,
    /// Loops whose bodies are being lowered, by function and number.
    open: HashMap<(u32, crate::hir::LoopId), loops::OpenLoop>,
    /// How many loops are around the current place, those of calling functions included.
    open_loops: u32,
    /// Whether an error makes going on useless.
    stopped: bool,
}

/// A function being inlined.
struct Frame {
    id: u32,
    body: Arc<Body>,
    analysis: Arc<Analysis>,
    env: Vec<Option<Vec<Value>>>,
}

impl<'a> Lowering<'a> {
    fn new(scope: Scope<'a>, bodies: &'a Bodies, name: &str) -> Lowering<'a> {
        let func = Func::new(name);
        Lowering {
            scope,
            bodies,
            own_bodies: HashMap::new(),
            analyses: HashMap::new(),
            sink: Sink::default(),
            region: func.body,
            func,
            exits: Vec::new(),
            dead: false,
            frames: Vec::new(),
            frame_count: 0,
            log: Vec::new(),
            depth: 0,
            inverses: HashMap::new(),
            region_depth: 0,
            open: HashMap::new(),
            open_loops: 0,
            stopped: false,
        }
    }

    fn done(self) -> Result<Func, Vec<Diagnostic>> {
        let errors = self.sink.into_sorted();
        if errors.is_empty() {
            Ok(self.func)
        } else {
            Err(errors)
        }
    }

    fn kernel(&mut self, item: Item, types: &[DType], body: &Arc<Body>, names: &[String]) {
        let mut args = Vec::new();
        for (index, (_, ty)) in body.params.iter().enumerate() {
            for dtype in ty.flat() {
                let name = names.get(index).map_or("", String::as_str);
                args.push(self.builder().param(name, dtype));
            }
        }
        let results = self.inlined(item, types, body, args);
        self.builder().finish(results);
    }

    /// The checked body of an item; errors are noted.
    fn body(&mut self, item: Item, types: &[DType]) -> Option<Arc<Body>> {
        let key = (item, types.to_vec());
        if let Some(body) = self.bodies.get(&key).or_else(|| self.own_bodies.get(&key)) {
            return Some(body.clone());
        }
        let body = Arc::new(check_body(self.scope, item, types, &mut self.sink)?);
        self.own_bodies.insert(key, body.clone());
        Some(body)
    }

    /// Facts about a body, with those of the functions that it calls up to some depth.
    fn analysis(&mut self, item: Item, types: &[DType], body: &Body, depth: u32) -> Arc<Analysis> {
        let key = (item, types.to_vec());
        if let Some(known) = self.analyses.get(&key) {
            return known.clone();
        }
        let analysis = analyze(body, |kind| match kind {
            ExprKind::Call(item, types, _) if depth < MAX_DEPTH / 4 => {
                match self.body(*item, types) {
                    Some(callee) => {
                        let root = callee.root;
                        self.analysis(*item, types, &callee, depth + 1).costs[root.0 as usize]
                    }
                    None => ENDLESS,
                }
            }
            _ => ENDLESS,
        });
        let analysis = Arc::new(analysis);
        self.analyses.insert(key, analysis.clone());
        analysis
    }

    /// Lowers a function's body at this place, with its arguments.
    fn inlined(
        &mut self,
        item: Item,
        types: &[DType],
        body: &Arc<Body>,
        args: Vec<Value>,
    ) -> Vec<Value> {
        let analysis = self.analysis(item, types, body, 0);
        let id = self.frame_count;
        self.frame_count += 1;
        let env = vec![None; body.locals.len()];
        self.frames.push(Frame {
            id,
            body: body.clone(),
            analysis,
            env,
        });
        let mut at = 0;
        for (binding, ty) in &body.params {
            let width = ty.width();
            self.bind(binding, &args[at..at + width]);
            at += width;
        }
        let first_exit = self.exits.len();
        let value = self.expr(body.root);
        let result = self.returned(id, first_exit, value, &body.result);
        self.frames.pop();
        result
    }

    fn frame(&self) -> &Frame {
        // There is one from the kernel on.
        &self.frames[self.frames.len() - 1]
    }

    /// Binds or assigns the numbers of a value.
    fn bind(&mut self, binding: &Binding, values: &[Value]) {
        match binding {
            Binding::Local(local) => self.set(*local, values.to_vec()),
            Binding::Part(local, start, len) => {
                let mut whole = self.get(*local);
                whole[*start..start + len].copy_from_slice(values);
                self.set(*local, whole);
            }
            Binding::Ignore(_) => {}
            Binding::Tuple(parts) => {
                let mut at = 0;
                for part in parts {
                    let width = self.binding_width(part);
                    self.bind(part, &values[at..at + width]);
                    at += width;
                }
            }
        }
    }

    fn binding_width(&self, binding: &Binding) -> usize {
        match binding {
            Binding::Local(local) => self.frame().body.local(*local).ty.width(),
            Binding::Part(_, _, len) => *len,
            Binding::Ignore(width) => *width,
            Binding::Tuple(parts) => parts.iter().map(|part| self.binding_width(part)).sum(),
        }
    }

    fn get(&mut self, local: LocalId) -> Vec<Value> {
        match &self.frame().env[local.0 as usize] {
            Some(values) => values.clone(),
            // Only code that is never reached reads a variable before its declaration was lowered.
            None => {
                let ty = self.frame().body.local(local).ty.clone();
                self.zeros(&ty)
            }
        }
    }

    fn set(&mut self, local: LocalId, values: Vec<Value>) {
        let frame = self.frames.len() - 1;
        let old = self.frames[frame].env[local.0 as usize].replace(values);
        self.log.push((frame, local, old));
    }

    /// Values of a type where no value is ever looked at.
    fn zeros(&mut self, ty: &Type) -> Vec<Value> {
        ty.flat()
            .into_iter()
            .map(|dtype| self.zero(dtype))
            .collect()
    }

    /// Reports that the kernel is too large and stops making it larger.
    fn stop(&mut self, span: Span, what: String, help: &str) {
        if !self.stopped {
            let error =
                Diagnostic::error(Code::KernelTooLarge, span, what, "the limit is passed here");
            self.sink.push(error.help(help));
        }
        self.stopped = true;
    }

    fn too_large(&mut self, span: Span) -> bool {
        if self.func.insts.len() > MAX_INSTS {
            let message =
                format!("the kernel has more than {MAX_INSTS} instructions after inlining");
            self.stop(
                span,
                message,
                "split it into several kernels, or write a loop",
            );
        } else if self.depth > MAX_DEPTH || self.region_depth > MAX_REGIONS {
            let message = "the kernel is nested too deeply after inlining".to_string();
            self.stop(
                span,
                message,
                "split it into several kernels, or write a loop",
            );
        }
        self.stopped
    }
}

/// The constants that a function without parameters gives.
pub(crate) fn constants(func: &Func) -> Option<Vec<Const>> {
    ufc_ir::interp::run_one(func, &[]).ok()
}
