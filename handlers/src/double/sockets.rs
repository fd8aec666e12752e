//! Sockets in memory.

use std::future::pending;

use super::{Double, give_way, unavailable};
use crate::broadcast::{Posted, Sockets};
use crate::fault::Fault;

impl Sockets for Double {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        let posted = self.try_post(connection_id, frame).await?;
        posted.ok_or_else(|| unavailable("PostToConnection"))
    }

    async fn try_post(&self, connection_id: &str, frame: &[u8]) -> Result<Option<Posted>, Fault> {
        assert!(frame.len() <= 131_072, "API Gateway refuses this frame");
        {
            let mut state = self.state();
            state.posts_in_flight += 1;
            state.most_posts_in_flight = state.most_posts_in_flight.max(state.posts_in_flight);
        }
        give_way().await;
        let is_hanging = {
            let mut state = self.state();
            state.posts_in_flight -= 1;
            let socket = state.sockets.get(connection_id);
            socket.is_some_and(|socket| socket.is_hanging)
        };
        if is_hanging {
            return pending().await;
        }
        self.call("PostToConnection", |state| {
            let Some(socket) = state.sockets.get_mut(connection_id) else {
                return Ok(Some(Posted::Gone));
            };
            if socket.busy > 0 {
                socket.busy -= 1;
                return Ok(None);
            }
            if socket.is_failing {
                return Err(unavailable("PostToConnection"));
            }
            if socket.is_closed {
                socket.posts_after_close += 1;
                return Ok(Some(Posted::Gone));
            }
            socket.frames.push(serde_json::from_slice(frame).unwrap());
            state.order.push(connection_id.to_owned());
            Ok(Some(Posted::Taken))
        })
        .await
    }
}
