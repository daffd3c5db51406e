//! DHCP option sets (Amazon VPC User Guide, "DHCP option sets in Amazon VPC").

use ec2_api::{DescribeDhcpOptionsRequest, DescribeDhcpOptionsResponse};
use model::{DhcpOptions, DhcpOptionsId, Tags};

use crate::filter::Filters;
use crate::page::Page;
use crate::tag::tag_set;
use crate::{Error, Transaction};

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
            tags,
        },
    );
    id
}

/// The Region's default set.
pub(crate) fn default_set(tx: &Transaction<'_>) -> Option<DhcpOptionsId> {
    let wanted = default_configurations(tx);
    tx.rows::<DhcpOptions>()
        .find(|set| set.configurations == wanted)
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
