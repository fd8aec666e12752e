//! The API: its routes and what they lead to, its authorizer, and one of its stages.

mod stage;

use std::collections::BTreeMap;

use aws_sdk_apigatewayv2::operation::get_api::GetApiOutput;
use aws_sdk_apigatewayv2::types::{
    Authorizer as AuthorizerObject, Integration, IntegrationType, ProtocolType,
    Route as RouteObject, Stage as StageObject,
};

use super::super::system::{Api, Authorizer, Domain, Note, Route, Stage, Tags, strings};
use super::{Missing, or_note, unfit};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::Place;
use crate::resource::integration::LONGEST;
use crate::resource::pages;

pub(super) struct Seen {
    pub(super) api: Api,
    pub(super) stage: Stage,
    pub(super) routes: Vec<Route>,
    pub(super) authorizer: Option<Authorizer>,
    pub(super) domain: Option<Domain>,
    /// Function → the version or alias that the API calls.
    pub(super) called: BTreeMap<String, Option<String>>,
    pub(super) notes: Vec<Note>,
}

async fn get(cloud: &Cloud, id: &str) -> Result<GetApiOutput, CloudError> {
    cloud
        .call("GetApi", id, || {
            cloud.apigateway().get_api().api_id(id).send()
        })
        .await
}

pub(super) async fn is_websocket(cloud: &Cloud, id: &str) -> Result<bool, CloudError> {
    let api = get(cloud, id).await?;
    Ok(api.protocol_type() == Some(&ProtocolType::Websocket))
}

/// All of one list of an API's parts.
macro_rules! all {
    ($cloud:expr, $api:expr, $operation:literal, $call:ident) => {
        pages(|token| async move {
            let page = $cloud
                .call($operation, $api, || {
                    let get = $cloud.apigateway().$call().api_id($api);
                    get.max_results("100").set_next_token(token.clone()).send()
                })
                .await?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        })
    };
}

pub(super) async fn read(
    cloud: &Cloud,
    place: &Place,
    id: &str,
    stage: Option<&str>,
) -> Result<Seen, Missing> {
    let api = match get(cloud, id).await {
        Err(error) if error.fault == Fault::NotFound => {
            return unfit(
                format!(
                    "there is no API `{id}` in {}, account {}",
                    place.region, place.account
                ),
                "`aws apigatewayv2 get-apis` lists them; `--region` and `--profile` name other places",
            );
        }
        api => api?,
    };
    if api.protocol_type() != Some(&ProtocolType::Websocket) {
        let protocol = api.protocol_type().map_or("unknown", ProtocolType::as_str);
        return unfit(
            format!("API `{id}` speaks {protocol}, and msgai serves WebSocket APIs only"),
            "`aws apigatewayv2 get-apis` shows the protocol of each",
        );
    }
    let (routes, integrations, authorizers, stages, models) = futures_util::join!(
        all!(cloud, id, "GetRoutes", get_routes),
        all!(cloud, id, "GetIntegrations", get_integrations),
        all!(cloud, id, "GetAuthorizers", get_authorizers),
        all!(cloud, id, "GetStages", get_stages),
        all!(cloud, id, "GetModels", get_models),
    );
    let (routes, integrations, authorizers) = (routes?, integrations?, authorizers?);
    let stage = chosen(id, stages?, stage)?;
    let mut reading = Reading {
        place,
        variables: strings(stage.0.stage_variables().into_iter().flatten()),
        integrations: &integrations,
        authorizers: &authorizers,
        called: BTreeMap::new(),
        authorizer: None,
        domain: None,
        notes: Vec::new(),
    };
    reading.about(&api);
    let models = or_note(models, &mut reading.notes, "api", "its models")?.unwrap_or_default();
    for model in &models {
        let name = model.name().unwrap_or_default();
        let text = format!("model {name}: no stack file has models");
        reading.notes.push(Note::stays("api", text));
    }
    let mut seen: Vec<Route> = routes.iter().filter_map(|r| reading.route(r)).collect();
    seen.sort_by_key(|route| order(&route.key));
    let stage_seen = reading.stage(&stage.0, &stage.1);
    reading.domains(cloud, id, &stage_seen.name).await?;
    reading.endpoint(&api);
    Ok(Seen {
        api: Api {
            id: id.to_owned(),
            name: api.name().unwrap_or_default().to_owned(),
            description: api.description().unwrap_or_default().to_owned(),
            select: api
                .route_selection_expression()
                .unwrap_or_default()
                .to_owned(),
            tags: strings(api.tags().into_iter().flatten()),
        },
        stage: stage_seen,
        routes: seen,
        authorizer: reading.authorizer,
        domain: reading.domain,
        called: reading.called,
        notes: reading.notes,
    })
}

