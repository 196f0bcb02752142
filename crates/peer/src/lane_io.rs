//! A TCP stream that recognises file windows among the bytes it is given and has the kernel send the file instead.
//! The far end of [`crate::sendfile`]; knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::sendfile::{Lane, Source};

/// A TCP stream with its lane.
pub(crate) struct LaneIo {
    stream: TcpStream,
    lane: Lane,
}

/// A window at the head of what is to be written: of what, and how many bytes.
struct Window {
    source: Source,
    len: usize,
}

impl LaneIo {
    pub(crate) fn new(stream: TcpStream, lane: Lane) -> Self {
        Self { stream, lane }
    }

    /// How many slices of ordinary bytes come first, and the window behind them.
    fn split(&self, slices: &[IoSlice<'_>]) -> io::Result<(usize, Option<Window>)> {
        for (i, slice) in slices.iter().enumerate() {
            if let Some(source) = self.lane.source_of(slice)? {
                return Ok((i, Some(Window { source, len: slice.len() })));
            }
        }
        Ok((slices.len(), None))
    }

    /// Writes the ordinary bytes that come first and, if all of them went, the window right behind them.
    fn poll_write_slices(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let (plain, window) = self.split(slices)?;
        let plain = &slices[..plain];
        let total: usize = plain.iter().map(|slice| slice.len()).sum();
        let Some(window) = window else { return self.poll_send(cx, plain, SendFlags::NOSIGNAL) };
        if total == 0 {
            return self.poll_sendfile(cx, &window);
        }
        // The kernel holds the header back until the file content fills the packet.
        let sent = ready!(self.poll_send(cx, plain, SendFlags::MORE | SendFlags::NOSIGNAL))?;
        if sent < total {
            return Poll::Ready(Ok(sent));
        }
        match self.poll_sendfile(cx, &window)? {
            Poll::Ready(more) => Poll::Ready(Ok(sent + more)),
            Poll::Pending => Poll::Ready(Ok(sent)),
        }
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        flags: SendFlags,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, || {
            Ok(rustix::net::sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), flags)?)
        })
    }

    fn poll_sendfile(&self, cx: &mut Context<'_>, window: &Window) -> Poll<io::Result<usize>> {
        // A window may have waited long for its reader.
        window.source.check()?;
        let sent = ready!(self.poll_io(cx, || {
            let mut position = window.source.offset;
            Ok(rustix::fs::sendfile(&self.stream, &window.source.file, Some(&mut position), window.len)?)
        }))?;
        if let Err(changed) = window.source.check() {
            // These may have been the last bytes: closed politely, the answer would look whole.
            rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?;
            return Poll::Ready(Err(changed));
        }
        // The length was promised in the header; a file that ends early breaks the connection.
        Poll::Ready(if sent == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(sent) })
    }

    fn poll_io<T>(&self, cx: &mut Context<'_>, mut io: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_io(Interest::WRITABLE, &mut io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return Poll::Ready(answer),
            }
        }
    }
}

impl AsyncRead for LaneIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for LaneIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_slices(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
