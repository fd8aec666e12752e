//! Tokens instead of the query string: who gets in, as whom, into which group, and for how long.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use aws_sdk_apigatewayv2::Client;
use aws_sdk_apigatewayv2::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_apigatewayv2::types::{AuthorizationType, Route};
use msgai::local::issuer;
use serde_json::{Value, json};

use super::STACK;
use super::deployed::{Deployed, Own, deploy, handlers, open};
use super::issuer::{Issuer, Pen};
use super::person::{ERROR, MESSAGE, Person, STATUS};
use super::tables::{items, text};

fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap()
}

/// The reference stack, believing this issuer.
fn stack(issuer: &str, more: &str) -> String {
    let jwt = format!("issuer: \"{issuer}\", audience: [app]{more}");
    let origins = "origins: [https://app.example.com]";
    format!("{STACK}\nauth: {{ jwt: {{ {jwt} }}, {origins} }}\n")
}

struct Scene {
    chat: Deployed,
    issuer: Issuer,
    pen: Pen,
}

async fn scene(more: &str) -> Scene {
    let pen = Pen::new("k1");
    let issuer = Issuer::start(&[&pen]).await;
    Scene {
        chat: deploy(&stack(&issuer.url, more), None).await,
        issuer,
        pen,
    }
}

impl Scene {
    fn claims(&self, sub: &str, more: Value) -> Value {
        let mut claims = json!({
            "iss": self.issuer.url, "aud": "app", "sub": sub, "iat": now(), "exp": now() + 3600,
        });
        let Value::Object(more) = more else {
            panic!("claims are an object")
        };
        claims.as_object_mut().unwrap().extend(more);
        claims
    }

    fn token(&self, sub: &str, more: Value) -> String {
        self.pen.sign(&self.claims(sub, more))
    }

    async fn joins(&self, sub: &str) -> Person {
        let token = self.token(sub, json!({}));
        Person::joins(&self.chat.url, &format!("token={token}")).await
    }

