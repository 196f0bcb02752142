//! One file of several uploads that came beside each other.

use std::sync::Arc;

use proto::{PrincipalId, UploadId};

use super::home::Home;
use super::info::{End, Info, Purpose, Target};
use super::{Stage, Upload, UploadError};
use crate::agent::Share;
use crate::crash;
use crate::files::write::WriteError;
use crate::share::write::sync_file;

/// What is put together, and what for.
pub struct Join {
    /// Who sent them.
    pub by: PrincipalId,
    /// Where the file shall be.
    pub target: Target,
    /// In this order.
    pub pieces: Vec<UploadId>,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
}

impl Join {
    /// Puts the pieces together, durably; they are over then. Asked again, the answer is the same.
    ///
    /// # Errors
    /// [`UploadError::PieceMissing`], no room on the disk, or the disk's.
    pub fn run(self, share: &Share) -> Result<Arc<Upload>, UploadError> {
        let found = self.pieces.iter().map(|id| share.uploads.find(share, *id, self.by));
        let pieces: Vec<_> = found.collect::<Result<_, _>>()?;
        let joined = match share.uploads.joined_of(share, &self.pieces, self.by)? {
            Some(joined) => joined,
            None => self.join(share, &pieces)?,
        };
        for piece in pieces.iter().filter(|piece| piece.known().stage == Stage::Open) {
            piece.end(&Home::open(&share.store, piece.id)?, End::Joined(joined.id))?;
        }
        Ok(joined)
    }

    fn join(self, share: &Share, pieces: &[Arc<Upload>]) -> Result<Arc<Upload>, UploadError> {
        let length = pieces.iter().try_fold(0, |length: u64, piece| Some(length + whole_piece(piece)?));
        let length = length.ok_or(UploadError::PieceMissing)?;
        let purpose = Purpose::Joined(self.target, self.pieces);
        let info = Info::new(self.by, Some(length), purpose, self.metadata);
        let joined = share.uploads.begin(share, info)?;
        if let Err(error) = copy(share, pieces, &joined) {
            share.uploads.give_up(share, &joined)?;
            return Err(error.into());
        }
        Ok(joined)
    }
}

fn whole_piece(piece: &Upload) -> Option<u64> {
    let known = piece.known();
    (known.is_whole() && matches!(known.info.purpose, Purpose::Piece)).then_some(known.offset)
}

fn copy(share: &Share, pieces: &[Arc<Upload>], joined: &Upload) -> Result<(), WriteError> {
    let data = Home::open(&share.store, joined.id)?.data().open_to_write()?;
    let mut end = 0;
    for piece in pieces {
        let from = Home::open(&share.store, piece.id)?.data().open()?;
        crash::step("copy")?;
        end += std::io::copy(&mut &from.file, &mut &data)?;
    }
    sync_file(&data)?;
    joined.reached(end);
    Ok(())
}
