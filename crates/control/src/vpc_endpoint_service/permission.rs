//! Who may use an endpoint service (AWS PrivateLink Guide, "Manage permissions").

use ec2_api::{
    AddedPrincipal, DescribeVpcEndpointServicePermissionsRequest,
    DescribeVpcEndpointServicePermissionsResponse, ModifyVpcEndpointServicePermissionsRequest,
    ModifyVpcEndpointServicePermissionsResponse,
};
use model::{AccountId, AllowedPrincipal, Tags, VpcEndpointService};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

/// Endpoints that somebody has already stay, whoever is removed.
pub(crate) fn modify_vpc_endpoint_service_permissions(
    tx: &mut Transaction<'_>,
    request: &ModifyVpcEndpointServicePermissionsRequest,
) -> Result<ModifyVpcEndpointServicePermissionsResponse, Error> {
    let id = parameter::id(&request.service_id, "ServiceId")?;
    let given = request.add_allowed_principals.iter();
    for principal in given.chain(&request.remove_allowed_principals) {
        check(principal)?;
    }
    let mut row = tx.take::<VpcEndpointService>(id)?;
    row.allowed_principals
        .retain(|one| !request.remove_allowed_principals.contains(&one.principal));
    let mut added_principals = Vec::new();
    for principal in &request.add_allowed_principals {
        if row
            .allowed_principals
            .iter()
            .any(|one| one.principal == *principal)
        {
            continue;
        }
        let one = AllowedPrincipal {
            permission_id: tx.id(),
            principal: principal.clone(),
        };
        added_principals.push(AddedPrincipal {
            principal_type: Some(one.principal_type().to_owned()),
            principal: Some(one.principal.clone()),
            service_permission_id: Some(one.permission_id.to_string()),
            service_id: Some(id.to_string()),
        });
        row.allowed_principals.push(one);
    }
    tx.quotas()
        .allowed_principals(row.allowed_principals.len().saturating_sub(1))?;
    tx.put(id, row);
    Ok(ModifyVpcEndpointServicePermissionsResponse {
        added_principals,
        return_value: Some(true),
    })
}

pub(crate) fn describe_vpc_endpoint_service_permissions(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcEndpointServicePermissionsRequest,
) -> Result<DescribeVpcEndpointServicePermissionsResponse, Error> {
    let id = parameter::id(&request.service_id, "ServiceId")?;
    let page = Page::parse(request.max_results, &request.next_token, false, 1..=1000)?;
    let filters = Filters::parse(&request.filters, &["principal", "principal-type"])?;
    let row = tx.find::<VpcEndpointService>(id)?;
    let mut rows: Vec<&AllowedPrincipal> = row.allowed_principals.iter().collect();
    rows.retain(|one| {
        filters.matches(&Tags::new(), |name| {
            vec![match name {
                "principal" => one.principal.clone(),
                _ => one.principal_type().to_owned(),
            }]
        })
    });
    rows.sort_by_key(|one| one.permission_id);
    let (rows, next_token) = page.take(rows, |one| one.permission_id.to_string());
    let shape = |one: &&AllowedPrincipal| ec2_api::AllowedPrincipal {
        principal_type: Some(one.principal_type().to_owned()),
        principal: Some(one.principal.clone()),
        service_permission_id: Some(one.permission_id.to_string()),
        service_id: Some(id.to_string()),
        tags: Vec::new(),
    };
    Ok(DescribeVpcEndpointServicePermissionsResponse {
        allowed_principals: rows.iter().map(shape).collect(),
        next_token,
    })
}

/// `*`, or the ARN of an account, a user or a role.
fn check(principal: &str) -> Result<(), Error> {
    let is_arn = || {
        let rest = principal.strip_prefix("arn:aws:iam::")?;
        let (account, resource) = rest.split_once(':')?;
        account.parse::<AccountId>().ok()?;
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let known = match kind {
            "root" => name.is_empty(),
            "user" | "role" => !name.is_empty(),
            _ => false,
        };
        known.then_some(())
    };
    if principal == "*" || is_arn().is_some() {
        return Ok(());
    }
    Err(Error::new(
        "InvalidPrincipal",
        format!("Invalid Principal: '{principal}'"),
    ))
}
