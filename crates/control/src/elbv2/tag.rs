//! Tags of load balancers, listeners and target groups ("AddTags", "RemoveTags", "DescribeTags").

use std::collections::BTreeSet;

use elbv2_api::{
    AddTagsRequest, AddTagsResponse, DescribeTagsRequest, DescribeTagsResponse, RemoveTagsRequest,
    RemoveTagsResponse, Tag, TagDescription,
};
use model::Tags;

use super::arn;
use super::error::validation;
use crate::{Error, Transaction, tag};

pub(crate) fn add_tags(
    tx: &mut Transaction<'_>,
    request: &AddTagsRequest,
) -> Result<AddTagsResponse, Error> {
    for arn in &request.resource_arns {
        edit(tx, arn, |tx, tags| add(tx, tags, &request.tags))?;
    }
    Ok(AddTagsResponse {})
}

pub(crate) fn remove_tags(
    tx: &mut Transaction<'_>,
    request: &RemoveTagsRequest,
) -> Result<RemoveTagsResponse, Error> {
    for arn in &request.resource_arns {
        edit(tx, arn, |_, tags| {
            tags.retain(|key, _| !request.tag_keys.contains(key));
            Ok(())
        })?;
    }
    Ok(RemoveTagsResponse {})
}

pub(crate) fn describe_tags(
    tx: &mut Transaction<'_>,
    request: &DescribeTagsRequest,
) -> Result<DescribeTagsResponse, Error> {
    if request.resource_arns.len() > RESOURCES_MAX {
        return Err(validation(format!(
            "You can describe the tags of up to {RESOURCES_MAX} resources at once"
        )));
    }
    let describe = |resource_arn: &String| {
        let tags = match Resource::of(tx, resource_arn)? {
            Resource::LoadBalancer(row) => row.tags,
            Resource::Listener(row) => row.tags,
            Resource::TargetGroup(row) => row.tags,
        };
        let shape = |(key, value): (&String, &String)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        Ok(TagDescription {
            resource_arn: Some(resource_arn.clone()),
            tags: tags.iter().map(shape).collect(),
        })
    };
    let tag_descriptions: Result<_, Error> = request.resource_arns.iter().map(describe).collect();
    Ok(DescribeTagsResponse {
        tag_descriptions: tag_descriptions?,
    })
}

/// The tags that a create action gives.
pub(super) fn given(tx: &Transaction<'_>, tags: &[Tag]) -> Result<Tags, Error> {
    let mut given = Tags::new();
    add(tx, &mut given, tags)?;
    Ok(given)
}

fn add(tx: &Transaction<'_>, to: &mut Tags, tags: &[Tag]) -> Result<(), Error> {
    let mut keys = BTreeSet::new();
    for tag in tags {
        if !keys.insert(&tag.key) {
            let key = tag.key.clone().unwrap_or_default();
            return Err(Error::new(
                "DuplicateTagKeys",
                format!("Tag key was specified more than once: {key}"),
            ));
        }
    }
    let as_ec2 = |tag: &Tag| ec2_api::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    let tags: Vec<ec2_api::Tag> = tags.iter().map(as_ec2).collect();
    tag::add(tx, to, &tags)
}

/// What carries tags.
enum Resource {
    LoadBalancer(model::LoadBalancer),
    Listener(model::Listener),
    TargetGroup(model::TargetGroup),
}

impl Resource {
    fn of(tx: &Transaction<'_>, text: &str) -> Result<Self, Error> {
        let given = Some(text.to_owned());
        if text.contains(":loadbalancer/") {
            arn::load_balancer(tx, &given)
                .cloned()
                .map(Self::LoadBalancer)
        } else if text.contains(":targetgroup/") {
            arn::target_group(tx, &given)
                .cloned()
                .map(Self::TargetGroup)
        } else {
            arn::listener(tx, &given).cloned().map(Self::Listener)
        }
    }
}

fn edit(
    tx: &mut Transaction<'_>,
    arn: &str,
    change: impl Fn(&Transaction<'_>, &mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    match Resource::of(tx, arn)? {
        Resource::LoadBalancer(mut row) => {
            change(tx, &mut row.tags)?;
            tx.put(row.id, row);
        }
        Resource::Listener(mut row) => {
            change(tx, &mut row.tags)?;
            tx.put(row.id, row);
        }
        Resource::TargetGroup(mut row) => {
            change(tx, &mut row.tags)?;
            tx.put(row.id, row);
        }
    }
    Ok(())
}

const RESOURCES_MAX: usize = 20;
