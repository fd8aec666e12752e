//! The stack's API: taken over by its id, refused where there is no room, and never made anew unasked.

use msgai::names::Kind;
use msgai::plan::guard::Consent;
use msgai::plan::{Danger, Plan};

use super::adopt::{MARK, dangers, deploy, naming, plan};
use super::drift::physical;
use super::{WHOLE, assert_up_to_date, deployed};
use crate::support::inventory::{Inventory, added, inventory};
use crate::support::{Draft, Lab, assert_complete, carry_out, shown};

#[tokio::test]
async fn an_api_is_taken_over_only_where_there_is_room_for_it() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let said = |plan: &Plan| dangers(plan);
    let (none, _) = plan(&lab, &["api/abc123"]).await;
    assert_eq!(
        said(&none),
        ["api/abc123 cannot be taken over: there is no such WebSocket API"]
    );

    let (one, other) = (
        lab.sdk.make_api("one", None).await,
        lab.sdk.make_api("other", None).await,
    );
    let (one, other) = (format!("api/{one}"), format!("api/{other}"));
    let (both, _) = plan(&lab, &[&one, &other]).await;
    assert!(
        matches!(both.dangers[..], [Danger::HasApi { .. }]),
        "{:?}",
        both.dangers
    );

    lab.deploy(&Draft::from(WHOLE)).await;
    let (second, _) = plan(&lab, &[&one]).await;
    assert_eq!(
        said(&second),
        [format!(
            "{one} cannot be taken over: the stack has an API already"
        )]
    );
    assert!(second.changes.is_empty(), "{}", shown(&second));
    // One that is not there is not in the way of a stack that has its own.
    let (gone, _) = plan(&lab, &["api/abc123"]).await;
    assert!(
        gone.is_empty() && gone.dangers.is_empty(),
        "{}",
        shown(&gone)
    );
}

/// The stage of the file has another name: the one that is there goes, and its connections with it.
#[tokio::test]
async fn what_the_file_does_not_have_of_an_api_is_removed_and_its_stage_is_a_danger() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let api = lab.sdk.make_api("their-api", None).await;
    let draft = Draft::from(WHOLE.replace("stage: production", "stage: live").as_str());
    let wanted = naming(&lab, &draft, &[&format!("api/{api}")]);
    let observed = lab.observe(&wanted).await;
    let plan = lab.plan_of(&wanted, &wanted.desired, &observed);
    let consents: Vec<Consent> = plan.dangers.iter().map(Danger::consent).collect();
    assert_eq!(consents, [Consent::DropConnections]);
    let gone = plan
        .changes
        .values()
        .filter(|c| c.action.word() == "delete");
    let gone: Vec<Kind> = gone.map(|change| change.id.kind).collect();
    assert_eq!(gone, [Kind::Integration, Kind::Stage]);
    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    assert_up_to_date(&lab, &draft).await;
}

/// Somebody deleted the API, or only took its tag away: a new one would have another URL.
#[tokio::test]
async fn an_api_that_is_gone_is_not_made_again_unasked() {
    let (lab, draft) = deployed().await;
    let api = physical(&lab, &draft, Kind::Api, "whole").await;
    let gateway = &lab.sdk.apigateway;
    let untag = gateway
        .untag_resource()
        .resource_arn(lab.place.api_arn(&api));
    untag.tag_keys(MARK).send().await.unwrap();
    let plan = lab.plan(&draft).await;
    assert_eq!(
        dangers(&plan),
        [format!(
            "api/whole was {api}, which is gone: a new one has another URL, which clients have to learn"
        )]
    );
    assert_eq!(plan.dangers[0].consent(), Consent::NewUrl);
    let hint = plan.dangers[0].hint();
    assert!(hint.contains(&format!("`--adopt api/{api}`")), "{hint}");

    // It is there, and comes back as it was.
    let back = deploy(&lab, &[&format!("api/{api}")]).await;
    let changed: Vec<String> = back.changes.keys().map(ToString::to_string).collect();
    assert_eq!(changed, ["api/whole"]);
    assert_up_to_date(&lab, &draft).await;

    gateway.delete_api().api_id(&api).send().await.unwrap();
    let plan = lab.plan(&draft).await;
    let consents: Vec<Consent> = plan.dangers.iter().map(Danger::consent).collect();
    assert_eq!(consents, [Consent::NewUrl]);
    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    assert_up_to_date(&lab, &draft).await;
}

/// Neither a first deploy, killed wherever, nor one after a destroy has had a URL to lose.
#[tokio::test]
async fn a_first_deploy_is_not_asked_about_its_url() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let draft = Draft::from(WHOLE);
    lab.calls();
    lab.deploy(&draft).await;
    let calls = lab.calls().len();
    lab.destroy(&draft, true).await;
    for killed_after in (0..calls).step_by(5) {
        tokio::select! {
            biased;
            () = lab.after_calls(killed_after) => {}
            _ = Box::pin(lab.deploy(&draft)) => {}
        }
        let plan = lab.plan(&draft).await;
        assert_eq!(plan.dangers, [], "killed after {killed_after} calls");
        lab.destroy(&draft, true).await;
    }
    let left = added(&Inventory::new(), &inventory(&lab.sdk).await);
    assert_eq!(left.keys().collect::<Vec<_>>(), ["role/api-gateway-logs"]);
}
