//! What drivers made of shaders, kept in a file for later processes.
//!
//! There is one file for each sort of adapter. It is written whole, under another name, and then renamed; the last process that
//! writes it wins. A driver is given what it gave out, and nothing else: a file that is damaged, or that another user could have
//! written, is as none. Whether its content is of the driver's present version, wgpu and the driver look up in it.
#![expect(
    unsafe_code,
    reason = "a driver takes what it once gave out, which nothing can prove"
)]

use crate::device::Gpu;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder in the cache folder.
const FOLDER: &str = "wgpu";

/// What a file begins with. The checksum and the length of the rest follow, then the rest.
const MAGIC: [u8; 8] = *b"ufcpipe1";

/// Bytes before the rest.
const HEAD: usize = 20;

/// Most bytes of a file: nothing ever goes out of it, so that a larger one is begun anew.
const MOST: u64 = 64 << 20;

/// The driver's cache of shaders, and the file that it came from and goes to.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) raw: wgpu::PipelineCache,
    path: PathBuf,
    /// Checksum of what the file has.
    saved: Mutex<Option<u32>>,
}

impl Kept {
    /// The cache of a device in a folder; none if the driver gives nothing out.
    pub(crate) fn open(gpu: &Gpu, folder: &Path) -> Option<Kept> {
        let name = gpu.kept_name.as_deref()?;
        let path = folder.join(FOLDER).join(name);
        let found = read(&path);
        let saved = found.as_deref().map(crc32fast::hash);
        let raw = create(gpu, found.as_deref()).or_else(|| create(gpu, None))?;
        Some(Kept {
            raw,
            path,
            saved: Mutex::new(saved),
        })
    }

    /// Writes what the driver has now, if that is something new. That it cannot be written changes nothing but later times.
    pub(crate) fn save(&self) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(data) = self.raw.get_data() else {
            return;
        };
        let sum = crc32fast::hash(&data);
        if *saved != Some(sum) && data.len() as u64 <= MOST && write(&self.path, &data).is_ok() {
            *saved = Some(sum);
        }
    }
}

fn create(gpu: &Gpu, data: Option<&[u8]>) -> Option<wgpu::PipelineCache> {
    let descriptor = wgpu::PipelineCacheDescriptor {
        label: None,
        data,
        fallback: true,
    };
    // SAFETY: the data is what such a cache gave out before, as far as its checksum and the file's owner tell; its header, which
    // wgpu checks, names the adapter and the version of its driver.
    let made = gpu.checked(0, || unsafe {
        gpu.device.create_pipeline_cache(&descriptor)
    });
    made.ok()
}

/// What a file has; none if it is not there, damaged, or may be another user's.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut file = std::fs::File::open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > MOST + HEAD as u64 || !is_own(&about) {
        return None;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let (head, data) = bytes.split_at_checked(HEAD)?;
    (head == head_of(data)).then(|| data.to_vec())
}

/// Whether nobody else can have written a file.
#[cfg(unix)]
fn is_own(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0
}

/// Whether nobody else can have written a file: elsewhere, the user's folder sees to that.
#[cfg(not(unix))]
fn is_own(_about: &std::fs::Metadata) -> bool {
    true
}

fn head_of(data: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&crc32fast::hash(data).to_le_bytes());
    head[12..].copy_from_slice(&(data.len() as u64).to_le_bytes());
    head
}

fn write(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&head_of(data))?;
    file.write_all(data)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{HEAD, read, write};

    #[test]
    fn files_come_back_and_damaged_ones_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a").join("b");
        assert_eq!(read(&path), None);
        let data: Vec<u8> = (0..1000).map(|i| (i * 7) as u8).collect();
        write(&path, &data).expect("it can be written");
        assert_eq!(read(&path).as_deref(), Some(&data[..]));
        let whole = std::fs::read(&path).expect("it is there");
        for at in [0, 9, 13, HEAD, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).expect("it can be written");
            assert_eq!(read(&path), None, "byte {at}");
        }
        for len in [0, 1, HEAD, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).expect("it can be written");
            assert_eq!(read(&path), None, "{len} bytes");
        }
        std::fs::write(&path, &whole).expect("it can be written");
        assert!(read(&path).is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let all = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(&path, all).expect("it is ours");
            assert_eq!(read(&path), None, "anybody may have written it");
        }
    }
}
