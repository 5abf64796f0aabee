//! A kernel as IR alone: its head, and its function for each choice of its type parameters, in a byte form of its own.
//!
//! What is compiled ahead of time is kept so: `#[vectorize]` embeds these bytes in the program, and other programs may
//! hand them over. The bytes are versioned, and everything is verified when they are read.

use std::fmt;

use crate::bytes::{self, BytesError, Input, Read, fingerprint, put_number, put_text};
use crate::dtype::{DType, TypeSet};
use crate::func::Func;
use crate::verify::Verified;

/// The version of the byte form; raised when its layout changes.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"UFPK";

/// The code of a slot whose dtype is that of a type parameter; its number follows.
const GENERIC: u8 = 0xff;

/// A kernel as IR.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The documentation comment.
    pub docs: String,
    /// Type parameters in order: name, and the dtypes that some loop has for it.
    pub generics: Vec<(String, TypeSet)>,
    /// Inputs in order: name and type.
    pub params: Vec<(String, Slot)>,
    /// Outputs in order.
    pub results: Vec<Slot>,
    /// The function for each choice of the type parameters.
    pub loops: Vec<PackedLoop>,
}

/// The type of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One dtype.
    DType(DType),
    /// The type parameter with this number.
    Generic(usize),
}

/// A kernel's function for one choice of its type parameters.
#[derive(Clone, Debug)]
pub struct PackedLoop {
    /// One dtype for each type parameter.
    pub types: Vec<DType>,
    /// The function; its attributes have the neutral element and `fast_math`.
    pub func: Verified,
}

impl Slot {
    /// The dtype, for these dtypes of the type parameters.
    pub fn dtype(self, types: &[DType]) -> Option<DType> {
        match self {
            Slot::DType(dtype) => Some(dtype),
            Slot::Generic(number) => types.get(number).copied(),
        }
    }
}

impl Package {
    /// A kernel of one function, which has no type parameters.
    pub fn of_func(func: Verified) -> Package {
        let dtypes = func.param_dtypes().into_iter().map(Slot::DType);
        Package {
            name: func.name.clone(),
            docs: func.attrs.doc.clone(),
            generics: Vec::new(),
            params: func.param_names.iter().cloned().zip(dtypes).collect(),
            results: func.results.iter().copied().map(Slot::DType).collect(),
            loops: vec![PackedLoop {
                types: Vec::new(),
                func,
            }],
        }
    }

    /// The function for these dtypes of the type parameters, if the package has it.
    pub fn func(&self, types: &[DType]) -> Option<&Func> {
        let found = self.loops.iter().find(|one| one.types == types);
        found.map(|one| &*one.func)
    }

    /// The byte form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.push(VERSION);
        out.extend(fingerprint().to_le_bytes());
        put_text(&mut out, &self.name);
        put_text(&mut out, &self.docs);
        put_number(&mut out, self.generics.len());
        for (name, _) in &self.generics {
            put_text(&mut out, name);
        }
        put_number(&mut out, self.params.len());
        for (name, slot) in &self.params {
            put_text(&mut out, name);
            put_slot(&mut out, *slot);
        }
        put_number(&mut out, self.results.len());
        for slot in &self.results {
            put_slot(&mut out, *slot);
        }
        put_number(&mut out, self.loops.len());
        for one in &self.loops {
            out.extend(one.types.iter().map(|dtype| *dtype as u8));
            let func = bytes::to_bytes(&one.func);
            put_number(&mut out, func.len());
            out.extend(func);
        }
        out
    }

    /// Reads and verifies a kernel: the bytes of a package, or those of one function.
    ///
    /// # Errors
    /// If the bytes are not those of a kernel that keeps every invariant, made by this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Package, BytesError> {
        let Some(rest) = bytes.strip_prefix(&MAGIC) else {
            return bytes::from_bytes(bytes).map(Package::of_func);
        };
        let mut input = Input { rest };
        if input.byte()? != VERSION || input.take(4)? != fingerprint().to_le_bytes() {
            return Err(BytesError::OtherVersion);
        }
        let package = read(&mut input)?;
        match input.rest {
            [] => Ok(package),
            _ => Err(BytesError::Malformed("more follows the end")),
        }
    }
}

fn put_slot(out: &mut Vec<u8>, slot: Slot) {
    match slot {
        Slot::DType(dtype) => out.push(dtype as u8),
        Slot::Generic(number) => {
            out.push(GENERIC);
            put_number(out, number);
        }
    }
}

fn read_slot(input: &mut Input<'_>, generics: usize) -> Read<Slot> {
    if input.rest.first() != Some(&GENERIC) {
        return input.dtype().map(Slot::DType);
    }
    input.byte()?;
    match input.number()? {
        number if number < generics => Ok(Slot::Generic(number)),
        _ => Err(BytesError::Malformed("there is no such type parameter")),
    }
}

