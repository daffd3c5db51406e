//! What has become of what decided: the changes since, asked of the same code.

use dataplane::{Compiler, Explanation, Step, protocol_and_ports};
use model::{Change, Scope, State, Timestamp, World};
use serde::{Deserialize, Serialize};

use crate::cause::place;
use crate::why::{Asking, Said, Then};
use crate::{Cause, Why};

/// Changes of one request or event, later than the record's first packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// When.
    pub at: Timestamp,
    /// In whose Region.
    pub scope: Scope,
    /// What.
    pub changes: Vec<Change>,
}

impl Later {
    pub(crate) fn apply_to(&self, world: &mut World) {
        for change in &self.changes {
            world.apply(self.scope, change);
        }
    }
}

/// The first change that made something different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// When, ISO 8601.
    pub at: String,
    /// What, for example `sg-… (web): rule sgr-… (tcp 443 from 0.0.0.0/0) removed`.
    pub what: String,
}

/// What would become of the same packet now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Now {
    /// How it would end.
    pub text: String,
    /// The first change that made it so different.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// What came after.
pub(crate) struct Since<'a> {
    pub(crate) asking: &'a Asking<'a>,
    pub(crate) world: &'a World,
    pub(crate) later: &'a [Later],
}

impl Since<'_> {
    /// Says of every cause what has become of it, and what would become of the packet now. Tells whether a change since
    /// lets it pass.
    pub(crate) fn tell(&self, why: &mut Why, then: &Then, compiler: &mut Compiler) -> bool {
        let mut world = self.world.clone();
        let began = then.said.own.disposition.clone();
        let mut last = Some(began.clone());
        let mut turned = None;
        for later in self.later {
            let touches = later.changes.iter().any(governs);
            let before = touches.then(|| world.clone());
            later.apply_to(&mut world);
            let Some(before) = before else { continue };
            let said = self.asking.of(&compiler.compile(&world), then.as_answer);
            let changed = || Changed {
                at: later.at.to_string(),
                what: told(later, before.region(&later.scope)),
            };
            let causes = why.decided_by.iter_mut().chain(&mut why.way);
            for cause in causes.filter(|cause| cause.changed.is_none()) {
                let Some(said) = &said else { break };
                if !still_holds(cause, said, &world) {
                    cause.changed = Some(changed());
                }
            }
            let ends = said.map(|said| said.own.disposition);
            if ends != last {
                turned = Some(changed());
                last = ends;
            }
        }
        if last.as_ref() == Some(&began) {
            return false;
        }
        let passes = last.as_ref().is_some_and(|end| end.drop_reason().is_none());
        why.now = Some(Now {
            text: match last {
                Some(disposition) => disposition.to_string(),
                None => "the interface is gone".to_owned(),
            },
            changed: turned,
        });
        passes
    }
}

/// Whether a later world says the same by the same row at the same place.
fn still_holds(cause: &Cause, said: &Said, world: &World) -> bool {
    let steps = |explanation: &Explanation| {
        explanation
            .steps
            .iter()
            .any(|step| same(cause, step, world))
    };
    said.opener.as_ref().is_some_and(steps) || steps(&said.own)
}

fn same(cause: &Cause, step: &Step, world: &World) -> bool {
    place(step) == cause.place && {
        let now = Cause::of(step, world);
        now == Cause {
            changed: None,
            ..cause.clone()
        }
    }
}

/// Whether packets can tell the difference.
fn governs(change: &Change) -> bool {
    !matches!(
        change,
        Change::FlowLog(..)
            | Change::ClientToken(..)
            | Change::DhcpOptions(..)
            | Change::Address(..)
            | Change::SubnetCidrReservation(..)
            | Change::Role(..)
            | Change::ManagedPolicy(..)
            | Change::InstanceProfile(..)
    )
}

/// What a record of the journal changed, in words.
fn told(later: &Later, before: Option<&State>) -> String {
    let empty = State::default();
    let before = before.unwrap_or(&empty);
    let told: Vec<String> = later
        .changes
        .iter()
        .filter(|change| governs(change))
        .map(|change| words(change, before))
        .collect();
    match told.len() {
        0 => "nothing that governs packets".to_owned(),
        1..=3 => told.join("; "),
        n => format!("{}; and {} more", told[..3].join("; "), n - 3),
    }
}

