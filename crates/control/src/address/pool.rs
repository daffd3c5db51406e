//! Public IPv4 addresses: which are free, and those that instances get without asking (Amazon EC2
//! User Guide, "Public IPv4 addresses").

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use model::{
    Instance, InstanceState, NetworkInterface, NetworkInterfaceId, PUBLIC_IPV4_POOL,
    PublicIpAssociation, State,
};

use crate::{Error, Transaction};

/// Weir's public addresses come from here: the first, and how many.
const POOL: (Ipv4Addr, u32) = (PUBLIC_IPV4_POOL.0, 1 << (32 - PUBLIC_IPV4_POOL.1));
const ATTEMPTS_MAX: usize = 64;

/// An address that nobody has.
pub(super) fn pick(tx: &mut Transaction<'_>) -> Result<Ipv4Addr, Error> {
    let taken = taken(tx);
    let (first, size) = POOL;
    let at = |offset: u32| Ipv4Addr::from(u32::from(first) + offset % size);
    let usable = |address: &Ipv4Addr| is_usable(*address) && !taken.contains(address);
    for _ in 0..ATTEMPTS_MAX {
        let address = at((tx.random() % u128::from(size)) as u32);
        if usable(&address) {
            return Ok(address);
        }
    }
    (0..size).map(at).find(usable).ok_or_else(|| {
        Error::new(
            "InsufficientAddressCapacity",
            "Not enough available addresses to satisfy your request.",
        )
    })
}

/// An address by name, if it is one of the pool's and nobody has it.
pub(super) fn take(tx: &Transaction<'_>, address: Ipv4Addr) -> Option<Ipv4Addr> {
    let (first, size) = POOL;
    let inside = u32::from(address).wrapping_sub(u32::from(first)) < size;
    (inside && is_usable(address) && !taken(tx).contains(&address)).then_some(address)
}

/// Gives the interface's primary address one of Amazon's pool, if the rules allow it: the interface
/// was made for that, and is the only one of an instance that is up, without Elastic IP addresses.
pub(crate) fn assign_automatic(
    tx: &mut Transaction<'_>,
    id: NetworkInterfaceId,
) -> Result<(), Error> {
    let mut eni = tx.take::<NetworkInterface>(id)?;
    let mapped = eni
        .private_ip_addresses
        .iter()
        .any(|p| p.association.is_some());
    if !eni.associate_public_ip_address || mapped || !is_only_one_of_a_live_instance(tx, &eni) {
        return Ok(());
    }
    let public_ip = pick(tx)?;
    if let Some(primary) = eni.private_ip_addresses.first_mut() {
        primary.association = Some(PublicIpAssociation {
            public_ip,
            elastic: None,
        });
        tx.put(id, eni);
    }
    Ok(())
}

/// Gives an address of Amazon's pool back.
pub(crate) fn release_automatic(
    tx: &mut Transaction<'_>,
    id: NetworkInterfaceId,
) -> Result<(), Error> {
    let mut eni = tx.take::<NetworkInterface>(id)?;
    let mut released = false;
    for private in &mut eni.private_ip_addresses {
        if private
            .association
            .as_ref()
            .is_some_and(|a| a.elastic.is_none())
        {
            private.association = None;
            released = true;
        }
    }
    if released {
        tx.put(id, eni);
    }
    Ok(())
}

fn is_only_one_of_a_live_instance(tx: &Transaction<'_>, eni: &NetworkInterface) -> bool {
    let Some(id) = eni.instance_id() else {
        return false;
    };
    let up = |i: &Instance| matches!(i.state, InstanceState::Pending | InstanceState::Running);
    tx.state().instances.get(&id).is_some_and(up) && tx.state().interfaces_of(id).len() == 1
}

/// What anybody has, this request's changes included.
fn taken(tx: &Transaction<'_>) -> BTreeSet<Ipv4Addr> {
    tx.states()
        .flat_map(|(_, state)| state.public_addresses().chain(internet_hosts(state)))
        .collect()
}

fn internet_hosts(state: &State) -> impl Iterator<Item = Ipv4Addr> + '_ {
    state
        .internet_hosts
        .values()
        .filter_map(|host| match host.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
}

/// Addresses that end in 0 or 255 confuse old software, and AWS does not give them out.
fn is_usable(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[3], 0 | 255)
}
