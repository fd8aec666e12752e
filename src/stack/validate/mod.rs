//! Rules that types cannot say: between values, and AWS's limits where they can be known before a call.
//!
//! In: a [`Stack`]. Out: every problem, not the first; errors refuse the file, warnings are printed on every run.
//! Never: the network, a file ([`sources`] alone looks whether functions' sources are there).

mod api;
mod auth;
mod domain;
mod functions;
mod origin;
mod select;
mod shipped;
mod sources;
mod spans;
mod tables;

use std::collections::BTreeMap;

use super::limits::{self, NameRule};
use super::problem::{Path, Problem};
use super::template::stack_name;
use super::words::did_you_mean;
use super::{RoleDef, Stack, derive};

pub(crate) use auth::is_standing;
pub use sources::{own_file, sources};

/// Everything that is wrong with a stack, or questionable.
pub fn problems(stack: &Stack) -> Vec<Problem> {
    // What the file asks for without naming it counts against names and limits like the rest.
    let whole = derive::derived(stack.clone());
    let mut checks = Checks {
        stack: &whole,
        found: Vec::new(),
    };
    checks.identity();
    checks.tags();
    checks.role();
    checks.adopt();
    checks.tables();
    checks.functions();
    checks.api();
    checks.derived(stack);
    checks.auth();
    checks.outputs();
    checks.shipped();
    checks.found
}

/// Why a text is no Region: the one that was meant, or how they look. Nothing, when it is one.
pub fn no_region(text: &str) -> Option<String> {
    if limits::is_region(text) {
        return None;
    }
    let zone = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if limits::is_region(zone) {
        return Some(format!("did you mean `{zone}`? a zone is a part of it"));
    }
    did_you_mean(text, limits::REGIONS.iter().copied())
        .or_else(|| Some("a region looks like `us-east-1`".to_owned()))
}

pub(super) struct Checks<'a> {
    stack: &'a Stack,
    found: Vec<Problem>,
}

/// The place of these keys' value.
fn at<const N: usize>(keys: [&str; N]) -> Path {
    Path::of(&keys)
}

