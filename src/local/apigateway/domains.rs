//! Domains of one's own and their mappings to stages. They are kept; no name server knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::members::{self, Is, Member, Patch};
use super::paging::{one, page};
use super::{CONCURRENT, Context, Domain, State, bad, conflict, tags, text};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};

/// What [`write`] does.
pub(super) const OPERATIONS: &[&str] = &[
    "CreateDomainName",
    "UpdateDomainName",
    "DeleteDomainName",
    "CreateApiMapping",
    "UpdateApiMapping",
    "DeleteApiMapping",
];

const CONFIGURATION: &[Member] = &[
    ("certificateArn", Is::Text(1, 2048)),
    ("certificateName", Is::Text(1, 256)),
    ("endpointType", Is::OneOf(&["REGIONAL"])),
    ("ipAddressType", Is::OneOf(&["ipv4", "dualstack"])),
    ("ownershipVerificationCertificateArn", Is::Text(0, 2048)),
    ("securityPolicy", Is::OneOf(&["TLS_1_2"])),
];

const MEMBERS: &[Member] = &[
    ("domainName", Is::Text(1, 512)),
    ("domainNameConfigurations", Is::ObjectList(CONFIGURATION)),
    (
        "mutualTlsAuthentication",
        Is::Object(&[
            ("truststoreUri", Is::Text(0, 2048)),
            ("truststoreVersion", Is::Text(0, 64)),
        ]),
    ),
    ("routingMode", Is::OneOf(&["API_MAPPING_ONLY"])),
    ("tags", Is::TextMap),
];

const MAPPING: &[Member] = &[
    ("apiId", Is::Text(1, 64)),
    ("apiMappingKey", Is::Text(0, 300)),
    ("stage", Is::Text(1, 128)),
];

/// `None` when the operation does not read domains.
pub(super) fn read(
    state: &State,
    operation: &str,
    ids: &[String],
    query: &[(String, String)],
    now: Duration,
) -> Result<Option<Reply>, Refusal> {
    let domain = || {
        let found = state.domains.get(&ids[0]);
        found.ok_or_else(|| no_domain(&ids[0]))
    };
    Ok(Some(match operation {
        "GetDomainNames" => {
            let all = state.domains.iter();
            let shown: BTreeMap<&String, Object> = all.map(|(id, d)| (id, d.shown(now))).collect();
            page(shown.iter().map(|(id, about)| (*id, about)), query)?
        }
        "GetDomainName" => Reply::ok(domain()?.shown(now)),
        "GetApiMappings" => page(&domain()?.mappings, query)?,
        "GetApiMapping" => one(&domain()?.mappings, "ApiMapping", &ids[1])?,
        _ => return Ok(None),
    }))
}

pub(super) fn write(
    state: &mut State,
    context: &Context<'_>,
    operation: &str,
    ids: &[String],
    body: &Object,
) -> Result<Reply, Refusal> {
    if operation != "CreateDomainName" && context.now < domain(state, &ids[0])?.ready {
        return Err(conflict(CONCURRENT));
    }
    match operation {
        "CreateDomainName" => create(state, context, body),
        "UpdateDomainName" => update(state, context, &ids[0], body),
        "DeleteDomainName" => {
            let gone = state.domains.remove(&ids[0]);
            gone.map(|_| Reply::empty(204))
                .ok_or_else(|| no_domain(&ids[0]))
        }
        "CreateApiMapping" => create_mapping(state, &ids[0], body),
        "UpdateApiMapping" => update_mapping(state, &ids[0], &ids[1], body),
        _ => {
            let gone = domain(state, &ids[0])?.mappings.remove(&ids[1]);
            gone.map(|_| Reply::empty(204))
                .ok_or_else(|| no_mapping(&ids[1]))
        }
    }
}

