//! Where a command reads files from: straight from the machine that has them where that is on this network, and through
//! the coordinator where not. Knows tickets and ways, no file.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::body::{Bytes, Incoming};
use peer::{Answer, Endpoint};
use proto::api::devices::{DirectWay, WantTicket};
use proto::wire::link::Addresses;
use proto::{Permission, ShareId};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::client::{ANSWER_TIMEOUT, Refused, json_in, refusal};
use crate::places::Place;
use crate::signed_in::SignedIn;

/// A machine on this network answers within this time, or is asked through the coordinator.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after it did not it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// An answer of a device, whichever way it came.
pub type Body = Either<Incoming, Answer>;

/// The files of all machines that one coordinator knows.
pub struct Source<'a> {
    at: &'a SignedIn,
    /// `None` where every machine is asked through the coordinator.
    endpoint: Option<Endpoint>,
    ways: Mutex<HashMap<ShareId, Way>>,
}

/// The way to one share.
enum Way {
    Straight(Pass),
    /// Through the coordinator, since then.
    Around(Instant),
}

/// A ticket, as a device takes it.
struct Pass {
    bearer: HeaderValue,
    since: Instant,
    life: Duration,
}

impl Pass {
    /// True while another ticket need not be asked for.
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < self.life / 2
    }

    fn is_good(&self) -> bool {
        self.since.elapsed() < self.life
    }
}

impl<'a> Source<'a> {
    /// Files by way of the coordinator: best for a question or two.
    pub fn around(at: &'a SignedIn) -> Self {
        Self { at, endpoint: None, ways: Mutex::default() }
    }

    /// Files straight from where they are, if possible: best for many bytes.
    pub async fn straight(at: &'a SignedIn) -> Result<Self> {
        Ok(Self { endpoint: Some(Endpoint::bind(at.dialling(true)).await?), ..Self::around(at) })
    }

    /// Asks for JSON about a place.
    pub async fn get<T: DeserializeOwned>(
        &self,
        place: &Place,
        route: &str,
        more: &[(&str, &str)],
    ) -> Result<T> {
        let whole = async { json_in(self.send(place, route, more, HeaderMap::new()).await?).await };
        tokio::time::timeout(ANSWER_TIMEOUT, whole).await.context("it does not answer")?
    }

    /// Asks for something about a place. An answer that is a refusal is an error ([`Refused`]).
    pub async fn send(
        &self,
        place: &Place,
        route: &str,
        more: &[(&str, &str)],
        headers: HeaderMap,
    ) -> Result<Response<Body>> {
        if let Some((endpoint, bearer)) = self.way_to(place).await {
            match ask(endpoint, place, &place.tail(route, more), headers.clone(), bearer).await {
                Err(why) if !is_final(&why) => self.go_around(place, &why).await,
                answer => return Ok(answer?.map(Either::Right)),
            }
        }
        let mut request = Request::get(place.url(route, more)).body(Full::default())?;
        request.headers_mut().extend(headers);
        Ok(self.at.send(request).await?.map(Either::Left))
    }

    /// The straight way to a share with a ticket that is good, if there is one.
    async fn way_to(&self, place: &Place) -> Option<(&Endpoint, HeaderValue)> {
        let endpoint = self.endpoint.as_ref().filter(|_| place.elsewhere)?;
        // Held while a way is looked for: whoever asks meanwhile takes what is found.
        let mut ways = self.ways.lock().await;
        match ways.get(&place.share) {
            Some(Way::Around(since)) if since.elapsed() < LOOK_AGAIN => return None,
            Some(Way::Straight(pass)) if pass.is_fresh() => return Some((endpoint, pass.bearer.clone())),
            _ => {}
        }
        let before = match ways.remove(&place.share) {
            Some(Way::Straight(pass)) if pass.is_good() => Some(pass),
            _ => None,
        };
        let found = match self.look(endpoint, place, before.is_none()).await {
            Ok(pass) => Ok(pass),
            // The coordinator may be away for a while: what it allowed is good until it ends.
            Err(why) => before.ok_or(why),
        };
        let (way, bearer) = match found {
            Ok(pass) => {
                let bearer = pass.bearer.clone();
                (Way::Straight(pass), Some(bearer))
            }
            Err(why) => (around(place, &why), None),
        };
        ways.insert(place.share, way);
        Some((endpoint, bearer?))
    }

