//! The Rust item under an attribute, taken apart as far as the macros need.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::quote;
use ufc_ir::{DType, TypeSet};
use ufc_lang::ast::{Function, TypeExpr, TypeKind};
use ufc_lang::token::TokenKind;

use crate::tokens::{Tok, flatten};

/// Attributes that belong to the function rather than to what stands for it outside.
const OF_THE_FUNCTION: &[&str] = &[
    "inline",
    "cold",
    "must_use",
    "track_caller",
    "target_feature",
];

/// An item: attributes, visibility, and the rest.
pub(crate) struct Item {
    /// The lines of the documentation.
    pub(crate) docs: Vec<String>,
    /// Attributes for what stands for the item outside, the documentation among them.
    pub(crate) outer: TokenStream,
    /// Attributes for the function itself.
    pub(crate) inner: TokenStream,
    pub(crate) vis: TokenStream,
    /// From `fn` or `const` on.
    pub(crate) rest: TokenStream,
    pub(crate) toks: Vec<Tok>,
}

impl Item {
    pub(crate) fn parse(item: TokenStream) -> Item {
        let mut trees = item.into_iter().peekable();
        let mut docs = Vec::new();
        let (mut outer, mut inner, mut vis) =
            (TokenStream::new(), TokenStream::new(), TokenStream::new());
        while let Some(TokenTree::Punct(pound)) =
            trees.next_if(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == '#'))
        {
            let Some(group) = trees.next() else { break };
            let name = attribute_name(&group);
            match &group {
                TokenTree::Group(g) if name == "doc" => docs.extend(doc_lines(g)),
                _ => {}
            }
            let to = match OF_THE_FUNCTION.contains(&name.as_str()) {
                true => &mut inner,
                false => &mut outer,
            };
            to.extend([pound.into(), group]);
        }
        if let Some(public) = trees.next_if(|t| matches!(t, TokenTree::Ident(i) if i == "pub")) {
            vis.extend([public]);
            let is_scope = |t: &TokenTree| matches!(t, TokenTree::Group(g) if g.delimiter() == Delimiter::Parenthesis);
            vis.extend(trees.next_if(is_scope));
        }
        let rest: TokenStream = trees.collect();
        Item {
            docs,
            outer,
            inner,
            vis,
            toks: flatten(rest.clone()),
            rest,
        }
    }

    /// Its name and the name's place, if it is a function or constant.
    pub(crate) fn name(&self) -> Option<&Tok> {
        let is_item = matches!(self.toks.first()?.kind, TokenKind::Fn | TokenKind::Const);
        self.toks
            .get(1)
            .filter(|tok| is_item && tok.kind == TokenKind::Ident)
    }

    pub(crate) fn is_function(&self) -> bool {
        self.toks
            .first()
            .is_some_and(|tok| tok.kind == TokenKind::Fn)
    }

    /// Where `self` stands among the parameters.
    pub(crate) fn receiver(&self) -> Option<Span> {
        let open = self.toks.iter().position(|tok| tok.text == "(")?;
        let mut params = self.toks[open..crate::tokens::matching(&self.toks, open)].iter();
        params.find(|tok| tok.is_ident("self")).map(|tok| tok.span)
    }

    /// Where messages about all of it point.
    pub(crate) fn span(&self) -> Span {
        self.toks
            .first()
            .map_or_else(Span::call_site, |tok| tok.span)
    }
}

/// The last word of the path of an attribute.
fn attribute_name(group: &TokenTree) -> String {
    let TokenTree::Group(group) = group else {
        return String::new();
    };
    let words = group.stream().into_iter().map_while(|tree| match tree {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        TokenTree::Punct(p) if p.as_char() == ':' => Some(String::new()),
        _ => None,
    });
    words
        .filter(|word| !word.is_empty())
        .last()
        .unwrap_or_default()
}

/// The lines of `doc = "…"`.
fn doc_lines(group: &Group) -> Vec<String> {
    let Some(TokenTree::Literal(text)) = group.stream().into_iter().nth(2) else {
        return Vec::new();
    };
    let text = unescape(&text.to_string());
    let lines = text
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_string());
    match text.is_empty() {
        true => vec![String::new()],
        false => lines.collect(),
    }
}

/// The text of a string literal, as the compiler writes those of doc comments.
fn unescape(literal: &str) -> String {
    let raw = literal.trim_start_matches('r').trim_matches('#');
    let inner = raw
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .unwrap_or(raw);
    if literal.starts_with('r') {
        return inner.to_string();
    }
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            None => text.push(c),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('u') => {
                let digits: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                text.extend(code);
            }
            Some(other) => text.push(other),
        }
    }
    text
}

