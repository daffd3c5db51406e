//! Which tags the tag fields of records show (Amazon EC2 API Reference, "TagFieldSpecificationRequest").

use ec2_api::{TagFieldSpecificationRequest, TagFieldSpecificationResponse};
use model::{FlowLogField, TagField, TagFieldResource};

use super::destination::invalid;
use crate::{Error, parameter};

/// The specifications of a request: up to one for each type, with one or two keys.
pub(super) fn parse(given: &[TagFieldSpecificationRequest]) -> Result<Vec<TagField>, Error> {
    if given.len() > RESOURCES.len() {
        return Err(invalid(format!(
            "TagFieldSpecifications may have up to {} entries",
            RESOURCES.len()
        )));
    }
    let mut fields: Vec<TagField> = Vec::new();
    for specification in given {
        let named = parameter::required(
            &specification.resource_type,
            "TagFieldSpecification.ResourceType",
        )?;
        let names = RESOURCES.map(TagFieldResource::name);
        parameter::one_of(named, "tagFieldSpecification.resourceType", &names)?;
        for resource in RESOURCES {
            if resource.name() != named {
                continue;
            }
            if fields.iter().any(|f| f.resource == resource) {
                return Err(invalid(format!(
                    "TagFieldSpecifications may have one entry for resource type {named}"
                )));
            }
            fields.push(TagField {
                resource,
                keys: keys(named, &specification.tag_keys)?,
            });
        }
    }
    Ok(fields)
}

fn keys(resource: &str, given: &[String]) -> Result<Vec<String>, Error> {
    if !(1..=KEYS_MAX).contains(&given.len()) {
        return Err(invalid(format!(
            "The TagFieldSpecification of resource type {resource} must have between 1 and {KEYS_MAX} tag keys"
        )));
    }
    match given
        .iter()
        .find(|key| !(1..=KEY_MAX).contains(&key.chars().count()))
    {
        None => Ok(given.to_vec()),
        Some(_) => Err(Error::new(
            "InvalidTagKey.Malformed",
            "Tag keys must be between 1 and 128 characters in length",
        )),
    }
}

/// Refuses tag fields that no key feeds; keys that feed no field do no harm.
pub(super) fn check(fields: &[FlowLogField], given: &[TagField]) -> Result<(), Error> {
    for &field in fields {
        let Some((resource, place)) = field.tag() else {
            continue;
        };
        if given.is_empty() {
            return Err(invalid(
                "The TagFieldSpecifications parameter must be set when including tag fields in the log format",
            ));
        }
        let fed = given.iter().find(|f| f.resource == resource);
        if fed.is_none_or(|f| f.keys.len() <= place) {
            let which = if place == 0 { "a" } else { "a second" };
            return Err(invalid(format!(
                "The field {field} in the log format needs {which} tag key in the TagFieldSpecification of resource type {}",
                resource.name()
            )));
        }
    }
    Ok(())
}

/// Specifications as they are described.
pub(super) fn shape(fields: &[TagField]) -> Vec<TagFieldSpecificationResponse> {
    let shape = |field: &TagField| TagFieldSpecificationResponse {
        resource_type: Some(field.resource.name().to_owned()),
        tag_keys: field.keys.clone(),
    };
    fields.iter().map(shape).collect()
}

const RESOURCES: [TagFieldResource; 3] = [
    TagFieldResource::NetworkInterface,
    TagFieldResource::Instance,
    TagFieldResource::AutoScalingGroup,
];
const KEYS_MAX: usize = 2;
const KEY_MAX: usize = 128;
