//! The zip format, written in one pass: sizes and checksums follow each file's content, the directory comes last.
//!
//! The directory of all entries must be kept until then. It is kept compressed, at some 15 bytes an entry, so that a
//! million files stay within the memory of a few photographs.

use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use proto::api::files::Kind;

use super::Format;
use crate::files::{FilesError, entry, kind};
use crate::share::Stat;

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
/// Size and checksum follow the content.
const DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Made by a Unix, to the version of the format that knows Zip64.
const MADE_BY: u16 = (3 << 8) | 45;
/// From this size on a file's sizes are written in 64 bits. Under 4 GiB, as deflate can grow a little.
const LARGE: u64 = 0xFFF0_0000;
/// The directory is compressed in blocks of this size.
const BLOCK: usize = 256 << 10;

/// A zip on its way.
#[derive(Default)]
pub(super) struct Zip {
    /// Bytes of the archive before the present call's `out`.
    offset: u64,
    present: Option<Entry>,
    deflate: Option<Compress>,
    directory: Directory,
}

/// A file on its way.
struct Entry {
    name: Vec<u8>,
    stat: Stat,
    offset: u64,
    method: u16,
    folder: bool,
    checksum: crc32fast::Hasher,
    packed: u64,
}

impl Entry {
    fn is_large(&self) -> bool {
        self.stat.size >= LARGE && !self.folder
    }

    const fn flags(&self) -> u16 {
        if self.folder { UTF8 } else { UTF8 | DESCRIPTOR }
    }

    fn version(&self) -> u16 {
        if self.is_large() { 45 } else { 20 }
    }

    fn size(&self) -> u64 {
        if self.folder { 0 } else { self.stat.size }
    }
}

impl Zip {
    fn push_local_header(&mut self, out: &mut Vec<u8>, entry: Entry) {
        let begin = out.len();
        let extra = [timestamp(&entry.stat), zip64(if entry.is_large() { &[0, 0] } else { &[] })].concat();
        let (time, date) = dos_time(&entry.stat);
        put32(out, 0x0403_4b50);
        [entry.version(), entry.flags(), entry.method, time, date]
            .into_iter()
            .for_each(|field| put16(out, field));
        out.extend_from_slice(&[0; 12]);
        put16(out, short(entry.name.len()));
        put16(out, short(extra.len()));
        out.extend_from_slice(&entry.name);
        out.extend_from_slice(&extra);
        self.offset += (out.len() - begin) as u64;
        self.present = Some(entry);
    }

    fn deflate(&mut self, out: &mut Vec<u8>, mut content: &[u8], end: bool) -> Result<(), FilesError> {
        let deflate = self.deflate.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        let flush = if end { FlushCompress::Finish } else { FlushCompress::None };
        loop {
            out.reserve(16 << 10);
            let before = deflate.total_in();
            let status = deflate.compress_vec(content, out, flush).map_err(std::io::Error::from)?;
            content = &content[usize::try_from(deflate.total_in() - before).unwrap_or(0)..];
            if status == Status::StreamEnd {
                deflate.reset();
                return Ok(());
            }
            if content.is_empty() && !end {
                return Ok(());
            }
        }
    }

    fn pack(&mut self, out: &mut Vec<u8>, content: &[u8], end: bool) -> Result<(), FilesError> {
        let begin = out.len();
        match &mut self.present {
            Some(entry) if entry.method == STORED => {
                entry.checksum.update(content);
                out.extend_from_slice(content);
            }
            Some(entry) => {
                entry.checksum.update(content);
                self.deflate(out, content, end)?;
            }
            None => {}
        }
        let packed = (out.len() - begin) as u64;
        self.offset += packed;
        if let Some(entry) = &mut self.present {
            entry.packed += packed;
        }
        Ok(())
    }
}

