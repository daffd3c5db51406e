//! Arguments of `weir export`, `weir import` and `weir reset`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `weir export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir export network.weir                       of the running daemon, at this moment
  weir export --state DIR network.weir           of a state folder that no daemon uses
  weir up --ephemeral --state-from network.weir    a daemon that begins with it

In the file is all that the daemon keeps, of all accounts and Regions: the resources of EC2, Elastic Load
Balancing and IAM, and what changed them; buckets and objects of S3; groups, streams and events of CloudWatch
Logs; streams of Firehose and what they hold; CloudTrail's events and trails; the records that `weir flows`
and `weir flows why` know; the keys that sessions and certificates are made with. So keep it to yourself, as
the state folder is: it is made for its owner's eyes alone.

Not in it is what belongs to the run of one daemon: counters of windows that are open and records that wait
for their delivery (`weir flows flush` delivers them before), what instances print, what is in their memory
and in files that they wrote. Instances that run are started anew from the file, as after a restart.

The file is a gzipped tar archive: weir-state.json with the number of its format, the files of a state
folder, and SHA256SUMS of them.")]
pub(crate) struct Export {
    /// The file to write; one of that name is replaced
    pub(crate) file: PathBuf,
    /// The folder of a state that no daemon uses, instead of the daemon's
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// Arguments of `weir import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir import network.weir && weir up
  weir import --replace --state DIR network.weir

The state folder must not be in use: end the daemon first. All of the file is checked before anything is
changed; a file that is damaged, or of a newer weir, is refused, and where it is damaged is said. The new
state takes the old one's place wholly or not at all.")]
pub(crate) struct Import {
    /// A file of `weir export`
    pub(crate) file: PathBuf,
    /// The folder to put it into [default: that of `weir up`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Forget the state that is in the folder
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Arguments of `weir reset`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir reset               asks first
  weir reset --yes
  weir reset --yes --state DIR    a state folder that no daemon uses

Everything is forgotten: resources of all accounts and Regions, objects, log events, CloudTrail's events,
keys. Instances are ended. The daemon starts anew with the same options, and with the file of
`weir up --state-from` if there is one; the command ends when it answers again.")]
pub(crate) struct Reset {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The folder of a state that no daemon uses, instead of the daemon's
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}
