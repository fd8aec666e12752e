//! Log streams and their events: written, read in order, searched.

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::{
    Event, Stream, Streams, after, arn, drop_oldest, invalid, limit, no_group, no_stream, required,
    text, token,
};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply, unsaved};
use crate::local::{World, locked};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// `None` when there is no such operation.
pub(super) fn answer(
    world: &World,
    operation: &str,
    body: &Object,
) -> Result<Option<Reply>, Refusal> {
    let group = match text(body, "logGroupName").or_else(|| text(body, "logGroupIdentifier")) {
        // An identifier may be the ARN.
        Some(group) => group.rsplit(":log-group:").next().unwrap_or_default(),
        None => "",
    };
    let known = || {
        if locked(&world.logs.groups).contains_key(group) {
            Ok(())
        } else {
            Err(no_group())
        }
    };
    let reply = match operation {
        "CreateLogStream" => {
            known()?;
            create_stream(world, group, required(body, "logStreamName")?)?
        }
        "DeleteLogStream" => {
            known()?;
            let name = required(body, "logStreamName")?;
            let mut streams = locked(&world.logs.streams);
            let removed = streams
                .get_mut(group)
                .and_then(|streams| streams.remove(name));
            removed.ok_or_else(no_stream)?;
            drop(streams);
            world.logs.touch();
            Value::Null
        }
        "DescribeLogStreams" => {
            known()?;
            describe_streams(world, group, body)?
        }
        "PutLogEvents" => {
            known()?;
            put(world, group, body)?
        }
        "GetLogEvents" => {
            known()?;
            get(world, group, body)?
        }
        "FilterLogEvents" => {
            known()?;
            filter(world, group, body)?
        }
        _ => return Ok(None),
    };
    // What functions print may be late; what a client was told is written is on disk.
    if matches!(
        operation,
        "CreateLogStream" | "DeleteLogStream" | "PutLogEvents"
    ) {
        world.logs.flush(&world.store).map_err(|e| unsaved(&e))?;
    }
    Ok(Some(if reply.is_null() {
        Reply::empty(200)
    } else {
        Reply::ok(reply)
    }))
}

fn create_stream(world: &World, group: &str, name: &str) -> Result<Value, Refusal> {
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*"
        )));
    }
    let mut streams = locked(&world.logs.streams);
    let streams = streams.entry(group.to_owned()).or_default();
    if streams.contains_key(name) {
        return Err(Refusal::new(
            400,
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        ));
    }
    streams.insert(name.to_owned(), Stream::new(world.clock.millis()));
    drop_oldest(streams);
    world.logs.touch();
    Ok(Value::Null)
}

fn describe_streams(world: &World, group: &str, body: &Object) -> Result<Value, Refusal> {
    let prefix = text(body, "logStreamNamePrefix").unwrap_or_default();
    let by_time = text(body, "orderBy") == Some("LastEventTime");
    if by_time && !prefix.is_empty() {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let (size, skip) = (limit(body, 50)?, offset(body)?);
    let all = locked(&world.logs.streams);
    let mut found: Vec<(&String, &Stream)> = all
        .get(group)
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    if by_time {
        found.sort_by_key(|(_, stream)| stream.events.back().map(|event| event.at));
    }
    if body.get("descending") == Some(&Value::Bool(true)) {
        found.reverse();
    }
    let more = found.len() > skip + size;
    let page: Vec<Value> = found
        .into_iter()
        .skip(skip)
        .take(size)
        .map(|(name, stream)| about(world, group, name, stream))
        .collect();
    let mut reply = json!({ "logStreams": page });
    if more {
        reply["nextToken"] = token(&(skip + size).to_string());
    }
    Ok(reply)
}

fn about(world: &World, group: &str, name: &str, stream: &Stream) -> Value {
    let mut about = json!({
        "logStreamName": name,
        "creationTime": stream.created,
        "arn": format!("{}:log-stream:{name}", arn(world, group)),
        "storedBytes": 0,
        "uploadSequenceToken": stream.count.to_string(),
    });
    if let (Some(first), Some(last)) = (stream.events.front(), stream.events.back()) {
        about["firstEventTimestamp"] = first.at.into();
        about["lastEventTimestamp"] = last.at.into();
        about["lastIngestionTime"] = stream.ingested.into();
    }
    about
}

fn put(world: &World, group: &str, body: &Object) -> Result<Value, Refusal> {
    let name = required(body, "logStreamName")?;
    let now = world.clock.millis();
    let mut events = Vec::new();
    for event in body
        .get("logEvents")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let (Some(at), Some(line)) = (event["timestamp"].as_u64(), event["message"].as_str())
        else {
            return Err(invalid("Each log event needs a timestamp and a message."));
        };
        events.push((at, line.to_owned()));
    }
    if events.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    if !events.is_sorted_by_key(|(at, _)| *at) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let mut streams = locked(&world.logs.streams);
    let stream = streams
        .get_mut(group)
        .and_then(|streams| streams.get_mut(name))
        .ok_or_else(no_stream)?;
    let (old, new) = (now.saturating_sub(14 * DAY), now + DAY / 12);
    let too_old = events.iter().take_while(|(at, _)| *at < old).count();
    let first_new = events.iter().position(|(at, _)| *at > new);
    for (at, line) in events
        .into_iter()
        .filter(|(at, _)| (old..=new).contains(at))
    {
        stream.push(at, now, &line);
        world.count_line(group, &line);
    }
    world.logs.touch();
    let mut reply = json!({ "nextSequenceToken": stream.count.to_string() });
    let mut rejected = Object::new();
    if too_old > 0 {
        rejected.insert("tooOldLogEventEndIndex".to_owned(), too_old.into());
    }
    if let Some(first) = first_new {
        rejected.insert("tooNewLogEventStartIndex".to_owned(), first.into());
    }
    if !rejected.is_empty() {
        reply["rejectedLogEventsInfo"] = rejected.into();
    }
    Ok(reply)
}

