//! What a `CloudFormation` stack made: its WebSocket API and its tables.

use super::super::system::{Formation, Note};
use super::{Missing, gateway, unfit};
use crate::cloud::{Cloud, Fault, Part};
use crate::names::Place;

const API: &str = "AWS::ApiGatewayV2::Api";
const NESTED: &str = "AWS::CloudFormation::Stack";
const TABLE: &str = "AWS::DynamoDB::Table";

/// The API of a stack, and what else of the stack concerns the file.
pub(super) async fn read(
    cloud: &Cloud,
    place: &Place,
    name: &str,
) -> Result<(String, Option<Formation>, Vec<Note>), Missing> {
    let parts = match cloud.formation(name).await {
        Err(error) if matches!(error.fault, Fault::NotFound | Fault::Invalid) => {
            return unfit(
                format!(
                    "there is no CloudFormation stack `{name}` in {}: {}",
                    place.region, error.message
                ),
                "`aws cloudformation list-stacks` lists them; `--region` names another Region",
            );
        }
        parts => parts?,
    };
    let mut sockets = Vec::new();
    for id in of(&parts, API) {
        if gateway::is_websocket(cloud, &id).await? {
            sockets.push(id);
        }
    }
    let nested = nested(&parts);
    let api = only(name, &sockets, &nested)?;
    let notes = if nested.is_empty() {
        Vec::new()
    } else {
        let text = format!(
            "its nested stacks are not looked into: {}",
            nested.join(", ")
        );
        vec![Note::open(format!("formation/{name}"), text)]
    };
    let formation = Formation {
        name: name.to_owned(),
        tables: of(&parts, TABLE).into_iter().collect(),
    };
    Ok((api, Some(formation), notes))
}

fn of(parts: &[Part], kind: &str) -> Vec<String> {
    let mine = parts.iter().filter(|part| part.kind == kind);
    mine.map(|part| part.physical.clone()).collect()
}

/// The names in `arn:…:stack/NAME/UUID`.
fn nested(parts: &[Part]) -> Vec<String> {
    let name = |arn: String| arn.split('/').nth(1).unwrap_or(&arn).to_owned();
    of(parts, NESTED).into_iter().map(name).collect()
}

/// A stack file has one API.
fn only(stack: &str, apis: &[String], nested: &[String]) -> Result<String, Missing> {
    match apis {
        [only] => Ok(only.clone()),
        [] if !nested.is_empty() => unfit(
            format!(
                "the CloudFormation stack `{stack}` itself has no WebSocket API, only nested stacks: {}",
                nested.join(", ")
            ),
            format!(
                "name the one that has it: `msgai init --from-stack {}`",
                nested[0]
            ),
        ),
        [] => unfit(
            format!("the CloudFormation stack `{stack}` has no WebSocket API"),
            "name the API itself: `msgai init --from-api ID`",
        ),
        several => unfit(
            format!(
                "the CloudFormation stack `{stack}` has {} WebSocket APIs: {}",
                several.len(),
                several.join(", ")
            ),
            format!(
                "one stack file has one: `msgai init --from-api {}`",
                several[0]
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: &str, physical: &str) -> Part {
        Part {
            kind: kind.to_owned(),
            physical: physical.to_owned(),
        }
    }

    fn said(apis: &[&str], parts: &[Part]) -> String {
        let apis: Vec<String> = apis.iter().map(|&api| api.to_owned()).collect();
        match only("chat", &apis, &nested(parts)) {
            Ok(api) => api,
            Err(Missing::Unfit { message, hint }) => format!("{message} / {hint}"),
            Err(Missing::Cloud(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn one_api_is_taken_and_no_choice_is_made() {
        assert_eq!(said(&["a1"], &[]), "a1");
        assert_eq!(
            said(&["a1", "b2"], &[]),
            "the CloudFormation stack `chat` has 2 WebSocket APIs: a1, b2 / one stack file has one: `msgai init --from-api a1`"
        );
        assert_eq!(
            said(&[], &[]),
            "the CloudFormation stack `chat` has no WebSocket API / name the API itself: `msgai init --from-api ID`"
        );
        let arn = "arn:aws:cloudformation:us-east-1:1:stack/chat-Api-1X/0b1c";
        assert_eq!(
            said(&[], &[part(NESTED, arn), part(TABLE, "t")]),
            "the CloudFormation stack `chat` itself has no WebSocket API, only nested stacks: chat-Api-1X / name the one \
             that has it: `msgai init --from-stack chat-Api-1X`"
        );
    }
}
