//! The door to search: a page of results as JSON, or results as they come, one JSON object a line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use proto::api::files::{DEFAULT_PAGE, MAX_PAGE, SearchEvent, SearchHit, SearchQuery, SearchResult, moment};
use proto::{ApiError, ErrorCode, RelPath};
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanRead;
use super::error::Refusal;
use super::params::Params;
use crate::agent::{Agent, Share};
use crate::files::off_thread;
use crate::files::search::walk::Walk;
use crate::files::search::{self, Best, Filter, Hit, Outcome, Query, Request};

/// Searches that may wait for their turn; more are refused.
const QUEUE: usize = 64;
/// Results that are looked up and sent at one go.
const HANDFUL: usize = 64;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(find))
}

/// Lets in as many searches as there are cores, and a few to wait.
pub struct Turnstile {
    running: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Turnstile {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { running: Semaphore::new(cores), waiting: AtomicUsize::new(0) }
    }
}

impl Turnstile {
    /// Waits for a turn.
    async fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let place = Place::take(&self.waiting).ok_or_else(busy)?;
        let turn = self.running.acquire().await;
        drop(place);
        // It is never closed.
        turn.map_err(|_| busy())
    }
}

/// A place in the queue, given back also when the caller leaves.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < QUEUE).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn busy() -> Refusal {
    let error = ApiError::new(
        ErrorCode::Busy,
        "Too many searches are running on this machine.",
        "Try again in a moment.",
    );
    Refusal(error.retry_after(1))
}

/// Files and folders by name.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/search", tag = "files",
    params(("share" = String, Path, description = "The share"), SearchQuery),
    responses(
        (status = 200, description = "With `stream` a `SearchEvent` a line", content(
            (SearchResult = "application/json"),
            (SearchEvent = "application/x-ndjson"))),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError),
    ),
)]
async fn find(
    State(agent): State<Arc<Agent>>,
    CanRead(share): CanRead,
    Params(query): Params<SearchQuery>,
) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let request = request(&query)?;
    if query.stream {
        let source = Source::open(&agent, share, request).await?;
        return Ok(streamed(Stream { agent, source, begun }));
    }
    let result = whole(&agent, share, request, begun).await?;
    Ok(Json(result).into_response())
}

/// What the parameters mean.
fn request(query: &SearchQuery) -> Result<Request, Refusal> {
    let parsed = Query::parse(&query.q).map_err(|error| Refusal::parameter(sentence(error)))?;
    let filter = Filter {
        kind: query.kind,
        min_size: query.min_size,
        max_size: query.max_size,
        after: moment("after", query.after.as_deref()).map_err(Refusal::parameter)?,
        before: moment("before", query.before.as_deref()).map_err(Refusal::parameter)?,
    };
    if parsed.is_empty() && filter.is_empty() {
        return Err(Refusal::parameter("The search has neither words nor filters."));
    }
    let scope: RelPath = query.path.parse()?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE) as usize;
    let shallow = query.recursive == Some(false);
    Ok(Request { query: Arc::new(parsed), scope, shallow, filter, limit })
}

fn sentence(error: search::InvalidQuery) -> String {
    let text = error.to_string();
    format!("{}{}.", text[..1].to_uppercase(), &text[1..])
}

/// Ends the search when the client has gone.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Searches the index, on a turn of its own.
async fn indexed(agent: &Agent, share: &Arc<Share>, request: Request) -> Result<Outcome, Refusal> {
    let _turn = agent.searches().enter().await?;
    let abandoned = Arc::new(AtomicBool::new(false));
    let _guard = Abandon(Arc::clone(&abandoned));
    let share = Arc::clone(share);
    Ok(off_thread(move || Ok(search::in_index(&share, &request, &abandoned))).await?)
}

async fn whole(
    agent: &Agent,
    share: Arc<Share>,
    request: Request,
    begun: Instant,
) -> Result<SearchResult, Refusal> {
    let outcome = if search::is_indexed(&share.index) {
        indexed(agent, &share, request).await?
    } else {
        walked(agent, &share, &request).await?
    };
    Ok(off_thread(move || Ok(result(&share, outcome, begun))).await?)
}

/// Walks to the end, and keeps the best.
async fn walked(agent: &Agent, share: &Share, request: &Request) -> Result<Outcome, Refusal> {
    let mut walk = search::walk(share, request);
    let mut best = Best::new(request.limit);
    loop {
        let (back, hits) = slice(agent, walk).await?;
        walk = back;
        match hits {
            Some(hits) => hits.into_iter().for_each(|hit| best.offer(hit)),
            None => return Ok(best.into_outcome(walk.complete)),
        }
    }
}

async fn slice(agent: &Agent, mut walk: Walk) -> Result<(Walk, Option<Vec<Hit>>), Refusal> {
    let _turn = agent.searches().enter().await?;
    Ok(off_thread(move || {
        let hits = walk.go_on();
        Ok((walk, hits))
    })
    .await?)
}

