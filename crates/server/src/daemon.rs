//! The daemon: its parts, in the order in which they start and stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use delivery::Remote;
use delivery::firehose::StreamStore;
use model::Timestamp;
use services::cloudtrail::Trails;
use services::firehose::{Firehose, Limits};
use services::logs::Logs;
use services::s3::{S3, S3Endpoint};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::body::BodyBudget;
use crate::cloudtrail::EventHistory;
use crate::config::Config;
use crate::datapath::{Datapath, Questions};
use crate::instances::Instances;
use crate::keyring::{Keyring, S3Keys};
use crate::metrics::Sources;
use crate::ops::{Health, StatusReport};
use crate::recorder::Recorder;
use crate::service_network::{Door, Reception};
use crate::state_folder::{StateFolder, make_private, open_journal};
use crate::writer::Writer;
use crate::{
    clock, destinations, firehose, health_checks, http as port, resolver, rounds, service_network,
    state_file, trails,
};

/// A running daemon, for everybody who serves its port.
pub(crate) struct Daemon {
    /// What it was started with.
    pub(crate) config: Config,
    /// The way to change its state.
    pub(crate) writer: Writer,
    /// What moves packets.
    pub(crate) datapath: Arc<Datapath>,
    /// The sandboxes.
    pub(crate) instances: Arc<Instances>,
    /// What becomes of the flows that were seen.
    pub(crate) flow_logs: Arc<Recorder>,
    /// The access keys and who is behind them.
    pub(crate) keyring: Arc<Keyring>,
    /// What bodies of calls may still take.
    pub(crate) bodies: BodyBudget,
    /// What it has for those who come by the service network.
    pub(crate) reception: Reception,
    pub(crate) logs: Arc<Logs>,
    /// The embedded Firehose.
    pub(crate) firehose: Arc<Firehose>,
    /// The Firehose whose streams flow logs go to.
    pub(crate) streams: Arc<dyn StreamStore>,
    pub(crate) s3: S3,
    /// The S3 elsewhere that files of flow logs go to, if they do.
    pub(crate) foreign_s3: Option<Arc<Remote>>,
    /// CloudTrail's trails.
    pub(crate) trails: Arc<Trails>,
    pub(crate) history: Arc<EventHistory>,
    pub(crate) s3_endpoint: S3Endpoint,
    listen: SocketAddr,
    state: PathBuf,
    started: Timestamp,
    /// Told when all is to be forgotten.
    pub(crate) reset: Notify,
}

/// How a daemon has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, by a signal.
    Told,
    /// Its state is to be forgotten, and another is to take its place at this address.
    Reset(SocketAddr),
}

/// Runs a daemon until it is told to end by SIGTERM or SIGINT, or to forget its state. `ready` is called once it serves.
///
/// # Errors
///
/// If it cannot start, above all if it could not enforce what the API promises; or if it can no
/// longer enforce it.
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<Ended> {
    config.check()?;
    host::doctor::enforcement().context("refusing to start: rules could not be enforced here")?;
    // What is kept is its owner's alone, also in a folder that was there before.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    allow_open_files();
    let folder = StateFolder::open(config.state.as_deref())?;
    if let Some(file) = &config.state_from {
        state_file::import(file, folder.path(), false)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(config, folder.path(), ready));
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

/// Connections and interfaces take a descriptor each; many shells start programs with few.
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::debug!(%error, "the number of open files stays as it is");
    }
}

