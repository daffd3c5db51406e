//! What happens to packets: `compile(World) -> Snapshot`, `forward(frame, now) -> Verdict`, and
//! what network interfaces saw of it.
//!
//! [`compile()`] turns what the API has made into an immutable [`Snapshot`]. A [`Dataplane`] decides
//! by it on every frame, in two halves: `egress` at the sender's network interface and `ingress`
//! at the receiver's. [`trace()`] asks the same code about a packet that nobody sent.
//!
//! This crate never reads a clock, a file or a device, knows no API, and decides nothing that the
//! snapshot does not say. Frames of any bytes are safe; a frame never leaves its VPC but through an
//! internet gateway.

mod capture;
mod compile;
mod connection;
mod counters;
mod disposition;
mod drop_reason;
mod egress;
mod egress_only_internet_gateway;
mod explain;
mod fast_path;
mod flow;
mod flow_cache;
mod forward;
mod fragment;
mod gateway_route_table;
mod health_check;
mod ingress;
mod inquiry;
mod internet;
mod load_balancer;
mod meter;
mod nat_gateway;
mod neighbour;
mod ports;
mod service;
mod service_network;
mod session;
mod sighting;
mod slab;
mod slow;
mod step;
mod subject;
mod trace;
mod tuple;
mod upkeep;
mod vantage;
mod vpc_endpoint;
mod vpc_peering_connection;
mod walk;

pub use capture::Sight;
pub use compile::internet::INTERNET_ROUTER_MAC;
pub use compile::network_interface::interface_metadata;
pub use compile::security_group::protocol_and_ports;
pub use compile::{
    Compiler, Options, ROUTER_EC2, ROUTER_LINK_LOCAL, ServiceNetwork, Snapshot, compile,
};
pub use counters::Counters;
pub use disposition::Disposition;
pub use drop_reason::DropReason;
pub use explain::{Explanation, Seen, explain, explain_answer};
pub use fast_path::{FastFlow, FastPath, Tally};
pub use flow::{Action, Direction, FlowKey, FlowSample, InterfaceMetadata};
pub use forward::{Dataplane, Ingress, Limits, Offload, Verdict};
pub use health_check::{CheckId, HealthFinding, TlsAnswer, TlsStep};
pub use ports::{Device, PortId, Ports};
pub use service::dns::outside::Inquiry;
pub use service::dns::pending::{Pending, Resolved, resolve};
pub use service_network::{
    Backend, MTU_SERVICES, Origin, SERVICES_ROUTER_MAC, ServiceWay, origin_networks,
};
pub use step::{Cited, Outcome, Stage, Step};
pub use trace::{Leg, Source, Trace, TraceError, TraceOutcome, TraceRequest, trace};
pub use vantage::Vantage;
pub use vpc_endpoint::EndpointRefusal;

#[cfg(test)]
mod tests;
