//! Deployment packages: kept by digest, unpacked once.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zip::ZipArchive;

use super::check::{invalid, too_large};
use super::state::Code;
use crate::local::locked;
use crate::local::refusal::Refusal;
use crate::local::store::Store;

const ZIPPED_LIMIT: usize = 50 * 1024 * 1024;
const UNZIPPED_LIMIT: u64 = 262_144_000;
/// What is unpacked goes to the disk in pieces of this size.
const CHUNK: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct CodeStore {
    root: PathBuf,
    /// Held while a package is unpacked: a crowd that connects at once needs its function's files once.
    unpacking: Mutex<()>,
    /// Holds the folder of a cloud that lives in memory, and removes it with the cloud.
    _temporary: Option<TempDir>,
}

impl CodeStore {
    pub(super) fn open(store: &Store) -> io::Result<Self> {
        let (root, temporary) = if let Some(dir) = store.dir() {
            (dir.join("code"), None)
        } else {
            let temporary = tempfile::tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        };
        fs::create_dir_all(&root)?;
        Ok(Self {
            root,
            unpacking: Mutex::default(),
            _temporary: temporary,
        })
    }

    /// Checks a package as Lambda does and keeps it.
    pub(super) fn keep(&self, zip: &[u8]) -> Result<Code, Refusal> {
        check(zip)?;
        let code = Code {
            sha256: STANDARD.encode(Sha256::digest(zip)),
            size: zip.len() as u64,
        };
        self.write(&code, zip).map_err(super::check::failure)?;
        Ok(code)
    }

    fn write(&self, code: &Code, zip: &[u8]) -> io::Result<()> {
        let path = self.root.join(format!("{}.zip", file_name(&code.sha256)?));
        if path.exists() {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        io::Write::write_all(&mut file, zip)?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }

    /// A package as it was uploaded.
    pub(super) fn zip(&self, sha256: &str) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(format!("{}.zip", file_name(sha256)?)))
    }

    /// The folder with a package's files; unpacked at the first call.
    pub(super) fn folder(&self, sha256: &str) -> io::Result<PathBuf> {
        let name = file_name(sha256)?;
        let folder = self.root.join(&name);
        if folder.exists() {
            return Ok(folder);
        }
        let _turn = locked(&self.unpacking);
        if folder.exists() {
            return Ok(folder);
        }
        let zip = fs::read(self.root.join(format!("{name}.zip")))?;
        let unpacked = tempfile::tempdir_in(&self.root)?;
        unpack(&zip, unpacked.path())?;
        fs::rename(unpacked.path(), &folder)?;
        Ok(folder)
    }

    /// Forgets every package that no version uses.
    pub(super) fn sweep(&self, used: &BTreeSet<&str>) -> io::Result<()> {
        let keep: BTreeSet<String> = used.iter().filter_map(|s| file_name(s).ok()).collect();
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if keep.contains(&*stem) {
                continue;
            }
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// The digest in an alphabet that file systems take.
fn file_name(sha256: &str) -> io::Result<String> {
    let bytes = STANDARD
        .decode(sha256)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn check(zip: &[u8]) -> Result<(), Refusal> {
    if zip.len() > ZIPPED_LIMIT {
        return Err(too_large(
            "Request must be smaller than 69905067 bytes for the CreateFunction operation",
        ));
    }
    let broken = || {
        invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
    };
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| broken())?;
    if archive.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    let mut unzipped = 0;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|_| broken())?;
        if file.enclosed_name().is_none() {
            return Err(broken());
        }
        unzipped += file.size();
    }
    if unzipped > UNZIPPED_LIMIT {
        return Err(invalid(format!(
            "Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes"
        )));
    }
    Ok(())
}

fn unpack(zip: &[u8], into: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(io::Error::other)?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(io::Error::other)?;
        let name = file
            .enclosed_name()
            .ok_or_else(|| io::Error::other("a name in the package leads outside of it"))?;
        let path = into.join(name);
        if file.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // The stated size may lie; what is read is bounded all the same.
        let mut out = io::BufWriter::with_capacity(CHUNK, fs::File::create(&path)?);
        io::copy(&mut (&mut file).take(UNZIPPED_LIMIT), &mut out)?;
        out.into_inner()?;
        set_mode(&path, file.unix_mode())?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = mode.unwrap_or(0o644) & 0o777;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: Option<u32>) -> io::Result<()> {
    Ok(())
}
