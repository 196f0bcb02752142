//! A stream over QUIC that may be left unread for as long as one likes.
//!
//! Participants: the two ends of one QUIC stream, each sending frames. A frame is a word of four bytes, big-endian:
//! with the top bit clear, that many bytes of data follow, none meaning that no data will follow any more; with it
//! set, the rest of the word is how many more bytes the receiver of the frame may send. Each side begins with
//! [`WINDOW`] bytes to send. A QUIC stream that ends before the data was said to end was cut off; data beyond the
//! credit ends the stream.
//!
//! Why not QUIC's own flow control: the QUIC library ends the whole connection once about two thousand small frames
//! wait unread in one stream. Here a stream is always read, into a buffer that the credit bounds, so that a reader
//! who stalls costs its own stream and that much memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use iroh::endpoint::{RecvStream, SendStream, VarInt};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::inbox::Inbox;

/// How many bytes may be under way to a reader who has not asked for them yet.
const WINDOW: usize = 1 << 20;
/// The other side is told once this much has been read.
const GRANT: usize = WINDOW / 4;
/// What a writer may hand over before it has to wait.
const OUTBOX: usize = 256 * 1024;
/// The longest frame that is sent.
const MAX_FRAME: usize = 64 * 1024;
/// Marks a grant.
const GRANT_BIT: u32 = 1 << 31;
/// Pieces taken from QUIC in one go.
const PIECES: usize = 32;
/// Nobody reads or writes this end any more.
const LET_GO: VarInt = VarInt::from_u32(1);

/// One end of the stream. Dropped before its end was said, it tells the other that it was cut off.
pub(crate) struct Credited {
    shared: Arc<Shared>,
    pump: AbortHandle,
    /// Keeps the connection from being taken for idle.
    _user: Arc<()>,
}

/// What the end and its pump share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to send.
    work: Notify,
    /// Nobody will read any more.
    gone: Notify,
}

#[derive(Default)]
struct State {
    inbox: Inbox,
    /// Read by our side and not granted anew.
    read: usize,
    /// How the other side's data ended.
    read_end: Option<io::ErrorKind>,
    reader: Option<Waker>,
    outbox: BytesMut,
    /// What the other side still takes.
    credit: usize,
    closing: bool,
    /// How our data ended.
    write_end: Option<io::ErrorKind>,
    writer: Option<Waker>,
}

/// Stands for an end in good order.
const ORDERLY: io::ErrorKind = io::ErrorKind::UnexpectedEof;

impl Credited {
    /// Takes over a QUIC stream.
    pub(crate) fn new(send: SendStream, receive: RecvStream, user: Arc<()>) -> Self {
        let state = State { credit: WINDOW, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Notify::new(), gone: Notify::new() });
        let (fetched, sent) = (Arc::clone(&shared), Arc::clone(&shared));
        let pump = tokio::spawn(async move {
            tokio::join!(fetched.fetch_all(receive), sent.send_all(Sending { send, whole: false }));
        });
        Self { shared, pump: pump.abort_handle(), _user: user }
    }
}

impl Drop for Credited {
    fn drop(&mut self) {
        if self.shared.state.lock().write_end != Some(ORDERLY) {
            return self.pump.abort();
        }
        // All that was written goes out; only what is not read any more is cut off.
        self.shared.gone.notify_one();
    }
}