impl Checks<'_> {
    fn push(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    fn error(&mut self, at: Path, message: impl Into<String>) {
        self.push(Problem::error(at, message));
    }

    /// What msgai adds must not be called like something that is there.
    fn derived(&mut self, written: &Stack) {
        for wanted in derive::clashes(written) {
            let derive::Wanted { key, asks, .. } = wanted;
            let message = format!("`{asks}` adds a function `{key}`, and the file has another one");
            let hint = "give yours another name; `name` keeps what AWS calls it";
            self.push(Problem::error(at(["functions", key]).itself(), message).hint(hint));
        }
    }

    fn identity(&mut self) {
        let stack = self.stack;
        if !limits::is_stack_name(&stack.name) {
            let message = format!("stack name `{}` is not a name", stack.name);
            let hint = format!(
                "a letter, then letters, digits and `-`, at most {} characters: `{}`",
                limits::STACK_NAME_LENGTH,
                stack_name(&stack.name)
            );
            self.push(Problem::error(at(["name"]), message).hint(hint));
        }
        self.name(
            at(["suffix"]),
            &limits::SUFFIX,
            &stack.suffix,
            &stack.suffix,
        );
        let region = stack.region.as_deref();
        if let Some((region, hint)) = region.and_then(|it| Some((it, no_region(it)?))) {
            let message = format!("`{region}` is not a region");
            self.push(Problem::error(at(["region"]), message).hint(hint));
        }
        if let Some(account) = stack
            .account
            .as_ref()
            .filter(|account| !limits::is_account(account))
        {
            let message = format!("account `{account}` is not 12 digits");
            let digits = account.replace(['-', ' '], "");
            let hint = if limits::is_account(&digits) {
                format!("write `account: \"{digits}\"`")
            } else {
                "`aws sts get-caller-identity` says it".to_owned()
            };
            self.push(Problem::error(at(["account"]), message).hint(hint));
        }
        if let Some(logs) = &stack.logs.retention {
            self.retention(at(["logs", "retention"]), logs);
        }
    }

    fn tags(&mut self) {
        let stack = self.stack;
        if stack.tags.len() > limits::TAGS {
            let message = format!("{} tags are more than {}", stack.tags.len(), limits::TAGS);
            let hint = "AWS allows 50, and msgai keeps some for itself";
            self.push(Problem::error(at(["tags"]).itself(), message).hint(hint));
        }
        for (key, value) in &stack.tags {
            let here = at(["tags", key]);
            let lower = key.to_lowercase();
            if key.is_empty() || key.chars().count() > limits::TAG_KEY {
                let message = format!("a tag's key has 1 to {} characters", limits::TAG_KEY);
                self.error(here.clone().itself(), message);
            }
            if let Some(prefix) = ["aws:", "msgai:"]
                .into_iter()
                .find(|prefix| lower.starts_with(prefix))
            {
                let owner = prefix.trim_end_matches(':');
                let message =
                    format!("tag `{key}` begins with `{prefix}`, which belongs to {owner}");
                let free = key.get(prefix.len()..).unwrap_or_default();
                let hint = format!("`{free}` is free");
                self.push(Problem::error(here.clone().itself(), message).hint(hint));
            }
            if let Some(wrong) = key.chars().find(|c| !limits::is_tag_character(*c)) {
                self.error(
                    here.clone().itself(),
                    format!("tag `{key}` cannot have `{wrong}`"),
                );
            }
            if value.chars().count() > limits::TAG_VALUE {
                let message = format!(
                    "tag `{key}` is longer than {} characters",
                    limits::TAG_VALUE
                );
                self.error(here, message);
            } else if let Some(wrong) = value.chars().find(|c| !limits::is_tag_character(*c)) {
                self.error(
                    here,
                    format!("the value of tag `{key}` cannot have `{wrong}`"),
                );
            }
        }
    }

    fn role(&mut self) {
        let region = self.stack.region.as_deref();
        match &self.stack.role {
            RoleDef::Shared(shared) => {
                let full = self.stack.role_name(region.unwrap_or(limits::SOME_REGION));
                let (path, written) = match &shared.name {
                    Some(name) => (at(["role", "name"]), name.as_str()),
                    None => (at(["name"]), ""),
                };
                self.name(path, &limits::ROLE_NAME, written, &full);
                if let Some(boundary) = &shared.boundary {
                    self.boundary(boundary);
                }
            }
            RoleDef::Each(_) => {}
        }
        for (key, function) in &self.stack.functions {
            let full = self
                .stack
                .function_role_name(key, region.unwrap_or(limits::SOME_REGION));
            let here = at(["functions", key]);
            match (&function.role, &self.stack.role) {
                (Some(own), _) => self.name(here.key("role"), &limits::ROLE_NAME, own, &full),
                (None, RoleDef::Each(_)) => {
                    self.name(here.itself(), &limits::ROLE_NAME, "", &full);
                }
                (None, RoleDef::Shared(_)) => {}
            }
        }
    }

    fn adopt(&mut self) {
        for (index, text) in self.stack.adopt.iter().enumerate() {
            // The Region that counts may come from a flag.
            if let Err(unfit) = self.stack.adopted(text, None) {
                let here = at(["adopt"]).index(index);
                self.push(Problem::error(here, unfit.message).maybe(unfit.hint));
            }
        }
    }

    fn boundary(&mut self, arn: &str) {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let fits = matches!(parts.as_slice(), ["arn", partition, "iam", "", owner, policy]
            if partition.starts_with("aws") && (limits::is_account(owner) || *owner == "aws")
                && policy.strip_prefix("policy/").is_some_and(|name| !name.is_empty()));
        if !fits {
            let message = format!("`{arn}` is not the ARN of a policy");
            let hint = "it looks like `arn:aws:iam::111122223333:policy/boundary`";
            self.push(Problem::error(at(["role", "boundary"]), message).hint(hint));
        }
    }

    /// A physical name: `written` in the file, `full` with what msgai adds.
    fn name(&mut self, path: Path, rule: &NameRule, written: &str, full: &str) {
        if let Some(wrong) = written.chars().find(|c| !(rule.allowed)(*c)) {
            let message = format!("{} `{written}` cannot have `{wrong}`", rule.what);
            let hint = if written.starts_with("arn:") {
                let name = written.rsplit([':', '/']).next().unwrap_or_default();
                format!("the name alone: `{name}`")
            } else {
                format!("it takes {}", rule.characters)
            };
            self.push(Problem::error(path, message).hint(hint));
            return;
        }
        // A stack's name that is none is told once, not again for everything that is called after it.
        if written.is_empty() && !limits::is_stack_name(&self.stack.name) {
            return;
        }
        let length = full.chars().count();
        if (rule.shortest..=rule.longest).contains(&length) {
            return;
        }
        let bound = if length < rule.shortest {
            format!("at least {}", rule.shortest)
        } else {
            format!("at most {}", rule.longest)
        };
        let count = if length == 1 {
            "1 character".to_owned()
        } else {
            format!("{length} characters")
        };
        let message = if length == 0 {
            format!("{} is empty", rule.what)
        } else {
            format!("{} `{full}` has {count}: {bound}", rule.what)
        };
        let hint = if length < rule.shortest {
            "write a longer one"
        } else if full == written {
            "write a shorter one"
        } else {
            "the name and the `suffix` count together"
        };
        self.push(Problem::error(path, message).hint(hint));
    }

    /// Two of one kind cannot have one physical name.
    fn twins(&mut self, section: &str, what: &str, names: impl Iterator<Item = (String, String)>) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (key, name) in names {
            match seen.get(&name) {
                Some(first) => {
                    let message =
                        format!("{what}s `{first}` and `{key}` would both be called `{name}`");
                    let place = at([section, &key, "name"]);
                    self.push(
                        Problem::error(place, message).hint("give one of them another `name`"),
                    );
                }
                None => {
                    seen.insert(name, key);
                }
            }
        }
    }

    fn retention(&mut self, path: Path, retention: &super::Retention) {
        if retention.0 == super::Retention::FOREVER {
            return;
        }
        let Some(days) = retention.days() else {
            let message = format!("retention `{}` is not a number of days", retention.0);
            self.push(Problem::error(path, message).hint("write `14d`, or `forever`"));
            return;
        };
        if !limits::RETENTION_DAYS.contains(&days) {
            let nearest = limits::RETENTION_DAYS
                .iter()
                .min_by_key(|known| known.abs_diff(days));
            let message = format!("logs cannot be kept for {days} days");
            let hint = nearest
                .map(|nearest| format!("the nearest that CloudWatch Logs has is `{nearest}d`"));
            self.push(Problem::error(path, message).maybe(hint));
        }
    }

    fn outputs(&mut self) {
        for (file, variables) in &self.stack.outputs {
            let path = std::path::Path::new(file);
            let inside = path.components().all(|part| {
                matches!(
                    part,
                    std::path::Component::Normal(_) | std::path::Component::CurDir
                )
            });
            if file.is_empty() || file.ends_with('/') || !inside {
                let message = format!("`{file}` is not a file beside or below the stack file");
                let hint = "a deploy writes into the stack file's folder only; `msgai outputs --env-file FILE` writes anywhere";
                self.push(Problem::error(at(["outputs", file]).itself(), message).hint(hint));
            }
            for (key, value) in variables {
                let here = at(["outputs", file, key]);
                let named = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                if !named {
                    let message = format!("`{key}` cannot be a variable's name");
                    let problem = Problem::error(here.clone().itself(), message);
                    self.push(problem.hint("letters, digits and `_`, not a digit first"));
                }
                if value.contains(['\n', '\r', '\0']) {
                    self.error(here, format!("the value of `{key}` must be one line"));
                }
            }
        }
    }
}
