//! DHCP option sets (Amazon VPC User Guide, "DHCP option sets in Amazon VPC").

mod configuration;

use ec2_api::{
    AssociateDhcpOptionsRequest, AssociateDhcpOptionsResponse, CreateDhcpOptionsRequest,
    CreateDhcpOptionsResponse, DeleteDhcpOptionsRequest, DeleteDhcpOptionsResponse,
    DescribeDhcpOptionsRequest, DescribeDhcpOptionsResponse,
};
use model::{DhcpOptions, DhcpOptionsId, Tags, Vpc, VpcId};

use crate::filter::Filters;
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, parameter};

const TYPE: &str = "dhcp-options";

/// What is given in the place of an id to associate no set.
const NO_SET: &str = "default";

const FILTERS: &[&str] = &["dhcp-options-id", "key", "value", "owner-id"];

/// Creates the set that the Region's VPCs start with.
pub(crate) fn create_default(tx: &mut Transaction<'_>) -> DhcpOptionsId {
    let id = tx.id();
    let configurations = default_configurations(tx);
    let tags = Tags::new();
    tx.put(
        id,
        DhcpOptions {
            id,
            configurations,
            is_default: true,
            tags,
        },
    );
    id
}

/// The Region's default set; sets of older journals are told by what is in them.
pub(crate) fn default_set(tx: &Transaction<'_>) -> Option<DhcpOptionsId> {
    let wanted = default_configurations(tx);
    tx.rows::<DhcpOptions>()
        .filter(|set| set.configurations == wanted)
        .max_by_key(|set| set.is_default)
        .map(|set| set.id)
}

fn default_configurations(tx: &Transaction<'_>) -> Vec<(String, Vec<String>)> {
    let domain = tx.scope().region.private_domain();
    vec![
        ("domain-name".to_owned(), vec![domain]),
        (
            "domain-name-servers".to_owned(),
            vec!["AmazonProvidedDNS".to_owned()],
        ),
    ]
}

/// Creates a set, which never changes.
pub(crate) fn create_dhcp_options(
    tx: &mut Transaction<'_>,
    request: &CreateDhcpOptionsRequest,
) -> Result<CreateDhcpOptionsResponse, Error> {
    let configurations = configuration::parse(&request.dhcp_configurations)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let id = tx.id();
    tx.put(
        id,
        DhcpOptions {
            id,
            configurations,
            is_default: false,
            tags,
        },
    );
    let owner = tx.scope().account.to_string();
    Ok(CreateDhcpOptionsResponse {
        dhcp_options: Some(shape(&owner, tx.find(id)?)),
    })
}

/// Deletes a set that no VPC has.
pub(crate) fn delete_dhcp_options(
    tx: &mut Transaction<'_>,
    request: &DeleteDhcpOptionsRequest,
) -> Result<DeleteDhcpOptionsResponse, Error> {
    let id = parameter::id(&request.dhcp_options_id, "dhcpOptionsId")?;
    tx.find::<DhcpOptions>(id)?;
    if tx.rows::<Vpc>().any(|vpc| vpc.dhcp_options_id == Some(id)) {
        return Err(Error::DependencyViolation(id.into()));
    }
    tx.delete::<DhcpOptions>(id);
    Ok(DeleteDhcpOptionsResponse {})
}

/// Gives a VPC a set in the place of the one that it has, or none.
pub(crate) fn associate_dhcp_options(
    tx: &mut Transaction<'_>,
    request: &AssociateDhcpOptionsRequest,
) -> Result<AssociateDhcpOptionsResponse, Error> {
    let id = match request.dhcp_options_id.as_deref() {
        Some(NO_SET) => None,
        _ => Some(parameter::id(&request.dhcp_options_id, "dhcpOptionsId")?),
    };
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    if let Some(id) = id {
        tx.find::<DhcpOptions>(id)?;
    }
    let mut vpc = tx.take::<Vpc>(vpc_id)?;
    vpc.dhcp_options_id = id;
    tx.put(vpc_id, vpc);
    Ok(AssociateDhcpOptionsResponse {})
}

/// Lists DHCP option sets.
pub(crate) fn describe_dhcp_options(
    tx: &mut Transaction<'_>,
    request: &DescribeDhcpOptionsRequest,
) -> Result<DescribeDhcpOptionsResponse, Error> {
    let ids = &request.dhcp_options_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let owner = tx.scope().account.to_string();
    let mut rows = tx.select::<DhcpOptions>(ids)?;
    rows.retain(|set| filters.matches(&set.tags, |name| filter_values(&owner, set, name)));
    let (rows, next_token) = page.take(rows, |set| set.id.to_string());
    Ok(DescribeDhcpOptionsResponse {
        dhcp_options: rows.into_iter().map(|set| shape(&owner, set)).collect(),
        next_token,
    })
}

fn filter_values(owner: &str, set: &DhcpOptions, name: &str) -> Vec<String> {
    let configurations = set.configurations.iter();
    match name {
        "dhcp-options-id" => vec![set.id.to_string()],
        "owner-id" => vec![owner.to_owned()],
        "key" => configurations.map(|(key, _)| key.clone()).collect(),
        "value" => configurations
            .flat_map(|(_, values)| values.clone())
            .collect(),
        _ => Vec::new(),
    }
}

fn shape(owner: &str, set: &DhcpOptions) -> ec2_api::DhcpOptions {
    let value = |value: &String| ec2_api::AttributeValue {
        value: Some(value.clone()),
    };
    let configuration = |(key, values): &(String, Vec<String>)| ec2_api::DhcpConfiguration {
        key: Some(key.clone()),
        values: values.iter().map(value).collect(),
    };
    ec2_api::DhcpOptions {
        owner_id: Some(owner.to_owned()),
        tags: tag_set(&set.tags),
        dhcp_options_id: Some(set.id.to_string()),
        dhcp_configurations: set.configurations.iter().map(configuration).collect(),
    }
}
