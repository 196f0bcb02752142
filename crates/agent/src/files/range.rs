//! The `Range` of a request: which bytes of a file are asked for (RFC 9110, section 14). Pure: text in, spans out.

use std::ops::Range;

/// More ranges than this in one request are a mistake or an attack; the whole file is sent then.
pub const MAX_RANGES: usize = 16;

/// Which bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them: nothing was asked for, or nothing that can be understood.
    Whole,
    /// These, none empty and no two overlapping; several are sent as `multipart/byteranges`.
    Spans(Vec<Range<u64>>),
    /// None of the ranges is in the file.
    Nothing,
}

/// Reads the value of a `Range` header for a file of `size` bytes.
#[must_use]
pub fn parse(header: &str, size: u64) -> Wanted {
    let Some((unit, list)) = header.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || list.split(',').nth(MAX_RANGES).is_some() {
        return Wanted::Whole;
    }
    let mut spans = Vec::new();
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match span(text, size) {
            Some(span) if span.is_empty() => {}
            Some(span) => spans.push(span),
            None => return Wanted::Whole,
        }
    }
    if list.trim_matches([' ', '\t', ',']).is_empty() {
        return Wanted::Whole;
    }
    merge(&mut spans);
    if spans.is_empty() { Wanted::Nothing } else { Wanted::Spans(spans) }
}

/// One range; empty if it is not in the file, `None` if it is no range.
fn span(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", suffix) => Some(size.saturating_sub(number(suffix)?)..size),
        (first, "") => Some(number(first)?.min(size)..size),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            let end = last.saturating_add(1).min(size);
            (first <= last).then(|| first.min(end)..end)
        }
    }
}

/// Digits only. A number too large for 64 bits is beyond every file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Ranges that overlap become one; those that do not stay in the order asked for.
fn merge(spans: &mut Vec<Range<u64>>) {
    let mut sorted = spans.clone();
    sorted.sort_by_key(|span| span.start);
    if sorted.windows(2).all(|pair| pair[0].end <= pair[1].start) {
        return;
    }
    spans.clear();
    for span in sorted {
        match spans.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => spans.push(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn ranges_read_as_the_standard_says() {
        let spans = |list: &[Range<u64>]| Wanted::Spans(list.to_vec());
        for (header, wanted) in [
            ("bytes=0-9", spans(&[0..10])),
            ("bytes=90-", spans(&[90..100])),
            ("bytes=90-500", spans(&[90..100])),
            ("bytes=-5", spans(&[95..100])),
            ("bytes=-500", spans(&[0..100])),
            ("BYTES = 1 - 2 ", spans(&[1..3])),
            ("bytes=50-59,0-9", spans(&[50..60, 0..10])),
            ("bytes=0-9, ,20-29", spans(&[0..10, 20..30])),
            ("bytes=50-69,0-9,60-79", spans(&[0..10, 50..80])),
            ("bytes=0-0,500-600", spans(&[0..1])),
            ("bytes=99-99999999999999999999999", spans(&[99..100])),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=9-0", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=,", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1", Wanted::Whole),
            ("bytes=0-1,x", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("0-1", Wanted::Whole),
        ] {
            assert_eq!(parse(header, 100), wanted, "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), Wanted::Nothing);
        let many = |n| format!("bytes={}", vec!["0-0"; n].join(","));
        assert_eq!(parse(&many(MAX_RANGES), 100), spans(&[0..1]));
        assert_eq!(parse(&many(MAX_RANGES + 1), 100), Wanted::Whole);
        assert_eq!(parse(&many(100_000), 100), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn spans_are_in_the_file_and_apart(header in "bytes=[-0-9, ]{0,40}", size in 0u64..200) {
            if let Wanted::Spans(spans) = parse(&header, size) {
                let mut seen = vec![false; usize::try_from(size).unwrap()];
                for span in &spans {
                    prop_assert!(!span.is_empty() && span.end <= size);
                    for at in span.clone() {
                        let at = usize::try_from(at).unwrap();
                        prop_assert!(!seen[at]);
                        seen[at] = true;
                    }
                }
            }
        }
    }
}
