//! `init --from-api` and `--from-stack`: a stack file from what runs. The account is only read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::Context;
use super::super::local;
use super::super::session::of_cloud;
use super::{cannot, chosen, enter, place, write_new};
use crate::adopt::{self, Fate, Missing, Note, Secret, System, Which, Written};
use crate::cli::{From, Init};
use crate::cloud::{Cloud, Target};
use crate::error::Error;
use crate::package;
use crate::stack::{Problems, Severity};

/// What is to be written down, and where it is as far as the words say it.
#[derive(Debug, PartialEq)]
pub(super) struct Start {
    which: Which,
    region: Option<String>,
    stage: Option<String>,
}

pub(super) fn start(from: &From) -> Result<Option<Start>, Error> {
    let start = match (&from.from_api, &from.from_stack) {
        (Some(api), _) => Some(of_api(api)?),
        (None, Some(stack)) => Some(Start {
            which: Which::Formation(stack.clone()),
            region: None,
            stage: None,
        }),
        (None, None) if from.stage.is_some() => {
            return Err(
                Error::usage("`--stage` is for what runs, and nothing that runs is named")
                    .hint("name it with `--from-api ID` or `--from-stack NAME`"),
            );
        }
        (None, None) => None,
    };
    Ok(start.map(|start| Start {
        stage: from.stage.clone().or(start.stage),
        ..start
    }))
}

/// An id, or the URL that clients have, which says the Region and the stage, too.
fn of_api(text: &str) -> Result<Start, Error> {
    let unfit = || {
        Error::usage(format!("`{text}` is not an API's id"))
            .hint("`aws apigatewayv2 get-apis` lists them: letters and digits")
    };
    let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    let Some((_, rest)) = text.split_once("://") else {
        return if is_id(text) {
            Ok(Start {
                which: Which::Api(text.to_owned()),
                region: None,
                stage: None,
            })
        } else {
            Err(unfit())
        };
    };
    // What follows `?` may be anybody's token.
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut words = host.split('.');
    match (words.next(), words.next(), words.next()) {
        (Some(id), Some("execute-api"), Some(region)) if is_id(id) => Ok(Start {
            which: Which::Api(id.to_owned()),
            region: Some(region.to_owned()),
            stage: path
                .split('/')
                .next()
                .map(str::to_owned)
                .filter(|s| !s.is_empty()),
        }),
        _ => Err(Error::usage("this URL has no API's id in it")
            .hint("one of AWS looks like `wss://ID.execute-api.REGION.amazonaws.com/STAGE`")),
    }
}

pub(super) async fn run(context: &Context, args: &Init, start: Start) -> Result<ExitCode, Error> {
    let Start {
        which,
        region,
        stage,
    } = start;
    let given = args.name.as_deref().map(chosen).transpose()?;
    let (cloud, _local) = open(context, region).await?;
    let caller = cloud.caller().await.map_err(of_cloud)?;
    let system = adopt::read(&cloud, &caller.place, &which, stage.as_deref()).await;
    let system = system.map_err(missing)?;
    let name = match (given, &which) {
        (Some(name), _) => name,
        (None, Which::Formation(stack)) => stack.clone(),
        (None, Which::Api(_)) => system.name().to_owned(),
    };
    let mut written = adopt::write(&system, &name).map_err(|problems| unwritten(&problems))?;
    let path = place(&args.dir)?;
    fetch(context, &cloud, &args.dir, &mut written).await?;
    write_new(&path, written.text.as_bytes())?;
    tell(context, args, &path, &system, &written);
    Ok(ExitCode::SUCCESS)
}

/// There is no stack file yet to say where; so it is flags, the environment, or the profile.
async fn open(
    context: &Context,
    named: Option<String>,
) -> Result<(Cloud, Option<local::Local>), Error> {
    let global = &context.global;
    let local = if global.local {
        Some(local::reach(Path::new("."), global.region.as_deref()).await?)
    } else {
        None
    };
    let target = match &local {
        Some(local) => Target {
            region: Some(local.region().to_owned()),
            endpoint: Some(local.endpoint()),
            local: true,
            ..Target::default()
        },
        None => Target {
            profile: global.profile.clone(),
            profile_first: global.profile_is_flag,
            region: global.region.clone().or(named),
            endpoint: global.endpoint_url.clone(),
            local: false,
        },
    };
    let cloud = Cloud::open(&target).await.map_err(of_cloud)?;
    Ok((cloud, local))
}

fn missing(missing: Missing) -> Error {
    match missing {
        Missing::Cloud(error) => of_cloud(error),
        Missing::Unfit { message, hint } => Error::failed(message).hint(hint),
    }
}

