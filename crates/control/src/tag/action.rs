//! CreateTags, DeleteTags and DescribeTags, over everything that can carry tags.

use ec2_api::{
    CreateTagsRequest, CreateTagsResponse, DeleteTagsRequest, DeleteTagsResponse,
    DescribeTagsRequest, DescribeTagsResponse, TagDescription,
};
use model::id::Id;
use model::state::Row;
use model::{
    Address, DhcpOptions, EgressOnlyInternetGateway, FlowLog, Instance, InternetGateway,
    NatGateway, NetworkAcl, NetworkInterface, PrefixList, ResourceId, RouteTable, SecurityGroup,
    SecurityGroupRuleId, Subnet, SubnetCidrReservation, Tags, Vpc, VpcEndpoint, VpcEndpointService,
};

use super::add;
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, vpc_peering_connection};

pub(crate) fn create_tags(
    tx: &mut Transaction<'_>,
    request: &CreateTagsRequest,
) -> Result<CreateTagsResponse, Error> {
    if request.tags.is_empty() {
        return Err(Error::MissingParameter("Tag"));
    }
    for resource in resources(&request.resources)? {
        edit(tx, resource, |tx, tags| add(tx, tags, &request.tags))?;
    }
    Ok(CreateTagsResponse {})
}

/// A tag goes if its key matches, and its value too where one is given; without tags all go.
pub(crate) fn delete_tags(
    tx: &mut Transaction<'_>,
    request: &DeleteTagsRequest,
) -> Result<DeleteTagsResponse, Error> {
    for resource in resources(&request.resources)? {
        edit(tx, resource, |_, tags| {
            if request.tags.is_empty() {
                tags.clear();
            }
            for tag in &request.tags {
                let key = tag.key.as_ref().ok_or(Error::MissingParameter("Tag.Key"))?;
                if tag.value.is_none() || tags.get(key) == tag.value.as_ref() {
                    tags.remove(key);
                }
            }
            Ok(())
        })?;
    }
    Ok(DeleteTagsResponse {})
}

pub(crate) fn describe_tags(
    tx: &mut Transaction<'_>,
    request: &DescribeTagsRequest,
) -> Result<DescribeTagsResponse, Error> {
    let page = Page::parse(request.max_results, &request.next_token, false, Page::USUAL)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let mut rows = Vec::new();
    for (id, resource_type, tags) in tagged(tx) {
        for (key, value) in tags {
            let own = Tags::from([(key.clone(), value.clone())]);
            let values = |name: &str| {
                vec![match name {
                    "key" => key.clone(),
                    "value" => value.clone(),
                    "resource-id" => id.clone(),
                    _ => resource_type.to_owned(),
                }]
            };
            if filters.matches(&own, values) {
                rows.push(TagDescription {
                    key: Some(key.clone()),
                    resource_id: Some(id.clone()),
                    resource_type: Some(resource_type.to_owned()),
                    value: Some(value.clone()),
                });
            }
        }
    }
    rows.sort_by_cached_key(place);
    let (tags, next_token) = page.take(rows, place);
    Ok(DescribeTagsResponse { next_token, tags })
}

/// What pages are cut by.
fn place(tag: &TagDescription) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{} {}", text(&tag.resource_id), text(&tag.key))
}

fn resources(texts: &[String]) -> Result<Vec<ResourceId>, Error> {
    if texts.is_empty() {
        return Err(Error::MissingParameter("ResourceId"));
    }
    if texts.len() > RESOURCES_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "A request may name up to {RESOURCES_MAX} resources."
        )));
    }
    let id = |text: &String| text.parse().map_err(|_| not_taggable(text));
    texts.iter().map(id).collect()
}

fn not_taggable(text: &str) -> Error {
    Error::new("InvalidID", format!("The ID '{text}' is not valid"))
}

