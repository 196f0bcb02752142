//! Times and clocks as people speak of them. Reads no clock.

use time::Duration;

use crate::ticket::CLOCK_SKEW;
use crate::{ApiError, ErrorCode};

/// A time as people say it, never shorter than it is.
#[must_use]
pub fn spoken(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..90 => (seconds, "second"),
        90..5400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// What is said of a machine whose clock is so far ahead of the coordinator's, if that is more than tickets allow.
#[must_use]
pub fn skew_notice(ahead: Duration, whose: &str) -> Option<ApiError> {
    let direction = if ahead.is_positive() { "ahead of" } else { "behind" };
    let amount = spoken(ahead.whole_seconds().unsigned_abs());
    (ahead.abs() > CLOCK_SKEW).then(|| {
        ApiError::new(
            ErrorCode::ClockSkew,
            format!(
                "The clock of {whose} is {amount} {direction} the coordinator's; tickets cannot be checked."
            ),
            "Set both clocks by the network (on Linux: timedatectl set-ntp true).",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_put_in_words() {
        for (seconds, words) in [
            (300, Some("Cellar is 5 minutes ahead of the")),
            (-7200, Some("Cellar is 2 hours behind the")),
            (61, Some("61 seconds ahead of")),
            (60, None),
            (-60, None),
            (0, None),
        ] {
            let said = skew_notice(Duration::seconds(seconds), "Cellar").map(|notice| notice.message);
            let fits = match (&said, words) {
                (Some(said), Some(words)) => said.contains(words),
                (said, words) => said.is_none() && words.is_none(),
            };
            assert!(fits, "{seconds}: {said:?}");
        }
    }

    #[test]
    fn times_are_spoken_and_never_too_short() {
        for (seconds, text) in [
            (1, "1 second"),
            (89, "89 seconds"),
            (91, "2 minutes"),
            (900, "15 minutes"),
            (5400, "2 hours"),
            (86_400, "24 hours"),
        ] {
            assert_eq!(spoken(seconds), text);
        }
    }
}
