//! Requests that came by the address of a service, out of an instance or from a host of the internet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dataplane::{Origin, ServiceWay};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use model::{AwsService, Region, VpcEndpointId, World};
use policy::{Document, EndpointOrigin, Kind};

use crate::clock;
use crate::connections::Arriving;
use crate::daemon::Daemon;
use crate::http as port;
use crate::patience::Patience;
use crate::service::Service;

/// How a request came that did not come by Weir's own port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Who sent it, and by which way.
    pub(crate) origin: Origin,
    /// The service whose address it was sent to.
    pub(crate) service: AwsService,
    /// The Region of that address.
    pub(crate) region: Region,
    /// Whether the connection is TLS.
    pub(crate) secure: bool,
}

/// The policies of endpoints, as they were last read.
#[derive(Default)]
pub(crate) struct EndpointPolicies(Mutex<HashMap<VpcEndpointId, (String, Arc<Document>)>>);

/// Policies that are kept; more endpoints than that are read again and again.
const POLICIES_MAX: usize = 1024;

/// Answers a request: only the service whose address it came by answers there.
pub(crate) async fn answer(
    daemon: &Arc<Daemon>,
    arrival: Arrival,
    mut request: Request<Arriving>,
) -> Response<s3s::Body> {
    let origin = {
        let world = daemon.writer.world();
        arrival.policy_origin(&world, &daemon.reception.policies)
    };
    let (method, path) = (request.method(), request.uri().path());
    tracing::debug!(?arrival, %method, path, "a request of an instance");
    let service = match arrival.service {
        AwsService::S3 => {
            request.extensions_mut().insert(origin);
            return daemon.s3(request).await;
        }
        AwsService::DynamoDb => return dynamodb(daemon, arrival, &origin, request).await,
        AwsService::Logs => Service::Logs,
        AwsService::Ec2 => Service::Ec2,
        AwsService::Sts => Service::Sts,
        AwsService::Firehose => Service::Firehose,
    };
    let region = Some(arrival.region);
    port::whole(port::call(daemon, &origin, region, service, request).await)
}

/// Lets a request go on to what stands for DynamoDB. Its body is looked at only if a policy is asked.
async fn dynamodb(
    daemon: &Arc<Daemon>,
    arrival: Arrival,
    origin: &policy::Origin,
    request: Request<Arriving>,
) -> Response<s3s::Body> {
    let Some(upstream) = &daemon.reception.dynamodb else {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    };
    if origin.endpoint_policy().is_none() && !daemon.keyring.enforces() {
        return upstream.send(request.map(Patience::with)).await;
    }
    let (region, id) = (Some(arrival.region), clock::request_id());
    match port::believe(daemon, origin, region, Service::DynamoDb, request, &id).await {
        Ok(call) => {
            let whole = Full::new(call.body);
            upstream.send(Request::from_parts(call.parts, whole)).await
        }
        Err(refused) => port::whole(refused),
    }
}

impl Arrival {
    /// What policies may know of where a request comes from.
    fn policy_origin(&self, world: &World, policies: &EndpointPolicies) -> policy::Origin {
        let source = self.origin.source;
        let mut origin = policy::Origin::public(source, self.secure);
        let id = match self.origin.way {
            ServiceWay::GatewayEndpoint { endpoint, .. }
            | ServiceWay::InterfaceEndpoint { endpoint, .. } => endpoint,
            ServiceWay::Link(_) | ServiceWay::Internet => return origin,
        };
        let mut regions = world.regions.iter();
        let row = regions.find_map(|(scope, state)| Some((scope, state.vpc_endpoints.get(&id)?)));
        let text = row.and_then(|(_, endpoint)| endpoint.policy_document.as_deref());
        let kind = match row.and_then(|(_, endpoint)| endpoint.interface()) {
            Some(_) => Kind::InterfaceEndpoint,
            None => Kind::GatewayEndpoint,
        };
        origin.endpoint = Some(EndpointOrigin {
            endpoint_id: id.to_string(),
            vpc_id: row.map_or(String::new(), |(_, e)| e.vpc_id.to_string()),
            region: row.map_or(String::new(), |(scope, _)| scope.region.to_string()),
            account: row.map_or(String::new(), |(scope, _)| scope.account.to_string()),
            vpc_source_ip: source,
            policy: match row {
                Some(_) => text.map(|text| policies.read(id, text, kind)),
                // It was deleted while the connection lasted.
                None => Some(Arc::new(Document::closed())),
            },
        });
        origin
    }
}

impl EndpointPolicies {
    /// A policy, which was checked when it was set; one that cannot be read allows nothing.
    fn read(&self, id: VpcEndpointId, text: &str, kind: Kind<'_>) -> Arc<Document> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, document)) = known.get(&id)
            && of == text
        {
            return document.clone();
        }
        let document = Document::parse(text, kind).unwrap_or_else(|error| {
            tracing::error!(endpoint = %id, %error, "the policy cannot be read and allows nothing");
            Document::closed()
        });
        let document = Arc::new(document);
        if known.len() >= POLICIES_MAX {
            known.clear();
        }
        known.insert(id, (text.to_owned(), document.clone()));
        document
    }
}
