//! The state of an account's Region, the changes that make it, and the world of all of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::*;

/// The type of a table: one of its own, where it has ways to find rows by more than their id.
macro_rules! table {
    ($key:ty, $value:ty) => { Table<$key, $value> };
    ($key:ty, $value:ty, $own:ty) => { $own };
}

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident: $key:ty => $variant:ident($value:ty) $(in $own:ty)?;)*) => {
        /// Everything that an account has in a Region. Cloning is cheap.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct State {
            $(
                $(#[$doc])*
                #[serde(default)]
                pub $table: table!($key, $value $(, $own)?),
            )*
        }

        /// One step from a state to the next: a row put in place, or taken out (`None`).
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Change {
            $(
                $(#[$doc])*
                $variant($key, Option<Box<$value>>),
            )*
        }

        /// A row that two states do not have alike: its key, the row before, and the row now.
        #[derive(Clone, Copy, Debug)]
        pub enum Difference<'a> {
            $(
                $(#[$doc])*
                $variant(&'a $key, Option<&'a $value>, Option<&'a $value>),
            )*
        }

        impl State {
            /// Tells every row that an earlier state does not have alike, table by table; quick where the states share
            /// most of their rows.
            pub fn differences<'a>(&'a self, before: &'a Self, mut each: impl FnMut(Difference<'a>)) {
                $(
                    for (key, old, now) in self.$table.differences(&before.$table) {
                        each(Difference::$variant(key, old, now));
                    }
                )*
            }

            /// Takes one step. Replaying all changes in order gives the same state, always.
            pub fn apply(&mut self, change: &Change) {
                match change {
                    $(
                        Change::$variant(id, Some(value)) => self.$table.insert(id.clone(), (**value).clone()),
                        Change::$variant(id, None) => self.$table.remove(id),
                    )*
                }
            }

            /// How many rows all tables have together.
            pub fn rows(&self) -> usize {
                0 $(+ self.$table.len())*
            }

            /// The changes that make this state out of nothing: a checkpoint.
            pub fn changes(&self) -> Vec<Change> {
                let mut changes = Vec::new();
                $(
                    changes.extend(self.$table.iter().map(|(id, value)| {
                        Change::$variant(id.clone(), Some(Box::new(value.clone())))
                    }));
                )*
                changes
            }
        }

        $(
            impl Row for $value {
                type Key = $key;
                fn put(key: $key, row: Self) -> Change {
                    Change::$variant(key, Some(Box::new(row)))
                }
                fn delete(key: $key) -> Change {
                    Change::$variant(key, None)
                }
                fn table(state: &State) -> &Table<$key, Self> {
                    &state.$table
                }
            }
        )*
    };
}

/// A value that a table of [`State`] holds.
pub trait Row: Sized + Clone {
    /// What the table is keyed by.
    type Key: Ord + Clone;
    /// The change that puts a row in place.
    fn put(key: Self::Key, row: Self) -> Change;
    /// The change that takes a row out.
    fn delete(key: Self::Key) -> Change;
    /// The table.
    fn table(state: &State) -> &Table<Self::Key, Self>;
}

