//! Makes the host what the plan says: starts, changes and stops sandboxes, and tells the writer.
//!
//! One task compares what should be with what is. What takes time runs on threads of its own; a
//! place is left alone while one of them is at work on it.

mod console;
mod interface;
mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dataplane::Device;
use host::{ExecTarget, Interface, NetworkNamespace, Sandbox};
use model::Scope;
use tokio::sync::Notify;

use self::life::{Outcome, failed_to_launch};
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
    /// Whom programs inside trust besides those whom the host trusts, in PEM.
    authorities: String,
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
        authorities: String,
    ) -> Arc<Self> {
        Arc::new(Self {
            places: Mutex::default(),
            telling: Mutex::default(),
            changed: Notify::new(),
            datapath,
            writer,
            executable,
            state,
            authorities,
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

    /// How many instances are up; hosts of the internet are none.
    pub(crate) fn count(&self) -> usize {
        self.lock()
            .iter()
            .filter(|(place, slot)| {
                matches!(place, Place::Instance(_)) && matches!(slot, Slot::Up { .. })
            })
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

    fn telling(&self) -> MutexGuard<'_, BTreeSet<(Place, bool)>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Slot>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
