//! Every route of the device API against every hostile path and every wrong ticket. The routes are read from the
//! API's own description, so that a new one cannot be forgotten.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proto::api::files::{Entry, EntryType, SearchResult};
use proto::api::writing::Acted;
use proto::ticket::{Claims, Resource, SigningKey, Ticket};
use proto::{DeviceId, ErrorCode, Permission, ShareId, VersionId};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::serve::router::openapi;
use crate::testing::{Answer, World};

/// One operation of the description.
struct Route {
    method: Method,
    path: String,
    takes_path: bool,
    body: Takes,
}

/// What a route takes besides its address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Form,
    Json,
    Content,
}

/// All operations but those that say nothing of a share.
fn routes() -> Vec<Route> {
    let description = serde_json::to_value(openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            // An upload's path is in its metadata, and is tried by its own tests.
            let named_otherwise = path.contains("/uploads")
                || ["/undo", "/trash", "/shares/{share}/restore"].iter().any(|end| path.ends_with(end));
            let takes_path = (method != Method::GET && !named_otherwise)
                || parameters.iter().any(|p| p["name"] == "path" && p["in"] == "query");
            if path.contains("{share}") {
                let content = operation["requestBody"]["content"].as_object().cloned().unwrap_or_default();
                let body = match () {
                    () if content.is_empty() => Takes::Nothing,
                    () if content.contains_key("application/x-www-form-urlencoded") => Takes::Form,
                    () if content.contains_key("application/json") => Takes::Json,
                    () => Takes::Content,
                };
                routes.push(Route { method, path: path.clone(), takes_path, body });
            } else if !["inbox", "outbox"]
                .iter()
                .any(|word| path.starts_with(&format!("/agent/v1/{word}/transfers/{{transfer}}")))
            {
                // Those are tried beside where they are.
                assert_eq!(path, "/agent/v1/info", "a new route that no ticket guards");
            }
        }
    }
    assert!(routes.len() >= 6);
    routes
}

/// What is answered with what became of each item.
const ACTS: [&str; 7] = ["mkdir", "move", "copy", "rename", "delete", "restore", "undo"];

/// Why a request was refused, also where an act says so of its one item. `None` for an act that was done: then it was
/// done to the name itself, and is undone.
async fn refusal(world: &World, ticket: &Ticket, answer: &Answer) -> Option<ErrorCode> {
    let Ok(acted) = serde_json::from_slice::<Acted>(&answer.body) else { return Some(answer.code()) };
    if let Some(token) = acted.undo {
        let undo = Request::post(format!("/agent/v1/shares/{}/undo", world.share))
            .header(AUTHORIZATION, format!("Bearer {}", ticket.as_str()))
            .body(Body::from(json!({"token": token}).to_string()));
        let undone: Acted = world.send(undo.unwrap()).await.json();
        assert!(undone.items.iter().all(|item| item.error.is_none()), "{undone:?}");
    }
    acted.items[0].error.as_ref().map(|error| error.code)
}

impl Route {
    /// True if this is a search that found nothing: it looks into an index, where no such place is.
    fn found_nothing(&self, answer: &Answer) -> bool {
        self.path.ends_with("/search")
            && answer.status.is_success()
            && answer.json::<SearchResult>().entries.is_empty()
    }

    /// True for routes that change something, or show what only those see who may change it.
    fn writes(&self) -> bool {
        let tail = self.path.trim_start_matches("/agent/v1/shares/{share}/");
        let word = tail.split('/').next().unwrap();
        ["content", "uploads", "unpack", "versions", "trash"].contains(&word) || ACTS.contains(&word)
    }

    /// True if a new file was made, since there is none of that name yet.
    fn makes_files(&self, answer: &Answer) -> bool {
        self.body == Takes::Content && answer.status.is_success()
    }

