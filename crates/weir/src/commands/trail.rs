//! `weir trail`: deliveries of CloudTrail.

use std::process::ExitCode;

use server::ops::FlushTrails;

use crate::cli::{Target, Trail};
use crate::output;

/// Flushes; 1 if a trail could not deliver.
pub(crate) fn run(target: &Target, action: Trail) -> anyhow::Result<ExitCode> {
    let Trail::Flush = action;
    let report = super::client(target)?.weir(&FlushTrails {})?;
    let (events, files, digests) = (report.events, report.files, report.digests);
    output::line(&format!(
        "{events} events in {files} files, {digests} digests"
    ))?;
    if report.failed > 0 {
        output::note(&format!(
            "{} trails could not deliver; `aws cloudtrail get-trail-status --name NAME` says why",
            report.failed
        ));
    }
    Ok(ExitCode::from(u8::from(report.failed > 0)))
}
