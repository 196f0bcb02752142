//! Why not: one table of codes, each with its HTTP status and the exit code of the command line.
//! A room's error becomes an [`ApiError`] at the door; nothing else leaves the process.

use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::api::writing::Conflict;
use crate::path::InvalidPath;

/// A status by its name, or by its number where HTTP itself has no name for it.
macro_rules! status {
    ($name:ident) => {
        StatusCode::$name
    };
    ($number:literal) => {
        match StatusCode::from_u16($number) {
            Ok(status) => status,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    };
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $text:literal, $status:tt, $exit:literal;)*) => {
        /// What went wrong, for programs. [`ApiError::message`] says it for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is written on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => status!($status),)* }
            }

            /// The exit code of a command that ends with it: 2 usage, 3 not found, 4 refused, 5 try again, 1 the rest.
            #[must_use]
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }
        }
    };
}

codes! {
    /// The request could not be understood.
    BadRequest => "BAD_REQUEST", BAD_REQUEST, 2;
    /// The path is not one: absolute, `..`, a control character, too long.
    BadPath => "BAD_PATH", BAD_REQUEST, 2;
    /// A name that the disk, or another system, cannot hold.
    BadName => "BAD_NAME", BAD_REQUEST, 2;
    /// A parameter is missing or out of its range.
    BadParameter => "BAD_PARAMETER", BAD_REQUEST, 2;
    /// Nobody is signed in here, or the session has ended.
    NotSignedIn => "NOT_SIGNED_IN", UNAUTHORIZED, 4;
    /// The PIN is not the right one.
    WrongPin => "WRONG_PIN", UNAUTHORIZED, 4;
    /// The setup code is not the right one.
    WrongSetupCode => "WRONG_SETUP_CODE", UNAUTHORIZED, 4;
    /// The pairing code or invite is wrong, used, or over its time.
    WrongCode => "WRONG_CODE", UNAUTHORIZED, 4;
    /// The passcode of the transfer is not the right one.
    WrongPasscode => "WRONG_PASSCODE", UNAUTHORIZED, 4;
    /// The access token is missing, wrong, or over its time.
    TokenInvalid => "TOKEN_INVALID", UNAUTHORIZED, 4;
    /// The signature does not prove the device's key.
    WrongSignature => "WRONG_SIGNATURE", UNAUTHORIZED, 4;
    /// The ticket is not a ticket.
    TicketMalformed => "TICKET_MALFORMED", UNAUTHORIZED, 4;
    /// The ticket names a key this device does not know.
    TicketKey => "TICKET_KEY", UNAUTHORIZED, 4;
    /// The ticket's signature does not fit.
    TicketSignature => "TICKET_SIGNATURE", UNAUTHORIZED, 4;
    /// The ticket is over its time.
    TicketExpired => "TICKET_EXPIRED", UNAUTHORIZED, 4;
    /// What the ticket stands for has ended.
    TicketRevoked => "TICKET_REVOKED", UNAUTHORIZED, 4;
    /// The ticket is for another device.
    TicketAudience => "TICKET_AUDIENCE", FORBIDDEN, 4;
    /// The ticket belongs to somebody else.
    TicketPresenter => "TICKET_PRESENTER", FORBIDDEN, 4;
    /// The ticket is for another share.
    TicketResource => "TICKET_RESOURCE", FORBIDDEN, 4;
    /// The ticket does not allow this.
    TicketPermission => "TICKET_PERMISSION", FORBIDDEN, 4;
    /// The caller may not do this.
    Forbidden => "FORBIDDEN", FORBIDDEN, 4;
    /// The share, or the disk it is on, cannot be written to.
    ReadOnly => "READ_ONLY", FORBIDDEN, 4;
    /// The request comes from another site.
    CrossSite => "CROSS_SITE", FORBIDDEN, 4;
    /// This needs a private (HTTPS) connection.
    NotPrivate => "NOT_PRIVATE", FORBIDDEN, 4;
    /// The place leads out of the share, or is not a file or folder.
    OutsideShare => "OUTSIDE_SHARE", FORBIDDEN, 4;
    /// The operating system does not let this machine's user read it.
    AccessDenied => "ACCESS_DENIED", FORBIDDEN, 4;
    /// There is nothing of that name.
    NotFound => "NOT_FOUND", NOT_FOUND, 3;
    /// The address exists, but not for this method.
    MethodNotAllowed => "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, 2;
    /// It is a folder and should be a file.
    IsFolder => "IS_FOLDER", CONFLICT, 2;
    /// It is a file and should be a folder.
    NotFolder => "NOT_FOLDER", CONFLICT, 2;
    /// It is a link, and the file it points to should be named.
    IsLink => "IS_LINK", CONFLICT, 2;
    /// The name is taken.
    Exists => "EXISTS", CONFLICT, 1;
    /// The upload is not at that byte.
    OffsetConflict => "OFFSET_CONFLICT", CONFLICT, 1;
    /// The transfer is not in a state in which that can be done.
    WrongState => "WRONG_STATE", CONFLICT, 1;
    /// What was done cannot be undone any more: something else happened since.
    NotUndoable => "NOT_UNDOABLE", CONFLICT, 1;
    /// It was there, and is not any more.
    Gone => "GONE", GONE, 3;
    /// The two clocks differ too much for tickets to work.
    ClockSkew => "CLOCK_SKEW", CONFLICT, 1;
    /// Setup is already done.
    AlreadySetUp => "ALREADY_SET_UP", CONFLICT, 2;
    /// The thing changed since the caller last looked.
    Conflict => "CONFLICT", CONFLICT, 1;
    /// The thing is not in the state that the request says it must be in (`If-Match`).
    PreconditionFailed => "PRECONDITION_FAILED", PRECONDITION_FAILED, 1;
    /// More was sent than is taken.
    TooLarge => "TOO_LARGE", PAYLOAD_TOO_LARGE, 2;
    /// No byte of the file is in the range.
    RangeNotSatisfiable => "RANGE_NOT_SATISFIABLE", RANGE_NOT_SATISFIABLE, 2;
    /// The name in the request is not one of this machine's.
    UnknownHost => "UNKNOWN_HOST", MISDIRECTED_REQUEST, 2;
    /// The file is of a kind that this cannot be made from.
    Unsupported => "UNSUPPORTED", UNSUPPORTED_MEDIA_TYPE, 1;
    /// Something exists there: say which version is meant to be replaced (`If-Match`).
    PreconditionRequired => "PRECONDITION_REQUIRED", PRECONDITION_REQUIRED, 2;
    /// Too many wrong PINs: wait, or use a known browser.
    Locked => "LOCKED", TOO_MANY_REQUESTS, 5;
    /// Too many requests at once.
    TooMany => "TOO_MANY", TOO_MANY_REQUESTS, 5;
    /// What came does not have the checksum that was said (460 is tus's own).
    ChecksumMismatch => "CHECKSUM_MISMATCH", 460, 1;
    /// Something broke inside.
    Internal => "INTERNAL", INTERNAL_SERVER_ERROR, 1;
    /// The disk could not be read.
    ReadFailed => "READ_FAILED", INTERNAL_SERVER_ERROR, 1;
    /// The disk could not be written.
    WriteFailed => "WRITE_FAILED", INTERNAL_SERVER_ERROR, 1;
    /// The disk has no room for it.
    NoSpace => "NO_SPACE", INSUFFICIENT_STORAGE, 1;
    /// The device did not answer properly.
    DeviceFailed => "DEVICE_FAILED", BAD_GATEWAY, 1;
    /// The device is there, and there is no way to it.
    DeviceUnreachable => "DEVICE_UNREACHABLE", BAD_GATEWAY, 5;
    /// The first-run setup has not been done.
    NotSetUp => "NOT_SET_UP", SERVICE_UNAVAILABLE, 5;
    /// The device is not connected.
    DeviceOffline => "DEVICE_OFFLINE", SERVICE_UNAVAILABLE, 5;
    /// A helper program that this needs is not installed.
    ToolMissing => "TOOL_MISSING", SERVICE_UNAVAILABLE, 1;
    /// Everything is in use; try again shortly.
    Busy => "BUSY", SERVICE_UNAVAILABLE, 5;
    /// It took too long.
    TimedOut => "TIMED_OUT", GATEWAY_TIMEOUT, 5;
}