    async fn call(&self, world: &World, share: ShareId, ticket: Option<&Ticket>, path: &str) -> Answer {
        let id = VersionId::generate();
        let path_text = utf8_percent_encode(path, NON_ALPHANUMERIC);
        let query = format!("path={path_text}&q=x&viewer=v&id={id}&clash=replace&once=true");
        let json = json!({
            "path": path, "paths": [path], "items": [{"from": path, "to": path}], "id": id, "ids": [id], "token": id,
            "rule": {"kind": "number", "text": "{n}", "start": 1}, "preview": true,
        });
        self.call_raw(world, share, ticket, &query, &json.to_string()).await
    }

    async fn call_raw(
        &self,
        world: &World,
        share: ShareId,
        ticket: Option<&Ticket>,
        query: &str,
        json: &str,
    ) -> Answer {
        let address = self.path.replace("{share}", &share.to_string());
        let mut request = Request::builder().method(&self.method);
        if let Some(ticket) = ticket {
            request = request.header(AUTHORIZATION, format!("Bearer {}", ticket.as_str()));
        }
        let request = match self.body {
            Takes::Nothing => request.uri(format!("{address}?{query}")).body(Body::empty()),
            Takes::Content => request.uri(format!("{address}?{query}")).body(Body::from("content")),
            Takes::Json => request.uri(address).body(Body::from(json.to_owned())),
            Takes::Form => {
                let form = "application/x-www-form-urlencoded";
                request.uri(address).header(CONTENT_TYPE, form).body(Body::from(query.to_owned()))
            }
        };
        world.send(request.unwrap()).await
    }
}