/// `$connect`, `$disconnect`, routes of messages, `$default`.
fn order(key: &str) -> (u8, String) {
    let rank = match key {
        "$connect" => 0,
        "$disconnect" => 1,
        "$default" => 3,
        _ => 2,
    };
    (rank, key.to_owned())
}

/// The stage that is meant, and the names of the others.
fn chosen(
    api: &str,
    mut stages: Vec<StageObject>,
    named: Option<&str>,
) -> Result<(StageObject, Vec<String>), Missing> {
    let known: Vec<String> = stages
        .iter()
        .map(|stage| stage.stage_name().unwrap_or_default().to_owned())
        .collect();
    let at = match named {
        Some(named) => known.iter().position(|name| name == named),
        None => (known.len() == 1).then_some(0),
    };
    if let Some(at) = at {
        let stage = stages.swap_remove(at);
        let others = known.into_iter().enumerate().filter(|(n, _)| *n != at);
        return Ok((stage, others.map(|(_, name)| name).collect()));
    }
    let all = known.join(", ");
    match named {
        _ if known.is_empty() => unfit(
            format!("API `{api}` has no stage, so nobody can connect to it"),
            "make one first: `aws apigatewayv2 create-stage`",
        ),
        Some(named) => unfit(
            format!("API `{api}` has no stage `{named}`"),
            format!("it has {all}"),
        ),
        None => unfit(
            format!(
                "API `{api}` has {} stages, and a stack file has one",
                known.len()
            ),
            format!("say which: `--stage NAME`, one of {all}"),
        ),
    }
}

struct Reading<'a> {
    place: &'a Place,
    /// Of the stage, which an integration's URI may name.
    variables: Tags,
    integrations: &'a [Integration],
    authorizers: &'a [AuthorizerObject],
    called: BTreeMap<String, Option<String>>,
    authorizer: Option<Authorizer>,
    domain: Option<Domain>,
    notes: Vec<Note>,
}

