//! A plan as lines for a person, as wide as their terminal.
//!
//! What belongs together stands together: tables, what functions may do, each function with its log, version and alias, the
//! API with its routes. A plan of more than a glance has a heading for each.

use std::fmt::Write as _;

use super::inside::{self, Marked};
use super::render::Look;
use super::value::{both, focused};
use super::wrap::{seen, wrap};
use super::{Action, Change, Plan};
use crate::names::{Kind, ResourceId};
use crate::resource::{Difference, Resource, is_fixed};

/// So many changes are seen at a glance.
pub const GLANCE: usize = 12;

/// How far in what belongs to a resource stands.
const INDENT: usize = 6;

/// Where resources belong, in the order of their telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tables,
    Permissions,
    Functions,
    Api,
}

impl Part {
    const ALL: [Self; 4] = [Self::Tables, Self::Permissions, Self::Functions, Self::Api];

    fn of(id: &ResourceId) -> Self {
        match id.kind {
            Kind::Table => Self::Tables,
            Kind::Role | Kind::RolePolicy => Self::Permissions,
            Kind::Function | Kind::Version | Kind::Alias => Self::Functions,
            Kind::LogGroup if function_of(id).is_some() => Self::Functions,
            _ => Self::Api,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Permissions => "what functions may do",
            Self::Functions => "functions",
            Self::Api => "API",
        }
    }
}

/// The function whose log group this is.
fn function_of(id: &ResourceId) -> Option<&str> {
    id.name.strip_prefix("/aws/lambda/")
}

/// Resources under the titles of their parts, in the order in which a person looks for them.
pub fn parts<'a>(
    ids: impl IntoIterator<Item = &'a ResourceId>,
) -> Vec<(&'static str, Vec<&'a ResourceId>)> {
    let mut ids: Vec<&ResourceId> = ids.into_iter().collect();
    ids.sort_by_key(|id| place_of(id));
    let of_part = |part: &Part| {
        let of_part = ids.iter().copied().filter(|id| Part::of(id) == *part);
        (part.title(), of_part.collect::<Vec<_>>())
    };
    let parts = Part::ALL.iter().map(of_part);
    parts.filter(|(_, ids)| !ids.is_empty()).collect()
}

/// A function is told whole, a route with its response; else kinds stand in the order of their needs.
fn place_of(id: &ResourceId) -> (Part, Option<Kind>, &str, Kind) {
    let part = Part::of(id);
    let (kind, name) = match id.kind {
        _ if part == Part::Functions => (None, function_of(id).unwrap_or(&id.name)),
        Kind::RouteResponse => (Some(Kind::Route), id.name.as_str()),
        kind => (Some(kind), id.name.as_str()),
    };
    (part, kind, name, id.kind)
}

impl Plan {
    /// The changes in the order in which they are told.
    pub(super) fn told(&self) -> Vec<&Change> {
        let mut changes: Vec<&Change> = self.changes.values().collect();
        changes.sort_by_key(|change| place_of(&change.id));
        changes
    }

