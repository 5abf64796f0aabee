//! `.npy` files: reading any that holds numbers, memory-mapped, and writing through a temporary file.
//!
//! bfloat16, which NumPy itself does not have, is written as the package ml_dtypes does: the descriptor is `<V2`. Two-byte
//! raw elements are therefore read as bf16, and so is the descriptor `bfloat16`.

#![expect(unsafe_code, reason = "files are mapped into memory")]

use super::Array;
use super::error::{ArrayError, Tuple};
use super::layout::{MAX_AXES, Shape, Strides, byte_count, c_strides, fortran_strides};
use super::view::View;
use memmap2::Mmap;
use npyz::{TypeChar, TypeStr, WriterBuilder};
use num_complex::Complex;
use py_literal::Value;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use ufc_ir::DType;

/// No header of an array of numbers is longer: 64 axes take less than 2,000 bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// A header of numbers nests two deep; the parser's time grows with the depth, exponentially for some texts.
const DEEPEST_HEADER: usize = 8;

/// The array in a `.npy` file, mapped into memory where possible.
///
/// The file must not be changed by anyone while it is open: elements would change under the reader, and cutting
/// the file short ends the process when a missing element is read.
#[derive(Debug)]
pub struct NpyFile {
    content: Content,
    header: Header,
}

/// Where the elements are.
#[derive(Debug)]
enum Content {
    Mapped(Mmap),
    /// What a pipe gave.
    Read(Vec<u8>),
    /// Bools, which are 1 where the file has any byte but 0.
    Bools(Array),
}

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
struct Header {
    dtype: DType,
    byte_swapped: bool,
    fortran_order: bool,
    shape: Shape,
    /// Where the elements start.
    offset: usize,
}

impl NpyFile {
    /// Opens a file. Everything that its header promises is checked against the file's size; elements are not read yet
    /// (except bools and those from a pipe).
    pub fn open(path: impl AsRef<Path>) -> Result<NpyFile, ArrayError> {
        let path = path.as_ref();
        let io_error = |source| io_error(path, "read", source);
        let mut file = File::open(path).map_err(io_error)?;
        let metadata = file.metadata().map_err(io_error)?;
        let content = if metadata.is_file() && metadata.len() > 0 {
            // SAFETY: that nobody changes the file meanwhile is asked of the caller in the documentation of `NpyFile`.
            Content::Mapped(unsafe { Mmap::map(&file) }.map_err(io_error)?)
        } else {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(io_error)?;
            Content::Read(bytes)
        };
        let damaged = |reason| ArrayError::Npy {
            path: path.to_owned(),
            reason,
        };
        let header = parse(content.bytes()).map_err(damaged)?;
        let content = match header.dtype {
            DType::Bool => Content::Bools(bools(content.bytes(), &header)?),
            _ => content,
        };
        Ok(NpyFile { content, header })
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.header.dtype
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The elements, in the file's own layout and byte order.
    pub fn view(&self) -> View<'_> {
        let header = &self.header;
        if let Content::Bools(array) = &self.content {
            return array.view();
        }
        let start = self.content.bytes().as_ptr().wrapping_add(header.offset);
        // SAFETY: `parse` checked that all elements lie within the content, which lives as long as the view; bools
        // were dealt with above.
        unsafe {
            View::from_raw(
                start.cast_mut(),
                header.dtype,
                &header.shape,
                &header.strides(),
                header.byte_swapped,
            )
        }
    }
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Content::Mapped(map) => map,
            Content::Read(bytes) => bytes,
            Content::Bools(array) => array.as_bytes(),
        }
    }
}

impl Header {
    fn strides(&self) -> Strides {
        let order = if self.fortran_order {
            fortran_strides
        } else {
            c_strides
        };
        order(&self.shape, self.dtype.size())
    }
}

/// A file's bools as an array of its own.
fn bools(bytes: &[u8], header: &Header) -> Result<Array, ArrayError> {
    let strides = header.strides();
    let (offset, shape) = (header.offset, &*header.shape);
    View::from_bytes(bytes, DType::U8, offset, shape, &strides, false)?.converted(DType::Bool)
}

/// Reads a file as an array in C order.
pub fn read(path: impl AsRef<Path>) -> Result<Array, ArrayError> {
    NpyFile::open(path)?.view().to_array()
}

fn io_error(path: &Path, action: &'static str, source: io::Error) -> ArrayError {
    ArrayError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}

