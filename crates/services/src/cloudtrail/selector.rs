//! Which events a trail delivers (AWS CloudTrail API Reference, "PutEventSelectors").

use cloudtrail::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::CloudTrailError;
use super::store::Trails;
use super::trail::NameInput;
use super::{Answer, Call};

/// What a trail selects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Selectors {
    Basic(Vec<EventSelector>),
    Advanced(Vec<AdvancedEventSelector>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct EventSelector {
    read_write_type: String,
    include_management_events: bool,
    data_resources: Vec<Value>,
    exclude_management_event_sources: Vec<String>,
}

impl Default for EventSelector {
    fn default() -> Self {
        Self {
            read_write_type: "All".to_owned(),
            include_management_events: true,
            data_resources: Vec::new(),
            exclude_management_event_sources: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct AdvancedEventSelector {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    field_selectors: Vec<FieldSelector>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct FieldSelector {
    field: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    equals: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    starts_with: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ends_with: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_equals: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_starts_with: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_ends_with: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct PutEventSelectorsInput {
    trail_name: Option<String>,
    event_selectors: Option<Vec<EventSelector>>,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct TrailNameInput {
    trail_name: Option<String>,
}

const FIELDS: [&str; 9] = [
    "errorCode",
    "eventCategory",
    "eventName",
    "eventSource",
    "eventType",
    "readOnly",
    "resources.type",
    "userIdentity.arn",
    "vpcEndpointId",
];

impl Default for Selectors {
    /// All management events.
    fn default() -> Self {
        Self::Basic(vec![EventSelector::default()])
    }
}

impl Selectors {
    /// Whether a trail delivers an event.
    pub(super) fn select(&self, event: &Event) -> bool {
        match self {
            Self::Basic(selectors) => {
                !event.network_activity && selectors.iter().any(|s| s.selects(event))
            }
            Self::Advanced(selectors) => selectors.iter().any(|s| s.selects(event)),
        }
    }

    /// Whether network activity of a service may be wanted.
    pub(super) fn wants_network_activity(&self, event_source: &str) -> bool {
        let Self::Advanced(selectors) = self else {
            return false;
        };
        selectors.iter().any(|selector| {
            let fields = &selector.field_selectors;
            let allows = |field: &str, value: &str| {
                fields.iter().all(|f| f.field != field || f.allows(value))
            };
            fields.iter().any(|f| f.field == "eventCategory")
                && allows("eventCategory", "NetworkActivity")
                && allows("eventSource", event_source)
        })
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl EventSelector {
    fn selects(&self, event: &Event) -> bool {
        let way = match self.read_write_type.as_str() {
            "ReadOnly" => event.read_only,
            "WriteOnly" => !event.read_only,
            _ => true,
        };
        let excluded = &self.exclude_management_event_sources;
        self.include_management_events && way && !excluded.contains(&event.event_source)
    }
}

impl AdvancedEventSelector {
    fn selects(&self, event: &Event) -> bool {
        let category = match event.network_activity {
            true => "NetworkActivity",
            false => "Management",
        };
        self.field_selectors.iter().all(|selector| {
            let read_only = event.read_only.to_string();
            match selector.field.as_str() {
                "eventCategory" => selector.allows(category),
                "eventName" => selector.allows(&event.event_name),
                "eventSource" => selector.allows(&event.event_source),
                "readOnly" => selector.allows(&read_only),
                path => selector.allows(&member(&event.record, path)),
            }
        })
    }
}

/// A member of an event that has no column of its own.
fn member(record: &str, path: &str) -> String {
    let record: Value = serde_json::from_str(record).unwrap_or_default();
    let pointer = format!("/{}", path.replace('.', "/"));
    let value = record.pointer(&pointer).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

impl FieldSelector {
    fn allows(&self, value: &str) -> bool {
        let any = |texts: &[String], matches: &dyn Fn(&str) -> bool| {
            texts.is_empty() || texts.iter().any(|text| matches(text))
        };
        let none = |texts: &[String], matches: &dyn Fn(&str) -> bool| {
            !texts.iter().any(|text| matches(text))
        };
        let (equal, begins, ends) = (
            |text: &str| value == text,
            |text: &str| value.starts_with(text),
            |text: &str| value.ends_with(text),
        );
        any(&self.equals, &equal)
            && any(&self.starts_with, &begins)
            && any(&self.ends_with, &ends)
            && none(&self.not_equals, &equal)
            && none(&self.not_starts_with, &begins)
            && none(&self.not_ends_with, &ends)
    }
}

impl Trails {
    pub(super) fn put_event_selectors(
        &self,
        call: &Call<'_>,
        input: PutEventSelectorsInput,
    ) -> Answer {
        let refuse =
            |message: &str| CloudTrailError::new("InvalidEventSelectorsException", message);
        let mut trail = self.find(call, &NameInput::of(input.trail_name))?;
        trail.selectors = match (input.event_selectors, input.advanced_event_selectors) {
            (Some(basic), None) if !basic.is_empty() && basic.len() <= 5 => {
                let known = |s: &EventSelector| {
                    ["All", "ReadOnly", "WriteOnly"].contains(&s.read_write_type.as_str())
                };
                if !basic.iter().all(known) {
                    return Err(refuse("ReadWriteType is All, ReadOnly or WriteOnly."));
                }
                Selectors::Basic(basic)
            }
            (None, Some(advanced)) if !advanced.is_empty() => {
                check_advanced(&advanced)?;
                Selectors::Advanced(advanced)
            }
            (Some(_), Some(_)) => {
                return Err(refuse(
                    "Specify either event selectors or advanced event selectors, not both.",
                ));
            }
            _ => return Err(refuse("A trail has one to five event selectors.")),
        };
        self.put(&trail)?;
        Ok(selectors_of(&trail.arn(), &trail.selectors))
    }

    pub(super) fn get_event_selectors(&self, call: &Call<'_>, input: &TrailNameInput) -> Answer {
        let trail = self.find(call, &NameInput::of(input.trail_name.clone()))?;
        Ok(selectors_of(&trail.arn(), &trail.selectors))
    }

    pub(super) fn get_insight_selectors(&self, call: &Call<'_>, input: &TrailNameInput) -> Answer {
        let trail = self.find(call, &NameInput::of(input.trail_name.clone()))?;
        Err(CloudTrailError::new(
            "InsightNotEnabledException",
            format!("Trail {} does not have Insights enabled.", trail.name),
        ))
    }
}

fn check_advanced(selectors: &[AdvancedEventSelector]) -> Result<(), CloudTrailError> {
    let refuse = |message: String| CloudTrailError::new("InvalidEventSelectorsException", message);
    for selector in selectors {
        let fields = &selector.field_selectors;
        if let Some(unknown) = fields.iter().find(|f| !FIELDS.contains(&f.field.as_str())) {
            return Err(refuse(format!("The field {} is not valid.", unknown.field)));
        }
        let category = fields.iter().find(|f| f.field == "eventCategory");
        match category.map(|f| f.equals.as_slice()) {
            Some([category]) if category == "Management" || category == "Data" => {}
            Some([category]) if category == "NetworkActivity" => {
                let source = fields.iter().find(|f| f.field == "eventSource");
                if source.is_none_or(|f| f.equals.len() != 1) {
                    return Err(refuse(
                        "Network activity events need an eventSource that equals one service."
                            .to_owned(),
                    ));
                }
            }
            _ => {
                return Err(refuse(
                    "An advanced event selector has an eventCategory that equals Management, Data or NetworkActivity."
                        .to_owned(),
                ));
            }
        }
    }
    Ok(())
}

fn selectors_of(arn: &str, selectors: &Selectors) -> Value {
    match selectors {
        Selectors::Basic(basic) => json!({ "TrailARN": arn, "EventSelectors": basic }),
        Selectors::Advanced(advanced) => {
            json!({ "TrailARN": arn, "AdvancedEventSelectors": advanced })
        }
    }
}
