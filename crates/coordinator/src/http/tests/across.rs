//! Files across machines, at the door: who is asked, what is checked in which order, and in which form answers come.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use proto::api::files::{Entry, EntryType, Kind, Listing, MatchType, SearchEvent, SearchHit};
use proto::wire::link::{Addresses, OfferedShare};
use proto::{PrincipalId, ShareId};

use super::*;
use crate::store::devices::DeviceRow;

/// A coordinator with its own machine and three others: `Barn`, `Cellar` (which is away) and `Den`, which is hidden and
/// somebody else's. Each has one share.
struct Across {
    world: World,
    owner: Browser,
    own: (DeviceId, String),
    barn: (DeviceId, ShareId),
    cellar: (DeviceId, ShareId),
    den: (DeviceId, ShareId),
    asked: Asked,
}

/// The queries that devices were asked.
type Asked = Arc<Mutex<Vec<String>>>;

fn machine(number: u8) -> DeviceId {
    DeviceId::from_public_key([number; 32])
}

fn entry(path: &str, entry_type: EntryType) -> Entry {
    Entry {
        name: path.rsplit('/').next().unwrap().to_owned(),
        path: path.parse().unwrap(),
        entry_type,
        kind: Kind::Other,
        size: 7,
        modified: None,
        version: "v1".into(),
        link: false,
    }
}

/// What every device here has.
fn entries() -> Vec<Entry> {
    vec![
        entry("b.txt", EntryType::File),
        entry("A&B", EntryType::Folder),
        entry("A&B/c d.txt", EntryType::File),
    ]
}

/// A device that finds its entries whatever it is asked for.
fn agent(asked: &Asked) -> RouterLink {
    let asked = Arc::clone(asked);
    RouterLink::new(Router::new().fallback(move |uri: Uri, headers: axum::http::HeaderMap| {
        asked.lock().push(uri.query().unwrap_or_default().to_owned());
        let ticket = headers["authorization"].to_str().unwrap();
        assert!(ticket.starts_with("Bearer v4.public."), "{ticket}");
        let answer = answer(&uri);
        async { answer }
    }))
}

fn answer(uri: &Uri) -> Response {
    let found = entries();
    if uri.path().ends_with("/list") {
        let in_folder = uri.query().unwrap().contains("path=A%26B&");
        let (path, entries) =
            if in_folder { ("A&B", found[2..].to_vec()) } else { ("", found[..2].to_vec()) };
        let total = entries.len() as u64 + 1;
        let path = path.parse().unwrap();
        let listing = Listing { path, parent: None, total, offset: 0, version: "1".into(), entries };
        return axum::Json(listing).into_response();
    }
    assert!(uri.path().ends_with("/search"), "{uri}");
    let total = found.len() as u64;
    let hits =
        found.into_iter().map(|entry| SearchEvent::Hit(SearchHit { entry, match_type: MatchType::Exact }));
    let end = SearchEvent::Done { total, truncated: false, complete: true, took_ms: 0 };
    let lines: Vec<String> =
        hits.chain([end]).map(|event| serde_json::to_string(&event).unwrap() + "\n").collect();
    lines.concat().into_response()
}

impl Across {
    async fn new() -> Self {
        let (world, owner) = World::set_up().await;
        let (me, somebody) =
            (world.coordinator.rooms().identity.owner_id().unwrap(), PrincipalId::generate());
        let store = &world.coordinator.rooms().store;
        store.add_person_for_test(somebody).await;
        for (number, name, principal, visible) in
            [(2, "Barn", me, true), (3, "Cellar", me, true), (4, "Den", somebody, false)]
        {
            let (id, platform) = (machine(number), "linux".to_owned());
            let row = DeviceRow {
                id,
                principal,
                name: name.into(),
                platform,
                visible,
                paired_ms: 0,
                revoked_ms: None,
            };
            store.put_device_for_test(&row).await;
        }
        let world = world.restart().await;
        let asked = Asked::default();
        let [barn, cellar, den] = [2, 3, 4].map(|number| (machine(number), ShareId::generate()));
        let rooms = world.coordinator.rooms();
        for (device, share) in [barn, cellar, den] {
            rooms.gateway.set_link(device, Arc::new(agent(&asked)));
            let offered = OfferedShare { id: share, name: "Things".into(), read_only: false, inbox: false };
            let link =
                rooms.registry.register(device, Addresses::default(), vec![offered], time::Duration::ZERO);
            let link = link.await.unwrap();
            if device == cellar.0 {
                rooms.registry.left(&link, true).await;
            }
        }
        world.coordinator.set_local_agent(agent(&asked));
        let share = rooms.shares.borrow()[0].id.to_string();
        let own = (rooms.device, share);
        Self { world, owner, own, barn, cellar, den, asked }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.owner.get(&self.world, path).await
    }

