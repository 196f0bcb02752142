//! Pictures that outside programs take out of films, stills and pages. They hand over plain pixels (PPM), which are
//! read here with every size checked; the small picture is coded here like any other.

use std::fs::File;
use std::path::Path;

use super::super::tool::{self, Limits, Running};
use super::NoPicture;
use super::image::Small;
use crate::files::film::{PROTOCOLS, VIDEO_FORMATS};

/// A frame with less difference between dark and light is black, white, or fading.
const ENOUGH_CONTRAST: u8 = 24;
/// How many key frames are looked at for a good one.
const FRAMES: usize = 8;

/// The first good frame of a film: the first key frame that is not of one colour, or else the best of a few.
pub(super) async fn frame(ffmpeg: &Path, film: File, edge: u32) -> Result<Small, NoPicture> {
    let scale = format!(
        "scale=w='max(2,iw*if(gt(sar,0),sar,1))':h=ih,setsar=1,\
         scale=w='min({edge},iw)':h='min({edge},ih)':force_original_aspect_ratio=decrease"
    );
    let input = format!("file:{}", tool::INPUT);
    let frames = FRAMES.to_string();
    let mut args = vec!["-nostdin", "-hide_banner", "-loglevel", "quiet", "-threads", "1"];
    args.extend(["-protocol_whitelist", PROTOCOLS, "-format_whitelist", VIDEO_FORMATS]);
    args.extend(["-skip_frame", "nokey", "-i", &input, "-map", "0:v:0", "-an", "-sn", "-dn"]);
    args.extend(["-frames:v", &frames, "-vsync", "passthrough", "-filter_threads", "1", "-vf", &scale]);
    args.extend(["-threads", "1", "-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"]);
    let mut running = tool::start(ffmpeg, args, film, Limits::GLANCE)?;
    let mut best: Option<(u8, Small)> = None;
    for _ in 0..FRAMES {
        let Ok(frame) = read_ppm(&mut running, edge).await else { break };
        let contrast = frame.contrast();
        if best.as_ref().is_none_or(|(other, _)| contrast > *other) {
            best = Some((contrast, frame));
        }
        if contrast >= ENOUGH_CONTRAST {
            break;
        }
    }
    best.map(|(_, frame)| frame).ok_or(NoPicture::Never)
}

/// The first page of a PDF.
pub(super) async fn page(pdftoppm: &Path, pdf: File, edge: u32) -> Result<Small, NoPicture> {
    let edge_text = edge.to_string();
    let args = ["-f", "1", "-l", "1", "-singlefile", "-scale-to", &edge_text, tool::INPUT];
    let mut running = tool::start(pdftoppm, args, pdf, Limits::GLANCE)?;
    read_ppm(&mut running, edge).await
}

/// One picture in the form `P6 width height 255 pixels`.
async fn read_ppm(running: &mut Running, edge: u32) -> Result<Small, NoPicture> {
    if word(running).await? != "P6" {
        return Err(NoPicture::Never);
    }
    let mut numbers = [0u32; 3];
    for number in &mut numbers {
        *number = word(running).await?.parse().map_err(|_| NoPicture::Never)?;
    }
    let [width, height, depth] = numbers;
    // The program was told the size; one more for its rounding.
    if depth != 255 || width == 0 || height == 0 || width.max(height) > edge + 1 {
        return Err(NoPicture::Never);
    }
    let mut pixels = vec![0; width as usize * height as usize * 3];
    running.read_exact(&mut pixels).await?;
    Small::of_rgb(width, height, pixels).ok_or(NoPicture::Never)
}

/// The next word of the head, with the one white space after it.
async fn word(running: &mut Running) -> Result<String, NoPicture> {
    let mut word = String::new();
    loop {
        let mut byte = [0];
        running.read_exact(&mut byte).await?;
        match byte[0] {
            b if b.is_ascii_whitespace() => return Ok(word),
            b if b.is_ascii_graphic() && word.len() < 8 => word.push(b.into()),
            _ => return Err(NoPicture::Never),
        }
    }
}
