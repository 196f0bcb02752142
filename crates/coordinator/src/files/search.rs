//! One search over many shares at once. Results are handed on as each share answers; the search ends when all have
//! answered, when its time is over or when it has enough. Whoever drops it ends all work for it, here and at the
//! devices. Nothing is collected here, so that a slow reader slows the devices down and fills no memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use proto::api::across::{OfflineDevice, SearchAcrossEvent, SearchEnd, ShareError};
use proto::api::files::{Kind, SearchEvent, SearchHit};
use proto::{ApiError, RelPath};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::lines::Lines;
use super::place::{Place, in_turns};
use super::reading::{nonsense, read_error, sane_entry};
use super::{Ask, in_query};

/// Shares searched at the same time.
const AT_ONCE: usize = 16;
/// A share that takes longer is still listened to, but counts no longer among those searched at the same time: silent
/// machines keep no others waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest answer of one share, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// The most bytes of results in all: what one whole answer may need in memory.
const MAX_BYTES: usize = 16 << 20;

/// What results have to be besides their name. The devices look at it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Narrow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_size: Option<u64>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<OffsetDateTime>,
}

/// What is looked for, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) query: String,
    /// Below this folder of each share.
    pub(crate) base: RelPath,
    pub(crate) recursive: bool,
    pub(crate) narrow: Narrow,
    pub(crate) max_shares: usize,
    pub(crate) max_per_share: usize,
    pub(crate) max_total: usize,
    pub(crate) budget: Duration,
}

impl Wish {
    fn tail(&self, place: &Place) -> String {
        let (query, base) = (in_query(&self.query), in_query(&self.base.to_string()));
        let deep = if self.recursive { "" } else { "&recursive=false" };
        let (share, limit) = (place.share, self.max_per_share);
        // Writing to a string does not fail, and an empty part of a query says nothing.
        let narrow = serde_urlencoded::to_string(&self.narrow).unwrap_or_default();
        format!("/shares/{share}/search?q={query}&path={base}&limit={limit}&stream=true{deep}&{narrow}")
    }
}

/// Where to look.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// The shares that can be asked.
    pub(crate) places: Vec<Place>,
    /// Those that are known to fail.
    pub(crate) errors: Vec<ShareError>,
    /// The machines that are not there.
    pub(crate) offline: Vec<OfflineDevice>,
}

/// Begins a search. Each item is what came at one go; the last ends with [`SearchAcrossEvent::Done`].
pub(crate) fn search(
    wish: Wish,
    scene: Scene,
    ask: Arc<dyn Ask>,
) -> impl Stream<Item = Vec<SearchAcrossEvent>> + Send + Unpin {
    Box::pin(stream::unfold(Search::begin(wish, scene, ask), |mut search| async {
        let events = search.next().await?;
        Some((events, search))
    }))
}

/// What a share has to say.
enum News {
    Hits(Vec<SearchHit>),
    Through { total: u64, truncated: bool, complete: bool },
    Failed(ApiError),
}

/// What all shares of one search have in common.
struct Common {
    wish: Wish,
    ask: Arc<dyn Ask>,
    slots: Arc<Semaphore>,
}

type AllNews = Pin<Box<dyn Stream<Item = (Arc<Place>, News)> + Send>>;

struct Search {
    /// What is said before anybody is asked.
    first: Vec<SearchAcrossEvent>,
    /// `None` once the search is over.
    news: Option<AllNews>,
    ask: Arc<dyn Ask>,
    begun: Instant,
    until: Instant,
    /// How many results, and bytes of them, may still be sent.
    left: (usize, usize),
    end: SearchEnd,
}

