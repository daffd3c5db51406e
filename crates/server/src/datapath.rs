//! The data plane in its loop: frames from TAP devices through `forward` and out again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dataplane::{
    CheckId, Compiler, Dataplane, Device, FlowSample, HealthFinding, INTERNET_ROUTER_MAC, Ingress,
    Inquiry, InterfaceMetadata, Limits, Offload, Options, Origin, Snapshot, TlsAnswer, TlsStep,
    Verdict,
};
use host::{
    EventLoop, EventLoopOptions, Fabric, FabricOptions, FlowTable, Frame, Output, PortId, Punt,
    Switch, UPLINK_MAC, Uplink, VnetHeader, Wire, Wiring,
};
use model::{Entropy, MacAddress, Timestamp, World};
use tokio::sync::mpsc;

use crate::capture::{Captures, Ended, Mirror, Mirrors};
use crate::clock::SystemEntropy;
use crate::config::{Carrier, Config};
use crate::fast_path::{KernelPath, loop_port};
use crate::service_network::{self, SERVICES_MAC};
use crate::writer::Enforce;

/// The data plane of a daemon.
pub(crate) struct Datapath {
    /// What of the machine worlds are compiled with.
    pub(crate) options: Options,
    event_loop: EventLoop<PacketSwitch>,
    numbers: Mutex<Numbers>,
    captures: Captures,
    wiring: Wiring,
}

/// What compiles worlds and gives devices their ports, and which of those are connected.
struct Numbers {
    compiler: Compiler,
    connected: BTreeMap<Device, (PortId, Connection)>,
    connections: u64,
}

/// One of the connections that a device has had, one after the other: who has been detached from it must not
/// disconnect whoever came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection(u64);

/// A part of what interfaces have seen since the last harvest.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    /// Flows.
    pub(crate) samples: Vec<FlowSample>,
    /// Interfaces of which samples were lost.
    pub(crate) skipped: Vec<Arc<InterfaceMetadata>>,
    /// Is there more?
    pub(crate) more: bool,
}

/// What the data plane has done so far, and what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measures {
    /// Frames.
    pub(crate) counters: dataplane::Counters,
    /// Flows in the flow cache.
    pub(crate) flows: usize,
    /// Connections tracked.
    pub(crate) connections: usize,
}

/// What the data plane asks of others.
pub(crate) struct Questions {
    /// Of name servers outside, with an uplink only.
    pub(crate) inquiries: mpsc::Receiver<Inquiry>,
    /// Of who speaks TLS in health checks.
    pub(crate) tls_steps: mpsc::Receiver<(CheckId, TlsStep)>,
}

/// Inquiries that wait to be looked at.
const INQUIRIES_MAX: usize = 1024;

/// How long readers of captures have when the daemon ends.
const CAPTURES_END: Duration = Duration::from_secs(1);

/// Flows that are harvested at once: less than a millisecond in which packets wait.
const HARVEST_FLOWS: usize = 1024;

