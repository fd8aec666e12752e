//! How a connection is opened: the address of a name, TCP without delay, TLS where the URL says so.
//!
//! Never: a root certificate read for a function that speaks plain HTTP, as all do in a local cloud.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use super::resolve::Resolver;

const CONNECT_WITHIN: Duration = Duration::from_secs(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections for the pool.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    trust: Arc<Trust>,
}

/// Whom TLS believes; made when the first connection needs it.
struct Trust {
    roots: Option<PathBuf>,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Connector {
    pub(super) fn new(roots: Option<PathBuf>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::default());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_WITHIN));
        let config = OnceLock::new();
        Self {
            tcp,
            trust: Arc::new(Trust { roots, config }),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        if to.scheme() != Some(&Scheme::HTTPS) {
            let opening = self.tcp.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(opening.await?)) });
        }
        match self.trust.config() {
            Ok(config) => HttpsConnector::from((self.tcp.clone(), config)).call(to),
            Err(why) => Box::pin(async move { Err(why.into()) }),
        }
    }
}

impl Trust {
    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let made = self.config.get_or_init(|| {
            let roots = match &self.roots {
                Some(file) => read(file)?,
                None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            };
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            let config = config.with_root_certificates(roots).with_no_client_auth();
            Ok(Arc::new(config))
        });
        made.clone()
    }
}

/// The certificates of a bundle; one that rustls cannot use is passed over, as every client does.
fn read(file: &Path) -> Result<RootCertStore, String> {
    let unreadable = |why: String| {
        let file = file.display();
        format!("the root certificates in {file}, named by SSL_CERT_FILE, cannot be used: {why}")
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|why| unreadable(why.to_string()))?;
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}
