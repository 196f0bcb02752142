//! Errors on their way out: a room's error becomes status, JSON and log line here and nowhere else.

use axum::response::{IntoResponse, Response};
use proto::path::InvalidPath;
use proto::ticket::TicketError;
use proto::{ApiError, ErrorCode};

use crate::files::FilesError;
use crate::files::upload::UploadError;
use crate::files::write::WriteError;

/// What every handler of the data plane answers with when it cannot do what was asked.
#[derive(Debug)]
pub struct Refusal(pub ApiError);

impl Refusal {
    /// A parameter that is missing or out of its range.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self(ApiError::new(
            ErrorCode::BadParameter,
            message,
            "See the API's description at /api/openapi.json.",
        ))
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<FilesError> for Refusal {
    fn from(error: FilesError) -> Self {
        if let FilesError::Io(cause) = &error {
            tracing::warn!(error = %cause, "disk error");
        }
        Self(error.into())
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        if let WriteError::Io(cause) = &error {
            tracing::warn!(error = %cause, "disk error");
        }
        Self(error.into())
    }
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Write(error) => error.into(),
            other => Self(other.into()),
        }
    }
}

impl From<TicketError> for Refusal {
    fn from(error: TicketError) -> Self {
        let hint = "Ask the coordinator for a new ticket.";
        Self(ApiError::new(error.code(), format!("This cannot be opened: {error}."), hint))
    }
}

impl From<InvalidPath> for Refusal {
    fn from(error: InvalidPath) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
