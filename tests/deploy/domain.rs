//! A domain of one's own: made, used, moved and removed, and the address that is switched off for it.

use std::time::Duration;

use aws_sdk_apigatewayv2::types::{DomainNameConfiguration, EndpointType, SecurityPolicy};
use msgai::adopt::{self, Which};
use msgai::local::Realism;
use msgai::names::{Kind, ResourceId};
use msgai::plan::guard::Consent;
use msgai::plan::{Danger, Plan};
use msgai::report::Event;

use super::adopt::{MARK, dangers, naming};
use super::assert_up_to_date;
use super::slow::Slow;
use crate::support::{Draft, Lab, assert_complete, carry_out, shown};

const NAME: &str = "chat.example.org";
const CERTIFICATE: &str = "arn:aws:acm:us-east-1:111122223333:certificate/";

const SMALL: &str = "name: small
functions: { talk: { source: ./code } }
api:
  stage: production
  routes: { $connect: talk }
";

fn with(domain: &str) -> Draft {
    Draft::from(format!("{SMALL}  domain: {{ name: {NAME}{domain} }}\n").as_str())
}

fn own(more: &str) -> Draft {
    with(&format!(", certificate: \"{CERTIFICATE}a\"{more}"))
}

fn changes(plan: &Plan) -> Vec<String> {
    let about = |change: &msgai::plan::Change| format!("{} {}", change.action.symbol(), change.id);
    plan.changes.values().map(about).collect()
}

fn consents(plan: &Plan) -> Vec<Consent> {
    plan.dangers.iter().map(Danger::consent).collect()
}

async fn apply(lab: &Lab, plan: &Plan) {
    assert_complete(&carry_out(&lab.cloud, plan).await.0);
}

fn configuration(certificate: &str) -> DomainNameConfiguration {
    DomainNameConfiguration::builder()
        .certificate_arn(format!("{CERTIFICATE}{certificate}"))
        .endpoint_type(EndpointType::Regional)
        .security_policy(SecurityPolicy::Tls12)
        .build()
}

/// Somebody's own, beside the stack.
async fn make_domain(lab: &Lab) {
    let create = lab.sdk.apigateway.create_domain_name().domain_name(NAME);
    let create = create.domain_name_configurations(configuration("z"));
    create.send().await.unwrap();
}

/// Leads a path of the domain to an API of somebody else.
async fn map_theirs(lab: &Lab, key: &str) -> String {
    let api = lab.sdk.make_api("theirs", None).await;
    let create = lab.sdk.apigateway.create_api_mapping().domain_name(NAME);
    let create = create.api_mapping_key(key).api_id(&api).stage("production");
    create.send().await.unwrap();
    api
}

async fn domains(lab: &Lab) -> Vec<String> {
    let all = lab.sdk.apigateway.get_domain_names().send().await.unwrap();
    let name =
        |domain: &aws_sdk_apigatewayv2::types::DomainName| domain.domain_name().unwrap().to_owned();
    all.items().iter().map(name).collect()
}

/// `key: API's id`, sorted.
async fn mappings(lab: &Lab) -> Vec<String> {
    let all = lab
        .sdk
        .apigateway
        .get_api_mappings()
        .domain_name(NAME)
        .send();
    let all = all.await.unwrap();
    let about = |m: &aws_sdk_apigatewayv2::types::ApiMapping| {
        format!("{}: {}", m.api_mapping_key().unwrap(), m.api_id().unwrap())
    };
    let mut all: Vec<String> = all.items().iter().map(about).collect();
    all.sort();
    all
}

async fn api(lab: &Lab) -> aws_sdk_apigatewayv2::types::Api {
    let all = lab.sdk.apigateway.get_apis().send().await.unwrap();
    let mut all = all.items().iter();
    all.find(|api| api.name() == Some("small")).unwrap().clone()
}

async fn is_off(lab: &Lab) -> bool {
    api(lab).await.disable_execute_api_endpoint() == Some(true)
}