/// Checks a whole file: signature, header, and that all elements are there. The error is a reason for people.
fn parse(bytes: &[u8]) -> Result<Header, String> {
    let (text, offset) = header_text(bytes)?;
    let (dtype, byte_swapped, fortran_order, shape) = header_fields(&text)?;
    let needed = byte_count(&shape, dtype).map_err(|error| error.to_string())?;
    let have = bytes.len() - offset;
    if needed > have {
        return Err(format!(
            "shape {} of {dtype} takes {needed} bytes, but only {have} follow the header",
            Tuple(&shape)
        ));
    }
    Ok(Header {
        dtype,
        byte_swapped,
        fortran_order,
        shape,
        offset,
    })
}

/// The header's text, and where the elements start.
fn header_text(bytes: &[u8]) -> Result<(String, usize), String> {
    let cut_short = || format!("it ends within the header, after {} bytes", bytes.len());
    match bytes {
        [] => return Err("it is empty".into()),
        [b'P', b'K', 3, 4, ..] => {
            return Err("it is a .npz archive: extract an array from it first".into());
        }
        _ => {}
    }
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or("it does not begin as .npy files do")?;
    let (&version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
    let (length, rest) = match version {
        [1, 0] => rest
            .split_first_chunk::<2>()
            .map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest)),
        [2 | 3, 0] => rest
            .split_first_chunk::<4>()
            .map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest)),
        [major, minor] => {
            return Err(format!(
                "its format version {major}.{minor} is not known (1.0, 2.0 and 3.0 are)"
            ));
        }
    }
    .ok_or_else(cut_short)?;
    if length > LONGEST_HEADER {
        return Err(format!(
            "its header claims to be {length} bytes long, which no array's is"
        ));
    }
    let text = rest.get(..length).ok_or_else(cut_short)?;
    let text = match version {
        [3, _] => String::from_utf8(text.to_vec()).map_err(|_| "its header is not UTF-8")?,
        // Versions before 3 are in Latin-1.
        _ => text.iter().map(|&b| char::from(b)).collect(),
    };
    Ok((text, bytes.len() - rest.len() + length))
}

/// The dtype, whether its bytes are swapped, whether the order is Fortran's, and the shape.
fn header_fields(text: &str) -> Result<(DType, bool, bool, Shape), String> {
    let not_a_dict = || "its header is not a Python dictionary".to_owned();
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_HEADER {
            return Err("its header nests brackets too deeply".into());
        }
    }
    let entries = match text.trim().parse() {
        Ok(Value::Dict(entries)) => entries,
        _ => return Err(not_a_dict()),
    };
    let entry = |key: &str| {
        let mut values = entries
            .iter()
            .filter(|(k, _)| k.as_string().is_some_and(|k| k == key));
        let found = values.next().map(|(_, value)| value);
        found.ok_or_else(|| format!("its header does not say `{key}`"))
    };
    let (dtype, byte_swapped) = dtype_of(entry("descr")?)?;
    let Value::Boolean(fortran_order) = *entry("fortran_order")? else {
        return Err("its header's `fortran_order` is neither True nor False".into());
    };
    Ok((
        dtype,
        byte_swapped,
        fortran_order,
        shape_of(entry("shape")?)?,
    ))
}

fn shape_of(value: &Value) -> Result<Shape, String> {
    let (Value::Tuple(axes) | Value::List(axes)) = value else {
        return Err("its header's `shape` is not a tuple".into());
    };
    if axes.len() > MAX_AXES {
        return Err(ArrayError::TooManyAxes(axes.len()).to_string());
    }
    let length = |axis: &Value| match axis {
        Value::Integer(n) => usize::try_from(n).ok(),
        _ => None,
    };
    let shape: Option<Shape> = axes.iter().map(length).collect();
    shape.ok_or_else(|| {
        "its header's `shape` has an entry that is not a whole number from 0 to 2^64 - 1".into()
    })
}

/// The dtype of a descriptor, and whether its byte order is not this machine's.
fn dtype_of(descr: &Value) -> Result<(DType, bool), String> {
    let Value::String(descr) = descr else {
        return Err("its elements are structures, not numbers".into());
    };
    if descr == DType::BF16.numpy_name() {
        return Ok((DType::BF16, false));
    }
    let unknown = || {
        let known: Vec<&str> = DType::ALL.iter().map(|d| d.descr()).collect();
        format!(
            "its elements are of dtype `{descr}`; the known ones are {}",
            known.join(" ")
        )
    };
    let parsed: TypeStr = descr.parse().map_err(|_| unknown())?;
    if parsed.type_char() == TypeChar::Object {
        return Err("its elements are Python objects, not numbers".into());
    }
    let name = format!("{}{}", parsed.type_char().to_str(), parsed.size_field());
    let dtype = DType::ALL.iter().copied().find(|d| d.descr() == name);
    let dtype = dtype.ok_or_else(unknown)?;
    let foreign = match parsed.endianness() {
        npyz::Endianness::Little => cfg!(target_endian = "big"),
        npyz::Endianness::Big => cfg!(target_endian = "little"),
        npyz::Endianness::Irrelevant => false,
    };
    Ok((dtype, foreign && dtype.part().size() > 1))
}

