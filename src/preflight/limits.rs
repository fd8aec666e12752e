//! Limits of the account that a plan would hit, asked for only when the plan adds what they count.

use std::collections::BTreeMap;

use super::{Check, Standing};
use crate::cloud::account::{LambdaAccount, Roles};
use crate::cloud::{Cloud, CloudError};
use crate::names::Kind;
use crate::plan::{Action, Plan};
use crate::resource::Resource;

/// Executions that Lambda wants left unreserved; an account that has fewer at all may reserve none.
const UNRESERVED: i64 = 100;

/// What AWS lets an API have unless it was asked for more.
const OF_AN_API: &[(Kind, usize)] = &[
    (Kind::Route, 300),
    (Kind::Integration, 300),
    (Kind::Authorizer, 10),
    (Kind::Stage, 10),
];

/// What a plan adds to what an account counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Adds {
    functions: usize,
    /// Bytes of new functions' code.
    code: i64,
    /// Executions reserved, less those given back.
    reserved: i64,
    roles: i64,
}

impl Adds {
    fn of(plan: &Plan) -> Self {
        let mut adds = Self::default();
        for change in plan.changes.values() {
            match &change.action {
                Action::Create(resource) => adds.create(resource),
                Action::Update { because, .. } if change.id.kind == Kind::Function => {
                    let reservations = because.iter().filter(|d| d.field == "concurrency");
                    adds.reserved += reservations
                        .map(|d| d.to.as_i64().unwrap_or(0) - d.from.as_i64().unwrap_or(0))
                        .sum::<i64>();
                }
                _ => {}
            }
        }
        adds
    }

    fn create(&mut self, resource: &Resource) {
        match resource {
            Resource::Role(_) => self.roles += 1,
            Resource::Function(function) => {
                self.functions += 1;
                self.code += i64::try_from(function.code.zip.len()).unwrap_or(i64::MAX);
                self.reserved += i64::from(function.concurrency.unwrap_or(0));
            }
            _ => {}
        }
    }
}

pub(super) async fn check(cloud: &Cloud, plan: &Plan) -> Vec<Check> {
    let adds = Adds::of(plan);
    let lambda = async {
        if adds.functions == 0 && adds.reserved <= 0 {
            return Vec::new();
        }
        let answer = cloud.lambda_account().await;
        known("functions", answer, |account| of_lambda(&adds, account))
    };
    let roles = async {
        if adds.roles == 0 {
            return Vec::new();
        }
        known("roles", cloud.roles().await, |roles| of_roles(&adds, roles))
    };
    let (mut checks, roles) = futures_util::join!(lambda, roles);
    checks.extend(roles);
    checks.extend(of_api(plan));
    checks
}

fn known<T>(
    about: &'static str,
    answer: Result<Option<T>, CloudError>,
    judge: impl Fn(T) -> Vec<Check>,
) -> Vec<Check> {
    let why = match answer {
        Ok(Some(account)) => return judge(account),
        Ok(None) => "the answer does not say".to_owned(),
        Err(error) => error.to_string(),
    };
    let text = format!("the account's limits: {why}");
    vec![Check::new(about, Standing::NotKnown, text)]
}

fn of_lambda(adds: &Adds, account: LambdaAccount) -> Vec<Check> {
    let mut checks = Vec::new();
    if adds.reserved > 0 {
        checks.push(of_reservations(adds, account));
    }
    let after = account.stored.saturating_add(adds.code);
    if adds.functions > 0 && after > account.storage {
        let text = format!(
            "the code of new functions needs {} MB, and {} of the account's {} MB are used",
            megabytes(adds.code),
            megabytes(account.stored),
            megabytes(account.storage)
        );
        checks.push(Check::new("functions", Standing::Problem, text).hint(
            "delete old versions or functions that nobody uses, or ask AWS for more code storage",
        ));
    }
    if checks.is_empty() {
        let text = format!(
            "{} of {} MB of code are used",
            megabytes(account.stored),
            megabytes(account.storage)
        );
        checks.push(Check::new("functions", Standing::Ok, text));
    }
    checks
}

