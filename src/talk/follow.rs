//! What a client has of its timelines: where nothing is missing before, what to ask for, what was seen already.
//!
//! In: messages and replays as they come. Out: whether each is news, and what to ask. Never: a socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

/// So many messages are known again.
const REMEMBERED: usize = 1000;

/// The server marks so many at once.
const MARKED: usize = 100;

/// A group's timeline, or one's own.
pub(super) type Timeline = Option<String>;

#[derive(Debug, Default)]
pub(super) struct Follow {
    /// The last position before which nothing is missing.
    cursors: BTreeMap<Timeline, u64>,
    /// Whose replay is under way.
    asked: BTreeSet<Timeline>,
    seen: VecDeque<String>,
    unread: VecDeque<String>,
}

/// What to do about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// It was there before.
    pub(super) again: bool,
    /// So many are missing before it: ask for what comes behind this position.
    pub(super) gap: Option<Gap>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) timeline: Timeline,
    pub(super) since: u64,
    pub(super) missing: u64,
}

/// What a replay brought.
#[derive(Debug, PartialEq)]
pub(super) struct Replay {
    pub(super) timeline: Timeline,
    pub(super) news: Vec<Value>,
    pub(super) cursor: u64,
    /// Positions before the first that are there no more.
    pub(super) expired: u64,
    /// There is more: ask with the cursor.
    pub(super) more: bool,
}

impl Follow {
    /// A message that was pushed.
    pub(super) fn message(&mut self, data: &Value, is_own: bool) -> News {
        let again = !self.is_new(data, is_own);
        let Some(position) = data["position"].as_u64() else {
            return News { again, gap: None };
        };
        let timeline = timeline(data);
        let known = self.cursors.get(&timeline).copied();
        let next = known.map_or(position, |cursor| cursor + 1);
        if position == next {
            self.cursors.insert(timeline, position);
            return News { again, gap: None };
        }
        let is_asked = self.asked.contains(&timeline);
        let gap = (position > next && !is_asked).then(|| Gap {
            since: next - 1,
            missing: position - next,
            timeline,
        });
        News { again, gap }
    }

    /// An answer to what was asked.
    pub(super) fn replay(&mut self, data: &Value, user: Option<&str>) -> Replay {
        let timeline = timeline(data);
        let before = self.cursors.get(&timeline).copied();
        let cursor = data["cursor"].as_u64().or(before).unwrap_or_default();
        let messages = data["messages"].as_array().cloned().unwrap_or_default();
        let first = messages
            .first()
            .and_then(|first| first["position"].as_u64());
        let expired = match (before, first) {
            (Some(before), Some(first)) => first.saturating_sub(before + 1),
            _ => 0,
        };
        let is_news =
            |data: &Value| self.is_new(data, user.is_some() && data["senderId"].as_str() == user);
        let news = messages.into_iter().filter(is_news).collect();
        // A server that says "more" and goes nowhere would be asked for ever.
        let more = data["more"] == true && before.is_none_or(|before| cursor > before);
        self.cursors.insert(timeline.clone(), cursor);
        if !more {
            self.asked.remove(&timeline);
        }
        Replay {
            timeline,
            news,
            cursor,
            expired,
            more,
        }
    }

    pub(super) fn ask(&mut self, timeline: Timeline) {
        self.asked.insert(timeline);
    }

    pub(super) fn is_any_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// A new connection, or a refusal: nothing that was asked will be answered.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
    }

    pub(super) fn cursor(&self, timeline: &Timeline) -> Option<u64> {
        self.cursors.get(timeline).copied()
    }

    pub(super) fn has_positions(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// What came and was not marked yet; it counts as marked.
    pub(super) fn unread(&mut self) -> Vec<String> {
        self.unread.drain(..).collect()
    }

    fn is_new(&mut self, data: &Value, is_own: bool) -> bool {
        let Some(id) = data["messageId"].as_str() else {
            return true;
        };
        if self.seen.iter().any(|seen| seen == id) {
            return false;
        }
        remember(&mut self.seen, id, REMEMBERED);
        if !is_own {
            remember(&mut self.unread, id, MARKED);
        }
        true
    }
}

fn remember(ids: &mut VecDeque<String>, id: &str, most: usize) {
    if ids.len() == most {
        ids.pop_front();
    }
    ids.push_back(id.to_owned());
}

fn timeline(data: &Value) -> Timeline {
    data["groupId"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str, position: u64) -> Value {
        json!({"messageId": id, "senderId": "bob", "position": position})
    }

    fn gap(since: u64, missing: u64) -> Gap {
        Gap {
            timeline: None,
            since,
            missing,
        }
    }

    #[test]
    fn a_gap_is_asked_for_once_and_what_was_seen_is_not_shown_again() {
        let mut follow = Follow::default();
        let news =
            |follow: &mut Follow, id, position| follow.message(&message(id, position), false);
        // Where it begins is not known before the first.
        assert_eq!(
            news(&mut follow, "m5", 5),
            News {
                again: false,
                gap: None
            }
        );
        assert_eq!(
            news(&mut follow, "m6", 6),
            News {
                again: false,
                gap: None
            }
        );
        assert_eq!(
            news(&mut follow, "m9", 9),
            News {
                again: false,
                gap: Some(gap(6, 2))
            }
        );
        follow.ask(None);
        assert_eq!(
            news(&mut follow, "m10", 10),
            News {
                again: false,
                gap: None
            }
        );
        assert_eq!(
            news(&mut follow, "m6", 6),
            News {
                again: true,
                gap: None
            }
        );

        let page = |ids: std::ops::RangeInclusive<u64>, more| {
            let messages: Vec<Value> = ids.clone().map(|n| message(&format!("m{n}"), n)).collect();
            json!({"messages": messages, "cursor": ids.end(), "more": more})
        };
        let replay = follow.replay(&page(7..=8, true), None);
        assert_eq!(
            (replay.news.len(), replay.cursor, replay.more),
            (2, 8, true)
        );
        let replay = follow.replay(&page(9..=10, false), None);
        assert_eq!(
            (replay.news.len(), replay.cursor, replay.more),
            (0, 10, false)
        );
        assert_eq!(
            news(&mut follow, "m11", 11),
            News {
                again: false,
                gap: None
            }
        );
        assert_eq!(follow.cursor(&None), Some(11));
        assert_eq!(follow.unread().len(), 7);
        assert!(follow.unread().is_empty());
    }

    #[test]
    fn a_server_that_goes_nowhere_is_not_asked_for_ever() {
        let mut follow = Follow::default();
        follow.message(&message("m5", 5), false);
        let replay = follow.replay(&json!({"messages": [], "cursor": 5, "more": true}), None);
        assert!(!replay.more);
    }

    #[test]
    fn what_has_expired_is_told_and_a_group_is_a_timeline_of_its_own() {
        let mut follow = Follow::default();
        follow.message(&message("m5", 5), false);
        let replay = follow.replay(&json!({"messages": [message("m9", 9)], "cursor": 9}), None);
        assert_eq!(replay.expired, 3);
        let group = json!({"messageId": "g1", "groupId": "w", "position": 70});
        assert_eq!(follow.message(&group, false).gap, None);
        assert_eq!(follow.cursor(&Some("w".to_owned())), Some(70));
    }

    #[test]
    fn without_positions_only_repeats_are_known() {
        let mut follow = Follow::default();
        let message = json!({"messageId": "m1"});
        assert!(!follow.message(&message, true).again);
        assert!(follow.message(&message, true).again);
        assert!(!follow.has_positions() && follow.unread().is_empty());
    }
}
