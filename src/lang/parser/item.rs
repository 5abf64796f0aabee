//! Functions, constants, types and patterns.

use super::Parser;
use crate::ast::{
    Attr, Constant, Function, Generic, Param, Pattern, PatternKind, TypeExpr, TypeKind,
};
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::span::Span;
use crate::token::TokenKind;

/// Rust items that a kernel file does not have, and what to write instead.
const FOREIGN_ITEMS: &[(&str, &str)] = &[
    ("struct", "use a tuple"),
    ("enum", "use integer constants"),
    ("impl", "write the functions outside"),
    (
        "trait",
        "use the bounds Num, Int, Signed, Unsigned, Float and Complex",
    ),
    ("use", "every builtin is in scope already"),
    ("mod", "all functions of a file are in one place"),
    ("static", "write `const`"),
    ("type", "write the type's own name"),
    ("unsafe", "leave it out"),
    ("extern", "leave it out"),
    ("async", "leave it out"),
    ("macro_rules", "write a function"),
];

impl Parser<'_, '_, '_> {
    pub(super) fn module(&mut self) {
        while !self.is(TokenKind::End) {
            if self.is(TokenKind::ModuleDoc) {
                let line = self.bump().text;
                add_line(&mut self.module.docs, line);
            } else {
                self.item();
            }
        }
    }

    fn item(&mut self) {
        let mut docs = String::new();
        let mut attrs = Vec::new();
        let first = self.module.expr_count();
        loop {
            match self.kind() {
                TokenKind::Doc => add_line(&mut docs, self.bump().text),
                TokenKind::Pound => attrs.extend(self.attribute()),
                _ => break,
            }
        }
        let is_pub = self.eat(TokenKind::Pub);
        match self.kind() {
            TokenKind::Fn => self.function(docs, attrs, is_pub, first),
            TokenKind::Const => self.constant(docs, &attrs),
            _ => self.no_item(),
        }
    }

    /// Reports what is not an item and goes on at the next one.
    fn no_item(&mut self) {
        let token = self.token();
        match FOREIGN_ITEMS.iter().find(|(word, _)| *word == token.text) {
            Some((word, help)) => {
                self.not_in_language(token.span, &format!("`{word}` items"), help)
            }
            None => self.unexpected("`pub fn`, `fn` or `const`"),
        }
        if !self.is(TokenKind::End) {
            self.skip_tree();
        }
        self.skip_to_item();
    }

    fn skip_to_item(&mut self) {
        use TokenKind::{Const, End, Fn, Pound, Pub};
        while !matches!(self.kind(), Fn | Pub | Const | Pound | TokenKind::Doc | End) {
            self.skip_tree();
        }
    }

    fn function(&mut self, docs: String, attrs: Vec<Attr>, is_pub: bool, first: u32) {
        let start = self.bump().span;
        let Some(name) = self.name("the function's name") else {
            return self.skip_to_item();
        };
        let generics = self.generics();
        let open = self.span();
        let mut params = Vec::new();
        if self.expect(TokenKind::OpenParen) {
            params = self.list(TokenKind::CloseParen, open, Self::param).0;
        }
        let result = if self.eat(TokenKind::Arrow) {
            self.ty()
        } else {
            None
        };
        if self.is(TokenKind::Ident) && self.token().text == "where" {
            self.not_in_language(
                self.span(),
                "`where` clauses",
                "write the bound after the type parameter: `T: Float`",
            );
            while !matches!(self.kind(), TokenKind::OpenBrace | TokenKind::End) {
                self.skip_tree();
            }
        }
        let span = start.to(self.previous_span());
        self.lost = false;
        let body = if self.is(TokenKind::OpenBrace) {
            self.block_expr().filter(|_| !self.lost)
        } else {
            self.unexpected("the function's body");
            self.skip_to_item();
            None
        };
        let exprs = first..self.module.expr_count();
        let function = Function {
            docs,
            attrs,
            is_pub,
            name,
            generics,
            params,
            result,
            body,
            span,
            exprs,
        };
        self.module.functions.push(function);
    }

    fn generics(&mut self) -> Vec<Generic> {
        let open = self.span();
        if !self.eat(TokenKind::Lt) {
            return Vec::new();
        }
        self.list(TokenKind::Gt, open, |p| {
            let name = p.name("a type parameter")?;
            let mut bounds = Vec::new();
            if p.eat(TokenKind::Colon) {
                bounds.extend(p.name("a bound, such as `Float`"));
                while p.eat(TokenKind::Plus) {
                    bounds.extend(p.name("a bound, such as `Float`"));
                }
            }
            Some(Generic { name, bounds })
        })
        .0
    }

    fn param(&mut self) -> Option<Param> {
        let pattern = self.pattern()?;
        if !self.eat(TokenKind::Colon) {
            self.unexpected("`:` and the parameter's type");
            let ty = TypeExpr {
                kind: TypeKind::Error,
                span: pattern.span,
            };
            return Some(Param { pattern, ty });
        }
        let ty = self.ty()?;
        Some(Param { pattern, ty })
    }

    fn constant(&mut self, docs: String, attrs: &[Attr]) {
        self.bump();
        for attr in attrs {
            let message = format!("`#[{}]` does not belong on a constant", attr.name.text);
            self.sink.push(Diagnostic::error(
                Code::BadAttribute,
                attr.span,
                message,
                "not on a constant",
            ));
        }
        let first = self.module.expr_count();
        let Some(name) = self.name("the constant's name") else {
            return self.skip_to_item();
        };
        let ty = if self.eat(TokenKind::Colon) {
            self.ty()
        } else {
            self.unexpected("`:` and the constant's type");
            None
        };
        if !self.expect(TokenKind::Eq) {
            return self.skip_to_item();
        }
        let value = self.expr();
        if !self.eat(TokenKind::Semi) {
            self.missing_semicolon();
            if !matches!(
                self.kind(),
                TokenKind::Fn | TokenKind::Pub | TokenKind::Const | TokenKind::Doc
            ) {
                self.skip_to_item();
            }
        }
        let ty = ty.unwrap_or(TypeExpr {
            kind: TypeKind::Error,
            span: name.span,
        });
        let exprs = first..self.module.expr_count();
        self.module.constants.push(Constant {
            docs,
            name,
            ty,
            value,
            exprs,
        });
    }

    pub(super) fn ty(&mut self) -> Option<TypeExpr> {
        self.nested(Self::ty_inner).flatten()
    }

    fn ty_inner(&mut self) -> Option<TypeExpr> {
        let token = self.token();
        let kind = match token.kind {
            TokenKind::Ident => {
                self.bump();
                TypeKind::Name(token.text.to_string())
            }
            TokenKind::Underscore => {
                self.bump();
                TypeKind::Infer
            }
            TokenKind::OpenParen => return Some(self.tuple_type(token.span)),
            TokenKind::And => {
                self.bump();
                self.not_yet(token.span, "core-dimension parameters (`&[T]`)");
                self.eat(TokenKind::Mut);
                self.skip_tree();
                TypeKind::Error
            }
            TokenKind::OpenBracket => {
                self.not_yet(token.span, "arrays (`[T; N]`)");
                self.skip_tree();
                TypeKind::Error
            }
            TokenKind::Star | TokenKind::Not | TokenKind::Fn => {
                self.not_in_language(token.span, "types other than dtypes and tuples", "");
                self.skip_tree();
                TypeKind::Error
            }
            _ => {
                self.unexpected("a type");
                return None;
            }
        };
        Some(TypeExpr {
            kind,
            span: token.span.to(self.previous_span()),
        })
    }

    fn tuple_type(&mut self, open: Span) -> TypeExpr {
        self.bump();
        let mut comma = false;
        let (mut members, close) = self.list(TokenKind::CloseParen, open, |p| {
            let member = p.ty();
            comma |= p.is(TokenKind::Comma);
            member
        });
        let span = open.to(close);
        match members.pop() {
            // `(T)` is T.
            Some(only) if members.is_empty() && !comma => TypeExpr {
                kind: only.kind,
                span,
            },
            Some(last) => {
                members.push(last);
                TypeExpr {
                    kind: TypeKind::Tuple(members),
                    span,
                }
            }
            None => TypeExpr {
                kind: TypeKind::Tuple(members),
                span,
            },
        }
    }

    pub(super) fn pattern(&mut self) -> Option<Pattern> {
        self.nested(Self::pattern_inner).flatten()
    }

    fn pattern_inner(&mut self) -> Option<Pattern> {
        let token = self.token();
        let kind = match token.kind {
            TokenKind::Underscore => {
                self.bump();
                PatternKind::Ignore
            }
            TokenKind::Mut | TokenKind::Ident => {
                let mutable = self.eat(TokenKind::Mut);
                PatternKind::Bind {
                    name: self.name("a variable's name")?.text,
                    mutable,
                }
            }
            TokenKind::OpenParen => {
                self.bump();
                let mut comma = false;
                let (mut members, close) = self.list(TokenKind::CloseParen, token.span, |p| {
                    let member = p.pattern();
                    comma |= p.is(TokenKind::Comma);
                    member
                });
                if members.len() == 1 && !comma {
                    let kind = members.remove(0).kind;
                    return Some(Pattern {
                        kind,
                        span: token.span.to(close),
                    });
                }
                PatternKind::Tuple(members)
            }
            TokenKind::And => {
                self.not_in_language(token.span, "references", "leave out the `&`");
                self.bump();
                return self.pattern();
            }
            _ => {
                self.unexpected("a variable's name");
                return None;
            }
        };
        Some(Pattern {
            kind,
            span: token.span.to(self.previous_span()),
        })
    }
}

fn add_line(docs: &mut String, line: &str) {
    if !docs.is_empty() {
        docs.push('\n');
    }
    docs.push_str(line);
}
