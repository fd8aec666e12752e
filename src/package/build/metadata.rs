//! What `cargo metadata` says of a user's package, as far as building it needs.
//!
//! In: a folder with a `Cargo.toml`. Out: where cargo builds, and which binaries there are.
//! Never: the network; dependencies are not asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::super::PackageError;

/// What `cargo metadata` says, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    pub(super) workspace_root: PathBuf,
    pub(super) target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    manifest_path: PathBuf,
    targets: Vec<PackageTarget>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    /// Where it lies, when it is no registry's.
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct PackageTarget {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    pub(super) fn ask(dir: &Path) -> Result<Self, PackageError> {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(PackageError::new(format!(
                "{} is no cargo package: it has no Cargo.toml",
                dir.display()
            )));
        }
        let output = Command::new("cargo")
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--color",
                "never",
            ])
            .current_dir(dir)
            .output()
            .map_err(|error| {
                PackageError::new(format!(
                    "cannot read {}: cargo does not start: {error}",
                    manifest.display()
                ))
                .hint("install Rust (https://rustup.rs)")
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(PackageError::new(format!(
                "cannot read {}, cargo says:\n{}",
                manifest.display(),
                said.trim()
            )));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            PackageError::new(format!(
                "cannot understand cargo metadata of {}: {error}",
                manifest.display()
            ))
        })
    }

    /// The folder `dir`, and the folders that its package depends on by path, as far as they are of one workspace.
    pub(super) fn sources(&self, dir: &Path) -> Vec<PathBuf> {
        let mut found = vec![dir.to_owned()];
        let mut next = 0;
        while let Some(dir) = found.get(next).cloned() {
            next += 1;
            let Ok(package) = self.package(&dir) else {
                continue;
            };
            for path in package.dependencies.iter().filter_map(|d| d.path.as_ref()) {
                if !found.contains(path) {
                    found.push(path.clone());
                }
            }
        }
        found
    }

    /// The package whose manifest is in `dir`.
    pub(super) fn package(&self, dir: &Path) -> Result<&Package, PackageError> {
        let manifest = dir.join("Cargo.toml").canonicalize().ok();
        let found = self
            .packages
            .iter()
            .find(|package| package.manifest_path.canonicalize().ok() == manifest);
        found.ok_or_else(|| {
            let members: Vec<&str> = self
                .packages
                .iter()
                .map(|package| package.name.as_str())
                .collect();
            PackageError::new(format!("{} is a workspace, not a package", dir.display())).hint(
                format!(
                    "name the folder of one of its packages: {}",
                    members.join(", ")
                ),
            )
        })
    }
}

impl Package {
    /// The binary to build: the one that is asked for, or the only one.
    pub(super) fn bin<'a>(&'a self, wanted: Option<&'a str>) -> Result<&'a str, PackageError> {
        let bins: Vec<&str> = self
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.as_str())
            .collect();
        match (wanted, bins.as_slice()) {
            (Some(bin), all) if all.contains(&bin) => Ok(bin),
            (None, [only]) => Ok(only),
            (_, []) => Err(
                PackageError::new(format!("package {} has no binary", self.name))
                    .hint("a function needs a `src/main.rs` that runs lambda_runtime"),
            ),
            (Some(bin), all) => Err(PackageError::new(format!(
                "package {} has no binary `{bin}`",
                self.name
            ))
            .hint(format!("it has: {}", all.join(", ")))),
            (None, all) => {
                Err(
                    PackageError::new(format!("package {} has {} binaries", self.name, all.len()))
                        .hint(format!("say which in `entry`: {}", all.join(", "))),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_package_depends_on_by_path_is_its_source() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().canonicalize().unwrap();
        let package = |name: &str, depends: Value| {
            std::fs::create_dir(here.join(name)).unwrap();
            let manifest = here.join(name).join("Cargo.toml");
            std::fs::write(&manifest, "").unwrap();
            json!({ "name": name, "manifest_path": manifest, "targets": [], "dependencies": depends })
        };
        let by_path = |name: &str| json!({ "name": name, "path": here.join(name) });
        let metadata: Metadata = serde_json::from_value(json!({
            "packages": [
                package("audit", json!([{ "name": "serde", "path": null }, by_path("shared")])),
                package("shared", json!([by_path("base"), by_path("audit")])),
                package("base", json!([])),
                package("other", json!([])),
            ],
            "workspace_root": here,
            "target_directory": here,
        }))
        .unwrap();
        let names = ["audit", "shared", "base"].map(|name| here.join(name));
        assert_eq!(metadata.sources(&here.join("audit")), names);
    }

    #[test]
    fn of_several_binaries_one_must_be_named() {
        let target = |name: &str, kind: &str| PackageTarget {
            name: name.to_owned(),
            kind: vec![kind.to_owned()],
        };
        let mut package = Package {
            name: "audit".to_owned(),
            manifest_path: PathBuf::new(),
            targets: vec![target("audit", "lib"), target("one", "bin")],
            dependencies: Vec::new(),
        };
        assert_eq!(package.bin(None).unwrap(), "one");
        assert_eq!(package.bin(Some("two")).unwrap_err().hints, ["it has: one"]);
        package.targets.push(target("two", "bin"));
        assert_eq!(package.bin(Some("two")).unwrap(), "two");
        assert_eq!(
            package.bin(None).unwrap_err().hints,
            ["say which in `entry`: one, two"]
        );
        package.targets.clear();
        assert_eq!(
            package.bin(None).unwrap_err().message,
            "package audit has no binary"
        );
    }
}