tables! {
    /// VPCs.
    vpcs: VpcId => Vpc(Vpc);
    /// Subnets.
    subnets: SubnetId => Subnet(Subnet);
    /// Blocks of subnets that are not given out.
    subnet_cidr_reservations: SubnetCidrReservationId => SubnetCidrReservation(SubnetCidrReservation);
    /// Route tables with their routes and associations.
    route_tables: RouteTableId => RouteTable(RouteTable);
    /// Internet gateways.
    internet_gateways: InternetGatewayId => InternetGateway(InternetGateway);
    /// Egress-only internet gateways.
    egress_only_internet_gateways: EgressOnlyInternetGatewayId => EgressOnlyInternetGateway(EgressOnlyInternetGateway);
    /// NAT gateways, those that are gone included, for as long as AWS describes them.
    nat_gateways: NatGatewayId => NatGateway(NatGateway);
    /// Security groups with their rules.
    security_groups: SecurityGroupId => SecurityGroup(SecurityGroup);
    /// Network ACLs with their entries and associations.
    network_acls: NetworkAclId => NetworkAcl(NetworkAcl);
    /// Network interfaces.
    network_interfaces: NetworkInterfaceId => NetworkInterface(NetworkInterface) in NetworkInterfaces;
    /// Elastic IP addresses.
    addresses: AllocationId => Address(Address);
    /// DHCP option sets.
    dhcp_options: DhcpOptionsId => DhcpOptions(DhcpOptions);
    /// Instances.
    instances: InstanceId => Instance(Instance);
    /// Flow logs.
    flow_logs: FlowLogId => FlowLog(FlowLog);
    /// Prefix lists of customers.
    prefix_lists: PrefixListId => PrefixList(PrefixList);
    /// The entries of prefix lists, by list and version.
    prefix_list_versions: (PrefixListId, u64) => PrefixListVersion(PrefixListVersion);
    /// VPC endpoints.
    vpc_endpoints: VpcEndpointId => VpcEndpoint(VpcEndpoint);
    /// VPC peering connections, in the Region of the account that requested them.
    vpc_peering_connections: VpcPeeringConnectionId => VpcPeeringConnection(VpcPeeringConnection);
    /// Endpoint services.
    vpc_endpoint_services: VpcEndpointServiceId => VpcEndpointService(VpcEndpointService);
    /// Load balancers.
    load_balancers: LoadBalancerId => LoadBalancer(LoadBalancer);
    /// Listeners of load balancers.
    listeners: ListenerId => Listener(Listener);
    /// Target groups with their targets.
    target_groups: TargetGroupId => TargetGroup(TargetGroup);
    /// IAM roles by name in lower case.
    roles: String => Role(Role);
    /// IAM users by name in lower case.
    users: String => User(User);
    /// Access keys of users by their id.
    access_keys: String => AccessKey(AccessKey);
    /// IAM groups by name in lower case.
    groups: String => Group(Group);
    /// Managed policies by name in lower case.
    managed_policies: String => ManagedPolicy(ManagedPolicy);
    /// Instance profiles by name in lower case.
    instance_profiles: String => InstanceProfile(InstanceProfile);
    /// Client tokens by action and token.
    client_tokens: String => ClientToken(ClientToken);
    /// Hosts of the simulated internet; held by one scope, seen by all.
    internet_hosts: IpAddr => InternetHost(InternetHost);
}

impl State {
    /// The Region's default VPC.
    pub fn default_vpc(&self) -> Option<&Vpc> {
        self.vpcs.values().find(|v| v.is_default)
    }

    /// The route table that rules a subnet: its own, else the VPC's main one.
    pub fn route_table_of(&self, subnet: &Subnet) -> Option<&RouteTable> {
        let own = |t: &&RouteTable| {
            t.associations
                .iter()
                .any(|a| a.subnet_id == Some(subnet.id))
        };
        self.route_tables
            .values()
            .find(own)
            .or_else(|| self.main_route_table(subnet.vpc_id))
    }

    /// The main route table of a VPC.
    pub fn main_route_table(&self, vpc_id: VpcId) -> Option<&RouteTable> {
        self.route_tables
            .values()
            .find(|t| t.vpc_id == vpc_id && t.is_main())
    }

    /// The network ACL that guards a subnet.
    pub fn network_acl_of(&self, subnet_id: SubnetId) -> Option<&NetworkAcl> {
        let guards = |acl: &&NetworkAcl| acl.associations.iter().any(|a| a.subnet_id == subnet_id);
        self.network_acls.values().find(guards)
    }

    /// The default network ACL of a VPC.
    pub fn default_network_acl(&self, vpc_id: VpcId) -> Option<&NetworkAcl> {
        self.network_acls
            .values()
            .find(|acl| acl.vpc_id == vpc_id && acl.is_default)
    }

    /// The default security group of a VPC.
    pub fn default_security_group(&self, vpc_id: VpcId) -> Option<&SecurityGroup> {
        self.security_groups
            .values()
            .find(|g| g.vpc_id == vpc_id && g.is_default())
    }

    /// The DHCP option set of a VPC.
    pub fn dhcp_options_of(&self, vpc: &Vpc) -> Option<&DhcpOptions> {
        self.dhcp_options.get(&vpc.dhcp_options_id?)
    }

    /// The internet gateway attached to a VPC.
    pub fn internet_gateway_of(&self, vpc_id: VpcId) -> Option<&InternetGateway> {
        self.internet_gateways
            .values()
            .find(|g| g.vpc_id == Some(vpc_id))
    }

