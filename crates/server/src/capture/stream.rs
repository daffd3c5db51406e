//! The body of the answer to a capture: blocks of pcapng, as packets come.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use capture::{Direction, InterfaceStatistics, Record, Writer};
use dataplane::Sight;
use hyper::body::{Body, Frame};
use packet::segment::segment;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use crate::clock;
use crate::datapath::Datapath;
use crate::ops::Capture;

use super::{DURATION_MAX, Ended, Progress, Waiting};

/// Packets that are written at once.
const BATCH: usize = 256;

/// A capture for its reader. The capture ends with it.
pub(crate) struct Stream {
    id: u64,
    datapath: Arc<Datapath>,
    progress: Arc<Progress>,
    packets: mpsc::Receiver<Waiting>,
    batch: Vec<Waiting>,
    /// The most bytes that are kept of a packet.
    snaplen: usize,
    /// How many packets are still wanted.
    left: u64,
    deadline: Option<Pin<Box<Sleep>>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Running,
    Over,
}

impl Stream {
    pub(super) fn new(
        id: u64,
        datapath: Arc<Datapath>,
        progress: Arc<Progress>,
        packets: mpsc::Receiver<Waiting>,
        request: &Capture,
    ) -> Self {
        let duration = request.duration_ms.map(Duration::from_millis);
        let snaplen = request.snaplen.filter(|&len| len > 0);
        Self {
            id,
            datapath,
            progress,
            packets,
            batch: Vec::with_capacity(BATCH),
            snaplen: snaplen.map_or(usize::MAX, |len| len as usize),
            left: request.count.unwrap_or(u64::MAX),
            deadline: duration.map(|d| Box::pin(tokio::time::sleep(d.min(DURATION_MAX)))),
            state: State::New,
        }
    }

    /// What it is called when it is to be ended.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The beginning: who captures where.
    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::section(&mut out, concat!("weir ", env!("CARGO_PKG_VERSION")));
        let snaplen = u32::try_from(self.snaplen).unwrap_or(0);
        for interface in &self.progress.interfaces {
            let name = interface.recorder.to_string();
            Writer::interface(&mut out, &name, &interface.description, snaplen);
        }
        out
    }

    /// The packets that have come, as far as they are wanted.
    fn write(&mut self, out: &mut Vec<u8>) {
        let mut segments = Vec::new();
        for Waiting { interface, sight } in self.batch.drain(..) {
            let bytes = sight.frame.len();
            self.progress.waiting_bytes.fetch_sub(bytes, Relaxed);
            segments.clear();
            let gso_size = usize::from(sight.offload.gso_size);
            let partial = sight.offload.partial_checksum;
            if segment(&sight.frame, gso_size, partial, &mut segments).is_err() {
                // What cannot be made whole is shown as it came.
                segments.push(sight.frame.clone());
            }
            let comment = verdict(&sight);
            for frame in segments.drain(..) {
                if self.left == 0 {
                    break;
                }
                self.left -= 1;
                let record = Record {
                    interface: interface as u32,
                    time_ns: sight.time.as_micros().saturating_mul(1000),
                    direction: match sight.key.direction {
                        dataplane::Direction::Ingress => Direction::In,
                        dataplane::Direction::Egress => Direction::Out,
                    },
                    bytes: frame.get(..self.snaplen).unwrap_or(&frame),
                    original_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
                    comment: &comment,
                };
                Writer::packet(out, &record);
            }
        }
    }

    /// The end: how it went.
    fn statistics(&self, out: &mut Vec<u8>) {
        let time_ns = clock::now().as_micros().saturating_mul(1000);
        let why = self.progress.ended.get().map_or("", |why| why.words());
        for (index, interface) in self.progress.interfaces.iter().enumerate() {
            let statistics = InterfaceStatistics {
                received: interface.received.load(Relaxed),
                dropped: interface.dropped.load(Relaxed),
            };
            Writer::statistics(out, index as u32, time_ns, &statistics, why);
        }
    }
}

/// What became of a packet, as `weir trace` says it.
fn verdict(sight: &Sight) -> String {
    let action = sight.key.action;
    format!("{} {}", action.name(), sight.disposition.seen_by(action))
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let mut out = Vec::new();
        match this.state {
            State::New => {
                this.state = State::Running;
                out = this.head();
            }
            State::Running => {
                if let Some(deadline) = &mut this.deadline
                    && deadline.as_mut().poll(context).is_ready()
                {
                    this.deadline = None;
                    this.datapath.end_capture(this.id, Ended::Duration);
                }
                let came = ready!(this.packets.poll_recv_many(context, &mut this.batch, BATCH));
                this.write(&mut out);
                if came == 0 || this.left == 0 {
                    this.datapath.end_capture(this.id, Ended::Count);
                    this.state = State::Over;
                    this.statistics(&mut out);
                }
            }
            State::Over => return Poll::Ready(None),
        }
        Poll::Ready(Some(Ok(Frame::data(out.into()))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.datapath.end_capture(self.id, Ended::Reader);
        self.datapath.captures().forget(self.id);
    }
}
