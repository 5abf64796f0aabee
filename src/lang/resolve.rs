//! What names mean: the file's functions and constants, builtins, near misses, and who calls whom.

use crate::ast::{ExprKind, Module};
use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::span::Span;
use std::collections::{HashMap, HashSet};
use ufc_ir::DType;
use ufc_ir::ops::{AnyOp, Op};

/// A function or constant of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// Number in [`Module::functions`].
    Function(usize),
    /// Number in [`Module::constants`].
    Constant(usize),
}

/// The file's items by name.
#[derive(Clone, Debug, Default)]
pub struct Items {
    by_name: HashMap<String, Item>,
    recursive: HashSet<Item>,
}

impl Items {
    /// Collects the items; reports names given twice and functions that call themselves.
    pub fn collect(module: &Module, sink: &mut Sink) -> Items {
        let mut items = Items::default();
        let mut places: HashMap<&str, Span> = HashMap::new();
        let functions = module
            .functions
            .iter()
            .enumerate()
            .map(|(i, f)| (&f.name, Item::Function(i)));
        let constants = module
            .constants
            .iter()
            .enumerate()
            .map(|(i, c)| (&c.name, Item::Constant(i)));
        for (name, item) in constants.chain(functions) {
            if let Some(first) = places.get(name.text.as_str()) {
                let message = format!("the name `{}` is used twice", name.text);
                let error =
                    Diagnostic::error(Code::DuplicateName, name.span, message, "used again here");
                sink.push(error.also(*first, "first used here"));
                continue;
            }
            places.insert(&name.text, name.span);
            items.by_name.insert(name.text.clone(), item);
        }
        items.find_recursion(module, sink);
        items
    }

    /// The item with this name.
    pub fn get(&self, name: &str) -> Option<Item> {
        self.by_name.get(name).copied()
    }

    /// Names of the file's functions, sorted.
    pub fn function_names(&self) -> Vec<&str> {
        self.names(|item| matches!(item, Item::Function(_)))
    }

    /// Names of the file's constants, sorted.
    pub fn constant_names(&self) -> Vec<&str> {
        self.names(|item| matches!(item, Item::Constant(_)))
    }

    fn names(&self, is_wanted: impl Fn(Item) -> bool) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .by_name
            .iter()
            .filter(|(_, item)| is_wanted(**item))
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    /// Whether the item takes part in a cycle of calls, which has been reported.
    pub fn is_recursive(&self, item: Item) -> bool {
        self.recursive.contains(&item)
    }

    /// The items that this one names, with the place, in order.
    fn uses(&self, module: &Module, item: Item) -> Vec<(Item, Span)> {
        let range = match item {
            Item::Function(i) => module.functions[i].exprs.clone(),
            Item::Constant(i) => module.constants[i].exprs.clone(),
        };
        let mut uses = Vec::new();
        for expr in module.exprs_in(&range) {
            let (ExprKind::Call { path, .. } | ExprKind::Path(path)) = &expr.kind else {
                continue;
            };
            let Some(name) = path.single() else { continue };
            let called = matches!(expr.kind, ExprKind::Call { .. });
            match self.get(&name.text) {
                Some(item @ Item::Function(_)) if called => uses.push((item, name.span)),
                Some(item @ Item::Constant(_)) if !called => uses.push((item, name.span)),
                _ => {}
            }
        }
        uses
    }

    /// Depth-first search with its own stack, since chains of calls may be long.
    fn find_recursion(&mut self, module: &Module, sink: &mut Sink) {
        let mut all: Vec<Item> = (0..module.constants.len()).map(Item::Constant).collect();
        all.extend((0..module.functions.len()).map(Item::Function));
        let mut done: HashMap<Item, bool> = HashMap::new();
        for root in all {
            if done.contains_key(&root) {
                continue;
            }
            let mut path: Vec<Visit> = vec![(root, self.uses(module, root), 0)];
            done.insert(root, false);
            while let Some((item, uses, next)) = path.last_mut() {
                let Some((used, span)) = uses.get(*next).copied() else {
                    done.insert(*item, true);
                    path.pop();
                    continue;
                };
                *next += 1;
                match done.get(&used) {
                    Some(true) => {}
                    None => {
                        done.insert(used, false);
                        let uses = self.uses(module, used);
                        path.push((used, uses, 0));
                    }
                    Some(false) => {
                        let from = path
                            .iter()
                            .position(|(item, ..)| *item == used)
                            .unwrap_or(0);
                        let cycle: Vec<(Item, Span)> = path[from..]
                            .iter()
                            .map(|(item, uses, next)| (*item, uses[next - 1].1))
                            .collect();
                        self.report_cycle(module, &cycle, span, sink);
                    }
                }
            }
        }
    }

    fn report_cycle(
        &mut self,
        module: &Module,
        cycle: &[(Item, Span)],
        last: Span,
        sink: &mut Sink,
    ) {
        const SHOWN: usize = 6;
        let name = |item: &Item| match item {
            Item::Function(i) => module.functions[*i].name.text.as_str(),
            Item::Constant(i) => module.constants[*i].name.text.as_str(),
        };
        let first = name(&cycle[0].0);
        let mut chain: Vec<&str> = cycle
            .iter()
            .take(SHOWN)
            .map(|(item, _)| name(item))
            .collect();
        if cycle.len() > SHOWN {
            chain.push("…");
        }
        chain.push(first);
        let (message, label) = match cycle[0].0 {
            Item::Function(_) => (
                format!("`{first}` calls itself: {}", chain.join(" → ")),
                "the call that closes the circle",
            ),
            Item::Constant(_) => (
                format!("`{first}` is defined by itself: {}", chain.join(" → ")),
                "the use that closes the circle",
            ),
        };
        let mut error = Diagnostic::error(Code::Recursion, last, message, label);
        for (item, span) in cycle.iter().take(SHOWN).filter(|(_, span)| *span != last) {
            error = error.also(*span, format!("used in `{}`", name(item)));
        }
        sink.push(
            error
                .note("functions are inlined, so none may call itself")
                .help("write a loop"),
        );
        self.recursive.extend(cycle.iter().map(|(item, _)| *item));
    }
}

