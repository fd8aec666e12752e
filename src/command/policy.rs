//! `policy`: the least that somebody has to be allowed, as a document for IAM.

use std::collections::btree_map::Entry;
use std::process::ExitCode;

use serde_json::Value;

use super::Context;
use super::session::Session;
use crate::cli::Policy;
use crate::describe::Artifacts;
use crate::error::Error;
use crate::ledger;
use crate::names::{Facts, Physical};
use crate::plan::needs;
use crate::resource::{Resource, api};

/// The longest policy that IAM takes for a managed policy, in characters without spaces.
const MANAGED: usize = 6144;

pub(crate) async fn run(context: &Context, args: &Policy) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let document = match &args.function {
        Some(function) => of_function(context, &session, function).await?,
        None if args.look => of_reader(&session),
        None => of_deployer(&session),
    };
    let length = document.to_string().len();
    context.print(&format!("{document:#}\n"));
    if length > MANAGED {
        context.warn(&format!(
            "warning: {length} characters: more than a managed policy takes ({MANAGED}); \
             use it inline in a role (10,240), or split its statements"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What any plan of the stack can call, what is looked at, and the lock.
fn of_deployer(session: &Session) -> Value {
    let stack = session.loaded.stack.id();
    let desired = session.describe(&Artifacts::new());
    let place = &session.site.place;
    let mut all = needs::of_stack(&stack, place, &desired);
    all.extend(needs::of_looking(&stack, place, &desired, ledger::TABLE));
    needs::document(&all)
}

/// What is looked at.
fn of_reader(session: &Session) -> Value {
    let stack = session.loaded.stack.id();
    let desired = session.describe(&Artifacts::new());
    let place = &session.site.place;
    needs::document(&needs::of_reading(&stack, place, &desired, ledger::TABLE))
}

/// The policy of the function's role, with the ids that are known.
async fn of_function(context: &Context, session: &Session, function: &str) -> Result<Value, Error> {
    let stack = &session.loaded.stack;
    if !stack.functions.contains_key(function) {
        let unfit = stack.no_function(function);
        return Err(Error::usage(unfit.message).hints(unfit.hint));
    }
    let mut facts: Facts = session.observe().await?.facts();
    let api = api::id(&stack.id());
    if let Entry::Vacant(unknown) = facts.entry(api) {
        context.warn(
            "note: nothing is deployed yet, so the API has no id: `*` stands for it here, and in no deploy",
        );
        unknown.insert(Physical::new(needs::ANY));
    }
    let desired = session.describe(&Artifacts::new());
    let name = stack.function_name(function);
    let role = desired
        .resources
        .values()
        .find_map(|resource| match resource {
            Resource::Function(made) if made.name == name => made.role.needs().next(),
            _ => None,
        });
    let policy = desired
        .resources
        .values()
        .find_map(|resource| match resource {
            Resource::RolePolicy(policy) if role.is_some_and(|role| role.name == policy.role) => {
                Some(policy)
            }
            _ => None,
        });
    policy
        .map(|policy| policy.document(&facts))
        .ok_or_else(|| Error::failed(format!("function `{function}` has no role of the stack's")))
}
