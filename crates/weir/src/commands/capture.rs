//! `weir capture`: what interfaces see, as lines or as pcapng.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use capture::{Captured, Item, Reader};
use packet::print::Line;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use server::ops::EndCapture;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::{Capture, Target};
use crate::output;

/// Captures until it is enough.
pub(crate) fn run(target: &Target, arguments: &Capture) -> anyhow::Result<ExitCode> {
    let path = arguments.write.as_deref();
    // Before anything is captured, so that no signal ends this without an end of the file.
    let watch = Watch::new(pipe(path)?)?;
    let request = server::ops::Capture {
        interfaces: arguments.interfaces.clone(),
        filter: server::ops::FlowFilter {
            address: arguments.filter.address.clone(),
            port: arguments.filter.port,
            protocol: arguments.filter.protocol.clone(),
            action: arguments.filter.action.clone(),
            ..server::ops::FlowFilter::default()
        },
        count: arguments.count,
        duration_ms: arguments.duration.map(|secs| u64::from(secs) * 1000),
        snaplen: arguments.snaplen,
    };
    let (capture, stream) = super::client(target)?.capture(&request)?;
    // What is in the file stays there if the daemon refuses.
    let to = path.map(open).transpose()?;
    let mut ender = super::client(target)?;
    watch.then(move || {
        // If that cannot be said, the capture has ended.
        let _ = ender.weir(&EndCapture { capture });
    });

    if arguments.count.is_none() && arguments.duration.is_none() {
        output::note("capturing; Ctrl-C ends it");
    }
    let unwritten = Unwritten::default();
    let copying = Copying {
        stream,
        to,
        unwritten: unwritten.clone(),
    };
    let mut reader = match Reader::new(copying) {
        Ok(reader) => reader,
        Err(_) if unwritten.is_some() => return unwritten.check(),
        Err(error) => return Err(error.into()),
    };
    let names = arguments.interfaces.len() > 1;
    let (mut packets, mut dropped, mut problem, mut why) = (0_u64, 0_u64, None, String::new());
    while let Some(item) = reader.next() {
        match item {
            Item::Packet(packet) => {
                packets += 1;
                if path.is_none() {
                    output::line(&line(&packet, names))?;
                }
            }
            Item::Statistics(statistics) => {
                dropped += statistics.dropped.unwrap_or(0);
                why = statistics.comment.unwrap_or_default().to_owned();
            }
            Item::Problem(found) => problem = Some(found),
        }
    }
    let plural = if packets == 1 { "" } else { "s" };
    let mut told = format!("{packets} packet{plural} captured, {dropped} dropped");
    if dropped > 0 {
        told += " because they came faster than they were written";
    }
    if !why.is_empty() {
        told += &format!("; {why}");
    }
    output::note(&told);
    if let Some(problem) = problem.filter(|_| !unwritten.is_some()) {
        bail!("the daemon has broken the capture off: {problem}");
    }
    unwritten.check()
}

/// A packet for people.
fn line(packet: &Captured<'_>, names: bool) -> String {
    let time_us = packet.time_ns.unwrap_or(0) / 1000;
    let time = output::time_of_day(time_us / 1_000_000);
    let name = packet.interface.name.as_deref().filter(|_| names);
    let name = name.map(|name| format!("{name} ")).unwrap_or_default();
    let way = match packet.sent {
        Some(true) => "out",
        Some(false) | None => "in ",
    };
    let verdict = packet.comments().next().unwrap_or_default();
    let micros = time_us % 1_000_000;
    format!(
        "{time}.{micros:06} {name}{way} {} | {verdict}",
        Line(packet.bytes)
    )
}

/// Where pcapng goes.
fn open(path: &Path) -> anyhow::Result<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path);
    Ok(Box::new(file.with_context(|| {
        format!("cannot write {}", path.display())
    })?))
}

/// What may be a pipe whose reader goes.
fn pipe(path: Option<&Path>) -> io::Result<Option<OwnedFd>> {
    let is_stdout = path.is_none_or(|path| path.as_os_str() == "-");
    let pipe = is_stdout.then(|| io::stdout().as_fd().try_clone_to_owned());
    pipe.transpose()
}

