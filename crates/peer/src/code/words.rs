//! The code as people say it: a number and words that are hard to take for one another, `5-hamburger-endorse`.

use std::fmt;
use std::str::FromStr;

/// The PGP word list: for each byte a word of two syllables and one of three, which take turns.
const LIST: &str = include_str!("words.txt");
/// How many words a code of ours has: 65,536 codes for one guess.
const WORDS: usize = 2;
/// The longest code that is read.
const MAX_BYTES: usize = 128;

/// A code. Whoever has it has what it stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    nameplate: String,
    words: String,
}

/// That is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code is a number and some words, as in 5-hamburger-endorse")]
pub struct BadCode;

impl Code {
    /// This nameplate with words that nobody can guess.
    ///
    /// # Errors
    /// The system gave no random numbers.
    pub fn random(nameplate: String) -> std::io::Result<Self> {
        let mut bytes = [0; WORDS];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let words = bytes.iter().enumerate().map(|(at, byte)| word(*byte, at));
        Ok(Self { nameplate, words: words.collect::<Vec<_>>().join("-") })
    }

    /// The number: where the two meet. Not a secret.
    #[must_use]
    pub fn nameplate(&self) -> &str {
        &self.nameplate
    }
}

/// As it is read out.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.nameplate, self.words)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-[redacted])", self.nameplate)
    }
}

/// As people type it: with spaces, in capitals.
impl FromStr for Code {
    type Err = BadCode;

    fn from_str(typed: &str) -> Result<Self, BadCode> {
        if typed.len() > MAX_BYTES {
            return Err(BadCode);
        }
        let lower = typed.to_lowercase();
        let mut parts = lower.split(|c: char| c == '-' || c.is_whitespace()).filter(|part| !part.is_empty());
        let nameplate = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let words: Vec<&str> = parts.collect();
        match nameplate {
            Some(nameplate) if !words.is_empty() => {
                Ok(Self { nameplate: nameplate.into(), words: words.join("-") })
            }
            _ => Err(BadCode),
        }
    }
}

/// The first word of a code that no code of ours has, and all that may stand in its place.
#[must_use]
pub fn unknown_word(code: &Code) -> Option<(&str, impl Iterator<Item = &'static str> + use<>)> {
    let mut words = code.words.split('-').enumerate();
    let (at, unknown) = words.find(|(at, word)| !column(*at).any(|known| known == *word))?;
    Some((unknown, column(at)))
}

fn word(byte: u8, at: usize) -> &'static str {
    column(at).nth(usize::from(byte)).unwrap_or_default()
}

/// The words that stand at this place of a code: the long ones first.
fn column(at: usize) -> impl Iterator<Item = &'static str> + use<> {
    let take = (at + 1) % 2;
    LIST.lines().filter_map(move |line| line.split(' ').nth(take))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in ["5-hamburger-endorse", " 5 Hamburger  endorse ", "5-HAMBURGER-ENDORSE\n"] {
            assert_eq!(typed.parse::<Code>().unwrap().to_string(), "5-hamburger-endorse", "{typed:?}");
        }
        for typed in ["", "5", "hamburger-endorse", "x-hamburger", "5-", &"5-a".repeat(99)] {
            assert_eq!(typed.parse::<Code>(), Err(BadCode), "{typed:?}");
        }
        assert!(!format!("{:?}", "5-hamburger-endorse".parse::<Code>().unwrap()).contains("burger"));
    }

    #[test]
    fn every_word_of_a_random_code_is_known_in_its_place_and_in_no_other() {
        assert_eq!(LIST.lines().count(), 256);
        for _ in 0..100 {
            let code = Code::random("7".into()).unwrap();
            assert!(unknown_word(&code).is_none(), "{code}");
            assert_eq!(code.to_string().parse::<Code>().unwrap(), code);
        }
        let swapped = "5-endorse-hamburger".parse::<Code>().unwrap();
        let (unknown, mut instead) = unknown_word(&swapped).unwrap();
        assert_eq!(unknown, "endorse");
        assert!(instead.any(|word| word == "hamburger"));
    }

    #[test]
    fn all_words_are_different() {
        let all: std::collections::HashSet<&str> = column(0).chain(column(1)).collect();
        assert_eq!(all.len(), 512);
    }
}