#[tokio::test]
async fn a_first_deploy_opens_the_domain_and_closes_the_address_before_anybody_is_served() {
    let lab = Lab::instant().await;
    let draft = own(", key: chat, only: true");
    let deployed = lab.deploy(&draft).await;
    assert!(
        deployed.plan.dangers.is_empty(),
        "{:?}",
        deployed.plan.dangers
    );
    let ended = |kind: Kind| {
        let mut events = deployed.record.events.iter();
        let ends = |e: &Event| matches!(e, Event::Finished { id, .. } if id.kind == kind);
        events.position(ends).unwrap()
    };
    let order = [
        Kind::Domain,
        Kind::Mapping,
        Kind::EndpointOff,
        Kind::Deployment,
    ]
    .map(ended);
    assert!(order.is_sorted(), "{order:?}");
    assert!(is_off(&lab).await);
    let api = api(&lab).await.api_id.unwrap();
    assert_eq!(mappings(&lab).await, [format!("chat: {api}")]);
    assert_up_to_date(&lab, &draft).await;
}

/// What clients know stops only with consent, and when what replaces it serves.
#[tokio::test]
async fn the_address_of_an_api_that_serves_is_closed_last_and_opened_first() {
    let lab = Lab::instant().await;
    lab.deploy(&Draft::from(SMALL)).await;
    let both = lab.deploy(&own("")).await;
    assert!(both.plan.dangers.is_empty(), "{:?}", both.plan.dangers);
    assert_eq!(
        changes(&both.plan),
        ["+ domain/chat.example.org", "+ mapping/chat.example.org"]
    );
    assert!(both.plan.summary().contains("Live connections: kept"));

    let mut only = own(", only: true");
    only.codes.insert("talk".to_owned(), 1);
    let plan = lab.plan(&only).await;
    assert_eq!(consents(&plan), [Consent::DropConnections]);
    assert!(!plan.summary().contains("Live connections: kept"));
    let off = &plan.changes[&ResourceId::new(Kind::EndpointOff, "small")];
    let alias = ResourceId::new(Kind::Alias, "small-talk");
    assert!(off.after.contains(&alias), "{:?}", off.after);
    assert!(!plan.changes[&alias].after.contains(&off.id));
    apply(&lab, &plan).await;
    assert!(is_off(&lab).await);
    assert_up_to_date(&lab, &only).await;

    let mut without = Draft::from(SMALL);
    without.codes.insert("talk".to_owned(), 2);
    let plan = lab.plan(&without).await;
    assert_eq!(consents(&plan), [Consent::DropConnections]);
    let on = ResourceId::new(Kind::EndpointOff, "small");
    assert!(plan.changes[&on].after.is_empty());
    for (id, change) in &plan.changes {
        let waits = matches!(id.kind, Kind::Alias | Kind::Mapping | Kind::Domain);
        assert!(
            !waits || change.after.contains(&on),
            "{id}: {:?}",
            change.after
        );
    }
    apply(&lab, &plan).await;
    assert!(!is_off(&lab).await);
    assert_eq!(domains(&lab).await, Vec::<String>::new());
    let tags = api(&lab).await.tags.unwrap_or_default();
    assert_eq!(
        tags.keys().collect::<Vec<_>>(),
        [MARK],
        "nothing is remembered"
    );
    assert_up_to_date(&lab, &without).await;
}

#[tokio::test]
async fn another_key_is_opened_before_the_old_one_closes() {
    let lab = Lab::instant().await;
    lab.deploy(&own(", key: chat")).await;
    let plan = lab.plan(&own(", key: talk")).await;
    assert_eq!(
        changes(&plan),
        [
            "- mapping/chat.example.org/chat",
            "+ mapping/chat.example.org/talk"
        ]
    );
    assert_eq!(consents(&plan), [Consent::DropConnections]);
    apply(&lab, &plan).await;
    let api = api(&lab).await.api_id.unwrap();
    assert_eq!(mappings(&lab).await, [format!("talk: {api}")]);
}

