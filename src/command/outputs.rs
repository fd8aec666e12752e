//! `outputs`: the URL and the ids, on stdout or into a file of variables.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::output::{outputs, write_env};
use super::session::Session;
use crate::cli::Outputs;
use crate::error::Error;

pub(crate) async fn run(context: &Context, args: &Outputs) -> Result<ExitCode, Error> {
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
    if context.global.json {
        context.say_json(outputs.json());
    } else {
        context.print(&outputs.text());
    }
    Ok(ExitCode::SUCCESS)
}
