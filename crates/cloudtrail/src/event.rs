//! One call of the API, and the event that it leaves.

use model::{Scope, Timestamp};
use serde_json::{Value, json};

use crate::resource::{self, Resource};
use crate::user_identity::Caller;

/// A call of the API, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// When it was answered.
    pub at: Timestamp,
    /// The account and Region that it was made in.
    pub scope: Scope,
    /// Who called.
    pub caller: Caller,
    /// Where from: an address.
    pub source_ip: String,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// `ec2.amazonaws.com`, …
    pub event_source: &'static str,
    /// The action.
    pub event_name: String,
    /// `requestParameters`.
    pub parameters: Value,
    /// `responseElements`, or what was wrong.
    pub outcome: Result<Value, Failure>,
    /// What the answer called the request.
    pub request_id: String,
    /// A UUID.
    pub event_id: String,
    /// If it came over TLS.
    pub tls: Option<Tls>,
    /// The VPC endpoint that it came through.
    pub endpoint: Option<Endpoint>,
}

/// Why a call failed, in the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The code of the answer.
    pub code: String,
    /// Its message.
    pub message: String,
}

/// `tlsDetails`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`
    pub version: String,
    /// `TLS_AES_128_GCM_SHA256`
    pub cipher_suite: String,
    /// The host that the client asked for.
    pub host: String,
}

/// The VPC endpoint that a call came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `vpce-…`
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Whether its policy refused the call.
    pub denied: bool,
}

/// An event, and what it can be looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The account and Region that it is of.
    pub scope: Scope,
    /// `eventID`
    pub event_id: String,
    /// The action.
    pub event_name: String,
    /// `ec2.amazonaws.com`, …
    pub event_source: String,
    /// Whether the call could not change anything.
    pub read_only: bool,
    /// `Username` of LookupEvents.
    pub user_name: String,
    /// The key that signed.
    pub access_key_id: String,
    /// What it is about.
    pub resources: Vec<Resource>,
    /// Whether it is of network activity, at a VPC endpoint; only trails that ask for it get it.
    pub network_activity: bool,
    /// The event itself, in JSON.
    pub record: String,
}

/// Versions of the form that events are in.
const EVENT_VERSION: &str = "1.11";
/// Longer parameters or answers are left out ("CloudTrail record contents").
const ELEMENT_BYTES_MAX: usize = 100 << 10;
const USER_AGENT_BYTES_MAX: usize = 1 << 10;

impl Call {
    /// Whether a call only asks, by AWS's way of naming.
    pub fn is_read_only(action: &str) -> bool {
        const VERBS: [&str; 8] = [
            "Describe", "Filter", "Get", "Head", "List", "Lookup", "Search", "Test",
        ];
        VERBS.iter().any(|verb| action.starts_with(verb))
    }

    /// The event of the account that the call was made in.
    pub fn event(self) -> Event {
        let read_only = Self::is_read_only(&self.event_name);
        let elements = match &self.outcome {
            Ok(elements) if !read_only => elements.clone(),
            _ => Value::Null,
        };
        let resources = resource::resources(self.event_source, [&self.parameters, &elements]);
        let mut record = self.common(read_only);
        record["userIdentity"] = self.caller.element();
        if let Some(agent) = &self.user_agent {
            record["userAgent"] = shortened(agent, USER_AGENT_BYTES_MAX).into();
        }
        record["requestParameters"] = bounded("requestParameters", self.parameters);
        record["responseElements"] = bounded("responseElements", elements);
        if let Err(failure) = &self.outcome {
            // EC2 says whose fault it was; the answer itself does not.
            let code = match (self.event_source, failure.status) {
                ("ec2.amazonaws.com", 500..) => format!("Server.{}", failure.code),
                ("ec2.amazonaws.com", _) => format!("Client.{}", failure.code),
                _ => failure.code.clone(),
            };
            record["errorCode"] = code.into();
            record["errorMessage"] = shortened(&failure.message, USER_AGENT_BYTES_MAX).into();
        }
        record["eventType"] = "AwsApiCall".into();
        record["managementEvent"] = true.into();
        record["eventCategory"] = "Management".into();
        record["recipientAccountId"] = self.scope.account.to_string().into();
        if let Some(endpoint) = &self.endpoint {
            record["vpcEndpointId"] = endpoint.id.as_str().into();
            record["vpcEndpointAccountId"] = endpoint.account.as_str().into();
        }
        if let Some(tls) = &self.tls {
            record["tlsDetails"] = json!({
                "tlsVersion": tls.version,
                "cipherSuite": tls.cipher_suite,
                "clientProvidedHostHeader": tls.host,
            });
        }
        Event {
            at: self.at,
            scope: self.scope,
            event_name: self.event_name,
            event_source: self.event_source.to_owned(),
            read_only,
            user_name: self.caller.user_name().to_owned(),
            access_key_id: self.caller.access_key_id,
            event_id: self.event_id,
            resources,
            network_activity: false,
            record: record.to_string(),
        }
    }

    /// The event that the owner of the endpoint gets of a call that came through it, if trails ask for that (AWS
    /// CloudTrail User Guide, "Logging network activity events"); `event_id` is this event's own.
    pub fn network_activity(&self, owner: Scope, event_id: String) -> Option<Event> {
        let endpoint = self.endpoint.as_ref()?;
        let read_only = Self::is_read_only(&self.event_name);
        let mut record = self.common(read_only);
        record["eventID"] = event_id.as_str().into();
        record["sharedEventID"] = self.event_id.as_str().into();
        record["userIdentity"] = if self.caller.account == owner.account.to_string() {
            self.caller.element()
        } else {
            self.caller.of_another_account()
        };
        if endpoint.denied {
            record["errorCode"] = "VpceAccessDenied".into();
            record["errorMessage"] = "The request was denied due to a VPC endpoint policy".into();
        }
        record["eventType"] = "AwsVpceEvent".into();
        record["managementEvent"] = false.into();
        record["eventCategory"] = "NetworkActivity".into();
        record["recipientAccountId"] = owner.account.to_string().into();
        record["vpcEndpointId"] = endpoint.id.as_str().into();
        record["vpcEndpointAccountId"] = endpoint.account.as_str().into();
        Some(Event {
            at: self.at,
            scope: owner,
            event_id,
            event_name: self.event_name.clone(),
            event_source: self.event_source.to_owned(),
            read_only,
            user_name: self.caller.user_name().to_owned(),
            access_key_id: self.caller.access_key_id.clone(),
            resources: Vec::new(),
            network_activity: true,
            record: record.to_string(),
        })
    }

    fn common(&self, read_only: bool) -> Value {
        json!({
            "eventVersion": EVENT_VERSION,
            "eventTime": self.at.iso8601(),
            "eventSource": self.event_source,
            "eventName": self.event_name,
            "awsRegion": self.scope.region.to_string(),
            "sourceIPAddress": self.source_ip,
            "requestID": self.request_id,
            "eventID": self.event_id,
            "readOnly": read_only,
        })
    }
}

/// A part of an event, or the note that it was too large.
fn bounded(name: &str, value: Value) -> Value {
    let size = value.to_string().len();
    if size <= ELEMENT_BYTES_MAX {
        return value;
    }
    json!({ "omitted": true, "originalSize": size, "reason": format!("{name} too large") })
}

fn shortened(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