/// What could not be written.
#[derive(Clone, Default)]
struct Unwritten(Arc<Mutex<Option<io::Error>>>);

impl Unwritten {
    fn put(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn is_some(&self) -> bool {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        error.is_some()
    }

    /// Fails if something could not be written, other than because whoever reads has seen enough.
    fn check(&self) -> anyhow::Result<ExitCode> {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            Some(error) => Err(error).context("the capture cannot be written"),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Writes what is read, as it is read.
struct Copying<R> {
    stream: R,
    to: Option<Box<dyn Write>>,
    unwritten: Unwritten,
}

impl<R: Read> Read for Copying<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(into)?;
        if let Some(to) = &mut self.to {
            let bytes = into.get(..count).unwrap_or_default();
            if let Err(error) = to.write_all(bytes).and_then(|()| to.flush()) {
                self.unwritten.put(error);
                return Ok(0);
            }
        }
        Ok(count)
    }
}

/// Waits for the end that somebody wants.
struct Watch {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
    closed: Option<oneshot::Receiver<()>>,
}

impl Watch {
    fn new(pipe: Option<OwnedFd>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let inside = runtime.enter();
        let (interrupt, terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        drop(inside);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
            closed: pipe.map(when_closed),
        })
    }

    /// Does something at the first wish to end; the second ends at once.
    fn then(self, end: impl FnOnce() + Send + 'static) {
        let Self {
            runtime,
            mut interrupt,
            mut terminate,
            closed,
        } = self;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let closed = async {
                    let closed = match closed {
                        Some(closed) => closed.await.ok(),
                        None => None,
                    };
                    if closed.is_none() {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    () = closed => {}
                }
                end();
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                std::process::exit(130);
            });
        });
    }
}

/// Tells when nobody reads a pipe any more; files have no readers.
fn when_closed(pipe: OwnedFd) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut fds = [PollFd::new(&pipe, PollFlags::empty())];
        while poll(&mut fds, None) == Err(Errno::INTR) {}
        let [fd] = fds;
        if fd.revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            // Nobody is told when it is over anyway.
            let _ = tell.send(());
        }
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use capture::{Direction, Record, Writer};
    use packet::{Mac, build::Frame};

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        Writer::section(&mut file, "weir");
        Writer::interface(&mut file, "eni-00000001", "", 0);
        let frame = Frame::v4(
            Mac([2, 0, 0, 0, 0, 1]),
            Mac([2, 0, 0, 0, 0, 2]),
            [10, 0, 1, 10].into(),
            [10, 0, 2, 20].into(),
        );
        let frame = frame.tcp(41_000, 5432, 2, b"");
        let record = Record {
            interface: 0,
            time_ns: 1_529_511_899_000_042_000,
            direction: Direction::In,
            bytes: &frame,
            original_len: 54,
            comment: "REJECT no inbound rule of sg-1 allows it",
        };
        Writer::packet(&mut file, &record);
        file
    }

    #[test]
    fn a_packet_is_a_line() {
        let mut reader = Reader::new(io::Cursor::new(file())).unwrap();
        let Some(Item::Packet(packet)) = reader.next() else {
            panic!("no packet");
        };
        let told = "IP 10.0.1.10.41000 > 10.0.2.20.5432: tcp [S], length 0";
        let verdict = "REJECT no inbound rule of sg-1 allows it";
        let expected = format!("16:24:59.000042 in  {told} | {verdict}");
        assert_eq!(line(&packet, false), expected);
        let named = line(&packet, true);
        assert!(named.starts_with("16:24:59.000042 eni-00000001 in "));
    }

    #[test]
    fn what_is_read_is_written_until_that_fails() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let unwritten = Unwritten::default();
        let mut copying = Copying {
            stream: io::Cursor::new(file()),
            to: Some(Box::new(Full)),
            unwritten: unwritten.clone(),
        };
        let mut read = Vec::new();
        copying.read_to_end(&mut read).unwrap();
        assert!(read.is_empty());
        assert!(unwritten.is_some());
        let error = format!("{:#}", unwritten.check().unwrap_err());
        assert!(
            error.starts_with("the capture cannot be written: "),
            "{error}"
        );
    }
}
