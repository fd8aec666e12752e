//! From flags to a stack, a cloud and a place: what every verb that talks to a cloud begins with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::sync::watch;
use ulid::Ulid;

use super::local::{self, Local};
use super::who::place;
use super::{Context, environment};
use crate::cli::{Adopt, Code};
use crate::cloud::{Caller, Cloud, CloudError, Fault, Target};
use crate::describe::{self, Address, Artifacts, Site};
use crate::error::{Error, ErrorKind};
use crate::ledger::{Claim, Ledger, Seen};
use crate::names::ResourceId;
use crate::observe::{Observed, observe};
use crate::package::Arch;
use crate::plan::guard::Consent;
use crate::plan::{Plan, plan};
use crate::resource::table::Until;
use crate::resource::{Desired, Scope, api};
use crate::stack::{self, Architecture, DomainDef, JwtDef, Loaded, Severity, Unfit};

/// A stack file and the cloud that it is for.
pub(crate) struct Session {
    pub(crate) loaded: Loaded,
    pub(crate) cloud: Cloud,
    pub(crate) site: Site,
    /// The ARN of who is signed in.
    pub(crate) caller: String,
    /// The stack's lock, looked at before anything else, where that can be.
    pub(crate) seen: Option<Seen>,
    /// Kept alive while it is used.
    pub(crate) local: Option<Local>,
    /// Objects to take over; nothing, for verbs that take nothing over.
    adopt: BTreeSet<ResourceId>,
    /// Those of them that the command line names.
    named: BTreeSet<ResourceId>,
    /// Whether indexes that AWS builds for minutes are waited for.
    until: Until,
}

/// Finds and reads the stack file, and says what it warns of.
pub(crate) fn load(context: &Context) -> Result<Loaded, Error> {
    let file = find(context)?;
    let chosen = context.global.environment.as_deref();
    let region = context.global.region.clone();
    let lookup = move |name: &str| match name {
        "AWS_REGION" => region.clone().or_else(|| environment(name)),
        _ => environment(name),
    };
    stack::load(&file, chosen, &lookup).map_err(|problems| problems_error(context, &problems))
}

fn problems_error(context: &Context, problems: &stack::Problems) -> Error {
    let errors = problems.all.iter();
    let mut errors = errors.filter(|problem| problem.severity == Severity::Error);
    let message = match (errors.next(), errors.count()) {
        (Some(only), 0) => only.message.clone(),
        (_, rest) => format!("the stack file has {} problems", rest + 1),
    };
    let mut error =
        Error::failed(message).details(serde_json::json!({ "problems": problems.to_json() }));
    let text = problems.render(context.look_err.colour);
    error.verbatim = Some(text.trim_end().to_owned());
    error
}

pub(crate) fn find(context: &Context) -> Result<PathBuf, Error> {
    if let Some(file) = &context.global.file {
        return Ok(file.clone());
    }
    let here = std::env::current_dir()
        .map_err(|error| Error::failed(format!("the current folder is unknown: {error}")))?;
    let found = stack::find(&here);
    // Where it lies below the current folder, that is how a person would say it.
    let found = found.map(|file| file.strip_prefix(&here).map(Path::to_owned).unwrap_or(file));
    found.ok_or_else(|| {
        Error::failed(format!(
            "there is no {} here or in a parent folder",
            stack::FILE
        ))
        .hint(other_file(&here))
    })
}

/// The next step where there is no stack file: one of another name may be meant.
fn other_file(here: &Path) -> String {
    let near = [
        "stack.yml",
        "Stack.yaml",
        "stack.json",
        "msgai.yaml",
        "msgai.yml",
    ];
    match near.into_iter().find(|name| here.join(name).is_file()) {
        Some(name) => format!("rename {name} to {}, or say `-f {name}`", stack::FILE),
        None => "write one with `msgai init`, or name one with `--file`".to_owned(),
    }
}

/// The folder that paths in a stack file start from.
pub(crate) fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

impl Session {
    /// Loads the file and finds out where it is for: AWS, an endpoint, or the local cloud.
    pub(crate) async fn open(context: &Context) -> Result<Self, Error> {
        Self::opened(context, false).await
    }