fn create(state: &mut State, context: &Context<'_>, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MEMBERS, &["domainName"])?;
    let name = text(&about, "domainName").to_owned();
    let plain = |label: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(letters)
    };
    if !name.contains('.') || !name.trim_start_matches("*.").split('.').all(plain) {
        return Err(bad(format!(
            "The provided domain name is not valid: {name}"
        )));
    }
    if state.domains.contains_key(&name) {
        let message = "The domain name you provided already exists.";
        return Err(bad(message));
    }
    tags::check(&tags::of(&about))?;
    about
        .entry("domainNameConfigurations")
        .or_insert_with(|| json!([{}]));
    configure(&mut about, context.region, &wire::short_id(10))?;
    for (member, value) in [
        ("apiMappingSelectionExpression", json!("$request.basepath")),
        ("domainNameArn", json!(arn(context.region, &name))),
        ("routingMode", json!("API_MAPPING_ONLY")),
        ("tags", json!({})),
    ] {
        about.entry(member).or_insert(value);
    }
    let domain = Domain {
        about,
        ready: context.now + context.domain_update,
        ..Domain::default()
    };
    let shown = domain.shown(context.now);
    state.domains.insert(name, domain);
    Ok(Reply::new(201, shown))
}

fn update(
    state: &mut State,
    context: &Context<'_>,
    name: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut patch = members::take(body, MEMBERS)?;
    patch.remove("domainName");
    patch.remove("tags");
    let domain = domain(state, name)?;
    let target = target(&domain.about);
    members::merge(
        &mut domain.about,
        patch,
        &[("mutualTlsAuthentication", Patch::Deep)],
    );
    let mutual = domain.about.get("mutualTlsAuthentication");
    if mutual.is_some_and(|mutual| mutual["truststoreUri"] == "") {
        domain.about.remove("mutualTlsAuthentication");
    }
    configure(&mut domain.about, context.region, &target)?;
    domain.ready = context.now + context.domain_update;
    Ok(Reply::ok(domain.shown(context.now)))
}

impl Domain {
    /// As it is answered: a change takes its time.
    fn shown(&self, now: Duration) -> Object {
        let mut about = self.about.clone();
        if now < self.ready
            && let Some(all) = about.get_mut("domainNameConfigurations")
        {
            all[0]["domainNameStatus"] = json!("UPDATING");
        }
        about
    }
}

/// What names the domain in AWS's own: `d-` and this.
fn target(about: &Object) -> String {
    let first = about
        .get("domainNameConfigurations")
        .map_or(&Value::Null, |all| &all[0]);
    let name = first["apiGatewayDomainName"].as_str().unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    name.trim_start_matches("d-").to_owned()
}

/// A configuration as AWS answers it, from what was given.
fn configure(about: &mut Object, region: &str, target: &str) -> Result<(), Refusal> {
    let all = about.get_mut("domainNameConfigurations");
    let all = all.and_then(Value::as_array_mut);
    let Some([configuration]) = all.map(Vec::as_mut_slice) else {
        return Err(bad("Exactly one domain name configuration is supported"));
    };
    let Some(configuration) = configuration.as_object_mut() else {
        return Err(bad("Invalid domain name configuration"));
    };
    certified(text(configuration, "certificateArn"), region)?;
    for (member, value) in [
        (
            "apiGatewayDomainName",
            format!("d-{target}.execute-api.{region}.amazonaws.com"),
        ),
        ("domainNameStatus", "AVAILABLE".to_owned()),
        ("endpointType", "REGIONAL".to_owned()),
        ("hostedZoneId", "Z1UJRXOUMOOFQ8".to_owned()),
        ("ipAddressType", "ipv4".to_owned()),
        ("securityPolicy", "TLS_1_2".to_owned()),
    ] {
        configuration.entry(member).or_insert(value.into());
    }
    Ok(())
}

