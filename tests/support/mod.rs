//! A local cloud in this process and the engine aimed at it: what the tests of the engine stand on.

#![allow(dead_code, reason = "every test uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

pub(crate) mod account;
pub(crate) mod fate;
pub(crate) mod foreign;
pub(crate) mod held;
pub(crate) mod inventory;
pub(crate) mod line;
pub(crate) mod proxy;
pub(crate) mod sdk;

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use line::Line;
use msgai::apply::{Applied, apply};
use msgai::cloud::{Cloud, CloudError, Target};
use msgai::describe::{self, Address, Artifacts, Site};
use msgai::local::clock::Clock;
use msgai::local::inside::Inside;
use msgai::local::{Happening, LocalCloud, Options, Realism};
use msgai::names::{Kind, Place, StackId};
use msgai::observe::{Observed, observe};
use msgai::plan::guard::Consent;
use msgai::plan::{Plan, plan};
use msgai::report::Reporter;
use msgai::report::record::Record;
use msgai::resource::function::Code;
use msgai::resource::{Desired, Scope};
use msgai::stack::{Architecture, load_text};
use sdk::Sdk;
use sha2::{Digest as _, Sha256};
use tokio::sync::{broadcast, watch};

/// A stack file's text, and which code each of its functions has (the first, unless said otherwise).
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) codes: BTreeMap<String, u8>,
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            codes: BTreeMap::new(),
        }
    }
}

/// What a draft means in the local account.
pub(crate) struct Wanted {
    pub(crate) stack: StackId,
    pub(crate) desired: Desired,
    pub(crate) scope: Scope,
}

/// One whole deploy.
pub(crate) struct Deployed {
    pub(crate) before: Observed,
    pub(crate) plan: Plan,
    pub(crate) applied: Applied,
    pub(crate) record: Record,
}

/// What a run is to bring about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Deployed,
    Destroyed { delete_data: bool },
}

/// A run that was not refused at once.
pub(crate) struct Ran {
    pub(crate) plan: Plan,
    pub(crate) applied: Applied,
}

/// One answered call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) status: u16,
}

impl Call {
    pub(crate) fn is_write(&self) -> bool {
        let reads = ["Get", "List", "Describe"];
        !reads.iter().any(|verb| self.operation.starts_with(verb))
    }
}

/// Where a lab's cloud is.
pub(crate) enum Local {
    Served(LocalCloud),
    /// In this process, without a socket.
    Inside(Inside),
}

impl Local {
    pub(crate) fn endpoint(&self) -> String {
        match self {
            Self::Served(cloud) => cloud.endpoint(),
            Self::Inside(_) => INSIDE.to_owned(),
        }
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Happening> {
        match self {
            Self::Served(cloud) => cloud.watch(),
            Self::Inside(cloud) => cloud.watch(),
        }
    }
}

/// What stands for an address where there is no socket.
const INSIDE: &str = "http://127.0.0.1:0";

pub(crate) struct Lab {
    pub(crate) local: Local,
    pub(crate) cloud: Cloud,
    pub(crate) sdk: Sdk,
    pub(crate) place: Place,
    happenings: Mutex<broadcast::Receiver<Happening>>,
}

impl Lab {
    pub(crate) async fn instant() -> Self {
        Self::start(Realism::INSTANT, Clock::real()).await
    }

    pub(crate) async fn start(realism: Realism, clock: Clock) -> Self {
        let options = Options {
            realism,
            clock,
            ..Options::default()
        };
        let local = LocalCloud::start(options).await.unwrap();
        let cloud = cloud_at(&local.endpoint()).await;
        let place = cloud.caller().await.unwrap().place;
        Self {
            sdk: Sdk::at(&local.endpoint()),
            happenings: Mutex::new(local.watch()),
            local: Local::Served(local),
            cloud,
            place,
        }
    }

    /// Without a socket, on the runtime's clock: where that is paused, waiting costs nothing.
    pub(crate) async fn inside(realism: Realism) -> Self {
        Self::inside_from(realism, None, 500_000).await
    }

