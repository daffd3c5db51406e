//! Captures: what interfaces see, as pcapng, for as long as somebody reads it.
//!
//! The loop gives each packet to the captures that want it, and never waits: a capture whose reader is slow loses packets
//! and says how many. A capture ends when its sender is taken out of the loop, whatever the reason; what is in its queue by
//! then is still written, and how it went.

mod stream;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dataplane::Sight;
use model::{RecorderId, World};
use tokio::sync::mpsc;

use crate::daemon::Daemon;
use crate::flow_filter::Filter;
use crate::named;
use crate::ops::Capture;
use crate::weir::Refusal;

pub(crate) use stream::Stream;

/// Captures at a time.
const CAPTURES_MAX: usize = 16;
/// How long one may take.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Interfaces of one capture.
const INTERFACES_MAX: usize = 64;
/// Packets of one capture that wait for its reader, and their bytes.
const WAITING_MAX: usize = 1 << 14;
const WAITING_BYTES_MAX: usize = 32 << 20;

/// The captures that run, for those who begin and end them.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    last: u64,
    captures: BTreeMap<u64, Arc<Progress>>,
}

/// How a capture goes: the loop counts, its stream reads.
#[derive(Debug)]
pub(crate) struct Progress {
    interfaces: Vec<Interface>,
    waiting_bytes: AtomicUsize,
    ended: OnceLock<Ended>,
}

#[derive(Debug)]
struct Interface {
    recorder: RecorderId,
    /// Who that is.
    description: String,
    /// Packets seen, and those of them for which there was no room.
    received: AtomicU64,
    dropped: AtomicU64,
}

/// Why a capture has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It has as many packets as were wanted.
    Count,
    /// It has taken as long as was wanted.
    Duration,
    /// Its reader wants no more.
    Reader,
    /// None of its interfaces is there any more.
    Deleted,
    /// The daemon ends.
    Daemon,
}

impl Ended {
    /// In words; nothing where nobody wonders.
    fn words(self) -> &'static str {
        match self {
            Self::Count | Self::Duration | Self::Reader => "",
            Self::Deleted => "ended: there is no such interface any more",
            Self::Daemon => "ended: the daemon ends",
        }
    }
}

/// A packet that waits for the reader of a capture.
#[derive(Debug)]
struct Waiting {
    /// Which of the capture's interfaces saw it.
    interface: usize,
    sight: Arc<Sight>,
}

/// Where the loop puts the packets of one capture.
#[derive(Debug)]
pub(crate) struct Mirror {
    id: u64,
    filter: Filter,
    progress: Arc<Progress>,
    queue: mpsc::Sender<Waiting>,
}

/// The captures as the loop has them.
#[derive(Debug, Default)]
pub(crate) struct Mirrors(Vec<Mirror>);

impl Mirrors {
    /// Whether somebody captures.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, mirror: Mirror) {
        self.0.push(mirror);
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.0.retain(|mirror| mirror.id != id);
    }

    /// Whose packets are wanted.
    pub(crate) fn recorders(&self) -> Vec<RecorderId> {
        let mirrors = self.0.iter().flat_map(|mirror| &mirror.progress.interfaces);
        let mut recorders: Vec<_> = mirrors.map(|interface| interface.recorder).collect();
        recorders.sort_unstable();
        recorders.dedup();
        recorders
    }

    /// Gives what was seen to whoever wants it and has room.
    #[cold]
    pub(crate) fn give(&self, sights: Vec<Sight>) {
        for sight in sights {
            let packets = sight.packets();
            let sight = Arc::new(sight);
            for mirror in &self.0 {
                mirror.take(&sight, packets);
            }
        }
    }
}

impl Mirror {
    fn take(&self, sight: &Arc<Sight>, packets: u64) {
        let progress = &self.progress;
        let mut interfaces = progress.interfaces.iter();
        let recorder = sight.interface.recorder;
        let Some(index) = interfaces.position(|interface| interface.recorder == recorder) else {
            return;
        };
        if !self.filter.wants_flow(&sight.key) {
            return;
        }
        let interface = &progress.interfaces[index];
        interface.received.fetch_add(packets, Relaxed);
        let bytes = sight.frame.len();
        let waiting = Waiting {
            interface: index,
            sight: sight.clone(),
        };
        // Before it is in the queue, whose reader gives its bytes back.
        let before = progress.waiting_bytes.fetch_add(bytes, Relaxed);
        if before + bytes > WAITING_BYTES_MAX || self.queue.try_send(waiting).is_err() {
            progress.waiting_bytes.fetch_sub(bytes, Relaxed);
            interface.dropped.fetch_add(packets, Relaxed);
        }
    }
}

