//! A VPC with everything in it, as one piece: what a change inside it compiles again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{
    Destination, RouteTableId, RouteTarget, RulePeer, Scope, State, SubnetId, VpcId, World,
};
use packet::Mac;

use super::affected::Reference;
use super::index::{Index, Rows};
use super::managed::Managed;
use super::nat_gateway::{self, RegionalNatGateway};
use super::network_acl;
use super::network_interface::{self, Interface, ResourceName};
use super::route_table::{self, RouteTable};
use super::security_group::{self, AllMembers};
use super::subnet::{self, Subnet};
use super::vpc::{self, Vpc};
use super::vpc_peering_connection::Peerings;
use crate::ports::{Device, PortId, Ports};

/// A VPC with everything in it.
#[derive(Debug)]
pub(crate) struct WholeVpc {
    pub(crate) vpc: Arc<Vpc>,
    pub(crate) interfaces: Vec<Arc<Interface>>,
    /// Its regional NAT gateways.
    pub(crate) nat_gateways: Vec<Arc<RegionalNatGateway>>,
    /// What its routes and rules name.
    pub(crate) references: BTreeSet<Reference>,
}

/// What there is beside the VPC's own rows.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) world: &'a World,
    pub(crate) index: &'a Index,
    pub(crate) members: &'a AllMembers,
    pub(crate) managed: &'a BTreeMap<Scope, Managed>,
}

/// Compiles a VPC; nothing if there is none with this id.
pub(crate) fn compile(
    around: Surroundings<'_>,
    vpc_id: VpcId,
    ports: &mut Ports,
) -> Option<WholeVpc> {
    let (scope, rows) = around.index.rows(vpc_id)?;
    let state = around.world.region(&scope)?;
    let row = state.vpcs.get(&vpc_id)?;
    let mut own = Own {
        scope,
        state,
        rows,
        managed: around.managed.get(&scope),
        peerings: Peerings::new(around.world, around.index, vpc_id, rows),
        references: BTreeSet::new(),
    };
    let gateway = rows.internet_gateways.first().copied();
    let mut vpc = vpc::compile(row, scope.region, gateway, state.dhcp_options_of(row));
    vpc.peerings = own.peerings.all();
    let names = own.managed.into_iter().flat_map(|managed| &managed.names);
    for name in names.filter(|name| name.inside == Some(vpc_id)) {
        vpc.private_names.insert(&name.name, &name.addresses);
    }
    let tables = own.route_tables(&mut vpc, ports);
    let subnets = own.subnets(&tables);
    let (vpc, interfaces) = own.interfaces(around.members, vpc, &subnets, ports);
    let nat_gateways = own.nat_gateways(&vpc, &tables, ports);
    Some(WholeVpc {
        vpc,
        interfaces,
        nat_gateways,
        references: own.references,
    })
}

/// The route tables of a VPC, and which of them rules what.
#[derive(Default)]
struct Tables {
    all: BTreeMap<RouteTableId, Arc<RouteTable>>,
    of_subnet: BTreeMap<SubnetId, RouteTableId>,
    main: Option<RouteTableId>,
}

struct Own<'a> {
    scope: Scope,
    state: &'a State,
    rows: &'a Rows,
    managed: Option<&'a Managed>,
    peerings: Peerings<'a>,
    references: BTreeSet<Reference>,
}

impl<'a> Own<'a> {
    fn tables(&self) -> impl Iterator<Item = &'a model::RouteTable> + use<'a> {
        let tables = &self.state.route_tables;
        self.rows
            .route_tables
            .iter()
            .filter_map(|id| tables.get(id))
    }

    /// The route tables; and for the VPC, which one rules packets that come in through its internet gateway.
    fn route_tables(&mut self, vpc: &mut Vpc, ports: &Ports) -> Tables {
        let mut tables = Tables::default();
        for row in self.tables() {
            self.note_routes(row);
            let compiled = Arc::new(route_table::compile(self.state, row, &self.peerings, ports));
            for association in &row.associations {
                if association.gateway_id.is_some() {
                    vpc.ingress_table = Some(compiled.clone());
                }
                if association.main && tables.main.is_none() {
                    tables.main = Some(row.id);
                }
                if let Some(subnet) = association.subnet_id {
                    tables.of_subnet.entry(subnet).or_insert(row.id);
                }
            }
            tables.all.insert(row.id, compiled);
        }
        tables
    }

    /// The regional NAT gateways that take packets.
    fn nat_gateways(
        &self,
        vpc: &Arc<Vpc>,
        tables: &Tables,
        ports: &mut Ports,
    ) -> Vec<Arc<RegionalNatGateway>> {
        let rows = self.rows.nat_gateways.iter();
        let rows = rows.filter_map(|id| self.state.nat_gateways.get(id));
        let available = rows.filter(|row| row.is_available() && row.is_regional());
        let compiled = available.filter_map(|row| {
            let table = row.route_table_id().and_then(|id| tables.all.get(&id));
            let (vpc, table) = (vpc.clone(), table.cloned());
            let compiled = nat_gateway::compile_regional(row, self.scope, vpc, table, ports)?;
            Some(Arc::new(compiled))
        });
        compiled.collect()
    }

