//! Invitations: one secret that lets a guest's browser or a machine in, once. Written as a link, or as words to read out.

use std::io;
use std::sync::Arc;

use proto::id::InviteId;
use proto::{CertificatePin, Secret, base64url, words};

use crate::clock::{Clock, to_ms};
use crate::keyfile;
use crate::store::invites::InviteRow;
use crate::store::{Store, StoreError};

/// How long an invitation that is over is still listed: 30 days.
const REMEMBERED_MS: i64 = 30 * 24 * 3600 * 1000;

/// The secret of an invitation: 128 random bits, of which only the hash is kept.
pub(crate) struct InviteSecret(Secret<[u8; 16]>);

impl InviteSecret {
    fn generate() -> io::Result<Self> {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&keyfile::random()?[..16]);
        Ok(Self(Secret::new(bytes)))
    }

    /// Reads an invitation in any of its forms: the whole link, the secret in it, or its words.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (text, _) = CertificatePin::split(text.rsplit('#').next()?.trim());
        let bytes = base64url::decode_exactly(text).or_else(|| from_words(text))?;
        Some(Self(Secret::new(bytes)))
    }

    /// As it stands in a link.
    pub(crate) fn text(&self) -> String {
        base64url::encode(self.0.expose())
    }

    /// As people read it out.
    pub(crate) fn words(&self) -> String {
        self.0.expose().map(words::word).join(" ")
    }

    /// What is kept. A plain hash is enough for 128 random bits.
    fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.expose()).as_bytes()
    }
}

fn from_words(text: &str) -> Option<[u8; 16]> {
    let typed = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let bytes: Option<Vec<u8>> = typed.take(17).map(words::byte).collect();
    bytes?.try_into().ok()
}

/// The book of invitations.
pub(crate) struct Invites {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Invites {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Writes an invitation; its secret is told here and never again.
    pub(crate) async fn make(
        &self,
        asked: impl FnOnce(i64) -> InviteRow,
    ) -> Result<(InviteRow, InviteSecret), StoreError> {
        let now_ms = to_ms(self.clock.wall());
        self.store.forget_invites(now_ms - REMEMBERED_MS).await?;
        let (row, secret) = (asked(now_ms), InviteSecret::generate()?);
        self.store.insert_invite(&row, &secret.hash()).await?;
        Ok((row, secret))
    }

    /// All that are not over for long, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<InviteRow>, StoreError> {
        let since = to_ms(self.clock.wall()) - REMEMBERED_MS;
        Ok(self.store.invites().await?.into_iter().filter(|row| row.expires_ms >= since).collect())
    }

    /// The invitation with this secret, if it still lets somebody in.
    pub(crate) async fn find(&self, secret: &InviteSecret) -> Result<Option<InviteRow>, StoreError> {
        Ok(self.store.invite(&secret.hash()).await?.filter(|row| self.is_good(row)))
    }

    /// The invitation of this id, if it still lets somebody in.
    pub(crate) async fn by_id(&self, id: InviteId) -> Result<Option<InviteRow>, StoreError> {
        let mut all = self.store.invites().await?.into_iter();
        Ok(all.find(|row| row.id == id).filter(|row| self.is_good(row)))
    }

    fn is_good(&self, row: &InviteRow) -> bool {
        row.used_ms.is_none() && to_ms(self.clock.wall()) < row.expires_ms
    }

    /// Takes an invitation back; false if there is none of that id.
    pub(crate) async fn take_back(&self, id: InviteId) -> Result<bool, StoreError> {
        self.store.delete_invite(id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_reads_back_from_each_of_its_forms() {
        let secret = InviteSecret::generate().unwrap();
        let (text, words) = (secret.text(), secret.words());
        for form in [
            text.clone(),
            format!(" {text}\n"),
            format!("https://attic:7000/invite#{text}"),
            format!("https://attic:7000/invite#{}", CertificatePin::of(b"c").behind(&text)),
            words.clone(),
            words.to_uppercase(),
            words.replace(' ', "-"),
            words.replace(' ', ",  "),
        ] {
            let read = InviteSecret::parse(&form).unwrap();
            assert_eq!(read.hash(), secret.hash(), "{form}");
        }
        let short = words.rsplit_once(' ').unwrap().0;
        for form in ["", "#", &text[1..], &format!("{text}A"), short, &format!("{words} zinc"), "x y z"] {
            assert!(InviteSecret::parse(form).is_none(), "{form}");
        }
        assert_ne!(InviteSecret::generate().unwrap().hash(), secret.hash());
    }
}