/// An item on the way of the search: what it uses, and how many of these were looked at.
type Visit = (Item, Vec<(Item, Span)>, usize);

/// Names from Rust, and the row of the table that does the same.
const ALIASES: &[(&str, &str)] = &[
    ("powf", "pow"),
    ("powc", "pow"),
    ("wrapping_add", "add"),
    ("wrapping_sub", "sub"),
    ("wrapping_mul", "mul"),
    ("wrapping_div", "div"),
    ("wrapping_rem", "rem"),
    ("wrapping_neg", "neg"),
    ("wrapping_abs", "abs"),
    ("wrapping_shl", "shl"),
    ("wrapping_shr", "shr"),
];

/// Names from elsewhere, for suggestions only.
const FOREIGN: &[(&str, &str)] = &[
    ("log", "ln"),
    ("log1p", "ln_1p"),
    ("expm1", "exp_m1"),
    ("fabs", "abs"),
    ("absolute", "abs"),
    ("arctan", "atan"),
    ("arcsin", "asin"),
    ("arccos", "acos"),
    ("arctan2", "atan2"),
    ("power", "pow"),
    ("where", "select"),
    ("fma", "mul_add"),
    ("sign", "signum"),
    ("rint", "round_ties_even"),
    ("square", "x * x"),
    ("negative", "neg"),
    ("conjugate", "conj"),
    ("angle", "arg"),
    ("real", "re"),
    ("imag", "im"),
    ("popcount", "count_ones"),
    ("clz", "leading_zeros"),
    ("ctz", "trailing_zeros"),
    ("fmin", "min"),
    ("fmax", "max"),
    ("maxf", "max"),
    ("floor_divide", "floor_div"),
    ("mod", "floor_mod"),
    ("rsqrt", "1 / sqrt"),
];

/// Functions that are no rows of the table of operations.
pub const SPECIAL: &[&str] = &["index", "c64", "c128", "to_bits", "from_bits"];

/// The rows of the table that a function name means in the language.
pub fn builtins(name: &str) -> Vec<AnyOp> {
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, name)| *name);
    // These have a syntax of their own, or none.
    AnyOp::named(name)
        .filter(|op| !matches!(op, AnyOp::Core(Op::Any | Op::Convert | Op::Bitcast)))
        .collect()
}

/// A builtin or one of the given names that the user may have meant.
pub fn suggest_function<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if let Some((_, known)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name)
        && (known.contains(' ') || AnyOp::named(known).next().is_some())
    {
        return Some(known);
    }
    let builtins = AnyOp::all()
        .filter(|op| !matches!(op, AnyOp::Core(Op::Any | Op::Convert | Op::Bitcast)))
        .map(|op| -> &'a str { op.name() });
    let special = SPECIAL.iter().map(|name| -> &'a str { name });
    suggest(name, others.chain(builtins).chain(special))
}

/// A type that the user may have meant.
pub fn suggest_type<'a>(name: &str, generics: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const FOREIGN: &[(&str, &str)] = &[
        ("usize", "u64"),
        ("isize", "i64"),
        ("int", "i32"),
        ("uint", "u32"),
        ("float", "f32"),
        ("half", "f16"),
        ("double", "f64"),
        ("byte", "u8"),
        ("char", "u8"),
        ("long", "i64"),
        ("short", "i16"),
        ("complex", "c64"),
        ("Complex32", "c64"),
        ("Complex64", "c128"),
        ("bfloat16", "bf16"),
        ("u128", "u64"),
        ("i128", "i64"),
        ("boolean", "bool"),
    ];
    let numpy = DType::ALL.iter().map(|d| (d.numpy_name(), d.name()));
    let known = FOREIGN
        .iter()
        .copied()
        .chain(numpy)
        .find(|(foreign, _)| *foreign == name);
    if let Some((_, known)) = known {
        return Some(known);
    }
    let names = generics.chain(DType::ALL.iter().map(|d| d.name()));
    let near = suggest(
        name,
        names.chain(FOREIGN.iter().map(|(foreign, _)| *foreign)),
    )?;
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == near);
    Some(foreign.map_or(near, |(_, known)| known))
}

/// The candidate nearest to a name, if one is near: equal but for case, or a few typing mistakes away.
pub fn suggest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = match name.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.filter(|c| c.len() <= LONGEST) {
        let mistakes = if name.eq_ignore_ascii_case(candidate) {
            0
        } else {
            distance(name, candidate).max(1)
        };
        if mistakes <= allowed && best.is_none_or(|(least, _)| mistakes < least) {
            best = Some((mistakes, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let names = ["strike", "spot", "years"];
        assert_eq!(suggest("stirke", names.into_iter()), Some("strike"));
        assert_eq!(suggest("Spot", names.into_iter()), Some("spot"));
        assert_eq!(suggest("rate", names.into_iter()), None);
        assert_eq!(suggest_function("sqr", std::iter::empty()), Some("sqrt"));
        assert_eq!(
            suggest_function("arctan2", std::iter::empty()),
            Some("atan2")
        );
        assert_eq!(suggest_type("float32", std::iter::empty()), Some("f32"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("abcd", "abcd"), 0);
        assert_eq!(distance("abcd", "abdc"), 1);
        assert_eq!(distance("abcd", "bcd"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
