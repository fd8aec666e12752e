//! `presence`: notes that somebody is here, and tells who else is.
//!
//! Online means: a live row that was heard of within so many seconds. `$disconnect` is best effort, so a row alone
//! proves nothing; a client that has gone without a word counts as online until that time has passed.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout_at;

use crate::broadcast::{self, Sockets};
use crate::connections::{Audience, Connections, Row};
use crate::messages::{FRAME_BYTES, To, ids};
use crate::reply::{Code, Refusal, frame};
use crate::room::{Room, STORE_BY, findable, storage};

/// What API Gateway gives an idle connection: who is heard of at least this often is never cut off for it.
pub const WITHIN_SECONDS: u64 = 600;

/// Each user that is asked about costs a query.
const MOST_ASKED: usize = 100;

/// The most members of a group that one answer tells of.
const MOST_TOLD: usize = 1000;

/// What the answer says beside its users, at most: above all the group's id, each character escaped.
const ENVELOPE_BYTES: usize = 8 * 1024;

/// One user, as far as the indexes know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_id: String,
    online: bool,
    /// Milliseconds since the Unix epoch; absent for whom no row is known.
    seen_at: Option<u64>,
}

/// Handles one `{"action":"presence", …}`.
pub async fn handle<C: Connections, S: Sockets>(
    room: &mut Room<'_, C, S>,
    within_seconds: u64,
) -> Result<&'static str, Refusal> {
    let asked = asked(room.said()?)?;
    let here = room.seen().await?;
    let Some(asked) = asked else {
        return Ok("seen");
    };
    asked.permit(&here)?;
    // Whoever asks may be asked about.
    let audiences = asked.audiences("");
    findable(room.connections, &audiences)?;
    let users = look_up(room, &audiences, within_seconds).await?;
    let (users, more) = cut(users);
    let mut data = json!({"within": within_seconds, "users": users});
    if let To::Group(id) = &asked {
        data["groupId"] = id.clone().into();
    }
    if more {
        data["more"] = true.into();
    }
    room.reply(&frame("presence", &data)).await;
    Ok("answered")
}

/// Whom the client asks about: nobody, some users, or a group.
fn asked(mut said: Map<String, Value>) -> Result<Option<To>, Refusal> {
    let users = ids(&mut said, "userIds", MOST_ASKED)?;
    let group = said.get("groupId").is_some_and(|id| !id.is_null());
    match (group, users.is_empty()) {
        (false, true) => Ok(None),
        (false, false) => Ok(Some(To::Users(users))),
        (true, true) => To::group(&mut said),
        (true, false) => Err(Refusal::invalid(
            "the message has `groupId` and `userIds`; send one of them",
        )),
    }
}

/// Every user of the audiences; users that were asked about by name are there even if no row is.
async fn look_up<C: Connections, S: Sockets>(
    room: &mut Room<'_, C, S>,
    audiences: &[Audience],
    within_seconds: u64,
) -> Result<BTreeMap<String, Member>, Refusal> {
    let call = room.call;
    let since = call.now.saturating_sub(within_seconds * 1000);
    let mut users: BTreeMap<_, _> = audiences.iter().filter_map(by_name).collect();
    let mut rows = Box::pin(broadcast::rows(
        room.connections,
        audiences,
        call.now_seconds(),
    ));
    loop {
        match timeout_at(call.by(STORE_BY), rows.next()).await {
            Ok(Some(Ok((row, audience)))) => {
                let (id, seen_at) = owner(row, audience)?;
                if users.len() > MOST_TOLD {
                    return Ok(users);
                }
                note(&mut users, id, seen_at, since);
            }
            Ok(None) => return Ok(users),
            Ok(Some(Err(fault))) => room.record.blame(Some(fault.to_string())),
            Err(_) => room
                .record
                .blame(Some("the indexes did not answer in time".to_owned())),
        }
        if room.record.error.is_some() {
            return Err(storage());
        }
    }
}

fn by_name(audience: &Audience) -> Option<(String, Member)> {
    let Audience::User(id) = audience else {
        return None;
    };
    let nobody = Member {
        user_id: id.clone(),
        ..Member::default()
    };
    Some((id.clone(), nobody))
}

/// Whose row it is and when it was heard of. An index that repeats neither cannot tell who is here.
fn owner(row: Row, audience: &Audience) -> Result<(String, u64), Refusal> {
    let id = match audience {
        Audience::User(id) => Some(id.clone()),
        Audience::Group(_) => row.user_id,
    };
    id.zip(row.seen_at).ok_or_else(|| {
        let message = format!(
            "the index by {} does not repeat `userId`, `connectedAt` and `seenAt`; \
             let it repeat all attributes",
            audience.attribute()
        );
        Refusal::new(Code::Unsupported, message)
    })
}

fn note(users: &mut BTreeMap<String, Member>, id: String, seen_at: u64, since: u64) {
    let seen = users.entry(id.clone()).or_default();
    seen.user_id = id;
    seen.seen_at = seen.seen_at.max(Some(seen_at));
    seen.online |= seen_at >= since;
}

/// As many users as one frame takes, and whether there are more.
fn cut(users: BTreeMap<String, Member>) -> (Vec<Member>, bool) {
    let all = users.len();
    let mut left = FRAME_BYTES - ENVELOPE_BYTES;
    let fits = |user: &Member| {
        // With the comma.
        let bytes = json!(user).to_string().len() + 1;
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    let told: Vec<Member> = users
        .into_values()
        .take(MOST_TOLD)
        .take_while(fits)
        .collect();
    let more = told.len() < all;
    (told, more)
}

#[cfg(test)]
mod tests;
