//! Kernels as IR alone: what a checked source gives, and what is known of a kernel that came so.

use ufc_ir::package::{PackedLoop, Slot};
use ufc_ir::{DType, Package, Verified};

use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::hir::Body;
use crate::module::{Kernel, KernelGeneric, KernelParam, Module};
use crate::signature::ParamType;
use crate::span::Span;
use crate::typeck::check_body;

impl Module {
    /// The typed tree of a function's body or a constant's value, for these dtypes of its type parameters.
    ///
    /// # Errors
    /// What is wrong with it; nothing at all if there is no such function or constant.
    pub fn typed(&self, name: &str, types: &[DType]) -> Result<Body, Vec<Diagnostic>> {
        let mut sink = Sink::default();
        let item = self.items().get(name);
        let body = item.and_then(|item| check_body(self.scope(), item, types, &mut sink));
        body.ok_or_else(|| sink.into_sorted())
    }

    /// A kernel as IR, with a function for each of these choices of its type parameters.
    ///
    /// # Errors
    /// As [`Module::lower`]; also if the kernel is a one-line expression, whose results are not known before a call.
    pub fn package(
        &self,
        kernel: &str,
        choices: &[Vec<DType>],
    ) -> Result<Package, Vec<Diagnostic>> {
        let mut loops = Vec::new();
        for types in choices {
            let func = self.lower(kernel, types)?;
            let func = Verified::try_new(func).map_err(|violations| {
                let message = format!(
                    "`{kernel}` was lowered to IR that is not valid: {}",
                    violations[0]
                );
                vec![internal(message)]
            })?;
            let types = types.clone();
            loops.push(PackedLoop { types, func });
        }
        let known = self.kernel(kernel);
        let slots = |known: &Kernel| {
            let params = known
                .params
                .iter()
                .map(|p| Some((p.name.clone(), slot(p.ty)?)));
            let results = known.results.iter().map(|ty| slot(*ty));
            Some((
                params.collect::<Option<_>>()?,
                results.collect::<Option<_>>()?,
            ))
        };
        let (Some(known), Some((params, results))) = (known, known.and_then(slots)) else {
            let message = format!("`{kernel}` has no results before its arguments are known");
            return Err(vec![internal(message)]);
        };
        let generics = known.generics.iter().enumerate().map(|(i, generic)| {
            let made = choices.iter().filter_map(|types| types.get(i).copied());
            (generic.name.clone(), made.collect())
        });
        Ok(Package {
            name: known.name.clone(),
            docs: known.docs.clone(),
            generics: generics.collect(),
            params,
            results,
            loops,
        })
    }
}

fn internal(message: String) -> Diagnostic {
    Diagnostic::error(Code::Internal, Span::default(), message, "")
}

fn slot(ty: ParamType) -> Option<Slot> {
    match ty {
        ParamType::DType(dtype) => Some(Slot::DType(dtype)),
        ParamType::Generic(number) => Some(Slot::Generic(number)),
        ParamType::Inferred => None,
    }
}

impl From<Slot> for ParamType {
    fn from(slot: Slot) -> ParamType {
        match slot {
            Slot::DType(dtype) => ParamType::DType(dtype),
            Slot::Generic(number) => ParamType::Generic(number),
        }
    }
}

impl From<&Package> for Kernel {
    /// What is known of a kernel that came as IR: it has no place in a source, no workloads and no test cases.
    fn from(package: &Package) -> Kernel {
        let first = package.loops.first().map(|one| one.func.attrs.clone());
        let attrs = first.unwrap_or_default();
        Kernel {
            name: package.name.clone(),
            docs: package.docs.clone(),
            params: package
                .params
                .iter()
                .map(|(name, slot)| KernelParam {
                    name: name.clone(),
                    ty: (*slot).into(),
                })
                .collect(),
            results: package.results.iter().map(|slot| (*slot).into()).collect(),
            generics: package
                .generics
                .iter()
                .map(|(name, set)| KernelGeneric {
                    name: name.clone(),
                    set: *set,
                })
                .collect(),
            fast_math: attrs.fast_math,
            has_identity: attrs.identity.is_some(),
            bench: Vec::new(),
            test_cases: 0,
            span: Span::default(),
            index: 0,
        }
    }
}
