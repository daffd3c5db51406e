//! The port: connections in, requests to the service that they are for, answers out.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::Region;
use policy::Origin;
use services::firehose::Entrance as FirehoseEntrance;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::arrival::{self, Arrival};
use crate::auth::{self, Identity};
use crate::cloudtrail::{self, Draft};
use crate::daemon::Daemon;
use crate::respond::{self, Answer};
use crate::service::Service;
use crate::{access, browser, clock, ec2, missing, sts, weir};

/// A client has so long to send the head of a request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at a time; further ones wait. Leaves descriptors for everything else.
const CONNECTIONS_MAX: usize = 512;

/// Serves connections until the daemon ends.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        if places.available_permits() == 0 {
            tracing::warn!("{CONNECTIONS_MAX} connections are open; more have to wait");
        }
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: give connections a chance to end.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let daemon = daemon.clone();
        tokio::spawn(async move {
            let _place = place;
            let from = Entrance::Port(peer.ip());
            if let Err(error) = connection(stream, from, daemon).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

/// Where a connection came in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entrance {
    /// By Weir's own port, from this address.
    Port(IpAddr),
    /// By the address of a service.
    Service(Arrival),
}

/// Serves one connection.
///
/// # Errors
///
/// If it ends within a request.
pub(crate) async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    entrance: Entrance,
    daemon: Arc<Daemon>,
) -> anyhow::Result<()> {
    let service = service_fn(move |request| {
        let daemon = daemon.clone();
        async move {
            Ok::<_, Infallible>(match entrance {
                Entrance::Port(peer) => answer(&daemon, peer, request).await,
                Entrance::Service(arrival) => arrival::answer(&daemon, arrival, request).await,
            })
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

/// The body of an answer: S3's and captures are streamed, all others are known as a whole.
type Body = s3s::Body;

async fn answer(
    daemon: &Arc<Daemon>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if request.method() == Method::GET && request.uri().path() == "/_weir/health" {
        return whole(respond::json(200, &clock::request_id(), &daemon.health()));
    }
    let query = request.uri().query().unwrap_or_default();
    let metrics = request.method() == Method::GET && request.uri().path() == "/_weir/metrics";
    let signed = auth::signed_service(request.headers(), query);
    let service = match signed.as_deref().map(Service::signed_for) {
        // No bucket can have that name.
        _ if metrics => Some(Service::Weir),
        Some(service) => service,
        None => Some(Service::guess(request.method(), request.headers(), query)),
    };
    let Some(service) = service else {
        return whole(missing::answer(daemon, &signed.unwrap_or_default(), request).await);
    };
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if let Err(refused) = browser::keep_out(method, uri, headers, service) {
        let (id, message) = (clock::request_id(), refused.to_string());
        return whole(auth::refuse(service, &id, 403, "AccessDenied", &message));
    }
    if metrics {
        return whole(respond::text(200, &clock::request_id(), daemon.metrics()));
    }
    let origin = Origin::public(peer, false);
    match service {
        Service::S3 => {
            request.extensions_mut().insert(origin);
            daemon.s3(request).await
        }
        Service::Weir if weir::is_capture(request.headers()) => {
            let id = clock::request_id();
            match believe(daemon, &origin, None, service, request, &id).await {
                Ok(call) => weir::capture(daemon, &call.body, &id).await,
                Err(refused) => whole(refused),
            }
        }
        Service::Weir if weir::is_export(request.headers()) => {
            let id = clock::request_id();
            match believe(daemon, &origin, None, service, request, &id).await {
                Ok(_) => weir::export(daemon, &id).await,
                Err(refused) => whole(refused),
            }
        }
        service => whole(call(daemon, &origin, None, service, request).await),
    }
}

/// A call of a service other than S3. `region` is that of the endpoint, which the signature must be for.
pub(crate) async fn call(
    daemon: &Arc<Daemon>,
    origin: &Origin,
    region: Option<Region>,
    service: Service,
    request: Request<Incoming>,
) -> Answer {
    let request_id = clock::request_id();
    match believe(daemon, origin, region, service, request, &request_id).await {
        Ok(call) => {
            // Only endpoints of the service network are of a Region.
            let entrance = match region {
                Some(_) => FirehoseEntrance::Instance,
                None => FirehoseEntrance::Machine,
            };
            dispatch(daemon, service, entrance, call, &request_id).await
        }
        Err(refused) => refused,
    }
}

/// A call whose signature is right, and which may pass the endpoint that it came through.
pub(crate) struct Believed {
    identity: Identity,
    pub(crate) parts: http::request::Parts,
    pub(crate) body: Bytes,
    origin: Origin,
    /// The event that the call leaves, if it leaves one.
    event: Option<Draft>,
}

/// Reads a call's body whole, checks its signature, and asks the endpoint's policy.
///
/// # Errors
///
/// The answer to a call that is refused.
pub(crate) async fn believe(
    daemon: &Arc<Daemon>,
    origin: &Origin,
    region: Option<Region>,
    service: Service,
    request: Request<Incoming>,
    request_id: &str,
) -> Result<Believed, Answer> {
    let (parts, body) = request.into_parts();
    if !auth::is_signed(&parts.headers, parts.uri.query().unwrap_or_default()) {
        return Err(auth::Error::from(sigv4::Error::Missing).answer(service, request_id));
    }
    let body = daemon.bodies.read(body).await.map_err(|error| {
        let (status, code) = error.code();
        auth::refuse(service, request_id, status, code, &error.to_string())
    })?;
    let identity = auth::authenticate(&parts, &body, service, &daemon.keyring, clock::now())
        .map_err(|error| error.answer(service, request_id))?;
    if region.is_some_and(|region| region != identity.scope.region) {
        return Err(auth::Error::WrongScope { what: "region" }.answer(service, request_id));
    }
    let event = Draft::of(service, &identity, origin, &parts, &body, request_id)
        .map(|event| event.watched(origin, &daemon.trails));
    let body = match service {
        Service::Iam => access::with_own_name(&identity, body),
        _ => body,
    };
    let world = daemon.writer.world();
    if let Err(refused) = access::check(&world, service, &identity, origin, &parts, &body) {
        let answer = refused.answer(service, request_id);
        if let Some(event) = event {
            let event = match refused.is_by_endpoint() {
                true => event.denied_by_endpoint(),
                false => event,
            };
            daemon.writer.note(event.events_of(&answer)).await;
        }
        return Err(answer);
    }
    Ok(Believed {
        identity,
        parts,
        body,
        origin: origin.clone(),
        event,
    })
}

async fn dispatch(
    daemon: &Arc<Daemon>,
    service: Service,
    entrance: FirehoseEntrance,
    call: Believed,
    request_id: &str,
) -> Answer {
    let Believed {
        identity,
        parts,
        body,
        origin,
        event,
    } = call;
    let (identity, body) = (&identity, &body);
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let answer = match service {
        // What these change and that they were called is one transaction.
        Service::Ec2 => return ec2::call(daemon, identity, event, query, body, request_id).await,
        Service::ElasticLoadBalancing => {
            return ec2::elastic_load_balancing(daemon, identity, event, query, body, request_id)
                .await;
        }
        Service::Iam => return ec2::iam(daemon, identity, event, query, body, request_id).await,
        Service::Sts => {
            let (answer, elements) = sts::call(daemon, identity, &origin, &parts, body, request_id);
            if let Some(event) = event {
                let outcome = cloudtrail::outcome(&answer).map(|_| elements);
                daemon
                    .writer
                    .note(event.events(clock::now(), outcome))
                    .await;
            }
            return answer;
        }
        Service::Logs => {
            daemon
                .logs(identity.scope, operation, body.clone(), request_id)
                .await
        }
        Service::Firehose => {
            let body = body.clone();
            daemon
                .firehose(identity.scope, entrance, operation, body, request_id)
                .await
        }
        Service::CloudTrail => {
            daemon
                .cloudtrail(identity.scope, operation, body.clone(), request_id)
                .await
        }
        Service::Weir => weir::call(daemon, operation, body, request_id).await,
        Service::S3 | Service::DynamoDb => {
            respond::json_error(500, request_id, "InternalFailure", "misrouted")
        }
    };
    if let Some(event) = event {
        daemon.writer.note(event.events_of(&answer)).await;
    }
    answer
}

/// An answer that is known as a whole, as one that may be streamed.
pub(crate) fn whole(answer: Answer) -> Response<Body> {
    answer.map(Body::from)
}
