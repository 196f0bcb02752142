//! A stream for code that may block: each piece stream has a thread of its own, which hashes and uses the disk.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::flow::{Flow, Place};

/// A stream. What waits on it ends when it is told to.
pub struct Blocking {
    stream: Stream,
    runtime: Handle,
    ended: CancellationToken,
    place: Place,
}

impl Blocking {
    /// Takes over a stream. Call it on the runtime, and use what it gives on a thread of the blocking pool.
    #[must_use]
    pub fn new(stream: Stream, flow: &Arc<Flow>, ended: CancellationToken) -> Self {
        Self { stream, runtime: Handle::current(), ended, place: flow.enter() }
    }

    /// Waits for this side's own sake.
    ///
    /// # Errors
    /// It ends meanwhile.
    pub fn wait(&self, time: Duration) -> io::Result<()> {
        self.place.slowed(time);
        self.runtime.block_on(or_ended(&self.ended, async {
            tokio::time::sleep(time).await;
            Ok(())
        }))
    }

    /// Ends this side in good order.
    ///
    /// # Errors
    /// The stream broke.
    pub fn finish(mut self) -> io::Result<()> {
        let Self { stream, runtime, ended, .. } = &mut self;
        runtime.block_on(or_ended(ended, stream.shutdown()))
    }
}

async fn or_ended<T>(ended: &CancellationToken, done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::select! {
        done = done => done,
        () = ended.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { stream, runtime, ended, place } = self;
        let began = Instant::now();
        let read = runtime.block_on(or_ended(ended, stream.read(buffer)));
        place.waited(began.elapsed(), read.as_ref().copied().unwrap_or_default());
        read
    }
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { stream, runtime, ended, place } = self;
        let began = Instant::now();
        let written = runtime.block_on(or_ended(ended, stream.write(bytes)));
        place.waited(began.elapsed(), written.as_ref().copied().unwrap_or_default());
        written
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { stream, runtime, ended, place } = self;
        let began = Instant::now();
        let written = runtime.block_on(or_ended(ended, stream.write_all(bytes)));
        place.waited(began.elapsed(), bytes.len());
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { stream, runtime, ended, .. } = self;
        runtime.block_on(or_ended(ended, stream.flush()))
    }
}
