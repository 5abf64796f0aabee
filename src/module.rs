//! Kernels that are ready to be compiled, from a checked text or as IR, and the ufuncs that they are.

use std::path::Path;
use std::sync::Arc;

use ufc_ir::{DType, Func, Package};
use ufc_lang::Kernel;
use ufc_lang::diag::{Diagnostic, Severity};

use crate::error::{Error, SourceError};
use crate::fpenv::DefaultEnv;
use crate::ufunc::Ufunc;

/// The kernels of one text, checked, or a kernel that came as IR. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Module {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    source: String,
    front: Front,
    warnings: Vec<Diagnostic>,
}

/// What IR is made from.
#[derive(Debug)]
enum Front {
    /// A text, lowered for the dtypes that are asked for.
    Text(Box<ufc_lang::Module>),
    /// IR, which is there for some dtypes.
    Ir(Box<Package>, [Kernel; 1]),
}

impl Module {
    /// Checks a kernel text. `name` is used in messages, such as a file's name.
    ///
    /// # Errors
    /// [`Error::Source`] with every mistake in the text.
    pub fn from_source(name: &str, source: &str) -> Result<Module, Error> {
        let _env = DefaultEnv::enter();
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
        let _env = DefaultEnv::enter();
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
                front: Front::Text(Box::new(checked)),
                warnings: diagnostics,
            }),
        })
    }

    /// A kernel from the bytes of its IR: those of [`Module::to_ir_bytes`], or of one function ([`ufc_ir::bytes`]).
    /// Nothing is parsed; everything is verified.
    ///
    /// # Errors
    /// [`Error::Ir`] if the bytes are damaged or written by another version of ufc.
    pub fn from_ir_bytes(bytes: &[u8]) -> Result<Module, Error> {
        let package = Package::from_bytes(bytes)?;
        let kernel = Kernel::from(&package);
        Ok(Module {
            inner: Arc::new(Inner {
                name: package.name.clone(),
                source: String::new(),
                front: Front::Ir(Box::new(package), [kernel]),
                warnings: Vec::new(),
            }),
        })
    }

    /// The bytes of a kernel's IR for these choices of its type parameters (one empty choice if it has none).
    ///
    /// # Errors
    /// As [`crate::pipeline::lower`].
    pub fn to_ir_bytes(&self, kernel: &str, choices: &[Vec<DType>]) -> Result<Vec<u8>, Error> {
        match &self.inner.front {
            Front::Text(checked) => match checked.package(kernel, choices) {
                Ok(package) => Ok(package.to_bytes()),
                Err(diagnostics) => Err(self.source_error(diagnostics)),
            },
            Front::Ir(package, _) => {
                let mut package = Package::clone(package);
                if package.name != kernel {
                    return Err(self.no_kernel(Some(kernel)));
                }
                for types in choices {
                    self.lower(kernel, types)?;
                }
                package.loops.retain(|one| choices.contains(&one.types));
                Ok(package.to_bytes())
            }
        }
    }

    /// A kernel's IR for these dtypes of its type parameters.
    pub(crate) fn lower(&self, kernel: &str, types: &[DType]) -> Result<Func, Error> {
        match &self.inner.front {
            Front::Text(checked) => {
                let lowered = checked.lower(kernel, types);
                lowered.map_err(|diagnostics| self.source_error(diagnostics))
            }
            Front::Ir(package, _) if package.name != kernel => Err(self.no_kernel(Some(kernel))),
            Front::Ir(package, _) => match package.func(types) {
                Some(func) => Ok(func.clone()),
                None => Err(Error::NoLoop {
                    kernel: kernel.to_string(),
                    types: types.to_vec(),
                    made: package.loops.iter().map(|one| one.types.clone()).collect(),
                }),
            },
        }
    }

    fn source_error(&self, diagnostics: Vec<Diagnostic>) -> Error {
        Error::Source(Box::new(SourceError {
            name: self.name().to_string(),
            source: self.source().to_string(),
            diagnostics,
        }))
    }

    /// Where the text is from; the kernel's name if it came as IR.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The text; empty if the kernel came as IR.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// What the front end knows of the text; none if the kernel came as IR.
    pub fn checked(&self) -> Option<&ufc_lang::Module> {
        match &self.inner.front {
            Front::Text(checked) => Some(checked),
            Front::Ir(..) => None,
        }
    }

    /// The kernels, in the text's order.
    pub fn kernels(&self) -> &[Kernel] {
        match &self.inner.front {
            Front::Text(checked) => checked.kernels(),
            Front::Ir(_, kernel) => kernel,
        }
    }

    /// What the front end warned of.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.inner.warnings
    }

    /// Every kernel as a ufunc, in the text's order.
    pub fn ufuncs(&self) -> Vec<Ufunc> {
        let kernels = self.kernels();
        (0..kernels.len())
            .map(|index| Ufunc::new(self.clone(), index))
            .collect()
    }

    /// The kernel of this name.
    ///
    /// # Errors
    /// [`Error::NoKernel`] if there is none.
    pub fn ufunc(&self, name: &str) -> Result<Ufunc, Error> {
        let kernels = self.kernels();
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
        match self.kernels() {
            [_] => Ok(Ufunc::new(self.clone(), 0)),
            _ => Err(self.no_kernel(None)),
        }
    }

    fn no_kernel(&self, name: Option<&str>) -> Error {
        let kernels = self.kernels();
        Error::NoKernel {
            name: name.map(str::to_string),
            kernels: kernels.iter().map(|kernel| kernel.name.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD: &str = "
        /// A sum.
        #[identity(0)]
        pub fn add<T: Num>(x: T, y: T) -> T { x + y }";

    #[test]
    fn a_kernel_as_ir_is_the_kernel() {
        let text = Module::from_source("add.ufk", ADD).expect("a kernel");
        let choices = [vec![DType::F32], vec![DType::U8]];
        let bytes = text.to_ir_bytes("add", &choices).expect("bytes");
        let module = Module::from_ir_bytes(&bytes).expect("the same kernel");
        let add = module.only().expect("one kernel");
        assert_eq!(add.doc(), "A sum.");
        assert_eq!(add.signature(), "add<T: u8, f32>(x: T, y: T) -> T");
        assert!(module.checked().is_none());
        for types in &choices {
            let a = crate::pipeline::lower(&text, "add", types).expect("from text");
            let b = crate::pipeline::lower(&module, "add", types).expect("from IR");
            assert_eq!(ufc_ir::text::print(&a), ufc_ir::text::print(&b));
        }
        let sum = add
            .on(crate::Target::INTERP)
            .call((&[1.5f32, 2.0], &[0.25f32, 1.0]));
        assert_eq!(
            sum.expect("a sum").as_slice::<f32>().expect("f32"),
            [1.75, 3.0]
        );
        let wide = add.on(crate::Target::INTERP).call((&[1.5f64], &[0.25f64]));
        assert!(wide.expect_err("no f64").to_string().contains("u8, f32"));
        let error = crate::pipeline::lower(&module, "add", &[DType::I64]).expect_err("not made");
        assert_eq!(
            error.to_string(),
            "kernel `add` was not made for (i64), only for (f32), (u8)"
        );
        assert!(Module::from_ir_bytes(&bytes[1..]).is_err());
        let fewer = module.to_ir_bytes("add", &choices[1..]).expect("fewer");
        assert!(fewer.len() < bytes.len());
    }
}
