//! How functions come to trust this cloud, and to ask it where their code names AWS's hosts.
//!
//! Most runtimes and SDKs follow `HTTPS_PROXY`. Node.js does not, so a few lines are loaded into it that turn
//! connections to those hosts round. What a function's own variables say comes after and wins.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Tls, tunnel};

const BUNDLE: &str = "bundle.pem";
const HOOK: &str = "hook.cjs";
const OPTIONS: &str = "NODE_OPTIONS";
/// PEM's lines are so long.
const LINE: usize = 64;

/// Writes what functions are pointed at: the bundle of certificates, and the hook for Node.js.
pub(super) fn write(folder: &Path, authority: &str, port: u16) -> io::Result<(PathBuf, PathBuf)> {
    let (bundle, hook) = (folder.join(BUNDLE), folder.join(HOOK));
    std::fs::write(&bundle, system() + authority)?;
    let services = tunnel::SERVICES.join("|").replace('.', "\\.");
    let text = include_str!("hook.cjs")
        .replace("@PORT@", &port.to_string())
        .replace("@SERVICES@", &services);
    std::fs::write(&hook, text)?;
    Ok((bundle, hook))
}

/// The certificates that this machine trusts: a bundle takes their place where it is named, so it must hold them.
fn system() -> String {
    let mut pem = String::new();
    for certificate in rustls_native_certs::load_native_certs().certs {
        let text = STANDARD.encode(&certificate);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(LINE) {
            writeln!(pem, "{}", String::from_utf8_lossy(line)).ok();
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// Adds what a function needs to `variables`, where its own configuration does not say otherwise.
pub(crate) fn lend(tls: &Tls, port: u16, variables: &mut Vec<(String, String)>) {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let bundle = path(&tls.bundle);
    let proxy = format!("http://127.0.0.1:{port}");
    let direct = "127.0.0.1,::1,localhost,.localhost";
    for (name, value) in [
        ("SSL_CERT_FILE", bundle.as_str()),
        ("AWS_CA_BUNDLE", &bundle),
        ("REQUESTS_CA_BUNDLE", &bundle),
        ("NODE_EXTRA_CA_CERTS", &path(&tls.authority)),
        ("HTTPS_PROXY", &proxy),
        ("https_proxy", &proxy),
        ("NO_PROXY", direct),
        ("no_proxy", direct),
    ] {
        if variables.iter().all(|(given, _)| given != name) {
            variables.push((name.to_owned(), value.to_owned()));
        }
    }
    let hook = require(&tls.hook);
    match variables.iter_mut().find(|(name, _)| name == OPTIONS) {
        Some((_, own)) => *own = format!("{hook} {own}"),
        None => variables.push((OPTIONS.to_owned(), hook)),
    }
}

/// The hook as `NODE_OPTIONS` has it, which splits at spaces outside of quotes.
fn require(hook: &Path) -> String {
    let path = hook.to_string_lossy();
    format!(
        "--require \"{}\"",
        path.replace('\\', "\\\\").replace('"', "\\\"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_is_one_word_to_node() {
        let given = require(Path::new("/a b/c\"d"));
        assert_eq!(given, r#"--require "/a b/c\"d""#);
    }
}
