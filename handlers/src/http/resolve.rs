//! The addresses of a name, asked for once although sixty-four connections are opened at once.
//!
//! Each question costs a thread and a datagram to a resolver that counts them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower_service::Service;

/// Shorter than any time to live that matters here, longer than it takes to open a pool.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Clone, Default)]
pub(super) struct Resolver {
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

struct Known {
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Resolver {
    /// Who asks while another does waits for that answer. Each caller gets another address first.
    async fn ask(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.get_mut(name)
            && known.at.elapsed() < FRESH
        {
            known.addresses.rotate_left(1);
            return Ok(known.addresses.clone());
        }
        let addresses: Vec<_> = tokio::net::lookup_host((name, 0)).await?.collect();
        if addresses.is_empty() {
            return Err(io::Error::other(format!("{name} has no address")));
        }
        let entry = Known {
            at: Instant::now(),
            addresses: addresses.clone(),
        };
        known.insert(name.to_owned(), entry);
        Ok(addresses)
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.ask(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_once_and_each_caller_begins_with_another_address() {
        let resolver = Resolver::default();
        let planted = Known {
            at: Instant::now(),
            addresses: vec![([192, 0, 2, 1], 0).into(), ([192, 0, 2, 2], 0).into()],
        };
        // No resolver knows this name: whatever comes back was remembered.
        let name = "chat.invalid";
        resolver.known.lock().await.insert(name.into(), planted);
        let first = resolver.ask(name).await.unwrap();
        let second = resolver.ask(name).await.unwrap();
        assert_eq!(first.len(), 2);
        assert_ne!(first[0], second[0]);
        let numbers = resolver.ask("127.0.0.1").await.unwrap();
        assert_eq!(numbers[0].ip(), std::net::Ipv4Addr::LOCALHOST);
    }
}
