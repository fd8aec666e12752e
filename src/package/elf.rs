//! Whether an executable can start on Lambda's Amazon Linux 2023, told before it is uploaded.
//!
//! In: the bytes of a `bootstrap`. Out: fit, or why not. Never: a guess; what cannot be read is not fit.

use std::fmt;

use object::Endianness;
use object::elf::{EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use super::{Arch, PackageError};

/// Amazon Linux 2023 has glibc 2.34, and keeps it.
pub(super) const GLIBC: Glibc = Glibc {
    major: 2,
    minor: 34,
};

/// The version of glibc that `DT_RELR` came with; such executables name the feature, not the version.
const RELR: (&str, Glibc) = (
    "GLIBC_ABI_DT_RELR",
    Glibc {
        major: 2,
        minor: 36,
    },
);

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glibc {
    major: u32,
    minor: u32,
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why an executable would not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    NotElf,
    Unreadable(String),
    Machine(u16),
    /// It wants a dynamic loader that Lambda has not.
    Loader(String),
    Glibc(Glibc),
}

impl Unfit {
    /// `what` is the executable, as messages call it.
    pub(super) fn explain(self, what: &str, arch: Arch) -> PackageError {
        let target = format!("{}-unknown-linux-gnu.{GLIBC}", arch.triple());
        match self {
            Self::NotElf => PackageError::new(format!("{what} is not a Linux executable"))
                .hint(format!("build it for Linux: cargo zigbuild --target {target} (pip install cargo-zigbuild ziglang)")),
            Self::Unreadable(why) => {
                PackageError::new(format!("{what} is no readable Linux executable: {why}"))
            }
            Self::Machine(machine) => PackageError::new(format!(
                "{what} is built for {}, and the function runs on {arch}",
                machine_name(machine)
            ))
            .hint(format!("build it for {arch}, or set the function's `architecture`")),
            Self::Loader(loader) => PackageError::new(format!(
                "{what} asks for the loader {loader}, which Lambda does not have"
            ))
            .hint("link it statically, or against glibc in its usual place"),
            Self::Glibc(needed) => PackageError::new(format!(
                "{what} needs glibc {needed}, and Lambda has {GLIBC}: this machine's is newer"
            ))
            .hint("run: pip install cargo-zigbuild ziglang, then the same command again")
            .hint(format!("or build it yourself: cargo zigbuild --release --target {target}")),
        }
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "arm64".to_owned(),
        other => format!("machine {other}"),
    }
}

/// A `bootstrap` that need not be compiled: a script is as good as an executable.
pub(super) fn check_bootstrap(bytes: &[u8], arch: Arch) -> Result<(), Unfit> {
    if bytes.starts_with(b"#!") {
        return Ok(());
    }
    check(bytes, arch)
}

/// Whether the executable is for the processor, and for no newer a system than Lambda's.
pub(super) fn check(bytes: &[u8], arch: Arch) -> Result<(), Unfit> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Unfit::NotElf);
    }
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|error| unreadable(&error))?;
    let endian = header.endian().map_err(|error| unreadable(&error))?;
    let machine = header.e_machine(endian);
    if machine != machine_of(arch) {
        return Err(Unfit::Machine(machine));
    }
    if !matches!(header.e_type(endian), ET_EXEC | ET_DYN) {
        return Err(Unfit::Unreadable(
            "it is an object file, not yet linked".to_owned(),
        ));
    }
    let Some(loader) = loader(header, endian, bytes)? else {
        // Without a loader it is static and needs no library.
        return Ok(());
    };
    if loader != loader_of(arch) {
        return Err(Unfit::Loader(loader));
    }
    match glibc_of(header, endian, bytes)? {
        Some(needed) if needed > GLIBC => Err(Unfit::Glibc(needed)),
        _ => Ok(()),
    }
}

fn machine_of(arch: Arch) -> u16 {
    match arch {
        Arch::X86_64 => EM_X86_64,
        Arch::Arm64 => EM_AARCH64,
    }
}

fn loader_of(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        Arch::Arm64 => "/lib/ld-linux-aarch64.so.1",
    }
}