impl Reading<'_> {
    fn about(&mut self, api: &GetApiOutput) {
        let usual = "$request.header.x-api-key";
        if let Some(keys) = api.api_key_selection_expression().filter(|e| *e != usual) {
            let text = format!("api keys are looked for in `{keys}`");
            self.notes.push(Note::stays("api", text));
        }
        if api.disable_schema_validation() == Some(true) {
            let text = "messages are not validated against models";
            self.notes.push(Note::stays("api", text));
        }
    }

    /// The default endpoint is off only beside a domain.
    fn endpoint(&mut self, api: &GetApiOutput) {
        if api.disable_execute_api_endpoint() != Some(true) {
            return;
        }
        if let Some(domain) = &mut self.domain {
            domain.only = true;
        } else {
            let text = "its default endpoint is switched off, and no domain leads to it: a deploy switches it on";
            self.notes.push(Note::changes("api", text));
        }
    }

    fn route(&mut self, route: &RouteObject) -> Option<Route> {
        let key = route.route_key().unwrap_or_default();
        let of = format!("route/{key}");
        let target = route.target().and_then(|t| t.strip_prefix("integrations/"));
        let integration = target.and_then(|id| {
            let mut all = self.integrations.iter();
            all.find(|i| i.integration_id() == Some(id))
        });
        let Some(integration) = integration else {
            let text = "it leads nowhere, and is left out: the first deploy removes it";
            self.notes.push(Note::changes(of, text));
            return None;
        };
        let Some((function, qualifier)) = self.function_of(integration) else {
            let kind = integration
                .integration_type()
                .map_or("unknown", IntegrationType::as_str);
            let text = format!(
                "its integration is of type {kind} and calls no function of this account, and is left out: the first \
                 deploy removes it"
            );
            self.notes.push(Note::changes(of, text));
            return None;
        };
        self.calls(&function, qualifier);
        self.admission(route, &of);
        if route.api_key_required() == Some(true) {
            self.notes.push(Note::stays(&of, "it requires an api key"));
        }
        for model in strings(route.request_models().into_iter().flatten()).values() {
            let text = format!("messages must fit model {model}");
            self.notes.push(Note::stays(&of, text));
        }
        self.integration(integration, &of);
        Some(Route {
            key: key.to_owned(),
            function,
            reply: route.route_response_selection_expression().is_some(),
            timeout: integration.timeout_in_millis().filter(|t| *t < LONGEST),
        })
    }

    fn integration(&mut self, integration: &Integration, of: &str) {
        if let Some(role) = integration.credentials_arn() {
            let text = format!("its integration calls with the role {role}");
            self.notes.push(Note::stays(of, text));
        }
        if let Some(wait) = integration.timeout_in_millis().filter(|t| *t > LONGEST) {
            let text = format!(
                "it waits {wait} ms, and {LONGEST} from the first deploy on: AWS waits no longer"
            );
            self.notes.push(Note::changes(of, text));
        }
        if integration
            .request_templates()
            .is_some_and(|t| !t.is_empty())
        {
            let text = "its integration has request templates";
            self.notes.push(Note::stays(of, text));
        }
    }

    /// Who is let in; only `$connect` can ask.
    fn admission(&mut self, route: &RouteObject, of: &str) {
        use aws_sdk_apigatewayv2::types::AuthorizationType::{AwsIam, None as Nobody};
        match route.authorization_type() {
            None | Some(Nobody) => {}
            Some(AwsIam) => {
                let text = "it asks for IAM credentials, which no stack file can say: the first deploy lets anybody \
                            in who can reach it";
                self.notes.push(Note::changes(of, text));
            }
            Some(_) => self.authorizer(route.authorizer_id().unwrap_or_default(), of),
        }
    }

    fn authorizer(&mut self, id: &str, of: &str) {
        let mut all = self.authorizers.iter();
        let Some(object) = all.find(|a| a.authorizer_id() == Some(id)) else {
            return;
        };
        let uri = self.filled(object.authorizer_uri().unwrap_or_default());
        let name = object.name().unwrap_or_default();
        let Some((function, qualifier)) = function_of(&uri, self.place) else {
            let text = format!("authorizer {name} calls no function of this account");
            self.notes.push(Note::changes(of, text));
            return;
        };
        self.calls(&function, qualifier);
        if name != "msgai" {
            let text = format!(
                "another one, `msgai`, takes its place and asks the same function; `{name}` is removed"
            );
            let of = format!("authorizer/{name}");
            self.notes.push(Note::changes(of, text));
        }
        let sources = object.identity_source().iter();
        let identity = sources.map(|s| s.trim_start_matches("route.request.").to_owned());
        self.authorizer = Some(Authorizer {
            function,
            identity: identity.collect(),
        });
    }

    /// One function is called as one version; where the API calls it in two ways, the first is written.
    fn calls(&mut self, function: &str, qualifier: Option<String>) {
        self.called.entry(function.to_owned()).or_insert(qualifier);
    }

    fn function_of(&self, integration: &Integration) -> Option<(String, Option<String>)> {
        if integration.integration_type() != Some(&IntegrationType::AwsProxy) {
            return None;
        }
        let uri = self.filled(integration.integration_uri().unwrap_or_default());
        function_of(&uri, self.place)
    }

    /// `${stageVariables.x}` as the stage has it.
    fn filled(&self, uri: &str) -> String {
        self.variables
            .iter()
            .fold(uri.to_owned(), |uri, (name, value)| {
                uri.replace(&format!("${{stageVariables.{name}}}"), value)
            })
    }
}

/// The function of this account that a URI calls, and by which version or alias.
fn function_of(uri: &str, place: &Place) -> Option<(String, Option<String>)> {
    let start = format!("/functions/{}", place.function_arn(""));
    let (_, rest) = uri.split_once(&start)?;
    let called = rest.strip_suffix("/invocations")?;
    match called.split_once(':') {
        Some((function, qualifier)) => Some((function.to_owned(), Some(qualifier.to_owned()))),
        None => Some((called.to_owned(), None)),
    }
}
