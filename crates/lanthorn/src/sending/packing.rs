//! A tar of files of this machine as what a request carries: files are read by a few threads while it is sent. In which order
//! they come does not matter to who unpacks it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agent::files::archive::tar;
use anyhow::Result;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use proto::api::writing::ActItem;
use proto::{ApiError, ErrorCode, RelPath};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Local, Sent, tree};
use crate::client::Outgoing;
use crate::fetch::Counts;

/// How many files are read at once.
const READERS: usize = 2;
/// About so much is sent at a time …
const CHUNK: usize = 128 << 10;
/// … and so many of these are read ahead.
const AHEAD: usize = 8;

/// What is to be packed.
pub struct Pack(Arc<Content>);

struct Content {
    all: Vec<Local>,
    /// The bytes of each path that are not in the archive: those of the folder it is unpacked into.
    above: usize,
    counts: Arc<Counts>,
}

/// Files that are being packed.
pub struct Packing(Vec<JoinHandle<Vec<ActItem>>>);

impl Pack {
    /// These, as they are called in a folder.
    pub fn of(all: Vec<Local>, base: &RelPath, counts: Arc<Counts>) -> Self {
        let above = if base.is_root() { 0 } else { base.as_bytes().len() + 1 };
        Self(Arc::new(Content { all, above, counts }))
    }

    /// Begins to pack, from the start.
    pub fn begin(&self) -> (Packing, Outgoing) {
        let (send, mut packed) = mpsc::channel(AHEAD);
        let turn = Arc::new(Turn { next: AtomicUsize::new(0), reading: AtomicUsize::new(READERS) });
        let reader = || {
            let (content, turn, send) = (Arc::clone(&self.0), Arc::clone(&turn), send.clone());
            tokio::task::spawn_blocking(move || Reader { content, turn, send }.run())
        };
        let readers = (0..READERS).map(|_| reader()).collect();
        let frames = stream::poll_fn(move |cx| {
            packed.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok::<_, io::Error>(Frame::data(chunk))))
        });
        (Packing(readers), StreamBody::new(frames).boxed_unsync())
    }
}

impl Packing {
    /// What could not be read, once all was packed.
    pub async fn unread(self) -> Result<Vec<ActItem>> {
        let mut unread = Vec::new();
        for reader in self.0 {
            unread.extend(reader.await?);
        }
        Ok(unread)
    }
}

/// Whose turn it is among the readers.
struct Turn {
    next: AtomicUsize,
    /// Readers that have not come to the end.
    reading: AtomicUsize,
}

struct Reader {
    content: Arc<Content>,
    turn: Arc<Turn>,
    send: mpsc::Sender<Bytes>,
}

impl Reader {
    /// Packs one after the other, until all are packed or nobody wants them. What could not be read.
    fn run(self) -> Vec<ActItem> {
        let (mut out, mut unread) = (Vec::new(), Vec::new());
        while let Some(one) = self.content.all.get(self.turn.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = self.content.push(&mut out, one) {
                unread.extend(refused(one, &error));
            }
            if out.len() >= CHUNK && !self.pass_on(&mut out) {
                return unread;
            }
        }
        self.pass_on(&mut out);
        // All others have passed on what they had.
        if self.turn.reading.fetch_sub(1, Ordering::AcqRel) == 1 {
            tar::push_end(&mut out);
            self.pass_on(&mut out);
        }
        unread
    }

    /// False once nobody wants more.
    fn pass_on(&self, out: &mut Vec<u8>) -> bool {
        let chunk = std::mem::replace(out, Vec::with_capacity(CHUNK + CHUNK / 8));
        self.send.blocking_send(chunk.into()).is_ok()
    }
}

impl Content {
    /// Appends one of them; nothing, if it cannot be read.
    fn push(&self, out: &mut Vec<u8>, one: &Local) -> io::Result<()> {
        let name = &one.to.as_bytes()[self.above..];
        if one.is_folder {
            tar::push_folder(out, name, one.mtime_ns);
            return Ok(());
        }
        let begin = out.len();
        let pushed = push_file(out, name, &File::open(&one.path)?);
        match &pushed {
            Ok(bytes) => self.counts.advance(*bytes),
            Err(_) => out.truncate(begin),
        }
        pushed.map(drop)
    }
}

/// Appends a file as long as it is now.
fn push_file(out: &mut Vec<u8>, name: &[u8], file: &File) -> io::Result<u64> {
    let found = file.metadata()?;
    tar::push_file(out, name, tree::changed(&found), found.len());
    out.reserve(usize::try_from(found.len()).map_err(io::Error::other)?);
    let read = file.take(found.len()).read_to_end(out)? as u64;
    if read < found.len() {
        return Err(io::Error::other("it became shorter meanwhile"));
    }
    tar::push_padding(out, read);
    Ok(read)
}

fn refused(one: &Local, error: &io::Error) -> Vec<ActItem> {
    let message = format!("{} cannot be read: {error}.", one.path.display());
    let error = ApiError::new(ErrorCode::ReadFailed, message, "Look at its permissions.");
    Sent::failed(one.to.clone(), error).items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Progress;

    /// Files of so many bytes each in a folder, and one that is gone.
    fn pack(folder: &std::path::Path, sizes: &[usize]) -> Pack {
        let mut all = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let path = folder.join(number.to_string());
            std::fs::write(&path, vec![b'x'; *size]).unwrap();
            all.push(Local::look(&path, format!("into/deep/{number}").parse().unwrap()).unwrap());
        }
        all.push(Local { path: folder.join("gone"), to: "into/gone".parse().unwrap(), ..all[0].clone() });
        Pack::of(all, &"into".parse().unwrap(), Progress::silent().counts())
    }

    #[tokio::test]
    async fn all_comes_whole_but_what_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let sizes = [0, 1, 512, 513, 2 * CHUNK, 4096, 4096, CHUNK / 2, CHUNK / 2, CHUNK / 2];
        let (packing, body) = pack(folder.path(), &sizes).begin();
        let packed = body.collect().await.unwrap().to_bytes();
        let unread: Vec<_> =
            packing.unread().await.unwrap().iter().map(|item| item.from.to_string()).collect();
        assert_eq!(unread, ["into/gone"]);
        let files: usize = sizes.iter().map(|size| 512 + size.div_ceil(512) * 512).sum();
        assert_eq!(packed.len(), files + 1024);
        assert!(packed[files..].iter().all(|byte| *byte == 0));
        let names = packed.chunks(512).filter(|block| block[257..].starts_with(b"ustar"));
        assert!(names.clone().all(|block| block.starts_with(b"deep/")), "named from the folder it goes into");
        assert_eq!(names.count(), sizes.len());
    }

    #[tokio::test]
    async fn nothing_more_is_read_when_nobody_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        let (packing, body) = pack(folder.path(), &[CHUNK; 4 * AHEAD]).begin();
        drop(body);
        assert_eq!(packing.unread().await.unwrap().len(), 0, "the last one was never come to");
    }
}
