//! Tokens, the one form in which source reaches the parser, be it from text or from a Rust macro.

use crate::span::Span;

/// A token: what it is, how it was written, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// How it was written. Doc comments: the text after the marker.
    pub text: &'a str,
    /// Where it stands.
    pub span: Span,
}

macro_rules! define_tokens {
    (keywords { $($keyword:ident $word:literal,)* } signs { $($symbol:ident $sign:literal,)* } others { $($other:ident $name:literal,)* }) => {
        /// What a token is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum TokenKind {
            $(#[doc = concat!("The word `", $word, "`.")] $keyword,)*
            $(#[doc = concat!("The sign `", $sign, "`.")] $symbol,)*
            $(#[doc = concat!("One kind of token: ", $name, ".")] $other,)*
        }

        impl TokenKind {
            /// The keyword spelled so.
            pub fn keyword(word: &str) -> Option<TokenKind> {
                match word { $($word => Some(TokenKind::$keyword),)* _ => None }
            }

            /// How a message names it.
            pub const fn describe(self) -> &'static str {
                match self {
                    $(TokenKind::$keyword => concat!("`", $word, "`"),)*
                    $(TokenKind::$symbol => concat!("`", $sign, "`"),)*
                    $(TokenKind::$other => $name,)*
                }
            }

            /// Signs, longest first among those that start alike.
            pub(crate) const SIGNS: &'static [(&'static str, TokenKind)] = &[$(($sign, TokenKind::$symbol)),*];
        }
    };
}

define_tokens! {
    keywords {
    As "as", Break "break", Const "const", Continue "continue", Else "else", False "false", Fn "fn", For "for",
    If "if", In "in", Let "let", Loop "loop", Match "match", Mut "mut", Pub "pub", Return "return", True "true",
    While "while",
    }
    signs {
    DotDotEq "..=", ShlEq "<<=", ShrEq ">>=",
    AndAnd "&&", OrOr "||", EqEq "==", NotEq "!=", LtEq "<=", GtEq ">=", Shl "<<", Shr ">>",
    PlusEq "+=", MinusEq "-=", StarEq "*=", SlashEq "/=", PercentEq "%=", AndEq "&=", OrEq "|=", CaretEq "^=",
    Arrow "->", FatArrow "=>", PathSep "::", DotDot "..",
    Plus "+", Minus "-", Star "*", Slash "/", Percent "%", And "&", Or "|", Caret "^", Not "!", Eq "=", Lt "<",
    Gt ">", Dot ".", Comma ",", Semi ";", Colon ":", Pound "#", Question "?", At "@",
    OpenParen "(", CloseParen ")", OpenBracket "[", CloseBracket "]", OpenBrace "{", CloseBrace "}",
    }
    others {
    Ident "a name", Underscore "`_`", Label "a label", Int "an integer", Float "a number", Str "a string",
    Doc "a doc comment", ModuleDoc "a doc comment of the file", Unknown "a character with no meaning here",
    End "the end of the source",
    }
}

impl TokenKind {
    /// The closing bracket that belongs to an opening one.
    pub const fn closing(self) -> Option<TokenKind> {
        match self {
            TokenKind::OpenParen => Some(TokenKind::CloseParen),
            TokenKind::OpenBracket => Some(TokenKind::CloseBracket),
            TokenKind::OpenBrace => Some(TokenKind::CloseBrace),
            _ => None,
        }
    }

    /// Whether it closes a bracket.
    pub const fn is_closing(self) -> bool {
        matches!(
            self,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace
        )
    }
}
