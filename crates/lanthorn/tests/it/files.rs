//! Reading files through the real binary, with what clients of every kind ask.

use crate::rig::{World, in_query};

/// Content in which every shifted or foreign byte shows.
fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4 + 1).flat_map(u32::to_be_bytes).take(bytes).collect()
}

#[test]
fn every_byte_of_a_large_file_arrives() {
    let (world, _server, mut owner) = World::set_up();
    let content = numbered(9 << 20 | 12_345);
    world.put("film.bin", &content);
    let share = owner.share();
    let whole = owner.get(&format!("{share}/stream?path=film.bin")).expect_status(200);
    assert!(whole.whole && whole.body == content, "the content differs");
}

#[test]
fn ranges_say_exactly_what_was_asked() {
    let (world, _server, mut owner) = World::set_up();
    let content = numbered(3_000_000);
    world.put("film.bin", &content);
    let url = format!("{}/stream?path=film.bin", owner.share());
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1048570-1048590", 1_048_570, 1_048_591),
        ("bytes=2999990-", 2_999_990, 3_000_000),
        ("bytes=-7", 2_999_993, 3_000_000),
        ("bytes=5-99999999999", 5, 3_000_000),
    ] {
        let answer = owner.get_with(&url, &[("Range", range)]).expect_status(206);
        assert!(answer.body == content[from..to], "{range}");
        let said = format!("bytes {from}-{}/3000000", to - 1);
        assert_eq!(answer.header("content-range"), Some(said.as_str()));
    }
    let beyond = owner.get_with(&url, &[("Range", "bytes=3000000-")]).expect_status(416);
    assert_eq!(beyond.header("content-range"), Some("bytes */3000000"));
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let (world, _server, mut owner) = World::set_up();
    world.put("a.txt", "first");
    let url = format!("{}/stream?path=a.txt", owner.share());
    let tag = owner.get(&url).expect_status(200).header("etag").unwrap().to_owned();
    owner.get_with(&url, &[("If-None-Match", &tag)]).expect_status(304);
    world.put("a.txt", "second!");
    let changed = owner.get_with(&url, &[("If-None-Match", &tag)]).expect_status(200);
    assert_eq!(changed.body, b"second!");
    let stale = owner.get_with(&url, &[("Range", "bytes=0-1"), ("If-Range", &tag)]).expect_status(200);
    assert_eq!(stale.body, b"second!", "a range of another version is not mixed in");
}

#[test]
fn head_tells_and_sends_nothing() {
    let (world, _server, mut owner) = World::set_up();
    world.put("a.txt", "content");
    let url = format!("{}/stream?path=a.txt", owner.share());
    let answer = owner.send("HEAD", &url, &[], None).expect_status(200);
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("7"), 0));
}

#[test]
fn no_path_leads_out() {
    let (world, _server, mut owner) = World::set_up();
    std::fs::write(world.home.path().join("secret.txt"), "outside").unwrap();
    std::os::unix::fs::symlink("../secret.txt", world.shared().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", world.shared().join("etc")).unwrap();
    let share = owner.share();
    let link = owner.get(&format!("{share}/stat?path=link")).expect_status(200).json();
    assert_eq!(link["type"], "link_out", "it is shown for what it is");
    for path in
        ["../secret.txt", "..", "/etc/passwd", "link/", "etc/passwd", "a/../../secret.txt", "..\\secret.txt"]
    {
        for route in ["list", "stat", "stream", "download", "archive", "thumbnail", "media", "transcode"] {
            let answer = owner.get(&format!("{share}/{route}?path={}", in_query(path)));
            assert!((400..500).contains(&answer.status), "{route} {path}: {}", answer.status);
            assert!(!String::from_utf8_lossy(&answer.body).contains("outside"), "{route} {path}");
        }
    }
    for route in ["list", "stream", "download", "thumbnail", "media", "transcode"] {
        owner.get(&format!("{share}/{route}?path=link")).expect_status(403);
    }
}

#[test]
fn active_content_is_sandboxed() {
    let (world, _server, mut owner) = World::set_up();
    world.put("evil.html", "<script>fetch('/api/v1/settings')</script>");
    world.put("evil.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    let share = owner.share();
    for name in ["evil.html", "evil.svg"] {
        let answer = owner.get(&format!("{share}/stream?path={name}")).expect_status(200);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("sandbox") && !policy.contains("allow-scripts"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn a_change_on_disk_is_found() {
    let (world, _server, mut owner) = World::set_up();
    let share = owner.share();
    for name in ["first.txt", "deep/er/second.txt"] {
        world.put(name, "x");
        let word = name.rsplit('/').next().unwrap();
        // The index tells nobody when it is ready, so ask until it is; give up only far beyond the 200 ms it should take.
        let asked = std::time::Instant::now();
        loop {
            let found = owner.get(&format!("{share}/search?q={word}")).expect_status(200).json();
            if found["entries"][0]["path"] == name {
                break;
            }
            assert!(asked.elapsed().as_secs() < 20, "{name} was never found: {found}");
            std::thread::yield_now();
        }
    }
}
