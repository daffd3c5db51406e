//! The services of AWS that are reached by public addresses, and the port that they are behind.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{AwsService, Region};
use packet::Mac;

use super::dns_names::DnsNames;
use crate::ports::PortId;

/// The port of the service network.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) port: PortId,
    pub(crate) mac: Mac,
    /// Whether something stands for DynamoDB.
    pub(crate) dynamodb: bool,
    blocks: Vec<(IpNet, AwsService, Region)>,
}

impl Services {
    pub(crate) fn new(port: PortId, mac: Mac, dynamodb: bool) -> Self {
        let of_service = |(region, service): (Region, AwsService)| {
            let blocks = service.blocks(region).into_iter();
            blocks.map(move |block| (block, service, region))
        };
        Self {
            port,
            mac,
            dynamodb,
            blocks: Region::all()
                .flat_map(|region| AwsService::ALL.map(|service| (region, service)))
                .flat_map(of_service)
                .collect(),
        }
    }

    /// Whose public address it is. No two services have one in common.
    pub(crate) fn of(&self, address: IpAddr) -> Option<(AwsService, Region)> {
        let found = self
            .blocks
            .iter()
            .find(|(block, ..)| block.contains(&address));
        found.map(|&(_, service, region)| (service, region))
    }

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
