//! Zips whose bytes depend on nothing but names, modes and contents; and a look into zips made elsewhere.
//!
//! In: files, or a zip. Out: a zip, or what it holds. Never: a clock, an owner, the order of a directory.

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::path::PathBuf;

use ::zip::result::ZipError;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::{BOOTSTRAP, PackageError, UNZIPPED_LIMIT, unreadable, within_unzipped_limit};

/// One file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path inside the zip, with `/`.
    pub(super) name: String,
    pub(super) executable: bool,
    /// Where its content is.
    pub(super) path: PathBuf,
}

/// How hard to compress; either gives the same bytes every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// A third of the size in a fraction of the time: for what is sent and unpacked on the same machine.
    Quick,
    Small,
}

/// Packs files, sorted by name.
pub(super) fn pack(mut entries: Vec<Entry>, effort: Effort) -> Result<Vec<u8>, PackageError> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in &entries {
        let mut content =
            File::open(&entry.path).map_err(|error| unreadable(&entry.path, &error))?;
        writer
            .start_file(entry.name.as_str(), options(entry, effort))
            .and_then(|()| Ok(io::copy(&mut content, &mut writer)?))
            .map_err(|error| PackageError::new(format!("cannot zip {}: {error}", entry.name)))?;
    }
    let cursor = writer
        .finish()
        .map_err(|error| PackageError::new(format!("cannot finish the zip: {error}")))?;
    Ok(cursor.into_inner())
}

/// Everything that would otherwise depend on the machine is said here.
fn options(entry: &Entry, effort: Effort) -> SimpleFileOptions {
    let options = SimpleFileOptions::DEFAULT
        .system(System::Unix)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(if entry.executable { 0o755 } else { 0o644 });
    let level = match effort {
        Effort::Quick => 1,
        Effort::Small => 6,
    };
    options
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
}

/// A zip that somebody else made.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    shown: &'a str,
}

impl<'a> Archive<'a> {
    /// `shown` is what messages call it.
    pub(super) fn read(bytes: &'a [u8], shown: &'a str) -> Result<Self, PackageError> {
        let zip = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| PackageError::new(format!("{shown} is not a zip: {error}")))?;
        if zip.is_empty() {
            return Err(PackageError::new(format!("{shown} is an empty zip")));
        }
        Ok(Self { zip, shown })
    }

    /// How many bytes it unpacks to, as its directory says; refused when a name leads out of the folder.
    pub(super) fn unzipped(&mut self) -> Result<u64, PackageError> {
        let mut total: u64 = 0;
        for index in 0..self.zip.len() {
            let file = self
                .zip
                .by_index_raw(index)
                .map_err(|error| broken(self.shown, &error))?;
            if file.enclosed_name().is_none() {
                return Err(PackageError::new(format!(
                    "{} has a file named {:?}, which would land outside of the function's folder",
                    self.shown,
                    String::from_utf8_lossy(file.name_raw())
                )));
            }
            total = total.saturating_add(file.size());
        }
        Ok(total)
    }

    /// The content of its `bootstrap`, which must be at the root and executable by everybody.
    pub(super) fn bootstrap(&mut self) -> Result<Vec<u8>, PackageError> {
        let Some(index) = self.zip.index_for_name(BOOTSTRAP) else {
            return Err(self.no_bootstrap());
        };
        let file = self
            .zip
            .by_index(index)
            .map_err(|error| broken(self.shown, &error))?;
        let mode = file.unix_mode().unwrap_or_default() & 0o777;
        // Lambda's user is neither the owner nor in the group.
        if mode & 0o005 != 0o005 {
            return Err(PackageError::new(format!(
                "{BOOTSTRAP} in {} has mode {mode:04o}, so Lambda cannot start it",
                self.shown
            ))
            .hint(format!(
                "run chmod 755 {BOOTSTRAP} and zip it again, on a system that keeps modes"
            )));
        }
        within_unzipped_limit(file.size(), self.shown)?;
        let mut content = Vec::new();
        // The directory may lie about the size, so the reading is bounded as well.
        file.take(UNZIPPED_LIMIT + 1)
            .read_to_end(&mut content)
            .map_err(|error| broken(self.shown, &ZipError::Io(error)))?;
        within_unzipped_limit(content.len() as u64, self.shown)?;
        Ok(content)
    }

    fn no_bootstrap(&self) -> PackageError {
        let error = PackageError::new(format!(
            "{} has no `{BOOTSTRAP}` at its root, which a provided runtime starts",
            self.shown
        ));
        let nested = self
            .zip
            .file_names()
            .filter_map(Result::ok)
            .find_map(|name| name.strip_suffix("/bootstrap").map(str::to_owned));
        match nested {
            Some(folder) => error.hint(format!(
                "it is in `{folder}/`: zip the folder's content, not the folder (zip -j handlers.zip {folder}/bootstrap)"
            )),
            None => error.hint("name the executable `bootstrap` and run: zip -j handlers.zip bootstrap"),
        }
    }
}

fn broken(shown: &str, error: &ZipError) -> PackageError {
    PackageError::new(format!("{shown} is a broken zip: {error}"))
}
