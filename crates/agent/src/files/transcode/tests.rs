//! Films through the door, with a real ffmpeg.

use std::process::Command;

use axum::body::{Body, BodyDataStream};
use axum::http::Method;
use futures_util::StreamExt;
use proto::ErrorCode;
use proto::api::files::MediaInfo;
use rustix::process::Pid;
use tower::ServiceExt;

use super::*;
use crate::agent::Config;
use crate::files::media::MediaConfig;
use crate::files::thumbnail::playlists;
use crate::testing::World;

fn ffmpeg(world: &World, args: &str) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(args.split(' '))
        .current_dir(world.path(""))
        .status();
    assert!(status.unwrap().success(), "{args}");
}

/// An old film: 4 seconds that no browser plays.
fn old_film(world: &World) {
    ffmpeg(
        world,
        "-f lavfi -i testsrc=d=4:s=320x180:r=10 -f lavfi -i sine=d=4 -c:v mpeg4 -c:a mp3 -shortest old.avi",
    );
}

/// Minutes of film: much more than fits between the program and a viewer who does not read.
fn long_film(world: &World) {
    ffmpeg(world, "-f lavfi -i testsrc2=d=200:s=320x240:r=10 -c:v mpeg4 -q:v 9 long.avi");
}

fn world(transcodes: usize) -> World {
    World::with(|config| Config { media: MediaConfig { transcodes, ..MediaConfig::default() }, ..config })
}

/// What ffprobe says of bytes: `codec,width,…` of each track, and the length.
fn probe(world: &World, bytes: &[u8]) -> String {
    let path = world.outside().join("out.mp4");
    std::fs::write(&path, bytes).unwrap();
    let shown = "stream=codec_name,width,height,pix_fmt,channels:format=duration";
    let args = ["-v", "error", "-show_entries", shown, "-of", "csv=p=0"];
    let out = Command::new("ffprobe").args(args).arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test]
async fn an_old_film_becomes_one_that_browsers_play() {
    let world = World::new();
    old_film(&world);
    let info: MediaInfo = world.get("media?path=old.avi").await.json();
    assert_eq!((info.width, info.height), (Some(320), Some(180)));
    assert_eq!((info.video_codec.as_deref(), info.audio_codec.as_deref()), (Some("mpeg4"), Some("mp3")));
    assert!((info.duration.unwrap() - 4.0).abs() < 0.2 && info.can_transcode);
    let answer = world.get("transcode?path=old.avi&viewer=1").await;
    assert_eq!((answer.status.as_u16(), answer.failed), (200, false));
    assert_eq!(answer.header("content-type"), "video/mp4");
    assert_eq!((answer.header("cache-control"), answer.header("accept-ranges")), ("no-store", "none"));
    let told = probe(&world, &answer.body);
    assert!(told.starts_with("h264,320,180,yuv420p\naac,2\n4."), "{told}");
}

#[tokio::test]
async fn it_begins_where_the_viewer_wants() {
    let world = World::new();
    old_film(&world);
    for (start, left) in [("2.5", 1.5), ("99", 0.5)] {
        let answer = world.get(&format!("transcode?path=old.avi&start={start}")).await;
        let told = probe(&world, &answer.body);
        let seconds: f64 = told.trim().rsplit('\n').next().unwrap().parse().unwrap();
        assert!((seconds - left).abs() < 0.4, "{start}: {told}");
    }
    for start in ["-1", "NaN", "inf", "x"] {
        let answer = world.get(&format!("transcode?path=old.avi&start={start}")).await;
        assert_eq!(answer.code(), ErrorCode::BadParameter, "{start}");
    }
}

#[tokio::test]
async fn pictures_that_browsers_play_are_not_converted_again() {
    let world = World::new();
    ffmpeg(
        &world,
        "-f lavfi -i testsrc=d=4:s=64x64:r=10 -g 10 -pix_fmt yuv420p -c:v libx264 -x264-params keyint=10 a.mkv",
    );
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=64x64:r=10 -pix_fmt yuv444p -c:v libx264 odd.mkv");
    ffmpeg(&world, "-f lavfi -i testsrc=d=0.2:s=3840x1600:r=10 -c:v mpeg4 large.mkv");
    let film = |name: &str| {
        let (world, path) = (&world, name.parse().unwrap());
        async move { world.agent.media().films.open(world.shared(), path).await.unwrap().1 }
    };
    assert!(can_copy_video(&*film("a.mkv").await));
    assert!(!can_copy_video(&*film("odd.mkv").await));
    let told = |name| {
        let world = &world;
        async move { probe(world, &world.get(&format!("transcode?path={name}")).await.body) }
    };
    let copied = told("a.mkv&start=2").await;
    // From the key frame at 1 s or at 2 s on.
    let seconds: f64 = copied.trim().rsplit('\n').next().unwrap().parse().unwrap();
    assert!(copied.starts_with("h264,64,64,yuv420p\n") && (1.9..=3.1).contains(&seconds), "{copied}");
    assert!(told("odd.mkv").await.starts_with("h264,64,64,yuv420p\n"));
    assert!(told("large.mkv").await.starts_with("h264,1920,800,yuv420p\n"));
}