/// A complete file under a temporary name beside its final one; deleted unless it is committed.
#[derive(Debug)]
pub struct StagedFile {
    file: NamedTempFile,
    path: PathBuf,
}

/// Writes a view as a `.npy` file: completely, under a temporary name, to the disk, and then renamed. If anything goes
/// wrong, what was under the name before is still there.
pub fn write(path: impl AsRef<Path>, view: &View<'_>) -> Result<(), ArrayError> {
    match stage(path.as_ref(), view)? {
        Some(staged) => staged.commit(),
        None => Ok(()),
    }
}

/// Does all of [`write()`] but the renaming. There is nothing left to do (none) where the path is a pipe or device, to
/// which the file is written directly.
pub fn stage(path: impl AsRef<Path>, view: &View<'_>) -> Result<Option<StagedFile>, ArrayError> {
    let path = path.as_ref();
    let io_error = |source| io_error(path, "write", source);
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut device = File::options().write(true).open(path).map_err(io_error)?;
        return write_to(&mut device, path, view).map(|()| None);
    }
    // A link stays a link: its target is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ufc-").suffix(".npy.tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(io_error)?;
    write_to(file.as_file_mut(), &path, view)?;
    file.as_file().sync_all().map_err(io_error)?;
    Ok(Some(StagedFile { file, path }))
}