fn of_reservations(adds: &Adds, account: LambdaAccount) -> Check {
    let left = account.unreserved - adds.reserved;
    let least = UNRESERVED.min(account.concurrency);
    let text = format!(
        "{} more executions reserved leave {left} of the account's {} to all other functions",
        adds.reserved, account.concurrency
    );
    if left >= least {
        return Check::new("concurrency", Standing::Ok, text);
    }
    Check::new(
        "concurrency",
        Standing::Problem,
        format!("{text}, and Lambda wants {least} left"),
    )
    .hint("lower `concurrency` in the file, or ask AWS for more concurrent executions")
}

fn of_roles(adds: &Adds, roles: Roles) -> Vec<Check> {
    let text = format!(
        "{} of {} roles are there, {} more",
        roles.there, roles.quota, adds.roles
    );
    if roles.there + adds.roles <= roles.quota {
        return vec![Check::new("roles", Standing::Ok, text)];
    }
    let check = Check::new("roles", Standing::Problem, text);
    vec![check.hint("remove roles that nobody uses, or ask AWS for a higher quota of roles")]
}

/// How many of each there would be at once: what is removed goes last.
fn of_api(plan: &Plan) -> Vec<Check> {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for id in plan.facts.keys() {
        *counts.entry(id.kind).or_default() += 1;
    }
    let mut added: BTreeMap<Kind, usize> = BTreeMap::new();
    for change in plan.changes.values() {
        if matches!(change.action, Action::Create(_)) {
            *added.entry(change.id.kind).or_default() += 1;
        }
    }
    let over = |&(kind, limit): &(Kind, usize)| {
        let new = added.get(&kind).copied().unwrap_or(0);
        let whole = counts.get(&kind).copied().unwrap_or(0) + new;
        (new > 0 && whole > limit).then(|| {
            let text = format!(
                "{whole} of kind {kind} in one API, and AWS allows {limit} unless it was asked for more"
            );
            Check::new("api", Standing::Warning, text)
        })
    };
    OF_AN_API.iter().filter_map(over).collect()
}

fn megabytes(bytes: i64) -> i64 {
    // Rounded up: a little is not nothing.
    bytes.saturating_add(999_999) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: LambdaAccount = LambdaAccount {
        concurrency: 1000,
        unreserved: 400,
        storage: 1_000_000_000,
        stored: 990_000_000,
    };

    fn standings(checks: &[Check]) -> Vec<(&str, Standing)> {
        checks.iter().map(|c| (c.about, c.standing)).collect()
    }

    #[test]
    fn a_hundred_executions_stay_unreserved() {
        for (reserved, standing) in [(300, Standing::Ok), (301, Standing::Problem)] {
            let adds = Adds {
                reserved,
                ..Adds::default()
            };
            let checks = of_lambda(&adds, ACCOUNT);
            assert_eq!(
                standings(&checks),
                [("concurrency", standing)],
                "{reserved}"
            );
        }
    }

    /// A new account has ten in all.
    #[test]
    fn a_small_account_may_reserve_none() {
        let small = LambdaAccount {
            concurrency: 10,
            unreserved: 10,
            ..ACCOUNT
        };
        let adds = Adds {
            reserved: 1,
            ..Adds::default()
        };
        let checks = of_lambda(&adds, small);
        assert_eq!(standings(&checks), [("concurrency", Standing::Problem)]);
    }

    #[test]
    fn code_that_does_not_fit_is_told_before_it_is_sent() {
        for (code, standing) in [(10_000_000, Standing::Ok), (10_000_001, Standing::Problem)] {
            let adds = Adds {
                functions: 1,
                code,
                ..Adds::default()
            };
            let checks = of_lambda(&adds, ACCOUNT);
            assert_eq!(standings(&checks), [("functions", standing)], "{code}");
        }
    }

    #[test]
    fn roles_are_counted() {
        let adds = Adds {
            roles: 2,
            ..Adds::default()
        };
        for (there, standing) in [(998, Standing::Ok), (999, Standing::Problem)] {
            let checks = of_roles(&adds, Roles { there, quota: 1000 });
            assert_eq!(standings(&checks), [("roles", standing)], "{there}");
        }
    }

    #[test]
    fn no_answer_is_no_problem() {
        let nothing = || known::<Roles>("roles", Ok(None), |_| Vec::new());
        assert_eq!(standings(&nothing()), [("roles", Standing::NotKnown)]);
    }
}
