//! Network load balancers (User Guide for Network Load Balancers).

mod attribute;
mod create;
mod shape;

use std::time::Duration;

use elbv2_api::{
    DeleteLoadBalancerRequest, DeleteLoadBalancerResponse, DescribeLoadBalancersRequest,
    DescribeLoadBalancersResponse, SetSecurityGroupsRequest, SetSecurityGroupsResponse,
};
use model::{
    Listener, LoadBalancer, LoadBalancerState, NetworkInterface, State, Subnet, Timestamp,
};

use super::arn;
use super::error::{configuration, validation};
use crate::page::Page;
use crate::{Error, Transaction, network_interface, parameter, vpc_endpoint_service};

pub(crate) use attribute::{
    describe_capacity_reservation, describe_load_balancer_attributes,
    modify_load_balancer_attributes,
};
pub(crate) use create::create_load_balancer;

/// What a page of any list of Elastic Load Balancing may hold.
pub(super) const PAGE: std::ops::RangeInclusive<i32> = 1..=400;

/// How long a load balancer is being set up; AWS takes minutes.
const PROVISIONING: Duration = Duration::from_secs(1);

pub(crate) fn describe_load_balancers(
    tx: &mut Transaction<'_>,
    request: &DescribeLoadBalancersRequest,
) -> Result<DescribeLoadBalancersResponse, Error> {
    let page = Page::parse(request.page_size, &request.marker, false, PAGE)?;
    if !request.load_balancer_arns.is_empty() && !request.names.is_empty() {
        return Err(validation(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    let mut rows: Vec<&LoadBalancer> = Vec::new();
    for arn in &request.load_balancer_arns {
        rows.push(arn::load_balancer(tx, &Some(arn.clone()))?);
    }
    for name in &request.names {
        rows.push(by_name(tx, name).ok_or_else(|| {
            Error::new(
                "LoadBalancerNotFound",
                format!("Load balancers '[{name}]' not found"),
            )
        })?);
    }
    if request.load_balancer_arns.is_empty() && request.names.is_empty() {
        rows.extend(tx.rows::<LoadBalancer>());
    }
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    let (rows, next_marker) = page.take(rows, |row| row.id.to_string());
    Ok(DescribeLoadBalancersResponse {
        load_balancers: rows
            .iter()
            .map(|row| shape::load_balancer(tx, row))
            .collect(),
        next_marker,
    })
}

/// Deletes a load balancer with its listeners and interfaces. One that does not exist is no error, as in AWS.
pub(crate) fn delete_load_balancer(
    tx: &mut Transaction<'_>,
    request: &DeleteLoadBalancerRequest,
) -> Result<DeleteLoadBalancerResponse, Error> {
    let row = match arn::load_balancer(tx, &request.load_balancer_arn) {
        Ok(row) => row.clone(),
        Err(error) if error.code() == "LoadBalancerNotFound" => {
            return Ok(DeleteLoadBalancerResponse {});
        }
        Err(error) => return Err(error),
    };
    if row.deletion_protection {
        return Err(Error::new(
            "OperationNotPermitted",
            format!(
                "Load balancer '{}' cannot be deleted because deletion protection is enabled",
                row.arn(tx.scope())
            ),
        ));
    }
    if vpc_endpoint_service::of_load_balancer(tx, row.id).is_some() {
        return Err(Error::new(
            "ResourceInUse",
            format!(
                "Load balancer '{}' cannot be deleted because it is currently associated with another service",
                row.arn(tx.scope())
            ),
        ));
    }
    let own = |listener: &&Listener| listener.load_balancer_id == row.id;
    let listeners: Vec<_> = tx.rows::<Listener>().filter(own).map(|l| l.id).collect();
    for id in listeners {
        tx.delete::<Listener>(id);
    }
    for node in &row.nodes {
        network_interface::delete(tx, node.network_interface_id)?;
    }
    tx.delete::<LoadBalancer>(row.id);
    Ok(DeleteLoadBalancerResponse {})
}

/// Replaces the groups of a load balancer that was made with some ("SetSecurityGroups").
pub(crate) fn set_security_groups(
    tx: &mut Transaction<'_>,
    request: &SetSecurityGroupsRequest,
) -> Result<SetSecurityGroupsResponse, Error> {
    let mut row = arn::load_balancer(tx, &request.load_balancer_arn)?.clone();
    if row.groups.is_empty() {
        return Err(configuration(
            "You cannot set security groups of a network load balancer that was created without security groups",
        ));
    }
    if let Some(text) = &request.enforce_security_group_inbound_rules_on_private_link_traffic {
        let name = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";
        row.enforces_groups_on_private_link =
            parameter::one_of(text, name, &["on", "off"])? == "on";
    }
    let given = parameter::ids(&request.security_groups, "SecurityGroups")?;
    for node in &row.nodes {
        let subnet = tx.find::<Subnet>(node.subnet_id)?;
        row.groups = network_interface::groups(tx, &given, subnet)?;
        let mut eni = tx.take::<NetworkInterface>(node.network_interface_id)?;
        eni.groups.clone_from(&row.groups);
        tx.put(eni.id, eni);
    }
    let response = SetSecurityGroupsResponse {
        security_group_ids: row.groups.iter().map(ToString::to_string).collect(),
        enforce_security_group_inbound_rules_on_private_link_traffic: shape::enforcement(&row),
    };
    tx.put(row.id, row);
    Ok(response)
}

/// Load balancers that have been set up for long enough become active.
pub(super) fn provisioned(tx: &mut Transaction<'_>) {
    let now = tx.now();
    let ready = |row: &&LoadBalancer| {
        row.state == LoadBalancerState::Provisioning && now.since(row.created_at) >= PROVISIONING
    };
    let rows: Vec<_> = tx.rows::<LoadBalancer>().filter(ready).cloned().collect();
    for mut row in rows {
        row.state = LoadBalancerState::Active;
        tx.put(row.id, row);
    }
}

/// When the next load balancer has been set up.
pub(super) fn due(state: &State) -> Option<Timestamp> {
    let provisioning = |row: &&LoadBalancer| row.state == LoadBalancerState::Provisioning;
    let rows = state.load_balancers.values().filter(provisioning);
    rows.map(|row| row.created_at + PROVISIONING).min()
}

fn by_name<'t>(tx: &'t Transaction<'_>, name: &str) -> Option<&'t LoadBalancer> {
    tx.rows::<LoadBalancer>().find(|row| row.name == name)
}
