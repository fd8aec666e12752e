//! Measures shipped handlers beside others that do the same, under one Runtime API and one stub of AWS, in one run.
//!
//! In: programs, each with the words that start it. Out: a table in Markdown. Rounds go through all programs in turn,
//! so that whatever else the machine does falls on all of them; figures are medians.

mod cloud;
mod floor;
mod function;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use cloud::{Cloud, World};
use function::{Function, Program, event, millis};
use tls::Tls;

#[derive(Parser)]
struct Args {
    /// NAME=COMMAND, with ` zip:FILE` behind it for the package's size. `{handler}` is the handler's name.
    programs: Vec<Program>,
    /// Cold starts of each handler of each program.
    #[arg(long, default_value_t = 40)]
    starts: usize,
    /// Warm calls of each handler of each program, in rounds of a hundred.
    #[arg(long, default_value_t = 2000)]
    calls: usize,
    /// Connections of the group.
    #[arg(long, default_value_t = 1000)]
    group: usize,
    /// Messages to the group, from each program.
    #[arg(long, default_value_t = 30)]
    broadcasts: usize,
    /// What a connection takes to answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Put DynamoDB and `@connections` behind TLS, as AWS's are.
    #[arg(long)]
    tls: bool,
    /// Be the floor, and no measurement.
    #[arg(long, hide = true)]
    floor: Option<usize>,
}

/// What was seen of one program.
#[derive(Default)]
struct Found {
    cold: [Vec<f64>; 2],
    cold_processor: [Vec<f64>; 2],
    warm: [Vec<f64>; 2],
    peak: f64,
    first: Vec<f64>,
    first_per_recipient: Vec<f64>,
    later: Vec<f64>,
    per_recipient: Vec<f64>,
    broadcast_peak: f64,
}

const HANDLERS: [&str; 2] = ["connect", "send"];
const ROUND: usize = 100;
/// Environments that a broadcast is measured in, each from its first one on.
const FRESH: usize = 5;

fn main() {
    let args = Args::parse();
    if let Some(posts) = args.floor {
        return floor::run(&function::api(), posts);
    }
    let tls = args.tls.then(Tls::new);
    let world = Arc::new(World::new(args.group, Duration::from_millis(args.delay_ms)));
    let bench = Bench { args, tls, world };
    let mut found: Vec<Found> = bench
        .args
        .programs
        .iter()
        .map(|_| Found::default())
        .collect();
    bench.cold(&mut found);
    bench.warm(&mut found);
    bench.broadcast(&mut found);
    print(&bench.args, &found);
}

struct Bench {
    args: Args,
    tls: Option<Tls>,
    world: Arc<World>,
}

impl Bench {
    fn start(&self, program: &Program, handler: &str, to_group: bool) -> Function {
        let cloud = Cloud::start(&self.world, self.tls.as_ref());
        let first = event(handler, to_group);
        Function::start(program, handler, cloud, self.tls.as_ref(), first)
    }

    fn cold(&self, found: &mut [Found]) {
        for _ in 0..self.args.starts {
            for (program, found) in self.args.programs.iter().zip(&mut *found) {
                for (nth, handler) in HANDLERS.into_iter().enumerate() {
                    let function = self.start(program, handler, false);
                    let answered = function.answer();
                    found.cold_processor[nth].push(function.processor());
                    found.cold[nth].push(millis(answered.at - function.started));
                }
            }
        }
    }

    fn warm(&self, found: &mut [Found]) {
        let programs = || self.args.programs.iter();
        for (nth, handler) in HANDLERS.into_iter().enumerate() {
            let functions: Vec<_> = programs()
                .map(|program| self.start(program, handler, false))
                .collect();
            for function in &functions {
                function.answer();
                for _ in 0..ROUND {
                    function.call(event(handler, false));
                }
            }
            for _ in 0..self.args.calls.div_ceil(ROUND) {
                for (function, found) in functions.iter().zip(&mut *found) {
                    let times = (0..ROUND).map(|_| function.call(event(handler, false)));
                    found.warm[nth].extend(times);
                }
            }
            for (function, found) in functions.iter().zip(&mut *found) {
                found.peak = found.peak.max(function.peak());
            }
        }
    }

