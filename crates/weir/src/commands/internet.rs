//! `weir internet`: the hosts of the simulated internet.

use std::process::ExitCode;

use server::ops::{AddInternetHost, DeleteInternetHost, ListInternetHosts};

use crate::cli::{Internet, Target};
use crate::output;

/// Adds, removes or lists.
pub(crate) fn run(target: &Target, action: Internet) -> anyhow::Result<ExitCode> {
    let mut client = super::client(target)?;
    match action {
        Internet::Add { address } => {
            client.weir(&AddInternetHost { address })?;
            output::line(&format!("internet:{address}"))?;
        }
        Internet::Rm { address } => {
            client.weir(&DeleteInternetHost { address })?;
        }
        Internet::List => {
            let hosts = client.weir(&ListInternetHosts {})?;
            let lines = hosts
                .addresses
                .iter()
                .map(|address| format!("internet:{address}\n"));
            output::print(&lines.collect::<String>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
