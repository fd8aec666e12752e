//! What a person can read of a plan: on any width, however much there is, and behind any characters.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::render::Look;
use super::tests::{World, text};
use super::wrap::seen;
use super::*;

const PLAIN: Look = Look { colour: false };

/// The words of a whole stack, made or changed in every part.
fn plans() -> Vec<Plan> {
    let observed = World::new().observed();
    let changed = World::new()
        .edited("sendMessage: send", "say: send\n    shout: send")
        .edited(
            "memory: 256",
            "memory: 512, timeout: 20s, environment: { LEVEL: info }",
        )
        .edited(
            "indexes: { userId-index: userId }",
            "indexes: { groupId-index: groupId }",
        )
        .edited(
            "{ name: Messages, key: messageId }",
            "{ name: Messages, key: id, ttl: gone }",
        );
    let gone = plan(
        &StackId::new("chat", ""),
        &World::new().site.place,
        &Desired::default(),
        &observed,
    );
    vec![
        World::new().plan(&Observed::default()),
        changed.plan(&observed),
        gone,
    ]
}

#[test]
fn every_line_fits_from_sixty_columns_on() {
    for plan in plans() {
        assert!(plan.changes.len() > 10, "{}", text(&plan));
        for width in 60..=130 {
            for line in plan.text(PLAIN, width).lines() {
                assert!(seen(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn every_change_is_told_once_whatever_the_width() {
    for plan in plans() {
        for width in [60, 80, 120] {
            let text = plan.text(PLAIN, width);
            for change in plan.changes.values() {
                let head = format!("{:>3} {}", change.action.symbol(), change.id);
                let is_head = |line: &&str| line.split("  ").any(|part| part == head.trim_start());
                assert_eq!(text.lines().filter(is_head).count(), 1, "{head}\n{text}");
            }
        }
    }
}

#[test]
fn a_long_plan_has_a_heading_for_each_part() {
    assert_snapshot!(World::new().plan(&Observed::default()).text(PLAIN, 80), @r#"
    chat in eu-west-1, account 111122223333

    tables  2 to add
      + table/Connections  key connectionId, index userId-index (userId), ttl ttl
      + table/Messages     key messageId

    what functions may do  2 to add
      + role/chat-eu-west-1
      + role-policy/chat-eu-west-1

    functions  12 to add
      + log-group/aws/lambda/chat-connect
      + function/chat-connect
          provided.al2023 x86_64, 128 MB, 10 s, 1.2 MB zipped
      + version/chat-connect
      + alias/chat-connect
      + log-group/aws/lambda/chat-disconnect
      + function/chat-disconnect
          provided.al2023 x86_64, 128 MB, 10 s, 1.2 MB zipped
      + version/chat-disconnect
      + alias/chat-disconnect
      + log-group/aws/lambda/chat-send
      + function/chat-send
          provided.al2023 x86_64, 256 MB, 10 s, 1.2 MB zipped
      + version/chat-send
      + alias/chat-send

    API  12 to add
      + api/chat
      + integration/chat-connect
      + integration/chat-disconnect
      + integration/chat-send
      + route/$connect     to integration/chat-connect
      + route/$disconnect  to integration/chat-disconnect
      + route/sendMessage  to integration/chat-send
      + permission/chat-connect:$connect
      + permission/chat-disconnect:$disconnect
      + permission/chat-send:sendMessage
      + stage/production   10000 requests/s, burst 5000
      + deployment/production

    Plan: 28 to add, 0 to change, 0 to destroy. Live connections: kept.
    "#);
}

#[test]
fn a_policy_tells_what_of_it_comes_and_goes() {
    let observed = World::new().observed();
    let world = World::new()
        .edited(
            "{ handler: connect }",
            "{ handler: connect, uses: { tables.messages: [read] } }",
        )
        .edited("  disconnect: { handler: disconnect }\n", "");
    let world = world.edited("    $disconnect: disconnect\n", "");
    assert_snapshot!(text(&world.plan(&observed)), @r#"
    chat in eu-west-1, account 111122223333

      ~ role-policy/chat-eu-west-1
          document:
            ~ TableMessages
              + dynamodb:GetItem
              + dynamodb:Query
            ~ Logs
              - on arn:…:log-group:/aws/lambda/chat-disconnect:*
      ~ function/chat-connect
          environment.MESSAGES_KEY: (none) → messageId
          environment.MESSAGES_TABLE: (none) → Messages
      ~ version/chat-connect
          release: 0b79eaed92b60585 → 7a133dc75b2da283
      ~ alias/chat-connect
          version: 3 → (known after apply)
      - log-group/aws/lambda/chat-disconnect
      - function/chat-disconnect
      - version/chat-disconnect  goes with function/chat-disconnect
      - alias/chat-disconnect    goes with function/chat-disconnect
      - integration/chat-disconnect
      - route/$disconnect
      - permission/chat-disconnect:$disconnect  goes with function/chat-disconnect
      ~ deployment/production
          snapshot: 540d65b2d351695d → 3037897d7e47dd8f

    Plan: 0 to add, 5 to change, 7 to destroy. Live connections: kept.
    "#);
}

#[test]
fn only_what_cannot_be_changed_needs_a_new_one() {
    let observed = World::new().observed();
    let world = World::new().edited(
        "{ name: Messages, key: messageId }",
        "{ name: Messages, key: id, ttl: gone }",
    );
    assert_snapshot!(text(&world.plan(&observed)), @r#"
    chat in eu-west-1, account 111122223333

    -/+ table/Messages
          key.partition: messageId → id (needs a new one)
          ttl: (none) → gone
      ~ function/chat-send
          environment.MESSAGES_KEY: messageId → id
      ~ version/chat-send
          release: 70a8a0ffbbf3cc2d → 857712a10ee6e36f
      ~ alias/chat-send
          version: 3 → (known after apply)

    Plan: 1 to add, 3 to change, 1 to destroy. Live connections: kept.
    "#);
}

#[test]
fn a_pull_request_sees_a_table_and_what_differs() {
    let observed = World::new().observed();
    let world = World::new()
        .edited("memory: 256", "memory: 512, description: \"a | b `c` <b>\"")
        .edited(
            "{ handler: connect }",
            "{ handler: connect, uses: { tables.messages: [read] } }",
        );
    assert_snapshot!(world.plan(&observed).markdown(), @r#"
    <!-- msgai:chat -->
    ### chat in eu-west-1, account 111122223333

    Plan: 0 to add, 7 to change, 0 to destroy. Live connections: kept.

    | | resource | change |
    |---|---|---|
    | `~` | `role-policy/chat-eu-west-1` | `document`: 2 added |
    | `~` | `function/chat-connect` | `environment.MESSAGES_KEY`: (none) → messageId<br>`environment.MESSAGES_TABLE`: (none) → Messages |
    | `~` | `version/chat-connect` | `release`: 0b79eaed92b60585 → 7a133dc75b2da283 |
    | `~` | `alias/chat-connect` | `version`: 3 → (known after apply) |
    | `~` | `function/chat-send` | `description`: "" → a &#124; b &#96;c&#96; &#60;b&#62;<br>`memory`: 256 → 512 |
    | `~` | `version/chat-send` | `release`: 70a8a0ffbbf3cc2d → 96d48afac3331bc1 |
    | `~` | `alias/chat-send` | `version`: 3 → (known after apply) |

    <details><summary>What differs in 1 resource</summary>

    ```diff
      role-policy/chat-eu-west-1
        document:
    !     TableMessages
    +       dynamodb:GetItem
    +       dynamodb:Query
    ```

    </details>
    "#);
}

/// As many changes as no comment holds.
#[test]
fn a_comment_stays_below_what_github_takes() {
    let observed = World::new().observed();
    let mut plan = World::new()
        .edited("memory: 256", "memory: 512")
        .plan(&observed);
    let mut one = plan.changes.values().next().unwrap().clone();
    if let Action::Update { because, .. } = &mut one.action {
        because[0].to = "longer than a cell of the table takes".repeat(3).into();
    }
    let many: BTreeMap<ResourceId, Change> = (0..4000)
        .map(|n| {
            let id = ResourceId::new(Kind::Function, format!("chat-send-{n:04}"));
            (id.clone(), Change { id, ..one.clone() })
        })
        .collect();
    plan.changes = many;
    let text = plan.markdown();
    assert!(
        text.starts_with("<!-- msgai:chat -->\n"),
        "a workflow finds it"
    );
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("more, which `msgai diff` shows |\n"));
    assert!(text.contains("more are too long for a comment"));
    assert!(text.ends_with("</details>\n"));
}
