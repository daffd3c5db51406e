//! EC2, Elastic Load Balancing and IAM: the Query protocols on top of the writer.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ec2_api::{GetConsoleOutputResponse, Request, Response};
use ec2_query::{elbv2, iam};

use crate::auth::Identity;
use crate::clock;
use crate::cloudtrail::{Draft, failure};
use crate::daemon::Daemon;
use crate::flow_log;
use crate::respond::{self, Answer};
use crate::writer::{Failure, Note};

/// Carries out an EC2 call.
pub(crate) async fn call(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    event: Option<Draft>,
    query: &str,
    body: &[u8],
    request_id: &str,
) -> Answer {
    let request = match form(query, body).and_then(|form| ec2_query::parse(&form)) {
        Ok(request) => request,
        Err(error) => {
            let answer = refused(400, error.code(), &error.to_string(), request_id);
            return noted(daemon, event, answer).await;
        }
    };
    match execute(daemon, identity, event, request, request_id).await {
        Ok(response) => respond::xml(200, request_id, ec2_query::render(&response, request_id)),
        Err(Failure::Refused(error)) => {
            refused(error.status(), error.code(), &error.to_string(), request_id)
        }
        Err(failure @ Failure::Internal) => {
            refused(500, "InternalError", &failure.to_string(), request_id)
        }
    }
}

macro_rules! query_services {
    ($($(#[$doc:meta])* $name:ident by $wire:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) async fn $name(
                daemon: &Arc<Daemon>,
                identity: &Identity,
                event: Option<Draft>,
                query: &str,
                body: &[u8],
                request_id: &str,
            ) -> Answer {
                let refused = |status: u16, code: &str, message: &str| {
                    let xml = $wire::render_error(status, code, message, request_id);
                    respond::xml(status, request_id, xml)
                };
                let request = match form(query, body).and_then(|form| $wire::parse(&form)) {
                    Ok(request) => request,
                    Err(error) => {
                        let answer = refused(400, $wire::code(&error), &$wire::message(&error));
                        return noted(daemon, event, answer).await;
                    }
                };
                let note = note(event, |response| {
                    let mut elements = cloudtrail::json::query_elements(&$wire::elements(response));
                    // The secret of a new key is its owner's alone.
                    if let Some(key) = elements["accessKey"].as_object_mut() {
                        key.remove("secretAccessKey");
                    }
                    elements
                });
                match daemon.writer.execute(identity.scope, request, note).await {
                    Ok(response) => {
                        respond::xml(200, request_id, $wire::render(&response, request_id))
                    }
                    Err(Failure::Refused(error)) => {
                        refused(error.status(), error.code(), &error.to_string())
                    }
                    Err(failure @ Failure::Internal) => {
                        refused(500, "InternalFailure", &failure.to_string())
                    }
                }
            }
        )*
    };
}

// Services that speak AWS's common Query protocol, each with its own words on the wire.
query_services! {
    /// Carries out a call of Elastic Load Balancing.
    elastic_load_balancing by elbv2;
    /// Carries out a call of IAM.
    iam by iam;
}

async fn execute(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    event: Option<Draft>,
    request: Request,
    request_id: &str,
) -> Result<Response, Failure> {
    let id = request_id.to_owned();
    let elements = move |response: &Response| {
        let elements = ec2_query::elements(response);
        cloudtrail::ec2::response_elements(response.action(), &elements, &id)
    };
    let mut destination = None;
    if let Request::CreateFlowLogs(create) = &request {
        match flow_log::check(daemon, identity.scope, create).await? {
            Ok(to) => destination = to,
            Err(refusal) => {
                let response = Response::from(refusal);
                let events = note(event, elements)(clock::now(), Ok(&response));
                daemon.writer.note(events).await;
                return Ok(response);
            }
        }
    }
    let note = note(event, elements);
    let response = daemon.writer.execute(identity.scope, request, note).await?;
    Ok(match response {
        // Traffic before the answer is not the new flow log's, traffic after it is.
        Response::CreateFlowLogs(made) => {
            if let Some(to) = destination.filter(|_| !made.flow_log_ids.is_empty()) {
                flow_log::allow(daemon, &to).await;
            }
            daemon.flow_logs.catch_up().await;
            Response::CreateFlowLogs(made)
        }
        Response::DeleteFlowLogs(_) => {
            daemon.flow_logs.catch_up().await;
            response
        }
        Response::GetConsoleOutput(output) => Response::from(with_console(daemon, *output).await),
        other => other,
    })
}

/// Makes the event of a call out of what `control` answers.
fn note<R: 'static>(
    event: Option<Draft>,
    elements: impl FnOnce(&R) -> serde_json::Value + Send + 'static,
) -> Note<R> {
    Box::new(move |at, answer| {
        let Some(event) = event else {
            return Vec::new();
        };
        event.events(at, answer.map(elements).map_err(failure))
    })
}

/// An answer that was given before `control` was asked.
async fn noted(daemon: &Daemon, event: Option<Draft>, answer: Answer) -> Answer {
    if let Some(event) = event {
        daemon.writer.note(event.events_of(&answer)).await;
    }
    answer
}

/// Query parameters and the form in the body are one form.
pub(crate) fn form(query: &str, body: &[u8]) -> Result<Vec<(String, String)>, ec2_query::Error> {
    let mut form = ec2_query::form::decode(query.as_bytes())?;
    form.extend(ec2_query::form::decode(body)?);
    Ok(form)
}

fn refused(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    respond::xml(
        status,
        request_id,
        ec2_query::render_error(code, message, request_id),
    )
}

/// What the instance has printed, in base64 as the API has it.
async fn with_console(
    daemon: &Arc<Daemon>,
    output: GetConsoleOutputResponse,
) -> GetConsoleOutputResponse {
    let Some(id) = output.instance_id.as_deref().and_then(|id| id.parse().ok()) else {
        return output;
    };
    let daemon = daemon.clone();
    let read = move || Some(STANDARD.encode(daemon.instances.console(id)?));
    GetConsoleOutputResponse {
        output: tokio::task::spawn_blocking(read).await.ok().flatten(),
        ..output
    }
}
