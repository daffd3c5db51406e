//! Sandboxes begin and end, and the writer is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use control::Event;
use host::{Sandbox, SandboxConfig};
use model::Scope;

use super::{Connected, GRACE, Instances, REPEAT, Slot};
use crate::plan::{Place, SandboxPlan};

impl Instances {
    pub(super) fn start(
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
                // The daemon ends, and with its value this sandbox.
                Ok(_) if this.closing.load(Ordering::SeqCst) => {}
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
            Place::Instance(id) => id.to_string(),
            Place::InternetHost(_) => format!("host-{number}"),
        };
        let mut config = SandboxConfig::new(&name, number, self.console_path(place));
        config.executable.clone_from(&self.executable);
        config.hostname.clone_from(&plan.hostname);
        config.resolv_conf.clone_from(&plan.resolv_conf);
        config.user_data.clone_from(&plan.user_data);
        config.hidden.push(self.state.clone());
        config.authorities.clone_from(&self.authorities);
        config.interfaces = plan.interfaces.values().cloned().collect();
        let (mut sandbox, wires) = Sandbox::start(config, self.datapath.wiring())?;
        let mut connected = Connected::new();
        let booted = plan
            .interfaces
            .iter()
            .zip(wires)
            .try_for_each(|((device, interface), wire)| {
                let connection = self.datapath.connect(*device, wire)?;
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

    pub(super) fn stop_ended(
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

    pub(super) fn stop(
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
    pub(super) fn tell(self: &Arc<Self>, place: Place, scope: Option<Scope>, outcome: Outcome) {
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
}

/// What the writer is told of a place.
pub(super) enum Outcome {
    /// Its sandbox is up.
    Started,
    /// Its sandbox is gone; why, if the API did not ask for it.
    Ended(Option<String>),
}

pub(super) fn failed_to_launch() -> Outcome {
    let reason = "Server.InternalError: Internal error on launch";
    Outcome::Ended(Some(reason.to_owned()))
}
