//! Attributes.

use super::Parser;
use crate::ast::{Attr, AttrKind, ExprId, Name, Workload};
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::resolve::suggest;
use crate::span::Span;
use crate::token::{Token, TokenKind};

const ATTRIBUTES: &[&str] = &["identity", "fast_math", "test_case", "bench"];

impl Parser<'_, '_, '_> {
    pub(super) fn attribute(&mut self) -> Option<Attr> {
        let start = self.bump().span;
        let open = self.span();
        if !self.expect(TokenKind::OpenBracket) {
            return None;
        }
        let name = self.name("an attribute's name")?;
        let kind = match name.text.as_str() {
            "fast_math" => AttrKind::FastMath,
            "identity" => self.attr_args(&name, Self::identity),
            "test_case" => self.attr_args(&name, Self::test_case),
            "bench" => self.attr_args(&name, |p, open| Some(p.bench(open))),
            "signature" => {
                self.not_yet(name.span, "core dimensions (`#[signature]`)");
                AttrKind::Error
            }
            _ => {
                self.unknown_attribute(&name);
                AttrKind::Error
            }
        };
        if matches!(kind, AttrKind::Error) {
            while !self.is(TokenKind::CloseBracket) && !self.is(TokenKind::End) {
                self.skip_tree();
            }
        }
        let close = self.close(open, TokenKind::CloseBracket);
        Some(Attr {
            name,
            kind,
            span: start.to(close),
        })
    }

    fn unknown_attribute(&mut self, name: &Name) {
        let message = format!("no attribute has the name `{}`", name.text);
        let mut error = Diagnostic::error(Code::UnknownAttribute, name.span, message, "not known");
        error = match suggest(&name.text, ATTRIBUTES.iter().copied()) {
            Some(near) => error
                .help(format!("did you mean `{near}`?"))
                .fix(name.span, near),
            None => error.help(format!("there are {}", ATTRIBUTES.join(", "))),
        };
        self.report(error);
    }

    fn attr_args(
        &mut self,
        name: &Name,
        parse: impl FnOnce(&mut Self, Span) -> Option<AttrKind>,
    ) -> AttrKind {
        let open = self.span();
        if self.eat(TokenKind::OpenParen) {
            return parse(self, open).unwrap_or(AttrKind::Error);
        }
        let message = format!("`#[{}]` needs arguments in parentheses", name.text);
        self.report(Diagnostic::error(
            Code::BadAttribute,
            name.span.after(),
            message,
            "expected `(`",
        ));
        AttrKind::Error
    }

    fn identity(&mut self, open: Span) -> Option<AttrKind> {
        let value = self.expr();
        self.close(open, TokenKind::CloseParen);
        Some(AttrKind::Identity(value))
    }

    /// `args => expected, ulp = n`.
    fn test_case(&mut self, open: Span) -> Option<AttrKind> {
        let mut args = Vec::new();
        while !self.is(TokenKind::FatArrow) && !self.is(TokenKind::End) {
            args.push(self.expr());
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        if !self.expect(TokenKind::FatArrow) {
            return None;
        }
        let expected = self.expr();
        let mut ulp = 0;
        if self.eat(TokenKind::Comma) && !self.is(TokenKind::CloseParen) {
            ulp = self.ulp()?;
        }
        self.close(open, TokenKind::CloseParen);
        Some(AttrKind::TestCase {
            args,
            expected,
            ulp,
        })
    }

    fn ulp(&mut self) -> Option<u32> {
        let name = self.name("`ulp = <number>`")?;
        self.expect(TokenKind::Eq);
        let token = self.token();
        let number = token
            .text
            .replace('_', "")
            .parse()
            .ok()
            .filter(|_| token.kind == TokenKind::Int);
        if name.text != "ulp" || number.is_none() {
            let message = "after the expected result there may only be `ulp = <number>`";
            self.report(Diagnostic::error(
                Code::BadAttribute,
                name.span.to(token.span),
                message,
                "not that",
            ));
            return None;
        }
        self.bump();
        number
    }

    fn bench(&mut self, open: Span) -> AttrKind {
        let (list, _) = self.list(TokenKind::CloseParen, open, |p| {
            let name = p.name("an argument's name")?;
            p.expect(TokenKind::Eq);
            let (text, span) = p.raw();
            if text.is_empty() {
                p.unexpected("a workload, such as `linspace(0.0, 1.0, 1000)`");
            }
            Some(Workload { name, text, span })
        });
        AttrKind::Bench(list)
    }

    /// The text of the tokens up to the next comma or closing bracket outside brackets.
    fn raw(&mut self) -> (String, Span) {
        let first = self.span();
        let mut depth = 0usize;
        let mut text = String::new();
        let mut last: Option<Token<'_>> = None;
        loop {
            let kind = self.kind();
            let stops = depth == 0 && (kind == TokenKind::Comma || kind.is_closing());
            if stops || kind == TokenKind::End {
                break;
            }
            if kind.closing().is_some() {
                depth += 1;
            } else if kind.is_closing() {
                depth -= 1;
            }
            let token = self.bump();
            if last.is_some_and(|l| is_word(l.kind) && is_word(token.kind)) {
                text.push(' ');
            }
            text.push_str(token.text);
            last = Some(token);
        }
        (text, last.map_or(first, |l| first.to(l.span)))
    }

    /// Parses nothing but one expression, which becomes the body of a function.
    pub(super) fn one_line(&mut self) {
        let first = self.module.expr_count();
        let span = self.span();
        let value: ExprId = self.expr();
        if !self.is(TokenKind::End) {
            self.unexpected("an operator or the end of the expression");
        }
        let name = Name {
            text: "expression".to_string(),
            span,
        };
        self.module.functions.push(crate::ast::Function {
            docs: String::new(),
            attrs: Vec::new(),
            is_pub: true,
            name,
            generics: Vec::new(),
            params: Vec::new(),
            result: None,
            body: Some(value).filter(|_| !self.lost),
            span: self.module[value].span,
            exprs: first..self.module.expr_count(),
        });
    }
}

/// Whether two such tokens need a space between them.
fn is_word(kind: TokenKind) -> bool {
    use TokenKind::{Float, Ident, Int};
    matches!(kind, Ident | Int | Float)
        || TokenKind::keyword(kind.describe().trim_matches('`')).is_some()
}
