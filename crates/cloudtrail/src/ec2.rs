//! Parameters and answers of EC2 in events.
//!
//! Older actions show `{"vpcSet":{"items":[…]}}` with lower-case names, newer ones `{"CreateFlowLogsRequest":{…}}` with the
//! names of the Query protocol. AWS does not document which is which; the sheet has it from samples.

mod legacy;
mod wrapped;

pub(crate) use legacy::lower;

use ec2_query::Tree;
use serde_json::Value;

use crate::form;

/// `requestParameters` of an action that was asked for with a form.
pub fn request_parameters(action: &str, form: &[(String, String)]) -> Value {
    let parameters = form::read(form);
    if is_wrapped(action) {
        wrapped::request(action, &parameters)
    } else {
        legacy::request(action, &parameters)
    }
}

/// `responseElements` of an action that changed something.
pub fn response_elements(action: &str, elements: &Tree, request_id: &str) -> Value {
    if is_wrapped(action) {
        wrapped::response(action, elements, request_id)
    } else {
        legacy::response(elements, request_id)
    }
}

/// Whether an action is of the newer style.
fn is_wrapped(action: &str) -> bool {
    WRAPPED.iter().any(|noun| action.contains(noun))
}

const WRAPPED: [&str; 10] = [
    "EgressOnlyInternetGateway",
    "FlowLogs",
    "InstanceMetadataOptions",
    "InstanceTypes",
    "NatGateway",
    "PrefixList",
    "SecurityGroupReferences",
    "SecurityGroupRules",
    "StaleSecurityGroups",
    "VpcEndpoint",
];

/// What CloudTrail never shows: user data can hold secrets.
const REMOVED: &str = "<sensitiveDataRemoved>";
