//! HTTPS and WSS on the same port, so that code which names AWS's own hosts finds this cloud behind them.
//!
//! In: connections that begin with a TLS handshake, and `CONNECT` to a host of AWS. Out: the services, under a
//! certificate of an authority that only this machine's functions are told to trust. Never: a word that a function
//! says to a served host leaving the machine.

mod authority;
mod door;
mod functions;
#[cfg(test)]
mod tests;
mod tunnel;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::clock::Clock;
pub(super) use door::Door;
pub(super) use functions::lend;
pub(super) use tunnel::{open, serves};

/// Below the cloud's own folder.
const FOLDER: &str = "tls";

/// What is needed to be believed.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    /// The authority's certificate.
    authority: PathBuf,
    /// The system's certificates and the authority's.
    bundle: PathBuf,
    /// What Node.js loads before a function.
    hook: PathBuf,
    /// The folder of a cloud that lives in memory; it goes with the cloud.
    _temporary: Option<TempDir>,
}

impl Tls {
    /// Opens or makes the authority, and lets it certify this machine's names.
    pub(super) fn open(dir: Option<&Path>, region: &str, address: SocketAddr) -> io::Result<Self> {
        let (folder, temporary) = if let Some(dir) = dir {
            (dir.join(FOLDER), None)
        } else {
            let temporary = tempfile::tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        };
        fs::create_dir_all(&folder)?;
        // Clients judge certificates by their own clock, so a turned one is no use here.
        let now = Clock::real().now();
        let authority = authority::open(&folder, now)?;
        let leaf = authority.certify(names(region), now)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(leaf.chain, leaf.key)
            .map_err(io::Error::other)?;
        // WebSockets need HTTP/1.1, and so nothing else is offered.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (bundle, hook) = functions::write(&folder, &authority.pem, address.port())?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority: folder.join(authority::CERTIFICATE),
            bundle,
            hook,
            _temporary: temporary,
        })
    }
}

impl Tls {
    pub(super) fn authority(&self) -> &Path {
        &self.authority
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// The names that this machine's certificate is for.
fn names(region: &str) -> Vec<String> {
    let mut names: Vec<String> = [
        "127.0.0.1",
        "::1",
        "localhost",
        "*.execute-api.localhost",
        "iam.amazonaws.com",
        "sts.amazonaws.com",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(format!("*.execute-api.{region}.amazonaws.com"));
    let services = tunnel::SERVICES.iter();
    names.extend(services.map(|service| format!("{service}.{region}.amazonaws.com")));
    names
}