impl Captures {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, progress: Arc<Progress>) -> Result<u64, Refusal> {
        let mut running = self.lock();
        if running.captures.len() >= CAPTURES_MAX {
            return Err(Refusal::new(
                "LimitExceededException",
                format!("There are {CAPTURES_MAX} captures already."),
            ));
        }
        running.last += 1;
        let id = running.last;
        running.captures.insert(id, progress);
        Ok(id)
    }

    /// Notes why a capture ends; the first reason stays. The loop is to be told by the caller.
    pub(crate) fn note_end(&self, id: u64, why: Ended) -> bool {
        let running = self.lock();
        let capture = running.captures.get(&id);
        capture.is_some_and(|progress| {
            progress.ended.get_or_init(|| why);
            true
        })
    }

    fn forget(&self, id: u64) {
        self.lock().captures.remove(&id);
    }

    /// Those of which no interface is in a world.
    pub(crate) fn without_interface(&self, world: &World) -> Vec<u64> {
        let running = self.lock();
        let captures = running.captures.iter();
        captures
            .filter(|(_, progress)| {
                let mut interfaces = progress.interfaces.iter();
                !interfaces.any(|interface| exists(world, interface.recorder))
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// All of them.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.lock().captures.keys().copied().collect()
    }
}

fn exists(world: &World, recorder: RecorderId) -> bool {
    world.regions.values().any(|state| match recorder {
        RecorderId::NetworkInterface(id) => state.network_interfaces.contains(&id),
        RecorderId::RegionalNatGateway(id) => state.nat_gateways.contains(&id),
    })
}

/// Begins a capture.
///
/// # Errors
///
/// If its interfaces are not there, or there are too many captures.
pub(crate) fn begin(daemon: &Arc<Daemon>, request: &Capture) -> Result<Stream, Refusal> {
    let filter = Filter::parse(&request.filter)?;
    let interfaces = interfaces(&daemon.writer.world(), &request.interfaces)?;
    let progress = Arc::new(Progress {
        interfaces,
        waiting_bytes: AtomicUsize::new(0),
        ended: OnceLock::new(),
    });
    let captures = daemon.datapath.captures();
    let id = captures.begin(progress.clone())?;
    let (queue, packets) = mpsc::channel(WAITING_MAX);
    let datapath = daemon.datapath.clone();
    let stream = Stream::new(id, datapath, progress.clone(), packets, request);
    let mirror = Mirror {
        id,
        filter,
        progress,
        queue,
    };
    daemon.datapath.mirror(mirror).map_err(Refusal::internal)?;
    // One may have been deleted before there was a capture to end.
    if captures
        .without_interface(&daemon.writer.world())
        .contains(&id)
    {
        daemon.datapath.end_capture(id, Ended::Deleted);
    }
    Ok(stream)
}

fn interfaces(world: &World, names: &[String]) -> Result<Vec<Interface>, Refusal> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        let (recorder, description) = interface(world, name)?;
        if interfaces.iter().all(|known| known.recorder != recorder) {
            interfaces.push(Interface {
                recorder,
                description,
                received: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            });
        }
    }
    if interfaces.is_empty() {
        let words = "The request must contain the parameter interfaces";
        return Err(Refusal::new("MissingParameter", words));
    }
    if interfaces.len() > INTERFACES_MAX {
        let words = format!("A capture is of at most {INTERFACES_MAX} interfaces.");
        return Err(Refusal::new("LimitExceededException", words));
    }
    Ok(interfaces)
}

