//! The outermost layer: a request's id, its log span, the answer to a panic, and the headers every answer carries.
//! Bodies of good answers pass untouched.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use proto::id::RequestId;
use proto::{ApiError, ErrorCode};
use tracing::Instrument;

use super::{headers, host, origin};
use crate::coordinator::Coordinator;
use crate::http::error::Refusal;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn wrap(
    State(coordinator): State<Coordinator>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::generate();
    request.extensions_mut().insert(id);
    let for_programs = is_for_programs(request.uri().path());
    let trusted = headers::is_trusted(&request);
    let span = tracing::info_span!("request", %id, method = %request.method());
    let answering = async {
        match host::check(&request, &coordinator).and_then(|()| origin::check(&request)) {
            Ok(()) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        }
    };
    let answering = AssertUnwindSafe(answering).catch_unwind().instrument(span.clone());
    let mut response = answering.await.unwrap_or_else(|_| {
        span.in_scope(|| tracing::error!("a request panicked"));
        Refusal::internal().into_response()
    });
    if for_programs {
        explain(&mut response);
    }
    let id = id.to_string();
    sign(&mut response, &id);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    headers::add(response.headers_mut(), trusted);
    response
}

/// True for addresses whose errors are JSON.
fn is_for_programs(path: &str) -> bool {
    ["/api", "/agent"]
        .iter()
        .any(|top| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Gives an error that came without words (a wrong method, for one) the form that all errors have.
fn explain(response: &mut Response) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_error || is_json {
        return;
    }
    let (code, message) = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            (ErrorCode::MethodNotAllowed, "This address does not take that method.")
        }
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "There is nothing at this address."),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::TooLarge, "More was sent than is taken."),
        s if s.is_client_error() => (ErrorCode::BadRequest, "The request could not be understood."),
        _ => (ErrorCode::Internal, "Something broke inside."),
    };
    if code.status() == status {
        let error = ApiError::new(code, message, "See the API's description at /api/openapi.json.");
        response.extensions_mut().insert(error);
    }
}

/// Writes the request's id into the error that the response carries, if any.
fn sign(response: &mut Response, id: &str) {
    let Some(mut error) = response.extensions_mut().remove::<ApiError>() else { return };
    error.request_id = id.to_owned();
    let Ok(body) = serde_json::to_vec(&error) else { return };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::from(body);
}
