//! The search over many shares against devices that answer, are slow, and lie. No sockets and no waiting for a clock:
//! a device that is silent stays so, and only the time of the search itself is short.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use http::{Response, StatusCode};
use proptest::prelude::*;
use proto::api::across::{SearchAcrossEvent, SearchEnd};
use proto::api::files::{Entry, EntryType, Kind, MatchType, SearchEvent, SearchHit};
use proto::{ApiError, DeviceId, ErrorCode, RelPath, ShareId};
use tokio::sync::Semaphore;

use super::search::{Narrow, Scene, Wish, search};
use super::{Ask, Place, in_query};

/// What a device does when it is asked.
#[derive(Clone, Debug)]
enum Device {
    /// Answers with these names.
    Finds(Vec<String>),
    /// Answers with these names, and is not done.
    FindsAndWaits(Vec<String>),
    /// Does not answer.
    Silent,
    /// Sends this without end.
    Endless(&'static str),
    /// Sends this once and ends.
    Says(&'static str),
    /// Refuses.
    Refuses(StatusCode, ErrorCode),
    /// Cannot be reached.
    Away,
}

/// The devices, one share each, and what is under way at them.
struct Devices {
    devices: Vec<(Place, Device)>,
    asked: AtomicUsize,
    /// Bodies and requests under way.
    under_way: Arc<AtomicUsize>,
    most_at_once: AtomicUsize,
    forbidden: Option<ShareId>,
    /// Where a device waits before it answers.
    gate: Semaphore,
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Devices {
    fn new(devices: Vec<Device>) -> Self {
        let place = |i: usize| Place {
            device: DeviceId::from_public_key([u8::try_from(i).unwrap(); 32]),
            device_name: format!("Device {i}").into(),
            share: ShareId::generate(),
            share_name: format!("Share {i}").into(),
        };
        Self {
            devices: devices.into_iter().enumerate().map(|(i, device)| (place(i), device)).collect(),
            asked: AtomicUsize::new(0),
            under_way: Arc::default(),
            most_at_once: AtomicUsize::new(0),
            forbidden: None,
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }

    fn scene(&self) -> Scene {
        Scene { places: self.devices.iter().map(|(place, _)| place.clone()).collect(), ..Scene::default() }
    }

    fn begin(&self) -> UnderWay {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        UnderWay(Arc::clone(&self.under_way))
    }

    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }
}

fn hit(path: &str) -> SearchHit {
    let path: RelPath = path.parse().unwrap();
    let entry = Entry {
        name: path.name().map(proto::path::escape_name).unwrap_or_default(),
        path,
        entry_type: EntryType::File,
        kind: Kind::Other,
        size: 1,
        modified: None,
        version: String::new(),
        link: false,
    };
    SearchHit { entry, match_type: MatchType::Substring }
}

fn line(event: &SearchEvent) -> Bytes {
    (serde_json::to_string(event).unwrap() + "\n").into()
}

fn lines(names: &[String], limit: usize) -> Vec<Bytes> {
    names.iter().take(limit).map(|name| line(&SearchEvent::Hit(hit(name)))).collect()
}

fn done(total: usize, limit: usize) -> Bytes {
    let (total, truncated) = (total as u64, total > limit);
    line(&SearchEvent::Done { total, truncated, complete: true, took_ms: 1 })
}

fn streamed(pieces: impl stream::Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}

impl Ask for Devices {
    fn ask(&self, place: &Place, tail: String) -> BoxFuture<'_, Result<Response<Body>, ApiError>> {
        let device = self.devices.iter().find(|(known, _)| known.share == place.share).unwrap().1.clone();
        let limit = tail.split("&limit=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        assert!(tail.starts_with(&format!("/shares/{}/search?q=", place.share)), "{tail}");
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let guard = self.begin();
            drop(self.gate.acquire().await);
            let body = match device {
                Device::Finds(names) => {
                    let all = lines(&names, limit).into_iter().chain([done(names.len(), limit)]);
                    streamed(stream::iter(all.collect::<Vec<_>>()))
                }
                Device::FindsAndWaits(names) => {
                    streamed(stream::iter(lines(&names, limit)).chain(stream::pending()))
                }
                Device::Silent => std::future::pending().await,
                Device::Endless(text) => streamed(stream::repeat(Bytes::from(text))),
                Device::Says(text) => Body::from(text),
                Device::Refuses(status, code) => {
                    let error = serde_json::to_vec(&ApiError::new(code, "Not\u{7} so.", "No hint.")).unwrap();
                    return Ok(Response::builder().status(status).body(Body::from(error)).unwrap());
                }
                Device::Away => return Err(ApiError::new(ErrorCode::DeviceUnreachable, "No way.", "None.")),
            };
            // The guard goes with the body.
            let body = body.into_data_stream().map(move |piece| {
                let _held = &guard;
                piece
            });
            Ok(Response::new(Body::from_stream(body)))
        })
    }

    fn still(&self, place: &Place) -> bool {
        self.forbidden != Some(place.share)
    }
}

fn wish() -> Wish {
    Wish {
        query: "a b&c".into(),
        base: RelPath::root(),
        recursive: true,
        narrow: Narrow::default(),
        max_shares: 200,
        max_per_share: 100,
        max_total: 5000,
        budget: Duration::from_secs(60),
    }
}

/// Everything that a search said.
#[derive(Debug, Default)]
struct Heard {
    /// The paths found, by share.
    found: BTreeMap<ShareId, BTreeSet<String>>,
    errors: BTreeMap<ShareId, ErrorCode>,
    through: BTreeSet<ShareId>,
    end: SearchEnd,
}

async fn hear(wish: Wish, devices: &Arc<Devices>) -> Heard {
    let mut heard = Heard::default();
    let mut events = search(wish, devices.scene(), Arc::<Devices>::clone(devices));
    let mut ended = false;
    while let Some(some) = events.next().await {
        for event in some {
            assert!(!ended, "nothing comes after the end");
            match event {
                SearchAcrossEvent::Hit(found) => {
                    let path = found.hit.entry.path.to_string();
                    assert!(heard.found.entry(found.share_id).or_default().insert(path), "once each");
                }
                SearchAcrossEvent::Error(error) => {
                    heard.errors.insert(error.share_id, error.code);
                }
                SearchAcrossEvent::Share(share) => {
                    heard.through.insert(share.share_id);
                }
                SearchAcrossEvent::Offline(_) => {}
                SearchAcrossEvent::Done(end) => (heard.end, ended) = (end, true),
            }
        }
    }
    assert!(ended, "a search always ends with its end");
    assert_eq!(devices.under_way(), 0, "nothing goes on after the end");
    heard
}

fn names(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{of}/{i}")).collect()
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_found_everywhere_is_what_is_found_in_each(
        counts in prop::collection::vec(0usize..40, 0..40),
        max_shares in 1usize..50,
        max_per_share in 1usize..50,
        max_total in 1usize..300,
    ) {
        let devices = counts.iter().map(|count| Device::Finds(names("a", *count))).collect();
        let devices = Arc::new(Devices::new(devices));
        let heard = block(hear(Wish { max_shares, max_per_share, max_total, ..wish() }, &devices));
        let whole = |i: usize| counts[i].min(max_per_share);
        let sent: usize = heard.found.values().map(BTreeSet::len).sum();
        prop_assert_eq!(heard.end.sent, sent as u64);
        prop_assert!(sent <= max_total);
        for (i, (place, device)) in devices.devices.iter().enumerate() {
            let Device::Finds(all) = device else { unreachable!() };
            let single: BTreeSet<_> = all.iter().take(whole(i)).cloned().collect();
            let found = heard.found.get(&place.share).cloned().unwrap_or_default();
            prop_assert!(found.is_subset(&single));
            if heard.through.contains(&place.share) {
                prop_assert_eq!(found, single);
            }
        }
        let shares = counts.len().min(max_shares);
        let possible: usize = (0..shares).map(whole).sum();
        prop_assert_eq!(sent, possible.min(max_total));
        let cut = counts.len() > max_shares
            || counts[..shares].iter().any(|count| *count > max_per_share)
            || possible > max_total;
        if !cut {
            prop_assert!(!heard.end.truncated && heard.end.complete);
            prop_assert_eq!(heard.through.len(), counts.len());
        }
        if counts.len() > max_shares || possible > max_total {
            prop_assert!(heard.end.truncated);
        }
    }
}

#[tokio::test]
async fn those_who_fail_cost_only_themselves() {
    let failing = [
        (Device::Refuses(StatusCode::NOT_FOUND, ErrorCode::NotFound), ErrorCode::NotFound),
        (Device::Refuses(StatusCode::FORBIDDEN, ErrorCode::NotFound), ErrorCode::DeviceFailed),
        (Device::Refuses(StatusCode::UNAUTHORIZED, ErrorCode::TicketExpired), ErrorCode::DeviceFailed),
        (Device::Away, ErrorCode::DeviceUnreachable),
        (Device::Says(""), ErrorCode::DeviceFailed),
        (Device::Says("<html>\n"), ErrorCode::DeviceFailed),
        (Device::Says("\u{0}\n{}\n"), ErrorCode::DeviceFailed),
        // A line without an end is none.
        (
            Device::Says(r#"{"event":"done","total":0,"truncated":false,"complete":true,"took_ms":0}"#),
            ErrorCode::DeviceFailed,
        ),
        (
            Device::Endless("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ErrorCode::DeviceFailed,
        ),
        (Device::Endless("\n"), ErrorCode::DeviceFailed),
    ];
    let good = Device::Finds(names("good", 3));
    let devices = failing.iter().map(|(device, _)| device.clone()).chain([good]).collect();
    let devices = Arc::new(Devices::new(devices));
    let heard = hear(wish(), &devices).await;
    for ((place, device), (_, code)) in devices.devices.iter().zip(&failing) {
        assert_eq!(heard.errors.get(&place.share), Some(code), "{device:?}");
    }
    let good = devices.devices.last().unwrap().0.share;
    assert_eq!(heard.found[&good].len(), 3);
    assert_eq!(heard.found.len(), 1);
    assert!(!heard.end.complete && !heard.end.truncated);
}

#[tokio::test]
async fn a_device_with_more_results_than_were_asked_for_is_heard_no_further() {
    const HIT: &str = r#"{"event":"hit","name":"x","path":"a/b","type":"file","kind":"other","size":1,"modified":null,"version":"","match_type":"exact"}
"#;
    let devices = Arc::new(Devices::new(vec![Device::Endless(HIT)]));
    let mut events =
        search(Wish { max_per_share: 10, ..wish() }, devices.scene(), Arc::<Devices>::clone(&devices));
    let mut all = Vec::new();
    while let Some(some) = events.next().await {
        all.extend(some);
    }
    let hits = all.iter().filter(|event| matches!(event, SearchAcrossEvent::Hit(_))).count();
    assert_eq!(hits, 10);
    let SearchAcrossEvent::Hit(first) = &all[0] else { panic!("{:?}", all[0]) };
    assert_eq!(first.hit.entry.name, "b", "a file is called what it is");
    assert!(matches!(&all[10], SearchAcrossEvent::Share(share) if share.truncated));
    assert_eq!(devices.under_way(), 0);
}

#[tokio::test]
async fn what_lies_elsewhere_is_no_result() {
    let base: RelPath = "photos/2024".parse().unwrap();
    for (path, good) in
        [("photos/2024/a", true), ("photos/2024", false), ("photos/20245/a", false), ("b", false)]
    {
        let devices = Arc::new(Devices::new(vec![Device::Finds(vec![path.to_owned()])]));
        let heard = hear(Wish { base: base.clone(), ..wish() }, &devices).await;
        assert_eq!(heard.errors.is_empty(), good, "{path}");
    }
}

#[tokio::test]
async fn when_time_is_over_what_has_come_is_the_answer() {
    let devices = vec![Device::Silent, Device::Finds(names("a", 2)), Device::FindsAndWaits(names("b", 4))];
    let devices = Arc::new(Devices::new(devices));
    let heard = hear(Wish { budget: Duration::from_millis(300), ..wish() }, &devices).await;
    assert_eq!(heard.found.values().map(BTreeSet::len).collect::<BTreeSet<_>>(), BTreeSet::from([2, 4]));
    assert!(heard.errors.is_empty(), "being late is no error");
    assert_eq!((heard.end.truncated, heard.end.complete, heard.end.unanswered), (true, false, 2));
}

#[tokio::test]
async fn results_come_before_all_have_answered_and_giving_up_ends_all_work() {
    let devices = vec![Device::Silent, Device::Finds(names("a", 2)), Device::FindsAndWaits(names("b", 4))];
    let devices = Arc::new(Devices::new(devices));
    let mut events = search(wish(), devices.scene(), Arc::<Devices>::clone(&devices));
    let mut found = 0;
    while found < 6 {
        let some = events.next().await.unwrap();
        found += some.iter().filter(|event| matches!(event, SearchAcrossEvent::Hit(_))).count();
    }
    assert_eq!(devices.under_way(), 2, "the silent one and the one that waits");
    drop(events);
    assert_eq!(devices.under_way(), 0);
}

#[tokio::test]
async fn sixteen_at_once_and_silent_ones_keep_nobody_waiting() {
    let good = || Device::Finds(names("a", 1));
    let mut devices = Devices::new((0..40).map(|_| good()).collect());
    devices.gate = Semaphore::new(0);
    let devices = Arc::new(devices);
    let mut events = search(wish(), devices.scene(), Arc::<Devices>::clone(&devices));
    assert!(futures_util::poll!(events.next()).is_pending());
    assert_eq!(devices.under_way(), 16);
    devices.gate.add_permits(1000);
    while events.next().await.is_some() {}
    assert_eq!(devices.most_at_once.load(Ordering::SeqCst), 16);
    assert_eq!(devices.asked.load(Ordering::SeqCst), 40);

    let silent = (0..30).map(|_| Device::Silent);
    let devices = Arc::new(Devices::new(silent.chain([good()]).collect()));
    let mut events = search(wish(), devices.scene(), Arc::<Devices>::clone(&devices));
    let first = events.next().await.unwrap();
    assert!(matches!(first[..], [SearchAcrossEvent::Hit(_)]), "the last one has its turn: {first:?}");
}

#[tokio::test]
async fn every_machine_has_its_turn() {
    let mut devices = Devices::new((0..12).map(|_| Device::Finds(names("a", 1))).collect());
    // Ten shares of one machine, and then two machines with one each.
    let big = devices.devices[0].0.device;
    devices.devices[..10].iter_mut().for_each(|(place, _)| place.device = big);
    let devices = Arc::new(devices);
    let heard = hear(Wish { max_shares: 3, ..wish() }, &devices).await;
    for i in [0, 10, 11] {
        assert!(heard.found.contains_key(&devices.devices[i].0.share), "{i}");
    }
    assert!(heard.end.truncated);
}

#[tokio::test]
async fn a_right_that_has_ended_shows_nothing_more() {
    let mut devices = Devices::new(vec![Device::Finds(names("a", 2)), Device::Finds(names("b", 2))]);
    let lost = devices.devices[0].0.share;
    devices.forbidden = Some(lost);
    let heard = hear(wish(), &Arc::new(devices)).await;
    assert!(!heard.found.contains_key(&lost));
    assert_eq!(heard.end.sent, 2);
}

#[test]
fn texts_keep_their_meaning_in_a_query() {
    assert_eq!(in_query("a b&c=d+e#f%g/é?"), "a%20b%26c%3Dd%2Be%23f%25g/%C3%A9%3F");
}
