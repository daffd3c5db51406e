//! Any form, well made or not: never a panic, and what is made is read back.

use crate::{form, render};
use ec2_api::{ACTIONS, GetConsoleOutputResponse};
use proptest::prelude::*;

/// Names that look like real ones often enough to get past the first checks.
fn parameter_name() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("Filter".to_owned()),
        Just("Value".to_owned()),
        Just("TagSpecification".to_owned()),
        Just("IpPermissions".to_owned()),
        Just("NetworkInterface".to_owned()),
        Just("DryRun".to_owned()),
        (0u64..20_000).prop_map(|index| index.to_string()),
        any::<String>(),
    ];
    prop::collection::vec(segment, 0..6).prop_map(|segments| segments.join("."))
}

proptest! {
    #[test]
    fn any_form_is_a_request_or_an_error(
        action in prop::sample::select(ACTIONS),
        parameters in prop::collection::vec((parameter_name(), any::<String>()), 0..8),
    ) {
        let mut form = vec![("Action".to_owned(), action.to_owned())];
        form.extend(parameters);
        if let Ok(request) = crate::parse(&form) {
            prop_assert_eq!(request.action(), action);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = form::decode(&bytes);
    }

    #[test]
    fn forms_survive_the_wire(
        pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..8),
    ) {
        let text = form::encode(&pairs);
        prop_assert!(text.is_ascii());
        prop_assert_eq!(form::decode(text.as_bytes()), Ok(pairs));
    }

    #[test]
    fn any_text_is_written_as_xml_text(text in any::<String>()) {
        let response = GetConsoleOutputResponse { output: Some(text), ..Default::default() };
        let xml = render(&response.into(), "r");
        let content = xml.split_once("<output>").and_then(|(_, rest)| rest.split_once("</output>"));
        let content = content.map(|(content, _)| content).unwrap_or("<");
        prop_assert!(!content.contains(['<', '>', '"', '\0', '\x1b']));
    }
}
