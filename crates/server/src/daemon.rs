//! The daemon: its parts, in the order in which they start and stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use control::{Event, Quotas};
use dataplane::Inquiry;
use http::{Request, Response};
use hyper::body::Incoming;
use model::{Scope, Timestamp, World};
use services::cloudtrail::Trails;
use services::firehose::{Firehose, Limits};
use services::logs::Logs;
use services::s3::{LogFolder, S3, S3Endpoint, Undeliverable, Witness};
use store::Journal;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::body::BodyBudget;
use crate::cloudtrail::EventHistory;
use crate::config::Config;
use crate::datapath::Datapath;
use crate::instances::Instances;
use crate::keyring::{Keyring, S3Keys};
use crate::metrics::Sources;
use crate::ops::StatusReport;
use crate::patience::Patience;
use crate::recorder::Recorder;
use crate::respond::{self, Answer};
use crate::service_network::{Door, Reception};
use crate::state_folder::StateFolder;
use crate::writer::Writer;
use crate::{
    auth, clock, firehose, health_checks, http as port, resolver, service_network, trails,
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
    logs: Arc<Logs>,
    /// The embedded Firehose.
    pub(crate) firehose: Arc<Firehose>,
    pub(crate) s3: S3,
    /// CloudTrail's trails.
    pub(crate) trails: Arc<Trails>,
    pub(crate) history: Arc<EventHistory>,
    s3_endpoint: S3Endpoint,
    listen: SocketAddr,
    state: PathBuf,
    started: Timestamp,
}

/// Runs a daemon until it is told to end by SIGTERM or SIGINT. `ready` is called once it serves.
///
/// # Errors
///
/// If it cannot start, above all if it could not enforce what the API promises; or if it can no
/// longer enforce it.
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    config.check()?;
    host::doctor::enforcement().context("refusing to start: rules could not be enforced here")?;
    // What is kept is its owner's alone, also in a folder that was there before.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    allow_open_files();
    let folder = StateFolder::open(config.state.as_deref())?;
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

async fn serve(config: Config, state: &Path, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    // Asked for first, so that a signal during the start ends the daemon in good order.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let mut journal = Journal::open(state)?;
    let world = journal.load().context("the state cannot be read")?;
    let (listener, listen) = listen_on(config.listen).await?;
    host::remove_stale_cgroups();

    let (datapath, inquiries) = Datapath::start(&config)?;
    let datapath = Arc::new(datapath);
    let uplink = connect_uplink(&config, &datapath)?;
    let (services, doors) = service_network::open(&config, &datapath)?;
    let reception = Reception::new(&config, state)?;
    let (failed, failure) = tokio::sync::oneshot::channel();
    let writer = Writer::start(
        journal,
        world,
        datapath.enforcer(),
        Quotas::default(),
        |error| {
            // Nobody listens when the daemon is ending anyway.
            let _ = failed.send(error);
        },
    )?;
    let (s3, logs, firehose) = open_services(state)?;
    let (trails, history) = trails::open(state)?;
    let instances = Instances::new(
        writer.clone(),
        datapath.clone(),
        config.executable.clone(),
        state.to_owned(),
        reception.authority.pem().to_owned(),
    );
    let flow_logs = Recorder::start(
        &config,
        writer.clone(),
        datapath.clone(),
        crate::destinations::choose(&config, &s3, &logs, &firehose)?,
        state,
    )
    .await?;
    let keyring = Arc::new(Keyring::open(state, config.account)?);
    let daemon = Arc::new(Daemon {
        s3_endpoint: s3.service(S3Keys(keyring.clone()), service_network::s3_names()),
        keyring,
        reception,
        started: clock::now(),
        state: state.to_owned(),
        config,
        writer,
        datapath,
        instances: instances.clone(),
        flow_logs: flow_logs.clone(),
        bodies: BodyBudget::default(),
        logs,
        firehose,
        s3,
        trails,
        history,
        listen,
    });
    let mut tasks = start(daemon, listener, doors, inquiries);
    tracing::info!(%listen, state = %state.display(), "ready");
    ready(listen);

    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = failed_part(failure, &mut tasks) => ended,
    };
    tokio::task::spawn_blocking(move || instances.shut_down()).await?;
    flow_logs.shut_down().await;
    drop((uplink, services));
    ended
}

