//! What records show of tags: tag fields and ECS fields.

use std::fmt::{self, Write as _};

use dataplane::InterfaceMetadata;
use model::{TagField, TagFieldResource, Tags};

use crate::Field;

/// Tags of an instance that name its Auto Scaling group. The first is AWS's; nobody but AWS may set tags like it, so that
/// the other stands for it where there is no Auto Scaling.
const GROUP_NAME_KEYS: [&str; 2] = ["aws:autoscaling:groupName", "autoscaling:groupName"];

/// The value that a tag field shows, if the resource has the tag.
///
/// An Auto Scaling group has the tags of its instances, as if it propagated all of them.
pub(super) fn value<'a>(
    interface: &'a InterfaceMetadata,
    tag_fields: &[TagField],
    (resource, place): (TagFieldResource, usize),
) -> Option<&'a str> {
    let tags = match resource {
        TagFieldResource::NetworkInterface => &interface.tags,
        TagFieldResource::Instance => &interface.instance_tags,
        TagFieldResource::AutoScalingGroup => {
            let tags = &interface.instance_tags;
            let in_group = GROUP_NAME_KEYS.iter().any(|key| tags.contains_key(*key));
            in_group.then_some(tags)?
        }
    };
    let wanted = tag_fields.iter().find(|f| f.resource == resource)?;
    let value = tags.get(wanted.keys.get(place)?)?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

/// Writes a value with every byte percent-encoded that is neither a letter nor a digit of ASCII.
pub(super) fn write_encoded(line: &mut String, value: &str) -> fmt::Result {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() {
            line.push(char::from(byte));
        } else {
            write!(line, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// What an ECS field shows: the value of the interface's tag that has the field's name, or what the ARN in another one
/// says (Amazon ECS Developer Guide, "Amazon Resource Names (ARNs)": names and ids come last).
pub(super) fn of_task(tags: &Tags, field: Field) -> Option<&str> {
    let own = tags.get(field.name());
    let value = match (own, field) {
        (Some(value), _) => value.as_str(),
        (None, Field::EcsClusterName) => last(tags.get(Field::EcsClusterArn.name())?)?,
        (None, Field::EcsContainerInstanceId) => {
            last(tags.get(Field::EcsContainerInstanceArn.name())?)?
        }
        (None, Field::EcsTaskId) => last(tags.get(Field::EcsTaskArn.name())?)?,
        (None, _) => return None,
    };
    let is_word = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic());
    is_word.then_some(value)
}

fn last(arn: &str) -> Option<&str> {
    arn.rsplit_once('/').map(|(_, last)| last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &str) -> String {
        let mut line = String::new();
        write_encoded(&mut line, value).unwrap();
        line
    }

    fn decoded(text: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, others @ ..] = rest {
            rest = others;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let ([high, low], others) = others.split_first_chunk::<2>()?;
            let digit = |b: u8| char::from(b).to_digit(16);
            bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
            rest = others;
        }
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn hyphens_are_encoded_too() {
        assert_eq!(encoded("platform-engineering"), "platform%2Dengineering");
        assert_eq!(encoded("a_b.c~d e/ü"), "a%5Fb%2Ec%7Ed%20e%2F%C3%BC");
        assert_eq!(encoded("-"), "%2D");
    }

    proptest! {
        #[test]
        fn encoding_is_one_word_that_says_the_value(value in any::<String>()) {
            let text = encoded(&value);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%'));
            prop_assert_eq!(decoded(&text), Some(value));
        }
    }
}