impl Format for Zip {
    fn folder(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat) {
        let mut name = name.to_vec();
        name.push(b'/');
        self.push_local_header(out, new_entry(name, stat, self.offset, true));
        if let Some(entry) = self.present.take() {
            self.directory.push(&entry, 0);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat) {
        self.push_local_header(out, new_entry(name.to_vec(), stat, self.offset, false));
    }

    fn content(&mut self, out: &mut Vec<u8>, content: &[u8]) -> Result<(), FilesError> {
        self.pack(out, content, false)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), FilesError> {
        self.pack(out, &[], true)?;
        let Some(entry) = self.present.take() else { return Ok(()) };
        let (begin, checksum) = (out.len(), entry.checksum.clone().finalize());
        put32(out, 0x0807_4b50);
        put32(out, checksum);
        for size in [entry.packed, entry.size()] {
            if entry.is_large() { put64(out, size) } else { put32(out, low(size)) }
        }
        self.offset += (out.len() - begin) as u64;
        self.directory.push(&entry, checksum);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<bool, FilesError> {
        if self.directory.pop_block(out)? {
            return Ok(true);
        }
        self.directory.push_end(out, self.offset);
        Ok(false)
    }
}

fn new_entry(name: Vec<u8>, stat: &Stat, offset: u64, folder: bool) -> Entry {
    let method = if folder || is_packed(&name) { STORED } else { DEFLATED };
    Entry { name, stat: *stat, offset, method, folder, checksum: crc32fast::Hasher::new(), packed: 0 }
}

/// True for kinds of files that deflate cannot make much smaller.
fn is_packed(name: &[u8]) -> bool {
    let ending: Vec<_> = name.rsplit(|b| *b == b'.').next().unwrap_or_default().to_ascii_lowercase();
    match kind::of_name(name) {
        Kind::Image => !matches!(&ending[..], b"bmp" | b"svg" | b"tif" | b"tiff" | b"ico" | b"psd"),
        Kind::Audio => !matches!(&ending[..], b"wav" | b"aif" | b"aiff" | b"mid" | b"midi"),
        Kind::Archive => !matches!(&ending[..], b"tar" | b"iso" | b"img"),
        Kind::Document => {
            matches!(&ending[..], b"pdf" | b"docx" | b"xlsx" | b"pptx" | b"odt" | b"ods" | b"odp" | b"epub")
        }
        Kind::Video => true,
        Kind::Folder | Kind::Code | Kind::Text | Kind::Other => false,
    }
}

/// The directory at the end of the archive.
#[derive(Default)]
struct Directory {
    /// Finished blocks, deflated.
    blocks: std::collections::VecDeque<Vec<u8>>,
    block: Vec<u8>,
    entries: u64,
    bytes: u64,
}

impl Directory {
    fn push(&mut self, entry: &Entry, checksum: u32) {
        let far = entry.offset >= u64::from(u32::MAX);
        let mut long = if entry.is_large() { vec![entry.size(), entry.packed] } else { Vec::new() };
        long.extend(far.then_some(entry.offset));
        let extra = [timestamp(&entry.stat), zip64(&long)].concat();
        let (time, date) = dos_time(&entry.stat);
        let version = if far { 45 } else { entry.version() };
        let attributes: u32 = if entry.folder { (0o40_755 << 16) | 0x10 } else { 0o100_644 << 16 };
        let (begin, out) = (self.block.len(), &mut self.block);
        put32(out, 0x0201_4b50);
        [MADE_BY, version, entry.flags(), entry.method, time, date]
            .into_iter()
            .for_each(|field| put16(out, field));
        put32(out, checksum);
        put32(out, if entry.is_large() { u32::MAX } else { low(entry.packed) });
        put32(out, if entry.is_large() { u32::MAX } else { low(entry.size()) });
        [short(entry.name.len()), short(extra.len()), 0, 0, 0]
            .into_iter()
            .for_each(|field| put16(out, field));
        put32(out, attributes);
        put32(out, low(entry.offset));
        out.extend_from_slice(&entry.name);
        out.extend_from_slice(&extra);
        self.bytes += (out.len() - begin) as u64;
        self.entries += 1;
        if self.block.len() >= BLOCK {
            self.pack_block();
        }
    }

    fn pack_block(&mut self) {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        // Writing to a Vec cannot fail.
        let _ = packed.write_all(&self.block);
        let mut packed = packed.finish().unwrap_or_default();
        packed.shrink_to_fit();
        self.blocks.push_back(packed);
        self.block.clear();
    }

    /// Writes the next block; false if there is none.
    fn pop_block(&mut self, out: &mut Vec<u8>) -> Result<bool, FilesError> {
        if let Some(packed) = self.blocks.pop_front() {
            DeflateDecoder::new(&packed[..]).read_to_end(out)?;
            return Ok(true);
        }
        out.append(&mut self.block);
        Ok(false)
    }

    /// Writes where the directory is. `offset` is where it began.
    fn push_end(&self, out: &mut Vec<u8>, offset: u64) {
        let large = self.entries >= 0xFFFF || offset + self.bytes >= u64::from(u32::MAX);
        if large {
            put32(out, 0x0606_4b50);
            put64(out, 44);
            put16(out, MADE_BY);
            put16(out, 45);
            put64(out, 0);
            [self.entries, self.entries, self.bytes, offset].into_iter().for_each(|field| put64(out, field));
            put32(out, 0x0706_4b50);
            put32(out, 0);
            put64(out, offset + self.bytes);
            put32(out, 1);
        }
        put32(out, 0x0605_4b50);
        put32(out, 0);
        put16(out, short_count(self.entries));
        put16(out, short_count(self.entries));
        put32(out, low(self.bytes));
        put32(out, low(offset));
        put16(out, 0);
    }
}

/// The "extended timestamp": seconds since 1970, where the plain one has local time in steps of two seconds.
fn timestamp(stat: &Stat) -> Vec<u8> {
    let mut extra = Vec::new();
    if let Ok(seconds) = i32::try_from(stat.mtime_ns.div_euclid(1_000_000_000)) {
        [0x5455, 5].into_iter().for_each(|field| put16(&mut extra, field));
        extra.push(1);
        put32(&mut extra, seconds.cast_unsigned());
    }
    extra
}

fn zip64(fields: &[u64]) -> Vec<u8> {
    let mut extra = Vec::new();
    if !fields.is_empty() {
        put16(&mut extra, 1);
        put16(&mut extra, short(fields.len() * 8));
        fields.iter().for_each(|field| put64(&mut extra, *field));
    }
    extra
}

/// Time and date as DOS wrote them, from 1980 to 2107.
fn dos_time(stat: &Stat) -> (u16, u16) {
    let Some(at) = entry::modified(stat) else { return (0, 0x21) };
    let Some(year) = u16::try_from(at.year()).ok().and_then(|year| year.checked_sub(1980)) else {
        return (0, 0x21);
    };
    let time = (u16::from(at.hour()) << 11) | (u16::from(at.minute()) << 5) | (u16::from(at.second()) / 2);
    let date = (year.min(127) << 9) | (u16::from(u8::from(at.month())) << 5) | u16::from(at.day());
    (time, date)
}

/// The number, or the mark that it stands in a Zip64 field.
fn low(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

fn short_count(count: u64) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}