    /// As [`Session::open`], for a command that will want the lock or tells of it.
    pub(crate) async fn open_for_run(context: &Context) -> Result<Self, Error> {
        Self::opened(context, true).await
    }

    async fn opened(context: &Context, looks: bool) -> Result<Self, Error> {
        let loaded = load(context)?;
        let local = if context.global.local {
            let named = context.global.region.as_deref();
            let region = named.or(loaded.stack.region.as_deref());
            Some(local::reach(&folder(&loaded.file), region).await?)
        } else {
            None
        };
        Self::at(context, loaded, local, looks).await
    }

    /// As [`Session::open`], for a file that is read and a local cloud that runs.
    pub(crate) async fn at(
        context: &Context,
        loaded: Loaded,
        local: Option<Local>,
        looks: bool,
    ) -> Result<Self, Error> {
        let global = &context.global;
        let target = match &local {
            Some(local) => Target {
                profile: None,
                profile_first: false,
                region: Some(local.region().to_owned()),
                endpoint: Some(local.endpoint()),
                local: true,
            },
            None => Target {
                profile: global.profile.clone(),
                profile_first: global.profile_is_flag,
                region: global
                    .region
                    .clone()
                    .or_else(|| loaded.stack.region.clone()),
                endpoint: global.endpoint_url.clone(),
                local: false,
            },
        };
        named_region(&target)?;
        let opened = Cloud::open(&target).await;
        let cloud = opened.map_err(|error| match &target.profile {
            Some(profile) if error.operation == "Configure" => of_cloud(error).hint(format!(
                "profile `{profile}` names none, or is not there: `aws configure list-profiles`"
            )),
            _ => of_cloud(error),
        })?;
        let ledger = Ledger::new(&cloud, &loaded.stack.id());
        // Who wants the lock will be told what is wrong with the ledger.
        let look = async {
            if looks {
                ledger.look().await.ok()
            } else {
                None
            }
        };
        let address = async {
            match (&local, &target.endpoint) {
                (Some(local), _) => address_at(&cloud, local, &loaded).await,
                (None, Some(endpoint)) => Ok(Address::Path(websocket(endpoint))),
                (None, None) => Ok(Address::Aws),
            }
        };
        let (caller, seen, address) = futures_util::join!(cloud.caller(), look, address);
        let caller = caller.map_err(|error| of_first_call(error, &target))?;
        let address = address?;
        let host = match Arch::host() {
            Some(Arch::Arm64) => Architecture::Arm64,
            Some(Arch::X86_64) | None => Architecture::X86_64,
        };
        let is_local = local.is_some();
        let is_dev = loaded.environment.as_deref() == Some("dev");
        let site = Site {
            place: caller.place,
            address,
            makes_existing: is_local,
            protects: !is_local && !is_dev,
            architecture: if is_local { host } else { Architecture::X86_64 },
        };
        let session = Self {
            loaded,
            cloud,
            site,
            caller: caller.arn,
            seen,
            local,
            adopt: BTreeSet::new(),
            named: BTreeSet::new(),
            until: Until::AtRest,
        };
        session.guard_account()?;
        session.guard_certificate()?;
        Ok(session)
    }

    /// The file may name the one account that it is for.
    fn guard_account(&self) -> Result<(), Error> {
        let have = &self.site.place.account;
        match &self.loaded.stack.account {
            Some(want) if self.local.is_none() && want != have => Err(Error::refused(format!(
                "you are signed in to account {have}, but {} names {want}",
                self.loaded.file.display()
            ))
            .hint("use the `--profile` of that account")),
            _ => Ok(()),
        }
    }

    /// The Region and the account may be named elsewhere than in the file.
    fn guard_certificate(&self) -> Result<(), Error> {
        let domain = self.loaded.stack.api.domain.as_ref();
        let Some(of) = domain.and_then(DomainDef::certificate_place) else {
            return Ok(());
        };
        let place = &self.site.place;
        let here = (
            place.partition.as_str(),
            place.region.as_str(),
            place.account.as_str(),
        );
        if of == here || self.site.address != Address::Aws {
            return Ok(());
        }
        let ((_, region, account), (_, here, us)) = (of, here);
        let message = format!(
            "the domain's certificate is in {region}, account {account}, and this is {here}, account {us}"
        );
        let hint = "API Gateway takes a certificate of its own account and Region: name one in \
                    `api.domain.certificate`";
        Err(Error::refused(message).hint(hint))
    }