    /// As [`Lab::inside`], with its state in a folder; it goes on from what is there, at that hour of time.
    pub(crate) async fn inside_from(realism: Realism, dir: Option<&Path>, hour: u64) -> Self {
        let inside = Inside::open(Options {
            dir: dir.map(Path::to_owned),
            realism,
            clock: Clock::paced(Duration::from_hours(hour)),
            ..Options::default()
        });
        let inside = inside.unwrap();
        let cloud = cloud_over(&Line::to(&inside)).await;
        // Its clients do not try again, and so are slower than everything that is waited for.
        let slow = Line::to(&inside).slow(Duration::from_secs(6));
        Self {
            sdk: Sdk::over(INSIDE, slow.client()),
            happenings: Mutex::new(inside.watch()),
            place: cloud.caller().await.unwrap().place,
            local: Local::Inside(inside),
            cloud,
        }
    }

    /// The cloud in this process.
    pub(crate) fn within(&self) -> &Inside {
        match &self.local {
            Local::Inside(inside) => inside,
            Local::Served(_) => panic!("this cloud has a socket"),
        }
    }

    /// The calls answered since the last time this was asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut happenings = self.happenings.lock().unwrap();
        let mut all = Vec::new();
        loop {
            match happenings.try_recv() {
                Ok(Happening::Call {
                    operation, status, ..
                }) => all.push(Call { operation, status }),
                Ok(_) => {}
                Err(broadcast::error::TryRecvError::Empty) => return all,
                Err(error) => panic!("calls were missed: {error}"),
            }
        }
    }

    pub(crate) fn wanted(&self, draft: &Draft) -> Wanted {
        let loaded = load_text(&draft.text, "stack.yaml", None, &|_| None);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let code = |key: &String| {
            (
                key.clone(),
                code(draft.codes.get(key).copied().unwrap_or(0)),
            )
        };
        let artifacts: Artifacts = loaded.stack.functions.keys().map(code).collect();
        let site = Site {
            place: self.place.clone(),
            address: Address::Path(self.local.endpoint().replacen("http", "ws", 1)),
            makes_existing: false,
            protects: false,
            architecture: Architecture::X86_64,
        };
        let desired = describe::describe(&loaded.stack, &loaded.secrets, &artifacts, &site);
        Wanted {
            stack: loaded.stack.id(),
            scope: describe::scope(&loaded.stack, &desired, &self.place),
            desired,
        }
    }

    pub(crate) async fn observe(&self, wanted: &Wanted) -> Observed {
        Box::pin(observe(&self.cloud, &wanted.scope)).await.unwrap()
    }

    pub(crate) async fn plan(&self, draft: &Draft) -> Plan {
        let wanted = self.wanted(draft);
        let observed = self.observe(&wanted).await;
        self.plan_of(&wanted, &wanted.desired, &observed)
    }

    pub(crate) fn plan_of(&self, wanted: &Wanted, desired: &Desired, observed: &Observed) -> Plan {
        plan(&wanted.stack, &self.place, desired, observed)
    }

    /// The whole way; dangers that no consent lifts, and any change left undone, fail the test.
    pub(crate) async fn deploy(&self, draft: &Draft) -> Deployed {
        self.deploy_by(&self.cloud, draft).await
    }

    /// As [`Lab::deploy`], through other clients.
    pub(crate) async fn deploy_by(&self, cloud: &Cloud, draft: &Draft) -> Deployed {
        let deployed = self.try_deploy(cloud, draft).await;
        assert_complete(&deployed.applied);
        deployed
    }

    /// As [`Lab::deploy_by`], where changes may be left undone.
    pub(crate) async fn try_deploy(&self, cloud: &Cloud, draft: &Draft) -> Deployed {
        let wanted = self.wanted(draft);
        let before = Box::pin(observe(cloud, &wanted.scope)).await.unwrap();
        let plan = self.plan_of(&wanted, &wanted.desired, &before);
        let (applied, record) = carry_out(cloud, &plan).await;
        Deployed {
            before,
            plan,
            applied,
            record,
        }
    }

    /// What `destroy` would do, with `--delete-data` or without.
    pub(crate) async fn plan_to_destroy(&self, draft: &Draft, delete_data: bool) -> Plan {
        let wanted = self.wanted(draft);
        let mut nothing = Desired::default();
        if !delete_data {
            nothing.kept.insert(Kind::Table);
        }
        let observed = self.observe(&wanted).await;
        self.plan_of(&wanted, &nothing, &observed)
    }