    /// The status that a handshake with this query ends with.
    async fn refused(&self, query: &str, headers: &[(&str, &str)]) -> u16 {
        let tried = Person::tries(&self.chat.url, query, &[], headers).await;
        tried.err().unwrap_or(101)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_says_who_speaks_and_the_query_string_does_not() {
    let scene = scene("").await;
    let token = scene.token("alice", json!({}));
    let query = format!("token={token}&userId=mallory");
    let mut alice = Person::joins(&scene.chat.url, &query).await;
    let mut bob = scene.joins("bob").await;
    alice.sends("m1", json!({"recipientId": "bob"})).await;
    assert_eq!(bob.hears(MESSAGE).await["senderId"], "alice");
    assert_eq!(alice.hears(STATUS).await["status"], "delivered");
    let as_mallory = json!({"recipientId": "bob", "senderId": "mallory"});
    alice.sends("m2", as_mallory).await;
    assert_eq!(alice.hears(ERROR).await["code"], "forbidden");
    alice.leaves_content().await;
    bob.leaves_content().await;
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_in_three_ways_and_no_other() {
    let scene = scene("").await;
    let token = scene.token("alice", json!({}));
    let bearer = format!("Bearer {token}");
    let url = &scene.chat.url;
    // A client that offers protocols gives up unless one of them comes back.
    for person in [
        Person::tries(url, "", &["bearer", &token], &[]).await,
        Person::tries(url, "", &[], &[("Authorization", &bearer)]).await,
        Person::tries(url, &format!("token={token}"), &[], &[]).await,
    ] {
        let person = person.unwrap_or_else(|status| panic!("{status}"));
        person.leaves_content().await;
    }
    for query in ["", "userId=alice", "token=", "access_token=x"] {
        assert_eq!(scene.refused(query, &[]).await, 401, "{query}");
    }
    let basic = [("Authorization", "Basic YWxpY2U6eA==")];
    assert_eq!(scene.refused("", &basic).await, 401);
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_another_token_is_unauthorized_and_leaves_no_row() {
    let scene = scene("").await;
    let unsigned = {
        let token = scene.token("alice", json!({}));
        let (words, _) = token.rsplit_once('.').unwrap();
        format!("{words}.")
    };
    let stranger = Pen::new("k1").sign(&scene.claims("alice", json!({})));
    let unknown = Pen::new("k2").sign(&scene.claims("alice", json!({})));
    for token in [
        "x".to_owned(),
        unsigned,
        stranger,
        unknown,
        scene.token("alice", json!({"exp": now() - 60})),
        scene.token("alice", json!({"exp": (now() + 60).to_string()})),
        scene.token("alice", json!({"nbf": now() + 600})),
        scene.token("alice", json!({"aud": "other"})),
        scene.token("alice", json!({"iss": "https://evil.example"})),
        scene.token("", json!({})),
    ] {
        assert_eq!(scene.refused(&format!("token={token}"), &[]).await, 401);
    }
    // Two pages, for the first that looked like a token; a made-up key makes nobody ask again.
    assert_eq!(scene.issuer.asked(), 2);
    assert!(items(&scene.chat, "chat-connections").await.is_empty());
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_groups_that_may_not_are_forbidden() {
    let scene = scene(", groups_claim: \"cognito:groups\"").await;
    let token = scene.token("alice", json!({"cognito:groups": ["ward-3"]}));
    let query = format!("token={token}");
    let evil = [("Origin", "https://evil.example")];
    assert_eq!(scene.refused(&query, &evil).await, 403);
    let own = [("Origin", "https://app.example.com")];
    assert_eq!(scene.refused(&query, &own).await, 101);
    for (group, status) in [("ward-3", 101), ("ward-4", 403), ("Ward-3", 403)] {
        let query = format!("{query}&groupId={group}");
        assert_eq!(scene.refused(&query, &[]).await, status, "{group}");
    }
    let loner = scene.token("eve", json!({}));
    let query = format!("token={loner}&groupId=ward-3");
    assert_eq!(scene.refused(&query, &[]).await, 403);
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_is_away_lets_nobody_new_in_and_everybody_known() {
    let scene = scene("").await;
    scene.issuer.is_away(true);
    let query = format!("token={}", scene.token("alice", json!({})));
    assert_eq!(scene.refused(&query, &[]).await, 500);
    scene.issuer.is_away(false);
    // It is asked again a second after it failed; until then the answer is the same.
    let mut status = 500;
    for _ in 0..10_000 {
        if status != 500 {
            break;
        }
        status = scene.refused(&query, &[]).await;
    }
    assert_eq!(status, 101);
    scene.issuer.is_away(true);
    scene.joins("bob").await.leaves_content().await;
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_ends_with_its_token_and_so_does_what_may_be_said() {
    let scene = scene("").await;
    let mut bob = scene.joins("bob").await;
    // A moment ago, which the skew forgives at the door: the socket opens, and counts for nothing.
    let token = scene.token("alice", json!({"exp": now() - 5}));
    let mut alice = Person::joins(&scene.chat.url, &format!("token={token}")).await;
    let rows = items(&scene.chat, "chat-connections").await;
    let row = rows.iter().find(|row| text(row, "userId") == "alice");
    let ttl: u64 = row.unwrap()["ttl"].as_n().unwrap().parse().unwrap();
    assert!(ttl < now(), "{ttl}");
    alice.sends("m1", json!({"recipientId": "bob"})).await;
    assert_eq!(alice.hears(ERROR).await["code"], "expired");
    // Nor is she found: what is for her is kept.
    bob.sends("m2", json!({"recipientId": "alice"})).await;
    assert_eq!(bob.hears(STATUS).await["status"], "sent");
    alice.leaves_content().await;
    bob.leaves_content().await;
    scene.chat.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_of_the_issuer_is_known_to_a_new_environment_at_once() {
    let mut scene = scene("").await;
    let old = scene.token("alice", json!({}));
    scene.pen = Pen::new("k2");
    scene.issuer.rotate(&[&scene.pen]);
    scene.joins("bob").await.leaves_content().await;
    // The key was taken away before anybody asked for it.
    assert_eq!(scene.refused(&format!("token={old}"), &[]).await, 401);
    scene.chat.local.shutdown().await;
}

/// Without any issuer but the local cloud's own, whose key is in the state folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_issuer_signs_for_who_may_read_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(&stack("local", ""), None, Some(folder.path())).await;
    chat.deploy(handlers(), &Own::new()).await;
    let pen = issuer::Pen::of(folder.path()).unwrap().unwrap();
    let url = format!("{}{}", chat.local.endpoint(), issuer::PATH);
    let claims = json!({"iss": url, "aud": "app", "sub": "alice", "exp": now() + 60});
    let token = pen.sign(&claims).unwrap();
    let alice = Person::joins(&chat.url, &format!("token={token}")).await;
    alice.leaves_content().await;
    let elsewhere = Pen::new("k1").sign(&claims);
    let tried = Person::tries(&chat.url, &format!("token={elsewhere}"), &[], &[]).await;
    assert_eq!(tried.err(), Some(401));
    chat.local.shutdown().await;
}

/// The route lost its authorizer, or never got it: then nobody is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_authorizer_the_query_string_is_still_not_believed() {
    let scene = scene("").await;
    lose_the_authorizer(&scene.chat).await;
    assert_eq!(scene.refused("userId=mallory", &[]).await, 403);
    scene.chat.local.shutdown().await;
}

/// What a hand in the console could do.
async fn lose_the_authorizer(chat: &Deployed) {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(chat.local.endpoint())
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let gateway = Client::from_conf(config.build());
    let apis = gateway.get_apis().send().await.unwrap();
    let id = apis.items()[0].api_id().unwrap();
    let routes = gateway.get_routes().api_id(id).send().await.unwrap();
    let is_connect = |route: &&Route| route.route_key() == Some("$connect");
    let route = routes.items().iter().find(is_connect).unwrap();
    let update = gateway.update_route().api_id(id);
    let update = update.route_id(route.route_id().unwrap());
    let open = update.authorization_type(AuthorizationType::None);
    open.send().await.unwrap();
    let deploy = gateway.create_deployment().api_id(id);
    deploy.stage_name("production").send().await.unwrap();
}
