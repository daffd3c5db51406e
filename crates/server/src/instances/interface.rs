//! Interfaces come and go while their sandbox runs.

use std::collections::BTreeMap;

use dataplane::Device;
use host::{Interface, Sandbox};

use super::{Connected, Instances};

impl Instances {
    /// Attaches, detaches and readdresses the interfaces of a running sandbox.
    pub(super) fn change_interfaces(
        &self,
        sandbox: &mut Sandbox,
        own: &mut Connected,
        wanted: &BTreeMap<Device, Interface>,
    ) {
        let (kept, gone): (Connected, Connected) = std::mem::take(own)
            .into_iter()
            .partition(|(device, _)| wanted.contains_key(device));
        *own = kept;
        self.disconnect(&gone);
        for (device, interface) in wanted {
            let done = match own.get(device) {
                Some((known, _)) if known == interface => continue,
                Some((known, connection)) => {
                    readdress(sandbox, known, interface).map(|()| *connection)
                }
                None => sandbox
                    .attach(interface, self.datapath.wiring())
                    .and_then(|wire| self.datapath.connect(*device, wire)),
            };
            match done {
                Ok(connection) => {
                    own.insert(*device, (interface.clone(), connection));
                }
                Err(error) => {
                    tracing::error!(?device, %error, "the interface could not be changed");
                }
            }
        }
    }

    pub(super) fn disconnect(&self, gone: &Connected) {
        for (device, (_, connection)) in gone {
            if let Err(error) = self.datapath.disconnect(*device, *connection) {
                tracing::error!(?device, %error, "the interface could not be removed");
            }
        }
    }
}

fn readdress(sandbox: &Sandbox, known: &Interface, wanted: &Interface) -> host::Result<()> {
    let namespace = sandbox.namespace();
    for address in known
        .addresses
        .iter()
        .filter(|a| !wanted.addresses.contains(a))
    {
        namespace.remove_address(&known.name, *address)?;
    }
    for address in wanted
        .addresses
        .iter()
        .filter(|a| !known.addresses.contains(a))
    {
        namespace.add_address(&known.name, *address)?;
    }
    for route in wanted.routes.iter().filter(|r| !known.routes.contains(r)) {
        namespace.add_route(&known.name, *route)?;
    }
    Ok(())
}
