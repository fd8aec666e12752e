//! News for people: what became of their messages, told to every connection that they have.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use crate::broadcast::{self, Sockets};
use crate::call::Call;
use crate::connections::{Audience, Connections};
use crate::log::Record;
use crate::send::Chat;

/// People that are told something at once.
const PEOPLE_AT_ONCE: usize = 8;

/// Frames for people, in order.
#[derive(Debug, Default)]
pub(crate) struct News(BTreeMap<String, Vec<Vec<u8>>>);

impl News {
    pub(crate) fn add(&mut self, user_id: String, frame: Vec<u8>) {
        self.0.entry(user_id).or_default().push(frame);
    }
}

impl<C: Connections, M: Sync, S: Sockets> Chat<'_, C, M, S> {
    /// Whoever is not there does not hear it; a message's status can be asked for by sending it again.
    pub(crate) async fn spread(&self, news: News, call: &Call, record: &mut Record) {
        let each = news.0.into_iter().map(|(user, frames)| async move {
            let audience = [Audience::User(user)];
            if !self.connections.can_find(&audience[0]) {
                return Vec::new();
            }
            let mut tallies = Vec::new();
            for frame in &frames {
                let told =
                    broadcast::broadcast(self.connections, self.sockets, &audience, frame, call);
                tallies.push(told.await);
            }
            tallies
        });
        let each: Vec<_> = each.collect();
        let mut all = stream::iter(each).buffer_unordered(PEOPLE_AT_ONCE);
        while let Some(tallies) = all.next().await {
            for tally in tallies {
                record.posted(&tally);
            }
        }
    }
}
