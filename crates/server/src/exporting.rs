//! The whole state as the body of an answer.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use crate::daemon::Daemon;
use crate::state_file::Snapshot;
use crate::weir::Refusal;

/// Pieces that wait for the reader; whoever writes them waits with them.
const WAITING_MAX: usize = 4;
/// Bytes of a piece.
const PIECE: usize = 1 << 16;

/// Takes the state of this moment and begins to write it.
///
/// # Errors
///
/// If it cannot be had.
pub(crate) async fn begin(daemon: &Arc<Daemon>) -> Result<Stream, Refusal> {
    // What was called before is part of it.
    daemon.writer.write_notes().await;
    let state = daemon.state_dir().to_owned();
    let taken = tokio::task::spawn_blocking(move || Snapshot::take(&state)).await;
    let snapshot = taken
        .map_err(Refusal::internal)?
        .map_err(|error| Refusal::internal(format!("{error:#}")))?;
    let (pieces, stream) = mpsc::channel(WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let sink = io::BufWriter::with_capacity(PIECE, Sink(pieces.clone()));
        let written = snapshot.write(sink).and_then(|mut sink| Ok(sink.flush()?));
        if let Err(error) = written {
            tracing::warn!(error = format!("{error:#}"), "an export has ended early");
            // Without the end of the stream, nobody takes what came for a state.
            let _ = pieces.blocking_send(Err(io::Error::other("the export has failed")));
        }
    });
    Ok(Stream(stream))
}

/// Where the writer puts pieces.
struct Sink(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Ok(Bytes::copy_from_slice(bytes));
        self.0
            .blocking_send(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The state file, as it is written.
pub(crate) struct Stream(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
