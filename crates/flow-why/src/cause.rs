//! What decided, as it stood.

use dataplane::{Cited, Step};
use model::{NetworkAcl, ResourceId, SecurityGroupId, Tags, World};
use serde::{Deserialize, Serialize};

use crate::Changed;

/// One thing that decided on a packet, as it stood when the packet came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cause {
    /// `security group`, `network ACL`, `route table`, `internet gateway`, …
    pub stage: String,
    /// Where: a network interface, a subnet, a gateway.
    pub place: String,
    /// `ingress` or `egress`, seen from that place.
    pub direction: String,
    /// The id of what decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Its name: that of a security group, else the tag `Name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The row: `sgr-…`, the number of an entry (`*` for a final deny), the destination of a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The description of a security group's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it said: `tcp 443 from 0.0.0.0/0`.
    pub text: String,
    /// `pass` or `drop`.
    pub outcome: String,
    /// What has become of it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

impl Cause {
    /// Of a step, in the world in which it was taken.
    pub(crate) fn of(step: &Step, world: &World) -> Self {
        let (rule, suffix) = match step.cited {
            Some(Cited::SecurityGroupRule(id)) => (Some(id.to_string()), format!(" ({id})")),
            Some(Cited::NetworkAclEntry { rule_number, .. }) => {
                let last = rule_number >= NetworkAcl::FINAL_IPV4;
                let number = if last {
                    "*".to_owned()
                } else {
                    rule_number.to_string()
                };
                (Some(number), String::new())
            }
            Some(Cited::Route { destination, .. }) => {
                (Some(destination.to_string()), String::new())
            }
            None => (None, String::new()),
        };
        Self {
            stage: step.stage.name().to_owned(),
            place: place(step),
            direction: step.direction.name().to_owned(),
            resource: step.resource.map(|id| id.to_string()),
            name: step.resource.and_then(|id| name_of(world, id)),
            rule,
            description: description(step, world),
            text: step
                .rule
                .strip_suffix(&suffix)
                .unwrap_or(&step.rule)
                .to_owned(),
            outcome: step.outcome.name().to_owned(),
            changed: None,
        }
    }

    /// `rule sgr-… of security group sg-… (web)`.
    pub(crate) fn subject(&self) -> String {
        let mut text = String::new();
        match (&self.rule, self.stage.as_str()) {
            (Some(rule), "security group") => text = format!("rule {rule} of "),
            (Some(rule), "network ACL") => {
                text = format!("{} entry {rule} of ", self.direction);
            }
            (Some(rule), "route table") => text = format!("route {rule} of "),
            _ => {}
        }
        text += &self.stage;
        if let Some(resource) = &self.resource {
            text += &format!(" {resource}");
        }
        if let Some(name) = &self.name {
            text += &format!(" ({name})");
        }
        text
    }
}

pub(crate) fn place(step: &Step) -> String {
    step.place
        .map_or_else(|| "internet".to_owned(), |place| place.to_string())
}

fn description(step: &Step, world: &World) -> Option<String> {
    let (Some(Cited::SecurityGroupRule(id)), Some(ResourceId::SecurityGroup(group))) =
        (step.cited, step.resource)
    else {
        return None;
    };
    let mut states = world.regions.values();
    let group = states.find_map(|state| state.security_groups.get(&group))?;
    let rule = group.rules.iter().find(|rule| rule.id == id)?;
    rule.description.clone()
}

/// The name of a security group, or the tag `Name` of anything else.
pub(crate) fn name_of(world: &World, id: ResourceId) -> Option<String> {
    let tagged = |tags: &Tags| tags.get("Name").map(ToString::to_string);
    world.regions.values().find_map(|state| match id {
        ResourceId::SecurityGroup(id) => state.security_groups.get(&id).map(|g| g.name.clone()),
        ResourceId::NetworkAcl(id) => tagged(&state.network_acls.get(&id)?.tags),
        ResourceId::RouteTable(id) => tagged(&state.route_tables.get(&id)?.tags),
        ResourceId::InternetGateway(id) => tagged(&state.internet_gateways.get(&id)?.tags),
        ResourceId::NatGateway(id) => tagged(&state.nat_gateways.get(&id)?.tags),
        ResourceId::VpcEndpoint(id) => tagged(&state.vpc_endpoints.get(&id)?.tags),
        ResourceId::VpcPeeringConnection(id) => {
            tagged(&state.vpc_peering_connections.get(&id)?.requester.tags)
        }
        _ => None,
    })
}

/// `sg-… (web), sg-… (db)`.
pub(crate) fn named_groups(world: &World, groups: &[SecurityGroupId]) -> String {
    let named = groups.iter().map(|&id| match name_of(world, id.into()) {
        Some(name) => format!("{id} ({name})"),
        None => id.to_string(),
    });
    named.collect::<Vec<_>>().join(", ")
}
