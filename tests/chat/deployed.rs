//! A stack in a local cloud, made by the same steps as `deploy` makes it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use msgai::apply::apply;
use msgai::cloud::{Cloud, Target};
use msgai::describe::{Address, Artifacts, Site, describe, scope};
use msgai::local::{LocalCloud, Options};
use msgai::names::Facts;
use msgai::observe::{Observed, observe};
use msgai::package::{Arch, Profile, Request, Source, package};
use msgai::plan::switch::{Live, switch};
use msgai::plan::{Plan, plan};
use msgai::report::record::Record;
use msgai::resource::function::Code;
use msgai::resource::past::Past;
use msgai::stack::{Architecture, Loaded, load_text};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

const REGION: &str = "us-east-1";

/// Code of functions that are not shipped, by their keys.
pub(crate) type Own = BTreeMap<String, Code>;

/// A stack, and the local cloud that it is for.
pub(crate) struct Deployed {
    pub(crate) local: LocalCloud,
    pub(crate) url: String,
    engine: Cloud,
    loaded: Loaded,
    site: Site,
}

/// Starts a local cloud in memory and deploys a stack of shipped handlers to it.
pub(crate) async fn deploy(stack: &str, environment: Option<&str>) -> Deployed {
    let deployed = open(stack, environment, None).await;
    deployed.deploy(handlers(), &Own::new()).await;
    deployed
}

/// A local cloud with its state in `dir`, or in memory, and nothing deployed by this.
pub(crate) async fn open(stack: &str, environment: Option<&str>, dir: Option<&Path>) -> Deployed {
    let loaded = load_text(stack, "stack.yaml", environment, &|_| None)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let local = LocalCloud::start(Options {
        dir: dir.map(Path::to_owned),
        region: REGION.to_owned(),
        ..Options::default()
    })
    .await
    .unwrap();
    let engine = Cloud::open(&Target {
        region: Some(REGION.to_owned()),
        endpoint: Some(local.endpoint()),
        local: true,
        ..Target::default()
    })
    .await
    .unwrap();
    let base = local.endpoint().replacen("http", "ws", 1);
    let site = Site {
        place: engine.caller().await.unwrap().place,
        address: Address::Stage(base),
        makes_existing: true,
        protects: false,
        architecture: match host() {
            Arch::X86_64 => Architecture::X86_64,
            Arch::Arm64 => Architecture::Arm64,
        },
    };
    // The local cloud knows its one stage by name, so the URL needs no id.
    let url = site.url(&loaded.stack).resolve(&Facts::new()).unwrap();
    Deployed {
        local,
        url,
        engine,
        loaded,
        site,
    }
}

impl Deployed {
    /// What goes wrong from now on, as the local cloud's plan of faults says it.
    pub(crate) async fn plan_faults(&self, plan: &Value) {
        let endpoint = self.local.endpoint();
        let address = endpoint.trim_start_matches("http://");
        let body = plan.to_string();
        let request = format!(
            "PUT /_msgai/faults HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// Deploys the stack; everything must succeed, and leave nothing to do. Gives how many changes there were.
    pub(crate) async fn deploy(&self, shipped: &Code, own: &Own) -> usize {
        let artifacts = self.artifacts(shipped, own);
        let plan = self.plan(&artifacts).await;
        let changes = self.carry_out(&plan).await;
        let again = self.plan(&artifacts).await;
        assert!(again.is_empty(), "{:#?}", again.changes);
        changes
    }

    async fn carry_out(&self, plan: &Plan) -> usize {
        let (_keep, stop) = watch::channel(false);
        assert_eq!(plan.dangers, []);
        let mut record = Record::default();
        let applied = apply(plan, &self.engine, &stop, &mut record).await;
        assert!(applied.is_complete(), "{:#?}", record.events);
        applied.outcomes.len()
    }

    /// The file says something else from now on.
    pub(crate) fn edit(&mut self, stack: &str) {
        self.loaded = load_text(stack, "stack.yaml", None, &|_| None)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    }

    /// What is served now.
    pub(crate) async fn live(&self) -> Live {
        Live::of(&self.observed(&Artifacts::new()).await.facts())
    }

    /// Turns back to what was live once.
    pub(crate) async fn go_back(&self, target: &Live) -> usize {
        let observed = self.observed(&Artifacts::new()).await;
        let id = self.loaded.stack.id();
        let facts = observed.facts();
        let past = Past::read(&self.engine, &id, &facts).await.unwrap();
        let plan = switch(&id, &self.site.place, &observed, &past, target).unwrap();
        let changes = self.carry_out(&plan).await;
        assert!(target.is_served_by(&self.live().await));
        changes
    }

    fn artifacts(&self, shipped: &Code, own: &Own) -> Artifacts {
        let code = |key: &String| own.get(key).unwrap_or(shipped).clone();
        let functions = self.loaded.stack.functions.keys();
        functions.map(|key| (key.clone(), code(key))).collect()
    }

    async fn plan(&self, artifacts: &Artifacts) -> Plan {
        let Loaded { stack, secrets, .. } = &self.loaded;
        let desired = describe(stack, secrets, artifacts, &self.site);
        let observed = self.observed(artifacts).await;
        plan(&stack.id(), &self.site.place, &desired, &observed)
    }

    async fn observed(&self, artifacts: &Artifacts) -> Observed {
        let Loaded { stack, secrets, .. } = &self.loaded;
        let desired = describe(stack, secrets, artifacts, &self.site);
        let scope = scope(stack, &desired, &self.site.place);
        Box::pin(observe(&self.engine, &scope)).await.unwrap()
    }
}

/// The shipped handlers as `dev` packages them, once for all tests of a process.
///
/// Cargo has built them with everything else, so it only says where they are.
pub(crate) fn handlers() -> &'static Code {
    static HANDLERS: OnceLock<Code> = OnceLock::new();
    HANDLERS.get_or_init(|| packaged(&Source::Shipped))
}

/// Code as `dev` packages it.
pub(crate) fn packaged(source: &Source) -> Code {
    let request = Request {
        source,
        arch: host(),
        profile: Profile::Quick,
        handlers_zip: None,
        native: true,
        provided: true,
    };
    let artifact =
        package(&request, &mut |_| ()).unwrap_or_else(|error| panic!("{error} {:?}", error.hints));
    Code {
        zip: Arc::new(artifact.zip),
        sha256: artifact.sha256,
    }
}

fn host() -> Arch {
    Arch::host().unwrap_or(Arch::X86_64)
}