fn result(share: &Share, outcome: Outcome, begun: Instant) -> SearchResult {
    let wanted = outcome.hits.len() as u64;
    let entries = looked_up(share, outcome.hits);
    // What has gone since is no longer counted.
    let total = outcome.total.saturating_sub(wanted - entries.len() as u64);
    SearchResult {
        truncated: total > entries.len() as u64,
        entries,
        total,
        complete: outcome.complete,
        took_ms: milliseconds(begun),
    }
}

fn looked_up(share: &Share, hits: impl IntoIterator<Item = Hit>) -> Vec<SearchHit> {
    hits.into_iter()
        .filter_map(|hit| {
            let match_type = hit.match_type();
            hit.into_entry(&share.root).map(|entry| SearchHit { entry, match_type })
        })
        .collect()
}

fn milliseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Results on their way out.
struct Stream {
    agent: Arc<Agent>,
    source: Source,
    begun: Instant,
}

/// Where they come from.
struct Source {
    share: Arc<Share>,
    /// Still to be looked up and sent.
    ready: VecDeque<Hit>,
    /// Still to be walked.
    walk: Option<Walk>,
    /// Near names of the walk, sent at its end if nothing else was found.
    near: Option<Best>,
    sent: u64,
    limit: u64,
    total: u64,
    complete: bool,
    ended: bool,
}

impl Source {
    async fn open(agent: &Agent, share: Arc<Share>, request: Request) -> Result<Self, Refusal> {
        let limit = request.limit as u64;
        let (outcome, walk, near) = if search::is_indexed(&share.index) {
            (indexed(agent, &share, request).await?, None, None)
        } else {
            let near = Best::new(request.limit);
            (Outcome::default(), Some(search::walk(&share, &request)), Some(near))
        };
        let Outcome { hits, total, complete } = outcome;
        Ok(Self { share, ready: hits.into(), walk, near, sent: 0, limit, total, complete, ended: false })
    }

    /// The next lines; `None` at the end.
    async fn next(&mut self, agent: &Agent, begun: Instant) -> Result<Option<Bytes>, Refusal> {
        loop {
            if !self.ready.is_empty() {
                return self.lines().await.map(Some);
            }
            if let Some(walk) = self.walk.take() {
                self.go_on(agent, walk).await?;
            } else if self.ended {
                return Ok(None);
            } else {
                self.ended = true;
                return Ok(Some(line(&self.done(begun))));
            }
        }
    }

    async fn go_on(&mut self, agent: &Agent, walk: Walk) -> Result<(), Refusal> {
        let (walk, hits) = slice(agent, walk).await?;
        let Some(hits) = hits else {
            self.complete = walk.complete;
            if let (0, Some(near)) = (self.total, self.near.take()) {
                let Outcome { hits, total, .. } = near.into_outcome(true);
                (self.ready, self.total) = (hits.into(), total);
            }
            return Ok(());
        };
        self.walk = Some(walk);
        for hit in hits {
            if hit.match_type() == proto::api::files::MatchType::Fuzzy {
                self.near.iter_mut().for_each(|near| near.offer(hit.clone()));
                continue;
            }
            self.total += 1;
            if self.total <= self.limit {
                self.ready.push_back(hit);
            }
        }
        Ok(())
    }

    async fn lines(&mut self) -> Result<Bytes, Refusal> {
        let some: Vec<Hit> = self.ready.drain(..self.ready.len().min(HANDFUL)).collect();
        let wanted = some.len();
        let share = Arc::clone(&self.share);
        let hits = off_thread(move || Ok(looked_up(&share, some))).await?;
        self.sent += hits.len() as u64;
        self.total -= (wanted - hits.len()) as u64;
        let lines: Vec<Bytes> = hits.into_iter().map(|hit| line(&SearchEvent::Hit(hit))).collect();
        Ok(lines.concat().into())
    }

    fn done(&self, begun: Instant) -> SearchEvent {
        SearchEvent::Done {
            total: self.total,
            truncated: self.total > self.sent,
            complete: self.complete,
            took_ms: milliseconds(begun),
        }
    }
}

