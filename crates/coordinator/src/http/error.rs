//! Errors on their way out: a room's error becomes status, JSON and log line here and nowhere else.

use axum::response::{IntoResponse, Response};
use proto::ErrorCode::{self, *};
use proto::clock::spoken;
use proto::{ApiError, Permission};

use crate::access::Denied;
use crate::folders::FolderError;
use crate::gateway::{GatewayError, LinkError};
use crate::identity::SignInError;
use crate::identity::lockout::Wait;
use crate::settings::ChangeError;
use crate::store::StoreError;

/// What every handler of the control plane answers with when it cannot do what was asked.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) ApiError);

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(ApiError::new(code, message, hint))
    }

    pub(crate) fn internal() -> Self {
        Self::new(Internal, "Something broke inside.", "Try again; the log of this machine says more.")
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(NotSignedIn, "Nobody is signed in here, or the session has ended.", "Sign in.")
    }

    pub(crate) fn token_invalid() -> Self {
        Self::new(TokenInvalid, "The access token is wrong, over its time, or revoked.", "Get a new one.")
    }

    pub(crate) fn not_set_up() -> Self {
        Self::new(NotSetUp, "This machine has not been set up yet.", "Open /setup.")
    }

    pub(crate) fn not_private() -> Self {
        Self::new(
            NotPrivate,
            "This needs a private connection.",
            "Open this page over HTTPS, or on the machine itself.",
        )
    }

    pub(crate) fn owner_only() -> Self {
        Self::new(Forbidden, "Only the owner may do this.", "Ask whoever set this machine up.")
    }

    pub(crate) fn machines_only() -> Self {
        Self::new(
            Forbidden,
            "Only a machine that proves its key asks devices straight.",
            "From a page, ask through this coordinator: /api/v1/devices/{device}/…",
        )
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(NotFound, message, "It may have been removed; reload the page.")
    }

    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new(BadParameter, message, "Change it and try again.")
    }

    pub(crate) fn too_many(seconds: u64) -> Self {
        let hint = format!("Wait {} and try again.", spoken(seconds));
        Self(ApiError::new(TooMany, "Too many requests from your address.", hint).retry_after(seconds))
    }
}

impl From<SignInError> for Refusal {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::NotSetUp => Self::not_set_up(),
            SignInError::AlreadySetUp => {
                Self::new(AlreadySetUp, "This machine is set up already.", "Sign in with its PIN.")
            }
            SignInError::BadPin => Self::parameter("A PIN has 4 to 12 digits."),
            SignInError::WrongPin => Self::new(WrongPin, "That is not the PIN.", "Try again."),
            SignInError::WrongCode => Self::new(
                WrongSetupCode,
                "The setup code is missing or wrong.",
                "Type the code that is printed on the machine's terminal, or open this page on the machine itself.",
            ),
            SignInError::Locked(wait) => locked(wait),
            SignInError::TooMany(seconds) => Self::too_many(seconds),
            SignInError::Busy => Self(
                ApiError::new(Busy, "Too many people are signing in at once.", "Try again in a few seconds.")
                    .retry_after(3),
            ),
            SignInError::Changed => {
                Self::new(Conflict, "The PIN was changed meanwhile.", "Sign in with the new PIN.")
            }
            SignInError::Hash(_) | SignInError::Random(_) => {
                tracing::error!(%error, "cannot sign in");
                Self::internal()
            }
            SignInError::Store(error) => error.into(),
        }
    }
}

/// Too many wrong pairing codes.
pub(crate) fn locked_codes(wait: Wait) -> Refusal {
    let hint = format!("Wait {} and try again.", spoken(wait.seconds));
    Refusal(ApiError::new(Locked, "Too many wrong codes in a row.", hint).retry_after(wait.seconds))
}

fn locked(wait: Wait) -> Refusal {
    let time = spoken(wait.seconds);
    let (message, hint) = if wait.locked {
        (
            format!("Too many wrong PINs: this browser can sign in again in {time}."),
            "Until then, use a browser that has signed in before, or the machine itself.".to_owned(),
        )
    } else {
        ("Too many wrong PINs.".to_owned(), format!("Wait {time} and try again."))
    };
    Refusal(ApiError::new(Locked, message, hint).retry_after(wait.seconds))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the database failed");
        Self::internal()
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(why) => Self::parameter(why),
            ChangeError::Save(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot save the settings");
                Self::new(Internal, "The settings could not be saved.", "See the log of this machine.")
            }
        }
    }
}

impl From<FolderError> for Refusal {
    fn from(error: FolderError) -> Self {
        let hint = "Choose another folder.";
        match error {
            FolderError::NotAbsolute => Self::parameter("A folder is named by its whole path, from the top."),
            FolderError::NotText => {
                Self::parameter("The folder's name is not text, so it cannot be chosen here.")
            }
            FolderError::NotFound => Self::new(NotFound, "There is no such folder.", hint),
            FolderError::NotFolder => Self::new(NotFolder, "That is a file, not a folder.", hint),
            FolderError::Denied => {
                Self::new(AccessDenied, "The user who runs Lanthorn may not read this folder.", hint)
            }
            FolderError::TimedOut => Self::new(TimedOut, "The folder took too long to be read.", hint),
            FolderError::Io(error) => {
                tracing::warn!(%error, "cannot read a folder");
                Self::new(ReadFailed, "The folder could not be read.", hint)
            }
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::not_found("There is no such share."),
            Denied::Lacks(permission) => {
                let what = match permission {
                    Permission::Read => "look into this share",
                    Permission::Download => "save copies from this share",
                    _ => "change this share",
                };
                Self::new(Forbidden, format!("You may not {what}."), "Ask its owner.")
            }
        }
    }
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Self {
        match &error {
            GatewayError::Ticket | GatewayError::Address => {
                tracing::error!(%error, "cannot ask the device");
                return Self::internal();
            }
            GatewayError::Link(cause) => {
                tracing::warn!(error = cause as &dyn std::error::Error, "a device did not answer");
            }
        }
        let GatewayError::Link(cause) = error else { return Self::internal() };
        cause.into()
    }
}

impl From<LinkError> for Refusal {
    fn from(cause: LinkError) -> Self {
        match cause {
            LinkError::Offline => Self::new(
                DeviceOffline,
                "The device is not connected.",
                "Start Lanthorn on it and try again.",
            ),
            LinkError::Unreachable(why) => Self::new(
                DeviceUnreachable,
                format!("There is no way to the device now: {why}."),
                "Look whether both machines are on the same network, and try again.",
            ),
            LinkError::Failed(_) => {
                Self::new(DeviceFailed, "The device did not answer properly.", "Try again.")
            }
            LinkError::TimedOut => Self::new(TimedOut, "The device took too long to answer.", "Try again."),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
