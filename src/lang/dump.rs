//! Tokens and trees as text, the same on every run: for tests and for looking at what the front end does.

use crate::ast::{
    AttrKind, Block, ExprId, ExprKind, LoopKind, Module, Pattern, PatternKind, Stmt, TypeExpr,
    TypeKind,
};
use crate::token::Token;
use std::fmt::Write;

/// One token a line: place, kind, text.
pub fn tokens(tokens: &[Token<'_>]) -> String {
    tokens.iter().fold(String::new(), |mut text, token| {
        let _ = writeln!(text, "{} {:?} {:?}", token.span, token.kind, token.text);
        text
    })
}

/// A tree: one node a line, operands indented below.
pub fn tree(module: &Module) -> String {
    let mut dump = Dump {
        module,
        text: String::new(),
        open: Vec::new(),
    };
    if !module.docs.is_empty() {
        dump.line(0, &format!("docs {:?}", module.docs));
    }
    for constant in &module.constants {
        dump.line(
            0,
            &format!("const {}: {}", constant.name.text, ty(&constant.ty)),
        );
        dump.expr(1, constant.value);
    }
    for function in &module.functions {
        dump.function(function);
    }
    dump.text
}

/// Deeper nodes are not indented further: chains may be very long.
const MAX_INDENT: usize = 100;

enum Node<'a> {
    Text(&'static str),
    Stmt(&'a Stmt),
    Expr(ExprId),
    Block(&'a Block),
}

struct Dump<'a> {
    module: &'a Module,
    text: String,
    /// What is still to be written, the next one last.
    open: Vec<(usize, Node<'a>)>,
}

impl<'a> Dump<'a> {
    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(
            self.text,
            "{:width$}{text}",
            "",
            width = 2 * indent.min(MAX_INDENT)
        );
    }

    fn function(&mut self, function: &'a crate::ast::Function) {
        if !function.docs.is_empty() {
            self.line(0, &format!("docs {:?}", function.docs));
        }
        for attr in &function.attrs {
            self.attr(attr);
        }
        let generics: Vec<String> = function
            .generics
            .iter()
            .map(|g| {
                let bounds: Vec<&str> = g.bounds.iter().map(|b| b.text.as_str()).collect();
                format!("{}: {}", g.name.text, bounds.join(" + "))
            })
            .collect();
        let params: Vec<String> = function
            .params
            .iter()
            .map(|p| format!("{}: {}", pattern(&p.pattern), ty(&p.ty)))
            .collect();
        let head = if function.is_pub { "pub fn" } else { "fn" };
        let result = function.result.as_ref().map_or("nothing".to_string(), ty);
        let name = &function.name.text;
        self.line(
            0,
            &format!(
                "{head} {name}<{}>({}) -> {result}",
                generics.join(", "),
                params.join(", ")
            ),
        );
        match function.body {
            Some(body) => self.expr(1, body),
            None => self.line(1, "no body"),
        }
    }

    fn attr(&mut self, attr: &crate::ast::Attr) {
        self.line(0, &format!("attribute {}", attr.name.text));
        match &attr.kind {
            AttrKind::Identity(value) => self.expr(1, *value),
            AttrKind::TestCase {
                args,
                expected,
                ulp,
            } => {
                args.iter().for_each(|arg| self.expr(1, *arg));
                self.line(1, &format!("gives, within {ulp} ulp"));
                self.expr(2, *expected);
            }
            AttrKind::Bench(list) => {
                for workload in list {
                    self.line(1, &format!("{} = {:?}", workload.name.text, workload.text));
                }
            }
            AttrKind::FastMath => {}
            AttrKind::Error => self.line(1, "error"),
        }
    }

    /// Writes an expression with all that is in it, from a list of what is still open.
    fn expr(&mut self, indent: usize, id: ExprId) {
        self.open.push((indent, Node::Expr(id)));
        while let Some((indent, node)) = self.open.pop() {
            let first = self.open.len();
            match node {
                Node::Text(text) => self.line(indent, text),
                Node::Expr(id) => self.node(indent, &self.module[id].kind),
                Node::Block(block) => {
                    self.line(indent, "block");
                    self.block(indent + 1, block);
                }
                Node::Stmt(Stmt::Expr(value)) => {
                    self.line(indent, "statement");
                    self.open.push((indent + 1, Node::Expr(*value)));
                }
                Node::Stmt(Stmt::Let {
                    pattern: p,
                    ty: written,
                    value,
                }) => {
                    let written = written
                        .as_ref()
                        .map_or(String::new(), |t| format!(": {}", ty(t)));
                    self.line(indent, &format!("let {}{written}", pattern(p)));
                    self.open.push((indent + 1, Node::Expr(*value)));
                }
            }
            self.open[first..].reverse();
        }
    }

    fn exprs(&mut self, indent: usize, list: impl IntoIterator<Item = ExprId>) {
        self.open
            .extend(list.into_iter().map(|id| (indent, Node::Expr(id))));
    }

    fn block(&mut self, indent: usize, block: &'a Block) {
        self.open
            .extend(block.stmts.iter().map(|stmt| (indent, Node::Stmt(stmt))));
        self.exprs(indent, block.tail);
    }

    /// Writes one node and leaves its operands open.
    fn node(&mut self, indent: usize, kind: &'a ExprKind) {
        self.line(indent, &head(kind));
        let inner = indent + 1;
        match kind {
            ExprKind::Number { .. }
            | ExprKind::Bool(_)
            | ExprKind::Path(_)
            | ExprKind::Continue { .. }
            | ExprKind::Error => {}
            ExprKind::Unary { operand, .. } | ExprKind::Cast { operand, .. } => {
                self.exprs(inner, [*operand])
            }
            ExprKind::Field { base, .. } => self.exprs(inner, [*base]),
            ExprKind::Binary { lhs, rhs, .. } => self.exprs(inner, [*lhs, *rhs]),
            ExprKind::Range { start, end, .. } => self.exprs(inner, [*start, *end]),
            ExprKind::Assign { place, value, .. } => self.exprs(inner, [*place, *value]),
            ExprKind::Call { args, .. } | ExprKind::Tuple(args) => {
                self.exprs(inner, args.iter().copied())
            }
            ExprKind::Method { receiver, args, .. } => {
                self.exprs(inner, [*receiver]);
                self.exprs(inner, args.iter().copied());
            }
            ExprKind::Block(block) => self.block(inner, block),
            ExprKind::If { arms, otherwise } => {
                for (condition, block) in arms {
                    self.open.push((inner, Node::Expr(*condition)));
                    self.open.push((inner, Node::Block(block)));
                }
                if let Some(block) = otherwise {
                    self.open.push((inner, Node::Text("else")));
                    self.open.push((inner, Node::Block(block)));
                }
            }
            ExprKind::Loop { kind, body, .. } => {
                match kind {
                    LoopKind::Forever => {}
                    LoopKind::While(condition) => self.exprs(inner, [*condition]),
                    LoopKind::For { range, .. } => self.exprs(inner, [*range]),
                }
                self.open.push((inner, Node::Block(body)));
            }
            ExprKind::Break { value, .. } | ExprKind::Return(value) => self.exprs(inner, *value),
        }
    }
}

fn head(kind: &ExprKind) -> String {
    let labelled = |word: &str, label: &Option<crate::ast::Name>| match label {
        Some(label) => format!("{word} {}", label.text),
        None => word.to_string(),
    };
    let path = |path: &crate::ast::Path| {
        let names: Vec<&str> = path.names.iter().map(|n| n.text.as_str()).collect();
        let types: Vec<String> = path.types.iter().map(ty).collect();
        let types = if types.is_empty() {
            String::new()
        } else {
            format!("::<{}>", types.join(", "))
        };
        format!("{}{types}", names.join("::"))
    };
    match kind {
        ExprKind::Number { text, float } => {
            format!("{} {text}", if *float { "float" } else { "integer" })
        }
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Path(p) => format!("path {}", path(p)),
        ExprKind::Unary { op, .. } => format!("unary {}", op.sign()),
        ExprKind::Binary { op, .. } => format!("binary {}", op.sign()),
        ExprKind::Cast { ty: to, .. } => format!("as {}", ty(to)),
        ExprKind::Call { path: p, .. } => format!("call {}", path(p)),
        ExprKind::Method { name, .. } => format!("method {}", name.text),
        ExprKind::Field { name, .. } => format!("field {}", name.text),
        ExprKind::Tuple(_) => "tuple".to_string(),
        ExprKind::Block(_) => "block".to_string(),
        ExprKind::If { .. } => "if".to_string(),
        ExprKind::Loop { label, kind, .. } => match kind {
            LoopKind::Forever => labelled("loop", label),
            LoopKind::While(_) => labelled("while", label),
            LoopKind::For { pattern: p, .. } => {
                format!("{} {}", labelled("for", label), pattern(p))
            }
        },
        ExprKind::Range { inclusive, .. } => {
            if *inclusive { "range ..=" } else { "range .." }.to_string()
        }
        ExprKind::Break { label, .. } => labelled("break", label),
        ExprKind::Continue { label } => labelled("continue", label),
        ExprKind::Return(_) => "return".to_string(),
        ExprKind::Assign { op, .. } => {
            format!("assign {}=", op.map_or("", crate::ast::BinaryOp::sign))
        }
        ExprKind::Error => "error".to_string(),
    }
}

fn ty(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeKind::Name(name) => name.clone(),
        TypeKind::Tuple(members) => format!(
            "({})",
            members.iter().map(self::ty).collect::<Vec<_>>().join(", ")
        ),
        TypeKind::Infer => "_".to_string(),
        TypeKind::Error => "error".to_string(),
    }
}

fn pattern(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::Bind {
            name,
            mutable: true,
        } => format!("mut {name}"),
        PatternKind::Bind { name, .. } => name.clone(),
        PatternKind::Ignore => "_".to_string(),
        PatternKind::Tuple(parts) => format!(
            "({})",
            parts
                .iter()
                .map(self::pattern)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        PatternKind::Error => "error".to_string(),
    }
}
