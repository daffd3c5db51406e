//! The port: connections in, requests to the service that they are for, answers out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use policy::Origin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::auth::{self, Identity};
use crate::daemon::Daemon;
use crate::respond::{self, Answer};
use crate::service::Service;
use crate::{access, browser, clock, ec2, sts, weir};

/// A client has so long to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
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
            connection(stream, Origin::public(peer.ip(), false), daemon).await;
        });
    }
}

/// Serves one connection, whose requests all come from `origin`.
pub(crate) async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: Origin,
    daemon: Arc<Daemon>,
) {
    let service = service_fn(move |request| {
        let (daemon, origin) = (daemon.clone(), origin.clone());
        async move { Ok::<_, Infallible>(answer(&daemon, &origin, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The body of an answer: S3's are streamed, all others are known as a whole.
type Body = s3s::Body;

async fn answer(
    daemon: &Arc<Daemon>,
    origin: &Origin,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if request.method() == Method::GET && request.uri().path() == "/_weir/health" {
        return whole(respond::json(
            200,
            &clock::request_id(),
            &serde_json::json!({ "status": "ok" }),
        ));
    }
    let query = request.uri().query().unwrap_or_default();
    let service = auth::signed_service(request.headers(), query)
        .unwrap_or_else(|| Service::guess(request.method(), request.headers(), query));
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if let Err(refused) = browser::keep_out(method, uri, headers, service) {
        let (id, message) = (clock::request_id(), refused.to_string());
        return whole(auth::refuse(service, &id, 403, "AccessDenied", &message));
    }
    match service {
        Service::S3 => {
            request.extensions_mut().insert(origin.clone());
            daemon.s3(request).await
        }
        service => whole(call(daemon, origin, service, request).await),
    }
}

/// A call of a service other than S3: its body is read whole, its signature checked.
async fn call(
    daemon: &Arc<Daemon>,
    origin: &Origin,
    service: Service,
    request: Request<Incoming>,
) -> Answer {
    let request_id = clock::request_id();
    let (parts, body) = request.into_parts();
    if !auth::is_signed(&parts.headers, parts.uri.query().unwrap_or_default()) {
        return auth::Error::from(sigv4::Error::Missing).answer(service, &request_id);
    }
    let body = match daemon.bodies.read(body).await {
        Ok(body) => body,
        Err(error) => {
            let (status, code) = error.code();
            return auth::refuse(service, &request_id, status, code, &error.to_string());
        }
    };
    let identity = match auth::authenticate(&parts, &body, service, &daemon.keyring, clock::now()) {
        Ok(identity) => identity,
        Err(error) => return error.answer(service, &request_id),
    };
    if let Err(refused) = access::check(service, &identity, origin, &parts, &body) {
        return refused.answer(service, &request_id);
    }
    dispatch(daemon, service, &identity, &parts, &body, &request_id).await
}

async fn dispatch(
    daemon: &Arc<Daemon>,
    service: Service,
    identity: &Identity,
    parts: &http::request::Parts,
    body: &Bytes,
    request_id: &str,
) -> Answer {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    match service {
        Service::Ec2 => ec2::call(daemon, identity, query, body, request_id).await,
        Service::ElasticLoadBalancing => {
            ec2::elastic_load_balancing(daemon, identity, query, body, request_id).await
        }
        Service::Sts => sts::call(daemon, identity, query, body, request_id),
        Service::Logs => {
            daemon
                .logs(identity.scope, operation, body.clone(), request_id)
                .await
        }
        Service::Weir => weir::call(daemon, operation, body, request_id).await,
        Service::S3 => respond::json_error(500, request_id, "InternalFailure", "misrouted"),
    }
}

fn whole(answer: Answer) -> Response<Body> {
    answer.map(Body::from)
}
