//! `dynamic/instance-identity/document` ("Instance identity documents"). Nobody has signed it.

use serde_json::{Value, json};

use crate::Place;

/// The document, in the form in which AWS prints it.
pub(crate) fn identity(place: &Place<'_>) -> String {
    let Place {
        scope, instance, ..
    } = place;
    let primary = place.interfaces.first();
    let private_ip = primary.and_then(|eni| eni.primary_ipv4());
    let pending: String = instance.launch_time.to_string();
    let pending = pending.split('.').next().unwrap_or_default();
    // Keys are in the order of the alphabet, as AWS has them.
    let document = json!({
        "accountId": scope.account.to_string(),
        "architecture": place.architecture,
        "availabilityZone": instance.zone.to_string(),
        "billingProducts": Value::Null,
        "devpayProductCodes": Value::Null,
        "imageId": instance.image_id.to_string(),
        "instanceId": instance.id.to_string(),
        "instanceType": instance.instance_type,
        "kernelId": Value::Null,
        "marketplaceProductCodes": Value::Null,
        "pendingTime": format!("{pending}Z"),
        "privateIp": private_ip.map(|address| address.to_string()),
        "ramdiskId": Value::Null,
        "region": scope.region.name(),
        "version": "2017-09-30",
    });
    format!("{document:#}")
}