    /// Takes over what the file and the command line name for it.
    pub(crate) fn adopting(mut self, flags: &Adopt) -> Result<Self, Error> {
        let stack = &self.loaded.stack;
        let region = Some(self.site.place.region.as_str());
        for text in stack.adopt.iter().chain(&flags.named) {
            let unfit = |unfit: Unfit| Error::usage(unfit.message).hints(unfit.hint);
            let id = stack.adopted(text, region).map_err(unfit)?;
            if flags.named.contains(text) {
                self.named.insert(id.clone());
            }
            self.adopt.insert(id);
        }
        Ok(self)
    }

    /// When changes of tables count as made.
    pub(crate) fn until(self, until: Until) -> Self {
        Self { until, ..self }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// What clients of the stack's local cloud trust.
    pub(crate) fn authority(&self) -> Option<std::path::PathBuf> {
        self.local.as_ref()?;
        local::authority(&folder(&self.loaded.file))
    }

    /// The local cloud is in this process, and ends with it.
    pub(crate) fn serves_only_now(&self) -> bool {
        matches!(self.local, Some(Local::Here { .. }))
    }

    /// The lock and the history of this stack.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(&self.cloud, &self.loaded.stack.id())
    }

    /// A run of this command that begins now, as others are to see it.
    pub(crate) fn claim(&self, command: &str) -> Claim {
        Claim {
            run: Ulid::generate().to_string(),
            who: self.caller.clone(),
            place: place(),
            command: command.to_owned(),
            since: Timestamp::now().to_string(),
        }
    }

    /// Who is signed in, and where.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            place: self.site.place.clone(),
            arn: self.caller.clone(),
        }
    }

    pub(crate) fn describe(&self, artifacts: &Artifacts) -> Desired {
        describe::describe(
            &self.loaded.stack,
            &self.loaded.secrets,
            artifacts,
            &self.site,
        )
        .until(self.until)
    }

    pub(crate) fn scope(&self) -> Scope {
        let desired = self.describe(&Artifacts::new());
        Scope {
            adopt: self.adopt.clone(),
            ..describe::scope(&self.loaded.stack, &desired, &self.site.place)
        }
    }

    pub(crate) async fn observe(&self) -> Result<Observed, Error> {
        let mut observed = observe(&self.cloud, &self.scope())
            .await
            .map_err(of_cloud)?;
        if self.is_local() {
            // What the file takes over is on AWS, and nothing is amiss where this machine has no such thing.
            observed.absent.retain(|id| self.named.contains(id));
        }
        Ok(observed)
    }

    pub(crate) fn plan(&self, desired: &Desired, observed: &Observed) -> Plan {
        plan(&self.loaded.stack.id(), &self.site.place, desired, observed)
    }

    /// Builds and looks at once, then plans.
    pub(crate) async fn planned(&self, context: &Context, code: &Code) -> Result<Plan, Error> {
        self.refuse_local_issuer()?;
        let artifacts = super::code::artifacts(context, self, code);
        let (artifacts, observed) = futures_util::join!(artifacts, self.observe());
        // An unreachable cloud is the likelier mistake, and the quicker to mend.
        let observed = observed?;
        Ok(self.plan(&self.describe(&artifacts?), &observed))
    }
}

impl Session {
    /// Tokens of an issuer on this machine are for trials: whoever can run one would be anybody on AWS, or nobody.
    fn refuse_local_issuer(&self) -> Result<(), Error> {
        let is_of_this_machine = match (self.loaded.stack.jwt(), &self.site.address) {
            (None, _) => false,
            (Some(_), _) if self.is_local() => false,
            (Some(jwt), Address::Aws) => jwt.is_local(),
            // Another cloud on this machine may know an issuer here, but not the local cloud's.
            (Some(jwt), _) => jwt.issuer == JwtDef::LOCAL,
        };
        if !is_of_this_machine {
            return Ok(());
        }
        let text = "`auth.jwt.issuer` is one of this machine, which only a local cloud may believe";
        Err(Error::new(ErrorKind::Refused, text)
            .hint("name the issuer of your users' tokens, or say `--local`"))
    }
}

