//! Thumbnails through the door, with real files and real programs.

use std::io::Cursor;
use std::process::Command;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::agent::Config;
use crate::files::media::MediaConfig;
use crate::testing::{Answer, World};

/// Left half red, right half blue.
fn halves(width: u32, height: u32) -> DynamicImage {
    let side = |x, _| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) };
    RgbImage::from_fn(width, height, side).into()
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG that says that the camera was held in this way.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn picture(answer: &Answer) -> RgbaImage {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("x-lanthorn-thumbnail"), "picture");
    image::load_from_memory(&answer.body).unwrap().into_rgba8()
}

fn is_tile(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200);
    answer.header("x-lanthorn-thumbnail") == "tile" && answer.header("content-type") == "image/svg+xml"
}

#[track_caller]
fn is_near(pixel: Rgba<u8>, wanted: [u8; 3]) {
    let near = pixel.0.iter().zip(wanted).all(|(is, wanted)| is.abs_diff(wanted) < 40);
    assert!(near, "{pixel:?} is not {wanted:?}");
}

#[tokio::test]
async fn every_kind_of_image_is_pictured() {
    let world = World::new();
    let large = halves(800, 400);
    for (name, format) in [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.png", ImageFormat::Png),
        ("a.gif", ImageFormat::Gif),
        ("a.webp", ImageFormat::WebP),
        ("a.bmp", ImageFormat::Bmp),
        ("a.tiff", ImageFormat::Tiff),
        ("called.bmp", ImageFormat::Png),
        ("called.jpg", ImageFormat::WebP),
        ("called.png", ImageFormat::Jpeg),
    ] {
        world.write(name, &encode(&large, format));
        let answer = world.get(&format!("thumbnail?path={name}")).await;
        let small = picture(&answer);
        assert_eq!(small.dimensions(), (320, 160), "{name}");
        is_near(*small.get_pixel(40, 80), [220, 20, 20]);
        is_near(*small.get_pixel(280, 80), [20, 20, 220]);
        assert_eq!(answer.header("content-type"), "image/jpeg");
    }
    let grey = DynamicImage::from(large.to_luma8());
    world.write("grey.jpg", &encode(&grey, ImageFormat::Jpeg));
    let deep = DynamicImage::from(large.to_rgba16());
    world.write("deep.png", &encode(&deep, ImageFormat::Png));
    for name in ["grey.jpg", "deep.png"] {
        assert_eq!(picture(&world.get(&format!("thumbnail?path={name}")).await).dimensions(), (320, 160));
    }
}

#[tokio::test]
async fn sizes_are_steps_and_nothing_is_made_larger() {
    let world = World::new();
    world.write("a.jpg", &encode(&halves(1600, 800), ImageFormat::Jpeg));
    world.write("small.png", &encode(&halves(20, 10), ImageFormat::Png));
    world.write("line.png", &encode(&halves(3000, 1), ImageFormat::Png));
    for (query, size) in [
        ("a.jpg&size=64", (96, 48)),
        ("a.jpg&size=161", (320, 160)),
        ("a.jpg&size=640", (640, 320)),
        ("a.jpg&size=1024", (1024, 512)),
        ("small.png", (20, 10)),
        ("line.png", (320, 1)),
    ] {
        let small = picture(&world.get(&format!("thumbnail?path={query}")).await);
        assert_eq!(small.dimensions(), size, "{query}");
    }
    for size in ["63", "1025", "-1", "x"] {
        let answer = world.get(&format!("thumbnail?path=a.jpg&size={size}")).await;
        assert_eq!(answer.code(), proto::ErrorCode::BadParameter);
    }
}

