//! Weir's own operations.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use control::Event;
use dataplane::FlowSample;
use flow_logs::FlowRecord;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};

use crate::capture::{self, Ended};
use crate::daemon::Daemon;
use crate::flow_filter::Filter;
use crate::flow_line::{live_line, record_line};
use crate::ops::*;
use crate::respond::{self, Answer};
use crate::tracing_packets;
use crate::writer::Failure;
use crate::{explaining, exporting};

/// Why an operation was not carried out: a code and words, in the manner of AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The code.
    pub(crate) code: &'static str,
    /// The words.
    pub(crate) message: String,
}

impl Refusal {
    /// The caller asked for something that cannot be.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    /// The daemon could not do it; the log says why.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "an operation failed");
        Self {
            status: 500,
            code: "InternalFailure",
            message: error.to_string(),
        }
    }
}

impl Refusal {
    fn answer(&self, request_id: &str) -> Answer {
        respond::json_error(self.status, request_id, self.code, &self.message)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::new(error.code(), error.to_string()),
            Failure::Internal => Self {
                status: 500,
                code: "InternalFailure",
                message: failure.to_string(),
            },
        }
    }
}

/// Carries out one of Weir's own operations.
pub(crate) async fn call(
    daemon: &Arc<Daemon>,
    operation: &str,
    body: &[u8],
    request_id: &str,
) -> Answer {
    match dispatch(daemon, operation, body).await {
        Ok(body) => respond::json_bytes(200, request_id, body),
        Err(refusal) => refusal.answer(request_id),
    }
}

async fn dispatch(daemon: &Arc<Daemon>, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match operation {
        Status::NAME => answer::<Status>(daemon, body, |daemon, _| Ok(daemon.status())).await,
        FindSandbox::NAME => answer::<FindSandbox>(daemon, body, find_sandbox).await,
        ListInternetHosts::NAME => answer::<ListInternetHosts>(daemon, body, internet_hosts).await,
        FlowLogStatus::NAME => {
            answer::<FlowLogStatus>(daemon, body, |daemon, _| Ok(daemon.flow_logs.status())).await
        }
        Trace::NAME => answer::<Trace>(daemon, body, tracing_packets::trace).await,
        ReadWorld::NAME => {
            let read = |daemon: &Daemon, _: &ReadWorld| Ok(WorldReport::of(&daemon.writer.world()));
            answer::<ReadWorld>(daemon, body, read).await
        }
        Probe::NAME => answer::<Probe>(daemon, body, tracing_packets::probe).await,
        AddInternetHost::NAME => {
            let AddInternetHost { address } = parse(body)?;
            render(&add_internet_host(daemon, address).await?)
        }
        DeleteInternetHost::NAME => {
            let DeleteInternetHost { address } = parse(body)?;
            daemon
                .writer
                .observe(daemon.config.scope(), Event::InternetHostDeleted(address))
                .await?;
            daemon.instances.settled_without_host(address).await;
            render(&Done {})
        }
        FlushFlowLogs::NAME => {
            parse::<FlushFlowLogs>(body)?;
            render(&daemon.flow_logs.flush().await.map_err(Refusal::internal)?)
        }
        FlushTrails::NAME => {
            parse::<FlushTrails>(body)?;
            let services::cloudtrail::Delivered {
                files,
                events,
                digests,
                failed,
            } = daemon.deliver_trails(true).await;
            render(&TrailFlushReport {
                files,
                events,
                digests,
                failed,
            })
        }
        ReadFlows::NAME => {
            let request: ReadFlows = parse(body)?;
            render(&read_flows(daemon, &request).await?)
        }
        EndCapture::NAME => {
            let EndCapture { capture } = parse(body)?;
            daemon.datapath.end_capture(capture, Ended::Reader);
            render(&Done {})
        }
        ExplainFlows::NAME => answer::<ExplainFlows>(daemon, body, explaining::explain_flows).await,
        Reset::NAME => {
            parse::<Reset>(body)?;
            daemon.reset.notify_one();
            render(&Done {})
        }
        _ => Err(Refusal::new(
            "UnknownOperationException",
            format!("Weir has no operation '{operation}'."),
        )),
    }
}

/// Whether the answer is a capture, which is no JSON.
pub(crate) fn is_capture(headers: &HeaderMap) -> bool {
    operation(headers) == Some(Capture::NAME)
}

/// Whether the answer is a state file, which is no JSON.
pub(crate) fn is_export(headers: &HeaderMap) -> bool {
    operation(headers) == Some(Export::NAME)
}

fn operation(headers: &HeaderMap) -> Option<&str> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.strip_prefix("Weir.")
}

/// Answers with the whole state.
pub(crate) async fn export(daemon: &Arc<Daemon>, request_id: &str) -> Response<s3s::Body> {
    match exporting::begin(daemon).await {
        Ok(stream) => stream_of("application/gzip", request_id, stream),
        Err(refusal) => refusal.answer(request_id).map(s3s::Body::from),
    }
}

