//! Servers on this machine, whose certificates nobody but their own authority vouches for.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::Connector;
use tokio_tungstenite::tungstenite::http::Uri;

/// Whether the URL is for a server on this machine.
pub(super) fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    matches!(host, "127.0.0.1" | "[::1]" | "localhost") || host.ends_with(".localhost")
}

/// Whether the URL is one of a server on this machine.
pub fn is_local(url: &str) -> bool {
    url.parse().is_ok_and(|uri| is_here(&uri))
}

/// Trusts this authority and no other.
pub(super) fn only(path: &Path) -> Result<Connector, String> {
    let unusable =
        |why: String| format!("the certificate in {} is unusable: {why}", path.display());
    let certificate =
        CertificateDer::from_pem_file(path).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate)
        .map_err(|error| unusable(error.to_string()))?;
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Connector::Rustls(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for (url, here) in [
            ("wss://127.0.0.1:4747/prod", true),
            ("wss://localhost/prod", true),
            ("wss://a1.execute-api.localhost:4747/prod", true),
            ("wss://[::1]:4747/prod", true),
            ("wss://a1.execute-api.us-east-1.amazonaws.com/prod", false),
            ("wss://localhost.example/prod", false),
        ] {
            assert_eq!(is_here(&url.parse().unwrap()), here, "{url}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let Err(why) = only(Path::new("/nowhere/ca.pem")) else {
            panic!("there is no such file");
        };
        assert!(why.contains("/nowhere/ca.pem"), "{why}");
    }
}
