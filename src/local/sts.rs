//! STS: who calls, and the sessions of roles (query protocol). Any key but a session's is the account's one user.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::json;

use super::iam::{Ask, Context, Principal, check, user};
use super::refusal::Refusal;
use super::service::{key, text};
use super::wire::{self, Reply};
use super::{World, locked};

/// The unique id of the account's one user.
pub(crate) const USER_ID: &str = "AIDALOCALLOCALLOCALXX";

/// How long a session lasts that nobody gave a length.
const HOUR: u64 = 3600;

/// How the keys of sessions begin. A key of that kind which is not known was given out before a restart.
const SESSION: &str = "ASIALOCAL";

/// The sessions that were given out, by key. They end with the process, as sessions do.
#[derive(Debug, Default)]
pub(crate) struct Sts(Mutex<BTreeMap<String, Arc<Session>>>);

/// A role, acting.
#[derive(Debug)]
pub(crate) struct Session {
    /// The role's ARN.
    pub(crate) role: String,
    pub(crate) name: String,
    /// The ARN of the function whose processes it is for.
    pub(crate) function: Option<String>,
    token: String,
    ends: Option<Duration>,
}

/// What a client signs with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

impl Session {
    /// Its role's.
    fn account(&self) -> &str {
        self.role.split(':').nth(4).unwrap_or_default()
    }

    pub(crate) fn arn(&self) -> String {
        let role = self.role.rsplit('/').next().unwrap_or_default();
        format!(
            "arn:aws:sts::{}:assumed-role/{role}/{}",
            self.account(),
            self.name
        )
    }

    /// It is its role, too.
    pub(crate) fn principal(&self) -> Principal {
        Principal::Identity {
            account: self.account().to_owned(),
            arns: vec![self.role.clone(), self.arn()],
        }
    }
}

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Untaken {
    Invalid,
    Expired,
}

impl Untaken {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Invalid => "The security token included in the request is invalid.",
            Self::Expired => "The security token included in the request is expired",
        }
    }
}

/// The session that a request is signed with; `None` is the account's user.
pub(crate) fn caller(world: &World, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Untaken> {
    let key = key(headers);
    let Some(session) = locked(&world.sts.0).get(key).cloned() else {
        if key.starts_with(SESSION) {
            return Err(Untaken::Expired);
        }
        return Ok(None);
    };
    if text(headers, "x-amz-security-token") != session.token {
        return Err(Untaken::Invalid);
    }
    if session.ends.is_some_and(|ends| ends <= world.clock.now()) {
        return Err(Untaken::Expired);
    }
    Ok(Some(session))
}

/// The ARN of whoever this key was given to, for what only tells of them.
pub(crate) fn holder(world: &World, key: &str) -> String {
    who(world, session(world, key).as_deref())
}

/// A session for a function's processes; it lasts as long as they do.
pub(crate) fn for_function(world: &World, role: &str, name: &str, arn: &str) -> Credentials {
    let session = Session {
        role: role.to_owned(),
        name: name.to_owned(),
        function: Some(arn.to_owned()),
        token: token(),
        ends: None,
    };
    world.sts.give(session)
}

impl Sts {
    /// Whether the key is of a session that was given out here.
    pub(crate) fn knows(&self, key: &str) -> bool {
        locked(&self.0).contains_key(key)
    }

    fn give(&self, session: Session) -> Credentials {
        let letters = std::iter::repeat_with(fastrand::alphanumeric).take(20 - SESSION.len());
        let letters: String = letters.collect();
        let credentials = Credentials {
            key: format!("{SESSION}{}", letters.to_ascii_uppercase()),
            secret: "local".to_owned(),
            token: session.token.clone(),
        };
        locked(&self.0).insert(credentials.key.clone(), Arc::new(session));
        credentials
    }

    /// The processes that signed with this key are gone.
    pub(crate) fn forget(&self, key: &str) {
        locked(&self.0).remove(key);
    }
}

fn token() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(64)
        .collect()
}

pub(crate) fn answer(
    world: &World,
    operation: &str,
    parameters: &BTreeMap<String, String>,
    caller: Option<&Session>,
) -> Result<Reply, Refusal> {
    match operation {
        "GetCallerIdentity" => Ok(Reply::ok(json!({
            "Arn": who(world, caller),
            "UserId": USER_ID,
            "Account": world.account,
        }))),
        "AssumeRole" => assume(world, parameters, caller),
        _ => Err(Refusal::new(
            400,
            "InvalidAction",
            format!("Could not find operation {operation} for version 2011-06-15"),
        )),
    }
}

/// The session that this is the key of.
pub(crate) fn session(world: &World, key: &str) -> Option<Arc<Session>> {
    locked(&world.sts.0).get(key).cloned()
}

fn who(world: &World, caller: Option<&Session>) -> String {
    caller.map_or_else(|| world.user(), Session::arn)
}

fn assume(
    world: &World,
    parameters: &BTreeMap<String, String>,
    caller: Option<&Session>,
) -> Result<Reply, Refusal> {
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let (role, session) = (parameter("RoleArn"), parameter("RoleSessionName"));
    if role.is_empty() || session.is_empty() {
        let message = "1 validation error detected: RoleArn and RoleSessionName must not be null";
        return Err(Refusal::new(400, "ValidationError", message));
    }
    let lasts = lasts(parameters)?;
    allowed(world, role, parameter("ExternalId"), caller)?;
    let ends = world.clock.now() + lasts;
    let session = Session {
        role: role.to_owned(),
        name: session.to_owned(),
        function: None,
        token: token(),
        ends: Some(ends),
    };
    let (arn, name) = (session.arn(), session.name.clone());
    let credentials = world.sts.give(session);
    Ok(Reply::ok(json!({
        "Credentials": {
            "AccessKeyId": credentials.key,
            "SecretAccessKey": credentials.secret,
            "SessionToken": credentials.token,
            "Expiration": wire::iso(ends),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROALOCALLOCALLOCALXX:{name}"),
            "Arn": arn,
        },
    })))
}

/// The role must trust who calls; a session needs the action of its own role, too.
fn allowed(
    world: &World,
    role: &str,
    external: &str,
    caller: Option<&Session>,
) -> Result<(), Refusal> {
    let mut context = Context::default();
    context.set("aws:PrincipalAccount", world.account.clone());
    if !external.is_empty() {
        context.set("sts:ExternalId", external);
    }
    let denied = |message: String| Refusal::new(403, "AccessDenied", message);
    if let Some(session) = caller {
        check(world, session, &[Ask::new("sts:AssumeRole", role)]).map_err(denied)?;
    }
    let principal = caller.map_or_else(|| user(world), Session::principal);
    if world.iam.trusts(role, &principal, &context) {
        return Ok(());
    }
    Err(denied(format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
        who(world, caller)
    )))
}

fn lasts(parameters: &BTreeMap<String, String>) -> Result<Duration, Refusal> {
    let Some(given) = parameters.get("DurationSeconds") else {
        return Ok(Duration::from_secs(HOUR));
    };
    let seconds = given.parse().ok().filter(|s| (900..=12 * HOUR).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let rule = "Member must have value between 900 and 43200";
        let message = format!(
            "1 validation error detected: Value '{given}' at 'durationSeconds' failed to satisfy constraint: {rule}"
        );
        Refusal::new(400, "ValidationError", message)
    })
}
