//! Where a local cloud's state survives a restart: one JSON file a service, and blobs by digest.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A folder, or nothing for a cloud that lives in memory.
#[derive(Debug, Clone)]
pub(crate) struct Store(Option<PathBuf>);

impl Store {
    pub(crate) fn open(dir: Option<&Path>) -> io::Result<Self> {
        if let Some(dir) = dir {
            fs::create_dir_all(dir)?;
        }
        Ok(Self(dir.map(Path::to_owned)))
    }

    pub(crate) fn dir(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Replaces the file in one step, so that a kill leaves the old state or the new one.
    pub(crate) fn save(&self, name: &str, state: &impl Serialize) -> io::Result<()> {
        let Some(dir) = &self.0 else { return Ok(()) };
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer(io::BufWriter::new(&mut file), state)?;
        file.flush()?;
        file.persist(dir.join(format!("{name}.json")))
            .map_err(|e| e.error)?;
        Ok(())
    }

    /// The state saved under `name`, or its default when there is none yet.
    pub(crate) fn load<T: DeserializeOwned + Default>(&self, name: &str) -> io::Result<T> {
        let Some(dir) = &self.0 else {
            return Ok(T::default());
        };
        match fs::read(dir.join(format!("{name}.json"))) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{name}.json: {e}"))
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(e) => Err(e),
        }
    }
}
