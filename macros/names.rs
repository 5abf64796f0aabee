//! The names that a function has from outside, and what the source file says of them.
//!
//! A macro sees its own item only. The tokens of other functions and constants come through hidden macros that
//! `#[device]` and `#[vectorize]` leave behind, under the name itself, so that Rust's own rules decide what a name means.
//! A name for which there is no such macro would be a message about macros; so the source file is looked at first, and
//! what is nowhere in it is left to the front end, which has the right words. The file only decides about the message.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use ufc_lang::ast::{ExprKind, LoopKind, Module, Pattern, PatternKind, Stmt};
use ufc_lang::resolve::{SPECIAL, builtins};

/// Whether a name is a function of the language.
pub(crate) fn is_builtin(name: &str) -> bool {
    SPECIAL.contains(&name) || !builtins(name).is_empty()
}

/// The names that a parsed source uses but does not define, each with the number of a token where it stands.
pub(crate) fn foreign(module: &Module) -> Vec<(String, usize)> {
    let mut bound: HashSet<&str> = HashSet::new();
    for function in &module.functions {
        bound.insert(&function.name.text);
        function
            .params
            .iter()
            .for_each(|param| bind(&param.pattern, &mut bound));
    }
    bound.extend(
        module
            .constants
            .iter()
            .map(|constant| constant.name.text.as_str()),
    );
    for (_, expr) in module.exprs() {
        let blocks: Vec<_> = match &expr.kind {
            ExprKind::Block(block) => vec![block],
            ExprKind::If { arms, otherwise } => {
                arms.iter().map(|(_, b)| b).chain(otherwise).collect()
            }
            ExprKind::Loop { kind, body, .. } => {
                if let LoopKind::For { pattern, .. } = kind {
                    bind(pattern, &mut bound);
                }
                vec![body]
            }
            _ => Vec::new(),
        };
        for stmt in blocks.into_iter().flat_map(|block| &block.stmts) {
            if let Stmt::Let { pattern, .. } = stmt {
                bind(pattern, &mut bound);
            }
        }
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    for (_, expr) in module.exprs() {
        let (path, is_known) = match &expr.kind {
            ExprKind::Call { path, .. } => (path, is_builtin as fn(&str) -> bool),
            ExprKind::Path(path) => (path, (|_| false) as fn(&str) -> bool),
            _ => continue,
        };
        if let Some(name) = path.single()
            && !is_known(&name.text)
            && !bound.contains(name.text.as_str())
            && names.iter().all(|(known, _)| *known != name.text)
        {
            names.push((name.text.clone(), name.span.start as usize));
        }
    }
    names.sort_by_key(|(_, at)| *at);
    names
}

fn bind<'a>(pattern: &'a Pattern, bound: &mut HashSet<&'a str>) {
    match &pattern.kind {
        PatternKind::Bind { name, .. } => drop(bound.insert(name)),
        PatternKind::Tuple(parts) => parts.iter().for_each(|part| bind(part, bound)),
        PatternKind::Ignore | PatternKind::Error => {}
    }
}

/// What a source file says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mention {
    /// It may be a function or constant that kernels can see.
    Likely,
    /// It is a function or constant without `#[device]`.
    Unmarked,
    /// It is nowhere.
    None,
}

/// What the file with this place says of a name.
pub(crate) fn mention(name: &str, place: Span) -> Mention {
    let Some(path) = place.unwrap().local_file() else {
        return Mention::Likely;
    };
    match facts(&path) {
        None => Mention::Likely,
        Some(facts) if facts.marked.contains(name) || facts.open => Mention::Likely,
        Some(facts) if facts.unmarked.contains(name) => Mention::Unmarked,
        Some(_) => Mention::None,
    }
}

/// The names of a file.
#[derive(Default)]
struct Facts {
    /// Of items with an attribute that may be ours, or that come from elsewhere.
    marked: HashSet<String>,
    /// Of functions and constants without.
    unmarked: HashSet<String>,
    /// Whether it may have any name at all, from `use m::*`.
    open: bool,
}

fn facts(path: &Path) -> Option<Rc<Facts>> {
    thread_local! {
        static FILES: RefCell<HashMap<PathBuf, Option<Rc<Facts>>>> = RefCell::default();
    }
    FILES.with_borrow_mut(|files| {
        let read = || {
            let tokens: TokenStream = std::fs::read_to_string(path).ok()?.parse().ok()?;
            let mut facts = Facts::default();
            facts.add(tokens);
            Some(Rc::new(facts))
        };
        files.entry(path.to_path_buf()).or_insert_with(read).clone()
    })
}

/// Attributes that have nothing to do with kernels.
const PLAIN: &[&str] = &[
    "inline", "allow", "expect", "warn", "deny", "doc", "must_use", "cold", "test", "cfg",
    "rustfmt",
];

impl Facts {
    fn add(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut is_marked = false;
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at += 1;
            match tree {
                TokenTree::Ident(word) if word == "use" => {
                    while let Some(part) = trees.get(at).filter(|t| !is_punct(t, ';')) {
                        self.import(part);
                        at += 1;
                    }
                }
                TokenTree::Ident(word) if word == "fn" || word == "const" => {
                    if let Some(TokenTree::Ident(name)) = trees.get(at) {
                        let names = if is_marked {
                            &mut self.marked
                        } else {
                            &mut self.unmarked
                        };
                        names.insert(name.to_string());
                    }
                }
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = trees.get(at) {
                        let word = group.stream().into_iter().next().map(|t| t.to_string());
                        is_marked |= !word.is_some_and(|word| PLAIN.contains(&word.as_str()));
                        at += 1;
                    }
                }
                // What a macro is given may come out as items.
                TokenTree::Punct(p) if p.as_char() == '!' => {
                    if let Some(inside @ TokenTree::Group(_)) = trees.get(at) {
                        self.import_words(inside);
                        at += 1;
                    }
                }
                TokenTree::Group(group) => {
                    self.add(group.stream());
                    is_marked &= group.delimiter() != Delimiter::Brace;
                }
                TokenTree::Punct(p) if p.as_char() == ';' => is_marked = false,
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn import(&mut self, part: &TokenTree) {
        match part {
            TokenTree::Punct(p) if p.as_char() == '*' => self.open = true,
            TokenTree::Group(group) => group.stream().into_iter().for_each(|t| self.import(&t)),
            TokenTree::Ident(name) => drop(self.marked.insert(name.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }

    fn import_words(&mut self, part: &TokenTree) {
        match part {
            TokenTree::Group(group) => group
                .stream()
                .into_iter()
                .for_each(|t| self.import_words(&t)),
            TokenTree::Ident(name) => drop(self.marked.insert(name.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn is_punct(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(p) if p.as_char() == sign)
}
