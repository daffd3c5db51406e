//! Tags (Amazon EC2 User Guide, "Tag your Amazon EC2 resources").

mod action;

use ec2_api::{Tag, TagSpecification};
use model::Tags;

use crate::{Error, Transaction};

pub(crate) use action::{create_tags, delete_tags, describe_tags};

/// Tags in an answer, in the order of their keys.
pub(crate) fn tag_set(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(tag).collect()
}

/// The tags that a create action gives to the resources of one type.
///
/// `creates` lists the types that the action creates, the tagged type first; others are refused.
pub(crate) fn from_specifications(
    tx: &Transaction<'_>,
    specifications: &[TagSpecification],
    resource_type: &str,
    creates: &[&str],
) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for specification in specifications {
        let named = specification
            .resource_type
            .as_deref()
            .ok_or(Error::MissingParameter("ResourceType"))?;
        if !creates.contains(&named) {
            return Err(Error::InvalidParameterValue(format!(
                "'{named}' is not a valid taggable resource type for this operation."
            )));
        }
        if specification.tags.is_empty() {
            return Err(Error::InvalidParameterValue(
                "Tag specification must have at least one tag".to_owned(),
            ));
        }
        if named == resource_type {
            add(tx, &mut tags, &specification.tags)?;
        }
    }
    Ok(tags)
}

/// Adds tags, each in place of one with the same key.
pub(crate) fn add(tx: &Transaction<'_>, to: &mut Tags, tags: &[Tag]) -> Result<(), Error> {
    for tag in tags {
        let key = tag
            .key
            .as_deref()
            .ok_or(Error::MissingParameter("Tag.Key"))?;
        let value = tag.value.as_deref().unwrap_or_default();
        check_key(key)?;
        if value.chars().count() > VALUE_MAX {
            return Err(Error::InvalidParameterValue(format!(
                "Tag value exceeds the maximum length of {VALUE_MAX} characters"
            )));
        }
        if !to.contains_key(key) {
            tx.quotas().tags(to.len())?;
        }
        to.insert(key.to_owned(), value.to_owned());
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.chars().count() > KEY_MAX {
        return Err(Error::new(
            "InvalidTagKey.Malformed",
            "Tag keys must be between 1 and 128 characters in length",
        ));
    }
    if key
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
    {
        return Err(Error::InvalidParameterValue(
            "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
        ));
    }
    Ok(())
}

const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;