impl Search {
    fn begin(wish: Wish, scene: Scene, ask: Arc<dyn Ask>) -> Self {
        let mut places = in_turns(scene.places);
        let too_many = places.len() > wish.max_shares;
        places.truncate(wish.max_shares);
        let begun = Instant::now();
        let end = SearchEnd {
            truncated: too_many,
            complete: scene.errors.is_empty(),
            unanswered: u32::try_from(places.len()).unwrap_or(u32::MAX),
            ..SearchEnd::default()
        };
        let offline = scene.offline.into_iter().map(SearchAcrossEvent::Offline);
        let first = offline.chain(scene.errors.into_iter().map(SearchAcrossEvent::Error)).collect();
        let (until, left) = (begun + wish.budget, (wish.max_total, MAX_BYTES));
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let common = Arc::new(Common { wish, ask: Arc::clone(&ask), slots });
        let shares = places.into_iter().map(move |place| {
            let place = Arc::new(place);
            let share = ShareSearch::new(Arc::clone(&common), Arc::clone(&place));
            Box::pin(share.news().map(move |news| (Arc::clone(&place), news)))
        });
        let news: AllNews = Box::pin(stream::iter(shares).flatten_unordered(None));
        Self { first, news: Some(news), ask, begun, until, left, end }
    }

    async fn next(&mut self) -> Option<Vec<SearchAcrossEvent>> {
        if !self.first.is_empty() {
            return Some(std::mem::take(&mut self.first));
        }
        loop {
            let news = self.news.as_mut()?;
            let events = match timeout_at(self.until, news.next()).await {
                Ok(Some((place, news))) => self.take(&place, news),
                Ok(None) => vec![self.finish()],
                Err(_) => {
                    self.end.truncated |= self.end.unanswered > 0;
                    vec![self.finish()]
                }
            };
            if !events.is_empty() {
                return Some(events);
            }
        }
    }

    fn take(&mut self, place: &Place, news: News) -> Vec<SearchAcrossEvent> {
        match news {
            News::Hits(hits) => self.take_hits(place, hits),
            News::Through { total, truncated, complete } => {
                self.end.unanswered -= 1;
                self.end.truncated |= truncated;
                self.end.complete &= complete;
                vec![SearchAcrossEvent::Share(place.done(total, truncated, complete))]
            }
            News::Failed(error) => {
                self.end.unanswered -= 1;
                self.end.complete = false;
                vec![SearchAcrossEvent::Error(place.failed(error))]
            }
        }
    }

    fn take_hits(&mut self, place: &Place, hits: Vec<SearchHit>) -> Vec<SearchAcrossEvent> {
        // What was allowed when it was asked for need not be any more.
        if !self.ask.still(place) {
            return Vec::new();
        }
        let mut events = Vec::with_capacity(hits.len() + 1);
        for hit in hits {
            let bytes = hit.entry.path.as_bytes().len() * 2 + size_of::<SearchHit>();
            let (Some(count), Some(bytes)) = (self.left.0.checked_sub(1), self.left.1.checked_sub(bytes))
            else {
                self.end.truncated = true;
                events.push(self.finish());
                break;
            };
            self.left = (count, bytes);
            self.end.sent += 1;
            events.push(SearchAcrossEvent::Hit(Box::new(place.found(hit))));
        }
        events
    }

    /// Lets go of everything that is still under way.
    fn finish(&mut self) -> SearchAcrossEvent {
        self.news = None;
        self.end.complete &= self.end.unanswered == 0;
        self.end.took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        SearchAcrossEvent::Done(self.end.clone())
    }
}

/// The search of one share.
struct ShareSearch {
    common: Arc<Common>,
    place: Arc<Place>,
    slot: Option<Slot>,
    lines: Option<Lines>,
    ready: VecDeque<Bytes>,
    count: usize,
    /// What is still to be said after the hits before it.
    last: Option<News>,
    ended: bool,
}

/// One of those searched at the same time, until its time is over.
struct Slot {
    _permit: OwnedSemaphorePermit,
    until: Instant,
}

impl ShareSearch {
    fn new(common: Arc<Common>, place: Arc<Place>) -> Self {
        let (ready, count) = (VecDeque::new(), 0);
        Self { common, place, slot: None, lines: None, ready, count, last: None, ended: false }
    }

