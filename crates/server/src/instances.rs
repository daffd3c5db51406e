//! Makes the host what the plan says: starts, changes and stops sandboxes, and tells the writer.
//!
//! One task compares what should be with what is. What takes time runs on threads of its own; a
//! place is left alone while one of them is at work on it.

use std::collections::BTreeMap;
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

use crate::datapath::Datapath;
use crate::plan::{Place, SandboxPlan, Wanted, plan};
use crate::weir::Refusal;
use crate::writer::Writer;

/// Processes inside get so long to end by themselves.
const GRACE: Duration = Duration::from_secs(2);
/// How often to look for sandboxes that ended by themselves.
const LOOK: Duration = Duration::from_millis(250);
/// A new internet host is up after much less than this.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// The sandboxes of a daemon.
pub(crate) struct Instances {
    places: Mutex<BTreeMap<Place, Slot>>,
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
        interfaces: BTreeMap<Device, Interface>,
        scope: Option<Scope>,
    },
    /// It could not be started; not tried again before the plan changes.
    Failed { plan: Box<SandboxPlan> },
}

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
            self.compare();
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
        std::fs::read(self.console_path(&Place::Instance(instance_id))).ok()
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
                    if *failed == plan => {}
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
        tokio::task::spawn_blocking(move || match this.start_sandbox(&place, &plan) {
            // The daemon ends: the sandbox goes with its value.
            Ok(_) if this.closing.load(Ordering::SeqCst) => {}
            Ok(sandbox) => {
                let interfaces = plan.interfaces;
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
                tracing::error!(%place, error = %anyhow::Error::from(error), "could not be started");
                this.lock().insert(place, Slot::Failed { plan });
                let reason = "Server.InternalError: Internal error on launch";
                this.tell(place, scope, Outcome::Ended(Some(reason.to_owned())));
            }
        });
    }

    fn start_sandbox(&self, place: &Place, plan: &SandboxPlan) -> host::Result<Box<Sandbox>> {
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
        for (device, tap) in plan.interfaces.keys().zip(taps) {
            self.datapath.connect(*device, tap)?;
        }
        sandbox.boot()?;
        Ok(Box::new(sandbox))
    }

    fn stop_ended(
        self: &Arc<Self>,
        places: &mut BTreeMap<Place, Slot>,
        place: Place,
        scope: Option<Scope>,
    ) {
        if let Some(Slot::Up { interfaces, .. }) = places.insert(place, Slot::Busy) {
            self.disconnect(interfaces.keys());
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
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = sandbox.stop(GRACE) {
                        tracing::warn!(%place, %error, "did not stop well");
                    }
                    this.disconnect(interfaces.keys());
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
        runtime.spawn(async move {
            let ended = matches!(outcome, Outcome::Ended(_));
            if let (Place::Instance(instance_id), Some(scope)) = (place, scope) {
                let event = match outcome {
                    Outcome::Started => Event::InstanceStarted(instance_id),
                    Outcome::Ended(reason) => Event::InstanceEnded {
                        instance_id,
                        reason,
                    },
                };
                if let Err(error) = this.writer.observe(scope, event).await {
                    // An instance that was terminated meanwhile needs no news; the next comparison
                    // repeats what still matters.
                    tracing::debug!(%place, %error, "nobody wanted to know");
                }
            }
            if ended {
                let mut places = this.lock();
                if matches!(places.get(&place), Some(Slot::Busy)) {
                    places.remove(&place);
                }
            }
            this.changed.notify_one();
        });
    }

    /// Attaches, detaches and readdresses the interfaces of a running sandbox.
    fn change_interfaces(
        &self,
        sandbox: &mut Sandbox,
        own: &mut BTreeMap<Device, Interface>,
        wanted: &BTreeMap<Device, Interface>,
    ) {
        if own == wanted {
            return;
        }
        let gone: Vec<Device> = own
            .keys()
            .filter(|device| !wanted.contains_key(device))
            .copied()
            .collect();
        self.disconnect(gone.iter());
        own.retain(|device, _| wanted.contains_key(device));
        for (device, interface) in wanted {
            let done = match own.get(device) {
                Some(known) if known == interface => Ok(()),
                Some(known) => readdress(sandbox, known, interface),
                None => sandbox
                    .attach(interface)
                    .and_then(|tap| self.datapath.connect(*device, tap)),
            };
            match done {
                Ok(()) => {
                    own.insert(*device, interface.clone());
                }
                Err(error) => {
                    tracing::error!(?device, %error, "the interface could not be changed");
                }
            }
        }
    }

    fn disconnect<'a>(&self, devices: impl Iterator<Item = &'a Device>) {
        for device in devices {
            if let Err(error) = self.datapath.disconnect(*device) {
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
