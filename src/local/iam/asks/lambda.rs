//! Lambda: the function that the path names, with its version or alias where the request has one.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{Ask, Asked, ask_of_tags};
use crate::local::World;

const SERVICE: &str = "lambda.amazonaws.com";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    function_name: String,
    role: String,
    tags: BTreeMap<String, String>,
}

pub(super) fn asks(world: &World, asked: &Asked<'_>) -> Vec<Ask> {
    let operation = match asked.operation {
        "Invoke" => "InvokeFunction",
        other => other,
    };
    let action = format!("lambda:{operation}");
    let input = match asked.operation {
        "CreateFunction" | "UpdateFunctionConfiguration" | "TagResource" => {
            serde_json::from_slice(asked.body).unwrap_or_default()
        }
        _ => Input::default(),
    };
    let path = asked.uri.path();
    let mut segments = path.split('/').skip(2).filter(|s| !s.is_empty());
    let (kind, named) = (segments.next(), segments.next());
    let named = named.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
    let arn = match (kind, named) {
        (Some("functions"), Some(name)) => function(world, &name, qualifier(asked)),
        (Some("functions"), None) if asked.operation == "CreateFunction" => {
            function(world, &input.function_name, None)
        }
        (Some("tags"), Some(arn)) => arn,
        _ => "*".to_owned(),
    };
    let tags = ask_of_tags(&input.tags);
    let mut asks = vec![tags(Ask::new(action, &arn))];
    if asked.operation == "CreateFunction" && !input.tags.is_empty() {
        asks.push(tags(Ask::new("lambda:TagResource", &arn)));
    }
    if !input.role.is_empty() {
        let pass = Ask::pass_role(&input.role, SERVICE);
        asks.push(pass.with("iam:AssociatedResourceArn", vec![arn]));
    }
    asks
}

fn qualifier(asked: &Asked<'_>) -> Option<String> {
    let query = asked.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == "Qualifier");
    found.map(|(_, value)| value.into_owned())
}

/// A function by its name, a part of its ARN or all of it, each with a qualifier or without.
fn function(world: &World, named: &str, qualifier: Option<String>) -> String {
    let tail = named
        .rsplit_once(":function:")
        .map_or(named, |(_, tail)| tail);
    let arn = format!("arn:aws:lambda:{}:function:{tail}", world.place());
    match qualifier {
        Some(qualifier) if !tail.contains(':') => format!("{arn}:{qualifier}"),
        _ => arn,
    }
}
