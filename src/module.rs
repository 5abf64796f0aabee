//! A checked kernel text and the ufuncs in it.

use std::path::Path;
use std::sync::Arc;

use ufc_lang::diag::{Diagnostic, Severity};

use crate::error::{Error, SourceError};
use crate::ufunc::Ufunc;

/// The kernels of one text, checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Module {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    source: String,
    checked: ufc_lang::Module,
    warnings: Vec<Diagnostic>,
}

impl Module {
    /// Checks a kernel text. `name` is used in messages, such as a file's name.
    ///
    /// # Errors
    /// [`Error::Source`] with every mistake in the text.
    pub fn from_source(name: &str, source: &str) -> Result<Module, Error> {
        Module::new(name, source, ufc_lang::check(source))
    }

    /// Reads and checks a kernel file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read as UTF-8 text, else as [`Module::from_source`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Module, Error> {
        let path = path.as_ref();
        let source = std::fs::read_to_string(path).map_err(|error| Error::Io {
            path: path.to_path_buf(),
            error,
        })?;
        Module::from_source(&path.display().to_string(), &source)
    }

    /// Checks a one-line expression, such as `a*x + sqrt(y)`: its free names are the inputs, in order of first use.
    ///
    /// # Errors
    /// [`Error::Source`] with every mistake in the text.
    pub fn from_expr(expr: &str) -> Result<Module, Error> {
        Module::new("<expression>", expr, ufc_lang::check_expr(expr))
    }

    fn new(
        name: &str,
        source: &str,
        (checked, diagnostics): (ufc_lang::Module, Vec<Diagnostic>),
    ) -> Result<Module, Error> {
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            return Err(Error::Source(Box::new(SourceError {
                name: name.to_string(),
                source: source.to_string(),
                diagnostics,
            })));
        }
        Ok(Module {
            inner: Arc::new(Inner {
                name: name.to_string(),
                source: source.to_string(),
                checked,
                warnings: diagnostics,
            }),
        })
    }

    /// Where the text is from.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// What the front end knows of it.
    pub fn checked(&self) -> &ufc_lang::Module {
        &self.inner.checked
    }

    /// What the front end warned of.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.inner.warnings
    }

    /// Every kernel as a ufunc, in the text's order.
    pub fn ufuncs(&self) -> Vec<Ufunc> {
        let kernels = self.checked().kernels();
        (0..kernels.len())
            .map(|index| Ufunc::new(self.clone(), index))
            .collect()
    }

    /// The kernel of this name.
    ///
    /// # Errors
    /// [`Error::NoKernel`] if there is none.
    pub fn ufunc(&self, name: &str) -> Result<Ufunc, Error> {
        let kernels = self.checked().kernels();
        match kernels.iter().position(|kernel| kernel.name == name) {
            Some(index) => Ok(Ufunc::new(self.clone(), index)),
            None => Err(self.no_kernel(Some(name))),
        }
    }

    /// The only kernel.
    ///
    /// # Errors
    /// [`Error::NoKernel`] if there is not exactly one.
    pub fn only(&self) -> Result<Ufunc, Error> {
        match self.checked().kernels() {
            [_] => Ok(Ufunc::new(self.clone(), 0)),
            _ => Err(self.no_kernel(None)),
        }
    }

    fn no_kernel(&self, name: Option<&str>) -> Error {
        let kernels = self.checked().kernels();
        Error::NoKernel {
            name: name.map(str::to_string),
            kernels: kernels.iter().map(|kernel| kernel.name.clone()).collect(),
        }
    }
}