/// Nobody issues certificates here: any is taken that has the shape of one of this Region.
fn certified(arn: &str, region: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "acm", of, account, rest] = parts.as_slice() else {
        return Err(bad(
            "Invalid certificate ARN: it must be the ARN of a certificate of AWS Certificate Manager",
        ));
    };
    if *of != region {
        return Err(bad(format!(
            "Invalid certificate ARN: {arn}. Certificate must be in '{region}'."
        )));
    }
    let is_account = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
    let id = rest.strip_prefix("certificate/").unwrap_or_default();
    if !is_account || id.is_empty() {
        return Err(bad(format!("Invalid certificate ARN: {arn}")));
    }
    Ok(())
}

fn create_mapping(state: &mut State, name: &str, body: &Object) -> Result<Reply, Refusal> {
    let mut about = members::take_with(body, MAPPING, &["apiId", "stage"])?;
    let id = wire::short_id(6);
    check(state, name, &id, &about)?;
    about.entry("apiMappingKey").or_insert_with(|| "".into());
    about.insert("apiMappingId".to_owned(), id.clone().into());
    domain(state, name)?.mappings.insert(id, about.clone());
    Ok(Reply::new(201, about))
}

fn update_mapping(
    state: &mut State,
    name: &str,
    id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let patch = members::take(body, MAPPING)?;
    let mut about = domain(state, name)?
        .mappings
        .get(id)
        .cloned()
        .ok_or_else(|| no_mapping(id))?;
    members::merge(&mut about, patch, &[]);
    check(state, name, id, &about)?;
    let mappings = &mut domain(state, name)?.mappings;
    mappings.insert(id.to_owned(), about.clone());
    Ok(Reply::ok(about))
}

fn check(state: &State, name: &str, id: &str, about: &Object) -> Result<(), Refusal> {
    let found = state.domains.get(name).ok_or_else(|| no_domain(name))?;
    let api = state.api(text(about, "apiId"))?;
    api.stage(text(about, "stage"))?;
    let key = text(about, "apiMappingKey");
    let plain = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    if !key.chars().all(plain) {
        return Err(bad(format!(
            "API mapping key should contain only letters, numbers and $-_.+!*'(): {key}"
        )));
    }
    let mut others = found.mappings.iter().filter(|(other, _)| *other != id);
    if others.any(|(_, other)| text(other, "apiMappingKey") == key) {
        return Err(conflict(
            "ApiMapping key already exists for this domain name",
        ));
    }
    Ok(())
}

/// An API that a domain shows is not deleted.
pub(super) fn api_is_free(state: &State, api_id: &str) -> Result<(), Refusal> {
    if mapped(state, |mapping| text(mapping, "apiId") == api_id) {
        return Err(bad(format!(
            "Deleting API {api_id} failed. Please remove all API mappings for the API from your custom domain names."
        )));
    }
    Ok(())
}

/// A stage that a domain shows is not deleted.
pub(super) fn stage_is_free(state: &State, api_id: &str, name: &str) -> Result<(), Refusal> {
    let shows =
        |mapping: &Object| text(mapping, "apiId") == api_id && text(mapping, "stage") == name;
    if mapped(state, shows) {
        return Err(bad(format!(
            "Deleting stage {name} failed. Please remove all API mappings for the stage from your custom domain names."
        )));
    }
    Ok(())
}

fn mapped(state: &State, shows: impl Fn(&Object) -> bool) -> bool {
    let mut all = state.domains.values().flat_map(|one| one.mappings.values());
    all.any(shows)
}

pub(super) fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:apigateway:{region}::/domainnames/{name}")
}

fn domain<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Domain, Refusal> {
    state.domains.get_mut(name).ok_or_else(|| no_domain(name))
}

pub(super) fn no_domain(name: &str) -> Refusal {
    let message = format!("Invalid domain name identifier specified: {name}");
    Refusal::new(404, "NotFoundException", message).with("resourceType", "DomainName")
}

fn no_mapping(id: &str) -> Refusal {
    let message = format!("Unable to find ApiMapping by id {id} within the provided DomainName");
    Refusal::new(404, "NotFoundException", message).with("resourceType", "ApiMapping")
}
