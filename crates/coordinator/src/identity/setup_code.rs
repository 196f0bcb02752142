//! The one-time code on the terminal, with which the first run can be done from another machine.
//! Without it the first stranger on the network could become the owner.

use std::io;

use parking_lot::Mutex;
use proto::Secret;
use subtle::ConstantTimeEq;

use crate::keyfile;

/// Letters and digits that are not taken for each other (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 10 characters of 5 bits: 50 bits.
const LENGTH: usize = 10;
/// Wrong codes in a row that cost nothing.
const FREE_TRIES: u32 = 5;
/// The longest pause between two tries, in milliseconds.
const MAX_PAUSE_MS: i64 = 60_000;

/// Why a code did not open the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeError {
    /// Not the code, or no code at all.
    Wrong,
    /// Too many wrong ones: wait so many seconds.
    Wait(u64),
}

#[derive(Default)]
struct Tries {
    wrong: u32,
    next_ms: i64,
}

/// The code of this start.
pub(crate) struct SetupCode {
    code: Secret<String>,
    tries: Mutex<Tries>,
}

impl SetupCode {
    pub(crate) fn generate() -> io::Result<Self> {
        let random = keyfile::random()?;
        let code = random[..LENGTH].iter().map(|byte| ALPHABET[usize::from(byte & 31)] as char).collect();
        Ok(Self { code: Secret::new(code), tries: Mutex::default() })
    }

    /// The code as people read and type it: `ABCDE-FGHJK`.
    pub(crate) fn shown(&self) -> String {
        let (first, second) = self.code.expose().split_at(LENGTH / 2);
        format!("{first}-{second}")
    }

    /// Compares a code, however it was typed. The pause is checked and set under one lock, so tries at the same
    /// time gain nothing.
    pub(crate) fn check(&self, typed: &Secret<String>, now_ms: i64) -> Result<(), CodeError> {
        let mut tries = self.tries.lock();
        if now_ms < tries.next_ms {
            let seconds = u64::try_from(tries.next_ms - now_ms).unwrap_or(0).div_ceil(1000);
            return Err(CodeError::Wait(seconds.max(1)));
        }
        let typed = Secret::new(normalise(typed.expose()));
        if typed.expose().as_bytes().ct_eq(self.code.expose().as_bytes()).into() {
            return Ok(());
        }
        tries.wrong = tries.wrong.saturating_add(1);
        let doublings = tries.wrong.saturating_sub(FREE_TRIES).min(6);
        if doublings > 0 {
            tries.next_ms = now_ms + (1000_i64 << doublings).min(MAX_PAUSE_MS);
        }
        Err(CodeError::Wrong)
    }
}

/// Upper case, without separators, and with the letters people type for digits.
fn normalise(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .take(LENGTH + 1)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_code_is_taken_however_it_is_typed() {
        let code = SetupCode::generate().unwrap();
        let shown = code.shown();
        for text in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), shown.replace('0', "o")] {
            assert_eq!(code.check(&typed(&text), 0), Ok(()), "{text}");
        }
        for text in ["", "-", &shown[..10], &format!("{shown}0")] {
            assert_eq!(code.check(&typed(text), 0), Err(CodeError::Wrong), "{text}");
        }
        assert_ne!(SetupCode::generate().unwrap().shown(), shown);
    }

    #[test]
    fn wrong_codes_slow_down_and_even_the_right_one_waits_then() {
        let code = SetupCode::generate().unwrap();
        let right = typed(&code.shown());
        for _ in 0..=FREE_TRIES {
            assert_eq!(code.check(&typed("x"), 0), Err(CodeError::Wrong));
        }
        assert_eq!(code.check(&right, 0), Err(CodeError::Wait(2)));
        assert_eq!(code.check(&right, 2000), Ok(()));
        let mut now = 2000;
        for _ in 0..20 {
            now += MAX_PAUSE_MS;
            assert_eq!(code.check(&typed("x"), now), Err(CodeError::Wrong));
        }
        assert_eq!(code.check(&right, now), Err(CodeError::Wait(60)));
    }
}
