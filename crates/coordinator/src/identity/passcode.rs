//! The passcode of a transfer: four digits that the receiver tells the sender by another way. So few digits are no secret
//! by themselves: a try is counted before it is looked at, for each sender and machine, whichever transfer it is about.

use proto::api::transfers::PASSCODE_DIGITS;
use proto::{DeviceId, PrincipalId, Secret};

use super::Identity;
use super::lockout::{Source, Wait};
use super::pin::{HashError, Pin};
use crate::store::StoreError;

/// Why a passcode is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasscodeError {
    #[error("not a passcode")]
    Form,
    #[error("wrong passcode")]
    Wrong,
    #[error("too many wrong passcodes")]
    Locked(Wait),
    #[error("too many are looked at already")]
    Busy,
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn parse(passcode: &Secret<String>) -> Result<Pin, PasscodeError> {
    let fits = passcode.expose().len() == PASSCODE_DIGITS;
    Pin::parse(passcode).filter(|_| fits).ok_or(PasscodeError::Form)
}

impl Identity {
    /// What to keep of a passcode.
    pub(crate) async fn hash_passcode(&self, passcode: &Secret<String>) -> Result<String, PasscodeError> {
        let passcode = parse(passcode)?;
        let place = self.pins.take_place().ok_or(PasscodeError::Busy)?;
        Ok(self.pins.hash(place, passcode).await?)
    }

    /// Counts a try of this sender at this machine, then looks at the passcode.
    pub(crate) async fn try_passcode(
        &self,
        (sender, device): (PrincipalId, DeviceId),
        passcode: &Secret<String>,
        hash: &str,
    ) -> Result<(), PasscodeError> {
        let passcode = parse(passcode)?;
        let place = self.pins.take_place().ok_or(PasscodeError::Busy)?;
        let source = Source::Passcode(sender, device);
        let attempt = self.attempts.reserve(source).await?.map_err(PasscodeError::Locked)?;
        if !self.pins.verify(place, passcode, hash).await? {
            return Err(PasscodeError::Wrong);
        }
        Ok(self.attempts.take_back(attempt).await?)
    }
}