fn stream_of<B>(kind: &'static str, request_id: &str, stream: B) -> Response<s3s::Body>
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let builder = Response::builder()
        .header(CONTENT_TYPE, kind)
        .header("x-amzn-requestid", request_id);
    let response = builder.body(s3s::Body::http_body_unsync(stream));
    response.unwrap_or_else(|error| {
        tracing::error!(%error, "a stream cannot be answered");
        Response::new(s3s::Body::empty())
    })
}

/// Answers with a capture, for as long as that takes.
pub(crate) async fn capture(
    daemon: &Arc<Daemon>,
    body: &[u8],
    request_id: &str,
) -> Response<s3s::Body> {
    let begun = match parse::<Capture>(body) {
        Err(refusal) => Err(refusal),
        Ok(request) => {
            let daemon = daemon.clone();
            tokio::task::spawn_blocking(move || capture::begin(&daemon, &request))
                .await
                .unwrap_or_else(|error| Err(Refusal::internal(error)))
        }
    };
    match begun {
        Ok(stream) => {
            let capture = stream.id();
            let mut response = stream_of("application/x-pcapng", request_id, stream);
            response
                .headers_mut()
                .insert(Capture::HEADER, capture.into());
            response
        }
        Err(refusal) => refusal.answer(request_id).map(s3s::Body::from),
    }
}

/// Most records that one answer has.
const RECORDS_MAX: usize = 100_000;

async fn read_flows(daemon: &Daemon, request: &ReadFlows) -> Result<Flows, Refusal> {
    let filter = Filter::parse(&request.filter)?;
    let wait = Duration::from_millis(request.wait_ms);
    if request.live {
        let live = &daemon.flow_logs.live;
        let wanted = |sample: &FlowSample| {
            let recorder = sample.interface.recorder;
            filter.wants(recorder, Some(&sample.key), sample.first, sample.last)
        };
        let news = live.read(request.after, wait, wanted).await;
        return Ok(Flows {
            next: news.next,
            records: news.flows.iter().map(live_line).collect(),
            missed: news.missed,
        });
    }
    let wanted = move |record: &FlowRecord| {
        let key = record.flow().map(|flow| &flow.key);
        filter.wants(record.interface.recorder, key, record.start, record.end)
    };
    if !request.history {
        let news = daemon
            .flow_logs
            .records
            .read(request.after, wait, wanted)
            .await;
        return Ok(Flows {
            next: news.next,
            records: news.flows.iter().map(record_line).collect(),
            missed: news.missed,
        });
    }
    // Before looking: what comes meanwhile is read by the next call, and once more by this one at worst.
    let next = daemon.flow_logs.records.newest();
    let (history, limit) = (daemon.flow_logs.history().clone(), request.limit);
    let range = Filter::parse(&request.filter)?.range();
    let read = tokio::task::spawn_blocking(move || {
        let limit = limit.unwrap_or(RECORDS_MAX).min(RECORDS_MAX);
        let (mut kept, mut missed) = (VecDeque::new(), 0);
        history.read(&range, |record| {
            if limit > 0 && wanted(&record) {
                if kept.len() == limit {
                    kept.pop_front();
                    missed += 1;
                }
                kept.push_back(record_line(&record));
            }
        });
        let mut records: Vec<FlowLine> = kept.into();
        records.sort_by_key(|record| record.start);
        (records, missed)
    });
    let (records, missed) = read.await.map_err(Refusal::internal)?;
    Ok(Flows {
        next,
        records,
        missed,
    })
}

/// For operations that may have to wait for the data plane, the disk or the host.
async fn answer<O>(
    daemon: &Arc<Daemon>,
    body: &[u8],
    carry_out: impl FnOnce(&Daemon, &O) -> Result<O::Answer, Refusal> + Send + 'static,
) -> Result<Vec<u8>, Refusal>
where
    O: Operation + Send + 'static,
    O::Answer: Send + 'static,
{
    let (daemon, request) = (daemon.clone(), parse::<O>(body)?);
    let done = tokio::task::spawn_blocking(move || carry_out(&daemon, &request));
    render(&done.await.map_err(Refusal::internal)??)
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

fn render(value: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(Refusal::internal)
}

fn find_sandbox(daemon: &Daemon, request: &FindSandbox) -> Result<SandboxReport, Refusal> {
    let place = tracing_packets::place(daemon, &request.source)?;
    let target = daemon.instances.exec_target(&place).ok_or_else(|| {
        Refusal::new(
            "IncorrectInstanceState",
            format!("'{}' is not running.", request.source),
        )
    })?;
    Ok(SandboxReport { target })
}

fn internet_hosts(daemon: &Daemon, _: &ListInternetHosts) -> Result<InternetHosts, Refusal> {
    let world = daemon.writer.world();
    let hosts = world
        .regions
        .values()
        .flat_map(|state| state.internet_hosts.values());
    Ok(InternetHosts {
        addresses: hosts.map(|host| host.address).collect(),
    })
}

async fn add_internet_host(daemon: &Daemon, address: IpAddr) -> Result<Done, Refusal> {
    daemon
        .writer
        .observe(daemon.config.scope(), Event::InternetHostAdded(address))
        .await?;
    daemon.instances.settled_with_host(address).await?;
    Ok(Done {})
}