#[tokio::test]
async fn a_certificate_is_changed_in_place_and_so_is_what_a_hand_changed() {
    let lab = Lab::instant().await;
    lab.deploy(&own("")).await;
    let other = with(&format!(", certificate: \"{CERTIFICATE}b\""));
    let deployed = lab.deploy(&other).await;
    assert_eq!(changes(&deployed.plan), ["~ domain/chat.example.org"]);
    assert_up_to_date(&lab, &other).await;

    let theirs = lab.sdk.make_api("theirs", None).await;
    let gateway = &lab.sdk.apigateway;
    let all = gateway.get_api_mappings().domain_name(NAME).send().await;
    let mapping = all.unwrap().items()[0].api_mapping_id.clone().unwrap();
    let update = gateway
        .update_api_mapping()
        .domain_name(NAME)
        .api_id(&theirs);
    update
        .api_mapping_id(mapping)
        .stage("production")
        .send()
        .await
        .unwrap();
    // It leads elsewhere now, and may be meant to.
    assert_eq!(
        dangers(&lab.plan(&other).await),
        ["mapping/chat.example.org exists and was not made by this stack"]
    );
    let wanted = naming(&lab, &other, &["mapping/chat.example.org"]);
    let observed = lab.observe(&wanted).await;
    apply(&lab, &lab.plan_of(&wanted, &wanted.desired, &observed)).await;
    assert_up_to_date(&lab, &other).await;
}

#[tokio::test]
async fn a_domain_of_somebody_is_used_and_never_changed() {
    let lab = Lab::instant().await;
    let draft = with(", key: chat");
    assert_eq!(
        dangers(&lab.plan(&draft).await),
        [
            "there is no domain chat.example.org, and stack.yaml names no certificate to make it with"
        ]
    );
    make_domain(&lab).await;
    let theirs = map_theirs(&lab, "theirs").await;
    let deployed = lab.deploy(&draft).await;
    assert!(
        !changes(&deployed.plan)
            .iter()
            .any(|change| change.contains("domain/"))
    );
    assert_up_to_date(&lab, &draft).await;
    let known = lab.observe(&lab.wanted(&draft)).await.facts();
    let target = &known[&ResourceId::new(Kind::Domain, NAME)].id;
    assert!(target.starts_with("d-"), "{target}");

    // Nothing names the domain any more, and still its mapping is found.
    let without = Draft::from(SMALL);
    let plan = lab.plan(&without).await;
    assert_eq!(changes(&plan), ["- mapping/chat.example.org/chat"]);
    apply(&lab, &plan).await;
    assert_eq!(mappings(&lab).await, [format!("theirs: {theirs}")]);
    assert_eq!(domains(&lab).await, [NAME]);
    assert_up_to_date(&lab, &without).await;
}

/// Somebody mapped it by hand, as whoever comes from a script did.
#[tokio::test]
async fn a_mapping_that_is_there_is_remembered() {
    let lab = Lab::instant().await;
    make_domain(&lab).await;
    lab.deploy(&Draft::from(SMALL)).await;
    let api = api(&lab).await.api_id.unwrap();
    let create = lab.sdk.apigateway.create_api_mapping().domain_name(NAME);
    let create = create.api_mapping_key("chat").api_id(&api);
    create.stage("production").send().await.unwrap();
    assert_up_to_date(&lab, &Draft::from(SMALL)).await;
    let named = lab.deploy(&with(", key: chat")).await;
    assert_eq!(changes(&named.plan), ["~ mapping/chat.example.org/chat"]);
    assert_up_to_date(&lab, &with(", key: chat")).await;
    lab.deploy(&Draft::from(SMALL)).await;
    assert_eq!(mappings(&lab).await, Vec::<String>::new());
    assert_up_to_date(&lab, &Draft::from(SMALL)).await;
}

