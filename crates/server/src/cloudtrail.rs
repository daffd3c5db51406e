//! What CloudTrail gets to know of calls: every call of an AWS service leaves an event, but those that CloudTrail counts as
//! use of data.

use cloudtrail::{Call, Caller, Endpoint, Event, EventQuery, Failure, Numbered};
use http::header;
use http::request::Parts;
use model::{Region, Scope, Timestamp};
use policy::Origin;
use serde_json::{Map, Value};
use services::cloudtrail::{History, Trails};
use services::s3::Asked;

use crate::auth::Identity;
use crate::clock;
use crate::ec2;
use crate::respond::Answer;
use crate::service::Service;

/// The events, as the API of CloudTrail asks for them.
pub(crate) struct EventHistory(pub(crate) store::Events);

impl History for EventHistory {
    fn find(&self, query: &EventQuery) -> Result<Vec<Numbered>, String> {
        self.0.find(query).map_err(in_full)
    }

    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Numbered>, String> {
        self.0.after(seq, limit).map_err(in_full)
    }

    fn last(&self) -> Result<u64, String> {
        self.0.last().map_err(in_full)
    }
}

fn in_full(error: store::Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// A call before it is carried out: all of its event but what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    call: Box<Call>,
    /// Whether it is one for the event history.
    is_management: bool,
    /// The owner of the endpoint that it came through, if trails of his ask for that.
    watched_by: Option<Scope>,
}

/// What CloudTrail counts as use of data, which only trails with data events show ("Logging data events").
const DATA: [&str; 3] = ["PutLogEvents", "PutRecord", "PutRecordBatch"];

/// The same of operations on buckets.
const S3_DATA: [&str; 5] = [
    "DeleteObjects",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
];

/// Of an action that no service has there is nothing to say.
const UNKNOWN: [&str; 2] = ["InvalidAction", "UnknownOperationException"];

impl Draft {
    /// The draft of a call that was believed; `None` if it leaves no event.
    pub(crate) fn of(
        service: Service,
        identity: &Identity,
        origin: &Origin,
        parts: &Parts,
        body: &[u8],
        request_id: &str,
    ) -> Option<Self> {
        let event_source = source(service)?;
        let form = || ec2::form(parts.uri.query().unwrap_or_default(), body).unwrap_or_default();
        let (event_name, parameters) = match service {
            Service::Ec2 | Service::ElasticLoadBalancing | Service::Iam | Service::Sts => {
                let form = form();
                let action = form.iter().find(|(name, _)| name == "Action");
                let action = action.map_or(String::new(), |(_, action)| action.clone());
                let parameters = match service {
                    Service::Ec2 => cloudtrail::ec2::request_parameters(&action, &form),
                    _ => cloudtrail::json::query_parameters(&form),
                };
                (action, parameters)
            }
            _ => {
                let target = text(parts, "x-amz-target").unwrap_or_default();
                let operation = target.rsplit('.').next().unwrap_or_default();
                let parameters = match DATA.contains(&operation) {
                    true => Value::Null,
                    false => cloudtrail::json::members(body),
                };
                (operation.to_owned(), parameters)
            }
        };
        let is_management = !DATA.contains(&event_name.as_str());
        // A call without a name is one that no service knows; data is looked at by the owners of endpoints only.
        if event_name.is_empty() || !(is_management || origin.endpoint.is_some()) {
            return None;
        }
        let mut draft = Self::new(
            identity,
            origin,
            parts,
            event_source,
            event_name,
            request_id,
        );
        draft.call.parameters = parameters;
        draft.is_management = is_management;
        Some(draft)
    }

    /// The draft of a request that S3 believed; `None` if it leaves no event: what is done with objects is data.
    pub(crate) fn of_s3(
        asked: &Asked,
        region: Region,
        origin: &Origin,
        parts: &Parts,
    ) -> Option<Self> {
        let is_management = !asked.of_object && !S3_DATA.contains(&asked.operation.as_str());
        if !(is_management || origin.endpoint.is_some()) {
            return None;
        }
        let account = asked.identity.account.parse().ok()?;
        let identity = Identity {
            scope: Scope { account, region },
            caller: asked.identity.clone(),
            issued: asked
                .issued_s
                .map(|at| Timestamp::from_secs(at.unsigned_abs())),
            access_key_id: asked.access_key_id.clone(),
            permissions: None,
        };
        let mut parameters = Map::new();
        if let Some(bucket) = &asked.bucket {
            parameters.insert("bucketName".to_owned(), bucket.as_str().into());
        }
        if let Some(host) = text(parts, header::HOST.as_str()) {
            parameters.insert("Host".to_owned(), host.into());
        }
        let subresource = parts
            .uri
            .query()
            .unwrap_or_default()
            .split(['&', '='])
            .next();
        if let Some(name) = subresource.filter(|name| !name.is_empty()) {
            parameters.insert(name.to_owned(), "".into());
        }
        let (source, name) = ("s3.amazonaws.com", asked.operation.clone());
        let mut draft = Self::new(&identity, origin, parts, source, name, "");
        draft.call.parameters = parameters.into();
        draft.is_management = is_management;
        Some(draft)
    }

