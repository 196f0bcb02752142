//! Pixels in, a small picture out. Knows no file names and no share.
//!
//! A JPEG is decoded at the scale that is just large enough, which leaves out most of the arithmetic; whatever that
//! decoder does not take (CMYK, damaged ends) and every other kind goes through the general one. Sizes are looked at
//! before anything is allocated, and a decoder that takes too long finds that its input has ended.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use fast_image_resize as fir;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageReader, Limits};

use super::source::Image;
use super::{Encoded, Format, NoPicture};

/// Larger pictures are not decoded.
const MAX_PIXELS: u64 = 100_000_000;
/// The most memory one picture may take.
const MAX_BYTES: u64 = 512 << 20;
/// Larger files are not read: no picture of [`MAX_PIXELS`] needs more.
const MAX_FILE: u64 = 1 << 30;
/// How long a picture may take.
const MAX_TIME: Duration = Duration::from_secs(10);
/// How much is read at once. Small, since the clock is looked at once per read.
const BUFFER: usize = 16 << 10;
const JPEG_QUALITY: u8 = 80;
/// Colour profiles up to this size go with the picture: that of a telephone's camera has 500 bytes.
const MAX_PROFILE: usize = 4096;

/// A picture in small, not yet coded.
pub(super) struct Small {
    picture: DynamicImage,
    profile: Option<Vec<u8>>,
}

/// About how many bytes decoding takes, with the file and what it really is.
pub(super) async fn cost(mut file: File, kind: Image) -> Result<(File, Image, u64), NoPicture> {
    tokio::task::spawn_blocking(move || {
        let kind = seen(&file, kind)?;
        let bytes = match kind {
            Image::Jpeg => jpeg_cost(&file)?,
            Image::Other(format) => decoder(&file, format)?.total_bytes() * 2,
        };
        file.rewind().map_err(|_| NoPicture::NotNow)?;
        Ok((file, kind, bytes))
    })
    .await
    .unwrap_or(Err(NoPicture::Never))
}

/// Programs save WebP and PNG under names that end in `.jpg`, and the other way round: the first bytes decide.
fn seen(mut file: &File, named: Image) -> Result<Image, NoPicture> {
    let mut head = Vec::new();
    file.take(2).read_to_end(&mut head).map_err(|_| NoPicture::NotNow)?;
    file.rewind().map_err(|_| NoPicture::NotNow)?;
    Ok(match (head == [0xff, 0xd8], named) {
        (true, _) => Image::Jpeg,
        (false, Image::Jpeg) => Image::Other(image::ImageFormat::Jpeg),
        (false, other) => other,
    })
}

fn jpeg_cost(file: &File) -> Result<u64, NoPicture> {
    let mut decoder = jpeg_decoder::Decoder::new(Patient::new(file));
    decoder.read_info().map_err(never)?;
    let info = decoder.info().ok_or(NoPicture::Never)?;
    let pixels = check_size(info.width.into(), info.height.into())?;
    // Every coefficient in 16 bits when it comes in several passes; only the small picture otherwise.
    Ok(if info.coding_process == jpeg_decoder::CodingProcess::DctProgressive {
        pixels * 6
    } else {
        pixels / 4
    })
}

fn never<E: std::fmt::Display>(error: E) -> NoPicture {
    tracing::debug!(%error, "no picture");
    NoPicture::Never
}

/// The picture, with its longer edge at most `edge` pixels.
pub(super) fn draw(file: File, kind: Image, edge: u32) -> Result<Encoded, NoPicture> {
    let small = match kind {
        Image::Jpeg => match jpeg(&file, edge)? {
            Some(small) => small,
            None => {
                (&file).rewind().map_err(|_| NoPicture::NotNow)?;
                other(&file, image::ImageFormat::Jpeg, edge)?
            }
        },
        Image::Other(format) => other(&file, format, edge)?,
    };
    small.encode()
}

fn check_size(width: u32, height: u32) -> Result<u64, NoPicture> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS { Err(NoPicture::Never) } else { Ok(pixels) }
}

/// A JPEG by way of the decoder that scales; `None` if it is not one that decoder takes.
fn jpeg(file: &File, edge: u32) -> Result<Option<Small>, NoPicture> {
    let mut decoder = jpeg_decoder::Decoder::new(Patient::new(file));
    decoder.set_max_decoding_buffer_size(MAX_BYTES as usize);
    decoder.read_info().map_err(never)?;
    let info = decoder.info().ok_or(NoPicture::Never)?;
    check_size(info.width.into(), info.height.into())?;
    let wanted = fit(info.width.into(), info.height.into(), edge);
    let exif = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    let scaled = decoder.scale(clamp16(wanted.0), clamp16(wanted.1));
    let (Ok((width, height)), Ok(pixels)) = (scaled, decoder.decode()) else { return Ok(None) };
    let (width, height) = (u32::from(width), u32::from(height));
    let picture = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => image::GrayImage::from_raw(width, height, pixels).map(Into::into),
        jpeg_decoder::PixelFormat::RGB24 => image::RgbImage::from_raw(width, height, pixels).map(Into::into),
        _ => None,
    };
    let Some(picture) = picture else { return Ok(None) };
    let profile = decoder.icc_profile();
    Small::of(picture, wanted, exif.unwrap_or(Orientation::NoTransforms), profile).map(Some)
}