/// Who is meant, and in words.
fn interface(world: &World, name: &str) -> Result<(RecorderId, String), Refusal> {
    if let Ok(gateway @ RecorderId::RegionalNatGateway(_)) = name.parse::<RecorderId>()
        && exists(world, gateway)
    {
        return Ok((gateway, "a regional NAT gateway".to_owned()));
    }
    let found = named::interfaces(world, name)?;
    let [eni] = found[..] else {
        let ids: Vec<String> = found.iter().map(|eni| eni.id.to_string()).collect();
        return Err(Refusal::new(
            "InvalidParameterValue",
            format!("'{name}' has several interfaces: {}.", ids.join(", ")),
        ));
    };
    let addresses: Vec<String> = eni.addresses().map(|a: IpAddr| a.to_string()).collect();
    let instance = eni.instance_id().map(|id| format!("{id} "));
    let words = format!("{}{}", instance.unwrap_or_default(), addresses.join(" "));
    Ok((eni.id.into(), words))
}

#[cfg(test)]
mod tests {
    use dataplane::Offload;

    use super::*;
    use crate::explaining::tests::record;

    fn sight(recorder: &str) -> Sight {
        let record = record(recorder, 100);
        let flow = record.flow().unwrap();
        Sight {
            interface: record.interface.clone(),
            key: flow.key.clone(),
            disposition: flow.disposition.clone(),
            time: record.start,
            frame: vec![0; 100],
            offload: Offload::default(),
        }
    }

    /// A capture on an interface with room for two packets.
    fn mirror(recorder: &str, id: u64, port: Option<u16>) -> (Mirror, mpsc::Receiver<Waiting>) {
        let (queue, packets) = mpsc::channel(2);
        let progress = Progress {
            interfaces: vec![Interface {
                recorder: recorder.parse().unwrap(),
                description: String::new(),
                received: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }],
            waiting_bytes: AtomicUsize::new(0),
            ended: OnceLock::new(),
        };
        let filter = crate::ops::FlowFilter {
            port,
            ..Default::default()
        };
        let mirror = Mirror {
            id,
            filter: Filter::parse(&filter).unwrap(),
            progress: Arc::new(progress),
            queue,
        };
        (mirror, packets)
    }

    fn counts(progress: &Progress) -> [u64; 3] {
        let interface = &progress.interfaces[0];
        [
            interface.received.load(Relaxed),
            interface.dropped.load(Relaxed),
            progress.waiting_bytes.load(Relaxed) as u64,
        ]
    }

    #[test]
    fn each_gets_what_it_wants_and_loses_what_it_has_no_room_for() {
        let mut mirrors = Mirrors::default();
        assert!(mirrors.is_empty());
        let (all, mut packets) = mirror("eni-00000001", 1, None);
        let (some, _filtered) = mirror("eni-00000001", 2, Some(22));
        let (others, _others) = mirror("eni-00000002", 3, None);
        let progress = [&all, &some, &others].map(|mirror| mirror.progress.clone());
        for mirror in [all, some, others] {
            mirrors.add(mirror);
        }
        assert_eq!(mirrors.recorders().len(), 2);
        mirrors.give(vec![sight("eni-00000001"); 5]);
        let [all, some, others] = &progress;
        assert_eq!(counts(all), [5, 3, 200]);
        assert_eq!(counts(some), [0, 0, 0]);
        assert_eq!(counts(others), [0, 0, 0]);
        mirrors.give(vec![sight("eni-00000002")]);
        assert_eq!(counts(others), [1, 0, 100]);
        // Out of the loop, the queue ends with what is in it.
        mirrors.remove(1);
        assert!(packets.try_recv().is_ok() && packets.try_recv().is_ok());
        let end = mpsc::error::TryRecvError::Disconnected;
        assert_eq!(packets.try_recv().unwrap_err(), end);
    }

    #[test]
    fn the_bytes_that_wait_have_a_bound_as_well() {
        let (mirror, _packets) = mirror("eni-00000001", 1, None);
        let progress = mirror.progress.clone();
        progress
            .waiting_bytes
            .store(WAITING_BYTES_MAX - 150, Relaxed);
        let mut mirrors = Mirrors::default();
        mirrors.add(mirror);
        mirrors.give(vec![sight("eni-00000001"); 2]);
        assert_eq!(counts(&progress), [2, 1, WAITING_BYTES_MAX as u64 - 50]);
    }
}
