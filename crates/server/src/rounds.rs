//! What the daemon does as time passes.

use std::sync::Arc;
use std::time::Duration;

use control::Event;
use model::{Scope, Timestamp, World};
use tokio::time::Instant;

use crate::clock;
use crate::daemon::Daemon;

/// Tells the writer that time passes: of a Region when something is due there, of all of them now and then.
pub(crate) async fn tick(daemon: Arc<Daemon>) {
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
        match daemon.logs.sweep(clock::milliseconds()) {
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