/// In the local cloud, which lists the oldest API first, a stage alone is the address of the first that has it.
async fn address_at(cloud: &Cloud, local: &Local, loaded: &Loaded) -> Result<Address, Error> {
    let base = websocket(&local.address());
    let (id, stage) = (loaded.stack.id(), &loaded.stack.api.stage);
    let is_taken = api::is_stage_taken(cloud, &id, stage).await;
    Ok(if is_taken.map_err(of_cloud)? {
        Address::Path(base)
    } else {
        Address::Stage(base)
    })
}

/// `http://host` → `ws://host`.
fn websocket(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.strip_prefix("https") {
        Some(rest) => format!("wss{rest}"),
        None => endpoint.replacen("http", "ws", 1),
    }
}

/// AWS has no Region whose name has not the shape of one.
fn named_region(target: &Target) -> Result<(), Error> {
    // An emulator may call its only Region anything.
    let of_aws = target.endpoint.is_none();
    let region = target.region.as_deref().filter(|_| of_aws);
    match region.and_then(|region| Some((region, stack::validate::no_region(region)?))) {
        Some((region, hint)) => Err(Error::usage(format!("`{region}` is not a Region")).hint(hint)),
        None => Ok(()),
    }
}

/// A cloud's error as a person meets it.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` takes"
)]
pub(crate) fn of_cloud(error: CloudError) -> Error {
    let kind = match error.fault {
        Fault::Denied => ErrorKind::Refused,
        _ => ErrorKind::Failed,
    };
    let kind = if error.operation == "Configure" {
        ErrorKind::Usage
    } else {
        kind
    };
    let message = match error.fault {
        Fault::Invalid if error.operation == "Configure" => error.message.clone(),
        _ => error.to_string(),
    };
    Error::new(kind, message).hints(error.hint())
}

/// The first call also shows whether there is anybody to call, and who calls.
fn of_first_call(error: CloudError, target: &Target) -> Error {
    let (fault, reason) = (error.fault, error.message.clone());
    let mut shown = of_cloud(error);
    match (fault, &target.profile) {
        (Fault::Unreachable, _) => {
            let whom = target.endpoint.as_deref().unwrap_or("AWS");
            shown.message = format!("cannot reach {whom}: {reason}");
        }
        (Fault::Credentials, Some(profile)) if target.profile_first => {
            shown.message = format!("profile `{profile}` gives no credentials: {reason}");
            shown.hints = vec!["`aws configure list-profiles` says which there are".to_owned()];
        }
        _ => {}
    }
    shown
}

/// Refuses a plan whose dangers nobody has consented to.
pub(crate) fn guard(plan: &Plan, consents: &[Consent]) -> Result<(), Error> {
    let refused: Vec<_> = plan
        .dangers
        .iter()
        .filter(|danger| !consents.contains(&danger.consent()))
        .collect();
    let Some((first, rest)) = refused.split_first() else {
        return Ok(());
    };
    let mut hints: Vec<String> = refused.iter().map(|danger| danger.hint()).collect();
    hints.dedup();
    let mut error = Error::refused(first.to_string()).hints(hints);
    error.also = rest.iter().map(ToString::to_string).collect();
    Err(error.details(serde_json::json!({ "dangers": refused })))
}

/// Turns true at the first SIGINT or SIGTERM; the second ends the process at once.
pub(crate) fn signals() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    #[expect(
        clippy::disallowed_methods,
        reason = "a signal must be heard while the engine's one task is busy"
    )]
    tokio::spawn(async move {
        interrupted().await;
        sender.send(true).ok();
        interrupted().await;
        #[expect(clippy::exit, reason = "a second signal means now")]
        std::process::exit(i32::from(ErrorKind::Stopped.exit_code()));
    });
    receiver
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

/// Ctrl-Break is what a runner of jobs sends when Ctrl-C was not enough, and ends other programs at once.
#[cfg(windows)]
async fn interrupted() {
    match tokio::signal::windows::ctrl_break() {
        Ok(mut ctrl_break) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = ctrl_break.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