/// A type as a signature has it.
#[derive(Clone)]
pub(crate) enum Ty {
    DType(DType, Span),
    /// A type parameter.
    Generic(usize),
    Tuple(Vec<Ty>),
}

impl Ty {
    fn of(ty: &TypeExpr, function: &Function, toks: &[Tok]) -> Option<Ty> {
        match &ty.kind {
            TypeKind::Name(name) => {
                let generic = function.generics.iter().position(|g| g.name.text == *name);
                let span = toks
                    .get(ty.span.start as usize)
                    .map_or_else(Span::call_site, |t| t.span);
                let dtype = || DType::from_name(name).map(|dtype| Ty::DType(dtype, span));
                generic.map(Ty::Generic).or_else(dtype)
            }
            TypeKind::Tuple(members) => {
                let members = members.iter().map(|member| Ty::of(member, function, toks));
                members.collect::<Option<_>>().map(Ty::Tuple)
            }
            TypeKind::Infer | TypeKind::Error => None,
        }
    }

    /// The type in Rust; type parameters by `generic`.
    pub(crate) fn rust(&self, generic: &dyn Fn(usize) -> TokenStream) -> TokenStream {
        match self {
            Ty::DType(dtype, span) => rust_type(*dtype, *span),
            Ty::Generic(number) => generic(*number),
            Ty::Tuple(members) => {
                let members = members.iter().map(|member| member.rust(generic));
                quote!((#(#members,)*))
            }
        }
    }
}

/// A dtype's Rust type.
pub(crate) fn rust_type(dtype: DType, span: Span) -> TokenStream {
    let ident = proc_macro2::Ident::new(dtype.part().name(), span);
    match dtype {
        DType::C64 | DType::C128 => quote!(::ufc::vectorize::expansion::Complex<#ident>),
        DType::F16 | DType::BF16 => quote!(::ufc::vectorize::expansion::#ident),
        _ => quote!(#ident),
    }
}

/// The head of a function.
pub(crate) struct Head {
    pub(crate) name: proc_macro2::Ident,
    /// Name and dtypes of each type parameter.
    pub(crate) generics: Vec<(proc_macro2::Ident, TypeSet)>,
    pub(crate) params: Vec<Ty>,
    pub(crate) result: Option<Ty>,
}

impl Head {
    /// The head of a parsed function; none if its types are none of the language's.
    pub(crate) fn of(function: &Function, toks: &[Tok]) -> Option<Head> {
        let ident = |name: &ufc_lang::ast::Name| {
            let span = toks
                .get(name.span.start as usize)
                .map_or_else(Span::call_site, |t| t.span);
            proc_macro2::Ident::new(&name.text, span)
        };
        let params = function
            .params
            .iter()
            .map(|p| Ty::of(&p.ty, function, toks));
        let result = match &function.result {
            Some(result) => Some(Ty::of(result, function, toks)?),
            None => None,
        };
        let generics = function.generics.iter().map(|generic| {
            let bound = |name: &ufc_lang::ast::Name| {
                let known = TypeSet::BOUNDS
                    .iter()
                    .find(|(bound, _)| *bound == name.text);
                known.map(|(_, set)| *set)
            };
            let sets = generic.bounds.iter().map(bound);
            let set = sets
                .into_iter()
                .try_fold(TypeSet::ANY, |all, set| Some(all.and(set?)));
            Some((ident(&generic.name), set?))
        });
        Some(Head {
            name: ident(&function.name),
            generics: generics.collect::<Option<_>>()?,
            params: params.collect::<Option<_>>()?,
            result,
        })
    }

    /// Whether a kernel may have it: single numbers in, and one or a tuple of them out.
    pub(crate) fn is_kernel(&self) -> bool {
        let is_single = |ty: &Ty| !matches!(ty, Ty::Tuple(_));
        let results = match &self.result {
            Some(Ty::Tuple(members)) => &members[..],
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        self.params.iter().chain(results).all(is_single) && !results.is_empty()
    }

    /// The type of the function pointer, with Rust types for the type parameters.
    pub(crate) fn fn_type(&self, generic: &dyn Fn(usize) -> TokenStream) -> TokenStream {
        let params = self.params.iter().map(|param| param.rust(generic));
        let result = self.result.iter().map(|result| result.rust(generic));
        quote!(fn(#(#params),*) #(-> #result)*)
    }

    /// As [`Head::fn_type`], for one choice of dtypes.
    pub(crate) fn fn_type_for(&self, choice: &[DType]) -> TokenStream {
        self.fn_type(&|number| rust_type(choice[number], Span::call_site()))
    }
}
