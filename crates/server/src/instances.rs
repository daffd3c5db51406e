//! Makes the host what the plan says: starts, changes and stops sandboxes, and tells the writer.
//!
//! One task compares what should be with what is. What takes time runs on threads of its own; a
//! place is left alone while one of them is at work on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control::Event;
use dataplane::Device;
use host::{ExecTarget, Interface, NetworkNamespace, Sandbox, SandboxConfig};
use model::{InstanceId, Scope};
use tokio::sync::Notify;

use crate::datapath::{Connection, Datapath};
use crate::plan::{Place, SandboxPlan, Wanted, plan};
use crate::weir::Refusal;
use crate::writer::Writer;

/// Processes inside get so long to end by themselves.
const GRACE: Duration = Duration::from_secs(2);
/// How often to look for sandboxes that ended by themselves.
const LOOK: Duration = Duration::from_millis(250);
/// News that the writer did not take are repeated after this.
const REPEAT: Duration = Duration::from_secs(1);
/// What `GetConsoleOutput` returns at most ("Amazon EC2 API Reference, GetConsoleOutput").
const CONSOLE_MAX: usize = 64 << 10;
/// A new internet host is up after much less than this.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// The sandboxes of a daemon.
pub(crate) struct Instances {
    places: Mutex<BTreeMap<Place, Slot>>,
    /// News on their way to the writer: of which place, and whether of its end.
    telling: Mutex<BTreeSet<(Place, bool)>>,
    changed: Notify,
    datapath: Arc<Datapath>,
    writer: Writer,
    executable: PathBuf,
    state: PathBuf,
    next_number: AtomicU32,
    /// Set once the daemon ends: nothing is started any more.
    closing: AtomicBool,
}

/// What is known of a place.
enum Slot {
    /// A thread is at work on it.
    Busy,
    /// The sandbox is up, with these interfaces.
    Up {
        sandbox: Box<Sandbox>,
        interfaces: Connected,
        scope: Option<Scope>,
    },
    /// It could not be started; not tried again before the plan changes.
    Failed { plan: Box<SandboxPlan> },
}

/// The interfaces of a sandbox, each with its connection to the data plane.
type Connected = BTreeMap<Device, (Interface, Connection)>;

impl Instances {
    /// Nothing is up yet; [`Instances::run`] changes that.
    pub(crate) fn new(
        writer: Writer,
        datapath: Arc<Datapath>,
        executable: PathBuf,
        state: PathBuf,
    ) -> Arc<Self> {
        Arc::new(Self {
            places: Mutex::default(),
            telling: Mutex::default(),
            changed: Notify::new(),
            datapath,
            writer,
            executable,
            state,
            next_number: AtomicU32::new(0),
            closing: AtomicBool::new(false),
        })
    }

