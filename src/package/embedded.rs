//! The shipped handlers that a released msgai carries.
//!
//! The release job makes their zips first, and names them in the environment of the build by absolute paths. An empty
//! file stands for handlers that are not there.

use sha2::{Digest as _, Sha256};

use super::{Arch, PackageError, Request, elf, zip};

/// Handlers inside, and where they run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Embedded {
    pub(super) arch: Arch,
    /// For the local cloud of this system, where that is not Linux; the others are for Lambda.
    pub(super) native: bool,
    pub(super) zip: &'static [u8],
}

#[cfg(not(feature = "embedded-handlers"))]
pub(super) const EMBEDDED: &[Embedded] = &[];

#[cfg(all(feature = "embedded-handlers", target_os = "linux"))]
pub(super) const EMBEDDED: &[Embedded] = &[X86_64, ARM64];

#[cfg(all(feature = "embedded-handlers", not(target_os = "linux")))]
pub(super) const EMBEDDED: &[Embedded] = &[
    X86_64,
    ARM64,
    Embedded {
        arch: if cfg!(target_arch = "aarch64") {
            Arch::Arm64
        } else {
            Arch::X86_64
        },
        native: true,
        zip: include_bytes!(env!("MSGAI_HANDLERS_NATIVE")),
    },
];

#[cfg(feature = "embedded-handlers")]
const X86_64: Embedded = Embedded {
    arch: Arch::X86_64,
    native: false,
    zip: include_bytes!(env!("MSGAI_HANDLERS_X86_64")),
};

#[cfg(feature = "embedded-handlers")]
const ARM64: Embedded = Embedded {
    arch: Arch::Arm64,
    native: false,
    zip: include_bytes!(env!("MSGAI_HANDLERS_ARM64")),
};

/// Those that run where the request wants them.
pub(super) fn suitable(all: &[Embedded], request: &Request<'_>) -> Option<&'static [u8]> {
    let here = |one: &Embedded| {
        one.native || (cfg!(target_os = "linux") && Arch::host() == Some(one.arch))
    };
    let fits = |one: &&Embedded| {
        let runs = if request.native {
            here(one)
        } else {
            !one.native && one.arch == request.arch
        };
        runs && !one.zip.is_empty()
    };
    all.iter().find(fits).map(|one| one.zip)
}

/// Handlers inside, as `version` tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    pub architecture: Arch,
    /// For `dev` on this system, not for Lambda.
    pub native: bool,
    /// Of the zip, in bytes.
    pub size: usize,
    /// Of the zip, in hexadecimal digits.
    pub sha256: String,
}

/// What this msgai carries; handlers that Lambda could not start are an error.
pub fn carried() -> Result<Vec<Carried>, PackageError> {
    super::EMBEDDED
        .iter()
        .filter(|one| !one.zip.is_empty())
        .map(of)
        .collect()
}

fn of(one: &Embedded) -> Result<Carried, PackageError> {
    let what = "the embedded handlers";
    let bootstrap = zip::Archive::read(one.zip, what)?.bootstrap()?;
    if !one.native {
        elf::check(&bootstrap, one.arch).map_err(|unfit| unfit.explain(what, one.arch))?;
    }
    let mut sha256 = String::new();
    for byte in Sha256::digest(one.zip) {
        sha256.push_str(&format!("{byte:02x}"));
    }
    Ok(Carried {
        architecture: one.arch,
        native: one.native,
        size: one.zip.len(),
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::executable;

    fn zip_of(bytes: &[u8]) -> &'static [u8] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bootstrap");
        std::fs::write(&path, bytes).unwrap();
        let entry = zip::Entry {
            name: "bootstrap".to_owned(),
            executable: true,
            path,
        };
        zip::pack(vec![entry], zip::Effort::Quick).unwrap().leak()
    }

    #[test]
    fn what_is_inside_is_told_with_size_and_digest() {
        let inside = Embedded {
            arch: Arch::X86_64,
            native: false,
            zip: zip_of(&executable()),
        };
        let told = of(&inside).unwrap();
        assert_eq!(
            (told.architecture, told.size),
            (Arch::X86_64, inside.zip.len())
        );
        assert_eq!(told.sha256.len(), 64);
    }

    #[test]
    fn handlers_for_another_processor_than_said_are_an_error() {
        let inside = Embedded {
            arch: Arch::Arm64,
            native: false,
            zip: zip_of(&executable()),
        };
        let error = of(&inside).unwrap_err();
        assert!(error.message.contains("the embedded handlers"), "{error}");
        let native = Embedded {
            native: true,
            ..inside
        };
        assert!(of(&native).unwrap().native);
    }
}