impl StagedFile {
    /// Gives the file its final name.
    pub fn commit(self) -> Result<(), ArrayError> {
        let StagedFile { file, path } = self;
        file.persist(&path)
            .map_err(|error| io_error(&path, "write", error.error))?;
        // The name is on disk only once its folder is; not every file system can do that, and the data are safe already.
        if let Some(Ok(folder)) = path.parent().map(File::open) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn write_to(file: &mut File, path: &Path, view: &View<'_>) -> Result<(), ArrayError> {
    let io_error = |source| io_error(path, "write", source);
    let header = header(view.dtype(), view.shape()).map_err(io_error)?;
    file.write_all(&header).map_err(io_error)?;
    let copy;
    let bytes = match view.contiguous_bytes() {
        Some(bytes) => bytes,
        None => {
            copy = view.to_array()?;
            copy.as_bytes()
        }
    };
    file.write_all(bytes).map_err(io_error)?;
    file.flush().map_err(io_error)
}

/// The header for elements in C order and this machine's byte order.
fn header(dtype: DType, shape: &[usize]) -> io::Result<Vec<u8>> {
    macro_rules! header_for {
        ($($variant:ident: $Row:ty,)*) => {
            match dtype {
                $(DType::$variant => typed_header::<$Row>(dtype, shape),)*
            }
        };
    }
    header_for! {
        Bool: bool, I8: i8, I16: i16, I32: i32, I64: i64, U8: u8, U16: u16, U32: u32, U64: u64,
        F16: half::f16, BF16: [u8], F32: f32, F64: f64, C64: Complex<f32>, C128: Complex<f64>,
    }
}

fn typed_header<Row: npyz::Serialize + ?Sized>(
    dtype: DType,
    shape: &[usize],
) -> io::Result<Vec<u8>> {
    let order = match dtype.size() {
        1 => '|',
        _ if cfg!(target_endian = "big") => '>',
        _ => '<',
    };
    let descr: TypeStr = format!("{order}{}", dtype.descr())
        .parse()
        .map_err(io::Error::other)?;
    let shape: Vec<u64> = shape.iter().map(|&len| len as u64).collect();
    let mut bytes = Vec::new();
    // The writer would take elements one by one; it is dropped once it has written the header.
    npyz::WriteOptions::<Row>::new()
        .dtype(npyz::DType::Plain(descr))
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .map(drop)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Casting;

    /// A file of this header text and data.
    fn file(version: u8, text: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn reason(bytes: &[u8]) -> String {
        parse(bytes).expect_err("a damaged file")
    }

    #[test]
    fn headers_of_every_version_and_order() {
        let text = "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 1), }  \n";
        for version in 1..=3 {
            let header = parse(&file(version, text, &[0; 8])).unwrap();
            assert_eq!((header.dtype, &*header.shape), (DType::F32, &[2, 1][..]));
            assert!(header.fortran_order && header.byte_swapped);
        }
        let text = "{'shape': (), 'descr': 'bfloat16', 'fortran_order': False}";
        assert_eq!(parse(&file(1, text, &[0; 2])).unwrap().dtype, DType::BF16);
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(reason(b""), "it is empty");
        assert!(reason(b"PK\x03\x04").contains(".npz"));
        assert!(reason(b"hello").contains("does not begin"));
        assert!(reason(b"\x93NUMPY\x01").contains("ends within the header"));
        assert!(reason(b"\x93NUMPY\x09\x00\x00\x00").contains("version 9.0"));
        assert!(reason(b"\x93NUMPY\x02\x00\xf0\xff\xff\xff").contains("4294967280"));
        let damaged = |text: &str| reason(&file(2, text, &[0; 16]));
        let with = |descr: &str, shape: &str| {
            damaged(&format!(
                "{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
            ))
        };
        assert!(with("'<f8'", "(3,)").contains("takes 24 bytes, but only 16"));
        assert!(with("'<f8'", "(4294967296, 4294967296)").contains("than memory can address"));
        assert!(with("'<f8'", "(-1,)").contains("`shape`"));
        assert!(with("'<f8'", "(1.5,)").contains("`shape`"));
        assert!(with("'<f8'", "(99999999999999999999,)").contains("`shape`"));
        assert!(with("'<f8'", "3").contains("not a tuple"));
        assert!(with("'|O'", "(1,)").contains("Python objects"));
        assert!(with("[('a', '<f4')]", "(1,)").contains("structures"));
        assert!(with("'<f16'", "(1,)").contains("`<f16`"));
        assert!(with("'<U3'", "(1,)").contains("`<U3`"));
        assert!(with("'f'", "(1,)").contains("`f`"));
        assert!(damaged("{'descr': '<f8', 'shape': ()}").contains("`fortran_order`"));
        assert!(damaged("12").contains("not a Python dictionary"));
        assert!(damaged(&"[".repeat(60_000)).contains("too deeply"));
        assert!(damaged(&"{".repeat(8)).contains("not a Python dictionary"));
        assert!(with("'<f8'", &format!("({})", "1,".repeat(65))).contains("65 axes"));
    }

    #[test]
    fn changed_bytes_never_panic() {
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n";
        let good = file(1, text, &[0; 48]);
        assert!(parse(&good).is_ok());
        for at in 0..good.len() - 48 {
            for byte in [0, b'(', b'\'', b'\\', b'9', b'-', b'N', b'}', 0xff] {
                let mut bad = good.clone();
                bad[at] = byte;
                if let Ok(header) = parse(&bad) {
                    assert!(byte_count(&header.shape, header.dtype).unwrap() <= 48 + at);
                }
            }
            assert!(parse(&good[..at]).is_err());
        }
    }

    #[test]
    fn written_files_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for &dtype in DType::ALL {
            for shape in [&[][..], &[3], &[0, 2], &[2, 3]] {
                let count: usize = shape.iter().product();
                let numbers: Vec<i8> = (0..count as i8).collect();
                let numbers = View::new(&numbers, shape).unwrap();
                let array = numbers.cast(dtype, Casting::Unsafe).unwrap();
                let path = folder.path().join(format!("{dtype}.npy"));
                write(&path, &array.view()).unwrap();
                assert_eq!(read(&path).unwrap(), array);
                let transposed = array.view().transpose();
                write(&path, &transposed).unwrap();
                assert_eq!(read(&path).unwrap(), transposed.to_array().unwrap());
            }
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            DType::ALL.len()
        );
    }

    #[test]
    fn failed_writes_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let data = View::from_slice(&[1u8]);
        let missing = folder.path().join("no such folder").join("a.npy");
        let message = write(&missing, &data).unwrap_err().to_string();
        assert!(message.contains("no such folder"), "{message}");
        let uncommitted = stage(folder.path().join("b.npy"), &data).unwrap();
        drop(uncommitted);
        assert!(write(folder.path(), &data).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn bools_of_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.npy");
        let text = "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }";
        fs::write(&path, file(1, text, &[0, 1, 7])).unwrap();
        let array = read(&path).unwrap();
        assert_eq!(array.as_slice::<bool>().unwrap(), [false, true, true]);
    }
}
