//! The two cookies: the session, and the token of a known browser. On HTTPS they carry the `__Host-` prefix, so that
//! no plain connection and no neighbour can set or read them.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::identity::token::Token;

/// How long a browser stays known without use: the longest that browsers keep a cookie.
const KNOWN_SECONDS: u64 = 400 * 24 * 3600;
/// Cookies of the same name looked at, at most: other paths and ports of a host can add some.
const MAX_SAME: usize = 4;

/// Which cookie.
#[derive(Clone, Copy)]
pub(crate) enum Cookie {
    /// The owner's session. Ends with the browser, or by itself.
    Session,
    /// A guest's session. Stays: a guest has no PIN to come back with.
    Guest,
    /// The token of a browser that has signed in before.
    Known,
}

impl Cookie {
    const fn name(self, encrypted: bool) -> &'static str {
        match (self, encrypted) {
            (Self::Session | Self::Guest, true) => "__Host-lanthorn",
            (Self::Session | Self::Guest, false) => "lanthorn",
            (Self::Known, true) => "__Host-lanthorn-browser",
            (Self::Known, false) => "lanthorn-browser",
        }
    }

    /// The tokens that the browser sent under this name.
    pub(crate) fn read(self, headers: &HeaderMap, encrypted: bool) -> Vec<Token> {
        let name = self.name(encrypted);
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .take(MAX_SAME)
            .filter_map(|(_, value)| Token::parse(value))
            .collect()
    }

    /// `Set-Cookie` that gives the browser its token.
    pub(crate) fn set(self, token: &Token, encrypted: bool) -> Option<HeaderValue> {
        let age = match self {
            Self::Session => String::new(),
            Self::Guest | Self::Known => format!("; Max-Age={KNOWN_SECONDS}"),
        };
        header(&format!("{}={}{}{age}", self.name(encrypted), token.text(), attributes(encrypted)))
    }

    /// `Set-Cookie` that makes the browser forget it.
    pub(crate) fn clear(self, encrypted: bool) -> Option<HeaderValue> {
        header(&format!("{}={}; Max-Age=0", self.name(encrypted), attributes(encrypted)))
    }
}

const fn attributes(encrypted: bool) -> &'static str {
    if encrypted {
        "; Path=/; HttpOnly; SameSite=Strict; Secure"
    } else {
        "; Path=/; HttpOnly; SameSite=Strict"
    }
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