    fn broadcast(&self, found: &mut [Found]) {
        for _ in 0..FRESH {
            let programs = self.args.programs.iter();
            let functions: Vec<_> = programs
                .map(|program| self.start(program, "send", false))
                .collect();
            for (function, found) in functions.iter().zip(&mut *found) {
                function.answer();
                let (took, used) = self.message(function);
                found.first.push(took);
                found.first_per_recipient.push(used);
            }
            for _ in 0..self.args.broadcasts.div_ceil(FRESH) {
                for (function, found) in functions.iter().zip(&mut *found) {
                    let (took, used) = self.message(function);
                    found.later.push(took);
                    found.per_recipient.push(used);
                }
            }
            for (function, found) in functions.iter().zip(&mut *found) {
                found.broadcast_peak = found.broadcast_peak.max(function.peak());
            }
        }
    }

    /// Milliseconds of one message to the group, and microseconds of processor time for each of its recipients.
    fn message(&self, function: &Function) -> (f64, f64) {
        let (begun, before) = (function.processor(), function.cloud.posts());
        let took = function.call(event("send", true));
        let used = function.processor() - begun;
        let (posts, group) = (function.cloud.posts() - before, self.args.group);
        assert!(posts >= group, "{posts} of {group} were served");
        (took, used * 1e3 / group as f64)
    }
}

/// The value that `percent` of them do not exceed.
fn at(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .copied()
        .unwrap_or(f64::NAN)
}

fn print(args: &Args, found: &[Found]) {
    let head: Vec<_> = args
        .programs
        .iter()
        .map(|program| program.name.as_str())
        .collect();
    println!(
        "| figure | {} |\n|---|{}",
        head.join(" | "),
        "---|".repeat(head.len())
    );
    let row = |name: String, show: &dyn Fn(&Found) -> String| {
        let cells: Vec<_> = found.iter().map(show).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    for (nth, handler) in HANDLERS.into_iter().enumerate() {
        row(
            format!("cold start, `{handler}`: spawn → first answer; fastest"),
            &|found| {
                format!(
                    "{:.1} ms; {:.1}",
                    at(&found.cold[nth], 50),
                    at(&found.cold[nth], 0)
                )
            },
        );
        row(format!("… processor time to it, `{handler}`"), &|found| {
            format!("{:.1} ms", at(&found.cold_processor[nth], 50))
        });
    }
    for (nth, handler) in HANDLERS.into_iter().enumerate() {
        row(format!("warm `{handler}`: p50, p99"), &|found| {
            format!(
                "{:.2}, {:.2} ms",
                at(&found.warm[nth], 50),
                at(&found.warm[nth], 99)
            )
        });
    }
    row("most memory, warm".to_owned(), &|found| {
        format!("{:.1} MB", found.peak)
    });
    let group = args.group;
    row(
        format!("one message to {group}: an environment's first, a later one; fastest"),
        &|found| {
            let (first, later) = (at(&found.first, 50), at(&found.later, 50));
            format!("{first:.0} ms, {later:.0} ms; {:.0}", at(&found.later, 0))
        },
    );
    row(
        "… processor time per recipient: of the first, of a later one".to_owned(),
        &|found| {
            let first = at(&found.first_per_recipient, 50);
            format!("{first:.1} µs, {:.1} µs", at(&found.per_recipient, 50))
        },
    );
    row("… most memory".to_owned(), &|found| {
        format!("{:.1} MB", found.broadcast_peak)
    });
    let packages: Vec<_> = args
        .programs
        .iter()
        .map(|program| match &program.package {
            Some(file) => std::fs::metadata(file).map_or_else(
                |why| why.to_string(),
                |file| format!("{:.2} MB", file.len() as f64 / 1e6),
            ),
            None => "—".to_owned(),
        })
        .collect();
    println!("| the package, zipped | {} |", packages.join(" | "));
}