fn loader(
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Option<String>, Unfit> {
    for segment in header
        .program_headers(endian, bytes)
        .map_err(|error| unreadable(&error))?
    {
        let path = segment
            .interpreter(endian, bytes)
            .map_err(|error| unreadable(&error))?;
        if let Some(path) = path {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

/// The newest version of glibc that any symbol asks for.
fn glibc_of(
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Option<Glibc>, Unfit> {
    let sections = header
        .sections(endian, bytes)
        .map_err(|error| unreadable(&error))?;
    if sections.is_empty() {
        return Err(Unfit::Unreadable(
            "its section table is stripped, so the glibc it needs cannot be told".to_owned(),
        ));
    }
    let needs = sections
        .gnu_verneed(endian, bytes)
        .map_err(|error| unreadable(&error))?;
    let Some((mut files, link)) = needs else {
        return Ok(None);
    };
    let strings = sections
        .strings(endian, bytes, link)
        .map_err(|error| unreadable(&error))?;
    let mut newest = None;
    while let Some((_, mut versions)) = files.next().map_err(|error| unreadable(&error))? {
        while let Some(version) = versions.next().map_err(|error| unreadable(&error))? {
            let name = version
                .name(endian, strings)
                .map_err(|error| unreadable(&error))?;
            newest = newest.max(parse(&String::from_utf8_lossy(name)));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.34` → 2.34; `None` for other libraries' versions.
fn parse(name: &str) -> Option<Glibc> {
    if name == RELR.0 {
        return Some(RELR.1);
    }
    let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    let major = parts.next()?.ok()?;
    let minor = parts.next().unwrap_or(Ok(0)).ok()?;
    Some(Glibc { major, minor })
}

fn unreadable(error: &object::read::Error) -> Unfit {
    Unfit::Unreadable(error.to_string())
}

#[cfg(all(test, target_os = "linux"))]
pub(super) fn newest_glibc(bytes: &[u8]) -> Option<Glibc> {
    let header = FileHeader64::<Endianness>::parse(bytes).expect("an ELF header");
    let endian = header.endian().expect("an endianness");
    glibc_of(header, endian, bytes).expect("readable sections")
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Elf};
    use super::*;

    const X86: &str = "/lib64/ld-linux-x86-64.so.2";
    const ARM: &str = "/lib/ld-linux-aarch64.so.1";

    fn fit(elf: &Elf<'_>, arch: Arch) -> Result<(), Unfit> {
        check(&fake::elf(elf), arch)
    }

    #[test]
    fn what_lambda_has_is_fit() {
        let old = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_2.2.5", "GLIBC_2.34", "GCC_3.0"],
        };
        assert_eq!(fit(&old, Arch::X86_64), Ok(()));
        let arm = Elf {
            machine: 183,
            loader: Some(ARM),
            versions: &["GLIBC_2.17"],
        };
        assert_eq!(fit(&arm, Arch::Arm64), Ok(()));
        let unversioned = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &[],
        };
        assert_eq!(fit(&unversioned, Arch::X86_64), Ok(()));
    }

    #[test]
    fn a_static_executable_is_fit() {
        let musl = Elf {
            machine: 183,
            loader: None,
            versions: &[],
        };
        assert_eq!(fit(&musl, Arch::Arm64), Ok(()));
    }

    #[test]
    fn a_newer_glibc_is_told_with_its_version() {
        let newer = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_2.39", "GLIBC_2.4"],
        };
        assert_eq!(
            fit(&newer, Arch::X86_64),
            Err(Unfit::Glibc(Glibc {
                major: 2,
                minor: 39
            }))
        );
        let relr = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_2.34", "GLIBC_ABI_DT_RELR"],
        };
        assert_eq!(
            fit(&relr, Arch::X86_64),
            Err(Unfit::Glibc(Glibc {
                major: 2,
                minor: 36
            }))
        );
        let next = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_3.0"],
        };
        assert_eq!(
            fit(&next, Arch::X86_64),
            Err(Unfit::Glibc(Glibc { major: 3, minor: 0 }))
        );
    }

    #[test]
    fn the_processor_must_be_the_functions() {
        let x86 = Elf {
            machine: 62,
            loader: Some(X86),
            versions: &[],
        };
        assert_eq!(fit(&x86, Arch::Arm64), Err(Unfit::Machine(62)));
        let error = Unfit::Machine(62).explain("bootstrap", Arch::Arm64);
        assert_eq!(
            error.message,
            "bootstrap is built for x86_64, and the function runs on arm64"
        );
    }

    #[test]
    fn a_loader_that_lambda_has_not_is_refused() {
        let musl = "/lib/ld-musl-x86_64.so.1";
        let dynamic = Elf {
            machine: 62,
            loader: Some(musl),
            versions: &[],
        };
        assert_eq!(
            fit(&dynamic, Arch::X86_64),
            Err(Unfit::Loader(musl.to_owned()))
        );
    }

    #[test]
    fn nothing_unreadable_passes() {
        assert_eq!(check(b"", Arch::X86_64), Err(Unfit::NotElf));
        assert_eq!(check(b"MZ\x90\0", Arch::X86_64), Err(Unfit::NotElf));
        assert!(matches!(
            check(b"\x7fELF", Arch::X86_64),
            Err(Unfit::Unreadable(_))
        ));
        let whole = fake::elf(&Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_2.34"],
        });
        for length in 4..whole.len() {
            let cut = check(&whole[..length], Arch::X86_64);
            assert!(
                matches!(cut, Err(Unfit::Unreadable(_))),
                "cut to {length} of {}: {cut:?}",
                whole.len()
            );
        }
    }

    #[test]
    fn without_sections_the_glibc_cannot_be_told() {
        let mut stripped = fake::elf(&Elf {
            machine: 62,
            loader: Some(X86),
            versions: &["GLIBC_2.39"],
        });
        fake::forget_sections(&mut stripped);
        assert!(matches!(
            check(&stripped, Arch::X86_64),
            Err(Unfit::Unreadable(_))
        ));
    }

    #[test]
    fn a_script_may_be_a_bootstrap_but_not_a_build() {
        assert_eq!(check_bootstrap(b"#!/bin/sh\n", Arch::Arm64), Ok(()));
        assert_eq!(check(b"#!/bin/sh\n", Arch::Arm64), Err(Unfit::NotElf));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn a_real_executable_is_read() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let newest = newest_glibc(&bytes).unwrap();
        assert!(newest > Glibc { major: 2, minor: 2 }, "{newest}");
        let arch = Arch::host().unwrap();
        let expected = if newest > GLIBC {
            Err(Unfit::Glibc(newest))
        } else {
            Ok(())
        };
        assert_eq!(check(&bytes, arch), expected);
    }
}
