//! Functions with type parameters: a Rust function for each choice of them, and what finds it by the types.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use ufc_ir::DType;
use ufc_lang::Code;

use crate::expand::{Role, Work, broken_function, headless, kernel_name};
use crate::item::{Head, Item, rust_type};
use crate::options::{self, Options};
use crate::report::Mistake;
use crate::tokens::flatten;

/// Most choices of types for which a kernel is made.
const MOST_CHOICES: usize = 64;

/// A function with type parameters: one Rust function for each choice of them, and one that finds it by the types.
///
/// A kernel's vector form is reached through a type of the same name, since a static has one type only.
pub(crate) fn generic(item: &Item, head: &Head, work: Work, errors: TokenStream) -> TokenStream {
    let (options, _) = options::parse(&flatten(work.options.clone()));
    let role = work.role;
    let choices = match choices(head, options.types.as_deref()) {
        Ok(choices) => choices,
        Err(mistake) => return headless(item, role, mistake.to_tokens()),
    };
    let all = match errors.is_empty() {
        true => work.next(),
        false => broken_functions(head, &choices, role, errors),
    };
    let Item {
        outer, inner, vis, ..
    } = item;
    let name = &head.name;
    let named = Named::new(head, role);
    let (marker, condition, generics) = (&named.marker, &named.condition, &named.generics);
    let args: Vec<Ident> = (0..head.params.len())
        .map(|i| format_ident!("argument_{i}"))
        .collect();
    let (params, result) = (&named.params, &named.result);
    let types = choices.iter().map(|choice| head.fn_type_for(choice));
    let instances = choices.iter().enumerate().map(|(i, choice)| {
        let dtypes = choice
            .iter()
            .map(|dtype| rust_type(*dtype, Span::call_site()));
        let (at, ty) = (Literal::usize_unsuffixed(i), head.fn_type_for(choice));
        quote! {
            impl ::ufc::vectorize::expansion::Instance<#marker> for (#(#dtypes,)*) {
                type Fn = #ty;
                const SCALAR: Self::Fn = ALL.#at;
            }
        }
    });
    let (bytes, handle) = match role {
        Role::Kernel => (
            quote!(&'static [u8]),
            handle(head, &options, &named, choices.len()),
        ),
        Role::Device => (quote!(()), TokenStream::new()),
    };
    let scalar = &named.scalar;
    quote! {
        #outer #inner
        #[allow(clippy::too_many_arguments)]
        #vis fn #name<#generics>(#(#args: #params),*) #(-> #result)* #condition {
            #scalar(#(#args),*)
        }
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis enum #marker {}
        const _: () = {
            const ALL: (#(#types,)* #bytes) = #all;
            #(#instances)*
            #handle
        };
    }
}

/// The head of a generic function in Rust.
struct Named {
    /// The type that stands for the function.
    marker: Ident,
    /// The type parameters.
    generics: TokenStream,
    params: Vec<TokenStream>,
    result: Vec<TokenStream>,
    /// The type of the function pointer.
    ty: TokenStream,
    /// Which types there are functions for.
    condition: TokenStream,
    /// The function for the types.
    scalar: TokenStream,
}