#[tokio::test]
async fn pictures_are_turned_as_the_camera_was_held() {
    let world = World::new();
    let jpeg = encode(&halves(800, 400), ImageFormat::Jpeg);
    // Orientation 6: to be turned right by a quarter, so that left becomes up. 3: upside down.
    world.write("6.jpg", &turned(&jpeg, 6));
    world.write("3.jpg", &turned(&jpeg, 3));
    let up = picture(&world.get("thumbnail?path=6.jpg").await);
    assert_eq!(up.dimensions(), (160, 320));
    is_near(*up.get_pixel(80, 40), [220, 20, 20]);
    is_near(*up.get_pixel(80, 280), [20, 20, 220]);
    let down = picture(&world.get("thumbnail?path=3.jpg").await);
    assert_eq!(down.dimensions(), (320, 160));
    is_near(*down.get_pixel(40, 80), [20, 20, 220]);
}

#[tokio::test]
async fn what_one_can_see_through_stays_so() {
    let world = World::new();
    let clear = RgbaImage::from_fn(640, 640, |x, _| Rgba([0, 200, 0, if x < 320 { 0 } else { 255 }]));
    let opaque = RgbaImage::from_pixel(640, 640, Rgba([0, 200, 0, 255]));
    world.write("clear.png", &encode(&clear.into(), ImageFormat::Png));
    world.write("opaque.png", &encode(&opaque.into(), ImageFormat::Png));
    let answer = world.get("thumbnail?path=clear.png").await;
    assert_eq!(answer.header("content-type"), "image/png");
    let small = picture(&answer);
    assert_eq!((small.get_pixel(40, 40).0[3], small.get_pixel(300, 40).0), (0, [0, 200, 0, 255]));
    assert_eq!(world.get("thumbnail?path=opaque.png").await.header("content-type"), "image/jpeg");
}

#[tokio::test]
async fn a_browser_keeps_what_cannot_change() {
    let world = World::new();
    world.write("a.png", &encode(&halves(640, 320), ImageFormat::Png));
    let entry: proto::api::files::Entry = world.get("stat?path=a.png").await.json();
    let address = format!("thumbnail?path=a.png&v={}", entry.version);
    let first = world.get(&address).await;
    assert_eq!(first.header("cache-control"), "private, max-age=31536000, immutable");
    assert_eq!(first.header("x-content-type-options"), "nosniff");
    let tag = first.header("etag").to_owned();
    assert_eq!(world.get_with(&address, &[("if-none-match", &tag)]).await.status, 304);
    assert_eq!(world.get("thumbnail?path=a.png&v=old").await.header("cache-control"), "private, no-cache");
    // Another content has another name.
    world.write("a.png", &encode(&halves(320, 640), ImageFormat::Png));
    let changed = world.get_with(&address, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.header("cache-control"), "private, no-cache");
    assert_eq!(picture(&changed).dimensions(), (160, 320));
}

