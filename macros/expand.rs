//! What the attributes become: a static for a kernel, the function for a helper, and a hidden macro with the tokens.
//!
//! A macro cannot see other items. So every marked item leaves a `macro_rules!` of its own name behind that hands its
//! tokens on; an item that uses others asks for them one by one, through [`step`], before it is checked and lowered. All
//! this happens inside one expression, so that the names which others use are there from the start.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use ufc_ir::DType;
use ufc_lang::Code;
use ufc_lang::diag::Sink;
use ufc_lang::parser::parse_module;
use ufc_lang::token::TokenKind;

use crate::finish::Finished;
use crate::generic::generic;
use crate::item::{Head, Item, rust_type};
use crate::names::{self, Mention};
use crate::options::{self, Options};
use crate::report::Mistake;
use crate::rewrite;
use crate::tokens::{Changes, Tok, flatten, for_parser};
use crate::unit::Unit;

/// What an item is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It becomes a kernel.
    Kernel,
    /// Kernels may use it.
    Device,
}

/// An item on the way: what it still asks for, and what it has got.
pub(crate) struct Work {
    pub(crate) role: Role,
    pub(crate) options: TokenStream,
    item: TokenStream,
    /// Names to ask for.
    open: Vec<Ident>,
    /// Names and tokens of what it uses.
    used: Vec<(Ident, TokenStream)>,
}

