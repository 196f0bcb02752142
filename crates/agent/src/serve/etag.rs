//! Conditions of a change: `If-Match` and `If-None-Match` read into what must be at the place.

use axum::http::{HeaderMap, header};
use proto::api::writing::Clash;

use super::error::Refusal;
use crate::files::write::publish::{Expect, Tag};

/// The prefix of a tag that is the SHA-256 of the content.
const SHA256: &str = "sha256:";

/// What must be at the place, by the headers; and where they say nothing, by `clash`.
///
/// # Errors
/// Conditions that cannot be understood, or both at once.
pub fn expectation(headers: &HeaderMap, clash: Clash) -> Result<Expect, Refusal> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expect::Clash(clash)),
        (Some(tags), None) => Ok(Expect::Match(tags.split(',').map(tag).collect::<Result<_, _>>()?)),
        (None, Some("*")) => Ok(Expect::Absent),
        _ => Err(Refusal::parameter("Use either 'If-Match' with a version, or 'If-None-Match: *'.")),
    }
}

/// One entity tag: `*`, `"version"` or `"sha256:…"`.
///
/// # Errors
/// It is none of them.
pub fn tag(text: &str) -> Result<Tag, Refusal> {
    let text = text.trim();
    if text == "*" {
        return Ok(Tag::Any);
    }
    let inner =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|text| !text.is_empty());
    let inner = inner.ok_or_else(|| {
        Refusal::parameter(
            "'If-Match' takes a strong entity tag in quotes, as 'ETag' gave it, or \"sha256:…\".",
        )
    })?;
    Ok(match inner.strip_prefix(SHA256) {
        Some(hash) => Tag::Sha256(hash.to_ascii_lowercase()),
        None => Tag::Version(inner.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn read(headers: &[(&'static str, &'static str)]) -> Option<Expect> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        expectation(&headers, Clash::Rename).ok()
    }

    #[test]
    fn conditions_are_read() {
        let version = |text: &str| Tag::Version(text.into());
        for (headers, expected) in [
            (&[][..], Some(Expect::Clash(Clash::Rename))),
            (&[("if-match", "*")], Some(Expect::Match(vec![Tag::Any]))),
            (&[("if-match", "\"a-1\", \"b\"")], Some(Expect::Match(vec![version("a-1"), version("b")]))),
            (&[("if-match", "\"sha256:AB\"")], Some(Expect::Match(vec![Tag::Sha256("ab".into())]))),
            (&[("if-none-match", "*")], Some(Expect::Absent)),
            (&[("if-none-match", "\"a\"")], None),
            (&[("if-match", "a")], None),
            (&[("if-match", "W/\"a\"")], None),
            (&[("if-match", "")], None),
            (&[("if-match", "\"\"")], None),
            (&[("if-match", "*"), ("if-none-match", "*")], None),
        ] {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