async fn serve(
    config: Config,
    state: &Path,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<Ended> {
    // Asked for first, so that a signal during the start ends the daemon in good order.
    let mut signals = Signals::heard()?;
    let mut journal = open_journal(state)?;
    make_private(&state.join("console"))?;
    let world = journal.load().context("the state cannot be read")?;
    let (listener, listen) = listen_on(config.listen)?;
    host::remove_stale_cgroups();

    let (datapath, questions) = Datapath::start(&config)?;
    let datapath = Arc::new(datapath);
    let uplink = connect_uplink(&config, &datapath)?;
    let (services, doors) = service_network::open(&config, &datapath)?;
    let reception = Reception::new(&config, state)?;
    let (failed, failure) = tokio::sync::oneshot::channel();
    let writer = Writer::start(
        journal,
        world,
        datapath.enforcer(),
        config.quotas().clone(),
        // Nobody listens when the daemon is ending anyway.
        |error| drop(failed.send(error)),
    )?;
    let (s3, logs, firehose) = open_services(state)?;
    let streams = destinations::streams(&config, &firehose)?;
    let foreign_s3 = destinations::foreign_s3(&config)?;
    let (trails, history) = trails::open(state)?;
    let instances = Instances::new(
        writer.clone(),
        datapath.clone(),
        config.executable.clone(),
        state.to_owned(),
        reception.authority.pem().to_owned(),
    );
    let sinks = destinations::choose(&config, &s3, foreign_s3.as_ref(), &logs, streams.clone())?;
    let flow_logs =
        Recorder::start(&config, writer.clone(), datapath.clone(), sinks, state).await?;
    let keyring =
        Keyring::open(state, config.account)?.with_iam(writer.watch(), config.enforce_iam);
    let daemon = Arc::new(Daemon {
        s3_endpoint: s3.service(S3Keys(keyring.clone()), service_network::s3_names()),
        keyring,
        reception,
        started: clock::now(),
        state: state.to_owned(),
        config,
        writer,
        datapath,
        instances,
        flow_logs,
        bodies: BodyBudget::default(),
        logs,
        firehose,
        streams,
        s3,
        foreign_s3,
        trails,
        history,
        listen,
        reset: Notify::new(),
    });
    let mut tasks = start(daemon.clone(), listener, doors, questions);
    tracing::info!(%listen, state = %state.display(), "ready");
    ready(listen);
    let ended = tokio::select! {
        () = signals.told_to_end() => Ok(Ended::Told),
        () = daemon.reset.notified() => Ok(Ended::Reset(listen)),
        ended = failed_part(failure, &mut tasks) => ended.map(|()| Ended::Told),
    };
    shut_down(&daemon).await?;
    drop((uplink, services));
    ended
}

/// Ends what runs, in order.
async fn shut_down(daemon: &Daemon) -> anyhow::Result<()> {
    daemon.datapath.end_captures().await;
    let instances = daemon.instances.clone();
    tokio::task::spawn_blocking(move || instances.shut_down()).await?;
    daemon.flow_logs.shut_down().await;
    Ok(())
}

/// The signals that end a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn heard() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn told_to_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Clients that may wait to be accepted; more would have to call again a second later.
const BACKLOG: u32 = 4096;

/// The port, and which it is.
fn listen_on(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = open().with_context(|| {
        format!("cannot listen on {address} (`--listen 127.0.0.1:0` takes any free port)")
    })?;
    let listen = listener.local_addr()?;
    Ok((listener, listen))
}

/// Waits until a part of the daemon ends that should not.
async fn failed_part(
    failure: tokio::sync::oneshot::Receiver<anyhow::Error>,
    tasks: &mut tokio::task::JoinSet<()>,
) -> anyhow::Result<()> {
    tokio::select! {
        error = failure => Err(error.map_or_else(
            |_| anyhow::anyhow!("the writer ended"),
            |error| error.context("ending: rules can no longer be enforced"),
        )),
        ended = tasks.join_next() => Err(anyhow::anyhow!("ending: a part of the daemon has failed: {ended:?}")),
    }
}

/// Opens what the embedded services keep, side by side: each waits for the disk most of the time.
fn open_services(state: &Path) -> anyhow::Result<(S3, Arc<Logs>, Arc<Firehose>)> {
    std::thread::scope(|scope| {
        let s3 = scope.spawn(|| S3::open(state.join("s3")));
        let logs = scope.spawn(|| Logs::open(state.join("logs.sqlite")));
        let path = state.join("firehose.sqlite");
        let firehose = Firehose::open(path, Limits::default(), firehose::random)
            .context("Firehose cannot be opened")?;
        let (s3, logs) = (ended(s3), ended(logs));
        let s3 = s3.context("the embedded S3 cannot be opened")?;
        let logs = logs.context("CloudWatch Logs cannot be opened")?;
        Ok((s3, Arc::new(logs), Arc::new(firehose)))
    })
}

/// What a thread came to. Its panic is ours.
fn ended<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    let result = thread.join();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts the parts of the daemon, none of which may end.
fn start(
    daemon: Arc<Daemon>,
    listener: TcpListener,
    doors: Vec<Door>,
    questions: Questions,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(daemon.instances.clone().run());
    tasks.spawn(daemon.flow_logs.clone().run());
    tasks.spawn(firehose::run(daemon.firehose.clone(), daemon.s3.clone()));
    tasks.spawn(rounds::tick(daemon.clone()));
    tasks.spawn(trails::run(daemon.clone()));
    tasks.spawn(reopen(daemon.clone()));
    tasks.spawn(health_checks::note(daemon.clone()));
    tasks.spawn(health_checks::tls::speak(
        daemon.clone(),
        questions.tls_steps,
    ));
    tasks.spawn(resolver::run(daemon.clone(), questions.inquiries));
    tasks.spawn(service_network::serve(doors, daemon.clone()));
    tasks.spawn(port::serve(listener, daemon));
    tasks
}

/// Connects the real internet, if it is wanted, as long as the answer lives.
fn connect_uplink(config: &Config, datapath: &Datapath) -> anyhow::Result<Option<host::Uplink>> {
    if !config.uplink {
        return Ok(None);
    }
    let uplink = datapath
        .connect_uplink(&config.executable)
        .context("refusing to start with --uplink")?;
    let (interfaces, ipv6) = (uplink.interfaces().join(", "), uplink.ipv6());
    tracing::info!(%interfaces, ipv6, "instances reach the real internet");
    Ok(Some(uplink))
}

/// Has the files of exports opened anew at each SIGHUP, which does not end the daemon.
async fn reopen(daemon: Arc<Daemon>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP is not heard");
            return std::future::pending().await;
        }
    };
    while hangups.recv().await.is_some() {
        daemon.flow_logs.exports().reopen();
    }
}

impl Daemon {
    /// The state folder.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state
    }

    /// That it is, for whoever asks without credentials.
    pub(crate) fn health(&self) -> Health {
        Health {
            status: "ok".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.writer.world().generation,
            started_us: self.started.as_micros(),
        }
    }

    /// How the daemon is.
    pub(crate) fn status(&self) -> StatusReport {
        let world = self.writer.world();
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            listen: format!("http://{}", self.listen),
            state: self.state.clone(),
            region: self.config.region.to_string(),
            account: self.config.account.to_string(),
            generation: world.generation,
            instances: self.instances.count(),
            network_interfaces: world
                .regions
                .values()
                .map(|s| s.network_interfaces.len())
                .sum(),
            datapath: self.datapath.in_words().to_owned(),
            packets: self.datapath.counters(),
            uptime_s: self.uptime_s(),
            flow_logs: self.flow_logs.summary(),
        }
    }

    /// Its metrics, in Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        Sources::of(self, self.uptime_s()).render()
    }

    fn uptime_s(&self) -> u64 {
        clock::now().since(self.started).as_secs()
    }
}