/// The body of every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiError {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, in one sentence.
    pub message: String,
    /// What to do next, in one sentence.
    pub hint: String,
    /// The request, as it is named in the log. Filled in by the door.
    #[serde(default)]
    #[schema(required)]
    pub request_id: String,
    /// After how many seconds it is worth trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What is there instead, where a change was made to something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Box<Conflict>>,
}

impl ApiError {
    /// An error of this code with its sentence and next step.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            request_id: String::new(),
            retry_after: None,
            conflict: None,
        }
    }

    /// The same error, with the time after which it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same error, with what is there instead.
    #[must_use]
    pub fn conflict(mut self, conflict: Conflict) -> Self {
        self.conflict = Some(Box::new(conflict));
        self
    }

    /// The error as an HTTP answer: status, JSON, `Retry-After`. The error itself goes along as an extension, so that
    /// the outermost layer can add the request's id.
    #[must_use]
    pub fn into_response<B: From<Vec<u8>>>(self) -> http::Response<B> {
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = http::Response::new(json.into());
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<InvalidPath> for ApiError {
    fn from(error: InvalidPath) -> Self {
        let hint = "Use a path as a listing gave it: relative, with '/', odd bytes as \\xHH.";
        Self::new(ErrorCode::BadPath, format!("This is not a path inside a share: {error}."), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_whole_answer() {
        let error = ApiError::new(ErrorCode::Busy, "Everything is in use.", "Try again.").retry_after(3);
        let answer: http::Response<Vec<u8>> = error.clone().into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "3");
        assert_eq!(serde_json::from_slice::<ApiError>(answer.body()).unwrap(), error);
        assert_eq!(answer.extensions().get(), Some(&error));
    }

    #[test]
    fn every_code_is_an_error_and_is_spelled_once() {
        let mut spelled = std::collections::HashSet::new();
        for code in ErrorCode::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(spelled.insert(code.as_str()));
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.as_str()));
        }
    }
}
