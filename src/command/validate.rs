//! `validate`: every problem of the stack file; with `--online`, also what only AWS can say.

use std::process::ExitCode;

use serde_json::json;

use super::session::Session;
use super::{Context, diff, session};
use crate::cli::Validate;
use crate::describe::Artifacts;
use crate::error::{Error, ErrorKind};
use crate::plan::guard::{Consent, Danger};
use crate::plan::{Plan, assume_code};
use crate::preflight::{self, Check, Standing};
use crate::resource::Desired;

pub(crate) async fn run(context: &Context, args: &Validate) -> Result<ExitCode, Error> {
    if args.online {
        return Box::pin(online(context, args)).await;
    }
    if !args.adopt.named.is_empty() {
        return Err(Error::usage(
            "`--adopt` names what is there, which `validate` does not ask for",
        )
        .hint("say `--online`, too"));
    }
    let loaded = session::load(context)?;
    let text = loaded.render_warnings(context.look_err.colour);
    if !context.global.json && !text.is_empty() {
        context.say(text.trim_end());
    }
    report(context, &loaded, None);
    Ok(ExitCode::SUCCESS)
}

fn report(context: &Context, loaded: &crate::stack::Loaded, checks: Option<&[Check]>) {
    if context.global.json {
        let mut object = json!({
            "type": "validate",
            "version": 1,
            "file": loaded.file,
            "stack": loaded.stack.id(),
            "warnings": crate::stack::to_json(&loaded.warnings),
        });
        if let Some(checks) = checks {
            object["checks"] = json!(checks);
        }
        context.say_json(object);
        return;
    }
    let stack = &loaded.stack;
    context.print(&format!(
        "{} is valid: stack {} with {}, {}, {}\n",
        loaded.file.display(),
        stack.id(),
        count(stack.tables.len(), "table"),
        count(stack.functions.len(), "function"),
        count(stack.api.routes.len(), "route"),
    ));
    for check in checks.unwrap_or_default() {
        context.print(&line(context, check));
    }
}

fn count(number: usize, of: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {of}{plural}")
}

/// One check: how it came out, of what, and the next step beneath.
fn line(context: &Context, check: &Check) -> String {
    // The colours of what is added, changed and removed say it once more.
    let symbol = match check.standing {
        Standing::Ok => "+",
        Standing::Warning | Standing::NotKnown => "~",
        Standing::Problem => "-",
    };
    let word = format!("{:<9}", check.standing.word());
    let word = context.look.of_symbol(symbol, &word);
    let mut text = format!("{word}  {}: {}\n", check.about, check.message);
    if let Some(hint) = &check.hint {
        text.push_str(&format!("           hint: {hint}\n"));
    }
    text
}

/// Identity, account and Region come with the session; the rest is looked at and asked for.
async fn online(context: &Context, args: &Validate) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?.adopting(&args.adopt)?;
    let observed = session.observe().await?;
    // With nothing built, only what must not be there or must look otherwise can be judged.
    let mut desired: Desired = session.describe(&Artifacts::new());
    assume_code(&mut desired, &observed);
    let plan = session.plan(&desired, &observed);
    diff::notes(context, &plan);
    let mut checks = of_session(&session);
    checks.extend(of_plan(&session, &plan, &desired));
    let findings = preflight::check(&session.cloud, &session.caller(), &plan).await;
    checks.extend(findings.checks);
    report(context, &session.loaded, Some(&checks));
    let problems = checks
        .iter()
        .filter(|check| check.standing == Standing::Problem);
    Ok(match problems.count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(ErrorKind::Refused.exit_code()),
    })
}

fn of_session(session: &Session) -> Vec<Check> {
    let place = &session.site.place;
    let identity = format!(
        "{} in account {}, {}",
        session.caller, place.account, place.region
    );
    let mut checks = vec![Check::new("identity", Standing::Ok, identity)];
    // Another account was refused when the session was opened; a local cloud has none.
    if session.loaded.stack.account.is_some() && !session.is_local() {
        let text = format!("{} is the one that the file names", place.account);
        checks.push(Check::new("account", Standing::Ok, text));
    }
    checks
}

/// What a plan may not do, by what was looked at; what needs only a flag is the deploy's to ask for.
fn of_plan(session: &Session, plan: &Plan, desired: &Desired) -> Vec<Check> {
    let refused = plan
        .dangers
        .iter()
        .filter(|d| d.consent() == Consent::Never);
    let problems: Vec<Check> = refused
        .map(|danger| {
            Check::new(about(danger), Standing::Problem, danger.to_string()).hint(danger.hint())
        })
        .collect();
    let is_fine = |about: &str| !problems.iter().any(|check| check.about == about);
    let mut checks = Vec::new();
    if is_fine(NAMES) {
        let text = "nothing of others has a name that the stack wants";
        checks.push(Check::new(NAMES, Standing::Ok, text));
    }
    if is_fine(TABLES) && !desired.referenced.is_empty() {
        let names: Vec<&str> = desired.referenced.keys().map(String::as_str).collect();
        let text = format!("{} as the file says", names.join(", "));
        checks.push(Check::new(TABLES, Standing::Ok, text));
    }
    if is_fine(LOGS) && session.loaded.stack.api.logs.is_some() {
        let text = "nothing says that API Gateway lacks a role for logs";
        checks.push(Check::new(LOGS, Standing::Ok, text));
    }
    if is_fine(DOMAIN)
        && let Some(name) = &desired.used_domain
    {
        let text = format!("{name} is there");
        checks.push(Check::new(DOMAIN, Standing::Ok, text));
    }
    checks.extend(problems);
    checks
}

const NAMES: &str = "names";
const TABLES: &str = "tables";
const LOGS: &str = "access logs";
const DOMAIN: &str = "domain";

fn about(danger: &Danger) -> &'static str {
    match danger {
        Danger::NoLogRole => LOGS,
        Danger::NoTable { .. } | Danger::OtherTable { .. } | Danger::ReplacesTable { .. } => TABLES,
        Danger::NoDomain { .. } | Danger::SharedDomain { .. } => DOMAIN,
        Danger::NotOurs { .. }
        | Danger::OfAnotherStack { .. }
        | Danger::TwoApis { .. }
        | Danger::HasApi { .. }
        | Danger::NoApi { .. }
        | Danger::NewUrl { .. }
        | Danger::LosesItems { .. }
        | Danger::ClosesUrl { .. }
        | Danger::DropsConnections { .. } => NAMES,
    }
}