impl Datapath {
    /// Starts the loop with an empty world, and with room for an uplink if there is to be one. Somebody has to answer
    /// what it asks.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub(crate) fn start(config: &Config) -> host::Result<(Self, Questions)> {
        let options = Options {
            uplink: config.uplink.then_some(MacAddress(UPLINK_MAC)),
            services: Some(dataplane::ServiceNetwork {
                mac: MacAddress(SERVICES_MAC),
                dynamodb: config.dynamodb_endpoint.is_some(),
            }),
        };
        let (inquirer, inquiries) = mpsc::channel(INQUIRIES_MAX);
        let (tls, tls_steps) = mpsc::channel(INQUIRIES_MAX);
        let mut compiler = Compiler::new(options);
        let nothing = compiler.compile(&World::default());
        let numbers = Numbers {
            compiler,
            connected: BTreeMap::new(),
            connections: 0,
        };
        let hash_seed = SystemEntropy.next_u128() as u64;
        let limits = Limits {
            hash_seed,
            ..Limits::default()
        };
        let mut dataplane = Dataplane::new(nothing, limits);
        let (wiring, punt) = match fabric(config)? {
            Some((fabric, table, punt)) => {
                dataplane.set_fast_path(Box::new(KernelPath::new(table, host::clock)));
                (Wiring::Fabric(fabric), Some(punt))
            }
            None => (Wiring::Taps, None),
        };
        let switch = PacketSwitch {
            dataplane,
            inquiries: inquirer,
            tls,
            mirrors: Mirrors::default(),
        };
        let event_loop = EventLoop::spawn(switch, EventLoopOptions::default(), punt)?;
        let datapath = Self {
            options,
            event_loop,
            numbers: Mutex::new(numbers),
            captures: Captures::default(),
            wiring,
        };
        let questions = Questions {
            inquiries,
            tls_steps,
        };
        Ok((datapath, questions))
    }

    /// How the interfaces of sandboxes are connected.
    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// What moves packets.
    pub(crate) fn in_words(&self) -> &'static str {
        match self.wiring {
            Wiring::Taps => "user space, one TAP per interface",
            Wiring::Fabric(_) => "the kernel (eBPF), new flows in user space",
        }
    }

    /// The writer's way to put a world in force.
    #[must_use]
    pub(crate) fn enforcer(self: &Arc<Self>) -> Enforcer {
        Enforcer(self.clone())
    }

    /// Connects a device; its frames are forwarded from now on.
    ///
    /// # Errors
    ///
    /// If the device has been deleted meanwhile.
    pub(crate) fn connect(&self, device: Device, wire: Wire) -> host::Result<Connection> {
        let mut numbers = self.numbers();
        let Some(id) = numbers.compiler.ports().get(&device) else {
            return Err(host::Error::Invalid(format!(
                "{device:?} does not exist any more"
            )));
        };
        let port = loop_port(id);
        // A number whose device is gone may still be connected to what is left of it, which must not send in the
        // name of the new device.
        numbers
            .connected
            .retain(|_, (connected, _)| !connected.has_index_of(port));
        self.event_loop.remove_port(port)?;
        numbers.connections += 1;
        let connection = Connection(numbers.connections);
        numbers.connected.insert(device, (port, connection));
        self.event_loop.add_port(port, wire)?;
        Ok(connection)
    }

    /// Connects the real internet, as long as the answer lives.
    ///
    /// # Errors
    ///
    /// If the host cannot be its way there; the words say what is missing.
    pub(crate) fn connect_uplink(&self, executable: &Path) -> host::Result<Uplink> {
        let (uplink, tap) = Uplink::open(executable, INTERNET_ROUTER_MAC.0)?;
        self.connect(Device::Uplink, Wire::Tap(tap))?;
        Ok(uplink)
    }

    /// Connects the network in which the daemon answers for services, as long as the answer lives.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub(crate) fn connect_services(&self) -> host::Result<host::ServiceNetwork> {
        let (network, tap) = host::ServiceNetwork::create(&service_network::interface())?;
        self.connect(Device::Services, Wire::Tap(tap))?;
        Ok(network)
    }

    /// Whom the source of a connection to a service stands for.
    pub(crate) async fn origin(&self, source: IpAddr) -> Option<Origin> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let ask = self.event_loop.post(move |switch, _| {
            // Who asked may be gone.
            let _ = tell.send(switch.dataplane.origin(source));
        });
        ask.ok()?;
        told.await.ok()?
    }

    /// What the data plane decides by now.
    pub(crate) async fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let ask = self.event_loop.post(move |switch, _| {
            // Who asked may be gone.
            let _ = tell.send(switch.dataplane.snapshot().clone());
        });
        ask.ok()?;
        told.await.ok()
    }

    /// Ends a connection, unless another has taken its place; the device is gone from its sandbox when this
    /// returns.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn disconnect(&self, device: Device, connection: Connection) -> host::Result<()> {
        let mut numbers = self.numbers();
        match numbers.connected.get(&device) {
            Some(&(port, latest)) if latest == connection => {
                numbers.connected.remove(&device);
                self.event_loop.remove_port(port)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a part of what interfaces have seen, into memory that is given back for the next part.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn harvest(&self, mut samples: Vec<FlowSample>) -> host::Result<Harvest> {
        samples.clear();
        self.event_loop.call(|switch, _| Harvest {
            more: switch.dataplane.harvest(HARVEST_FLOWS, &mut samples),
            samples,
            skipped: switch.dataplane.take_skipped(),
        })
    }

    /// What health checks of load balancers' targets have found out since the last call.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn health_findings(&self) -> host::Result<Vec<HealthFinding>> {
        self.inspect(Dataplane::take_health_findings)
    }

    /// Runs `work` on the data plane, between two bursts.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn inspect<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Dataplane) -> R + Send + 'static,
    ) -> host::Result<R> {
        self.event_loop
            .call(|switch, _| work(&mut switch.dataplane))
    }

    /// Gives the data plane the answer to an inquiry, if there is one.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn answer_inquiry(&self, id: u64, response: Option<Vec<u8>>) -> host::Result<()> {
        self.event_loop.post(move |switch, out| {
            switch.dataplane.answer_inquiry(id, response.as_deref());
            send_all(switch.dataplane.emitted(), out);
            switch.inquire(out);
        })
    }

    /// Gives the data plane what became of a step of TLS.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn answer_tls(&self, check: CheckId, answer: TlsAnswer) -> host::Result<()> {
        self.event_loop.post(move |switch, out| {
            switch.dataplane.take_tls_answer(check, answer, now(out));
            send_all(switch.dataplane.emitted(), out);
            switch.mirror();
            switch.inquire(out);
        })
    }

    /// The captures that run.
    pub(crate) fn captures(&self) -> &Captures {
        &self.captures
    }

    /// Begins to give packets to a capture.
    ///
    /// # Errors
    ///
    /// If the loop has ended.
    pub(crate) fn mirror(&self, mirror: Mirror) -> host::Result<()> {
        self.event_loop.call(move |switch, _| {
            switch.mirrors.add(mirror);
            switch.watch();
        })
    }

    /// Gives no more packets to a capture, which ends when it has written those that it has. Does not wait for that.
    pub(crate) fn end_capture(&self, id: u64, why: Ended) {
        if !self.captures.note_end(id, why) {
            return;
        }
        let ended = self.event_loop.post(move |switch, _| {
            switch.mirrors.remove(id);
            switch.watch();
        });
        if let Err(error) = ended {
            tracing::debug!(%error, "a capture has ended with the loop");
        }
    }

    /// Ends all captures, and gives their readers a moment to take what they have.
    pub(crate) async fn end_captures(&self) {
        for id in self.captures.ids() {
            self.end_capture(id, Ended::Daemon);
        }
        let end = tokio::time::Instant::now() + CAPTURES_END;
        while !self.captures.ids().is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the data plane has done so far.
    #[must_use]
    pub(crate) fn measures(&self) -> Measures {
        let read = |dataplane: &mut Dataplane| Measures {
            counters: dataplane.counters(),
            flows: dataplane.flows(),
            connections: dataplane.connections(),
        };
        self.inspect(read).unwrap_or_default()
    }

    /// How many packets were forwarded and dropped, by reason, in words.
    #[must_use]
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let Measures {
            counters,
            flows,
            connections,
        } = self.measures();
        let mut lines = vec![
            ("forwarded".to_owned(), counters.forwarded),
            ("forwarded from the flow cache".to_owned(), counters.cached),
        ];
        lines.extend(
            counters
                .drops()
                .map(|(reason, count)| (format!("dropped: {}", reason.name()), count)),
        );
        lines.push(("flows cached".to_owned(), flows as u64));
        lines.push(("connections tracked".to_owned(), connections as u64));
        lines
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kernel as far as it carries flows here, if it is to.
fn fabric(config: &Config) -> host::Result<Option<(Arc<Fabric>, FlowTable, Punt)>> {
    if config.carrier == Carrier::Weir {
        return Ok(None);
    }
    let options = FabricOptions {
        flows: config.kernel_flows,
        ..FabricOptions::default()
    };
    match Fabric::create(options) {
        Ok(made) => Ok(Some(made)),
        Err(error) if config.carrier == Carrier::Auto => {
            tracing::info!(%error, "every packet is forwarded by this program");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Puts worlds in force.
pub(crate) struct Enforcer(Arc<Datapath>);

impl Enforce for Enforcer {
    fn enforce(&mut self, world: &World) -> anyhow::Result<()> {
        let snapshot = self.0.numbers().compiler.compile(world);
        let before = self
            .0
            .event_loop
            .call(move |switch, _| switch.dataplane.install(snapshot))?;
        // What only the old one had is freed here, while the loop goes on.
        drop(before);
        for id in self.0.captures.without_interface(world) {
            self.0.end_capture(id, Ended::Deleted);
        }
        Ok(())
    }
}

/// The data plane as the loop sees it.
struct PacketSwitch {
    dataplane: Dataplane,
    /// Who asks name servers outside.
    inquiries: mpsc::Sender<Inquiry>,
    /// Who speaks TLS in health checks.
    tls: mpsc::Sender<(CheckId, TlsStep)>,
    /// Who captures.
    mirrors: Mirrors,
}

impl PacketSwitch {
    /// Passes inquiries on; those that cannot be taken any more fail.
    fn inquire(&mut self, out: &mut Output<'_>) {
        for inquiry in self.dataplane.take_inquiries() {
            let id = inquiry.id;
            if self.inquiries.try_send(inquiry).is_err() {
                self.dataplane.answer_inquiry(id, None);
                send_all(self.dataplane.emitted(), out);
            }
        }
        for step in self.dataplane.take_tls_steps() {
            // A check whose step is lost times out.
            let _ = self.tls.try_send(step);
        }
    }

    /// Has noted what captures want, and nothing if there are none.
    fn watch(&mut self) {
        self.dataplane.watch(self.mirrors.recorders());
    }

    /// Gives captures what they want of the packets since the last call.
    #[inline]
    fn mirror(&mut self) {
        if !self.mirrors.is_empty() {
            self.mirrors.give(self.dataplane.take_sights());
        }
    }
}

/// Writes frames of the data plane's own.
fn send_all(frames: &[(dataplane::PortId, Vec<u8>)], out: &mut Output<'_>) {
    for (to, frame) in frames {
        out.send(loop_port(*to), &VnetHeader::NONE, frame);
    }
}

fn offload(header: &VnetHeader) -> Offload {
    Offload {
        gso_size: if header.is_gso() { header.gso_size } else { 0 },
        partial_checksum: header.needs_checksum(),
    }
}

impl Switch for PacketSwitch {
    fn burst(&mut self, frames: &mut [Frame<'_>], out: &mut Output<'_>) {
        self.dataplane.forward_burst(
            frames,
            now(out),
            |frame| Ingress {
                from: dataplane::PortId::from_bits(frame.from.0),
                bytes: frame.bytes,
                offload: offload(&frame.header),
            },
            |frame, verdict, emitted| match verdict {
                Verdict::Forward(to) => {
                    out.send(loop_port(to), &frame.header, frame.bytes);
                }
                Verdict::Emit => send_all(emitted, out),
                Verdict::Drop(_) => {}
            },
        );
        self.mirror();
        self.inquire(out);
    }

    fn tick(&mut self, out: &mut Output<'_>) {
        self.dataplane.sweep(now(out));
        self.dataplane.advertise(now(out));
        send_all(self.dataplane.emitted(), out);
        self.dataplane.check_health(now(out));
        send_all(self.dataplane.emitted(), out);
        self.mirror();
        self.inquire(out);
    }
}

fn now(out: &Output<'_>) -> Timestamp {
    Timestamp::from_micros(out.clock().unix_ns / 1_000)
}