    /// A whole run of the command, through clients of its own and from the question who calls, with the stack's lock.
    pub(crate) async fn pursue(
        &self,
        cloud: &Cloud,
        wanted: &Wanted,
        end: End,
    ) -> Result<Ran, CloudError> {
        let claim = held::claim("somebody");
        let patience = Duration::from_secs(90);
        let run = held::run_held(self, cloud, wanted, end, &claim, patience, &|_, _| {});
        match Box::pin(run).await? {
            held::Ended::Applied { plan, applied, .. } => Ok(Ran { plan, applied }),
            held::Ended::Locked(holder) => panic!("{holder:?} has the lock"),
        }
    }

    /// What a run would do.
    pub(crate) async fn planned(
        &self,
        cloud: &Cloud,
        place: &Place,
        wanted: &Wanted,
        end: End,
    ) -> Result<Plan, CloudError> {
        let nothing = match end {
            End::Destroyed { delete_data: false } => Desired {
                kept: [Kind::Table].into(),
                ..Desired::default()
            },
            End::Destroyed { delete_data: true } | End::Deployed => Desired::default(),
        };
        let desired = match end {
            End::Deployed => &wanted.desired,
            End::Destroyed { .. } => &nothing,
        };
        let observed = Box::pin(observe(cloud, &wanted.scope)).await?;
        Ok(plan(&wanted.stack, place, desired, &observed))
    }

    pub(crate) async fn destroy(&self, draft: &Draft, delete_data: bool) -> Plan {
        let plan = self.plan_to_destroy(draft, delete_data).await;
        assert_complete(&carry_out(&self.cloud, &plan).await.0);
        plan
    }

    /// Returns once `calls` more calls were answered.
    pub(crate) async fn after_calls(&self, calls: usize) {
        let mut happenings = self.local.watch();
        let mut left = calls;
        while left > 0 {
            if let Happening::Call { .. } = happenings.recv().await.unwrap() {
                left -= 1;
            }
        }
    }
}

fn target(endpoint: &str) -> Target {
    Target {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        local: true,
        ..Target::default()
    }
}

pub(crate) async fn cloud_at(endpoint: &str) -> Cloud {
    Cloud::open(&target(endpoint)).await.unwrap()
}

pub(crate) async fn cloud_over(line: &Line) -> Cloud {
    let target = target(INSIDE);
    Cloud::open_over(&target, line.client()).await.unwrap()
}

/// Applies a plan as the commands do: never one that refuses itself for good.
pub(crate) async fn carry_out(cloud: &Cloud, plan: &Plan) -> (Applied, Record) {
    let mut record = Record::default();
    let applied = carry_out_before(cloud, plan, &mut record).await;
    (applied, record)
}

/// As [`carry_out`], before a reporter of the test's own.
pub(crate) async fn carry_out_before(
    cloud: &Cloud,
    plan: &Plan,
    reporter: &mut dyn Reporter,
) -> Applied {
    let refused = plan.dangers.iter().find(|d| d.consent() == Consent::Never);
    assert!(refused.is_none(), "{refused:?}");
    let (_signals, stop) = watch::channel(false);
    Box::pin(apply(plan, cloud, &stop, reporter)).await
}

pub(crate) fn assert_complete(applied: &Applied) {
    let failures: Vec<String> = applied
        .failures()
        .map(|(id, error)| format!("{id}: {error}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(applied.is_complete(), "{:?}", applied.outcomes);
}

/// What a plan would do, for the message of a failed test.
pub(crate) fn shown(plan: &Plan) -> String {
    let changes: Vec<String> = plan
        .changes
        .values()
        .map(|change| format!("{} {:?}", change.action.symbol(), change))
        .collect();
    format!("{:?}\n{}", plan.dangers, changes.join("\n"))
}

/// The smallest code that Lambda takes; every version is another zip.
pub(crate) fn code(version: u8) -> Code {
    let options = zip::write::SimpleFileOptions::DEFAULT
        .last_modified_time(zip::DateTime::DEFAULT)
        .unix_permissions(0o755);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options).unwrap();
    write!(writer, "#!/bin/sh\nexit {version}\n").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    Code {
        sha256: base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&bytes)),
        zip: Arc::new(bytes),
    }
}
