//! An item with all that it uses, as the expression that it becomes: the IR's bytes and the kept Rust function.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use ufc_ir::{DType, Wgsl};
use ufc_lang::Code;
use ufc_lang::token::TokenKind;

use crate::expand::{Role, broken_kernel, kernel_name};
use crate::generic::{broken_functions, choices};
use crate::item::{Head, Item, rust_type};
use crate::options::Options;
use crate::report::Mistake;
use crate::rewrite;
use crate::tokens::Changes;
use crate::unit::Unit;

/// Most parameters of a kernel, and results: as many as `ufc::vectorize` has traits for.
const MOST_PARAMS: usize = 12;

/// An item with all that it uses, checked.
pub(crate) struct Finished<'a> {
    pub(crate) item: &'a Item,
    pub(crate) options: &'a Options,
    pub(crate) unit: &'a Unit,
    pub(crate) role: Role,
}

impl Finished<'_> {
    /// The expression that the item becomes.
    pub(crate) fn expression(&self, mut errors: TokenStream) -> TokenStream {
        let is_kernel = self.role == Role::Kernel;
        let head = self.unit.head();
        let is_generic = head.as_ref().is_some_and(|head| !head.generics.is_empty());
        let listed = self.options.types.as_deref().filter(|_| is_kernel);
        let chosen = match &head {
            Some(head) if is_generic || listed.is_some() => choices(head, listed),
            _ => Ok(vec![Vec::new()]),
        };
        let chosen = chosen.unwrap_or_else(|mistake| {
            errors.extend(mistake.to_tokens());
            vec![Vec::new()]
        });
        let is_clean = errors.is_empty() && !self.unit.has_errors();
        let mut bytes = None;
        if is_clean
            && is_kernel
            && let Some(head) = &head
        {
            match self.package(head, &chosen) {
                Ok(package) => bytes = Some(package),
                Err(found) => errors.extend(found),
            }
        }
        let Some(head) = head else {
            return self.constant_value(is_clean, errors);
        };
        let is_clean = is_clean && errors.is_empty();
        let functions: Option<Vec<TokenStream>> = match is_clean {
            true => chosen
                .iter()
                .map(|choice| self.function(&head, choice))
                .collect(),
            false => None,
        };
        match (functions, is_generic, is_kernel) {
            (Some(functions), true, _) => {
                let functions = functions.iter().zip(&chosen).map(|(function, choice)| {
                    let (name, ty) = (&head.name, head.fn_type_for(choice));
                    quote!({ #function #name as #ty })
                });
                let last = bytes.map_or_else(|| quote!(()), |bytes| quote!(#bytes));
                quote!((#(#functions,)* #last))
            }
            (None, true, _) => broken_functions(&head, &chosen, self.role, errors),
            (Some(functions), false, true) => self.kernel(&head, &functions[0], bytes),
            (None, false, true) => broken_kernel(&head, errors),
            (Some(_), false, false) => self.body(&[]).unwrap_or_default(),
            (None, false, false) => {
                quote!({ #errors ::core::panic!("this function has a compile error") })
            }
        }
    }

    fn kernel(&self, head: &Head, function: &TokenStream, bytes: Option<Literal>) -> TokenStream {
        let (name, ty) = (&head.name, head.fn_type_for(&[]));
        let (text, target) = kernel_name(head, self.options);
        let kept = self.options.embedded();
        quote! {{
            #function
            static KERNEL: ::ufc::vectorize::Embedded =
                ::ufc::vectorize::Embedded::new(#text, #bytes, ::ufc::Target::#target) #kept;
            ::ufc::vectorize::Vectorized::new(#name as #ty, &KERNEL)
        }}
    }

    fn constant_value(&self, is_clean: bool, errors: TokenStream) -> TokenStream {
        let unit = self.unit;
        let ast = unit.module.ast();
        let name = unit.own.start + 1;
        let constant = ast
            .constants
            .iter()
            .find(|c| c.name.span.start as usize == name);
        let typed = constant.and_then(|c| unit.module.typed(&c.name.text, &[]).ok());
        match (constant, typed) {
            (Some(constant), Some(typed)) if is_clean => {
                let own = &unit.toks[unit.own.clone()];
                let equals = own.iter().position(|tok| tok.kind == TokenKind::Eq);
                let start = unit.own.start + equals.map_or(0, |at| at + 1);
                let changes = rewrite::changes(
                    unit.module.ast(),
                    &constant.exprs,
                    &typed,
                    &unit.toks,
                    &unit.own,
                );
                changes.apply(&unit.toks, start, unit.own.end - 1)
            }
            _ if errors.is_empty() => quote!(::core::panic!("this constant has a compile error")),
            _ => quote!({ #errors }),
        }
    }

    /// The Rust function for a choice of types.
    fn function(&self, head: &Head, choice: &[DType]) -> Option<TokenStream> {
        let body = self.body(choice)?;
        let (unit, inner) = (self.unit, &self.item.inner);
        let start = unit.own.start;
        let open = unit.toks[start..].iter().position(|tok| tok.text == "(")? + start;
        let brace = unit.body()?;
        let mut changes = Changes::default();
        rewrite::types(&unit.toks, &(start..brace), &mut changes);
        for at in open..brace {
            let tok = &unit.toks[at];
            let number = head
                .generics
                .iter()
                .position(|(name, _)| tok.is_ident(&name.to_string()));
            if let Some(number) = number {
                changes.replace(at, at + 1, rust_type(choice[number], tok.span));
            }
        }
        let (word, signature) = (
            changes.apply(&unit.toks, start, start + 2),
            changes.apply(&unit.toks, open, brace),
        );
        Some(
            quote!(#inner #[allow(clippy::too_many_arguments, unused_parens, unstable_name_collisions)] #word #signature #body),
        )
    }

    /// The body of the Rust function for a choice of types.
    fn body(&self, choice: &[DType]) -> Option<TokenStream> {
        let unit = self.unit;
        let function = unit.function()?;
        let typed = unit.module.typed(&function.name.text, choice).ok()?;
        let brace = unit.body()?;
        let changes = rewrite::changes(
            unit.module.ast(),
            &function.exprs,
            &typed,
            &unit.toks,
            &unit.own,
        );
        let close = crate::tokens::matching(&unit.toks, brace);
        let inside = changes.apply(&unit.toks, brace + 1, close);
        let head = unit.head()?;
        let aliases = head.generics.iter().zip(choice).map(|((name, _), dtype)| {
            let ty = rust_type(*dtype, Span::call_site());
            quote!(#[allow(dead_code)] type #name = #ty;)
        });
        Some(quote! {{
            #[allow(unused_imports)]
            use ::ufc::vectorize::scalar::methods::*;
            #(#aliases)*
            #inside
        }})
    }

    /// The bytes of the kernel.
    fn package(&self, head: &Head, choices: &[Vec<DType>]) -> Result<Literal, TokenStream> {
        let name = head.name.to_string();
        let one = |mistake: Mistake| mistake.to_tokens();
        let results = match &head.result {
            Some(crate::item::Ty::Tuple(members)) => members.len(),
            _ => 1,
        };
        if head.params.len() > MOST_PARAMS || results > MOST_PARAMS {
            let message = format!(
                "under `#[vectorize]` a kernel has at most {MOST_PARAMS} parameters and results"
            );
            return Err(one(Mistake::new(
                Code::TooManyParameters,
                head.name.span(),
                message,
            )));
        }
        let package = self.unit.module.package(&name, choices);
        let mut package = package.map_err(|found| {
            let message = found
                .first()
                .map(|found| found.message.clone())
                .unwrap_or_default();
            let code = found.first().map_or(Code::Internal, |found| found.code);
            one(Mistake::new(code, head.name.span(), message))
        })?;
        if let Some(name) = &self.options.name {
            package.name.clone_from(name);
        }
        if self.options.target == "wgpu" {
            self.check_wgsl(&package, head).map_err(one)?;
        }
        Ok(Literal::byte_string(&package.to_bytes()))
    }

    /// Whether WGSL has all dtypes of a kernel, with what is allowed.
    fn check_wgsl(&self, package: &ufc_ir::Package, head: &Head) -> Result<(), Mistake> {
        for one in &package.loops {
            for dtype in dtypes(&one.func) {
                let Wgsl::Feature(feature) = dtype.wgsl() else {
                    continue;
                };
                if self.options.allowed.contains(&feature) {
                    continue;
                }
                let own = &self.unit.toks[self.unit.own.clone()];
                let place = own.iter().find(|tok| tok.text.ends_with(dtype.name()));
                let listed = self
                    .options
                    .types
                    .iter()
                    .flatten()
                    .find(|(choice, _)| choice.contains(&dtype));
                let place = match (place, listed) {
                    (Some(tok), _) => tok.span,
                    (None, Some((_, span))) => *span,
                    (None, None) => head.name.span(),
                };
                let message = format!(
                    "`{dtype}` is not in WGSL: on target \"wgpu\" this needs an adapter with {feature}"
                );
                let allow = feature.to_ascii_lowercase();
                let help =
                    format!("allow it with `allow({allow})`, or choose another type or target");
                return Err(Mistake::new(Code::NotInTarget, place, message).help(help));
            }
        }
        Ok(())
    }
}

/// The dtypes that a function computes with; positions are not counted, which a target has in its own way.
fn dtypes(func: &ufc_ir::Func) -> Vec<DType> {
    let mut found: Vec<DType> = func.param_dtypes();
    func.for_each_inst(|_, inst| {
        let data = &func.insts[inst];
        if !matches!(data.kind, ufc_ir::func::InstKind::Index(_)) {
            found.extend(data.results.iter().map(|value| func.dtype(*value)));
        }
    });
    found.sort();
    found.dedup();
    found
}