/// Texts that are no paths: refused before the disk is asked.
fn no_paths() -> Vec<String> {
    let mut texts: Vec<String> = [
        "..",
        "../x",
        "a/../../x",
        "d/..",
        ".",
        "./d",
        "/etc/passwd",
        "//etc/passwd",
        "///x",
        "d/",
        "d//f",
        "C:\\x",
        "C:x",
        "d/c:/windows",
        "\\\\server\\share",
        "\\\\?\\C:\\",
        "\\??\\C:\\",
        "\\\\.\\pipe\\x",
        "a\\..\\..\\b",
        "a\0.txt",
        "a\r\nb",
        "a\u{1b}[31m",
        "\\x2e\\x2e/x",
        "d\\x2ff",
        ".lanthorn-trash",
        ".LANTHORN-x/y",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(["n".repeat(256), vec!["n".repeat(200); 21].join("/"), vec!["d"; 2000].join("/")]);
    texts
}

const SECRET: &str = "the secret that is outside";

/// A share beside a secret, with every kind of place that must not be opened.
fn hostile_world() -> World {
    let world = World::new();
    world.write("d/f", b"inside");
    std::fs::create_dir(world.outside().join("private")).unwrap();
    std::fs::write(world.outside().join("private/secret"), SECRET).unwrap();
    let absolute = world.outside().join("private");
    for (target, name) in [
        (Path::new("../private/secret"), "out-file"),
        (Path::new("../private"), "out-folder"),
        (&absolute, "out-absolute"),
        (Path::new("out-absolute"), "chain-2"),
        (Path::new("chain-2"), "chain-3"),
        (Path::new("loop-b"), "loop-a"),
        (Path::new("loop-a"), "loop-b"),
        (Path::new("/proc/self/root"), "proc"),
        (Path::new("../share/d"), "out-and-in"),
    ] {
        symlink(target, world.path(name)).unwrap();
    }
    for n in 0..50 {
        symlink(
            if n == 0 { "d/f".into() } else { format!("long-{}", n - 1) },
            world.path(&format!("long-{n}")),
        )
        .unwrap();
    }
    mknodat(CWD, world.path("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    // Only root may make a device.
    let _ = mknodat(CWD, world.path("device"), FileType::CharacterDevice, Mode::RWXU, makedev(1, 3));
    world
}

const OUTSIDE: &[&str] = &[
    "out-file",
    "out-folder",
    "out-folder/secret",
    "out-absolute",
    "out-absolute/secret",
    "chain-3",
    "chain-3/secret",
    "loop-a",
    "loop-a/x",
    "proc",
    "proc/etc/passwd",
    "out-and-in",
    "out-and-in/f",
    "long-49",
];

#[tokio::test]
async fn no_route_takes_what_is_no_path() {
    let world = hostile_world();
    let ticket = world.sign(&world.claims());
    for route in routes().iter().filter(|route| route.takes_path) {
        for text in no_paths() {
            let answer = route.call(&world, world.share, Some(&ticket), &text).await;
            assert_eq!(answer.code(), ErrorCode::BadPath, "{} {} {text:?}", route.method, route.path);
        }
        // Encoded dots and slashes are decoded once; twice encoded ones are ordinary, absent names.
        for (query, codes) in [
            ("path=%2e%2e%2fx", [ErrorCode::BadPath].as_slice()),
            ("path=..%5cx", &[ErrorCode::BadPath]),
            ("path=%c0%ae%c0%ae/x", &[ErrorCode::BadPath, ErrorCode::BadParameter]),
            ("path=%ed%a0%80", &[ErrorCode::BadPath, ErrorCode::BadParameter]),
            ("path=%252e%252e%252fx", &[ErrorCode::NotFound]),
        ] {
            let query = format!("{query}&q=x&viewer=v&once=true");
            if route.body == Takes::Json {
                continue;
            }
            let answer = route.call_raw(&world, world.share, Some(&ticket), &query, "").await;
            if codes == [ErrorCode::NotFound] && route.found_nothing(&answer) {
                continue;
            }
            if codes == [ErrorCode::NotFound] && route.makes_files(&answer) {
                std::fs::remove_file(world.path("%2e%2e%2fx")).unwrap();
                continue;
            }
            let form = route.body == Takes::Form;
            let code = answer.code();
            let fits = codes.contains(&code) || (form && code == ErrorCode::NotFound);
            assert!(fits, "{} {} {query}: {code:?}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn no_route_leads_out_of_the_share() {
    let world = hostile_world();
    let ticket = world.sign(&world.claims());
    let secret = std::fs::File::open(world.outside().join("private/secret")).unwrap();
    let read_at = |file: &std::fs::File| file.metadata().unwrap().accessed().unwrap();
    let before = read_at(&secret);
    for route in routes().iter().filter(|route| route.takes_path) {
        for path in OUTSIDE {
            let answer = route.call(&world, world.share, Some(&ticket), path).await;
            assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET));
            if route.found_nothing(&answer) {
                continue;
            }
            if route.path.ends_with("/stat") && answer.status.is_success() {
                // The link itself is shown, as in a listing, and nothing of what it points to.
                let entry: Entry = answer.json();
                assert_eq!((entry.entry_type, entry.size), (EntryType::LinkOut, 0), "{path}");
                continue;
            }
            let Some(code) = refusal(&world, &ticket, &answer).await else { continue };
            let refused =
                [ErrorCode::OutsideShare, ErrorCode::NotFound, ErrorCode::IsLink, ErrorCode::Exists];
            assert!(refused.contains(&code), "{} {} {path}: {code:?}", route.method, route.path);
        }
    }
    assert_eq!(read_at(&secret), before, "the secret was read");
}

#[tokio::test]
async fn no_route_opens_a_fifo_or_device() {
    let world = hostile_world();
    let ticket = world.sign(&world.claims());
    // Whoever opens the FIFO for reading lets this thread go on.
    let (fifo, opened) = (world.path("fifo"), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&opened);
    let writer = std::thread::spawn(move || {
        let end = std::fs::File::options().write(true).open(fifo);
        told.store(true, Ordering::SeqCst);
        end
    });
    for route in routes().iter().filter(|route| route.takes_path) {
        for path in ["fifo", "device", "fifo/x"] {
            let answer = route.call(&world, world.share, Some(&ticket), path).await;
            let stat = route.path.ends_with("/stat") && path != "fifo/x" && answer.status.is_success();
            if stat || route.found_nothing(&answer) {
                continue;
            }
            let Some(code) = refusal(&world, &ticket, &answer).await else { continue };
            let refused = [
                ErrorCode::OutsideShare,
                ErrorCode::NotFolder,
                ErrorCode::NotFound,
                ErrorCode::Unsupported,
                ErrorCode::Exists,
            ];
            assert!(refused.contains(&code), "{} {} {path}: {code:?}", route.method, route.path);
        }
    }
    assert!(!opened.load(Ordering::SeqCst), "the FIFO was opened");
    drop(std::fs::File::open(world.path("fifo")).unwrap());
    writer.join().unwrap().unwrap();
}

#[tokio::test]
async fn no_route_opens_without_the_right_ticket() {
    let world = hostile_world();
    let stranger = SigningKey::generate().unwrap();
    let good = world.claims();
    let other_device = DeviceId::from_public_key([9; 32]);
    let old = good.iat - time::Duration::hours(1);
    let cases = vec![
        (None, ErrorCode::TicketMalformed),
        (Some(Ticket::from_text("v4.public.nonsense")), ErrorCode::TicketMalformed),
        (Some(stranger.sign(&good).unwrap()), ErrorCode::TicketKey),
        (Some(world.sign(&Claims { iat: old, exp: old, ..good.clone() })), ErrorCode::TicketExpired),
        (Some(world.sign(&Claims { aud: other_device, ..good.clone() })), ErrorCode::TicketAudience),
        (Some(world.sign(&Claims { pky: Some(other_device), ..good.clone() })), ErrorCode::TicketPresenter),
        (
            Some(world.sign(&Claims { res: Resource::Share(ShareId::generate()), ..good.clone() })),
            ErrorCode::TicketResource,
        ),
    ];
    for route in routes() {
        for (ticket, code) in &cases {
            let answer = route.call(&world, world.share, ticket.as_ref(), "d/f").await;
            assert_eq!(answer.code(), *code, "{} {}", route.method, route.path);
        }
        let foreign = ShareId::generate();
        let answer = route.call(&world, foreign, Some(&world.sign(&good)), "d/f").await;
        assert_eq!(answer.code(), ErrorCode::TicketResource, "{} {}", route.method, route.path);
        let saves = route.path.ends_with("/download") || route.path.ends_with("/archive");
        let needs = match () {
            () if route.writes() => Permission::Write,
            () if saves => Permission::Download,
            () => Permission::Read,
        };
        for permission in Permission::ALL {
            let ticket = world.ticket_for(permission);
            let answer = route.call(&world, world.share, Some(&ticket), "d/f").await;
            let refused = !answer.status.is_success() && answer.code() == ErrorCode::TicketPermission;
            assert_eq!(refused, permission != needs, "{permission:?} {} {}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn nothing_is_taken_to_where_no_path_or_only_a_link_leads() {
    let world = hostile_world();
    let ticket = world.sign(&world.claims());
    let private = || std::fs::read_dir(world.outside().join("private")).unwrap().count();
    let act = async |word: &str, to: &str| {
        let body = json!({"items": [{"from": "d/f", "to": to}], "clash": "replace"});
        let request = world.request(Method::POST, word).body(Body::from(body.to_string())).unwrap();
        let answer = world.send(request).await;
        refusal(&world, &ticket, &answer).await
    };
    for word in ["move", "copy"] {
        for to in no_paths() {
            assert_eq!(act(word, &to).await, Some(ErrorCode::BadPath), "{word} {to:?}");
        }
        for to in OUTSIDE {
            for to in [(*to).to_owned(), format!("{to}/new")] {
                let code = act(word, &to).await.expect("it went there");
                let refused =
                    [ErrorCode::OutsideShare, ErrorCode::NotFound, ErrorCode::NotFolder, ErrorCode::Exists];
                // `long-49` leads to a file within.
                assert!(refused.contains(&code), "{word} {to}: {code:?}");
            }
        }
    }
    assert_eq!((private(), std::fs::read(world.path("d/f")).unwrap()), (1, b"inside".to_vec()));
}