fn clamp16(edge: u32) -> u16 {
    u16::try_from(edge).unwrap_or(u16::MAX)
}

fn decoder(file: &File, format: image::ImageFormat) -> Result<impl ImageDecoder + '_, NoPicture> {
    let mut reader = ImageReader::with_format(Patient::new(file), format);
    // The ending of a name says little: a PNG that is called .bmp is still one.
    if let Ok(guessed) = ImageReader::new(Patient::new(file)).with_guessed_format()
        && let Some(format) = guessed.format()
    {
        reader.set_format(format);
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut source = file;
    source.rewind().map_err(|_| NoPicture::NotNow)?;
    let decoder = reader.into_decoder().map_err(never)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    if decoder.total_bytes() > MAX_BYTES { Err(NoPicture::Never) } else { Ok(decoder) }
}

fn other(file: &File, format: image::ImageFormat, edge: u32) -> Result<Small, NoPicture> {
    let mut decoder = decoder(file, format)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let (width, height) = decoder.dimensions();
    let picture = DynamicImage::from_decoder(decoder).map_err(never)?;
    // Every layout that the scaler need not know becomes one that it does.
    let picture: DynamicImage = match picture {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => picture,
        picture if picture.color().has_alpha() => picture.into_rgba8().into(),
        picture => picture.into_rgb8().into(),
    };
    Small::of(picture, fit(width, height, edge), orientation, profile)
}

/// The size with the longer edge at most `edge`, never larger than it is.
pub(super) fn fit(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= edge {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(edge) + u64::from(longer) / 2;
        u32::try_from(side / u64::from(longer)).unwrap_or(edge).max(1)
    };
    (scaled(width), scaled(height))
}

impl Small {
    /// `picture` (grey, RGB or RGBA of 8 bits) in the `wanted` size, turned as its camera was held.
    fn of(
        picture: DynamicImage,
        wanted: (u32, u32),
        orientation: Orientation,
        profile: Option<Vec<u8>>,
    ) -> Result<Self, NoPicture> {
        let mut picture = resize(picture, wanted)?;
        picture.apply_orientation(orientation);
        let profile = profile.filter(|profile| profile.len() <= MAX_PROFILE && of_rgb(profile));
        Ok(Self { picture, profile })
    }

    /// Pixels from a program, as rows of RGB.
    pub(super) fn of_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let picture = image::RgbImage::from_raw(width, height, pixels)?.into();
        Some(Self { picture, profile: None })
    }

    /// How much the brightness differs over the picture: the spread between its dark and its light tenth.
    pub(super) fn contrast(&self) -> u8 {
        let mut grey = self.picture.to_luma8().into_raw();
        grey.sort_unstable();
        let tenth = grey.len() / 10;
        match (grey.get(tenth), grey.get(grey.len().saturating_sub(1 + tenth))) {
            (Some(dark), Some(light)) => light.saturating_sub(*dark),
            _ => 0,
        }
    }

    /// The picture as a file: JPEG, or PNG if one can see through it.
    pub(super) fn encode(self) -> Result<Encoded, NoPicture> {
        let clear = match &self.picture {
            DynamicImage::ImageRgba8(picture) => picture.pixels().any(|pixel| pixel.0[3] != u8::MAX),
            _ => false,
        };
        let mut bytes = Vec::new();
        let format = if clear {
            let png = image::codecs::png::PngEncoder::new(&mut bytes);
            write(png, &self.picture, self.profile)?;
            Format::Png
        } else {
            let jpeg = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            let opaque = match self.picture {
                DynamicImage::ImageRgba8(picture) => DynamicImage::from(picture).into_rgb8().into(),
                picture => picture,
            };
            write(jpeg, &opaque, self.profile)?;
            Format::Jpeg
        };
        Ok(Encoded { format, bytes: bytes.into() })
    }
}

fn write(
    mut encoder: impl ImageEncoder,
    picture: &DynamicImage,
    profile: Option<Vec<u8>>,
) -> Result<(), NoPicture> {
    if let Some(profile) = profile.filter(|_| picture.color().has_color()) {
        let _ = encoder.set_icc_profile(profile);
    }
    let (width, height) = (picture.width(), picture.height());
    encoder.write_image(picture.as_bytes(), width, height, picture.color().into()).map_err(never)
}

/// True for a profile of RGB colours: that of a printer's inks does not fit the converted pixels.
fn of_rgb(profile: &[u8]) -> bool {
    profile.get(16..20) == Some(b"RGB ")
}

fn resize(picture: DynamicImage, (width, height): (u32, u32)) -> Result<DynamicImage, NoPicture> {
    if (picture.width(), picture.height()) == (width, height) {
        return Ok(picture);
    }
    let mut small = DynamicImage::new(width, height, picture.color());
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom));
    fir::Resizer::new().resize(&picture, &mut small, &options).map_err(never)?;
    Ok(small)
}

/// A file that ends early for a decoder that takes too long over it.
struct Patient<'a> {
    file: io::Take<&'a File>,
    ends: Instant,
}

impl<'a> Patient<'a> {
    /// Buffered on the outside: decoders ask byte by byte, and only the buffer's own reader makes that cheap.
    fn new(file: &'a File) -> BufReader<Self> {
        let patient = Self { file: file.take(MAX_FILE), ends: Instant::now() + MAX_TIME };
        BufReader::with_capacity(BUFFER, patient)
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.ends {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(buffer)
    }
}

impl Seek for Patient<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