    /// Asks the coordinator for a ticket and where the device is; the first time, also whether it answers there.
    async fn look(&self, endpoint: &Endpoint, place: &Place, first: bool) -> Result<Pass> {
        let url = format!("/api/v1/devices/{}/ticket", place.device);
        let asked = WantTicket { share: place.share, permission: Permission::Download };
        let since = Instant::now();
        let way: DirectWay = self.at.ask(Method::POST, &url, &asked).await?;
        if way.device != place.device || way.addresses.is_empty() {
            bail!("no address is known for the device");
        }
        endpoint.learn(place.device, Addresses { direct: way.addresses, ..Addresses::default() });
        if first {
            let answers = tokio::time::timeout(PATIENCE, knock(endpoint, place)).await;
            answers.map_err(|_| anyhow!("it does not answer on this network"))??;
            tracing::debug!(
                device = place.address.device,
                why = endpoint.path(place.device).why,
                "asked straight"
            );
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", way.ticket))?;
        bearer.set_sensitive(true);
        Ok(Pass { bearer, since, life: Duration::from_secs(way.expires_in) })
    }

    async fn go_around(&self, place: &Place, why: &anyhow::Error) {
        self.ways.lock().await.insert(place.share, around(place, why));
    }
}

fn around(place: &Place, why: &anyhow::Error) -> Way {
    tracing::debug!(device = place.address.device, why = format!("{why:#}"), "asked through the coordinator");
    Way::Around(Instant::now())
}

/// Opens a connection to a device, and keeps it for what follows.
async fn knock(endpoint: &Endpoint, place: &Place) -> Result<()> {
    let request = Request::get("/agent/v1/info").body(Empty::<Bytes>::new())?;
    endpoint.request(place.device, request).await?.into_body().collect().await?;
    Ok(())
}

async fn ask(
    endpoint: &Endpoint,
    place: &Place,
    tail: &str,
    headers: HeaderMap,
    bearer: HeaderValue,
) -> Result<Response<Answer>> {
    let mut request = Request::get(format!("/agent/v1{tail}")).body(Empty::<Bytes>::new())?;
    request.headers_mut().extend(headers);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let answer = endpoint.request(place.device, request).await?;
    if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
}

/// True for what the device says of the file itself; of its own ways and tickets the coordinator knows more.
fn is_final(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|Refused(error)| !error.code.as_str().starts_with("TICKET_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{ApiError, ErrorCode};

    #[test]
    fn another_ticket_is_asked_for_in_time() {
        let aged = |seconds| Pass {
            bearer: HeaderValue::from_static("Bearer x"),
            since: Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap(),
            life: Duration::from_secs(120),
        };
        for (age, fresh, good) in [(0, true, true), (59, true, true), (61, false, true), (121, false, false)]
        {
            assert_eq!((aged(age).is_fresh(), aged(age).is_good()), (fresh, good), "{age}");
        }
    }

    #[test]
    fn of_files_the_device_has_the_last_word_and_of_tickets_the_coordinator() {
        let refused = |code| anyhow::Error::from(Refused(ApiError::new(code, "No.", "Stop.")));
        assert!(is_final(&refused(ErrorCode::NotFound)));
        assert!(is_final(&refused(ErrorCode::RangeNotSatisfiable)));
        assert!(!is_final(&refused(ErrorCode::TicketRevoked)));
        assert!(!is_final(&anyhow!("the connection to the device broke")));
    }
}