macro_rules! taggable {
    ($($variant:ident($row:ty) $table:ident $resource_type:literal;)*) => {
        $(
            impl Tagged for $row {
                fn tags_mut(&mut self) -> &mut Tags {
                    &mut self.tags
                }
            }
        )*

        /// Changes the tags of a resource.
        fn edit(
            tx: &mut Transaction<'_>,
            resource: ResourceId,
            change: impl Fn(&Transaction<'_>, &mut Tags) -> Result<(), Error>,
        ) -> Result<(), Error> {
            match resource {
                $(ResourceId::$variant(id) => edit_row::<$row>(tx, id, change),)*
                ResourceId::SecurityGroupRule(id) => edit_rule(tx, id, change),
                ResourceId::VpcPeeringConnection(id) => {
                    vpc_peering_connection::edit_tags(tx, id, change)
                }
                other => Err(not_taggable(&other.to_string())),
            }
        }

        /// Id, type and tags of everything that can carry tags.
        fn tagged<'a>(tx: &'a Transaction<'_>) -> Vec<(String, &'static str, &'a Tags)> {
            let state = tx.state();
            let mut all = Vec::new();
            $(
                for (id, row) in state.$table.iter() {
                    all.push((id.to_string(), $resource_type, &row.tags));
                }
            )*
            for rule in state.security_groups.values().flat_map(|g| &g.rules) {
                all.push((rule.id.to_string(), "security-group-rule", &rule.tags));
            }
            for (peering, tags) in vpc_peering_connection::visible(tx) {
                all.push((peering.id.to_string(), "vpc-peering-connection", tags));
            }
            all
        }
    };
}

taggable! {
    Vpc(Vpc) vpcs "vpc";
    Subnet(Subnet) subnets "subnet";
    SubnetCidrReservation(SubnetCidrReservation) subnet_cidr_reservations "subnet-cidr-reservation";
    RouteTable(RouteTable) route_tables "route-table";
    InternetGateway(InternetGateway) internet_gateways "internet-gateway";
    EgressOnlyInternetGateway(EgressOnlyInternetGateway) egress_only_internet_gateways "egress-only-internet-gateway";
    NatGateway(NatGateway) nat_gateways "natgateway";
    SecurityGroup(SecurityGroup) security_groups "security-group";
    NetworkAcl(NetworkAcl) network_acls "network-acl";
    NetworkInterface(NetworkInterface) network_interfaces "network-interface";
    Allocation(Address) addresses "elastic-ip";
    DhcpOptions(DhcpOptions) dhcp_options "dhcp-options";
    Instance(Instance) instances "instance";
    FlowLog(FlowLog) flow_logs "vpc-flow-log";
    PrefixList(PrefixList) prefix_lists "prefix-list";
    VpcEndpoint(VpcEndpoint) vpc_endpoints "vpc-endpoint";
    VpcEndpointService(VpcEndpointService) vpc_endpoint_services "vpc-endpoint-service";
}

trait Tagged {
    fn tags_mut(&mut self) -> &mut Tags;
}

fn edit_row<R: Row + Tagged>(
    tx: &mut Transaction<'_>,
    id: R::Key,
    change: impl Fn(&Transaction<'_>, &mut Tags) -> Result<(), Error>,
) -> Result<(), Error>
where
    R::Key: Id,
{
    let mut row = tx.take::<R>(id)?;
    change(tx, row.tags_mut())?;
    tx.put(id, row);
    Ok(())
}

/// Rules have no table of their own: they stand in their groups.
fn edit_rule(
    tx: &mut Transaction<'_>,
    id: SecurityGroupRuleId,
    change: impl Fn(&Transaction<'_>, &mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    let own = |g: &&SecurityGroup| g.rules.iter().any(|r| r.id == id);
    let group = tx.rows::<SecurityGroup>().find(own).cloned();
    let mut group = group.ok_or(Error::NotFound(id.into()))?;
    for rule in group.rules.iter_mut().filter(|r| r.id == id) {
        change(tx, &mut rule.tags)?;
    }
    tx.put(group.id, group);
    Ok(())
}

const FILTERS: &[&str] = &["key", "resource-id", "resource-type", "value"];
const RESOURCES_MAX: usize = 1000;
