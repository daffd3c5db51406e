//! The instance metadata service over HTTP.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use dataplane::{Origin, ServiceWay};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use instance_metadata::{Answer, Asker};
use model::{NetworkInterfaceId, World};
use rustix::net::sockopt::{set_ip_ttl, set_ipv6_unicast_hops};
use tokio::net::TcpStream;

use crate::clock;
use crate::daemon::Daemon;
use crate::http::{HEAD_MAX, HEAD_TIMEOUT};

/// How many hops packets may travel whose answer says nothing else.
const HOPS: u8 = 64;

/// Serves a connection of an interface.
///
/// # Errors
///
/// If the connection ends within a request.
pub(crate) async fn serve(
    stream: TcpStream,
    origin: Origin,
    daemon: &Arc<Daemon>,
) -> anyhow::Result<()> {
    let ServiceWay::Link(interface) = origin.way else {
        anyhow::bail!("metadata is asked for on the link only");
    };
    let socket: Arc<OwnedFd> = Arc::new(stream.as_fd().try_clone_to_owned()?);
    let ipv4 = origin.source.is_ipv4();
    let service = service_fn(move |request: Request<Incoming>| {
        let (daemon, socket) = (daemon.clone(), socket.clone());
        async move {
            let answer = answer(&daemon, interface, &request);
            let hops = answer.hop_limit.unwrap_or(HOPS);
            Ok::<_, Infallible>(match limit_hops(&socket, ipv4, hops) {
                Ok(()) => response(answer),
                Err(error) => {
                    tracing::error!(%error, "the hop limit of a token could not be set");
                    response(Answer::error(500))
                }
            })
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

fn answer(daemon: &Daemon, interface: NetworkInterfaceId, request: &Request<Incoming>) -> Answer {
    let world = daemon.writer.world();
    let Some(asker) = asker(&world, interface) else {
        return Answer::error(404);
    };
    let text = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|v| v.to_str().unwrap_or("?"))
    };
    let request = instance_metadata::Request {
        method: request.method().as_str(),
        path: request.uri().path(),
        token: text("x-aws-ec2-metadata-token"),
        token_ttl: text("x-aws-ec2-metadata-token-ttl-seconds"),
        forwarded: request.headers().contains_key("x-forwarded-for"),
    };
    instance_metadata::answer(
        &asker,
        &request,
        &daemon.reception.metadata_key,
        clock::now(),
    )
}

/// Who is behind an interface.
fn asker(world: &World, interface: NetworkInterfaceId) -> Option<Asker<'_>> {
    let mut regions = world.regions.iter();
    let (&scope, state) = regions.find(|(_, s)| s.network_interfaces.contains(&interface))?;
    let instance_id = state.network_interfaces.get(&interface)?.instance_id();
    let instance = instance_id.and_then(|id| state.instances.get(&id));
    let architecture = instance.and_then(|i| control::architecture(i.image_id));
    Some(Asker {
        scope,
        state,
        interface,
        architecture: architecture.unwrap_or("x86_64"),
    })
}

fn limit_hops(socket: &OwnedFd, ipv4: bool, hops: u8) -> rustix::io::Result<()> {
    match ipv4 {
        true => set_ip_ttl(socket, hops.into()),
        false => set_ipv6_unicast_hops(socket, Some(hops)),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let fixed = header::HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed(answer.content_type));
    headers.insert(header::SERVER, fixed("EC2ws"));
    if answer.status == 405 {
        headers.insert(header::ALLOW, fixed("GET, HEAD, PUT"));
    }
    if let Some(ttl_s) = answer.token_ttl_s {
        headers.insert("x-aws-ec2-metadata-token-ttl-seconds", ttl_s.into());
    }
    response
}
