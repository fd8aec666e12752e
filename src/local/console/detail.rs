//! What only the console shows, beside what [`Happening`](crate::local::Happening) tells everybody.

use serde::Serialize;

/// How much of a body is shown.
const CLIP: usize = 8 * 1024;

/// One thing to be shown. It is put together only while a page is open.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Detail<'a> {
    /// The gateway calls a function for an event of a connection.
    Begun {
        connection_id: &'a str,
        route_key: &'a str,
        function: &'a str,
        request_id: &'a str,
        /// The gateway's own request id, which the client's frame has, too.
        gateway_id: Option<&'a str>,
        event: Text,
    },
    /// What the function returned, or why it returned nothing.
    Ended {
        request_id: &'a str,
        answer: Option<Text>,
        error: Option<String>,
    },
    /// A message from or to a client.
    Frame {
        connection_id: &'a str,
        from: From,
        /// The call that sent it; of a client's, the gateway's own request id.
        request_id: Option<&'a str>,
        /// What @connections answered, when that was a refusal.
        status: Option<u16>,
        body: Text,
    },
    /// A call of @connections for a connection that is not there.
    Missed {
        connection_id: &'a str,
        method: &'a str,
        request_id: Option<String>,
        status: u16,
    },
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    Client,
    /// The gateway itself, such as `Forbidden`.
    Gateway,
    /// What a function returned, by a route response.
    Reply,
    /// @connections.
    Post,
}

/// A text, or its beginning.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Text {
    text: String,
    /// How long the whole is.
    bytes: usize,
}

impl Text {
    pub(crate) fn of(whole: &str) -> Self {
        Self {
            text: whole[..whole.floor_char_boundary(CLIP)].to_owned(),
            bytes: whole.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_clipped_between_two_letters() {
        assert_eq!(Text::of("short").text, "short");
        let long = "é".repeat(CLIP);
        let text = Text::of(&format!("x{long}"));
        assert_eq!((text.text.len(), text.bytes), (CLIP - 1, 2 * CLIP + 1));
    }
}
