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
use rustix::net::sockopt::set_tcp_user_timeout;
use services::firehose::Entrance as FirehoseEntrance;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::arrival::{self, Arrival};
use crate::auth::{self, Identity};
use crate::cloudtrail::{self, Draft};
use crate::connections::{Arriving, Connections, Leaving, Place};
use crate::daemon::Daemon;
use crate::respond::{self, Answer};
use crate::service::Service;
use crate::{access, browser, clock, ec2, missing, sts, weir};

/// A client has so long to send the head of a request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Larger heads are refused. No call of AWS's has one half as large.
pub(crate) const HEAD_MAX: usize = 64 << 10;
/// A client may leave an answer alone for so long before its connection ends.
const UNREAD_MAX: Duration = Duration::from_secs(600);

/// Serves connections until the daemon ends.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    let connections = Arc::new(Connections::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: give connections a chance to end.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = connections.take() else {
            turn_away(&stream);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let _ = set_tcp_user_timeout(&stream, UNREAD_MAX.as_millis() as u32);
        let daemon = daemon.clone();
        tokio::spawn(async move {
            let from = Entrance::Port(peer.ip());
            let ended = tokio::select! {
                ended = connection(stream, from, Some(place.clone()), daemon) => ended,
                () = place.given_up() => Err(anyhow::anyhow!("another took its place")),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

/// Says that there is no place for a connection.
fn turn_away(stream: &TcpStream) {
    tracing::debug!("a connection was turned away: all others are due an answer");
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    // A new connection has room for so little.
    let _ = stream.try_write(answer);
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
    place: Option<Arc<Place>>,
    daemon: Arc<Daemon>,
) -> anyhow::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let (daemon, place) = (daemon.clone(), place.clone());
        async move {
            let request = request.map(|body| Arriving::new(body, place.clone()));
            let answer = match entrance {
                Entrance::Port(peer) => answer(&daemon, peer, request).await,
                Entrance::Service(arrival) => arrival::answer(&daemon, arrival, request).await,
            };
            Ok::<_, Infallible>(answer.map(|body| Leaving::new(body, place)))
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

/// The body of an answer: S3's and captures are streamed, all others are known as a whole.
type Body = s3s::Body;

async fn answer(
    daemon: &Arc<Daemon>,
    peer: IpAddr,
    mut request: Request<Arriving>,
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
    request: Request<Arriving>,
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
    request: Request<Arriving>,
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
