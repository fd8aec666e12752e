//! `validate`: every problem of the stack file; with `--online`, also what only AWS can say.

use std::process::ExitCode;

use serde_json::json;

use super::session::{self, Session};
use super::{Context, diff};
use crate::cli::Validate;
use crate::error::Error;
use crate::resource::Desired;

pub(crate) async fn run(context: &Context, args: &Validate) -> Result<ExitCode, Error> {
    if args.online {
        return online(context).await;
    }
    let loaded = session::load(context)?;
    let text = loaded.render_warnings(context.look_err.colour);
    if !context.global.json && !text.is_empty() {
        context.say(text.trim_end());
    }
    report(context, &loaded, None);
    Ok(ExitCode::SUCCESS)
}

fn report(context: &Context, loaded: &crate::stack::Loaded, place: Option<&str>) {
    if context.global.json {
        context.say_json(json!({
            "type": "validate",
            "version": 1,
            "file": loaded.file,
            "stack": loaded.stack.id(),
            "warnings": crate::stack::to_json(&loaded.warnings),
        }));
        return;
    }
    let stack = &loaded.stack;
    let place = place.map(|place| format!(", {place}")).unwrap_or_default();
    context.print(&format!(
        "{} is valid: stack {} with {}, {}, {}{place}\n",
        loaded.file.display(),
        stack.id(),
        count(stack.tables.len(), "table"),
        count(stack.functions.len(), "function"),
        count(stack.api.routes.len(), "route"),
    ));
}

fn count(number: usize, of: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {of}{plural}")
}

/// Identity, account and Region come with the session; then names and used tables are looked at.
async fn online(context: &Context) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let observed = session.observe().await?;
    // With nothing built, only what must not be there or must look otherwise can be judged.
    let mut desired: Desired = session.describe(&crate::describe::Artifacts::new());
    crate::plan::assume_code(&mut desired, &observed);
    let plan = session.plan(&desired, &observed);
    diff::notes(context, &plan);
    session::guard(&plan, &[crate::plan::guard::Consent::DropConnections])?;
    report(context, &session.loaded, Some(&plan.heading()));
    Ok(ExitCode::SUCCESS)
}