/// Expands an attribute.
pub(crate) fn attribute(role: Role, options: TokenStream, tokens: TokenStream) -> TokenStream {
    let item = Item::parse(tokens.clone());
    let Some(name) = item
        .name()
        .filter(|_| role == Role::Device || item.is_function())
    else {
        let what = match role {
            Role::Kernel => "`#[vectorize]` belongs on a function",
            Role::Device => "`#[device]` belongs on a function or constant",
        };
        let error = Mistake::new(Code::BadAttribute, item.span(), what).to_tokens();
        return quote!(#error #tokens);
    };
    let name = Ident::new(&name.text, name.span);
    if let Some(receiver) = item.receiver() {
        let message = "methods are not part of the kernel language";
        let mistake = Mistake::new(Code::NotInLanguage, receiver, message);
        let error = mistake.help("write a function outside `impl`").to_tokens();
        return quote!(#error #tokens);
    }
    if role == Role::Device && names::is_builtin(&name.to_string()) {
        let message = format!("`{name}` is a function of the kernel language already");
        let error = Mistake::new(Code::DuplicateName, name.span(), message);
        let error = error.help("give it another name").to_tokens();
        return quote!(#error #tokens);
    }
    if let (Role::Device, Some(option)) = (role, options.clone().into_iter().next()) {
        let mistake = Mistake::new(
            Code::BadAttribute,
            option.span(),
            "`#[device]` has no options",
        );
        let error = mistake.to_tokens();
        return quote!(#error #tokens);
    }
    let mut work = Work {
        role,
        options,
        item: tokens,
        open: Vec::new(),
        used: Vec::new(),
    };
    let unmarked = work.look_for(&item.toks, &name);
    let hidden = hidden_macro(&item, &name);
    let parsed = Parsed::new(&item);
    let outside = match &parsed.head {
        _ if !item.is_function() => constant(&item, work, unmarked),
        Some(head) if role == Role::Kernel && !head.is_kernel() => headless(&item, role, unmarked),
        Some(head) if role == Role::Kernel && head.generics.is_empty() => {
            kernel(&item, head, work, unmarked)
        }
        Some(head) if head.generics.is_empty() => helper(&item, &parsed, work, unmarked),
        Some(head) => generic(&item, head, work, unmarked),
        None => headless(&item, role, unmarked),
    };
    quote!(#outside #hidden)
}

/// The macro that hands the item's tokens to those who use it. Calls of functions that the language has itself never ask.
fn hidden_macro(item: &Item, name: &Ident) -> TokenStream {
    if names::is_builtin(&name.to_string()) {
        return TokenStream::new();
    }
    let hidden = format_ident!("__ufc_{}", name, span = Span::call_site());
    let name = Ident::new(&name.to_string(), Span::call_site());
    let rest = &item.rest;
    quote! {
        #[doc(hidden)]
        #[allow(unused_macros)]
        macro_rules! #hidden {
            ($($state:tt)*) => { ::ufc::vectorize::expansion::step!({ #rest } $($state)*) };
        }
        #[allow(unused_imports)]
        pub(crate) use #hidden as #name;
    }
}

/// An item as it was parsed alone.
struct Parsed {
    toks: Vec<Tok>,
    head: Option<Head>,
}

impl Parsed {
    fn new(item: &Item) -> Parsed {
        let module = parse_module(&for_parser(&item.toks), &mut Sink::default());
        Parsed {
            head: module
                .functions
                .first()
                .and_then(|f| Head::of(f, &item.toks)),
            toks: item.toks.clone(),
        }
    }
}

impl Work {
    /// Notes the names that an item has from outside; gives errors about those that kernels cannot see.
    fn look_for(&mut self, toks: &[Tok], own: &Ident) -> TokenStream {
        let module = parse_module(&for_parser(toks), &mut Sink::default());
        let mut errors = TokenStream::new();
        for (name, at) in names::foreign(&module) {
            let place = toks[at].span;
            let is_known = self
                .open
                .iter()
                .chain(self.used.iter().map(|(name, _)| name))
                .any(|known| *known == name);
            if is_known || *own == name {
                continue;
            }
            let mention = match names::mention(&name, place) {
                Mention::None
                    if own.span().unwrap().local_file() != place.unwrap().local_file() =>
                {
                    names::mention(&name, own.span())
                }
                mention => mention,
            };
            match mention {
                Mention::Likely => self.open.push(Ident::new(&name, place)),
                Mention::None => {}
                Mention::Unmarked => {
                    let is_call = toks.get(at + 1).is_some_and(|tok| tok.text == "(");
                    let (code, what) = match is_call {
                        true => (Code::UnknownFunction, "function"),
                        false => (Code::UnknownName, "constant"),
                    };
                    let message = format!("kernels cannot see the {what} `{name}`");
                    let mistake =
                        Mistake::new(code, place, message).help("mark it with `#[ufc::device]`");
                    errors.extend(mistake.to_tokens());
                }
            }
        }
        errors
    }

    /// The expression that asks for what is missing, or the finished one.
    pub(crate) fn next(mut self) -> TokenStream {
        let Some(name) = self.open.pop() else {
            return self.finish();
        };
        let role = match self.role {
            Role::Kernel => quote!(kernel),
            Role::Device => quote!(device),
        };
        let Work {
            options,
            item,
            open,
            used,
            ..
        } = self;
        let used = used.iter().map(|(name, toks)| quote!(#name { #toks }));
        quote!(#name!({ #role #name { #(#open)* } { #(#used)* } { #options } { #item } }))
    }

    fn finish(self) -> TokenStream {
        let item = Item::parse(self.item.clone());
        let used: Vec<(String, Vec<Tok>)> = self
            .used
            .into_iter()
            .map(|(name, tokens)| (name.to_string(), flatten(tokens)))
            .collect();
        let (options, mistakes) = options::parse(&flatten(self.options));
        let mut errors: TokenStream = mistakes.iter().map(Mistake::to_tokens).collect();
        let is_kernel = self.role == Role::Kernel;
        let unit = Unit::check(&item, is_kernel.then_some(&options), &used);
        errors.extend(unit.errors());
        let finished = Finished {
            item: &item,
            options: &options,
            unit: &unit,
            role: self.role,
        };
        finished.expression(errors)
    }
}

/// Takes the tokens of one item that another uses: `{ tokens } { state }`.
pub(crate) fn step(state: TokenStream) -> TokenStream {
    let mut groups = state.into_iter().filter_map(|tree| match tree {
        TokenTree::Group(group) => Some(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    });
    let given = groups.next().unwrap_or_default();
    let mut state = groups.next().unwrap_or_default().into_iter();
    let (Some(TokenTree::Ident(role)), Some(TokenTree::Ident(name))) = (state.next(), state.next())
    else {
        return Mistake::new(
            Code::Internal,
            Span::call_site(),
            "this macro is not to be called",
        )
        .to_tokens();
    };
    let mut group = || match state.next() {
        Some(TokenTree::Group(group)) => group.stream(),
        _ => TokenStream::new(),
    };
    let open = group().into_iter().filter_map(|tree| match tree {
        TokenTree::Ident(name) => Some(name),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    });
    let open = open.collect();
    let mut used = Vec::new();
    let mut pairs = group().into_iter();
    while let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(toks))) =
        (pairs.next(), pairs.next())
    {
        used.push((name, Group::stream(&toks)));
    }
    used.push((name, given.clone()));
    let mut work = Work {
        role: if role == "kernel" {
            Role::Kernel
        } else {
            Role::Device
        },
        options: group(),
        item: group(),
        open,
        used,
    };
    let item = Item::parse(work.item.clone());
    if let Some(own) = item.name() {
        let own = Ident::new(&own.text, own.span);
        // What is not right with the names of what is used is reported there.
        work.look_for(&flatten(given), &own);
    }
    work.next()
}

/// The type of a kernel's static.
fn vectorized(head: &Head) -> TokenStream {
    let ty = head.fn_type_for(&[]);
    quote!(::ufc::vectorize::Vectorized<#ty>)
}

fn kernel(item: &Item, head: &Head, work: Work, errors: TokenStream) -> TokenStream {
    let Item { outer, vis, .. } = item;
    let (name, ty) = (&head.name, vectorized(head));
    let value = match errors.is_empty() {
        true => work.next(),
        false => broken_kernel(head, errors),
    };
    quote! {
        #outer
        #[allow(non_upper_case_globals)]
        #vis static #name: #ty = #value;
    }
}

/// A kernel that cannot be called, so that its uses are not errors too.
pub(crate) fn broken_kernel(head: &Head, errors: TokenStream) -> TokenStream {
    let (function, name) = (broken_function(head, &[]), head.name.to_string());
    quote! {{
        #errors
        static KERNEL: ::ufc::vectorize::Embedded =
            ::ufc::vectorize::Embedded::new(#name, &[], ::ufc::Target::AUTO);
        ::ufc::vectorize::Vectorized::new(#function, &KERNEL)
    }}
}

/// A function of the right type that does nothing.
pub(crate) fn broken_function(head: &Head, choice: &[DType]) -> TokenStream {
    let generic = |number: usize| rust_type(choice[number], Span::call_site());
    let params = head.params.iter().map(|param| param.rust(&generic));
    let result = head.result.iter().map(|result| result.rust(&generic));
    let ty = head.fn_type_for(choice);
    quote! {{
        fn broken(#(_: #params),*) #(-> #result)* {
            ::core::panic!("this function has a compile error")
        }
        broken as #ty
    }}
}

/// A helper without type parameters: the function, its body checked.
fn helper(item: &Item, parsed: &Parsed, work: Work, errors: TokenStream) -> TokenStream {
    let Item {
        outer, inner, vis, ..
    } = item;
    let Some(body) = body_start(&parsed.toks) else {
        return headless(item, Role::Device, errors);
    };
    let mut changes = Changes::default();
    rewrite::types(&parsed.toks, &(0..body), &mut changes);
    let signature = changes.apply(&parsed.toks, 0, body);
    let body = match errors.is_empty() {
        true => work.next(),
        false => quote!({ #errors ::core::panic!("this function has a compile error") }),
    };
    quote! {
        #outer #inner
        #[allow(unused_parens, unstable_name_collisions)]
        #vis #signature { #body }
    }
}

/// The number of the token that opens a function's body: the last brace outside brackets.
fn body_start(toks: &[Tok]) -> Option<usize> {
    let mut at = 0;
    while at < toks.len() {
        match toks[at].kind {
            TokenKind::OpenBrace => return Some(at),
            kind if kind.closing().is_some() => at = crate::tokens::matching(toks, at) + 1,
            _ => at += 1,
        }
    }
    None
}

fn constant(item: &Item, work: Work, errors: TokenStream) -> TokenStream {
    let Item {
        outer,
        inner,
        vis,
        toks,
        ..
    } = item;
    let equals = toks.iter().position(|tok| tok.kind == TokenKind::Eq);
    let mut changes = Changes::default();
    let end = equals.unwrap_or(toks.len());
    rewrite::types(toks, &(0..end), &mut changes);
    let head = changes.apply(toks, 0, end);
    let value = match errors.is_empty() {
        true => work.next(),
        false => errors,
    };
    quote! {
        #outer #inner
        #vis #head = #value;
    }
}

/// A function whose head the language does not have: its errors, and the head alone for those who call it.
pub(crate) fn headless(item: &Item, role: Role, errors: TokenStream) -> TokenStream {
    let Item {
        outer,
        inner,
        vis,
        toks,
        ..
    } = item;
    let (options, _) = options::parse(&[]);
    let unit = Unit::check(item, (role == Role::Kernel).then_some(&options), &[]);
    let found = match errors.is_empty() {
        true => unit.errors(),
        false => errors,
    };
    let signature = Changes::default().apply(toks, 0, body_start(toks).unwrap_or(toks.len()));
    quote! {
        #found
        #outer #inner
        #[allow(unused_variables)]
        #vis #signature { ::core::panic!("this function has a compile error") }
    }
}

pub(crate) fn kernel_name(head: &Head, options: &Options) -> (String, Ident) {
    let name = options
        .name
        .clone()
        .unwrap_or_else(|| head.name.to_string());
    (name, Ident::new(options.target_const, Span::call_site()))
}