/// Something that runs breaks a rule of stack files.
fn unwritten(problems: &Problems) -> Error {
    let rules: Vec<String> = problems
        .all
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.message.clone())
        .collect();
    Error::failed(format!(
        "what runs does not fit into a stack file: {}",
        rules.join("; ")
    ))
    .hint("change that first, and try again")
}

/// Puts the code of functions beside the file. Without it the file is still worth having.
async fn fetch(
    context: &Context,
    cloud: &Cloud,
    dir: &Path,
    written: &mut Written,
) -> Result<(), Error> {
    for code in &written.code {
        context.say(&format!("fetching the code of {}", code.function));
        let (bytes, why) = match &code.location {
            None => (None, "nobody says where it is".to_owned()),
            Some(url) => match cloud.download(&code.function, url).await {
                Ok(bytes) => (Some(bytes), String::new()),
                Err(error) => (None, error.message),
            },
        };
        let Some(bytes) = bytes else {
            let text = format!(
                "its code could not be fetched: {why}; put it at {}",
                code.path
            );
            written
                .notes
                .push(Note::of_function(&code.function, Fate::Open, text));
            continue;
        };
        if STANDARD.encode(Sha256::digest(&bytes)) != code.sha256 {
            let text = format!(
                "what was fetched to {} is not the code that runs",
                code.path
            );
            written
                .notes
                .push(Note::of_function(&code.function, Fate::Open, text));
        }
        if bytes.len() as u64 > package::ZIP_LIMIT {
            let text =
                "its code is larger than the 50 MB that fit into a request: a deploy refuses it";
            written
                .notes
                .push(Note::of_function(&code.function, Fate::Open, text));
        }
        keep(&dir.join(PathBuf::from(&code.path)), &bytes)?;
    }
    Ok(())
}

/// A file of the same name is somebody's work, unless it is the same file.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| cannot("make", folder, &e))?;
    }
    match std::fs::read(path) {
        Ok(same) if same == bytes => Ok(()),
        _ => write_new(path, bytes),
    }
}

fn tell(context: &Context, args: &Init, path: &Path, system: &System, written: &Written) {
    if context.global.json {
        let code: Vec<&String> = written.code.iter().map(|code| &code.path).collect();
        context.say_json(json!({
            "type": "init",
            "version": 1,
            "file": path,
            "stack": written.name,
            "api": system.id(),
            "adopt": written.adopt,
            "code": code,
            "environment": written.secrets,
            "notes": written.notes,
        }));
        return;
    }
    context.say(&format!("wrote {}", path.display()));
    for note in &written.notes {
        context.say(&said(note));
    }
    for secret in &written.secrets {
        context.say(&wanted(system, secret));
    }
    let enter = enter(&args.dir);
    let then = if written.adopt.is_empty() {
        "`msgai diff` shows what differs"
    } else {
        "`msgai diff` shows what taking it over changes; `msgai deploy` asks first, and drops no connection and no item"
    };
    context.say(&format!("next: {enter}{then}"));
}

fn said(note: &Note) -> String {
    let fate = match note.fate {
        Fate::Changes => "changes",
        Fate::Stays => "stays",
        Fate::Open => "not known",
    };
    format!("note: {}: {fate}: {}", note.of, note.text)
}

fn wanted(system: &System, secret: &Secret) -> String {
    let Secret {
        variable,
        function,
        name,
    } = secret;
    let ask = match function {
        Some(function) => format!(
            "aws lambda get-function-configuration --function-name {function} --query Environment.Variables.{name}"
        ),
        None => format!(
            "aws apigatewayv2 get-stage --api-id {} --stage-name {} --query StageVariables.{name}",
            system.id(),
            system.stage()
        ),
    };
    format!("needs: {variable} in the environment, which is not in the file: `{ask}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> Option<(Which, Option<String>, Option<String>)> {
        let start = of_api(text).ok()?;
        Some((start.which, start.region, start.stage))
    }

    #[test]
    fn an_id_stands_alone_or_in_a_url() {
        let id = || Which::Api("k3v9x1".to_owned());
        assert_eq!(api("k3v9x1"), Some((id(), None, None)));
        let url = "wss://k3v9x1.execute-api.eu-west-1.amazonaws.com";
        let region = || Some("eu-west-1".to_owned());
        assert_eq!(api(url), Some((id(), region(), None)));
        let stage = Some("production".to_owned());
        assert_eq!(
            api(&format!("{url}/production?token=x")),
            Some((id(), region(), stage))
        );
        for none in [
            "",
            "not an id",
            "wss://chat.example.com/production",
            "api/k3v9x1",
        ] {
            assert_eq!(api(none), None, "{none}");
        }
    }

    #[test]
    fn a_token_in_a_url_is_not_repeated() {
        let error = of_api("wss://chat.example.com/?token=secret")
            .err()
            .unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