impl AsyncRead for Credited {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.state.lock();
        if state.inbox.len() == 0 {
            match state.read_end {
                None => {
                    state.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Some(ORDERLY) => return Poll::Ready(Ok(())),
                Some(broken) => return Poll::Ready(Err(broken.into())),
            }
        }
        state.read += state.inbox.read(buf);
        if state.read >= GRANT {
            self.shared.work.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Credited {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.shared.state.lock();
        if let Some(end) = state.write_end {
            return Poll::Ready(Err(end.into()));
        }
        let room = OUTBOX.saturating_sub(state.outbox.len()).min(buf.len());
        if room == 0 && !buf.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.outbox.extend_from_slice(&buf[..room]);
        self.shared.work.notify_one();
        Poll::Ready(Ok(room))
    }

    /// What was written leaves by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.shared.state.lock().write_end {
            None | Some(ORDERLY) => Poll::Ready(Ok(())),
            Some(broken) => Poll::Ready(Err(broken.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.state.lock();
        match state.write_end {
            None => {
                state.closing = true;
                state.writer = Some(cx.waker().clone());
                self.shared.work.notify_one();
                Poll::Pending
            }
            Some(ORDERLY) => Poll::Ready(Ok(())),
            Some(broken) => Poll::Ready(Err(broken.into())),
        }
    }
}

/// What the sending half has to do next.
enum Job {
    Grant(u32),
    Data(Bytes),
    End,
    Finish,
}

impl State {
    fn next_job(&mut self) -> Option<Job> {
        if self.read >= GRANT {
            return Some(Job::Grant(std::mem::take(&mut self.read) as u32));
        }
        let len = self.outbox.len().min(self.credit).min(MAX_FRAME);
        if len > 0 {
            self.credit -= len;
            let data = self.outbox.split_to(len).freeze();
            wake(&mut self.writer);
            return Some(Job::Data(data));
        }
        match (self.write_end, self.read_end) {
            (None, _) if self.closing && self.outbox.is_empty() => Some(Job::End),
            // Until then there may be something to grant.
            (Some(_), Some(_)) => Some(Job::Finish),
            _ => None,
        }
    }

    fn end_writing(&mut self, end: io::ErrorKind) {
        self.write_end.get_or_insert(end);
        wake(&mut self.writer);
    }

    fn end_reading(&mut self, end: io::ErrorKind) {
        self.read_end.get_or_insert(end);
        wake(&mut self.reader);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// QUIC's sending half. A stream that was not finished is reset, where QUIC itself would call it finished.
struct Sending {
    send: SendStream,
    whole: bool,
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.whole {
            let _ = self.send.reset(LET_GO);
        }
    }
}

impl Shared {
    async fn send_all(&self, mut sending: Sending) {
        loop {
            let job = self.state.lock().next_job();
            let sent = match job {
                None => {
                    self.work.notified().await;
                    continue;
                }
                Some(Job::Grant(n)) => sending.send.write_all(&(GRANT_BIT | n).to_be_bytes()).await,
                Some(Job::Data(data)) => {
                    let head = Bytes::copy_from_slice(&(data.len() as u32).to_be_bytes());
                    sending.send.write_all_chunks(&mut [head, data]).await
                }
                Some(Job::End) => {
                    let sent = sending.send.write_all(&[0; 4]).await;
                    if sent.is_ok() {
                        self.state.lock().end_writing(ORDERLY);
                    }
                    sent
                }
                Some(Job::Finish) => {
                    sending.whole = sending.send.finish().is_ok();
                    return;
                }
            };
            if sent.is_err() {
                return self.state.lock().end_writing(io::ErrorKind::BrokenPipe);
            }
        }
    }

    async fn fetch_all(&self, mut receive: RecvStream) {
        let cut = tokio::select! {
            cut = self.fetch(&mut receive) => cut,
            () = self.gone.notified() => io::ErrorKind::BrokenPipe,
        };
        self.state.lock().end_reading(cut);
        self.work.notify_one();
    }

    /// Reads to QUIC's end of the stream. Says why it was cut off, if the data had not ended.
    async fn fetch(&self, receive: &mut RecvStream) -> io::ErrorKind {
        let mut frames = Frames::default();
        let mut pieces = [const { Bytes::new() }; PIECES];
        while let Ok(Some(taken)) = receive.read_many_chunks(&mut pieces).await {
            let mut state = self.state.lock();
            for piece in &mut pieces[..taken] {
                frames.take(std::mem::take(piece), &mut state);
            }
            if state.inbox.len() > WINDOW {
                return io::ErrorKind::InvalidData;
            }
            if state.inbox.len() > 0 {
                wake(&mut state.reader);
            }
            drop(state);
            if std::mem::take(&mut frames.work) {
                self.work.notify_one();
            }
        }
        io::ErrorKind::ConnectionReset
    }
}

/// Takes frames apart, wherever they are cut.
#[derive(Default)]
struct Frames {
    head: [u8; 4],
    head_len: usize,
    data_left: usize,
    /// The sending half has something to do.
    work: bool,
}

impl Frames {
    fn take(&mut self, mut piece: Bytes, state: &mut State) {
        while !piece.is_empty() {
            if self.data_left > 0 {
                let data = piece.split_to(piece.len().min(self.data_left));
                self.data_left -= data.len();
                state.inbox.push(data);
                continue;
            }
            let some = piece.len().min(4 - self.head_len);
            piece.copy_to_slice(&mut self.head[self.head_len..][..some]);
            self.head_len += some;
            if self.head_len == 4 {
                self.head_len = 0;
                self.read_head(state);
            }
        }
    }

    fn read_head(&mut self, state: &mut State) {
        let word = u32::from_be_bytes(self.head);
        let n = (word & !GRANT_BIT) as usize;
        if word & GRANT_BIT != 0 {
            state.credit = state.credit.saturating_add(n);
            self.work = true;
        } else if n > 0 {
            self.data_left = n;
        } else {
            state.end_reading(ORDERLY);
            self.work = true;
        }
    }
}