    fn new(
        identity: &Identity,
        origin: &Origin,
        parts: &Parts,
        event_source: &'static str,
        event_name: String,
        request_id: &str,
    ) -> Self {
        let policy::Identity {
            account,
            arn,
            principal_arn,
            user_id,
        } = identity.caller.clone();
        let endpoint = origin.endpoint.as_ref();
        let source_ip = endpoint.map_or(origin.source_ip, |endpoint| endpoint.vpc_source_ip);
        let call = Call {
            at: clock::now(),
            scope: identity.scope,
            caller: Caller {
                account,
                arn,
                principal_arn,
                user_id,
                access_key_id: identity.access_key_id.clone(),
                session_began: identity.issued,
            },
            source_ip: source_ip.to_canonical().to_string(),
            user_agent: text(parts, header::USER_AGENT.as_str()).map(str::to_owned),
            event_source,
            event_name,
            parameters: Value::Null,
            outcome: Ok(Value::Null),
            request_id: request_id.to_owned(),
            event_id: clock::request_id(),
            tls: None,
            endpoint: endpoint.map(|endpoint| Endpoint {
                id: endpoint.endpoint_id.clone(),
                account: endpoint.account.clone(),
                denied: false,
            }),
        };
        Self {
            call: Box::new(call),
            is_management: true,
            watched_by: None,
        }
    }

    /// With the owner of the endpoint that it came through looking on, if one of his trails asks for that.
    pub(crate) fn watched(mut self, origin: &Origin, trails: &Trails) -> Self {
        let owner = origin.endpoint.as_ref().and_then(|endpoint| {
            Some(Scope {
                account: endpoint.account.parse().ok()?,
                region: endpoint.region.parse().ok()?,
            })
        });
        let asks = |owner: &Scope| trails.wants_network_activity(*owner, self.call.event_source);
        self.watched_by = owner.filter(asks);
        self
    }

    /// The events of the call.
    pub(crate) fn events(self, at: Timestamp, outcome: Result<Value, Failure>) -> Vec<Event> {
        let unknown = |failure: &Failure| UNKNOWN.contains(&failure.code.as_str());
        if outcome.as_ref().is_err_and(unknown) {
            return Vec::new();
        }
        let call = Call {
            at,
            outcome,
            ..*self.call
        };
        let owner = self.watched_by;
        let watched = owner.and_then(|owner| call.network_activity(owner, clock::request_id()));
        let own = self.is_management.then(|| call.event());
        own.into_iter().chain(watched).collect()
    }

    /// As the owner of the endpoint that refused it sees it.
    pub(crate) fn denied_by_endpoint(mut self) -> Self {
        if let Some(endpoint) = &mut self.call.endpoint {
            endpoint.denied = true;
        }
        self
    }

    /// The same call, as the answer names it.
    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.call.request_id);
        self
    }

    /// The events of a call whose answer tells what came of it.
    pub(crate) fn events_of(self, answer: &Answer) -> Vec<Event> {
        self.events(clock::now(), outcome(answer))
    }
}

/// The services that leave events.
fn source(service: Service) -> Option<&'static str> {
    Some(match service {
        Service::Ec2 => "ec2.amazonaws.com",
        Service::ElasticLoadBalancing => "elasticloadbalancing.amazonaws.com",
        Service::Iam => "iam.amazonaws.com",
        Service::Sts => "sts.amazonaws.com",
        Service::Logs => "logs.amazonaws.com",
        Service::Firehose => "firehose.amazonaws.com",
        Service::CloudTrail => "cloudtrail.amazonaws.com",
        Service::S3 => "s3.amazonaws.com",
        // What stands for DynamoDB keeps its own books; Weir's own operations are not AWS's.
        Service::DynamoDb | Service::Weir => return None,
    })
}

/// What an answer says came of the call.
pub(crate) fn outcome(answer: &Answer) -> Result<Value, Failure> {
    let status = answer.status().as_u16();
    let body = answer.body();
    if status < 400 {
        return Ok(cloudtrail::json::members(body));
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let member = |json_name: &str, element: &str| {
        json[json_name]
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| within(&text, element))
    };
    Err(Failure {
        status,
        code: member("__type", "Code"),
        message: member("message", "Message"),
    })
}

/// The text of the first element of a name, in one of our own answers.
fn within(xml: &str, element: &str) -> String {
    let after = xml.split_once(&format!("<{element}>"));
    let text = after.and_then(|(_, rest)| rest.split_once("</"));
    text.map_or(String::new(), |(text, _)| {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    })
}

/// How a refusal of `control` is noted.
pub(crate) fn failure(error: &control::Error) -> Failure {
    Failure {
        status: error.status(),
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}

fn text<'a>(parts: &'a Parts, header: &str) -> Option<&'a str> {
    parts
        .headers
        .get(header)
        .and_then(|value| value.to_str().ok())
}
