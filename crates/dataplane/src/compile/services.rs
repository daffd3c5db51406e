//! The port of the service network.

use model::{AwsService, Region};
use packet::Mac;

use super::dns_names::DnsNames;
use crate::ports::PortId;

/// The port of the service network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Services {
    pub(crate) port: PortId,
    pub(crate) mac: Mac,
    /// Whether something stands for DynamoDB.
    pub(crate) dynamodb: bool,
}

impl Services {
    /// Whether anything listens behind a service's address.
    pub(crate) fn answers(&self, service: AwsService) -> bool {
        service != AwsService::DynamoDb || self.dynamodb
    }
}

/// Gives the names of services to the addresses of their endpoints; every bucket of S3 is a name as well.
pub(crate) fn name(names: &mut DnsNames) {
    for region in Region::all() {
        for service in AwsService::ALL {
            let Some(address) = service.address(region) else {
                continue;
            };
            for name in service.endpoint_names(region) {
                names.insert(&name, &[address]);
                if service == AwsService::S3 {
                    names.insert(&format!("*.{name}"), &[address]);
                }
            }
        }
    }
}
