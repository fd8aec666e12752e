//! The local cloud without its listener: whoever holds it is answered, in this process and on its clock.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tokio::sync::broadcast;

use super::apigateway::account;
use super::console::Suggestions;
use super::{Happening, Options, World, edge};

/// Answers, and does nothing by itself.
///
/// What time brings about of its own accord, such as items past their TTL being swept, does not happen here.
#[derive(Clone)]
pub struct Inside {
    world: Arc<World>,
    router: Router,
}

impl Inside {
    /// Opens the state; [`Options::port`] only stands in addresses.
    pub fn open(options: Options) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let world = Arc::new(World::open(options)?);
        world.address.get_or_init(|| address);
        world.reopen()?;
        let router = edge::router(Arc::clone(&world));
        Ok(Self { world, router })
    }

    /// What the listener would answer.
    pub async fn answer(&self, request: Request) -> Response {
        edge::forward(&self.router, request).await
    }

    /// As [`super::LocalCloud::grant_api_logs`].
    pub fn grant_api_logs(&self) -> io::Result<()> {
        account::grant(&self.world).map_err(|refusal| io::Error::other(refusal.message))
    }

    /// Brings to disk what is not there yet, for a cloud that is opened on the same folder later.
    pub fn save(&self) -> io::Result<()> {
        let mut all = self.world.all().into_iter();
        all.try_for_each(|world| world.logs.flush(&world.store))
    }

    /// As [`super::LocalCloud::suggest`].
    pub fn suggest(&self, suggestions: Suggestions) {
        self.world.console.suggest(suggestions);
    }

    /// As [`super::LocalCloud::watch`].
    pub fn watch(&self) -> broadcast::Receiver<Happening> {
        self.world.happenings.subscribe()
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").finish_non_exhaustive()
    }
}
