//! Finds the kernel that the user names: FILE, FILE:KERNEL or an example.

use std::path::Path;

use ufc::{DType, Module, Ufunc};
use ufc_ir::TypeSet;

use crate::examples::{self, EXAMPLES};
use crate::output::Failure;

/// A module by FILE or an example's name, and the kernel's name after a colon if there is one.
pub(crate) struct Named {
    /// The module.
    pub(crate) module: Module,
    /// The file's name without its ending, or the example's name.
    pub(crate) stem: String,
    /// The kernel asked for.
    kernel: Option<String>,
}

/// Reads the text that the user names.
pub(crate) fn open(text: &str) -> Result<Named, Failure> {
    if let Some(named) = open_whole(text, None)? {
        return Ok(named);
    }
    if let Some((place, kernel)) = text.rsplit_once(':')
        && let Some(named) = open_whole(place, Some(kernel.to_string()))?
    {
        return Ok(named);
    }
    let looks_like_path = text.ends_with(".ufk") || text.contains(['/', '\\', '.']);
    if looks_like_path {
        return Err(Failure::user(format!("there is no file `{text}`")));
    }
    let names = EXAMPLES.iter().map(|(name, _)| *name);
    let hint = match ufc_lang::resolve::suggest(text, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the examples are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::user(format!(
        "there is neither a file nor an example `{text}`; {hint}"
    )))
}

/// The kernel that the user names.
pub(crate) fn find(text: &str) -> Result<Ufunc, Failure> {
    open(text)?.ufunc()
}

fn open_whole(place: &str, kernel: Option<String>) -> Result<Option<Named>, Failure> {
    let path = Path::new(place);
    let (module, stem) = if path.exists() && !path.is_dir() {
        let stem = path.file_stem().unwrap_or_default();
        (
            Module::from_file(path)?,
            stem.to_string_lossy().into_owned(),
        )
    } else if let Some(source) = examples::find(place) {
        let name = format!("{place}.ufk");
        (Module::from_source(&name, source)?, place.to_string())
    } else {
        return Ok(None);
    };
    Ok(Some(Named {
        module,
        stem,
        kernel,
    }))
}

impl Named {
    /// The kernel asked for; else the only one, or the one called as the file is.
    pub(crate) fn ufunc(&self) -> Result<Ufunc, Failure> {
        match &self.kernel {
            Some(kernel) => Ok(self.module.ufunc(kernel)?),
            None => match self.module.ufunc(&self.stem) {
                Ok(ufunc) => Ok(ufunc),
                Err(_) => Ok(self.module.only()?),
            },
        }
    }
}

/// A dtype for each type parameter of a kernel: those asked for, or else the first natural one.
pub(crate) fn types(ufunc: &Ufunc, asked: &[DType]) -> Result<Vec<DType>, Failure> {
    let bounds = ufunc.bounds();
    if asked.is_empty() {
        let natural = |set: &TypeSet| {
            let preferred = [DType::F64, DType::I64, DType::U64, DType::C128];
            let found = preferred.into_iter().find(|dtype| set.contains(*dtype));
            found.or_else(|| set.iter().next()).unwrap_or(DType::F64)
        };
        return Ok(bounds.iter().map(natural).collect());
    }
    if asked.len() != bounds.len() {
        let plural = if bounds.len() == 1 { "" } else { "s" };
        return Err(Failure::usage(format!(
            "`{}` has {} type parameter{plural}, but --dtype names {}",
            ufunc.signature(),
            bounds.len(),
            asked.len()
        )));
    }
    Ok(asked.to_vec())
}
