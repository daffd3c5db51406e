//! Tags of trails.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::CloudTrailError;
use super::store::{Trail, Trails};
use super::trail::NameInput;
use super::{Answer, Call};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct TagsInput {
    resource_id: Option<String>,
    tags_list: Option<Vec<Tag>>,
}

impl TagsInput {
    /// The tags, of which there has to be one at least.
    fn tags(&self) -> Result<&[Tag], CloudTrailError> {
        match self.tags_list.as_deref() {
            Some(tags) if (1..=TAGS_OF_A_CALL_MAX).contains(&tags.len()) => Ok(tags),
            _ => Err(CloudTrailError::new(
                "InvalidTagParameterException",
                format!("TagsList must have 1 to {TAGS_OF_A_CALL_MAX} tags."),
            )),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ListTagsInput {
    resource_id_list: Option<Vec<String>>,
}

const TAGS_MAX: usize = 50;
/// "AddTags" and "RemoveTags".
const TAGS_OF_A_CALL_MAX: usize = 200;

/// Puts tags on a trail.
pub(super) fn add(trail: &mut Trail, tags: &[Tag]) -> Result<(), CloudTrailError> {
    for tag in tags {
        check(tag)?;
        trail.tags.insert(tag.key.clone(), tag.value.clone());
    }
    if trail.tags.len() > TAGS_MAX {
        let message = "A trail can have up to 50 tags.";
        return Err(CloudTrailError::new("TagsLimitExceededException", message));
    }
    Ok(())
}

fn check(tag: &Tag) -> Result<(), CloudTrailError> {
    if (1..=128).contains(&tag.key.chars().count()) && tag.value.chars().count() <= 256 {
        return Ok(());
    }
    let message = "A tag has a key of 1 to 128 and a value of up to 256 characters.";
    Err(CloudTrailError::new(
        "InvalidTagParameterException",
        message,
    ))
}

impl Trails {
    pub(super) fn add_tags(&self, call: &Call<'_>, input: &TagsInput) -> Answer {
        let mut trail = self.tagged(call, input.resource_id.as_ref())?;
        add(&mut trail, input.tags()?)?;
        self.put(&trail)?;
        Ok(json!({}))
    }

    pub(super) fn remove_tags(&self, call: &Call<'_>, input: &TagsInput) -> Answer {
        let mut trail = self.tagged(call, input.resource_id.as_ref())?;
        for tag in input.tags()? {
            check(tag)?;
            trail.tags.remove(&tag.key);
        }
        self.put(&trail)?;
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, call: &Call<'_>, input: &ListTagsInput) -> Answer {
        let of = |arn: &String| -> Result<Value, CloudTrailError> {
            let trail = self.tagged(call, Some(arn))?;
            let tags = trail.tags.iter();
            let tags: Vec<_> = tags
                .map(|(key, value)| json!({ "Key": key, "Value": value }))
                .collect();
            Ok(json!({ "ResourceId": arn, "TagsList": tags }))
        };
        let Some(arns) = &input.resource_id_list else {
            return Err(CloudTrailError::new(
                "CloudTrailARNInvalidException",
                "ResourceIdList must have the ARN of a trail.",
            ));
        };
        let list: Result<Vec<_>, _> = arns.iter().map(of).collect();
        Ok(json!({ "ResourceTagList": list? }))
    }

    fn tagged(&self, call: &Call<'_>, arn: Option<&String>) -> Result<Trail, CloudTrailError> {
        let arn = arn.filter(|arn| arn.starts_with("arn:")).ok_or_else(|| {
            CloudTrailError::new(
                "CloudTrailARNInvalidException",
                "The trail's ARN is not valid.",
            )
        })?;
        self.find(call, &NameInput::of(Some(arn.clone())))
            .map_err(|error| match error {
                CloudTrailError::Refused("TrailNotFoundException", message) => {
                    CloudTrailError::new("ResourceNotFoundException", message)
                }
                other => other,
            })
    }
}
