//! `unlock`: breaks the lock of a run that is dead, and says whose it was.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::run::of_ledger;
use super::session::Session;
use super::who::{about, json_of};
use crate::error::Error;
use crate::ledger::{Holder, Record};

pub(crate) async fn run(context: &Context) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let stack = session.loaded.stack.id();
    let ledger = session.ledger();
    let seen = ledger.look().await.map_err(of_ledger)?;
    let Some(holder) = seen.holder() else {
        say(context, stack.as_str(), None);
        return Ok(ExitCode::SUCCESS);
    };
    if !context.global.json {
        context.print(&format!("{stack} is locked: {}\n", about(holder)));
    }
    if !session.is_local() {
        context.confirm(
            "If that run still works, two will. Break its lock?",
            "unlock",
        )?;
    }
    let claim = session.claim("unlock");
    let record = Record {
        note: Some(format!("broke the lock of {}", about(holder))),
        ..Record::of(&claim, "done")
    };
    let broken = ledger.break_lock(holder, &record).await;
    if !broken.map_err(of_ledger)? {
        return Err(
            Error::refused("the lock has changed hands meanwhile, nothing is broken")
                .hint("look again with `msgai unlock`"),
        );
    }
    if context.global.json {
        say(context, stack.as_str(), Some(holder));
    } else {
        context.print("Its lock is broken.\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn say(context: &Context, stack: &str, broken: Option<&Holder>) {
    if context.global.json {
        context.say_json(json!({
            "type": "unlocked",
            "version": 1,
            "stack": stack,
            "holder": broken.map(json_of),
        }));
    } else {
        context.print(&format!("{stack} is not locked.\n"));
    }
}
