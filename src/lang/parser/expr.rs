//! Expressions and statements: precedence climbing over the operators' table in [`BinaryOp`].

use super::Parser;
use crate::ast::{BinaryOp, Block, ExprId, ExprKind, LoopKind, Name, Path, Stmt, UnaryOp};
use crate::codes::Code;
use crate::diag::Diagnostic;
use crate::span::Span;
use crate::token::TokenKind;

/// Most branches in one chain of `else if`.
pub(super) const MAX_ELSE_IF: usize = 128;

impl Parser<'_, '_, '_> {
    fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.module.add(kind, span)
    }

    fn error_expr(&mut self) -> ExprId {
        let span = self.span();
        self.add(ExprKind::Error, span)
    }

    fn span_of(&self, expr: ExprId) -> Span {
        self.module[expr].span
    }

    /// Any expression, assignments and ranges included.
    pub(super) fn expr(&mut self) -> ExprId {
        let parsed = self.nested(Self::expr_inner);
        parsed.unwrap_or_else(|| self.error_expr())
    }

    fn expr_inner(&mut self) -> ExprId {
        let lhs = self.binary(0);
        self.after_operand(lhs)
    }

    /// Ranges and assignments, which bind less than all operators.
    fn after_operand(&mut self, lhs: ExprId) -> ExprId {
        let token = self.token();
        let assign = BinaryOp::from_assign(token.kind);
        if token.kind == TokenKind::Eq || assign.is_some() {
            self.bump();
            let value = self.expr();
            let span = self.span_of(lhs).to(self.span_of(value));
            return self.add(
                ExprKind::Assign {
                    op: assign,
                    op_span: token.span,
                    place: lhs,
                    value,
                },
                span,
            );
        }
        if matches!(token.kind, TokenKind::DotDot | TokenKind::DotDotEq) {
            self.bump();
            let end = self
                .nested(|p| p.binary(0))
                .unwrap_or_else(|| self.error_expr());
            let inclusive = token.kind == TokenKind::DotDotEq;
            let span = self.span_of(lhs).to(self.span_of(end));
            return self.add(
                ExprKind::Range {
                    start: lhs,
                    end,
                    inclusive,
                },
                span,
            );
        }
        lhs
    }

    /// Operators that bind tighter than `level`. Chains lean to the left and are read in this loop.
    fn binary(&mut self, level: u8) -> ExprId {
        let lhs = self.unary();
        self.binary_after(lhs, level)
    }

    fn binary_after(&mut self, mut lhs: ExprId, level: u8) -> ExprId {
        let mut compared: Option<(Span, &str)> = None;
        while let Some(op) = BinaryOp::from_token(self.kind()).filter(|op| op.level() > level) {
            let op_span = self.bump().span;
            let rhs = self
                .nested(|p| p.binary(op.level()))
                .unwrap_or_else(|| self.error_expr());
            let span = self.span_of(lhs).to(self.span_of(rhs));
            if op.is_comparison() {
                if let Some((first, sign)) = compared {
                    self.chained(first, sign, op_span, op);
                    lhs = self.add(ExprKind::Error, span);
                }
                compared = Some((op_span, op.sign()));
            } else {
                compared = None;
            }
            lhs = self.add(
                ExprKind::Binary {
                    op,
                    op_span,
                    lhs,
                    rhs,
                },
                span,
            );
        }
        lhs
    }

    fn chained(&mut self, first: Span, sign: &str, second: Span, op: BinaryOp) {
        let message = "comparisons cannot be chained";
        let error = Diagnostic::error(
            Code::ChainedComparison,
            second,
            message,
            "a second comparison",
        )
        .also(first, "the first one")
        .help(format!("compare twice: `a {sign} b && b {} c`", op.sign()));
        self.sink.push(error);
    }

    /// `-` and `!` before an operand; read in a loop, so that many of them need no deep stack.
    fn unary(&mut self) -> ExprId {
        let mut ops = Vec::new();
        loop {
            let op = match self.kind() {
                TokenKind::Minus => UnaryOp::Neg,
                TokenKind::Not => UnaryOp::Not,
                TokenKind::And | TokenKind::AndAnd | TokenKind::Star => {
                    self.not_in_language(
                        self.span(),
                        "references",
                        "values are used directly: leave the sign out",
                    );
                    self.bump();
                    self.eat(TokenKind::Mut);
                    continue;
                }
                _ => break,
            };
            ops.push((op, self.bump().span));
        }
        let mut operand = self.cast();
        if ops.len() > super::MAX_DEPTH as usize {
            let message = format!("{} signs before one operand are too many", ops.len());
            let error = Diagnostic::error(
                Code::NestedTooDeeply,
                ops[0].1,
                message,
                "the first of them",
            );
            self.sink.push(error.help("two `-` cancel each other"));
            return self.error_expr();
        }
        for (op, span) in ops.into_iter().rev() {
            let span = span.to(self.span_of(operand));
            operand = self.add(ExprKind::Unary { op, operand }, span);
        }
        // `-x as T` casts `-x`, since `as` binds less than signs.
        self.casts(operand)
    }

    fn cast(&mut self) -> ExprId {
        let primary = self.primary();
        self.postfix(primary)
    }

    fn casts(&mut self, mut operand: ExprId) -> ExprId {
        while self.eat(TokenKind::As) {
            let Some(ty) = self.ty() else {
                return self.error_expr();
            };
            let span = self.span_of(operand).to(ty.span);
            operand = self.add(ExprKind::Cast { operand, ty }, span);
        }
        operand
    }

    /// Method calls and fields.
    fn postfix(&mut self, mut base: ExprId) -> ExprId {
        loop {
            let token = self.token();
            match token.kind {
                TokenKind::Dot => {
                    self.bump();
                    match self.member(base) {
                        Some(expr) => base = expr,
                        None => return self.error_expr(),
                    }
                }
                TokenKind::OpenBracket => {
                    self.not_yet(token.span, "elements of arrays (`a[i]`)");
                    self.skip_tree();
                    base = self.error_expr();
                }
                TokenKind::Question => {
                    self.not_in_language(
                        token.span,
                        "`?` operators",
                        "every operation has a result",
                    );
                    self.bump();
                }
                TokenKind::OpenParen => {
                    let message = "only functions can be called";
                    let error = Diagnostic::error(
                        Code::UnexpectedToken,
                        token.span,
                        message,
                        "no call possible here",
                    );
                    self.report(error);
                    self.skip_tree();
                    base = self.error_expr();
                }
                _ => return base,
            }
        }
    }

    fn member(&mut self, receiver: ExprId) -> Option<ExprId> {
        let token = self.token();
        if token.kind == TokenKind::Int {
            self.bump();
            let name = Name {
                text: token.text.to_string(),
                span: token.span,
            };
            let span = self.span_of(receiver).to(token.span);
            return Some(self.add(
                ExprKind::Field {
                    base: receiver,
                    name,
                },
                span,
            ));
        }
        let name = self.name("a method or field")?;
        let open = self.span();
        let start = self.span_of(receiver);
        if !self.eat(TokenKind::OpenParen) {
            let span = start.to(name.span);
            return Some(self.add(
                ExprKind::Field {
                    base: receiver,
                    name,
                },
                span,
            ));
        }
        let (args, close) = self.list(TokenKind::CloseParen, open, |p| Some(p.expr()));
        Some(self.add(
            ExprKind::Method {
                receiver,
                name,
                args,
            },
            start.to(close),
        ))
    }

    fn primary(&mut self) -> ExprId {
        let token = self.token();
        match token.kind {
            TokenKind::Int | TokenKind::Float => {
                self.bump();
                let float = token.kind == TokenKind::Float;
                self.add(
                    ExprKind::Number {
                        text: token.text.to_string(),
                        float,
                    },
                    token.span,
                )
            }
            TokenKind::True | TokenKind::False => {
                self.bump();
                self.add(ExprKind::Bool(token.kind == TokenKind::True), token.span)
            }
            TokenKind::Ident => self.path(),
            TokenKind::OpenParen => self.parenthesized(),
            TokenKind::OpenBrace
            | TokenKind::If
            | TokenKind::Loop
            | TokenKind::While
            | TokenKind::For => self.block_like(None),
            TokenKind::Label => self.labelled(),
            TokenKind::Break | TokenKind::Continue | TokenKind::Return => self.jump(),
            _ => self.no_operand(),
        }
    }

    fn no_operand(&mut self) -> ExprId {
        let token = self.token();
        match token.kind {
            TokenKind::OpenBracket => {
                self.not_yet(token.span, "arrays (`[a, b]`)");
                self.skip_tree();
            }
            TokenKind::Or | TokenKind::OrOr => {
                self.not_in_language(token.span, "closures", "write a function");
                self.bump();
                if token.kind == TokenKind::Or {
                    while !matches!(
                        self.kind(),
                        TokenKind::Or | TokenKind::Semi | TokenKind::End
                    ) && !self.kind().is_closing()
                    {
                        self.bump();
                    }
                    self.eat(TokenKind::Or);
                }
                self.expr();
            }
            TokenKind::Match => {
                self.not_in_language(
                    token.span,
                    "`match` expressions",
                    "write `if … else if … else`",
                );
                self.bump();
                self.binary(0);
                if self.is(TokenKind::OpenBrace) {
                    self.skip_tree();
                }
            }
            TokenKind::Str => {
                self.not_in_language(token.span, "strings", "");
                self.bump();
            }
            TokenKind::DotDot | TokenKind::DotDotEq => {
                self.unexpected("the range's first value");
                self.bump();
                return self.binary(0);
            }
            _ => self.unexpected("an expression"),
        }
        self.error_expr()
    }

    fn path(&mut self) -> ExprId {
        let token = self.bump();
        let mut names = vec![Name {
            text: token.text.to_string(),
            span: token.span,
        }];
        let mut types = Vec::new();
        while self.eat(TokenKind::PathSep) {
            let open = self.span();
            if self.eat(TokenKind::Lt) {
                types = self.list(TokenKind::Gt, open, Self::ty).0;
                break;
            }
            match self.name("a name after `::`") {
                Some(name) => names.push(name),
                None => return self.error_expr(),
            }
        }
        let span = token.span.to(self.previous_span());
        if self.is(TokenKind::Not) && self.ahead(1).closing().is_some() && names.len() == 1 {
            self.not_in_language(span.to(self.span()), "macros", "call a function");
            self.bump();
            self.skip_tree();
            return self.error_expr();
        }
        let path = Path { names, types };
        let open = self.span();
        if !self.eat(TokenKind::OpenParen) {
            return self.add(ExprKind::Path(path), span);
        }
        let (args, close) = self.list(TokenKind::CloseParen, open, |p| Some(p.expr()));
        self.add(ExprKind::Call { path, args }, span.to(close))
    }

    /// `(x)` is x itself; with a comma it is a tuple.
    fn parenthesized(&mut self) -> ExprId {
        let open = self.bump().span;
        let mut comma = false;
        let (members, close) = self.list(TokenKind::CloseParen, open, |p| {
            let member = p.expr();
            comma |= p.is(TokenKind::Comma);
            Some(member)
        });
        match members[..] {
            [only] if !comma => only,
            _ => self.add(ExprKind::Tuple(members), open.to(close)),
        }
    }

    fn jump(&mut self) -> ExprId {
        let token = self.bump();
        let mut span = token.span;
        let mut label = None;
        if token.kind != TokenKind::Return && self.is(TokenKind::Label) {
            let name = self.bump();
            label = Some(Name {
                text: name.text.to_string(),
                span: name.span,
            });
            span = span.to(name.span);
        }
        let mut value = None;
        if token.kind != TokenKind::Continue && self.starts_expr() {
            let expr = self.expr();
            span = span.to(self.span_of(expr));
            value = Some(expr);
        }
        let kind = match token.kind {
            TokenKind::Break => ExprKind::Break { label, value },
            TokenKind::Continue => ExprKind::Continue { label },
            _ => ExprKind::Return(value),
        };
        self.add(kind, span)
    }

    fn starts_expr(&self) -> bool {
        use TokenKind::{CloseBrace, CloseBracket, CloseParen, Comma, Else, End, FatArrow, Semi};
        !matches!(
            self.kind(),
            CloseBrace | CloseBracket | CloseParen | Comma | Semi | End | Else | FatArrow
        )
    }

    fn labelled(&mut self) -> ExprId {
        let token = self.bump();
        let label = Name {
            text: token.text.to_string(),
            span: token.span,
        };
        self.expect(TokenKind::Colon);
        if matches!(
            self.kind(),
            TokenKind::Loop | TokenKind::While | TokenKind::For
        ) {
            return self.block_like(Some(label));
        }
        self.unexpected("`loop`, `while` or `for` after a label");
        self.error_expr()
    }

    fn block_like(&mut self, label: Option<Name>) -> ExprId {
        let start = label.as_ref().map_or(self.span(), |l| l.span);
        let kind = match self.kind() {
            TokenKind::If => return self.if_else(),
            TokenKind::OpenBrace => {
                return self.block_expr().unwrap_or_else(|| self.error_expr());
            }
            TokenKind::Loop => {
                self.bump();
                LoopKind::Forever
            }
            TokenKind::While => {
                self.bump();
                LoopKind::While(self.condition())
            }
            _ => {
                self.bump();
                let Some(pattern) = self.pattern() else {
                    return self.error_expr();
                };
                self.expect(TokenKind::In);
                LoopKind::For {
                    pattern,
                    range: self.expr(),
                }
            }
        };
        let body = self.block();
        let span = start.to(body.span);
        self.add(ExprKind::Loop { label, kind, body }, span)
    }

    fn condition(&mut self) -> ExprId {
        if self.is(TokenKind::Let) {
            self.not_in_language(self.span(), "`if let` and `while let`", "compare with `==`");
            self.bump();
            self.pattern();
            self.eat(TokenKind::Eq);
            self.expr();
            return self.error_expr();
        }
        self.expr()
    }

    fn if_else(&mut self) -> ExprId {
        let start = self.span();
        let mut arms = Vec::new();
        let mut otherwise = None;
        while self.eat(TokenKind::If) {
            let condition = self.condition();
            arms.push((condition, self.block()));
            if !self.eat(TokenKind::Else) {
                break;
            }
            if !self.is(TokenKind::If) {
                otherwise = Some(self.block());
                break;
            }
        }
        let span = start.to(self.previous_span());
        if arms.len() > MAX_ELSE_IF {
            let message = format!(
                "a chain of {} branches is longer than the {MAX_ELSE_IF} allowed",
                arms.len()
            );
            let error = Diagnostic::error(
                Code::NestedTooDeeply,
                start,
                message,
                "the chain starts here",
            );
            self.sink
                .push(error.help("group the cases, or compute the result from the value"));
            return self.error_expr();
        }
        self.add(ExprKind::If { arms, otherwise }, span)
    }

    pub(super) fn block_expr(&mut self) -> Option<ExprId> {
        let block = self.nested(Self::block)?;
        let span = block.span;
        Some(self.add(ExprKind::Block(block), span))
    }

    fn block(&mut self) -> Block {
        let open = self.span();
        let mut block = Block {
            stmts: Vec::new(),
            tail: None,
            span: open,
            broken: true,
        };
        if !self.is(TokenKind::OpenBrace) {
            self.unexpected("`{`");
            use TokenKind::{CloseBrace, Else, End, OpenBrace, Semi};
            while !matches!(self.kind(), OpenBrace | CloseBrace | Else | Semi | End)
                && !self.kind().is_closing()
            {
                self.skip_tree();
            }
        }
        if !self.eat(TokenKind::OpenBrace) {
            return block;
        }
        let errors = self.sink.len();
        while !self.is(TokenKind::CloseBrace) && !self.is(TokenKind::End) {
            let before = self.at;
            self.statement(&mut block);
            if self.at == before {
                // Nothing was read: step over it, unless it closes a bracket outside.
                if self.kind().is_closing() {
                    break;
                }
                self.skip_tree();
            }
        }
        block.span = open.to(self.close(open, TokenKind::CloseBrace));
        block.broken = self.sink.len() > errors;
        block
    }

    fn statement(&mut self, block: &mut Block) {
        match self.kind() {
            TokenKind::Semi => {
                self.bump();
            }
            TokenKind::Let => self.let_statement(block),
            TokenKind::Fn | TokenKind::Pub | TokenKind::Const => {
                self.not_in_language(
                    self.span(),
                    "items inside functions",
                    "move it out of the function",
                );
                self.bump();
                self.skip_statement();
            }
            _ => self.expr_statement(block),
        }
    }

    fn let_statement(&mut self, block: &mut Block) {
        self.bump();
        let Some(pattern) = self.pattern() else {
            return self.skip_statement();
        };
        let ty = if self.eat(TokenKind::Colon) {
            self.ty()
        } else {
            None
        };
        if !self.eat(TokenKind::Eq) {
            let message = "a variable needs a value from the start";
            let error = Diagnostic::error(
                Code::UnexpectedToken,
                self.span(),
                message,
                "expected `=` and a value",
            );
            self.report(error.help("write `= 0` or the value that it gets later"));
            return self.skip_statement();
        }
        let value = self.expr();
        block.stmts.push(Stmt::Let { pattern, ty, value });
        self.end_statement();
    }

    fn expr_statement(&mut self, block: &mut Block) {
        let is_block = matches!(
            self.kind(),
            TokenKind::OpenBrace
                | TokenKind::If
                | TokenKind::Loop
                | TokenKind::While
                | TokenKind::For
        ) || (self.is(TokenKind::Label) && self.ahead(1) == TokenKind::Colon);
        let expr = if is_block {
            // As in Rust, such a statement ends at its brace, unless a method is called on it.
            let expr = self
                .nested(|p| p.primary())
                .unwrap_or_else(|| self.error_expr());
            if !self.is(TokenKind::Dot) {
                if self.is(TokenKind::CloseBrace) {
                    block.tail = Some(expr);
                } else {
                    self.eat(TokenKind::Semi);
                    block.stmts.push(Stmt::Expr(expr));
                }
                return;
            }
            let expr = self.postfix(expr);
            let expr = self.casts(expr);
            let expr = self.binary_after(expr, 0);
            self.after_operand(expr)
        } else {
            self.expr()
        };
        if self.is(TokenKind::CloseBrace) || self.is(TokenKind::End) {
            block.tail = Some(expr);
        } else {
            block.stmts.push(Stmt::Expr(expr));
            self.end_statement();
        }
    }

    fn end_statement(&mut self) {
        // At the end of the source the open brace is what is wrong.
        if !self.eat(TokenKind::Semi) && !self.is(TokenKind::End) {
            self.missing_semicolon();
        }
    }

    /// Reports a missing `;` where the next thing starts a statement, else whatever stands here.
    pub(super) fn missing_semicolon(&mut self) {
        use TokenKind::{
            Break, CloseBrace, Const, Continue, Doc, End, Fn, For, Ident, If, Let, Loop, Pub,
            Return, While,
        };
        let starts = matches!(
            self.kind(),
            Let | Ident
                | If
                | For
                | While
                | Loop
                | Return
                | Break
                | Continue
                | CloseBrace
                | End
                | Fn
                | Pub
                | Const
                | Doc
        );
        if !starts {
            self.unexpected("`;` or an operator");
            return self.skip_statement();
        }
        let span = self.previous_span().after();
        let error = Diagnostic::error(
            Code::MissingSemicolon,
            span,
            "expected `;` after the statement",
            "missing `;`",
        );
        self.report(error.fix(span, ";"));
    }

    fn skip_statement(&mut self) {
        while !matches!(
            self.kind(),
            TokenKind::CloseBrace | TokenKind::End | TokenKind::Let
        ) {
            let kind = self.kind();
            if kind.is_closing() {
                return;
            }
            self.skip_tree();
            if kind == TokenKind::Semi || kind == TokenKind::OpenBrace {
                return;
            }
        }
    }
}