    /// How many devices were asked since this was last looked at.
    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock()).len()
    }

    /// The text of an answer that is not JSON.
    async fn text(&mut self, path: &str, accept: &str) -> (String, String) {
        let cookies: Vec<String> = self.owner.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = Request::builder().uri(path).header(HOST, self.owner.host).header("accept", accept);
        let mut request = request.header(COOKIE, cookies.join("; ")).body(Body::empty()).unwrap();
        request.extensions_mut().insert(self.owner.connection);
        let answer = self.world.app.clone().oneshot(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn all_machines_are_searched_that_are_there_and_may_be_seen() {
    let mut across = Across::new().await;
    let found = across.get("/api/v1/files/search?q=b").await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    assert_eq!(across.asked(), 3, "this machine, its inbox and the barn");
    let body = &found.body;
    assert_eq!((&body["query"], &body["base_path"]), (&json!("b"), &json!("")));
    assert_eq!((&body["recursive"], &body["federated"]), (&json!(true), &json!(true)));
    assert_eq!((&body["truncated"], &body["errors"]), (&json!(false), &json!([])));
    let items = body["items"].as_array().unwrap();
    let order: Vec<_> = items.iter().map(|item| item["path"].as_str().unwrap()).collect();
    assert_eq!(order, [["A&B"; 3], ["A&B/c d.txt"; 3], ["b.txt"; 3]].concat(), "each share answers the same");
    let names: std::collections::BTreeSet<_> =
        items.iter().map(|item| item["device_name"].as_str().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["Attic", "Barn"]);
    let (device, share) = across.barn;
    let file = items.iter().find(|item| item["device_name"] == "Barn" && item["name"] == "c d.txt").unwrap();
    let base = format!("/api/v1/devices/{device}/shares/{share}");
    assert_eq!(file["stream_url"], format!("{base}/stream?path=A%26B/c%20d.txt"));
    assert_eq!(file["download_url"], format!("{base}/download?path=A%26B/c%20d.txt"));
    assert_eq!((&file["is_dir"], &file["parent_path"]), (&json!(false), &json!("A&B")));
    assert_eq!((&file["share_id"], &file["share_name"]), (&json!(share), &json!("Things")));
    let folder = items.iter().find(|item| item["is_dir"] == true).unwrap();
    assert_eq!((&folder["stream_url"], &folder["type"]), (&Value::Null, &json!("folder")));
    let offline = body["offline"].as_array().unwrap();
    assert_eq!(offline.len(), 1);
    assert_eq!(
        (&offline[0]["device_name"], &offline[0]["device_id"]),
        (&json!("Cellar"), &json!(across.cellar.0))
    );
}

#[tokio::test]
async fn results_come_as_lines_and_as_events() {
    let mut across = Across::new().await;
    let path = "/api/v1/files/search?q=b";
    let (kind, text) = across.text(path, "application/x-ndjson").await;
    assert_eq!(kind, "application/x-ndjson");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (kind, text) = across.text(path, "text/event-stream, */*").await;
    assert_eq!(kind, "text/event-stream");
    let events: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    for told in [lines, events] {
        let count = |event: &str| told.iter().filter(|told| told["event"] == event).count();
        assert_eq!((count("offline"), count("hit"), count("share"), count("done")), (1, 9, 3, 1));
        assert_eq!(told[0]["event"], "offline");
        let done = told.last().unwrap();
        assert_eq!(
            (&done["sent"], &done["truncated"], &done["complete"]),
            (&json!(9), &json!(false), &json!(true))
        );
    }
    for (accept, kind) in
        [("*/*", "application/json"), ("application/json, text/event-stream", "application/json")]
    {
        assert_eq!(across.text(path, accept).await.0, kind);
    }
}

#[tokio::test]
async fn what_is_named_is_checked_in_order() {
    let mut across = Across::new().await;
    let (own, barn, cellar, den) = (across.own.clone(), across.barn, across.cellar, across.den);
    let unknown = ShareId::generate();
    for (device, share, status, code) in [
        (barn.0, unknown.to_string(), 404, "NOT_FOUND"),
        (own.0, barn.1.to_string(), 400, "BAD_PARAMETER"),
        (cellar.0, barn.1.to_string(), 400, "BAD_PARAMETER"),
        (den.0, den.1.to_string(), 404, "NOT_FOUND"),
        (own.0, den.1.to_string(), 404, "NOT_FOUND"),
        (machine(9), barn.1.to_string(), 400, "BAD_PARAMETER"),
        (cellar.0, cellar.1.to_string(), 503, "DEVICE_OFFLINE"),
        (barn.0, barn.1.to_string(), 200, ""),
        (own.0, own.1.clone(), 200, ""),
    ] {
        for path in ["list?", "search?q=b&"] {
            let answer =
                across.get(&format!("/api/v1/files/{path}device_id={device}&share_id={share}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{path} {}", answer.body);
            assert_eq!(across.asked(), usize::from(status == 200));
        }
    }
    for (query, status) in [
        (format!("device_id={}", den.0), 404),
        (format!("device_id={}", machine(9)), 404),
        (format!("share_id={}", den.1), 404),
        (format!("share_id={unknown}"), 404),
        (format!("device_id={}", barn.0), 200),
        (format!("share_id={}", barn.1), 200),
        (format!("device_id={}", cellar.0), 200),
    ] {
        let answer = across.get(&format!("/api/v1/files/search?q=b&{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        if status == 200 {
            let wanted = if query.contains(&cellar.0.to_string()) { 0 } else { 3 };
            assert_eq!(answer.body["items"].as_array().unwrap().len(), wanted, "{query}");
        }
    }
}

#[tokio::test]
async fn parameters_have_their_ranges() {
    let mut across = Across::new().await;
    let long = "é".repeat(120);
    for (query, status) in [
        ("q=".to_owned(), 400),
        ("q=%20".to_owned(), 400),
        ("x=1".to_owned(), 400),
        (format!("q={long}"), 200),
        (format!("q={long}e"), 400),
        ("q=a%00".to_owned(), 400),
        ("q=a&path=../x".to_owned(), 400),
        ("q=a&max_shares=0".to_owned(), 400),
        ("q=a&max_shares=200".to_owned(), 200),
        ("q=a&max_shares=201".to_owned(), 400),
        ("q=a&max_results_per_share=9".to_owned(), 400),
        ("q=a&max_results_per_share=1000".to_owned(), 200),
        ("q=a&max_results_per_share=1001".to_owned(), 400),
        ("q=a&max_results_total=19".to_owned(), 400),
        ("q=a&max_results_total=5000".to_owned(), 200),
        ("q=a&max_results_total=5001".to_owned(), 400),
        ("q=a&timeout_budget_ms=499".to_owned(), 400),
        ("q=a&timeout_budget_ms=20000".to_owned(), 200),
        ("q=a&timeout_budget_ms=20001".to_owned(), 400),
        ("q=a&recursive=False".to_owned(), 200),
        ("q=a&recursive=perhaps".to_owned(), 400),
        ("q=a&kind=image&min_size=1&max_size=2&after=2026-01-31T12:00:00Z&before=".to_owned(), 200),
        ("q=a&kind=picture".to_owned(), 400),
        ("q=a&min_size=-1".to_owned(), 400),
        ("q=a&max_size=big".to_owned(), 400),
        ("q=a&after=yesterday".to_owned(), 400),
        ("q=a&before=2026-01-31".to_owned(), 400),
        ("q=a&max_shares=1&unheard=of".to_owned(), 200),
    ] {
        let answer = across.get(&format!("/api/v1/files/search?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.body);
    }
    let answer = across.get("/api/v1/files/search?q=a&max_shares=1").await;
    assert_eq!(answer.body["truncated"], true, "another share was not searched");
    let (device, share) = across.barn;
    for (max, status) in [(49, 400), (50, 200), (5000, 200), (5001, 400)] {
        let path = format!("/api/v1/files/list?device_id={device}&share_id={share}&max_results={max}");
        assert_eq!(across.get(&path).await.status.as_u16(), status, "{max}");
    }
}

#[tokio::test]
async fn what_narrows_a_search_is_passed_on_to_every_device() {
    let mut across = Across::new().await;
    let narrow =
        "kind=video&min_size=10&max_size=20&after=2026-01-31T12:00:00.5%2B01:00&before=2027-01-01T00:00:00Z";
    for (query, wanted) in [
        (
            format!("q=b&{narrow}"),
            "kind=video&min_size=10&max_size=20&after=2026-01-31T12%3A00%3A00.5%2B01%3A00&before=2027-01-01T00%3A00%3A00Z",
        ),
        ("q=b&max_size=20".to_owned(), "max_size=20"),
        ("q=b".to_owned(), ""),
    ] {
        across.get(&format!("/api/v1/files/search?{query}")).await;
        let asked = std::mem::take(&mut *across.asked.lock());
        assert_eq!(asked.len(), 3, "this machine, its inbox and the barn");
        for said in asked {
            assert_eq!(said.split_once("&stream=true&").unwrap().1, wanted, "{said}");
        }
    }
}

#[tokio::test]
async fn a_listing_has_the_form_of_before_and_leads_through_the_gateway() {
    let mut across = Across::new().await;
    let (device, share) = across.barn;
    let answer =
        across.get(&format!("/api/v1/files/list?device_id={device}&share_id={share}&path=A%26B")).await;
    let body = &answer.body;
    assert_eq!((&body["current_path"], &body["parent_path"]), (&json!("A&B"), &json!("")));
    assert_eq!((&body["device_id"], &body["share_id"]), (&json!(device), &json!(share)));
    assert_eq!((&body["truncated"], &body["limit"]), (&json!(true), &json!(300)));
    assert!(body["permissions"].as_array().unwrap().contains(&json!("download")));
    let file = &body["items"][0];
    assert_eq!(
        (&file["is_dir"], &file["parent_path"], &file["size"]),
        (&json!(false), &json!("A&B"), &json!(7))
    );
    let address = file["stream_url"].as_str().unwrap();
    assert_eq!(address, format!("/api/v1/devices/{device}/shares/{share}/stream?path=A%26B/c%20d.txt"));
}
