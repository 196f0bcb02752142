//! The tar format (POSIX.1-2001, "pax"): a header of 512 bytes before each entry, with a pax header before that where
//! a name, size or time does not fit.

use std::io::Write;

use super::Format;
use crate::files::FilesError;
use crate::share::Stat;

const BLOCK: usize = 512;
/// The largest number in eleven octal digits.
const MAX_OCTAL: u64 = 0o77_777_777_777;

/// A tar on its way.
#[derive(Default)]
pub(super) struct Tar {
    /// Bytes of the present file's content so far.
    written: u64,
}

impl Format for Tar {
    fn folder(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat) {
        push_folder(out, name, stat.mtime_ns);
    }

    fn begin(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat) {
        self.written = 0;
        push_file(out, name, stat.mtime_ns, stat.size);
    }

    fn content(&mut self, out: &mut Vec<u8>, content: &[u8]) -> Result<(), FilesError> {
        self.written += content.len() as u64;
        out.extend_from_slice(content);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), FilesError> {
        push_padding(out, self.written);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<bool, FilesError> {
        push_end(out);
        Ok(false)
    }
}

/// A folder. `name` has no slash at its end.
pub fn push_folder(out: &mut Vec<u8>, name: &[u8], mtime_ns: i64) {
    push_entry(out, &[name, b"/"].concat(), mtime_ns, b'5', 0);
}

/// The head of a file. Its content follows, and [padding](push_padding).
pub fn push_file(out: &mut Vec<u8>, name: &[u8], mtime_ns: i64, size: u64) {
    push_entry(out, name, mtime_ns, b'0', size);
}

/// What stands at the end of an archive.
pub fn push_end(out: &mut Vec<u8>) {
    out.resize(out.len() + 2 * BLOCK, 0);
}

fn push_entry(out: &mut Vec<u8>, name: &[u8], mtime_ns: i64, kind: u8, size: u64) {
    let seconds = u64::try_from(mtime_ns.div_euclid(1_000_000_000)).unwrap_or(0);
    let fits = name.len() <= 100 && name.is_ascii() && size <= MAX_OCTAL && mtime_ns >= 0;
    if !fits {
        let records = pax_records(name, mtime_ns, size);
        push_header(out, b"pax_header", b'x', records.len() as u64, seconds);
        out.extend_from_slice(&records);
        push_padding(out, records.len() as u64);
    }
    push_header(out, name, kind, size, seconds);
}

/// `length key=value\n`, the length counting itself.
fn pax_records(name: &[u8], mtime_ns: i64, size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut push = |key: &str, value: &[u8]| {
        let rest = key.len() + value.len() + 3;
        let digits = |n: usize| n.to_string().len();
        let len = rest + digits(rest + digits(rest));
        let _ = write!(records, "{len} {key}=");
        records.extend_from_slice(value);
        records.push(b'\n');
    };
    if std::str::from_utf8(name).is_err() {
        push("hdrcharset", b"BINARY");
    }
    push("path", name);
    push("mtime", pax_time(mtime_ns).as_bytes());
    if size > MAX_OCTAL {
        push("size", size.to_string().as_bytes());
    }
    records
}

fn pax_time(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let (whole, rest) =
        (nanoseconds.unsigned_abs() / 1_000_000_000, nanoseconds.unsigned_abs() % 1_000_000_000);
    format!("{sign}{whole}.{rest:09}")
}

fn push_header(out: &mut Vec<u8>, name: &[u8], kind: u8, size: u64, mtime: u64) {
    let mut header = [0; BLOCK];
    let short = &name[..name.len().min(100)];
    header[..short.len()].copy_from_slice(short);
    put_octal(&mut header[100..107], if kind == b'5' { 0o755 } else { 0o644 });
    put_octal(&mut header[108..115], 0);
    put_octal(&mut header[116..123], 0);
    put_octal(&mut header[124..135], size.min(MAX_OCTAL));
    put_octal(&mut header[136..147], mtime.min(MAX_OCTAL));
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
    put_octal(&mut header[148..154], sum);
    header[154] = 0;
    out.extend_from_slice(&header);
}

fn put_octal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b"01234567"[(number % 8) as usize];
        number /= 8;
    }
}

/// Fills up what a file of this many bytes leaves of its last block.
pub fn push_padding(out: &mut Vec<u8>, written: u64) {
    let over = (written % BLOCK as u64) as usize;
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}
