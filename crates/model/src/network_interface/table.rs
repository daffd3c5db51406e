//! The table of network interfaces, and the ways to find some of them without looking at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Id, IdBody, InstanceId, MacAddress, NetworkInterface, NetworkInterfaceId, SecurityGroupId,
    SubnetId, Table, VpcId,
};

/// Network interfaces by id. Cloning is O(1), as that of every table.
#[derive(Clone, Debug, Default)]
pub struct NetworkInterfaces {
    rows: Table<NetworkInterfaceId, NetworkInterface>,
    of: OrdSet<(Owner, NetworkInterfaceId)>,
    macs: OrdSet<(MacAddress, NetworkInterfaceId)>,
    addresses: OrdMap<(SubnetId, u128), NetworkInterfaceId>,
    /// The runs of addresses that are taken, by their first; no two touch.
    runs: OrdMap<(SubnetId, u128), u128>,
}

/// What network interfaces belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The VPC that they are in.
    Vpc(VpcId),
    /// The subnet that they are in.
    Subnet(SubnetId),
    /// The instance that they are attached to.
    Instance(InstanceId),
    /// A security group that they carry.
    SecurityGroup(SecurityGroupId),
}

impl NetworkInterfaces {
    /// Puts a network interface in, in place of one with the same id.
    pub fn insert(&mut self, id: NetworkInterfaceId, row: NetworkInterface) {
        self.remove(&id);
        for owner in owners(&row) {
            self.of.insert((owner, id));
        }
        self.macs.insert((row.mac, id));
        for address in row.addresses() {
            let place = (row.subnet_id, number(address));
            if self.addresses.insert(place, id).is_none() {
                self.take(place);
            }
        }
        self.rows.insert(id, row);
    }

    /// Takes a network interface out.
    pub fn remove(&mut self, id: &NetworkInterfaceId) {
        let Some(row) = self.rows.get(id).cloned() else {
            return;
        };
        for owner in owners(&row) {
            self.of.remove(&(owner, *id));
        }
        self.macs.remove(&(row.mac, *id));
        for address in row.addresses() {
            let place = (row.subnet_id, number(address));
            // Another may have taken it over already.
            if self.addresses.get(&place) == Some(id) {
                self.addresses.remove(&place);
                self.free(place);
            }
        }
        self.rows.remove(id);
    }

    /// The ids of an owner's network interfaces, in their order.
    pub fn ids_of(&self, owner: Owner) -> impl Iterator<Item = NetworkInterfaceId> + '_ {
        let first = NetworkInterfaceId::from_body(IdBody::new(0));
        let from = self.of.range((owner, first)..);
        from.take_while(move |(of, _)| *of == owner)
            .map(|(_, id)| *id)
    }

    /// An owner's network interfaces, in the order of their ids.
    pub fn of(&self, owner: Owner) -> impl Iterator<Item = &NetworkInterface> + '_ {
        self.ids_of(owner).filter_map(|id| self.rows.get(&id))
    }

    /// Whether an owner has any.
    pub fn has_any(&self, owner: Owner) -> bool {
        self.ids_of(owner).next().is_some()
    }

    /// Whether any has this MAC address.
    pub fn has_mac(&self, mac: MacAddress) -> bool {
        let first = NetworkInterfaceId::from_body(IdBody::new(0));
        let next = self.macs.get_next(&(mac, first));
        next.is_some_and(|(found, _)| *found == mac)
    }

    /// The network interface of a subnet that has a private address.
    pub fn with_address(&self, subnet: SubnetId, address: IpAddr) -> Option<&NetworkInterface> {
        let id = self.addresses.get(&(subnet, number(address)))?;
        self.rows.get(id)
    }

    /// The lowest address from this one on that no network interface of the subnet has. It may be beyond the subnet.
    pub fn next_free(&self, subnet: SubnetId, from: IpAddr) -> Option<IpAddr> {
        let wanted = number(from);
        let run = self.runs.get_prev(&(subnet, wanted));
        let run = run.filter(|((of, _), last)| *of == subnet && **last >= wanted);
        let free = match run {
            Some((_, last)) => last.checked_add(1)?,
            None => wanted,
        };
        let free = Ipv6Addr::from_bits(free);
        Some(match from {
            IpAddr::V4(_) => free.to_ipv4_mapped()?.into(),
            IpAddr::V6(_) => free.into(),
        })
    }

    /// How many IPv4 addresses of a subnet are taken.
    pub fn ipv4_taken(&self, subnet: SubnetId) -> usize {
        let first = number(Ipv4Addr::UNSPECIFIED.into());
        let last = number(Ipv4Addr::BROADCAST.into());
        let runs = self.runs.range((subnet, first)..=(subnet, last));
        let taken: u128 = runs.map(|((_, first), last)| last - first + 1).sum();
        usize::try_from(taken).unwrap_or(usize::MAX)
    }

    /// Notes that an address is taken.
    fn take(&mut self, (subnet, address): (SubnetId, u128)) {
        let before = self.runs.get_prev(&(subnet, address));
        let before = before.map(|(&place, &last)| (place, last));
        let before =
            before.filter(|((of, _), last)| *of == subnet && last.checked_add(1) == Some(address));
        let after = address.checked_add(1).and_then(|next| {
            let last = self.runs.remove(&(subnet, next))?;
            Some(last)
        });
        let first = before.map_or(address, |((_, first), _)| first);
        self.runs.insert((subnet, first), after.unwrap_or(address));
    }

    /// Notes that an address is free.
    fn free(&mut self, (subnet, address): (SubnetId, u128)) {
        let run = self.runs.get_prev(&(subnet, address));
        let Some((first, last)) = run.map(|((_, first), last)| (*first, *last)) else {
            return;
        };
        self.runs.remove(&(subnet, first));
        if first < address {
            self.runs.insert((subnet, first), address - 1);
        }
        if address < last {
            self.runs.insert((subnet, address + 1), last);
        }
    }
}