    fn subnets(&self, tables: &Tables) -> BTreeMap<SubnetId, Arc<Subnet>> {
        let mut acls = BTreeMap::new();
        let mut acl_of = BTreeMap::new();
        let mut default = None;
        let rows = self.rows.network_acls.iter();
        for row in rows.filter_map(|id| self.state.network_acls.get(id)) {
            for association in &row.associations {
                acl_of.entry(association.subnet_id).or_insert(row.id);
            }
            if row.is_default && default.is_none() {
                default = Some(row.id);
            }
            acls.insert(row.id, Arc::new(network_acl::compile(row)));
        }
        let rows = self.rows.subnets.iter();
        rows.filter_map(|id| self.state.subnets.get(id))
            .map(|row| {
                let acl = acl_of.get(&row.id).copied().or(default);
                let table = tables.of_subnet.get(&row.id).copied().or(tables.main);
                let acl = acl.and_then(|id| acls.get(&id).cloned());
                let table = table.and_then(|id| tables.all.get(&id).cloned());
                (row.id, Arc::new(subnet::compile(row, acl, table)))
            })
            .collect()
    }

    fn note_routes(&mut self, table: &model::RouteTable) {
        for route in &table.routes {
            if let Destination::PrefixList(id) = route.destination {
                self.references.insert(Reference::PrefixList(id));
            }
            match route.target {
                RouteTarget::NatGateway(id) => {
                    self.references.insert(Reference::NatGateway(id));
                    let gateway = self.state.nat_gateways.get(&id);
                    let interface = gateway.and_then(model::NatGateway::network_interface_id);
                    self.references.extend(interface.map(Reference::Interface));
                }
                RouteTarget::NetworkInterface(id) => {
                    self.references.insert(Reference::Interface(id));
                }
                // They are the VPC's own, or it is a side of them.
                RouteTarget::Local
                | RouteTarget::InternetGateway(_)
                | RouteTarget::EgressOnlyInternetGateway(_)
                | RouteTarget::VpcEndpoint(_)
                | RouteTarget::VpcPeeringConnection(_) => {}
            }
        }
    }

    fn note_rules(&mut self, group: &model::SecurityGroup) {
        for rule in &group.rules {
            match rule.peer {
                RulePeer::PrefixList(id) => {
                    self.references.insert(Reference::PrefixList(id));
                }
                RulePeer::Group { group_id, .. } => {
                    self.references.insert(Reference::Members(group_id));
                }
                RulePeer::Ipv4(_) | RulePeer::Ipv6(_) => {}
            }
        }
    }

    /// The VPC, told who is in it, and its interfaces.
    fn interfaces(
        &mut self,
        members: &AllMembers,
        mut vpc: Vpc,
        subnets: &BTreeMap<SubnetId, Arc<Subnet>>,
        ports: &mut Ports,
    ) -> (Arc<Vpc>, Vec<Arc<Interface>>) {
        let state = self.state;
        let groups = self.rows.security_groups.iter();
        let groups: Vec<_> = groups
            .filter_map(|id| state.security_groups.get(id))
            .collect();
        for group in &groups {
            self.note_rules(group);
        }
        let groups = security_group::compile(state, vpc.id, &groups, members, &self.peerings);
        let rows = self.rows.network_interfaces.iter();
        let rows = rows.filter_map(|id| {
            let row = state.network_interfaces.get(id)?;
            let port = ports.get(&Device::Interface(*id))?;
            let subnet = subnets.get(&row.subnet_id)?;
            Some((row, port, subnet, state.subnets.get(&row.subnet_id)?))
        });
        let rows: Vec<_> = rows.collect();
        for &(row, port, ..) in &rows {
            tell(&mut vpc, row, port);
        }
        let vpc = Arc::new(vpc);
        let interfaces = rows.into_iter().map(|(eni, port, subnet, row)| {
            let interface = Interface {
                id: eni.id,
                port,
                mac: Mac(eni.mac.0),
                vpc: vpc.clone(),
                subnet: subnet.clone(),
                addresses: eni.addresses().collect(),
                public: network_interface::public_addresses(eni),
                groups: security_group::groups_of(eni, &groups),
                source_dest_check: eni.source_dest_check,
                attached: network_interface::is_attached(state, eni),
                nat_gateway: self.managed.and_then(|m| m.nat_gateway(eni.id)),
                endpoint: self.managed.and_then(|m| m.endpoint(eni.id)),
                load_balancer: self.managed.and_then(|m| m.node(eni.id)),
                balanced: self.managed.map(|m| m.balanced(eni.id)).unwrap_or_default(),
                metadata_ipv6: network_interface::metadata_ipv6(state, eni),
                metadata: ports.share(network_interface::metadata(state, eni, row, self.scope)),
                resource_name: ResourceName {
                    primary: is_primary(eni),
                    a: row.enable_resource_name_dns_a_record,
                    aaaa: row.enable_resource_name_dns_aaaa_record,
                },
            };
            Arc::new(interface)
        });
        let interfaces = interfaces.collect();
        (vpc, interfaces)
    }
}

/// Tells a VPC of an interface in it.
fn tell(vpc: &mut Vpc, row: &model::NetworkInterface, port: PortId) {
    vpc.addresses.extend(row.addresses().map(|a| (a, port)));
    vpc.macs.insert(row.mac.0, port);
    if let Some(instance) = row.instance_id().filter(|_| is_primary(row)) {
        vpc.instances.insert(instance, port);
    }
}

fn is_primary(row: &model::NetworkInterface) -> bool {
    row.attachment.as_ref().is_some_and(|a| a.device_index == 0)
}