/// From and to when, in milliseconds: the start counts, the end does not.
fn within(body: &Object, event: &Event) -> bool {
    let time = |member: &str| body.get(member).and_then(Value::as_u64);
    time("startTime").is_none_or(|start| event.at >= start)
        && time("endTime").is_none_or(|end| event.at < end)
}

/// A stream's events around a place; both tokens always come back, as AWS's do.
fn get(world: &World, group: &str, body: &Object) -> Result<Value, Refusal> {
    let name = required(body, "logStreamName")?;
    let size = limit(body, 10_000)?;
    let streams = locked(&world.logs.streams);
    let stream = streams
        .get(group)
        .and_then(|streams| streams.get(name))
        .ok_or_else(no_stream)?;
    let found: Vec<&Event> = stream.events.iter().filter(|e| within(body, e)).collect();
    let (start, end) = match text(body, "nextToken") {
        None if body.get("startFromHead") == Some(&Value::Bool(true)) => (0, size.min(found.len())),
        None => (found.len().saturating_sub(size), found.len()),
        Some(token) => around(&found, token, size)?,
    };
    let page = &found[start..end];
    let next = page.last().map_or_else(
        || {
            text(body, "nextToken")
                .and_then(|t| t.get(2..))
                .map_or("0".to_owned(), str::to_owned)
        },
        |last| (last.place + 1).to_string(),
    );
    let before = page
        .first()
        .map_or_else(|| next.clone(), |first| first.place.to_string());
    Ok(json!({
        "events": page.iter().map(|e| json!({
            "timestamp": e.at, "message": e.line, "ingestionTime": e.ingested
        })).collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{next}"),
        "nextBackwardToken": format!("b/{before}"),
    }))
}

/// Where a page lies that a token asks for: `f/` the events from a place on, `b/` those before it.
fn around(found: &[&Event], token: &str, size: usize) -> Result<(usize, usize), Refusal> {
    let refused = || invalid("The specified nextToken is invalid.");
    let (way, place) = token.split_once('/').ok_or_else(refused)?;
    let place: u64 = place.parse().map_err(|_| refused())?;
    let at = found.partition_point(|event| event.place < place);
    match way {
        "f" => Ok((at, (at + size).min(found.len()))),
        "b" => Ok((at.saturating_sub(size), at)),
        _ => Err(refused()),
    }
}

/// All streams' events that the pattern matches, oldest first.
fn filter(world: &World, group: &str, body: &Object) -> Result<Value, Refusal> {
    let pattern = Pattern::parse(text(body, "filterPattern").unwrap_or_default())?;
    let (size, skip) = (limit(body, 10_000)?, offset(body)?);
    let all = locked(&world.logs.streams);
    let mut found = matching(&all, group, body, &pattern);
    found.sort_by_key(|(name, event)| (event.at, *name, event.place));
    let more = found.len() > skip + size;
    let events: Vec<Value> = found
        .into_iter()
        .skip(skip)
        .take(size)
        .map(|(name, event)| {
            json!({
                "logStreamName": name,
                "timestamp": event.at,
                "message": event.line,
                "ingestionTime": event.ingested,
                "eventId": format!("{:020}{:036}", event.at, event.place),
            })
        })
        .collect();
    let mut reply = json!({ "events": events, "searchedLogStreams": [] });
    if more {
        reply["nextToken"] = token(&(skip + size).to_string());
    }
    Ok(reply)
}

fn matching<'a>(
    all: &'a Streams,
    group: &str,
    body: &Object,
    pattern: &Pattern,
) -> Vec<(&'a String, &'a Event)> {
    let prefix = text(body, "logStreamNamePrefix").unwrap_or_default();
    let named = body.get("logStreamNames").and_then(Value::as_array);
    all.get(group)
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with(prefix))
        .filter(|(name, _)| named.is_none_or(|named| named.iter().any(|n| n == name.as_str())))
        .flat_map(|(name, stream)| stream.events.iter().map(move |event| (name, event)))
        .filter(|(_, event)| within(body, event))
        .filter(|(_, event)| pattern.matches(&event.line))
        .collect()
}

/// How many items the pages before held.
fn offset(body: &Object) -> Result<usize, Refusal> {
    match after(body)? {
        None => Ok(0),
        Some(offset) => offset
            .parse()
            .map_err(|_| invalid("The specified nextToken is invalid.")),
    }
}