fn owners(row: &NetworkInterface) -> impl Iterator<Item = Owner> + '_ {
    let places = [Owner::Vpc(row.vpc_id), Owner::Subnet(row.subnet_id)];
    let groups = row.groups.iter().copied().map(Owner::SecurityGroup);
    let instance = row.instance_id().map(Owner::Instance);
    places.into_iter().chain(instance).chain(groups)
}

/// An address as a number. Those of IPv4 are apart from those of IPv6.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Deref for NetworkInterfaces {
    type Target = Table<NetworkInterfaceId, NetworkInterface>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl PartialEq for NetworkInterfaces {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Serialize for NetworkInterfaces {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(s)
    }
}

impl<'de> Deserialize<'de> for NetworkInterfaces {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let rows = Vec::<(NetworkInterfaceId, NetworkInterface)>::deserialize(d)?;
        let mut table = Self::default();
        for (id, row) in rows {
            table.insert(id, row);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Attachment, PrivateIpAddress, Timestamp};

    fn id<T: Id>(number: u8) -> T {
        T::from_body(IdBody::new(number.into()))
    }

    /// A row of few possible owners and addresses.
    fn row(
        number: u8,
        subnet: u8,
        v4: &BTreeSet<u8>,
        v6: &BTreeSet<u8>,
        group: u8,
    ) -> NetworkInterface {
        let private = |last: &u8| PrivateIpAddress {
            address: Ipv4Addr::new(10, 0, subnet, *last),
            association: None,
        };
        let instance = group.is_multiple_of(2).then(|| Attachment {
            id: id(number),
            instance_id: id(group),
            device_index: 0,
            attach_time: Timestamp::from_secs(0),
            delete_on_termination: false,
        });
        NetworkInterface {
            id: id(number),
            interface_type: Default::default(),
            subnet_id: id(subnet),
            vpc_id: id(subnet / 2),
            description: String::new(),
            mac: MacAddress([2, 0, 0, 0, 0, number]),
            private_ip_addresses: v4.iter().map(private).collect(),
            ipv6_addresses: v6
                .iter()
                .map(|last| Ipv6Addr::from_bits((0xfd << 120) + u128::from(*last)))
                .collect(),
            groups: vec![id(group)],
            source_dest_check: true,
            associate_public_ip_address: false,
            attachment: instance,
            created_at: Timestamp::from_secs(0),
            tags: Default::default(),
        }
    }

    fn addresses(below: u8, count: usize) -> impl Strategy<Value = BTreeSet<u8>> {
        proptest::collection::btree_set(0..below, 0..count)
    }

    proptest! {
        /// Whatever is put in and taken out, what is found is what a look at all of them finds.
        #[test]
        fn finds_what_a_scan_finds(
            steps in proptest::collection::vec(
                (0..8_u8, 0..4_u8, addresses(24, 4), addresses(6, 3), 0..5_u8, any::<bool>()),
                0..60,
            ),
        ) {
            let mut table = NetworkInterfaces::default();
            for (number, subnet, v4, v6, group, put) in steps {
                let wanted = row(number, subnet, &v4, &v6, group);
                // `control` gives out no address twice.
                let clashes = table.values().any(|other| {
                    other.id != wanted.id && other.subnet_id == wanted.subnet_id
                        && other.addresses().any(|a| wanted.addresses().any(|own| own == a))
                });
                match put && !clashes {
                    true => table.insert(wanted.id, wanted),
                    false => table.remove(&id(number)),
                }
                check(&table);
            }
            let text = serde_json::to_string(&table).unwrap();
            let back: NetworkInterfaces = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &table);
            check(&back);
        }
    }

    fn check(table: &NetworkInterfaces) {
        for number in 0..8 {
            for owner in [
                Owner::Vpc(id(number)),
                Owner::Subnet(id(number)),
                Owner::Instance(id(number)),
                Owner::SecurityGroup(id(number)),
            ] {
                let scan = table.values().filter(|row| owners(row).any(|o| o == owner));
                assert!(table.of(owner).eq(scan), "{owner:?}");
            }
            let mac = MacAddress([2, 0, 0, 0, 0, number]);
            assert_eq!(table.has_mac(mac), table.values().any(|row| row.mac == mac));
            check_addresses(table, number);
        }
    }

    fn check_addresses(table: &NetworkInterfaces, number: u8) {
        let subnet: SubnetId = id(number);
        let own = || table.values().filter(|row| row.subnet_id == subnet);
        let count = own()
            .map(|row| row.private_ip_addresses.len())
            .sum::<usize>();
        assert_eq!(table.ipv4_taken(subnet), count);
        let taken: BTreeSet<IpAddr> = own().flat_map(NetworkInterface::addresses).collect();
        for last in 0..30 {
            let v4 = |last| IpAddr::V4(Ipv4Addr::new(10, 0, number, last));
            let v6 = |last: u8| IpAddr::V6(Ipv6Addr::from_bits((0xfd << 120) + u128::from(last)));
            for address in [&v4 as &dyn Fn(u8) -> IpAddr, &v6] {
                let found = table.with_address(subnet, address(last)).is_some();
                assert_eq!(found, taken.contains(&address(last)));
                let free = (last..=255).map(address).find(|a| !taken.contains(a));
                assert_eq!(table.next_free(subnet, address(last)), free);
            }
        }
    }
}
