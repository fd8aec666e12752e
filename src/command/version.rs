//! `version`: what this msgai is, where it was built from, and the handlers that it carries.
//!
//! The release job says commit and date when it builds, and the date is the commit's own, so that equal sources give
//! equal programs. A build of one's own says neither: what the checkout holds by now need not be what was built.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Context;
use crate::error::Error;
use crate::package::{Carried, carried};

const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// Of the release: the full commit id, and the day of that commit.
const COMMIT: Option<&str> = option_env!("MSGAI_COMMIT");
const DATE: Option<&str> = option_env!("MSGAI_DATE");

pub(crate) fn run(context: &Context) -> Result<ExitCode, Error> {
    let handlers = carried().map_err(|error| Error::failed(error.message))?;
    if context.global.json {
        context.say_json(document(&handlers));
    } else {
        context.print(&text(&handlers));
    }
    Ok(ExitCode::SUCCESS)
}

fn document(handlers: &[Carried]) -> Value {
    let handlers: Vec<Value> = handlers
        .iter()
        .map(|one| {
            json!({
                "for": if one.native { "dev" } else { "lambda" },
                "architecture": one.architecture.to_string(),
                "bytes": one.size,
                "sha256": one.sha256,
            })
        })
        .collect();
    json!({
        "type": "version",
        "version": 1,
        "msgai": NUMBER,
        "commit": said(COMMIT),
        "date": said(DATE),
        "target": target(),
        "handlers_inside": !handlers.is_empty(),
        "handlers": handlers,
    })
}

fn text(handlers: &[Carried]) -> String {
    let mut out = format!("msgai {NUMBER}\n");
    let commit = match (said(COMMIT), said(DATE)) {
        (Some(commit), Some(date)) => format!("{commit}, {date}"),
        (Some(commit), None) => commit.to_owned(),
        _ => "not a release: built from a source checkout".to_owned(),
    };
    out.push_str(&format!("commit    {commit}\n"));
    out.push_str(&format!("target    {}\n", target()));
    if handlers.is_empty() {
        out.push_str(
            "handlers  none inside: built from the source checkout, or given with --handlers-zip\n",
        );
    }
    for one in handlers {
        let place = if one.native { "dev here" } else { "Lambda" };
        out.push_str(&format!(
            "handlers  for {place}, {}, {} bytes, sha256 {}\n",
            one.architecture, one.size, one.sha256
        ));
    }
    out
}

/// A variable that was set to nothing says nothing.
fn said(value: Option<&'static str>) -> Option<&'static str> {
    value.filter(|value| !value.is_empty())
}

/// The target triple, put together from what the compiler tells a program.
fn target() -> String {
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(target_env = "msvc") {
        "msvc"
    } else {
        "gnu"
    };
    let system = match std::env::consts::OS {
        "linux" => format!("unknown-linux-{libc}"),
        "macos" => "apple-darwin".to_owned(),
        "windows" => format!("pc-windows-{libc}"),
        other => format!("unknown-{other}"),
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Arch;

    fn inside() -> Vec<Carried> {
        let one = |architecture, native, size| Carried {
            architecture,
            native,
            size,
            sha256: "ab".repeat(32),
        };
        vec![
            one(Arch::X86_64, false, 10),
            one(Arch::Arm64, false, 20),
            one(Arch::Arm64, true, 30),
        ]
    }

    #[test]
    fn each_set_of_handlers_has_a_line() {
        let text = text(&inside());
        let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("handlers")).collect();
        let digest = "ab".repeat(32);
        assert_eq!(
            lines,
            [
                format!("handlers  for Lambda, x86_64, 10 bytes, sha256 {digest}"),
                format!("handlers  for Lambda, arm64, 20 bytes, sha256 {digest}"),
                format!("handlers  for dev here, arm64, 30 bytes, sha256 {digest}"),
            ]
        );
    }

    #[test]
    fn programs_are_told_the_same() {
        let document = document(&inside());
        assert_eq!(document["handlers_inside"], true);
        assert_eq!(document["handlers"][1]["architecture"], "arm64");
        assert_eq!(document["handlers"][2]["for"], "dev");
        assert_eq!(document["target"], target());
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    fn the_target_is_the_compilers_triple() {
        assert_eq!(target(), "x86_64-unknown-linux-gnu");
    }
}