fn line(event: &SearchEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// A body that goes on only as fast as it is read, and ends with its client.
fn streamed(stream: Stream) -> Response {
    let lines = futures_util::stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        match stream.source.next(&stream.agent, stream.begun).await {
            Ok(Some(lines)) => Some((Ok(lines), Some(stream))),
            Ok(None) => None,
            // The answer has begun: it can only break off.
            Err(refusal) => Some((Err(std::io::Error::other(refusal.0.message)), None)),
        }
    });
    let headers =
        [(header::CONTENT_TYPE, "application/x-ndjson"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, Body::from_stream(lines)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::index::Phase;
    use crate::testing::World;
    use proto::api::files::{EntryType, Kind, MatchType};

    /// A world with a few files, whose index knows them.
    async fn world() -> World {
        let world = World::new();
        world.write("Photos/Summer 2024/IMG_1.JPG", &[0; 2000]);
        world.write("Photos/Summer 2024/IMG_2.JPG", &[0; 10]);
        world.write("docs/report summer.pdf", b"pdf");
        world.write("docs/Report.pdf", b"pdf");
        until(&world, 7).await;
        world
    }

    /// Waits until the index knows so many names.
    async fn until(world: &World, names: u64) {
        let share = world.shared();
        let mut progress = share.index.follow();
        let wait = progress.wait_for(|p| p.phase == Phase::Current && share.index.len() == names);
        tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.unwrap().unwrap();
    }

    async fn names(world: &World, query: &str) -> Vec<String> {
        let result: SearchResult = world.get(&format!("search?{query}")).await.json();
        assert!(result.complete);
        assert_eq!(result.total, result.entries.len() as u64);
        result.entries.into_iter().map(|hit| hit.entry.name).collect()
    }

    #[tokio::test]
    async fn the_best_come_first() {
        let world = world().await;
        assert_eq!(names(&world, "q=report.pdf").await, ["Report.pdf"]);
        assert_eq!(names(&world, "q=report").await, ["Report.pdf", "report summer.pdf"]);
        assert_eq!(
            names(&world, "q=summer").await,
            ["Summer 2024", "report summer.pdf", "IMG_1.JPG", "IMG_2.JPG"]
        );
        assert_eq!(names(&world, "q=img+summer").await, ["IMG_1.JPG", "IMG_2.JPG"]);
        assert_eq!(names(&world, "q=*.JPG").await, ["IMG_1.JPG", "IMG_2.JPG"]);
        assert_eq!(names(&world, "q=rprt").await, ["Report.pdf", "report summer.pdf"]);
        assert_eq!(names(&world, "q=summer&path=Photos").await, ["Summer 2024", "IMG_1.JPG", "IMG_2.JPG"]);
        assert_eq!(names(&world, "q=summer&path=Photos/Summer%202024").await, [""; 0]);
        assert_eq!(names(&world, "q=summer&path=Photos&recursive=false").await, ["Summer 2024"]);
        assert_eq!(names(&world, "q=report&recursive=false").await, [""; 0]);
        assert_eq!(names(&world, "q=img&path=Photos/Summer%202024&recursive=false").await.len(), 2);
    }

    #[tokio::test]
    async fn filters_leave_out() {
        let world = world().await;
        assert_eq!(names(&world, "kind=image&min_size=11").await, ["IMG_1.JPG"]);
        assert_eq!(names(&world, "q=img&max_size=10").await, ["IMG_2.JPG"]);
        assert_eq!(names(&world, "kind=folder").await, ["docs", "Photos", "Summer 2024"]);
        assert_eq!(names(&world, "q=img&after=2999-01-01T00:00:00Z").await, [""; 0]);
        assert_eq!(names(&world, "q=img&before=2999-01-01T00:00:00Z").await.len(), 2);
    }

    #[tokio::test]
    async fn a_page_says_that_there_is_more() {
        let world = world().await;
        let result: SearchResult = world.get("search?q=img&limit=1").await.json();
        assert_eq!((result.entries.len(), result.total, result.truncated), (1, 2, true));
        let hit = &result.entries[0];
        assert_eq!(hit.match_type, MatchType::Prefix);
        assert_eq!(
            (hit.entry.entry_type, hit.entry.kind, hit.entry.size),
            (EntryType::File, Kind::Image, 2000)
        );
        assert_eq!(hit.entry.path.to_string(), "Photos/Summer 2024/IMG_1.JPG");
    }

    #[tokio::test]
    async fn a_stream_has_a_line_each_and_an_end() {
        let world = world().await;
        let answer = world.get("search?q=img&stream=true").await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let events: Vec<SearchEvent> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 3);
        assert!(matches!(&events[0], SearchEvent::Hit(hit) if hit.entry.name == "IMG_1.JPG"));
        assert!(matches!(events[2], SearchEvent::Done { total: 2, truncated: false, complete: true, .. }));
    }

    #[tokio::test]
    async fn senseless_queries_are_refused() {
        let world = World::new();
        for query in
            ["", "q=+", "q=a%00b", "q=a&after=yesterday", "q=a&kind=cheese", "q=a&limit=-1", "q=a&min_size=x"]
        {
            assert_eq!(
                world.get(&format!("search?{query}")).await.code(),
                ErrorCode::BadParameter,
                "{query}"
            );
        }
        assert_eq!(world.get(&format!("search?q={}", "a".repeat(257))).await.code(), ErrorCode::BadParameter);
        assert_eq!(world.get("search?q=a&path=../x").await.code(), ErrorCode::BadPath);
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let turnstile = Turnstile { running: Semaphore::new(0), waiting: AtomicUsize::new(QUEUE - 1) };
        let mut waits = Box::pin(turnstile.enter());
        assert!(futures_util::poll!(&mut waits).is_pending());
        let refusal = turnstile.enter().await.err().unwrap();
        assert_eq!((refusal.0.code, refusal.0.retry_after), (ErrorCode::Busy, Some(1)));
        // Who leaves makes room.
        drop(waits);
        assert!(futures_util::poll!(Box::pin(turnstile.enter())).is_pending());
    }
}
