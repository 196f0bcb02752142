//! Speeds as people type them: `500k`, `10M`, `1.5MiB/s`; bytes per second.

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
        let text = typed.trim().trim_end_matches("/s");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().trim_end_matches('b') {
            "" => 1,
            "k" => 1_000,
            "m" => 1_000_000,
            "g" => 1_000_000_000,
            "ki" => 1 << 10,
            "mi" => 1 << 20,
            "gi" => 1 << 30,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let rate = number * f64::from(factor);
        // Above that, a number is not exact any more, and no network is as fast.
        if rate > 1e15 || (rate > 0.0 && rate < 1.0) {
            return Err(wrong());
        }
        Ok(Self(rate as u64))
    }
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