impl Named {
    fn new(head: &Head, role: Role) -> Named {
        let marker = match role {
            Role::Kernel => head.name.clone(),
            Role::Device => format_ident!("__ufc_of_{}", head.name),
        };
        let names: Vec<&Ident> = head.generics.iter().map(|(name, _)| name).collect();
        let named = |number: usize| {
            let name = names[number];
            quote!(#name)
        };
        let ty = head.fn_type(&named);
        let bounds = head.generics.iter().map(|(name, set)| bound(name, *set));
        let tuple = quote!((#(#names,)*));
        Named {
            condition: quote! {
                where #(#bounds,)* #tuple: ::ufc::vectorize::expansion::Instance<#marker, Fn = #ty>
            },
            scalar: quote!(<#tuple as ::ufc::vectorize::expansion::Instance<#marker>>::SCALAR),
            generics: quote!(#(#names),*),
            params: head.params.iter().map(|param| param.rust(&named)).collect(),
            result: head
                .result
                .iter()
                .map(|result| result.rust(&named))
                .collect(),
            marker,
            ty,
        }
    }
}

/// A bound of a type parameter in Rust.
fn bound(name: &Ident, set: ufc_ir::TypeSet) -> TokenStream {
    let known = ufc_ir::TypeSet::BOUNDS
        .iter()
        .find(|(_, known)| *known == set);
    match known {
        Some(("Complex", _)) => quote!(#name: ::ufc::vectorize::scalar::ComplexNum),
        Some((bound, _)) => {
            let bound = Ident::new(bound, Span::call_site());
            quote!(#name: ::ufc::vectorize::scalar::#bound)
        }
        None => quote!(#name: ::ufc::array::Element),
    }
}

/// The functions of the type that stands for a generic kernel.
fn handle(head: &Head, options: &Options, named: &Named, at: usize) -> TokenStream {
    let Named {
        generics,
        params,
        result,
        ty,
        condition,
        scalar,
        marker,
    } = named;
    let (text, target) = kernel_name(head, options);
    let at = Literal::usize_unsuffixed(at);
    let kept = options.embedded();
    let params = quote!((#(#params,)*));
    quote! {
        static KERNEL: ::ufc::vectorize::Embedded =
            ::ufc::vectorize::Embedded::new(#text, ALL.#at, ::ufc::Target::#target) #kept;

        #[allow(dead_code)]
        impl #marker {
            /// The kernel for these types, as `Vectorized`.
            pub fn of<#generics>() -> ::ufc::vectorize::Vectorized<#ty> #condition {
                ::ufc::vectorize::Vectorized::new(#scalar, &KERNEL)
            }

            /// Applies the kernel to every element; see `Vectorized::call`.
            pub fn call<'a, #generics>(
                args: impl ::ufc::vectorize::Args<'a, #params>,
            ) -> ::core::result::Result<<#(#result)* as ::ufc::vectorize::Results>::Arrays, ::ufc::Error>
            #condition {
                Self::of::<#generics>().call(args)
            }

            /// Applies the kernel and writes the results; see `Vectorized::call_into`.
            pub fn call_into<'a, #generics>(
                args: impl ::ufc::vectorize::Args<'a, #params>,
                out: impl ::ufc::vectorize::Outs<'a, #(#result)*>,
            ) -> ::core::result::Result<(), ::ufc::Error>
            #condition {
                Self::of::<#generics>().call_into(args, out)
            }

            /// What a call would do; see `Vectorized::explain`.
            pub fn explain<'a, #generics>(
                args: impl ::ufc::vectorize::Args<'a, #params>,
            ) -> ::ufc::vectorize::Explanation
            #condition {
                Self::of::<#generics>().explain(args)
            }
        }
    }
}

/// The choices of types for which a function is made: those listed, or all that the bounds allow.
pub(crate) fn choices(
    head: &Head,
    listed: Option<&[(Vec<DType>, Span)]>,
) -> Result<Vec<Vec<DType>>, Mistake> {
    let count = head.generics.len();
    let Some(listed) = listed else {
        let mut all = vec![Vec::new()];
        for (_, set) in &head.generics {
            let longer = |choice: &Vec<DType>| {
                set.iter()
                    .map(|dtype| [&choice[..], &[dtype]].concat())
                    .collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
            if all.len() > MOST_CHOICES {
                let message = format!(
                    "the bounds of `{}` allow more than {MOST_CHOICES} choices of types",
                    head.name
                );
                let mistake = Mistake::new(Code::BadAttribute, head.name.span(), message);
                return Err(
                    mistake.help("list those that are wanted: `types((f32, i32), (f64, i64))`")
                );
            }
        }
        return Ok(all);
    };
    let mut all = Vec::new();
    for (choice, place) in listed {
        // One type stands for all type parameters.
        let choice = match choice[..] {
            [dtype] => vec![dtype; count],
            _ => choice.clone(),
        };
        if choice.len() != count || count == 0 {
            let message = match count {
                0 => format!("`{}` has no type parameters", head.name),
                _ => format!(
                    "`{}` has {count} type parameters, not {}",
                    head.name,
                    choice.len()
                ),
            };
            return Err(Mistake::new(Code::BadAttribute, *place, message));
        }
        for ((name, set), dtype) in head.generics.iter().zip(&choice) {
            if !set.contains(*dtype) {
                let message = format!("`{name}` may not be {dtype}, only {set}");
                return Err(Mistake::new(Code::BadAttribute, *place, message));
            }
        }
        all.push(choice);
    }
    Ok(all)
}

pub(crate) fn broken_functions(
    head: &Head,
    choices: &[Vec<DType>],
    role: Role,
    errors: TokenStream,
) -> TokenStream {
    let functions = choices.iter().map(|choice| broken_function(head, choice));
    let last = match role {
        Role::Kernel => quote!(&[]),
        Role::Device => quote!(()),
    };
    quote!({ #errors (#(#functions,)* #last) })
}
