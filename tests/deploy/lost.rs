//! An answer that never comes: the call was carried out, and must not be carried out again.

use super::{WHOLE, assert_up_to_date};
use crate::support::inventory::{counts, inventory};
use crate::support::proxy::{Fate, Proxy};
use crate::support::{Draft, Lab, cloud_at};

/// Every call that makes something, as it looks on the wire.
const CALLS: [&str; 15] = [
    "POST /v2/apis HTTP",
    "/authorizers HTTP",
    "/integrations HTTP",
    "/routes HTTP",
    "/routeresponses HTTP",
    "/stages HTTP",
    "/deployments HTTP",
    "Action=CreateRole",
    "Action=PutRolePolicy",
    ".CreateLogGroup",
    ".CreateTable",
    "POST /2015-03-31/functions HTTP",
    "/versions HTTP",
    "/aliases HTTP",
    "/policy?Qualifier",
];

/// Whether it took a second run.
async fn deployed_in_spite_of(call: &str, fate: Fate) -> bool {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let proxy = Proxy::before(&lab.local.endpoint()).await;
    let cloud = cloud_at(&proxy.endpoint()).await;
    let draft = Draft::from(WHOLE);
    let plan = lab.plan(&draft).await;
    proxy.strike_on(call, fate);
    let (applied, _) = crate::support::carry_out(&cloud, &plan).await;
    assert!(proxy.struck().is_some(), "no {call}");
    let again = if applied.is_complete() {
        false
    } else {
        lab.deploy(&draft).await;
        true
    };
    assert_up_to_date(&lab, &draft).await;
    let now = inventory(&lab.sdk).await;
    let counts = counts(&now);
    for (kind, count) in [
        ("api", 1),
        ("authorizer", 1),
        ("integration", 1),
        ("route", 2),
        ("route-response", 1),
        ("stage", 1),
        ("alias", 2),
        ("permission", 3),
    ] {
        assert_eq!(counts.get(kind), Some(&count), "{kind}, after {call}");
    }
    again
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    for call in CALLS {
        let again = deployed_in_spite_of(call, Fate::AnswerLost).await;
        assert!(!again, "{call} is not asked about");
    }
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    for call in CALLS {
        let again = deployed_in_spite_of(call, Fate::RequestLost).await;
        assert!(!again, "{call} is given up");
    }
}

#[tokio::test]
async fn an_error_inside_a_service_is_got_over() {
    for call in CALLS {
        let again = deployed_in_spite_of(call, Fate::InternalError).await;
        assert!(!again, "{call} is given up");
    }
}