    /// The network interfaces of an instance, by device index.
    pub fn interfaces_of(&self, instance_id: InstanceId) -> Vec<&NetworkInterface> {
        let own = self.network_interfaces.of(Owner::Instance(instance_id));
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|eni| eni.attachment.as_ref().map(|a| a.device_index));
        own
    }

    /// The network interface of a subnet that has a private address.
    pub fn interface_with_address(
        &self,
        subnet_id: SubnetId,
        address: IpAddr,
    ) -> Option<&NetworkInterface> {
        self.network_interfaces.with_address(subnet_id, address)
    }

    /// The blocks that a prefix list has now, be it a customer's or one of AWS's own; none if there
    /// is no such list.
    pub fn prefix_list_blocks(&self, id: PrefixListId) -> Vec<IpNet> {
        if let Some(list) = AwsPrefixList::with_id(id) {
            return list.nets().collect();
        }
        let version = self.prefix_lists.get(&id).map(|list| list.version);
        let version = version.and_then(|v| self.prefix_list_versions.get(&(id, v)));
        let entries = version.into_iter().flat_map(|v| &v.entries);
        entries.map(|entry| entry.cidr).collect()
    }

    /// Whether a route's target can take packets (Amazon VPC User Guide, "Route table concepts").
    ///
    /// A route to an interface is active only while that is attached to a running instance; one to a NAT gateway already
    /// while that comes up, when it does not take packets yet. `peering` finds the peering connections of all accounts
    /// and Regions.
    pub fn route_state<'a>(
        &self,
        vpc_id: VpcId,
        target: &RouteTarget,
        peering: impl FnOnce(VpcPeeringConnectionId) -> Option<&'a VpcPeeringConnection>,
    ) -> RouteState {
        let active = match target {
            RouteTarget::Local => true,
            RouteTarget::InternetGateway(id) => self
                .internet_gateways
                .get(id)
                .is_some_and(|g| g.vpc_id == Some(vpc_id)),
            RouteTarget::EgressOnlyInternetGateway(id) => self
                .egress_only_internet_gateways
                .get(id)
                .is_some_and(|g| g.vpc_id == vpc_id),
            RouteTarget::NatGateway(id) => self
                .nat_gateways
                .get(id)
                .is_some_and(|g| g.is_available() || g.state == NatGatewayState::Pending),
            RouteTarget::VpcEndpoint(id) => self.vpc_endpoints.get(id).is_some_and(|endpoint| {
                endpoint.vpc_id == vpc_id && endpoint.state == VpcEndpointState::Available
            }),
            RouteTarget::NetworkInterface(id) => self
                .network_interfaces
                .get(id)
                .and_then(NetworkInterface::instance_id)
                .and_then(|instance| self.instances.get(&instance))
                .is_some_and(|i| {
                    matches!(i.state, InstanceState::Running | InstanceState::Pending)
                }),
            RouteTarget::VpcPeeringConnection(id) => peering(*id)
                .is_some_and(|p| p.status == PeeringStatus::Active && p.other(vpc_id).is_some()),
        };
        if active {
            RouteState::Active
        } else {
            RouteState::Blackhole
        }
    }

    /// Every public IPv4 address in use: Elastic ones, and those of Amazon's pool.
    pub fn public_addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let elastic = self.addresses.values().map(|a| a.public_ip);
        let mapped = self.network_interfaces.values().flat_map(|eni| {
            eni.private_ip_addresses
                .iter()
                .filter_map(|p| p.association.as_ref().map(|a| a.public_ip))
        });
        elastic.chain(mapped)
    }
}

/// Every account's Regions. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// How many changes have been applied since the beginning.
    pub generation: u64,
    /// The state of each account in each Region that has been used.
    pub regions: BTreeMap<Scope, State>,
}

impl World {
    /// The state of an account's Region, if that has been used.
    pub fn region(&self, scope: &Scope) -> Option<&State> {
        self.regions.get(scope)
    }

    /// Takes one step in an account's Region.
    pub fn apply(&mut self, scope: Scope, change: &Change) {
        self.regions.entry(scope).or_default().apply(change);
        self.generation += 1;
    }

    /// The peering connection with this id, whoever requested it.
    pub fn vpc_peering_connection(
        &self,
        id: VpcPeeringConnectionId,
    ) -> Option<&VpcPeeringConnection> {
        self.regions
            .values()
            .find_map(|state| state.vpc_peering_connections.get(&id))
    }

    /// Every peering connection.
    pub fn vpc_peering_connections(&self) -> impl Iterator<Item = &VpcPeeringConnection> + '_ {
        self.regions
            .values()
            .flat_map(|state| state.vpc_peering_connections.values())
    }

    /// Every public IPv4 address in use, anywhere.
    pub fn public_addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.regions.values().flat_map(State::public_addresses)
    }
}