/// The port, and which it is.
async fn listen_on(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
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

/// Opens what the embedded services keep.
fn open_services(state: &Path) -> anyhow::Result<(S3, Arc<Logs>, Arc<Firehose>)> {
    let s3 = S3::open(state.join("s3")).context("the embedded S3 cannot be opened")?;
    let logs = Logs::open(state.join("logs.sqlite")).context("CloudWatch Logs cannot be opened")?;
    let path = state.join("firehose.sqlite");
    let firehose = Firehose::open(path, Limits::default(), firehose::random)
        .context("Firehose cannot be opened")?;
    Ok((s3, Arc::new(logs), Arc::new(firehose)))
}

/// Starts the parts of the daemon, none of which may end.
fn start(
    daemon: Arc<Daemon>,
    listener: TcpListener,
    doors: Vec<Door>,
    inquiries: mpsc::Receiver<Inquiry>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(daemon.instances.clone().run());
    tasks.spawn(daemon.flow_logs.clone().run());
    tasks.spawn(firehose::run(daemon.firehose.clone(), daemon.s3.clone()));
    tasks.spawn(tick(daemon.clone()));
    tasks.spawn(trails::run(daemon.clone()));
    tasks.spawn(reopen(daemon.clone()));
    tasks.spawn(health_checks::note(daemon.clone()));
    tasks.spawn(resolver::run(daemon.clone(), inquiries));
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

/// Tells the writer that time passes: of a Region when something is due there, of all of them now and then.
async fn tick(daemon: Arc<Daemon>) {
    let mut worlds = daemon.writer.watch();
    let mut rounds = 0_u64;
    let mut round = Instant::now() + ROUND;
    loop {
        let world = worlds.borrow_and_update().clone();
        let due = first_due(&world);
        let pause = due.map_or(ROUND, |(at, _)| at.since(clock::now()));
        tokio::select! {
            () = tokio::time::sleep_until(round) => {
                for &scope in world.regions.keys() {
                    note_time(&daemon, scope).await;
                }
                rounds += 1;
                if rounds.is_multiple_of(ROUNDS_PER_CLEANING) {
                    forget_consoles(&daemon).await;
                }
                if rounds % ROUNDS_PER_SWEEP == 1 {
                    tokio::spawn(sweep(daemon.clone()));
                }
                round = Instant::now() + ROUND;
            }
            () = tokio::time::sleep(pause) => {
                if let Some((_, scope)) = due && !note_time(&daemon, scope).await {
                    tokio::time::sleep(RETRY).await;
                }
            }
            // Another world may have something due earlier.
            Ok(()) = worlds.changed() => {}
        }
    }
}

/// How often all Regions hear that time passes.
const ROUND: Duration = Duration::from_secs(1);
/// How rarely the console output of former instances is looked for.
const ROUNDS_PER_CLEANING: u64 = 30;
/// How rarely the embedded services look for what they need not keep any more.
const ROUNDS_PER_SWEEP: u64 = 600;
/// When a Region hears it again that could not take note of it.
const RETRY: Duration = Duration::from_secs(1);

/// When and where the passing of time next changes something that clients wait for.
fn first_due(world: &World) -> Option<(Timestamp, Scope)> {
    let regions = world.regions.iter();
    regions
        .filter_map(|(&scope, state)| Some((control::due(state)?, scope)))
        .min()
}

async fn note_time(daemon: &Daemon, scope: Scope) -> bool {
    match daemon.writer.observe(scope, Event::Tick).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the passing of time could not be noted");
            false
        }
    }
}

/// Deletes what retention of log groups has passed, and data that a crash has left without an object.
async fn sweep(daemon: Arc<Daemon>) {
    let swept = tokio::task::spawn_blocking(move || {
        let now = i64::try_from(clock::now().as_millis()).unwrap_or(i64::MAX);
        match daemon.logs.sweep(now) {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "retention has passed"),
            Err(error) => tracing::warn!(%error, "what retention has passed was not deleted"),
        }
        match daemon.s3.sweep() {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "data without an object was removed"),
            Err(error) => tracing::warn!(%error, "data without an object was not removed"),
        }
    });
    if let Err(error) = swept.await {
        tracing::warn!(%error, "the embedded services were not swept");
    }
}

async fn forget_consoles(daemon: &Daemon) {
    let instances = daemon.instances.clone();
    let cleaned = tokio::task::spawn_blocking(move || instances.forget_consoles());
    if let Err(error) = cleaned.await {
        tracing::warn!(%error, "the console output of former instances was not removed");
    }
}

impl Daemon {
    /// Answers an S3 request.
    pub(crate) async fn s3(&self, mut request: Request<Incoming>) -> Response<s3s::Body> {
        auth::adopt(&mut request, &self.keyring);
        let witness = Witness::default();
        request.extensions_mut().insert(witness.clone());
        let (parts, body) = request.into_parts();
        let seen = parts.clone();
        let body = s3s::Body::http_body_unsync(Patience::with(body));
        let mut response = self
            .s3_endpoint
            .call(Request::from_parts(parts, body))
            .await;
        if let Some(asked) = witness.asked() {
            let denied = witness.was_denied_by_endpoint();
            trails::note_s3(self, asked, denied, &seen, &mut response).await;
        }
        response
    }

    /// Whether a bucket takes the files of a new flow log. Another S3 than the embedded one is asked at the first
    /// delivery only.
    pub(crate) fn check_new_delivery(&self, to: &LogFolder) -> Result<(), Undeliverable> {
        match self.config.s3_endpoint {
            Some(_) => Ok(()),
            None => self.s3.check_new_delivery(to),
        }
    }

    /// Lets a bucket of the account take the files of a new flow log; another S3 than the embedded one is left alone.
    pub(crate) fn allow_delivery(&self, to: &LogFolder) -> Result<(), Undeliverable> {
        match self.config.s3_endpoint {
            Some(_) => Ok(()),
            None => self.s3.allow_delivery(to),
        }
    }

    /// Answers a call of CloudWatch Logs.
    pub(crate) async fn logs(
        &self,
        scope: Scope,
        operation: &str,
        body: Bytes,
        request_id: &str,
    ) -> Answer {
        let (logs, operation) = (self.logs.clone(), operation.to_owned());
        let call = tokio::task::spawn_blocking(move || {
            let scope = crate::destinations::logs_scope(scope);
            let now = i64::try_from(clock::now().as_millis()).unwrap_or(i64::MAX);
            logs.call(&scope, &operation, &body, now)
        });
        match call.await {
            Ok(answer) => respond::json_bytes(answer.status, request_id, answer.body),
            Err(error) => {
                tracing::error!(%error, "a call of CloudWatch Logs failed");
                respond::json_error(
                    500,
                    request_id,
                    "InternalFailure",
                    "An internal error has occurred",
                )
            }
        }
    }

    /// The state folder.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state
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
            datapath: "user space, one TAP per interface".to_owned(),
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
