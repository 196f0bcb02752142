//! Another program asks as this machine, with a token of `lanthorn token`.

use crate::rig::World;
use crate::rig::commands::{failed, run, said, said_json};
use crate::rig::http::{Answer, exchange};

/// PUTs a file as curl does: with this line, and nothing that a browser has.
fn put(server: &crate::rig::Server, share: &str, authorization: &str, content: &[u8]) -> Answer {
    let target = server.local().target;
    let path = share.split_once("/api").unwrap().1;
    let head = format!(
        "PUT /api{path}/content?path=curl.txt&clash=replace HTTP/1.1\r\nhost: localhost:{}\r\n{authorization}\r\n\
         content-length: {}\r\nconnection: close",
        server.port,
        content.len()
    );
    exchange(&target, &head, content)
}

#[test]
fn a_token_lets_another_program_in_until_it_is_taken_back() {
    let (world, server, _owner) = World::set_up();
    let output = run(&world, &["token", "--header", "shared"]);
    let line = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(line.starts_with("Authorization: Bearer v4.public.") && line.lines().count() == 1, "{line}");
    assert!(told.contains("60 minutes") && told.contains("keys rotate --at-once"), "{told}");
    let json = said_json(&world, &["token", "shared"]);
    let share = json["share_url"].as_str().unwrap();
    assert!(told.contains(share), "{told}");
    assert_eq!((&json["token_type"], &json["expires_in"]), (&"bearer".into(), &3600.into()));

    assert_eq!(put(&server, share, line.trim(), b"from curl").status, 201);
    assert_eq!(std::fs::read(world.shared().join("curl.txt")).unwrap(), b"from curl");
    let token = said(&world, &["token"]);
    assert_eq!(put(&server, share, &format!("Authorization: Bearer {}", token.trim()), b"again").status, 200);
    assert_eq!(put(&server, share, "Authorization: Bearer v4.public.AAAA", b"x").status, 401);

    said(&world, &["keys", "rotate", "--at-once"]);
    assert_eq!(put(&server, share, line.trim(), b"too late").status, 401);
    assert_eq!(std::fs::read(world.shared().join("curl.txt")).unwrap(), b"again");
    assert_eq!(failed(&world, &["token", "nowhere:shared"]).0, 3);
}

#[test]
fn who_is_refused_hears_why_however_much_is_sent() {
    let (world, server, _owner) = World::set_up();
    world.put("curl.txt", "there");
    let share = said_json(&world, &["token", "shared"]);
    let authorization =
        format!("Authorization: Bearer {}\r\nIf-None-Match: *", share["access_token"].as_str().unwrap());
    let answer = put(&server, share["share_url"].as_str().unwrap(), &authorization, &vec![0; 24 << 20]);
    assert_eq!((answer.status, answer.code()), (409, "EXISTS".to_owned()));
}
