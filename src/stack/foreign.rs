//! Files of other tools that are given as a stack file.
//!
//! In: a file's text, which may be no YAML at all. Out: whose file it is, and what to do with it.
//! Never: a look further than at the keys of the whole file.

use super::problem::Found;
use super::tree::Mark;

/// A tool's file, known by keys of which any is enough, or by several that stand together.
struct Tool {
    marks: &'static [&'static [&'static str]],
    what: &'static str,
    hint: &'static str,
}

const FROM_STACK: &str = "`msgai init --from-stack NAME` writes a stack file from what it deployed";
const INIT: &str = "`msgai init` writes a stack file, `-f` names another";

const TOOLS: &[Tool] = &[
    Tool {
        marks: &[&["Transform"]],
        what: "a SAM template",
        hint: FROM_STACK,
    },
    Tool {
        marks: &[&["AWSTemplateFormatVersion"], &["Resources"]],
        what: "a CloudFormation template",
        hint: FROM_STACK,
    },
    Tool {
        marks: &[&["service", "provider"], &["frameworkVersion"]],
        what: "a file of the Serverless Framework",
        hint: "it deploys a CloudFormation stack: `msgai init --from-stack SERVICE-STAGE` writes a stack file from that",
    },
    Tool {
        marks: &[
            &["dependencies"],
            &["devDependencies"],
            &["name", "scripts"],
        ],
        what: "a package.json",
        hint: INIT,
    },
    Tool {
        marks: &[&["openapi"], &["swagger"], &["asyncapi"]],
        what: "a definition of an API",
        hint: INIT,
    },
    Tool {
        marks: &[&["services"]],
        what: "a file of Docker Compose",
        hint: INIT,
    },
    Tool {
        marks: &[&["apiVersion", "kind"]],
        what: "a Kubernetes manifest",
        hint: INIT,
    },
    Tool {
        marks: &[&["jobs"]],
        what: "a pipeline's file",
        hint: INIT,
    },
];

/// Says whose file it is, when it is another tool's.
pub(super) fn foreign(text: &str) -> Option<Found> {
    let keys = keys(text);
    // What has our one required section is ours, whatever else is in it.
    if keys.iter().any(|(key, _)| *key == "api") {
        return None;
    }
    let place = |wanted: &&str| keys.iter().find(|(key, _)| key == wanted);
    TOOLS.iter().find_map(|tool| {
        let mut marks = tool.marks.iter();
        let together = marks.find(|marks| marks.iter().all(|mark| place(mark).is_some()))?;
        let (_, at) = place(together.first()?)?;
        let message = format!("this is {}, not a stack file", tool.what);
        Some(Found::error(Some(at.clone()), message).maybe(Some(tool.hint.to_owned())))
    })
}

/// The keys of the whole file and their places, as far as lines tell; JSON indents them all alike.
fn keys(text: &str) -> Vec<(&str, Mark)> {
    let body = text.trim_start_matches('\u{feff}');
    let json = body.trim_start().starts_with('{');
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut column = (!json).then_some(0);
    let mut start = text.len() - body.len();
    let mut found = Vec::new();
    for line in body.split_inclusive('\n') {
        let at = start + indent(line);
        start += line.len();
        let Some((key, _)) = line.trim_start().split_once(':') else {
            continue;
        };
        if *column.get_or_insert(indent(line)) != indent(line) {
            continue;
        }
        let bare = key.trim_matches(['"', '\'']);
        if !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric()) {
            found.push((bare, at..at + key.len()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<String> {
        foreign(text).map(|found| found.message)
    }

    #[test]
    fn a_file_is_known_by_its_keys() {
        assert_eq!(
            what("Resources: {}\n").as_deref(),
            Some("this is a CloudFormation template, not a stack file")
        );
        assert_eq!(
            what("{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"api\": \"1\"\n  }\n}\n")
                .as_deref(),
            Some("this is a package.json, not a stack file")
        );
    }

    #[test]
    fn what_has_an_api_or_nothing_known_is_not_another_tools() {
        assert_eq!(what("name: chat\napi: {}\nResources: {}\n"), None);
        assert_eq!(what("name: chat\nservice: x\n"), None);
        assert_eq!(what("tables:\n  jobs: { key: id }\n"), None);
        assert_eq!(what(""), None);
    }
}
