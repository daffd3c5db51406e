//! HTTP, authentication, the single writer, and the publication of snapshots.
//!
//! The shell around the pure crates: it owns the clock, the randomness, the threads and the files of
//! a daemon. It decides nothing about AWS itself.

mod access;
mod arrival;
mod auth;
mod body;
mod browser;
mod capture;
mod clock;
mod cloudtrail;
mod config;
mod connections;
mod daemon;
mod datapath;
mod destinations;
mod dns;
mod ec2;
mod explaining;
mod export;
mod exporting;
mod fast_path;
mod feed;
mod firehose;
mod flow_filter;
mod flow_history;
mod flow_line;
mod flow_log;
mod health_checks;
mod http;
mod http_client;
mod instances;
mod keyring;
mod logs;
mod metadata;
mod metrics;
mod missing;
mod named;
mod open_windows;
pub mod ops;
mod patience;
mod permissions;
mod plan;
mod proxy;
mod recorder;
mod resolver;
mod respond;
mod rounds;
mod s3;
mod service;
mod service_network;
pub mod state_file;
mod state_folder;
mod sts;
mod tls;
mod tracing_packets;
mod trails;
mod weir;
mod writer;

pub use config::{
    Carrier, Config, DEFAULT_ACCOUNT, DEFAULT_PORT, DEFAULT_REGION, Endpoint, KERNEL_FLOWS,
    credentials,
};
pub use daemon::{Ended, run};
pub use delivery::{S3Files, tls as client_tls};
pub use export::Export;
pub use flow_logs::Aggregation;

/// The network that a state folder holds, while no daemon uses it.
///
/// # Errors
///
/// If there is none, or a daemon has it open.
pub fn world_of(folder: &std::path::Path) -> anyhow::Result<model::World> {
    anyhow::ensure!(
        folder.is_dir(),
        "there is no state folder {}",
        folder.display()
    );
    Ok(state_folder::open_journal(folder)?.load()?)
}
