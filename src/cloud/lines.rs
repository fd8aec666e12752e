//! What functions and the stage wrote, as `CloudWatch` Logs keeps it.

use super::{Cloud, CloudError, Fault};

/// One line in one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// Milliseconds since the epoch, by the clock of who wrote it.
    pub(crate) at: i64,
    pub(crate) group: String,
    pub(crate) stream: String,
    /// The service's own id of it: the same line twice has the same.
    pub(crate) id: String,
    pub(crate) text: String,
}

impl Cloud {
    /// The lines of a group since a moment, the oldest first; of `pattern`, those that match it. A group that is not there
    /// has none.
    pub(crate) async fn lines(
        &self,
        group: &str,
        since: i64,
        pattern: Option<&str>,
    ) -> Result<Vec<Line>, CloudError> {
        let mut lines = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .call("FilterLogEvents", group, || {
                    self.logs()
                        .filter_log_events()
                        .log_group_name(group)
                        .start_time(since)
                        .set_filter_pattern(pattern.map(str::to_owned))
                        .set_next_token(token.clone())
                        .send()
                })
                .await;
            let page = match page {
                Err(error) if error.fault == Fault::NotFound => return Ok(lines),
                page => page?,
            };
            lines.extend(page.events().iter().map(|event| Line {
                at: event.timestamp().unwrap_or_default(),
                group: group.to_owned(),
                stream: event.log_stream_name().unwrap_or_default().to_owned(),
                id: event.event_id().unwrap_or_default().to_owned(),
                text: event.message().unwrap_or_default().trim_end().to_owned(),
            }));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                lines.sort();
                return Ok(lines);
            }
        }
    }
}