fn read(input: &mut Input<'_>) -> Read<Package> {
    let (name, docs) = (input.text()?, input.text()?);
    let mut names = Vec::new();
    for _ in 0..input.count()? {
        names.push(input.text()?);
    }
    let mut params = Vec::new();
    for _ in 0..input.count()? {
        params.push((input.text()?, read_slot(input, names.len())?));
    }
    let mut results = Vec::new();
    for _ in 0..input.count()? {
        results.push(read_slot(input, names.len())?);
    }
    let mut package = Package {
        name,
        docs,
        generics: Vec::new(),
        params,
        results,
        loops: Vec::new(),
    };
    for _ in 0..input.count()? {
        let types: Read<Vec<DType>> = names.iter().map(|_| input.dtype()).collect();
        let length = input.count()?;
        let func = bytes::from_bytes(input.take(length)?)?;
        let one = PackedLoop {
            types: types?,
            func,
        };
        package.check_loop(&one)?;
        package.loops.push(one);
    }
    if package.loops.is_empty() {
        return Err(BytesError::Malformed("a kernel has no function"));
    }
    let set = |i: usize| package.loops.iter().map(|one| one.types[i]).collect();
    package.generics = names
        .into_iter()
        .enumerate()
        .map(|(i, name)| (name, set(i)))
        .collect();
    Ok(package)
}

impl Package {
    /// Whether a function has the inputs and outputs that the kernel's head says.
    fn check_loop(&self, one: &PackedLoop) -> Read<()> {
        let dtypes = |slots: &mut dyn Iterator<Item = Slot>| -> Option<Vec<DType>> {
            slots.map(|slot| slot.dtype(&one.types)).collect()
        };
        let params = dtypes(&mut self.params.iter().map(|(_, slot)| *slot));
        let results = dtypes(&mut self.results.iter().copied());
        if params != Some(one.func.param_dtypes()) || results.as_ref() != Some(&one.func.results) {
            return Err(BytesError::Malformed(
                "a function has other inputs or outputs than its kernel",
            ));
        }
        match self.func(&one.types) {
            Some(_) => Err(BytesError::Malformed(
                "a kernel has two functions of the same types",
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Package {
    /// The head, and each function in its text form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {}", self.name)?;
        for one in &self.loops {
            write!(f, "\n{}", crate::text::print(&one.func))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::ops::Op;
    use crate::testing::{Config, Rng, for_seeds, random_func};

    /// `add<T>(x: T, y: T, n: u32) -> T` for some dtypes.
    fn sample() -> Package {
        let dtypes = [DType::F32, DType::I64, DType::C128];
        let loops = dtypes.map(|dtype| {
            let mut func = Func::new("add");
            let mut b = Builder::new(&mut func);
            let (x, y) = (b.param("x", dtype), b.param("y", dtype));
            b.param("n", DType::U32);
            let sum = b.op(Op::Add, &[x, y]);
            b.finish(vec![sum]);
            PackedLoop {
                types: vec![dtype],
                func: Verified::try_new(func).unwrap(),
            }
        });
        let slots = [Slot::Generic(0), Slot::Generic(0), Slot::DType(DType::U32)];
        let names = ["x", "y", "n"].map(String::from);
        Package {
            name: "add".to_string(),
            docs: "A sum, – no more.".to_string(),
            generics: vec![("T".to_string(), dtypes.into_iter().collect())],
            params: names.into_iter().zip(slots).collect(),
            results: vec![Slot::Generic(0)],
            loops: loops.into(),
        }
    }

    #[test]
    fn bytes_round_trip() {
        let package = sample();
        let bytes = package.to_bytes();
        let back = Package::from_bytes(&bytes).unwrap();
        assert_eq!(back.to_string(), package.to_string());
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!(
            (back.docs, back.generics, back.params, back.results),
            (
                package.docs,
                package.generics,
                package.params,
                package.results
            )
        );
        assert!(back.loops[1].types == [DType::I64]);
    }

    #[test]
    fn one_function_is_a_kernel_too() {
        for_seeds(20, &[], |seed| {
            let func = Verified::try_new(random_func(seed, &Config::default())).unwrap();
            let package = Package::from_bytes(&bytes::to_bytes(&func)).unwrap();
            assert_eq!(package.name, func.name);
            let again = Package::from_bytes(&package.to_bytes()).unwrap();
            assert_eq!(again.to_string(), package.to_string());
        });
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_kernel() {
        let original = sample().to_bytes();
        for length in 0..original.len() {
            assert!(Package::from_bytes(&original[..length]).is_err());
        }
        for_seeds(300, &[], |seed| {
            let mut rng = Rng::new(seed);
            let mut bytes = original.clone();
            for _ in 0..1 + rng.below(3) {
                let at = 9 + rng.below(bytes.len() - 9);
                match rng.below(3) {
                    0 => bytes[at] ^= 1 << rng.below(8),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, rng.bits() as u8),
                }
            }
            if let Ok(package) = Package::from_bytes(&bytes) {
                drop(package.to_string());
            }
        });
    }

    #[test]
    fn a_head_that_does_not_fit_its_functions_is_an_error() {
        let error = |change: fn(&mut Package)| {
            let mut package = sample();
            change(&mut package);
            Package::from_bytes(&package.to_bytes())
                .unwrap_err()
                .to_string()
        };
        let other = "the bytes are damaged: a function has other inputs or outputs than its kernel";
        assert_eq!(error(|p| drop(p.params.pop())), other);
        assert_eq!(error(|p| p.results[0] = Slot::DType(DType::F32)), other);
        assert!(error(|p| p.loops.clear()).contains("no function"));
        assert!(error(|p| p.loops.push(p.loops[0].clone())).contains("two functions"));
        assert!(error(|p| p.results[0] = Slot::Generic(1)).contains("no such type parameter"));
    }
}
