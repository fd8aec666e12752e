//! `outputs`: the URL and the ids, on stdout or into a file of variables.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::links::Links;
use super::output::{Outputs, outputs, write_env};
use super::session::Session;
use crate::cli::Outputs as Args;
use crate::error::Error;
use crate::stack::choice;

pub(crate) async fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let facts = session.observe().await?.facts();
    let outputs = outputs(&session, &facts).ok_or_else(|| {
        Error::failed(format!(
            "stack {} is not deployed here",
            session.loaded.stack.id()
        ))
        .hint("make it with `msgai deploy`, or look with `msgai status`")
    })?;
    if let Some(file) = &args.env_file {
        let variables = outputs.variables(&session, file);
        let changed = write_env(file, &variables)?;
        if context.global.json {
            context.say_json(json!({
                "type": "env-file",
                "version": 1,
                "file": file,
                "changed": changed,
                "variables": variables.keys().collect::<Vec<_>>(),
            }));
        } else {
            let what = if changed { "wrote" } else { "unchanged:" };
            context.say(&format!("{what} {}", file.display()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &args.name {
        return one(context, &session, &outputs, name);
    }
    if context.global.json {
        context.say_json(outputs.json());
        return Ok(ExitCode::SUCCESS);
    }
    let values = outputs.values(&session);
    let links = Links::of(context, &session, &facts);
    let column = values.keys().map(String::len).max().unwrap_or(0);
    for (name, (value, id)) in &values {
        let value = match id {
            Some(id) => links.object(id, Some(value), value),
            None => links.chat(value),
        };
        let name = context.look.faint(&format!("{name:<column$}"));
        context.print(&format!("{name}  {value}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// One value and nothing else, for a script.
fn one(
    context: &Context,
    session: &Session,
    outputs: &Outputs,
    name: &str,
) -> Result<ExitCode, Error> {
    let values = outputs.values(session);
    let Some((value, _)) = values.get(name) else {
        let known = values.keys().map(String::as_str);
        return Err(
            Error::usage(format!("there is no output `{name}`")).hints(choice(
                name,
                known,
                "there are",
            )),
        );
    };
    if context.global.json {
        context.say_json(json!({ "type": "output", "version": 1, "name": name, "value": value }));
    } else {
        context.print(&format!("{value}\n"));
    }
    Ok(ExitCode::SUCCESS)
}
