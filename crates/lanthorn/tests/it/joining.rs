//! What is around joining: whom a machine believes, what it tells whom, what it offers, and how its links stand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::rig::{Browser, Joining, Server, World, until};

fn run(world: &World, args: &[&str]) -> Output {
    world.lanthorn(args).output().unwrap()
}

/// What a command printed that ended well, as JSON.
#[track_caller]
fn said(world: &World, args: &[&str]) -> Value {
    let output = run(world, &[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How a command failed: its exit code and what it said.
#[track_caller]
fn failed(world: &World, args: &[&str]) -> (i32, String) {
    let output = run(world, args);
    assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// An invitation to a machine that is at another address.
fn invitation(world: &World, port: u16, form: &str) -> String {
    let made = said(world, &["invite", "Grace"]);
    let secret = if form == "words" { made["words"].as_str() } else { made["text"].as_str() };
    let secret = secret.unwrap().rsplit('#').next().unwrap();
    format!("https://127.0.0.1:{port}/invite#{secret}")
}

/// Somebody who answers with another machine's certificate. Gives all that is said to them.
fn impostor(other: &World) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let pem = std::fs::read(other.state().join("certificate.pem")).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = std::thread::spawn(move || {
        let session = rustls::ServerConnection::new(Arc::new(tls)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, listener.accept().unwrap().0);
        let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
        // Until the head of a request is there, or the caller has had enough.
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            told.extend_from_slice(&buffer[..read]);
            if told.ends_with(b"}") {
                break;
            }
        }
        told
    });
    (address, told)
}

#[test]
fn an_invitation_says_whom_to_believe_and_an_impostor_is_told_nothing() {
    let (attic, server, mut owner) = World::set_up();
    let (other, _other_server, _) = World::set_up();
    let cellar = World::new();
    let link = invitation(&attic, server.port, "text");
    let (address, told) = impostor(&other);
    let there = format!("127.0.0.1:{}", server.port);
    let (code, why) = failed(&cellar, &["pair", &link.replace(&there, &address.to_string())]);
    assert!(code == 4 && why.contains("another certificate") && why.contains("hint: "), "{code}, {why}");
    assert_eq!(told.join().unwrap(), b"", "not a byte was said");
    let joined = said(&cellar, &["pair", &link]);
    assert_eq!((&joined["display_name"], &joined["offered"]), (&json!("Grace"), &json!("all")));
    let people = owner.get("/api/v1/people").expect_status(200).json();
    assert!(people.to_string().contains("Grace"), "{people}");
    assert_eq!(failed(&cellar, &["pair", &link]).0, 4, "it is used up");
}

#[test]
fn a_machine_joins_by_the_name_that_it_runs_under() {
    let (_attic, server, mut owner) = World::set_up();
    let cellar = World::new();
    let running = cellar.start_with(["--port", "0", "--no-browser", "--device-name", "Cellar"]);
    let mut names = |more: &[&str]| {
        Joining::begin_with(&cellar, &server, more).confirm(&mut owner);
        let devices = owner.get("/api/v1/devices").expect_status(200).json();
        let all = devices["devices"].as_array().unwrap();
        all.iter().find(|device| device["this"] == false).unwrap()["name"].clone()
    };
    assert_eq!(names(&["--device-name", "Typed"]), "Typed");
    assert_eq!(names(&[]), "Cellar");
    drop(running);
    assert_ne!(names(&[]), "Cellar");
}

#[test]
fn an_invitation_that_does_not_say_whom_to_believe_is_kept_until_words_were_compared() {
    let (attic, server, _owner) = World::set_up();
    let cellar = World::new();
    let words = invitation(&attic, server.port, "words");
    let secret = words.split('#').nth(1).unwrap();
    let (address, told) = impostor(&attic);
    let there = format!("127.0.0.1:{}", server.port);
    failed(&cellar, &["pair", &address.to_string(), "--invite", secret]);
    let told = String::from_utf8(told.join().unwrap()).unwrap();
    assert!(told.contains("/api/v1/pairing/start") && !told.contains(secret), "{told}");
    let (code, why) = failed(&cellar, &["pair", &there, "--invite", secret]);
    assert!(code == 2 && why.contains("compare the four words"), "{code}, {why}");
    assert!(!cellar.state().join("memberships.json").exists());
}

/// Answers what a command asks on a terminal of its own; `None` where there is no program that gives one.
fn on_terminal(world: &World, args: &[&str], answers: &str) -> Option<Output> {
    let have = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !have {
        eprintln!("skipped: there is no `script` here, which gives a command a terminal");
        return None;
    }
    let quoted: Vec<_> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_lanthorn"), quoted.join(" "));
    let mut script = world.program("script", ["-qec", &line, "/dev/null"]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
    Some(child.wait_with_output().unwrap())
}

#[test]
fn on_a_terminal_words_are_compared_and_shares_are_chosen() {
    let (attic, server, mut owner) = World::set_up();
    let (cellar, _cellar_server, _) = World::set_up();
    let there = format!("127.0.0.1:{}", server.port);
    let secret = invitation(&attic, server.port, "words").split('#').nth(1).unwrap().to_owned();
    let Some(no) = on_terminal(&cellar, &["pair", &there, "--invite", &secret], "none\nn\n") else { return };
    let text = String::from_utf8_lossy(&no.stdout).into_owned();
    assert!(!no.status.success() && text.contains("not the same"), "{text}");
    let yes = on_terminal(&cellar, &["pair", &there, "--invite", &secret], "nonsense\nshared\ny\n").unwrap();
    let text = String::from_utf8_lossy(&yes.stdout).into_owned();
    assert!(yes.status.success() && text.contains("This machine shares: shared"), "{text}");
    let joined = said_file(&cellar)["memberships"].clone();
    assert_eq!(joined[0]["offered"]["only"].as_array().unwrap().len(), 1, "{joined}");
    until("the share that was named is seen", || owner.shares_elsewhere().pop());
}

/// A coordinator that shows another machine's certificate as its owner's own, and that machine's authority.
fn with_own_certificate(world: &World) -> (Server, PathBuf) {
    let (other, other_server, _) = World::set_up();
    let pem = std::fs::read_to_string(other.state().join("certificate.pem")).unwrap();
    let key_at = pem.find("-----BEGIN PRIVATE KEY").unwrap();
    let (chain, key) = (world.home.path().join("own.crt"), world.home.path().join("own.key"));
    std::fs::write(&chain, &pem[..key_at]).unwrap();
    std::fs::write(&key, &pem[key_at..]).unwrap();
    let roots = world.home.path().join("roots.pem");
    std::fs::copy(other.state().join("authority.pem"), &roots).unwrap();
    drop(other_server);
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let args = ["--port", "0", "--no-browser", "--certificate", chain, "--private-key", key];
    (world.start_with(args), roots)
}

#[test]
fn a_coordinator_with_its_owner_s_certificate_is_joined_too() {
    let attic = World::new();
    let (server, roots) = with_own_certificate(&attic);
    let roots = roots.to_str().unwrap();
    let mut owner = server.local();
    owner.set_up(&attic.shared()).expect_status(200);
    let (cellar, _cellar_server, _) = World::set_up();
    let kept = || said_file(&cellar)["memberships"][0]["proof"].clone();
    Joining::begin(&cellar, &server).confirm(&mut owner);
    assert_eq!(kept(), json!({ "by": "certificate" }), "what pairing showed");
    until("its share is seen there", || owner.shares_elsewhere().pop());
    assert!(run(&cellar, &["ls", "--on", "Attic"]).status.success());
    Joining::begin_with(&cellar, &server, &["--roots", roots]).confirm(&mut owner);
    assert_eq!(kept()["by"], "roots");
    until("the link goes on by the new proof", || {
        Some(link(&cellar)).filter(|link| link["standing"] == "connected")
    });
    assert!(run(&cellar, &["ls", "--on", "Attic"]).status.success());
    let wrong = cellar.state().join("authority.pem");
    let there = format!("127.0.0.1:{}", server.port);
    let (code, why) = failed(&cellar, &["pair", &there, "--roots", wrong.to_str().unwrap()]);
    assert!(code == 4 && why.contains("another certificate"), "{code}, {why}");
    // An invitation carries the pin of that certificate, and the system's authorities count.
    let link = invitation_on(
        &attic,
        &["--certificate", attic.home.path().join("own.crt").to_str().unwrap()],
        server.port,
    );
    let output = cellar.lanthorn(["pair", &link]).env("SSL_CERT_FILE", roots).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kept(), json!({ "by": "system" }));
}

/// The same of a coordinator with its owner's certificate, which commands have to be told of too.
fn invitation_on(world: &World, settings: &[&str], port: u16) -> String {
    let key = world.home.path().join("own.key");
    let settings = [settings, &["--private-key", key.to_str().unwrap()]].concat();
    let made = said(world, &[&settings[..], &["invite", "Grace"]].concat());
    format!("https://127.0.0.1:{port}/invite#{}", made["text"].as_str().unwrap().rsplit('#').next().unwrap())
}

fn said_file(world: &World) -> Value {
    serde_json::from_slice(&std::fs::read(world.state().join("memberships.json")).unwrap()).unwrap()
}

/// Names of the shares elsewhere that the owner sees.
fn seen(owner: &mut Browser) -> Vec<String> {
    let shares = owner.get("/api/v1/catalog/shares").expect_status(200).json();
    let names = shares["shares"].as_array().unwrap().iter().filter(|share| share["folder"].is_null());
    let mut names: Vec<_> = names.map(|share| share["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_coordinator_sees_and_serves_what_it_is_offered_and_nothing_else() {
    let (_attic, server, mut owner) = World::set_up();
    let (cellar, _cellar_server, _) = World::set_up();
    for share in ["films", "diary"] {
        std::fs::create_dir(cellar.home.path().join(share)).unwrap();
        assert!(run(&cellar, &["shares", "add", share]).status.success());
    }
    let (code, why) = {
        let there = format!("127.0.0.1:{}", server.port);
        failed(&cellar, &["pair", &there, "--share", "film"])
    };
    assert!(code == 3 && why.contains("films"), "{code}, {why}");
    Joining::begin_with(&cellar, &server, &["--share", "films", "--share", "shared"]).confirm(&mut owner);
    until("what is offered is seen", || (seen(&mut owner) == ["films", "shared"]).then_some(()));
    cellar.put("large.bin", vec![7u8; 64 << 20]);
    let share = until("it answers", || {
        let mut shares = owner.shares_elsewhere().into_iter();
        shares.find(|share| owner.get(&format!("{share}/stat?path=large.bin")).status == 200)
    });
    let mut under_way = owner.begin(&format!("{share}/download?path=large.bin"));
    said(&cellar, &["shares", "withhold", "shared", "--from", "Attic"]);
    until("it is gone there", || (seen(&mut owner) == ["films"]).then_some(()));
    let mut rest = Vec::new();
    let broken = under_way.read_to_end(&mut rest);
    assert!(broken.is_err() || rest.len() < 60 << 20, "{} bytes came", rest.len());
    let status = said(&cellar, &["status"]);
    assert_eq!(status["joined"][0]["shares"].as_array().unwrap().len(), 1, "{status}");
    said(&cellar, &["shares", "add", "."]);
    let table = String::from_utf8(run(&cellar, &["shares"]).stdout).unwrap();
    let offered =
        |name: &str| table.lines().find(|line| line.contains(name)).unwrap().trim_end().ends_with("Attic");
    assert!(
        table.contains("OFFERED TO") && offered(":films") && !offered(":diary") && !offered(":shared"),
        "{table}"
    );
    said(&cellar, &["shares", "offer", "diary", "--to", "attic"]);
    until("one more", || (seen(&mut owner) == ["diary", "films"]).then_some(()));
    said(&cellar, &["shares", "offer", "--all", "--to", "Attic"]);
    until("all", || (seen(&mut owner).len() == 4).then_some(()));
    said(&cellar, &["shares", "withhold", "--all", "--to", "Attic"]);
    until("nothing", || seen(&mut owner).is_empty().then_some(()));
    assert_eq!(failed(&cellar, &["shares", "offer", "films", "--to", "Barn"]).0, 3);
    assert_eq!(failed(&cellar, &["shares", "offer", "--to", "Attic"]).0, 2);
}

/// The first joined coordinator, as `status` tells it.
fn link(world: &World) -> Value {
    said(world, &["status"])["joined"][0].clone()
}

#[test]
fn how_a_link_stands_is_told_to_the_owner_and_why() {
    let (attic, server, mut owner) = World::set_up();
    let (cellar, cellar_server, mut cellars_owner) = World::set_up();
    Joining::begin(&cellar, &server).confirm(&mut owner);
    let standing =
        |wanted: &str| until(wanted, || Some(link(&cellar)).filter(|link| link["standing"] == wanted));
    let up = standing("connected");
    assert!(up["since"].is_string() && up["trouble"].is_null() && up["path"]["lane"].is_string(), "{up}");
    let table = String::from_utf8(run(&cellar, &["status"]).stdout).unwrap();
    assert!(table.contains("REACHES THIS MACHINE") && table.contains("Attic   connected"), "{table}");
    let mut page = |what: &str| {
        let devices = cellars_owner.get("/api/v1/catalog/devices").expect_status(200).json();
        devices["devices"][0]["joined"][0][what].clone()
    };
    assert_eq!((page("name"), page("standing")), (json!("Attic"), json!("connected")));
    let port = server.port.to_string();
    assert!(server.end().success());
    standing("waiting");
    let why = "Attic cannot be reached: Connection refused";
    until(why, || link(&cellar)["trouble"]["message"].as_str().filter(|said| said.contains(why)).map(drop));
    let _again = attic.start_with(["--port", &port, "--no-browser"]);
    standing("connected");
    assert!(cellar_server.end().success());
    let output = run(&cellar, &["status", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), told), (Some(5), json!({ "running": false, "joined": ["Attic"] })));
}

#[test]
fn a_machine_that_is_shown_out_is_told_so() {
    let (_attic, server, mut owner) = World::set_up();
    let (cellar, _cellar_server, _) = World::set_up();
    Joining::begin(&cellar, &server).confirm(&mut owner);
    let share = until("it is there", || owner.shares_elsewhere().pop());
    let device = share.split('/').nth(4).unwrap();
    owner.send("DELETE", &format!("/api/v1/devices/{device}"), &[], None).expect_status(204);
    let shown_out =
        until("it is refused", || Some(link(&cellar)).filter(|link| link["standing"] == "refused"));
    assert!(shown_out["trouble"]["hint"].is_string(), "{shown_out}");
    let text = String::from_utf8(run(&cellar, &["status"]).stdout).unwrap();
    assert!(text.contains("refused"), "{text}");
}

#[test]
fn a_lone_agent_tells_its_coordinator_how_its_links_stand() {
    let (_attic, server, mut owner) = World::set_up();
    let cellar = World::new();
    let agent = cellar.start_with(["agent", "--port", "0"]);
    let agent_url = format!("http://127.0.0.1:{}", agent.port);
    let control = cellar.start_with(["coordinator", "--port", "0", "--agent-url", &agent_url]);
    control.local().set_up(&cellar.shared()).expect_status(200);
    Joining::begin(&cellar, &server).confirm(&mut owner);
    until("it is told", || Some(link(&cellar)).filter(|link| link["standing"] == "connected"));
}