fn words(change: &Change, before: &State) -> String {
    match change {
        Change::SecurityGroup(id, now) => security_group(*id, now.as_deref(), before),
        Change::NetworkAcl(id, now) => network_acl(*id, now.as_deref(), before),
        Change::RouteTable(id, now) => route_table(*id, now.as_deref(), before),
        Change::NetworkInterface(id, now) => network_interface(*id, now.as_deref(), before),
        other => {
            let (id, exists) = named(other);
            let was = was_there(other, before);
            match (was, exists) {
                (false, true) => format!("{id} created"),
                (true, false) => format!("{id} deleted"),
                _ => format!("{id} changed"),
            }
        }
    }
}

fn security_group(
    id: model::SecurityGroupId,
    now: Option<&model::SecurityGroup>,
    before: &State,
) -> String {
    let old = before.security_groups.get(&id);
    let name = now.or(old).map_or("", |g| g.name.as_str());
    let rule = |r: &model::SecurityGroupRule| {
        let side = if r.is_egress { "outbound" } else { "inbound" };
        let what = protocol_and_ports(r.protocol, r.ports);
        let towards = if r.is_egress { "to" } else { "from" };
        let text = format!("{side} rule {} ({what} {towards} {})", r.id, r.peer);
        (r.id.to_string(), text)
    };
    let old = old.map(|g| g.rules.iter().map(|r| (rule(r), r)).collect::<Vec<_>>());
    let now = now
        .as_ref()
        .map(|g| g.rules.iter().map(|r| (rule(r), r)).collect());
    rows(&format!("security group {id} ({name})"), &old, &now)
}

fn network_acl(id: model::NetworkAclId, now: Option<&model::NetworkAcl>, before: &State) -> String {
    let old = before.network_acls.get(&id);
    let entry = |e: &model::NetworkAclEntry| {
        let side = if e.egress { "egress" } else { "ingress" };
        let key = format!("{side} entry {}", e.rule_number);
        let text = format!(
            "{key} ({} {} {})",
            e.action,
            protocol_and_ports(e.protocol, e.ports),
            e.cidr
        );
        (key, text)
    };
    let all = |acl: &model::NetworkAcl| -> Vec<_> {
        let entries = acl.entries.iter();
        let mut all: Vec<_> = entries.map(|e| (entry(e), format!("{e:?}"))).collect();
        all.extend(acl.associations.iter().map(|a| {
            let text = format!("association with {}", a.subnet_id);
            ((text.clone(), text), String::new())
        }));
        all
    };
    rows(&format!("network ACL {id}"), &old.map(all), &now.map(all))
}

fn route_table(id: model::RouteTableId, now: Option<&model::RouteTable>, before: &State) -> String {
    let old = before.route_tables.get(&id);
    let all = |table: &model::RouteTable| -> Vec<_> {
        let routes = table.routes.iter();
        let route = |r: &model::Route| {
            let key = format!("route {}", r.destination);
            (
                (key.clone(), format!("{key} to {}", r.target)),
                format!("{r:?}"),
            )
        };
        let mut all: Vec<_> = routes.map(route).collect();
        all.extend(table.associations.iter().map(|a| {
            let with = a.subnet_id.map_or_else(
                || "the VPC or a gateway".to_owned(),
                |subnet| subnet.to_string(),
            );
            let text = format!("association with {with}");
            ((text.clone(), text), String::new())
        }));
        all
    };
    rows(&format!("route table {id}"), &old.map(all), &now.map(all))
}

fn network_interface(
    id: model::NetworkInterfaceId,
    now: Option<&model::NetworkInterface>,
    before: &State,
) -> String {
    let old = before.network_interfaces.get(&id);
    let all = |eni: &model::NetworkInterface| -> Vec<_> {
        let row = |name: &str, value: String| ((name.to_owned(), name.to_owned()), value);
        vec![
            row("security groups", format!("{:?}", eni.groups)),
            row(
                "source/destination check",
                eni.source_dest_check.to_string(),
            ),
            row("attachment", format!("{:?}", eni.attachment)),
            row("addresses", format!("{:?}", eni.private_ip_addresses)),
        ]
    };
    rows(
        &format!("network interface {id}"),
        &old.map(all),
        &now.map(all),
    )
}