    /// The whole plan, for reading on so many columns.
    pub fn text(&self, look: Look, width: usize) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        writeln!(out, "{}\n", look.bold(&wrap(&self.heading(), width))).ok();
        let told = self.told();
        let parts = Part::ALL.map(|part| {
            let of_part = told.iter().filter(|change| Part::of(&change.id) == part);
            (part, of_part.copied().collect::<Vec<_>>())
        });
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(_, all)| !all.is_empty())
            .collect();
        let has_titles = told.len() > GLANCE && parts.len() > 1;
        for (n, (part, changes)) in parts.iter().enumerate() {
            if has_titles {
                let blank = if n > 0 { "\n" } else { "" };
                let counts = look.faint(&counts(changes));
                writeln!(out, "{blank}{}  {counts}", look.bold(part.title())).ok();
            }
            out.push_str(&self.part(changes, look, width));
        }
        if has_titles && !self.kept.is_empty() {
            out.push('\n');
        }
        for id in &self.kept {
            writeln!(out, "{}", kept_line(id, look)).ok();
        }
        if !self.changes.is_empty() || !self.kept.is_empty() {
            out.push('\n');
        }
        out.push_str(&wrap(&self.summary(), width));
        out.push('\n');
        out
    }

    fn part(&self, changes: &[&Change], look: Look, width: usize) -> String {
        let mut out = String::new();
        let heads: Vec<(String, String)> = changes.iter().map(|change| head(change)).collect();
        // Beside all of them in one column, or beneath each: one way for all that are read together.
        let with_aside = heads.iter().filter(|(_, aside)| !aside.is_empty());
        let column = with_aside.clone().map(|(head, _)| seen(head)).max();
        let column = column.unwrap_or(0) + 2;
        let fits = with_aside
            .clone()
            .all(|(_, aside)| column + seen(aside) <= width);
        for (change, (head, aside)) in changes.iter().zip(&heads) {
            let painted = look.of_symbol(change.action.symbol(), head);
            if aside.is_empty() {
                writeln!(out, "{painted}").ok();
            } else if fits {
                let pad = " ".repeat(column - seen(head));
                writeln!(out, "{painted}{pad}{}", look.faint(aside)).ok();
            } else {
                let aside = format!("{:INDENT$}{}", "", look.faint(aside));
                writeln!(out, "{painted}\n{}", wrap(&aside, width)).ok();
            }
            self.settings(change, look, width, &mut out);
        }
        out
    }

    /// What differs, setting by setting, below its resource.
    fn settings(&self, change: &Change, look: Look, width: usize, out: &mut String) {
        for told in self.differences(change) {
            match told {
                Told::Value(difference) => {
                    let because = match change.action {
                        Action::Replace { .. } if is_fixed(change.id.kind, &difference.field) => {
                            " (needs a new one)"
                        }
                        _ => "",
                    };
                    self.value(difference, because, look, width, out);
                }
                Told::Policy(field, lines) => {
                    writeln!(out, "{:INDENT$}{field}:", "").ok();
                    tell(&lines, look, width, out);
                }
            }
        }
    }

    /// One line; where that would be too long, three, or the lines inside that differ.
    fn value(&self, d: &Difference, because: &str, look: Look, width: usize, out: &mut String) {
        let (from, to) = both(d, &self.place);
        let line = format!("{:INDENT$}{}: {from} → {to}{because}", "", d.field);
        if seen(&line) <= width {
            writeln!(out, "{line}").ok();
            return;
        }
        writeln!(out, "{:INDENT$}{}:{because}", "", d.field).ok();
        if let Some(lines) = inside::lines(d) {
            tell(&lines, look, width, out);
            return;
        }
        let (from, to) = focused(&from, &to, width.saturating_sub(INDENT + 2));
        writeln!(out, "{:INDENT$}  {from}\n{:INDENT$}→ {to}", "", "").ok();
    }

    /// The differences of a change; those of a policy are told as one.
    pub(super) fn differences<'a>(&self, change: &'a Change) -> Vec<Told<'a>> {
        let (because, resource) = match &change.action {
            Action::Update {
                because, resource, ..
            } => (because, Some(resource)),
            Action::Replace { because } => (because, None),
            Action::Create(_) | Action::Delete { .. } => return Vec::new(),
        };
        let mut all: Vec<Told<'a>> = Vec::new();
        for difference in because {
            let policy = inside::policy_of(&difference.field).zip(resource);
            let Some((policy, resource)) = policy else {
                all.push(Told::Value(difference));
                continue;
            };
            let is_told = |told: &Told<'_>| matches!(told, Told::Policy(of, _) if *of == policy);
            if all.iter().any(is_told) {
                continue;
            }
            let after = &resource.settings(&self.facts)[policy];
            let before = inside::before(after, policy, because);
            let lines = inside::statements(&before, after, &self.place);
            // What differs beside the statements, such as the version, is no statement's.
            all.push(if lines.is_empty() {
                Told::Value(difference)
            } else {
                Told::Policy(policy, lines)
            });
        }
        all
    }
}

