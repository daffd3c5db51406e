//! What the programs of user data print, in a file per instance.

use std::collections::BTreeSet;
use std::path::PathBuf;

use model::InstanceId;

use super::Instances;
use crate::plan::Place;

/// What `GetConsoleOutput` returns at most (Amazon EC2 API Reference, "GetConsoleOutput").
const CONSOLE_MAX: usize = 64 << 10;

impl Instances {
    /// What the programs of an instance's user data have printed.
    pub(crate) fn console(&self, instance_id: InstanceId) -> Option<Vec<u8>> {
        let mut text = std::fs::read(self.console_path(&Place::Instance(instance_id))).ok()?;
        text.drain(..text.len().saturating_sub(CONSOLE_MAX));
        Some(text)
    }

    /// Removes what former instances have printed.
    pub(crate) fn forget_consoles(&self) {
        let folder = self.state.join("console");
        // Looked at before the world, so that whatever is not in the world is over, and not about to begin.
        let files: Vec<_> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let world = self.writer.world();
        let kept: BTreeSet<PathBuf> = world
            .regions
            .values()
            .flat_map(|state| {
                let instances = state.instances.values().map(|i| Place::Instance(i.id));
                let hosts = state.internet_hosts.values();
                instances.chain(hosts.map(|host| Place::InternetHost(host.address)))
            })
            .map(|place| self.console_path(&place))
            .collect();
        for file in files.iter().filter(|file| !kept.contains(*file)) {
            if let Err(error) = std::fs::remove_file(file) {
                tracing::warn!(file = %file.display(), %error, "not removed");
            }
        }
    }

    pub(super) fn console_path(&self, place: &Place) -> PathBuf {
        self.state
            .join("console")
            .join(format!("{}.log", place.to_string().replace(':', "-")))
    }
}
