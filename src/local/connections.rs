//! `@connections`: how functions write to sockets, look at them and close them.
//!
//! In: POST, GET and DELETE of a connection id. Out: 410 for whoever is not there, as on AWS: also for a connection
//! whose `$connect` has not returned yet.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Map, json};

use super::console::{Detail, From, Text};
use super::edge::TRACE;
use super::faults::Fate;
use super::refusal::Refusal;
use super::service::{Credential, text};
use super::sts::Untaken;
use super::websocket::{Address, CALLBACK, Connection, Unsent, apis_with_stage, served};
use super::{World, faults, iam, ids, sts, wire};

const MESSAGE_LIMIT: usize = 128 * 1024;
/// As a credential scope names it.
pub(super) const SERVICE: &str = "execute-api";

/// Every path form: below a stage with its API, below a stage, and bare.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/_aws/execute-api/{a}/{b}/{c}/{d}", any(serve))
        .route("/_aws/domains/{a}/{b}/{c}/{d}", any(serve))
        .route("/_aws/domains/{a}/{b}/{c}", any(serve))
        .route("/{a}/{b}/{c}", any(serve))
        .route("/{a}/{b}", any(serve))
        .layer(DefaultBodyLimit::disable())
        .with_state(world)
}

async fn serve(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let operation = match parts.method {
        Method::POST => "PostToConnection",
        Method::GET => "GetConnection",
        Method::DELETE => "DeleteConnection",
        _ => "",
    };
    let refuse = |fate| wire::rest_json(&fails(fate));
    let answer = async {
        let answer = answer(&world, &parts, body).await;
        answer.unwrap_or_else(|refusal| wire::rest_json(&refusal))
    };
    faults::befall(&world, SERVICE, operation, refuse, answer).await
}

/// A planned fault in the gateway's words.
fn fails(fate: Fate) -> Refusal {
    match fate {
        Fate::Throttled => too_many(),
        Fate::Denied => forbidden(),
        Fate::Gone => gone(),
        _ => Refusal::new(500, "InternalServerErrorException", "failed as planned"),
    }
}

fn too_many() -> Refusal {
    Refusal::new(429, "LimitExceededException", "Rate exceeded")
}

