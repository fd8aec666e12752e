//! One object of many, and lists in pages.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{bad, unknown};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};

/// AWS documents neither default nor cap of its pages; a small one makes every client loop.
const PAGE: usize = 25;

pub(super) fn one(of: &BTreeMap<String, Object>, kind: &str, id: &str) -> Result<Reply, Refusal> {
    of.get(id)
        .map(|found| Reply::ok(found.clone()))
        .ok_or_else(|| unknown(kind, id))
}

/// One page of a list; the token names the last item given, so that a change in between loses none.
pub(super) fn page<'a>(
    items: impl IntoIterator<Item = (&'a String, &'a Object)>,
    query: &[(String, String)],
) -> Result<Reply, Refusal> {
    let parameter = |name: &str| {
        query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let size = match parameter("maxResults") {
        None | Some("") => PAGE,
        Some(given) => given
            .parse()
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| bad(format!("Invalid value for maxResults: {given}")))?,
    };
    let after = match parameter("nextToken") {
        None | Some("") => None,
        Some(token) => Some(
            URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| bad("Invalid next token"))?,
        ),
    };
    let mut rest = items
        .into_iter()
        .filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after))
        .peekable();
    let mut page = Vec::new();
    let mut last = None;
    for (id, item) in rest.by_ref().take(size) {
        page.push(Value::from(item.clone()));
        last = Some(id);
    }
    let mut body = json!({ "items": page });
    if let (Some(last), Some(_)) = (last, rest.peek()) {
        body["nextToken"] = URL_SAFE_NO_PAD.encode(last).into();
    }
    Ok(Reply::ok(body))
}
