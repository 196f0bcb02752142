//! Who asks: the extractors through which every handler learns it. No handler reads a cookie or an address itself.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use peer::connection::{Connection, canonical};
use proto::api::auth::Privacy;
use proto::{DeviceId, PrincipalId};

use super::cookie::Cookie;
use super::error::Refusal;
use super::guard::host::asked_host;
use crate::access::{Caller, Client};
use crate::coordinator::{Coordinator, Rooms};
use crate::identity::{Visitor, short_name};

/// The connection, as the edge made it. Without one, nothing is known of who asks, and nothing is answered.
pub(crate) fn connection(parts: &Parts) -> Result<Connection, Refusal> {
    parts.extensions.get::<Connection>().copied().ok_or_else(|| {
        tracing::error!("a request came without its connection");
        Refusal::internal()
    })
}

/// Anybody, signed in or not.
pub(crate) struct Anybody(pub(crate) Connection);

impl FromRequestParts<Coordinator> for Anybody {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Coordinator) -> Result<Self, Refusal> {
        connection(parts).map(Self)
    }
}

impl FromRequestParts<Coordinator> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Coordinator) -> Result<Self, Refusal> {
        let connection = connection(parts)?;
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let by_loopback_name = asked_host(&parts.uri, &parts.headers).is_some_and(|host| host.is_loopback());
        Ok(Self {
            address: canonical(connection.remote.ip()),
            privacy: connection.privacy(),
            encrypted: connection.encrypted,
            on_machine: connection.is_local() && by_loopback_name,
            known: Cookie::Known.read(&parts.headers, connection.encrypted).pop(),
            browser: short_name(user_agent.unwrap_or_default()),
        })
    }
}

/// The access token of a request that has one. Such a request is its machine's: its cookies do not count.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The machine whose token it is, if it may come in and asks on a connection like the one it got its token on.
fn find_machine(rooms: &Rooms, token: &str, privacy: Privacy, owner: PrincipalId) -> Option<Caller> {
    let find = |device| rooms.identity.devices().find(device);
    let keys = rooms.tickets.keys();
    let claims = rooms.identity.tokens().read(keys.signed_with(), token, find)?;
    let fits = claims.open == (privacy == Privacy::Open) && rooms.identity.principals().lives(claims.sub);
    fits.then_some(Caller {
        principal: claims.sub,
        client: Client::Device(claims.cli),
        privacy,
        owner,
        browser_id: None,
    })
}

/// The session or machine that a request belongs to, if any. `using` a session keeps it alive.
fn find_caller(parts: &Parts, rooms: &Rooms, using: bool) -> Result<Option<Caller>, Refusal> {
    let connection = connection(parts)?;
    let Some(owner) = rooms.identity.owner_id() else { return Ok(None) };
    let privacy = connection.privacy();
    if privacy == Privacy::Open && !rooms.settings.allow_open() {
        return Ok(None);
    }
    if let Some(token) = bearer(&parts.headers) {
        return Ok(find_machine(rooms, token, privacy, owner));
    }
    let address = canonical(connection.remote.ip());
    let sessions = rooms.identity.sessions();
    let found = Cookie::Session.read(&parts.headers, connection.encrypted).into_iter().find_map(|token| {
        sessions.find(&token.hash(), privacy, connection.encrypted, address, rooms.idle(), using)
    });
    Ok(found.map(|session| Caller {
        principal: session.principal,
        client: Client::Session(session.id),
        privacy: session.privacy,
        owner,
        browser_id: session.browser_id,
    }))
}

impl FromRequestParts<Coordinator> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let rooms = coordinator.rooms();
        if !rooms.identity.is_set_up() {
            return Err(Refusal::not_set_up());
        }
        match find_caller(parts, rooms, true)? {
            Some(caller) => Ok(caller),
            None if refuses_open(parts, rooms)? => Err(Refusal::not_private()),
            None if bearer(&parts.headers).is_some() => Err(Refusal::token_invalid()),
            None => Err(Refusal::not_signed_in()),
        }
    }
}

fn refuses_open(parts: &Parts, rooms: &Rooms) -> Result<bool, Refusal> {
    Ok(connection(parts)?.privacy() == Privacy::Open && !rooms.settings.allow_open())
}

/// Somebody signed in on a connection that others cannot read or change.
pub(crate) struct PrivateCaller(pub(crate) Caller);

impl FromRequestParts<Coordinator> for PrivateCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, coordinator).await?;
        if caller.read_only() { Err(Refusal::not_private()) } else { Ok(Self(caller)) }
    }
}

/// A machine that has proved its key, on a connection that others cannot read or change.
pub(crate) struct MachineCaller {
    pub(crate) caller: Caller,
    pub(crate) key: DeviceId,
}

impl FromRequestParts<Coordinator> for MachineCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let PrivateCaller(caller) = PrivateCaller::from_request_parts(parts, coordinator).await?;
        match caller.client {
            Client::Device(key) => Ok(Self { caller, key }),
            Client::Session(_) | Client::Upload(_) | Client::Drop(_) => Err(Refusal::machines_only()),
        }
    }
}

/// The owner, signed in on a connection that others cannot read or change.
pub(crate) struct OwnerCaller(pub(crate) Caller);

impl FromRequestParts<Coordinator> for OwnerCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, coordinator).await?;
        match () {
            () if !caller.is_owner() => Err(Refusal::owner_only()),
            () if caller.read_only() => Err(Refusal::not_private()),
            () => Ok(Self(caller)),
        }
    }
}

/// The caller, if there is one: for answers that everybody gets. A page that only asks how things stand does not keep
/// its session alive.
pub(crate) struct MaybeCaller(pub(crate) Option<Caller>);

impl FromRequestParts<Coordinator> for MaybeCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        find_caller(parts, coordinator.rooms(), false).map(Self)
    }
}
