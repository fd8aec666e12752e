//! Both sides are built, one is edited, and the rendered plan is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use insta::assert_snapshot;

use super::render::Look;
use super::*;
use crate::describe::{Address, Site, describe};
use crate::names::{Kind, StackId};
use crate::observe::Observed;
use crate::resource::Found;
use crate::resource::function::Code;
use crate::stack::{Architecture, Loaded, load_text};

const STACK: &str = r"
name: chat
tables:
  connections: { name: Connections, key: connectionId, ttl: ttl, indexes: { userId-index: userId } }
  messages: { name: Messages, key: messageId }
functions:
  connect: { handler: connect }
  disconnect: { handler: disconnect }
  send: { handler: send, memory: 256 }
api:
  stage: production
  routes:
    $connect: connect
    $disconnect: disconnect
    sendMessage: send
";

/// A stack file and the account in which it is deployed.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) code: &'static str,
    text: String,
}

impl World {
    pub(super) fn new() -> Self {
        let place = Place {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        };
        let site = Site {
            place,
            address: Address::Aws,
            makes_existing: false,
            protects: false,
            architecture: Architecture::X86_64,
        };
        Self {
            site,
            code: "one",
            text: STACK.to_owned(),
        }
    }

    fn loaded(&self) -> Loaded {
        load_text(&self.text, "stack.yaml", None, &|name| match name {
            "TOKEN" => Some("hunter2".to_owned()),
            _ => None,
        })
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    fn desired(&self) -> Desired {
        let loaded = self.loaded();
        let code = Code {
            zip: Arc::new(vec![0; 1_200_000]),
            sha256: self.code.to_owned(),
        };
        let artifacts = loaded
            .stack
            .functions
            .keys()
            .map(|key| (key.clone(), code.clone()))
            .collect();
        describe(&loaded.stack, &loaded.secrets, &artifacts, &self.site)
    }

    /// What the cloud says once the stack is there.
    pub(super) fn observed(&self) -> Observed {
        let desired = self.desired();
        let facts: Facts = desired
            .resources
            .keys()
            .map(|id| {
                let physical = match id.kind {
                    Kind::Api => "a1b2c3".to_owned(),
                    Kind::Version | Kind::Alias => "3".to_owned(),
                    Kind::Role => format!("arn:aws:iam::111122223333:role/{}", id.name),
                    _ => format!("{}-id", id.name),
                };
                (id.clone(), Physical::new(physical))
            })
            .collect();
        let found = |(id, resource): (&ResourceId, &Resource)| {
            let found = Found {
                id: id.clone(),
                at: facts[id].clone(),
                settings: resource.settings(&facts),
                ours: true,
                state: None,
            };
            (id.clone(), found)
        };
        Observed {
            objects: desired.resources.iter().map(found).collect(),
            referenced: desired
                .referenced
                .iter()
                .map(|(name, shape)| (name.clone(), Some(shape.clone())))
                .collect(),
            ..Observed::default()
        }
    }

    pub(super) fn edited(mut self, from: &str, to: &str) -> Self {
        assert!(
            self.text.contains(from),
            "the edit finds nothing to edit: {from}"
        );
        self.text = self.text.replace(from, to);
        self
    }

    pub(super) fn plan(&self, observed: &Observed) -> Plan {
        plan(
            &StackId::new("chat", ""),
            &self.site.place,
            &self.desired(),
            observed,
        )
    }
}

pub(super) fn text(plan: &Plan) -> String {
    plan.text(Look { colour: false }, 80)
}

#[test]
fn a_deployed_stack_has_an_empty_plan() {
    let world = World::new();
    let plan = world.plan(&world.observed());
    assert!(plan.is_empty(), "{}", text(&plan));
    assert_eq!(plan.dangers, []);
    assert_snapshot!(text(&plan), @r"
    chat in eu-west-1, account 111122223333

    No changes. Stack is up to date.
    ");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let world = World::new();
    let first = world.plan(&Observed::default());
    for _ in 0..10 {
        let again = world.plan(&Observed::default());
        assert_eq!(text(&again), text(&first));
        assert_eq!(again.json().to_string(), first.json().to_string());
    }
}

#[test]
fn every_change_waits_for_what_it_needs_and_nothing_waits_for_itself() {
    let world = World::new();
    let observed = world.observed();
    let plans = [
        world.plan(&Observed::default()),
        plan(
            &StackId::new("chat", ""),
            &world.site.place,
            &Desired::default(),
            &observed,
        ),
        World::new()
            .edited("sendMessage: send", "say: send")
            .plan(&observed),
    ];
    for plan in plans {
        let mut done: BTreeSet<ResourceId> = BTreeSet::new();
        while done.len() < plan.changes.len() {
            let ready: Vec<_> = plan
                .changes
                .values()
                .filter(|c| !done.contains(&c.id) && c.after.is_subset(&done))
                .map(|c| c.id.clone())
                .collect();
            assert!(
                !ready.is_empty(),
                "a cycle, or a wait for something that is not in the plan"
            );
            done.extend(ready);
        }
    }
}

#[test]
fn code_changes_touch_functions_their_versions_and_aliases_only() {
    let world = World::new();
    let observed = world.observed();
    let world = World {
        code: "two",
        ..world
    };
    let plan = world.plan(&observed);
    let kinds: BTreeSet<Kind> = plan.changes.keys().map(|id| id.kind).collect();
    assert_eq!(
        kinds,
        BTreeSet::from([Kind::Function, Kind::Version, Kind::Alias])
    );
    assert!(!plan.drops_connections());
}

#[test]
fn a_new_memory_is_one_function_its_version_and_its_alias() {
    let world = World::new();
    let observed = world.observed();
    let plan = world.edited("memory: 256", "memory: 512").plan(&observed);
    assert_snapshot!(text(&plan), @r#"
    chat in eu-west-1, account 111122223333

      ~ function/chat-send
          memory: 256 → 512
      ~ version/chat-send
          release: 70a8a0ffbbf3cc2d → 35839ff7852e4b6c
      ~ alias/chat-send
          version: 3 → (known after apply)

    Plan: 0 to add, 3 to change, 0 to destroy. Live connections: kept.
    "#);
}

#[test]
fn a_renamed_route_is_made_deployed_and_removed_in_this_order() {
    let world = World::new();
    let observed = world.observed();
    let plan = world
        .edited("sendMessage: send", "say: send")
        .plan(&observed);
    assert_snapshot!(text(&plan), @r#"
    chat in eu-west-1, account 111122223333

      + route/say  to integration/chat-send
      - route/sendMessage
      + permission/chat-send:say
      - permission/chat-send:sendMessage
      ~ deployment/production
          snapshot: 540d65b2d351695d → 3df93559b050e257

    Plan: 2 to add, 1 to change, 2 to destroy. Live connections: kept.
    "#);
    let id = |kind, name: &str| ResourceId::new(kind, name);
    let deployment = &plan.changes[&id(Kind::Deployment, "production")];
    assert!(deployment.after.contains(&id(Kind::Route, "say")));
    assert!(
        deployment.after.contains(&id(Kind::Route, "sendMessage")),
        "the snapshot is taken after"
    );
    let permission = &plan.changes[&id(Kind::Permission, "chat-send:sendMessage")];
    assert!(
        permission.after.contains(&deployment.id),
        "the old snapshot still calls until then"
    );
}

#[test]
fn a_table_that_is_no_longer_declared_is_kept() {
    let world = World::new();
    let observed = world.observed();
    let plan = world
        .edited(
            "  messages: { name: Messages, key: messageId }\n",
            "  messages: { name: Other, key: messageId }\n",
        )
        .plan(&observed);
    assert_eq!(plan.kept, [ResourceId::new(Kind::Table, "Messages")]);
    assert!(plan.dangers.is_empty());
    assert!(
        !plan
            .changes
            .contains_key(&ResourceId::new(Kind::Table, "Messages"))
    );
}

#[test]
fn another_key_is_refused_and_never_applied() {
    let world = World::new();
    let observed = world.observed();
    let plan = world.edited("key: messageId", "key: id").plan(&observed);
    assert_eq!(plan.dangers.len(), 1, "{:?}", plan.dangers);
    assert!(matches!(plan.dangers[0], Danger::ReplacesTable { .. }));
    assert_eq!(plan.dangers[0].consent(), guard::Consent::Never);
}

#[test]
fn a_foreign_object_of_the_same_name_is_refused() {
    let world = World::new();
    let mut observed = Observed::default();
    let id = ResourceId::new(Kind::Function, "chat-send");
    let found = Found {
        id: id.clone(),
        at: Physical::new("chat-send"),
        settings: serde_json::json!({}),
        ours: false,
        state: None,
    };
    observed.objects.insert(id.clone(), found);
    let plan = world.plan(&observed);
    assert_eq!(plan.dangers, [Danger::NotOurs { id: id.clone() }]);
    assert!(!plan.changes.contains_key(&id));
    assert!(!plan.unchanged.contains(&id), "it is not as it should be");
}

#[test]
fn another_stage_drops_connections_and_says_so() {
    let world = World::new();
    let observed = world.observed();
    let plan = world
        .edited("stage: production", "stage: live")
        .plan(&observed);
    assert!(plan.drops_connections());
    assert!(
        plan.dangers
            .iter()
            .any(|d| d.consent() == guard::Consent::DropConnections)
    );
    assert!(plan.summary().contains("Live connections: dropped"));
}

#[test]
fn destroying_takes_the_api_first_and_keeps_tables_unless_told() {
    let world = World::new();
    let observed = world.observed();
    let nothing = Desired {
        kept: BTreeSet::from([Kind::Table]),
        ..Desired::default()
    };
    let plan = plan(
        &StackId::new("chat", ""),
        &world.site.place,
        &nothing,
        &observed,
    );
    assert_eq!(plan.kept.len(), 2);
    let api = ResourceId::new(Kind::Api, "chat");
    let function = &plan.changes[&ResourceId::new(Kind::Function, "chat-send")];
    assert!(
        function.after.contains(&api),
        "traffic stops before what it reaches goes"
    );
    let route = &plan.changes[&ResourceId::new(Kind::Route, "$connect")];
    assert!(matches!(&route.action, Action::Delete { with: Some(parent), .. } if *parent == api));
}

#[test]
fn a_secret_is_in_no_form_of_a_plan() {
    let world = World::new().edited(
        "memory: 256 }",
        "memory: 256, environment: { TOKEN: \"${env:TOKEN}\", LEVEL: info } }",
    );
    let before = World::new().observed();
    let plan = world.plan(&before);
    for shown in [text(&plan), plan.json().to_string(), plan.markdown()] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(
        text(&plan).contains("environment.TOKEN: (none) → (sensitive)"),
        "{}",
        text(&plan)
    );
    assert!(text(&plan).contains("environment.LEVEL: (none) → info"));
    // Once deployed, the digest says that nothing has changed.
    assert!(world.plan(&world.observed()).is_empty());
}

#[test]
fn a_used_table_must_be_what_the_file_says() {
    let world = World::new().edited(
        "{ name: Messages, key: messageId }",
        "{ name: Messages, existing: true, key: messageId }",
    );
    let mut observed = world.observed();
    assert!(world.plan(&observed).dangers.is_empty());
    observed.referenced.insert("Messages".to_owned(), None);
    assert!(matches!(
        world.plan(&observed).dangers[..],
        [Danger::NoTable { .. }]
    ));
    let other = crate::resource::table::TableShape {
        key: serde_json::json!({ "partition": "id" }),
        indexes: BTreeMap::new(),
    };
    observed
        .referenced
        .insert("Messages".to_owned(), Some(other));
    assert!(matches!(
        world.plan(&observed).dangers[..],
        [Danger::OtherTable { .. }]
    ));
}

#[test]
fn the_policy_allows_exactly_what_is_used() {
    let desired = World::new().desired();
    let policy = &desired.resources[&ResourceId::new(Kind::RolePolicy, "chat-eu-west-1")];
    let document = policy.settings(&Facts::new());
    assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "document": {
        "Statement": [
          {
            "Action": [
              "dynamodb:DeleteItem",
              "dynamodb:GetItem",
              "dynamodb:PutItem"
            ],
            "Effect": "Allow",
            "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/Connections",
            "Sid": "TableConnections"
          },
          {
            "Action": "dynamodb:Query",
            "Effect": "Allow",
            "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/Connections/index/userId-index",
            "Sid": "IndexesConnections"
          },
          {
            "Action": [
              "dynamodb:PutItem",
              "dynamodb:UpdateItem"
            ],
            "Effect": "Allow",
            "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/Messages",
            "Sid": "TableMessages"
          },
          {
            "Action": "execute-api:ManageConnections",
            "Effect": "Allow",
            "Resource": {
              "$pending": "api/chat"
            },
            "Sid": "Connections"
          },
          {
            "Action": [
              "logs:CreateLogStream",
              "logs:PutLogEvents"
            ],
            "Effect": "Allow",
            "Resource": [
              "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/chat-connect:*",
              "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/chat-disconnect:*",
              "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/chat-send:*"
            ],
            "Sid": "Logs"
          }
        ],
        "Version": "2012-10-17"
      }
    }
    "#);
    let text = document.to_string();
    assert!(!text.contains("Scan") && !text.contains("CreateLogGroup") && !text.contains("\"*\""));
}