async fn answer(world: &World, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    let host = parts.headers.get("host").and_then(|h| h.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    let address = Address::at(world, host, parts.uri.path());
    let (stage, id) = match address.path.as_slice() {
        [stage, mark, id] if mark == CALLBACK => (Some(stage.as_str()), id.as_str()),
        [mark, id] if mark == CALLBACK => (None, id.as_str()),
        _ => return Err(forbidden()),
    };
    signed(world, parts)?;
    permitted(world, parts, address.api_id.as_deref(), stage, id)?;
    if !world.sockets.admits_callback(world) {
        return Err(too_many());
    }
    let connection = find(world, &address, stage, id)
        .inspect_err(|refusal| missed(world, parts, id, refusal))?;
    match parts.method {
        Method::POST => {
            let call = ids::traced(text(&parts.headers, TRACE));
            post(world, &connection, body, call.as_deref()).await
        }
        Method::GET => Ok(show(&connection)),
        Method::DELETE => {
            connection.delete();
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(forbidden()),
    }
}

pub(super) fn forbidden() -> Refusal {
    Refusal::new(403, "ForbiddenException", "Forbidden")
}

/// A signature must be there and be for this service; whether it is right nobody checks locally.
fn signed(world: &World, parts: &Parts) -> Result<(), Refusal> {
    let Some(credential) = Credential::of(&parts.headers) else {
        return Err(Refusal::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    let wrong = |what: String| Refusal::new(403, "InvalidSignatureException", what);
    if credential.service != SERVICE {
        let text = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(wrong(text));
    }
    if credential.region != world.region {
        let region = credential.region;
        let text = format!("Credential should be scoped to a valid region, not '{region}'.");
        return Err(wrong(text));
    }
    Ok(())
}

/// A role's session needs its role's permission for the method, on the connection's API and stage.
fn permitted(
    world: &World,
    parts: &Parts,
    api_id: Option<&str>,
    stage: Option<&str>,
    id: &str,
) -> Result<(), Refusal> {
    let untaken = |untaken: Untaken| {
        let code = match untaken {
            Untaken::Invalid => "UnrecognizedClientException",
            Untaken::Expired => "ExpiredTokenException",
        };
        Refusal::new(403, code, untaken.message())
    };
    let Some(session) = sts::caller(world, &parts.headers).map_err(untaken)? else {
        return Ok(());
    };
    // A URL need not name the API, nor a bare one the stage.
    let connection = world.sockets.get(id);
    let caller = connection.as_ref().map(|connection| &connection.caller);
    let stage = stage.or(caller.map(|c| c.stage.as_str()));
    let only = stage.and_then(|stage| apis_with_stage(world, stage).into_iter().next());
    let api = api_id
        .or(caller.map(|c| c.api_id.as_str()))
        .or(only.as_deref());
    let (Some(api), Some(stage)) = (api, stage) else {
        return Ok(());
    };
    let ask = iam::connections(world, api, stage, parts.method.as_str(), id);
    iam::check(world, &session, &[ask]).map_err(|sentence| {
        Refusal::new(403, "AccessDeniedException", "").with("Message", sentence)
    })
}

/// The open connection; one of another stage or API is as good as gone.
fn find(
    world: &World,
    address: &Address,
    stage: Option<&str>,
    id: &str,
) -> Result<Arc<Connection>, Refusal> {
    let api_id = address.api_id.as_deref();
    let known = match (api_id, stage) {
        (Some(api), Some(stage)) => served(world, api, stage).is_some_and(|s| address.posts(&s)),
        (None, Some(stage)) => !apis_with_stage(world, stage).is_empty(),
        _ => true,
    };
    if !known {
        return Err(forbidden());
    }
    if !ids::is_connection_id(id) {
        let text = format!("Invalid connectionId: {id}");
        return Err(Refusal::new(400, "BadRequestException", text));
    }
    let connection = world.sockets.get(id).filter(|c| {
        let caller = &c.caller;
        api_id.is_none_or(|a| a == caller.api_id) && stage.is_none_or(|s| s == caller.stage)
    });
    connection.ok_or_else(gone)
}

/// Shows a post to a connection that is not there.
fn missed(world: &World, parts: &Parts, id: &str, refusal: &Refusal) {
    world.show(|| Detail::Missed {
        connection_id: id,
        method: parts.method.as_str(),
        request_id: ids::traced(text(&parts.headers, TRACE)),
        status: refusal.status,
    });
}

fn gone() -> Refusal {
    Refusal::new(410, "GoneException", "Gone")
}

async fn post(
    world: &World,
    connection: &Connection,
    body: Body,
    call: Option<&str>,
) -> Result<Response, Refusal> {
    let Ok(data) = to_bytes(body, MESSAGE_LIMIT).await else {
        let text = "Payload Too Large";
        return Err(Refusal::new(413, "PayloadTooLargeException", text));
    };
    // Always a text frame, whatever the bytes.
    let text = String::from_utf8_lossy(&data);
    let posted = match connection.post(text.clone().into_owned()) {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(Unsent::Gone) => Err(gone()),
        Err(Unsent::Slow) => {
            let text = "The client reads too slowly";
            Err(Refusal::new(429, "LimitExceededException", text))
        }
    };
    if posted.is_ok() {
        let caller = &connection.caller;
        world.count_message(&caller.api_id, &caller.stage);
    }
    world.show(|| Detail::Frame {
        connection_id: &connection.caller.connection_id,
        from: From::Post,
        request_id: call,
        status: posted.as_ref().err().map(|refusal| refusal.status),
        body: Text::of(&text),
    });
    posted
}

fn show(connection: &Connection) -> Response {
    let caller = &connection.caller;
    let mut identity = Map::new();
    identity.insert("sourceIp".to_owned(), json!(caller.source_ip));
    if let Some(agent) = &caller.user_agent {
        identity.insert("userAgent".to_owned(), json!(agent));
    }
    let shown = json!({
        "connectedAt": ids::iso(caller.connected_at),
        "identity": identity,
        "lastActiveAt": ids::iso(connection.last_active()),
    });
    axum::Json(shown).into_response()
}