type Rows<T> = Vec<((String, String), T)>;

/// Which rows came, went or are not what they were.
fn rows<T: PartialEq>(subject: &str, old: &Option<Rows<T>>, now: &Option<Rows<T>>) -> String {
    let (Some(old), Some(now)) = (old, now) else {
        let how = if now.is_some() { "created" } else { "deleted" };
        return format!("{subject} {how}");
    };
    let find = |rows: &Rows<T>, key: &str| rows.iter().position(|((k, _), _)| k == key);
    let mut told = Vec::new();
    for ((key, text), value) in now {
        match find(old, key) {
            None => told.push(format!("{text} added")),
            Some(at) if old[at].1 != *value || old[at].0.1 != *text => {
                told.push(format!("{text} changed"));
            }
            Some(_) => {}
        }
    }
    for ((key, text), _) in old {
        if find(now, key).is_none() {
            told.push(format!("{text} removed"));
        }
    }
    if told.is_empty() {
        format!("{subject} changed")
    } else {
        format!("{subject}: {}", told.join(", "))
    }
}

/// The row of a change, and whether it is there afterwards.
fn named(change: &Change) -> (String, bool) {
    match change {
        Change::Vpc(id, row) => (id.to_string(), row.is_some()),
        Change::Subnet(id, row) => (id.to_string(), row.is_some()),
        Change::InternetGateway(id, row) => (id.to_string(), row.is_some()),
        Change::EgressOnlyInternetGateway(id, row) => (id.to_string(), row.is_some()),
        Change::NatGateway(id, row) => (id.to_string(), row.is_some()),
        Change::Instance(id, row) => (id.to_string(), row.is_some()),
        Change::PrefixList(id, row) => (id.to_string(), row.is_some()),
        Change::PrefixListVersion((id, version), row) => {
            (format!("version {version} of {id}"), row.is_some())
        }
        Change::VpcEndpoint(id, row) => (id.to_string(), row.is_some()),
        Change::VpcPeeringConnection(id, row) => (id.to_string(), row.is_some()),
        Change::VpcEndpointService(id, row) => (id.to_string(), row.is_some()),
        Change::LoadBalancer(_, row) => ("a load balancer".to_owned(), row.is_some()),
        Change::Listener(_, row) => ("a listener".to_owned(), row.is_some()),
        Change::TargetGroup(_, row) => ("a target group".to_owned(), row.is_some()),
        Change::InternetHost(address, row) => (format!("internet host {address}"), row.is_some()),
        _ => ("another row".to_owned(), true),
    }
}

fn was_there(change: &Change, before: &State) -> bool {
    match change {
        Change::Vpc(id, _) => before.vpcs.contains(id),
        Change::Subnet(id, _) => before.subnets.contains(id),
        Change::InternetGateway(id, _) => before.internet_gateways.contains(id),
        Change::EgressOnlyInternetGateway(id, _) => {
            before.egress_only_internet_gateways.contains(id)
        }
        Change::NatGateway(id, _) => before.nat_gateways.contains(id),
        Change::Instance(id, _) => before.instances.contains(id),
        Change::PrefixList(id, _) => before.prefix_lists.contains(id),
        Change::PrefixListVersion(id, _) => before.prefix_list_versions.contains(id),
        Change::VpcEndpoint(id, _) => before.vpc_endpoints.contains(id),
        Change::VpcPeeringConnection(id, _) => before.vpc_peering_connections.contains(id),
        Change::VpcEndpointService(id, _) => before.vpc_endpoint_services.contains(id),
        Change::LoadBalancer(id, _) => before.load_balancers.contains(id),
        Change::Listener(id, _) => before.listeners.contains(id),
        Change::TargetGroup(id, _) => before.target_groups.contains(id),
        Change::InternetHost(address, _) => before.internet_hosts.contains(address),
        _ => true,
    }
}