/// What `init --from-api` writes of it: one way in; another one of the same domain would go.
#[tokio::test]
async fn what_leads_to_an_api_is_written_down_with_it() {
    let lab = Lab::instant().await;
    make_domain(&lab).await;
    lab.deploy(&with(", key: chat, only: true")).await;
    let api = api(&lab).await.api_id.unwrap();
    let written = async || {
        let which = Which::Api(api.clone());
        let system = adopt::read(&lab.cloud, &lab.place, &which, None).await;
        let system = system.unwrap_or_else(|_| panic!("{api} is not read"));
        adopt::write(&system, "small")
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    };
    let one = written().await.text;
    let domain = "\n  domain: { name: chat.example.org, key: chat, only: true }";
    assert!(one.contains(domain), "{one}");

    let create = lab.sdk.apigateway.create_api_mapping().domain_name(NAME);
    let create = create.api_mapping_key("more").api_id(&api);
    create.stage("production").send().await.unwrap();
    let several = written().await.text;
    assert!(several.contains(domain), "{several}");
    let notes = written().await.notes;
    let said = "chat.example.org/more leads to it, too: a deploy would remove that";
    assert!(
        notes.iter().any(|note| note.text.contains(said)),
        "{notes:?}"
    );
    let plan = lab.plan(&with(", key: chat, only: true")).await;
    assert_eq!(changes(&plan), ["- mapping/chat.example.org/more"]);
    assert_eq!(consents(&plan), [Consent::DropConnections]);
}

/// Its certificate is no concern of the file any more; the domain that it names is.
#[tokio::test]
async fn a_domain_that_is_named_stays_although_its_certificate_is_not() {
    let lab = Lab::instant().await;
    lab.deploy(&own("")).await;
    assert_up_to_date(&lab, &with("")).await;
}

#[tokio::test]
async fn a_domain_without_our_mark_is_taken_over_only_when_it_is_named() {
    let lab = Lab::instant().await;
    make_domain(&lab).await;
    map_theirs(&lab, "theirs").await;
    let draft = own("");
    assert_eq!(
        dangers(&lab.plan(&draft).await),
        ["domain/chat.example.org exists and was not made by this stack"]
    );
    let wanted = naming(&lab, &draft, &["domain/chat.example.org"]);
    let observed = lab.observe(&wanted).await;
    let plan = lab.plan_of(&wanted, &wanted.desired, &observed);
    assert!(plan.dangers.is_empty(), "{:?}", plan.dangers);
    apply(&lab, &plan).await;
    assert_up_to_date(&lab, &draft).await;
    // Others are reached by it, too.
    for plan in [
        lab.plan(&Draft::from(SMALL)).await,
        lab.plan_to_destroy(&draft, true).await,
    ] {
        let others = |d: &Danger| matches!(d, Danger::SharedDomain { .. });
        let found = plan.dangers.iter().find(|d| others(d));
        assert_eq!(
            found.map(Danger::consent),
            Some(Consent::Never),
            "{}",
            shown(&plan)
        );
    }
}

#[tokio::test]
async fn a_destroy_removes_the_mapping_before_what_it_shows() {
    let lab = Lab::instant().await;
    let draft = own(", only: true");
    lab.deploy(&draft).await;
    let plan = lab.destroy(&draft, true).await;
    let consents = consents(&plan);
    assert!(
        consents.iter().all(|c| *c == Consent::DropConnections),
        "{consents:?}"
    );
    assert_eq!(domains(&lab).await, Vec::<String>::new());
    let apis = lab.sdk.apigateway.get_apis().send().await.unwrap();
    assert!(apis.items().is_empty());
}

#[tokio::test]
async fn a_domain_is_waited_for_also_by_who_comes_after() {
    let slow = Slow::with(Realism {
        domain_update: Duration::from_mins(1),
        ..Realism::INSTANT
    });
    let slow = slow.await;
    let lab = &slow.lab;
    // Made by a run that was killed before it was at rest, as far as can be seen.
    let configuration = configuration("a");
    let create = lab.sdk.apigateway.create_domain_name().domain_name(NAME);
    let create = create.domain_name_configurations(configuration);
    create.tags(MARK, "small").send().await.unwrap();
    let draft = own("");
    let plan = lab.plan(&draft).await;
    assert!(changes(&plan).contains(&"~ domain/chat.example.org".to_owned()));
    let (applied, turner) = slow.apply(plan).await;
    assert_complete(&applied);
    turner.has_waited_for("domain/chat.example.org: the domain is UPDATING");
    assert_up_to_date(lab, &draft).await;
}
