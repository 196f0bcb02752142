//! Sizes and speeds as people type them: `500k`, `10M`, `1.5MiB`, `2G`; and with `/s`, bytes per second.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

/// Bytes per second; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(u64);

impl Rate {
    /// The limit, if it is one.
    pub fn limit(self) -> Option<u64> {
        Some(self.0).filter(|rate| *rate > 0)
    }
}

impl FromStr for Rate {
    type Err = anyhow::Error;

    fn from_str(typed: &str) -> Result<Self> {
        let wrong = || anyhow!("{typed:?} is no speed; write bytes per second, like 500k, 10M or 1.5MiB/s");
        bytes(typed.trim().trim_end_matches("/s")).map(Self).ok_or_else(wrong)
    }
}

/// So many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u64);

impl Size {
    /// How many.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(typed: &str) -> Result<Self> {
        let wrong = || anyhow!("{typed:?} is no size; write bytes, like 500k, 10M or 1.5GiB");
        bytes(typed.trim()).map(Self).ok_or_else(wrong)
    }
}

/// Bytes, as a number and a unit.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().trim_end_matches('b') {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "ki" => 1024.0,
        "mi" => 1024.0 * 1024.0,
        "gi" => 1024.0 * 1024.0 * 1024.0,
        "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    // Above that, a number is not exact any more.
    let is_sensible = bytes == 0.0 || (1.0..=1e15).contains(&bytes);
    is_sensible.then_some(bytes as u64)
}

impl TryFrom<String> for Rate {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_as_people_type_them() {
        for (typed, rate) in [
            ("1", 1),
            ("0", 0),
            ("500k", 500_000),
            ("500 KB/s", 500_000),
            ("10M", 10_000_000),
            ("1.5MiB/s", 1_572_864),
            ("2gb", 2_000_000_000),
            (" 7b ", 7),
        ] {
            assert_eq!(typed.parse::<Rate>().unwrap(), Rate(rate), "{typed}");
        }
        for typed in ["", "k", "-1", "1x", "1.2.3", "0.5", "1e9", "9999999G", "M10"] {
            let error = typed.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains("10M"), "{typed}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let rate: Rate = "3M".parse().unwrap();
        assert_eq!(serde_json::from_str::<Rate>(&serde_json::to_string(&rate).unwrap()).unwrap(), rate);
    }
}