#[tokio::test]
async fn the_second_time_it_comes_from_the_disk() {
    let world = World::new();
    world.write("a.png", &encode(&halves(640, 320), ImageFormat::Png));
    let first = world.get("thumbnail?path=a.png").await;
    let folder = world.outside().join("cache/thumbnails");
    let kept = || std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path());
    let kept = loop {
        // It is kept after the answer went out.
        match kept().find(|path| path.extension().is_some_and(|ending| ending == "jpg")) {
            Some(path) => break path,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(std::fs::read(&kept).unwrap(), first.body);
    std::fs::write(&kept, b"from the disk").unwrap();
    assert_eq!(world.get("thumbnail?path=a.png").await.body, &b"from the disk"[..]);
}

#[tokio::test]
async fn what_cannot_be_pictured_gets_a_tile() {
    let world = World::new();
    let jpeg = encode(&halves(800, 400), ImageFormat::Jpeg);
    let png = encode(&halves(800, 400), ImageFormat::Png);
    world.write("cut.png", &png[..png.len() / 2]);
    world.write("head.jpg", &jpeg[..20]);
    world.write("empty.jpg", b"");
    world.write("no.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff");
    world.write("no.tiff", b"II*\0\xff\xff\xff\xff");
    world.write("zip.zip", b"PK");
    world.write("folder/x", b"");
    world.write("binary.txt", b"a\0b");
    world.write("no.mp4", b"not a film");
    world.write("no.pdf", b"not a page");
    world.write("no.avif", b"not a picture");
    for name in "cut.png head.jpg empty.jpg no.webp no.tiff zip.zip folder binary.txt no.mp4 no.pdf no.avif"
        .split(' ')
    {
        let answer = world.get(&format!("thumbnail?path={name}")).await;
        assert!(is_tile(&answer), "{name}: {:?}", answer.headers);
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        let tag = answer.header("etag").to_owned();
        let again = world.get_with(&format!("thumbnail?path={name}"), &[("if-none-match", &tag)]).await;
        assert_eq!(again.status, 304, "{name}");
    }
    assert_eq!(world.get("thumbnail?path=nothing.jpg").await.code(), proto::ErrorCode::NotFound);
    assert_eq!(world.get("thumbnail?path=../a.jpg").await.code(), proto::ErrorCode::BadPath);
}

#[tokio::test]
async fn a_jpeg_that_breaks_off_shows_what_is_there() {
    let world = World::new();
    let jpeg = encode(&halves(800, 400), ImageFormat::Jpeg);
    world.write("cut.jpg", &jpeg[..jpeg.len() * 3 / 4]);
    assert_eq!(picture(&world.get("thumbnail?path=cut.jpg").await).dimensions(), (320, 160));
}

#[tokio::test]
async fn pixel_bombs_are_refused_before_they_take_memory() {
    let world = World::new();
    let small = encode(&halves(16, 16), ImageFormat::Png);
    // A PNG that says 60,000 × 60,000: its head with a right checksum.
    let mut png = small.clone();
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let sum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    world.write("bomb.png", &png);
    let mut jpeg = encode(&halves(16, 16), ImageFormat::Jpeg);
    let sof = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    world.write("bomb.jpg", &jpeg);
    let mut bmp = encode(&halves(16, 16), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0]);
    world.write("bomb.bmp", &bmp);
    for name in ["bomb.png", "bomb.jpg", "bomb.bmp"] {
        assert!(is_tile(&world.get(&format!("thumbnail?path={name}")).await), "{name}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[tokio::test]
async fn the_first_lines_of_a_text_are_inert() {
    let world = World::new();
    world.write("a.md", b"# Hello\n<script>alert(1)</script>\n");
    let answer = world.get("thumbnail?path=a.md").await;
    assert_eq!(answer.header("x-lanthorn-thumbnail"), "lines");
    assert_eq!(answer.header("content-type"), "image/svg+xml");
    assert!(answer.header("content-security-policy").contains("sandbox"));
    let svg = std::str::from_utf8(&answer.body).unwrap();
    assert!(svg.contains("># Hello</text>") && !svg.contains("<script"), "{svg}");
}

fn ffmpeg(world: &World, args: &str) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(args.split(' '))
        .current_dir(world.path(""))
        .status();
    assert!(status.unwrap().success(), "{args}");
}

#[tokio::test]
async fn the_first_good_frame_of_a_film() {
    let world = World::new();
    // A second of black, then a second of red and white; a key frame each second; the index at the end of the file.
    ffmpeg(
        &world,
        "-f lavfi -i color=black:s=640x360:d=1:r=10 -f lavfi -i color=white:s=640x360:d=1:r=10 -filter_complex \
         [1]drawbox=w=320:h=360:color=red:t=fill[r];[0][r]concat -g 10 -pix_fmt yuv420p film.mp4",
    );
    let small = picture(&world.get("thumbnail?path=film.mp4").await);
    assert_eq!(small.dimensions(), (320, 180));
    is_near(*small.get_pixel(40, 90), [254, 0, 0]);
    is_near(*small.get_pixel(280, 90), [254, 254, 254]);
}

#[tokio::test]
async fn narrow_pixels_and_turned_films_look_as_they_play() {
    let world = World::new();
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=320x240:r=5 -vf setsar=2/1 -pix_fmt yuv420p wide.mkv");
    assert_eq!(picture(&world.get("thumbnail?path=wide.mkv").await).dimensions(), (320, 120));
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=320x240:r=5 -pix_fmt yuv420p flat.mp4");
    ffmpeg(&world, "-i flat.mp4 -c copy -metadata:s:v rotate=90 turned.mp4");
    assert_eq!(picture(&world.get("thumbnail?path=turned.mp4").await).dimensions(), (240, 320));
}

#[tokio::test]
async fn an_all_black_film_shows_that() {
    let world = World::new();
    ffmpeg(&world, "-f lavfi -i color=black:s=64x64:d=2:r=5 -g 5 -pix_fmt yuv420p black.avi");
    let small = picture(&world.get("thumbnail?path=black.avi").await);
    is_near(*small.get_pixel(30, 30), [0, 0, 0]);
}

/// What a playlist, called a film, would make ffmpeg read.
pub(crate) fn playlists(target: &str) -> [(&'static str, String); 4] {
    [
        (
            "hls.mp4",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{target}\n#EXT-X-ENDLIST\n"),
        ),
        ("concat.mkv", format!("ffconcat version 1.0\nfile {target}\n")),
        ("sdp.avi", format!("v=0\nc=IN IP4 127.0.0.1\nm=video 5 RTP/AVP 96\na=control:file://{target}\n")),
        (
            "dash.mp4",
            format!(
                "<?xml version=\"1.0\"?><MPD type=\"static\"><Period><AdaptationSet><Representation><BaseURL>file://{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
            ),
        ),
    ]
}

#[tokio::test]
async fn a_playlist_called_a_film_reads_nothing() {
    let world = World::new();
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=64x64:r=5 -pix_fmt yuv420p ../secret.mp4");
    let secret = world.outside().join("secret.mp4");
    for (name, content) in playlists(secret.to_str().unwrap()) {
        world.write(name, content.as_bytes());
        assert!(is_tile(&world.get(&format!("thumbnail?path={name}")).await), "{name}");
    }
}

#[tokio::test]
async fn a_page_of_a_pdf() {
    let world = World::new();
    let pdf = "%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
               3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 400]/Contents 4 0 R>>endobj\n\
               4 0 obj<</Length 29>>stream\n1 0 0 rg 0 0 200 200 re f    \nendstream endobj\ntrailer<</Root 1 0 R>>\n";
    world.write("a.pdf", pdf.as_bytes());
    let page = picture(&world.get("thumbnail?path=a.pdf").await);
    assert_eq!(page.dimensions(), (160, 320));
    is_near(*page.get_pixel(80, 40), [255, 255, 255]);
    is_near(*page.get_pixel(80, 280), [255, 0, 0]);
}

#[tokio::test]
async fn films_have_tiles_where_the_owner_says_so() {
    let world = World::with(|config| Config {
        media: MediaConfig { video_thumbnails: false, ..MediaConfig::default() },
        ..config
    });
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=64x64:r=5 -pix_fmt yuv420p a.mp4");
    assert!(is_tile(&world.get("thumbnail?path=a.mp4").await));
}

#[tokio::test]
async fn without_ffmpeg_it_is_tried_again_later() {
    let world = World::with(|config| Config {
        media: MediaConfig { ffmpeg: Some("/nowhere/ffmpeg".into()), ..MediaConfig::default() },
        ..config
    });
    ffmpeg(&world, "-f lavfi -i testsrc=d=1:s=64x64:r=5 -pix_fmt yuv420p a.mp4");
    assert!(is_tile(&world.get("thumbnail?path=a.mp4").await));
    let folder = world.outside().join("cache/thumbnails");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test]
async fn a_still_that_only_ffmpeg_reads() {
    let world = World::new();
    ffmpeg(
        &world,
        "-f lavfi -i color=green:s=640x320:d=1:r=1 -frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1 a.avif",
    );
    let small = picture(&world.get("thumbnail?path=a.avif").await);
    assert_eq!(small.dimensions(), (320, 160));
    is_near(*small.get_pixel(100, 100), [0, 128, 0]);
}
