//! `cost`: what a chat costs a month, and what it meets first as it grows.

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::measured::{self, Taken};
use super::session::{Session, find};
use crate::cli::Cost;
use crate::cost::{
    Bound, Estimate, Figures, Grows, How, Line, Load, Shape, Traffic, Usage, estimate_of, figures,
    plot,
};
use crate::error::Error;
use crate::plan::wrap::{COLUMNS, wrap};

/// Minutes of a day: what is counted in less says little of a month.
const SHORT: f64 = 1440.0;

/// What an estimate is made of, and what is to be said of it.
struct Basis {
    usage: Usage,
    load: Load,
    shape: Shape,
    /// For the chart's axis.
    users: Option<f64>,
    /// For the document: `traffic` or `measured`.
    given: (&'static str, Value),
    notes: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &Cost) -> Result<ExitCode, Error> {
    let figures = figures();
    let basis = if args.measured {
        counted(context, args, &figures).await?
    } else {
        given(context, args, &figures)?
    };
    show(context, args, &basis, &figures);
    Ok(ExitCode::SUCCESS)
}

fn show(context: &Context, args: &Cost, basis: &Basis, figures: &Figures) {
    let Basis {
        usage,
        load,
        shape,
        users,
        ..
    } = basis;
    let estimate = estimate_of(usage, load, shape, figures);
    if context.global.json {
        context.say_json(document(&estimate, basis, figures));
        return;
    }
    let mut out = text(&estimate);
    if args.plot {
        let chart = plot(usage, load, shape, figures, *users, context.columns());
        out.push_str(&format!("\n{chart}"));
    }
    let notes = basis.notes.iter().cloned().chain(about(&estimate, figures));
    for note in notes {
        out.push_str(&format!(
            "\n{}\n",
            wrap(&note, context.columns().min(COLUMNS))
        ));
    }
    context.print(&out);
}

/// From the flags, and the shape of the stack file, if there is one.
fn given(context: &Context, args: &Cost, figures: &Figures) -> Result<Basis, Error> {
    let is_named = context.global.file.is_some();
    let shape = if !is_named && find(context).is_err() {
        Shape::reference()
    } else {
        Shape::of(&super::session::load(context)?.stack)
    };
    let traffic = Traffic {
        users: args.users.into(),
        messages_per_user_day: args.messages_per_user_day.into(),
        recipients: args.recipients.into(),
        hours_per_user_day: args.hours.into(),
        message_bytes: args.message_bytes.into(),
        months_kept: args.months.into(),
        peak: args.peak.into(),
    };
    let seconds = traffic.users / figures.quotas.connects_per_second;
    let storm = format!(
        "After an outage all connect at once: {} users are back after {} s at the soonest.",
        args.users,
        number(seconds.max(1.0).ceil())
    );
    Ok(Basis {
        usage: Usage::of(&traffic, &shape, &figures.quotas),
        load: Load::of(&traffic, &shape, &figures.quotas),
        shape,
        users: Some(traffic.users),
        given: ("traffic", json!(traffic)),
        notes: vec![storm],
    })
}

/// From what CloudWatch counted for what is deployed.
async fn counted(context: &Context, args: &Cost, figures: &Figures) -> Result<Basis, Error> {
    let session = Session::open(context).await?;
    let Taken {
        measured,
        arm,
        first,
    } = measured::take(&session, args).await?;
    let from = Timestamp::from_second(first).unwrap_or_default();
    let from = from.strftime("%Y-%m-%d %H:%M UTC");
    let basis = format!(
        "Counted by CloudWatch from {from} on, {}; a month is {} times as much.",
        lasted(measured.minutes),
        number(measured.factor())
    );
    let unknown = format!(
        "`<` is at most: nobody counts how long connections last, so each is taken for two hours, nor how large a \
         message is, so each is taken for {} bytes and all of them for outgoing (`--message-bytes`).",
        args.message_bytes
    );
    let mut notes = vec![basis, unknown];
    if measured.minutes < SHORT {
        notes.push("That is a short time to go by: a day has quiet and busy hours.".to_owned());
    }
    Ok(Basis {
        usage: measured.usage(&figures.quotas),
        load: measured.load(),
        shape: Shape {
            arm,
            ..Shape::of(&session.loaded.stack)
        },
        users: None,
        given: ("measured", json!(measured)),
        notes,
    })
}

fn lasted(minutes: f64) -> String {
    match minutes {
        m if m < 120.0 => format!("{m:.0} min"),
        m if m < 2880.0 => format!("{:.0} hours", m / 60.0),
        m => format!("{:.1} days", m / 1440.0),
    }
}

fn document(estimate: &Estimate, basis: &Basis, figures: &Figures) -> Value {
    let mut document = json!(estimate);
    document["type"] = "cost".into();
    document["version"] = 2.into();
    document["toPay"] = estimate.to_pay().into();
    document["toBeChecked"] = json!(figures.to_be_checked());
    let (name, value) = &basis.given;
    document[*name] = value.clone();
    document
}

fn text(estimate: &Estimate) -> String {
    let mut out = row("", "at list price", "free", "to pay");
    for line in &estimate.lines {
        out.push_str(&priced(line));
    }
    let Estimate { dollars, free, .. } = estimate;
    let total = [*dollars, *free, estimate.to_pay()].map(money);
    out.push_str(&row("A month, in dollars", &total[0], &total[1], &total[2]));
    out.push_str("\nAs it grows, in the busiest minute:\n");
    for (n, bound) in estimate.bounds.iter().enumerate() {
        out.push_str(&met(bound));
        if n == 0 {
            let then = wrap(&format!("      then: {}", bound.then), COLUMNS);
            out.push_str(&format!("{then}\n"));
        }
    }
    out
}

fn row(what: &str, dollars: &str, free: &str, to_pay: &str) -> String {
    format!("{what:<47}{dollars:>13}{free:>9}{to_pay:>11}\n")
}

fn priced(line: &Line) -> String {
    let what = format!("{:<12} {}", line.service, line.what);
    let Some((amount, dollars)) = line.amount.zip(line.dollars) else {
        return format!("{what:<33}not counted\n");
    };
    let up_to = if line.how == How::AtMost { "< " } else { "" };
    let amount = format!("{up_to}{} {}", number(amount), line.unit);
    let free = match line.free {
        free if free > 0.0 => money(free),
        _ => String::new(),
    };
    let to_pay = line.to_pay().unwrap_or_default();
    row(
        &format!("{what:<32} {amount:>14}"),
        &money(dollars),
        &free,
        &money(to_pay),
    )
}

fn met(bound: &Bound) -> String {
    let what = match bound.with {
        Grows::Users => "users",
        Grows::Group => "group",
    };
    let (used, grows) = (bound.used.map(number), bound.grows.map(number));
    let Some((used, grows)) = used.zip(grows) else {
        return format!(
            "  {:<39}not counted, of {}\n",
            bound.quota,
            number(bound.most)
        );
    };
    format!(
        "  {:<39}{used:>8} of {:<6} {grows:>9} times the {what}\n",
        bound.quota,
        number(bound.most)
    )
}

/// Where the figures are from, and what is free.
fn about(estimate: &Estimate, figures: &Figures) -> Vec<String> {
    let timeline = match estimate.shape.timelines {
        timelines if timelines > 0.0 => "with a timeline",
        _ => "without a timeline",
    };
    let (ended, credits) = (&figures.ended, &figures.credits);
    let free = format!(
        "Free is what an account has free each month for as long as it lasts, all its stacks together. The messages and \
         connection minutes that were free for {} months were for accounts made before {}: that is over. \
         Accounts made since begin with up to ${} of credits, for {} months.",
        ended.months, ended.accounts_before, credits.dollars, credits.months
    );
    let note = format!(
        "Prices and quotas of {}, read {}, {timeline}; other Regions cost more or less. An estimate: docs/cost.md says how \
         it is made, and where each price was found.",
        estimate.region, estimate.read
    );
    vec![free, note]
}

/// Dollars and cents; the space keeps the largest from what stands left of them.
fn money(dollars: f64) -> String {
    format!(" {dollars:.2}")
}

/// As many digits as matter.
fn number(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{v:.1e}"),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}
