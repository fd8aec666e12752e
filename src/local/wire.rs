//! Placeholder: a refusal on the wire, as rest-json spells it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::refusal::Refusal;

pub(crate) fn rest_json(refusal: &Refusal) -> Response {
    let mut body = Map::new();
    body.insert("message".to_owned(), Value::from(refusal.message.clone()));
    body.extend((*refusal.more).clone());
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [("x-amzn-errortype", refusal.code.to_string())];
    (status, kind, axum::Json(Value::Object(body))).into_response()
}
