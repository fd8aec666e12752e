//! What of a folder goes into its function's zip.
//!
//! In: a folder. Out: its files, named and sorted, links followed.
//! Never: anything outside of the folder, version control, or what a tool leaves behind
//! (`.git`, `.DS_Store`, `.msgai`, `__pycache__`, and `target` beside a `Cargo.toml`).

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::zip::Entry;
use super::{PackageError, UNZIPPED_LIMIT, megabytes};

const LEFT_OUT: [&str; 4] = [".git", ".DS_Store", ".msgai", "__pycache__"];

/// How many of the largest files a message about size names.
const NAMED: usize = 3;

/// Every file to be zipped, sorted by name, within Lambda's limit.
pub(super) fn entries(dir: &Path) -> Result<Vec<Entry>, PackageError> {
    let root = real_folder(dir)?;
    let mut found = Vec::new();
    let walk = WalkDir::new(&root).follow_links(true).sort_by_file_name();
    for item in walk.into_iter().filter_entry(is_wanted) {
        let item = item.map_err(|error| unreadable(dir, &error))?;
        stays_inside(&root, &item)?;
        let metadata = item.metadata().map_err(|error| unreadable(dir, &error))?;
        if metadata.is_dir() {
            continue;
        }
        if !metadata.is_file() {
            return Err(PackageError::new(format!(
                "cannot zip {}: neither a file nor a folder",
                item.path().display()
            )));
        }
        found.push((metadata.len(), entry(&root, item.into_path(), &metadata)?));
    }
    check_size(dir, &mut found)?;
    let mut entries: Vec<Entry> = found.into_iter().map(|(_, entry)| entry).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn real_folder(dir: &Path) -> Result<PathBuf, PackageError> {
    let root = dir
        .canonicalize()
        .map_err(|error| PackageError::new(format!("cannot read {}: {error}", dir.display())))?;
    if root.is_dir() {
        Ok(root)
    } else {
        Err(PackageError::new(format!(
            "{} is not a folder",
            dir.display()
        )))
    }
}

fn is_wanted(item: &DirEntry) -> bool {
    if item.depth() == 0 {
        return true;
    }
    let Some(name) = item.file_name().to_str() else {
        // Kept, so that it is complained about.
        return true;
    };
    let is_cargo_output = name == "target" && item.path().with_file_name("Cargo.toml").exists();
    !LEFT_OUT.contains(&name) && !is_cargo_output
}

fn stays_inside(root: &Path, item: &DirEntry) -> Result<(), PackageError> {
    // The root itself may be reached through a link; that one is the user's choice.
    if item.depth() == 0 || !item.path_is_symlink() {
        return Ok(());
    }
    let target = item.path().canonicalize().map_err(|error| {
        PackageError::new(format!("cannot follow {}: {error}", item.path().display()))
    })?;
    if target.starts_with(root) {
        return Ok(());
    }
    Err(PackageError::new(format!(
        "{} is a link to {}, outside of the folder that is deployed",
        item.path().display(),
        target.display()
    ))
    .hint("copy what it points to into the folder, or remove the link"))
}

fn entry(root: &Path, path: PathBuf, metadata: &Metadata) -> Result<Entry, PackageError> {
    let inside = path
        .strip_prefix(root)
        .expect("a walk yields what is below its root");
    let parts: Option<Vec<&str>> = inside
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => None,
        })
        .collect();
    let Some(parts) = parts else {
        return Err(PackageError::new(format!(
            "cannot zip {}: its name is not UTF-8",
            path.display()
        )));
    };
    let name = parts.join("/");
    Ok(Entry {
        executable: is_executable(metadata, &name),
        name,
        path,
    })
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata, _name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

/// Where files have no modes, only the runtime's own entry point is known to be meant.
#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata, name: &str) -> bool {
    name == super::BOOTSTRAP
}

fn check_size(dir: &Path, found: &mut [(u64, Entry)]) -> Result<(), PackageError> {
    if found.is_empty() {
        return Err(PackageError::new(format!(
            "{} has no file to deploy",
            dir.display()
        )));
    }
    let total: u64 = found.iter().map(|(size, _)| size).sum();
    if total <= UNZIPPED_LIMIT {
        return Ok(());
    }
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    let largest: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|(size, entry)| format!("{} ({})", entry.name, megabytes(*size)))
        .collect();
    Err(PackageError::new(format!(
        "{} holds {}, and Lambda unpacks at most {}",
        dir.display(),
        megabytes(total),
        megabytes(UNZIPPED_LIMIT)
    ))
    .hint(format!("its largest files: {}", largest.join(", "))))
}

fn unreadable(dir: &Path, error: &walkdir::Error) -> PackageError {
    let place = error.path().unwrap_or(dir).display();
    if let Some(ancestor) = error.loop_ancestor() {
        return PackageError::new(format!(
            "{place} is a link to {}, which it is in: it would never end",
            ancestor.display()
        ));
    }
    let why = error
        .io_error()
        .map_or_else(|| error.to_string(), ToString::to_string);
    PackageError::new(format!("cannot read {place}: {why}"))
}