#[tokio::test]
async fn what_is_no_film_is_refused() {
    let world = World::new();
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=64x64:r=5 -pix_fmt yuv420p ../secret.mp4");
    let secret = world.outside().join("secret.mp4");
    for (name, content) in playlists(secret.to_str().unwrap()) {
        world.write(name, content.as_bytes());
    }
    world.write("no.mkv", b"not a film");
    world.write("a.txt", b"text");
    ffmpeg(&world, "-f lavfi -i sine=d=1 sound.wav");
    for name in ["hls.mp4", "concat.mkv", "sdp.avi", "dash.mp4", "no.mkv", "a.txt", "sound.wav"] {
        let answer = world.get(&format!("transcode?path={name}")).await;
        assert_eq!(answer.code(), ErrorCode::Unsupported, "{name}");
        let info: MediaInfo = world.get(&format!("media?path={name}")).await.json();
        assert_eq!((info.video_codec, info.can_transcode), (None, false), "{name}");
    }
    let sound: MediaInfo = world.get("media?path=sound.wav").await.json();
    assert_eq!((sound.audio_codec.as_deref(), sound.duration), (Some("pcm_s16le"), Some(1.0)));
    assert_eq!(world.get("transcode?path=none.mkv").await.code(), ErrorCode::NotFound);
    assert_eq!(world.get("transcode?path=../secret.mp4").await.code(), ErrorCode::BadPath);
}

#[tokio::test]
async fn without_ffmpeg_it_says_so() {
    let world = World::with(|config| Config {
        media: MediaConfig { ffmpeg: Some("/nowhere/ffmpeg".into()), ..MediaConfig::default() },
        ..config
    });
    world.write("a.mkv", b"");
    assert_eq!(world.get("transcode?path=a.mkv").await.code(), ErrorCode::ToolMissing);
    let info: MediaInfo = world.get("media?path=a.mkv").await.json();
    assert!(!info.can_transcode);
}

/// Begins to watch, and reads the first bytes.
async fn watch(world: &World, tail: &str) -> BodyDataStream {
    let request = world.request(Method::GET, tail).body(Body::empty()).unwrap();
    let answer = world.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    body
}

/// The processes at work, by way of their list and `/proc`.
fn processes(world: &World) -> Vec<Pid> {
    world.agent.media().transcodes.processes()
}

#[tokio::test]
async fn the_process_ends_when_the_viewer_leaves() {
    let world = World::new();
    long_film(&world);
    let body = watch(&world, "transcode?path=long.avi&viewer=1").await;
    let pids = processes(&world);
    assert_eq!(pids.len(), 1);
    drop(body);
    tool::gone(pids[0]).await;
    while !processes(&world).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_viewer_has_one_process_and_others_keep_theirs() {
    let world = world(2);
    long_film(&world);
    let mut first = watch(&world, "transcode?path=long.avi&viewer=1").await;
    let before = processes(&world);
    let _other = watch(&world, "transcode?path=long.avi&viewer=2").await;
    let _second = watch(&world, "transcode?path=long.avi&viewer=1&start=50").await;
    tool::gone(before[0]).await;
    assert_eq!(processes(&world).len(), 2);
    // The first ends as broken, not as if it had come to the film's end.
    let ended = loop {
        match first.next().await {
            Some(Ok(_)) => {}
            ended => break ended,
        }
    };
    assert!(matches!(ended, Some(Err(_))));
    let third = world.get("transcode?path=long.avi&viewer=3").await;
    assert_eq!((third.code(), third.header("retry-after")), (ErrorCode::Busy, "5"));
}

/// Makes the one viewer's pause a long one; false if there is none yet.
fn set_clock_on(world: &World) -> bool {
    let at_work = world.agent.media().transcodes.at_work.lock();
    let job = at_work.jobs.values().next().unwrap();
    let mut stalled = job.stalled.lock();
    let long_ago = stalled.and_then(|since| since.checked_sub(STALLED));
    long_ago.inspect(|long_ago| *stalled = Some(*long_ago)).is_some()
}

#[tokio::test]
async fn who_has_not_read_for_long_gives_way() {
    let world = world(1);
    long_film(&world);
    let _paused = watch(&world, "transcode?path=long.avi&viewer=1").await;
    let before = processes(&world);
    // The pipe to the viewer fills up; then the clock is set on.
    while !set_clock_on(&world) {
        tokio::task::yield_now().await;
    }
    let _new = watch(&world, "transcode?path=long.avi&viewer=2").await;
    tool::gone(before[0]).await;
    assert_eq!(processes(&world).len(), 1);
}