    fn news(self) -> impl Stream<Item = News> + Send {
        stream::unfold(self, |mut share| async {
            if share.ended {
                return None;
            }
            let news = share.next().await;
            if !matches!(news, News::Hits(_)) {
                share.ended = true;
                share.slot = None;
                share.lines = None;
            }
            Some((news, share))
        })
    }

    async fn next(&mut self) -> News {
        if let Some(last) = self.last.take() {
            return last;
        }
        self.go_on().await.unwrap_or_else(News::Failed)
    }

    async fn go_on(&mut self) -> Result<News, ApiError> {
        if self.lines.is_none() {
            self.wait_for_slot().await?;
            let body = patiently(&mut self.slot, open(&self.common, &self.place)).await?;
            self.lines = Some(Lines::new(body, MAX_ANSWER));
        }
        let Some(lines) = &mut self.lines else { return Err(nonsense()) };
        loop {
            let batch = patiently(&mut self.slot, lines.next()).await.map_err(|error| {
                tracing::warn!(%error, device = %self.place.device.short(), "a device's search is not one");
                nonsense()
            })?;
            // It ended without its last line.
            self.ready = batch.ok_or_else(nonsense)?;
            let (hits, end) = read(&mut self.ready, &self.common.wish, &mut self.count);
            match (hits.is_empty(), end) {
                (true, None) => {}
                (true, Some(end)) => return Ok(end),
                (false, end) => {
                    self.last = end;
                    return Ok(News::Hits(hits));
                }
            }
        }
    }

    async fn wait_for_slot(&mut self) -> Result<(), ApiError> {
        // It is never closed.
        let permit = Arc::clone(&self.common.slots).acquire_owned().await.map_err(|_| nonsense())?;
        self.slot = Some(Slot { _permit: permit, until: Instant::now() + PATIENCE });
        Ok(())
    }
}

async fn open(common: &Common, place: &Place) -> Result<axum::body::Body, ApiError> {
    read_error(common.ask.ask(place, common.wish.tail(place)).await?).await
}

/// Does something, and gives the slot to another share when it takes too long.
async fn patiently<T>(slot: &mut Option<Slot>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Some(until) = slot.as_ref().map(|slot| slot.until) {
        if let Ok(done) = timeout_at(until, &mut work).await {
            return done;
        }
        *slot = None;
    }
    work.await
}

/// What a device's lines say: results, and how it ended if it did.
fn read(lines: &mut VecDeque<Bytes>, wish: &Wish, count: &mut usize) -> (Vec<SearchHit>, Option<News>) {
    let mut hits = Vec::with_capacity(lines.len());
    while let Some(line) = lines.pop_front() {
        let end = match serde_json::from_slice(&line) {
            Ok(SearchEvent::Hit(_)) if *count == wish.max_per_share => {
                // More than was asked for: it is not listened to further.
                News::Through { total: *count as u64 + 1, truncated: true, complete: false }
            }
            Ok(SearchEvent::Hit(hit)) => match sane(hit, &wish.base) {
                Some(hit) => {
                    *count += 1;
                    hits.push(hit);
                    continue;
                }
                None => News::Failed(nonsense()),
            },
            Ok(SearchEvent::Done { total, truncated, complete, .. }) => {
                News::Through { total, truncated, complete }
            }
            Err(_) => News::Failed(nonsense()),
        };
        return (hits, Some(end));
    }
    (hits, None)
}

/// A result as it may be passed on; `None` for one that cannot be from such a search.
fn sane(hit: SearchHit, base: &RelPath) -> Option<SearchHit> {
    let entry = sane_entry(hit.entry).filter(|entry| is_below(&entry.path, base))?;
    Some(SearchHit { entry, ..hit })
}

fn is_below(path: &RelPath, base: &RelPath) -> bool {
    let mut names = path.names();
    base.names().all(|name| names.next() == Some(name)) && names.next().is_some()
}
