//! Files that are complete or not there: written under a temporary name, synced and renamed.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::output::Failure;

/// What may go wrong while a file's contents are written.
type WriteError = Box<dyn std::error::Error>;

/// Writes a file through `write`; a failure leaves what was there before.
pub(crate) fn atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), WriteError>,
) -> Result<(), Failure> {
    let failed =
        |error: WriteError| Failure::user(format!("cannot write `{}`: {error}", path.display()));
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        // A pipe or a device cannot be replaced.
        let device = File::options().write(true).open(path);
        let device = device.map_err(|e| failed(e.into()))?;
        let mut buffered = BufWriter::new(&device);
        let written = write(&mut buffered).and_then(|()| Ok(buffered.flush()?));
        return written.map_err(failed);
    }
    // A link stays a link: its target is replaced.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ufc-");
    if let Some(permissions) = ordinary_permissions() {
        builder.permissions(permissions);
    }
    let file = builder.tempfile_in(folder).map_err(|e| failed(e.into()))?;
    let mut buffered = BufWriter::new(file.as_file());
    write(&mut buffered)
        .and_then(|()| Ok(buffered.flush()?))
        .and_then(|()| Ok(file.as_file().sync_all()?))
        .map_err(failed)?;
    drop(buffered);
    let renamed = file.persist(path);
    renamed.map_err(|e| failed(e.error.into()))?;
    Ok(())
}

/// What a newly made file gets, before the user's mask: temporary files would be closed to others.
#[cfg(unix)]
fn ordinary_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn ordinary_permissions() -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        atomically(&path, |file| Ok(file.write_all(b"first")?)).unwrap();
        let failed = atomically(&path, |file| {
            file.write_all(b"second")?;
            Err("no more".into())
        });
        assert!(matches!(failed, Err(Failure::Message(1, text)) if text.contains("no more")));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(atomically(&folder.path().join("none/out"), |_| Ok(())).is_err());
    }
}