    /// Compares and acts until the daemon ends.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut world = self.writer.watch();
        loop {
            let this = self.clone();
            // It waits for the data plane and the kernel.
            if let Err(error) = tokio::task::spawn_blocking(move || this.compare()).await {
                tracing::error!(%error, "what runs could not be compared with what should");
                tokio::time::sleep(REPEAT).await;
            }
            tokio::select! {
                changed = world.changed() => if changed.is_err() { return },
                () = self.changed.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Stops everything, as the daemon ends.
    pub(crate) fn shut_down(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let places = std::mem::take(&mut *self.lock());
        let threads: Vec<_> = places
            .into_values()
            .filter_map(|slot| match slot {
                Slot::Up { sandbox, .. } => Some(std::thread::spawn(move || sandbox.stop(GRACE))),
                Slot::Busy | Slot::Failed { .. } => None,
            })
            .collect();
        for thread in threads {
            if let Ok(Err(error)) = thread.join() {
                tracing::warn!(%error, "a sandbox did not stop well");
            }
        }
    }

    /// What is needed to run a program in a place.
    pub(crate) fn exec_target(&self, place: &Place) -> Option<ExecTarget> {
        match self.lock().get(place)? {
            Slot::Up { sandbox, .. } => sandbox.exec_target().ok(),
            Slot::Busy | Slot::Failed { .. } => None,
        }
    }

    /// The network namespace of a place, as long as the caller wants it.
    pub(crate) fn namespace(&self, place: &Place) -> Option<NetworkNamespace> {
        match self.lock().get(place)? {
            Slot::Up { sandbox, .. } => sandbox.namespace().try_clone().ok(),
            Slot::Busy | Slot::Failed { .. } => None,
        }
    }

    /// What the programs of an instance's user data have printed.
    pub(crate) fn console(&self, instance_id: InstanceId) -> Option<Vec<u8>> {
        let mut text = std::fs::read(self.console_path(&Place::Instance(instance_id))).ok()?;
        text.drain(..text.len().saturating_sub(CONSOLE_MAX));
        Some(text)
    }

    /// Removes what former instances have printed.
    pub(crate) fn forget_consoles(&self) {
        let folder = self.state.join("console");
        // Looked at before the world, so that whatever is not in the world is over, and not about to begin.
        let files: Vec<_> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let world = self.writer.world();
        let kept: BTreeSet<PathBuf> = world
            .regions
            .values()
            .flat_map(|state| {
                let instances = state.instances.values().map(|i| Place::Instance(i.id));
                let hosts = state.internet_hosts.values();
                instances.chain(hosts.map(|host| Place::InternetHost(host.address)))
            })
            .map(|place| self.console_path(&place))
            .collect();
        for file in files.iter().filter(|file| !kept.contains(*file)) {
            if let Err(error) = std::fs::remove_file(file) {
                tracing::warn!(file = %file.display(), %error, "not removed");
            }
        }
    }

    /// How many sandboxes are up.
    pub(crate) fn count(&self) -> usize {
        self.lock()
            .values()
            .filter(|slot| matches!(slot, Slot::Up { .. }))
            .count()
    }

    /// Waits until an internet host is up.
    pub(crate) async fn settled_with_host(&self, address: IpAddr) -> Result<(), Refusal> {
        let place = Place::InternetHost(address);
        let up = self.wait_until(|places| match places.get(&place) {
            Some(Slot::Up { .. }) => Some(true),
            Some(Slot::Failed { .. }) => Some(false),
            Some(Slot::Busy) | None => None,
        });
        if up.await == Some(true) {
            Ok(())
        } else {
            Err(Refusal::internal(format!(
                "the host {address} could not be started; the log says why"
            )))
        }
    }

    /// Waits until an internet host is gone.
    pub(crate) async fn settled_without_host(&self, address: IpAddr) {
        let place = Place::InternetHost(address);
        self.wait_until(|places| (!places.contains_key(&place)).then_some(()))
            .await;
    }

    async fn wait_until<T>(
        &self,
        settled: impl Fn(&BTreeMap<Place, Slot>) -> Option<T>,
    ) -> Option<T> {
        let deadline = tokio::time::Instant::now() + SETTLE_MAX;
        loop {
            if let Some(outcome) = settled(&self.lock()) {
                return Some(outcome);
            }
            if tokio::time::Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn compare(self: &Arc<Self>) {
        let plan = plan(&self.writer.world());
        let mut places = self.lock();
        // Looked at under the lock that `shut_down` empties the places under.
        if self.closing.load(Ordering::SeqCst) {
            return;
        }
        let unwanted: Vec<Place> = places
            .keys()
            .filter(|p| !plan.contains_key(p))
            .copied()
            .collect();
        for place in unwanted {
            self.stop(&mut places, place, None);
        }
        for (place, (scope, wanted)) in plan {
            match (wanted, places.get_mut(&place)) {
                (_, Some(Slot::Busy)) => {}
                (Wanted::Down, Some(_)) => self.stop(&mut places, place, scope),
                // It was going down when an earlier daemon ended.
                (Wanted::Down, None) => {
                    places.insert(place, Slot::Busy);
                    self.tell(place, scope, Outcome::Ended(None));
                }
                (Wanted::Up { plan, .. }, Some(Slot::Failed { plan: failed }))
                    if *failed == plan =>
                {
                    // The writer has not taken note of it yet.
                    if scope.is_some() {
                        self.tell(place, scope, failed_to_launch());
                    }
                }
                (Wanted::Up { plan, .. }, None | Some(Slot::Failed { .. })) => {
                    self.start(&mut places, place, scope, plan);
                }
                (
                    Wanted::Up { plan, announce },
                    Some(Slot::Up {
                        sandbox,
                        interfaces,
                        ..
                    }),
                ) => {
                    if has_ended(sandbox) {
                        self.stop_ended(&mut places, place, scope);
                        continue;
                    }
                    self.change_interfaces(sandbox, interfaces, &plan.interfaces);
                    if announce {
                        // The telling was lost with the change that was refused by a full disk.
                        self.tell(place, scope, Outcome::Started);
                    }
                }
            }
        }
    }

    fn start(
        self: &Arc<Self>,
        places: &mut BTreeMap<Place, Slot>,
        place: Place,
        scope: Option<Scope>,
        plan: Box<SandboxPlan>,
    ) {
        places.insert(place, Slot::Busy);
        let this = self.clone();
        tokio::spawn(async move {
            let starting = tokio::task::spawn_blocking({
                let (this, plan) = (this.clone(), plan.clone());
                move || this.start_sandbox(&place, &plan)
            });
            // A panic is a failure like any other: the place must not stay busy for ever.
            let started = match starting.await {
                Ok(started) => started.map_err(anyhow::Error::from),
                Err(panicked) => Err(panicked.into()),
            };
            match started {
                Ok((sandbox, interfaces)) => {
                    this.lock().insert(
                        place,
                        Slot::Up {
                            sandbox,
                            interfaces,
                            scope,
                        },
                    );
                    tracing::info!(%place, "up");
                    this.tell(place, scope, Outcome::Started);
                }
                Err(error) => {
                    tracing::error!(%place, error = format!("{error:#}"), "could not be started");
                    this.lock().insert(place, Slot::Failed { plan });
                    this.tell(place, scope, failed_to_launch());
                }
            }
        });
    }

    fn start_sandbox(
        &self,
        place: &Place,
        plan: &SandboxPlan,
    ) -> host::Result<(Box<Sandbox>, Connected)> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let name = match place {
            Place::Instance(id) => format!("weir-{}-{id}", std::process::id()),
            Place::InternetHost(_) => format!("weir-{}-host-{number}", std::process::id()),
        };
        let mut config = SandboxConfig::new(&name, number, self.console_path(place));
        config.executable.clone_from(&self.executable);
        config.hostname.clone_from(&plan.hostname);
        config.resolv_conf.clone_from(&plan.resolv_conf);
        config.user_data.clone_from(&plan.user_data);
        config.hidden.push(self.state.clone());
        config.interfaces = plan.interfaces.values().cloned().collect();
        let (mut sandbox, taps) = Sandbox::start(config)?;
        let mut connected = Connected::new();
        let booted = plan
            .interfaces
            .iter()
            .zip(taps)
            .try_for_each(|((device, interface), tap)| {
                let connection = self.datapath.connect(*device, tap)?;
                connected.insert(*device, (interface.clone(), connection));
                Ok(())
            })
            .and_then(|()| sandbox.boot());
        if let Err(error) = booted {
            self.disconnect(&connected);
            return Err(error);
        }
        Ok((Box::new(sandbox), connected))
    }

    fn stop_ended(
        self: &Arc<Self>,
        places: &mut BTreeMap<Place, Slot>,
        place: Place,
        scope: Option<Scope>,
    ) {
        if let Some(Slot::Up { interfaces, .. }) = places.insert(place, Slot::Busy) {
            self.disconnect(&interfaces);
        }
        if scope.is_none() {
            places.remove(&place);
        }
        let reason = "Client.InstanceInitiatedShutdown: Instance initiated shutdown";
        self.tell(place, scope, Outcome::Ended(Some(reason.to_owned())));
    }

    fn stop(
        self: &Arc<Self>,
        places: &mut BTreeMap<Place, Slot>,
        place: Place,
        scope: Option<Scope>,
    ) {
        match places.insert(place, Slot::Busy) {
            Some(Slot::Up {
                sandbox,
                interfaces,
                scope: started_for,
            }) => {
                let this = self.clone();
                tokio::spawn(async move {
                    let stopped = tokio::task::spawn_blocking({
                        let this = this.clone();
                        move || {
                            let stopped = sandbox.stop(GRACE);
                            this.disconnect(&interfaces);
                            stopped.map_err(anyhow::Error::from)
                        }
                    });
                    if let Err(error) = stopped.await.unwrap_or_else(|error| Err(error.into())) {
                        tracing::warn!(%place, error = format!("{error:#}"), "did not stop well");
                    }
                    tracing::info!(%place, "down");
                    this.tell(place, scope.or(started_for), Outcome::Ended(None));
                });
            }
            Some(Slot::Busy) => {}
            Some(Slot::Failed { .. }) | None => self.tell(place, scope, Outcome::Ended(None)),
        }
    }

    /// Tells the writer, and frees the place when it has heard of the end.
    fn tell(self: &Arc<Self>, place: Place, scope: Option<Scope>, outcome: Outcome) {
        let this = self.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let ended = matches!(outcome, Outcome::Ended(_));
        if !self.telling().insert((place, ended)) {
            return;
        }
        runtime.spawn(async move {
            if let (Place::Instance(instance_id), Some(scope)) = (place, scope) {
                let event = match outcome {
                    Outcome::Started => Event::InstanceStarted(instance_id),
                    Outcome::Ended(reason) => Event::InstanceEnded {
                        instance_id,
                        reason,
                    },
                };
                if let Err(error) = this.writer.observe(scope, event).await {
                    // An instance that was terminated meanwhile needs no news. What still matters, because the
                    // disk was full, the next comparison repeats, but not at once.
                    tracing::debug!(%place, %error, "nobody wanted to know");
                    tokio::time::sleep(REPEAT).await;
                }
            }
            if ended {
                let mut places = this.lock();
                if matches!(places.get(&place), Some(Slot::Busy)) {
                    places.remove(&place);
                }
            }
            this.telling().remove(&(place, ended));
            this.changed.notify_one();
        });
    }

    fn telling(&self) -> MutexGuard<'_, BTreeSet<(Place, bool)>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attaches, detaches and readdresses the interfaces of a running sandbox.
    fn change_interfaces(
        &self,
        sandbox: &mut Sandbox,
        own: &mut Connected,
        wanted: &BTreeMap<Device, Interface>,
    ) {
        let (kept, gone): (Connected, Connected) = std::mem::take(own)
            .into_iter()
            .partition(|(device, _)| wanted.contains_key(device));
        *own = kept;
        self.disconnect(&gone);
        for (device, interface) in wanted {
            let done = match own.get(device) {
                Some((known, _)) if known == interface => continue,
                Some((known, connection)) => {
                    readdress(sandbox, known, interface).map(|()| *connection)
                }
                None => sandbox
                    .attach(interface)
                    .and_then(|tap| self.datapath.connect(*device, tap)),
            };
            match done {
                Ok(connection) => {
                    own.insert(*device, (interface.clone(), connection));
                }
                Err(error) => {
                    tracing::error!(?device, %error, "the interface could not be changed");
                }
            }
        }
    }

    fn disconnect(&self, gone: &Connected) {
        for (device, (_, connection)) in gone {
            if let Err(error) = self.datapath.disconnect(*device, *connection) {
                tracing::error!(?device, %error, "the interface could not be removed");
            }
        }
    }

    fn console_path(&self, place: &Place) -> PathBuf {
        self.state
            .join("console")
            .join(format!("{}.log", place.to_string().replace(':', "-")))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Slot>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Outcome {
    Started,
    Ended(Option<String>),
}

fn failed_to_launch() -> Outcome {
    let reason = "Server.InternalError: Internal error on launch";
    Outcome::Ended(Some(reason.to_owned()))
}

fn readdress(sandbox: &Sandbox, known: &Interface, wanted: &Interface) -> host::Result<()> {
    let namespace = sandbox.namespace();
    for address in known
        .addresses
        .iter()
        .filter(|a| !wanted.addresses.contains(a))
    {
        namespace.remove_address(&known.name, *address)?;
    }
    for address in wanted
        .addresses
        .iter()
        .filter(|a| !known.addresses.contains(a))
    {
        namespace.add_address(&known.name, *address)?;
    }
    for route in wanted.routes.iter().filter(|r| !known.routes.contains(r)) {
        namespace.add_route(&known.name, *route)?;
    }
    Ok(())
}

fn has_ended(sandbox: &Sandbox) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let ended = sandbox.ended_fd();
    let mut fds = [PollFd::new(&ended, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut fds, Some(&at_once)), Ok(1))
}