/// How a difference is told.
pub(super) enum Told<'a> {
    Value(&'a Difference),
    /// A policy's field, and what of its statements comes and goes.
    Policy(&'static str, Vec<Marked>),
}

fn tell(lines: &[Marked], look: Look, width: usize, out: &mut String) {
    for Marked { mark, depth, text } in lines {
        let indent = INDENT + 2 + 2 * depth;
        let line = wrap(&format!("{:indent$}{mark:1} {text}", ""), width);
        let line = if mark.is_empty() {
            look.faint(&line)
        } else {
            look.of_symbol(mark, &line)
        };
        writeln!(out, "{line}").ok();
    }
}

/// `3 to add, 1 to change`.
fn counts(changes: &[&Change]) -> String {
    let count = |symbols: &[&str]| {
        let is = |change: &&&Change| symbols.contains(&change.action.symbol());
        changes.iter().filter(is).count()
    };
    let all = [
        (count(&["+", "-/+"]), "add"),
        (count(&["~"]), "change"),
        (count(&["-", "-/+"]), "destroy"),
    ];
    let all = all.iter().filter(|(n, _)| *n > 0);
    let all: Vec<String> = all.map(|(n, word)| format!("{n} to {word}")).collect();
    all.join(", ")
}

/// Symbol and id, and what is said beside them.
fn head(change: &Change) -> (String, String) {
    let head = format!("{:>3} {}", change.action.symbol(), change.id);
    (head, aside(&change.action).unwrap_or_default())
}

pub(super) fn aside(action: &Action) -> Option<String> {
    match action {
        Action::Create(resource) => highlights(resource),
        Action::Delete { with, .. } => with.as_ref().map(|with| format!("goes with {with}")),
        Action::Update { .. } | Action::Replace { .. } => None,
    }
}

/// What stays although nothing declares it, or although the stack goes.
pub fn kept_line(id: &ResourceId, look: Look) -> String {
    format!("  = {id}  {}", look.faint(stays(id.kind)))
}

pub(super) fn stays(kind: Kind) -> &'static str {
    match kind {
        Kind::Table => "stays, with its items",
        _ => "stays",
    }
}

/// The few settings of a new resource that a reader looks for.
fn highlights(resource: &Resource) -> Option<String> {
    match resource {
        Resource::Table(table) => {
            let mut parts = vec![format!("key {}", table.key.partition)];
            parts.extend(table.key.sort.iter().map(|sort| format!("sort {sort}")));
            let indexes = table.indexes.iter();
            parts.extend(indexes.map(|(name, i)| format!("index {name} ({})", i.key.partition)));
            parts.extend(table.ttl.iter().map(|ttl| format!("ttl {ttl}")));
            Some(parts.join(", "))
        }
        Resource::Function(f) => Some(format!(
            "{} {}, {} MB, {} s, {} zipped",
            f.runtime,
            f.architecture,
            f.memory,
            f.timeout,
            size(f.code.zip.len())
        )),
        Resource::Route(route) => Some(format!("to {}", route.integration)),
        Resource::Domain(domain) => Some(format!("certificate {}", domain.certificate)),
        Resource::Mapping(mapping) => Some(format!("to stage {}", mapping.stage)),
        Resource::EndpointOff(off) => Some(format!(
            "the API's own address stops; {} is left",
            off.mapping
        )),
        Resource::Stage(stage) => Some(format!(
            "{} requests/s, burst {}",
            stage.throttle.rate, stage.throttle.burst
        )),
        _ => None,
    }
}

/// Megabytes with one decimal, or whole kilobytes.
#[expect(clippy::cast_precision_loss, reason = "a size to one decimal")]
fn size(bytes: usize) -> String {
    if bytes < 1_000_000 {
        return format!("{} KB", bytes.div_ceil(1000));
    }
    format!("{:.1} MB", bytes as f64 / 1_000_000.0)
}
