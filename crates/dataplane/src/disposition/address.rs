//! The address in a disposition, mostly one of the packet's: what tells dispositions of one kind apart.

use std::net::IpAddr;

use super::Disposition;

impl Disposition {
    /// The address that it names.
    pub fn address(&self) -> Option<IpAddr> {
        // One list for both.
        self.clone().address_mut().copied()
    }

    /// Puts another address in the place of the one that it names.
    pub fn set_address(&mut self, to: IpAddr) {
        if let Some(address) = self.address_mut() {
            *address = to;
        }
    }

    fn address_mut(&mut self) -> Option<&mut IpAddr> {
        match self {
            Self::ExitsToInternet { address, .. }
            | Self::StaysOnInternet { address, .. }
            | Self::TakenByService { address, .. }
            | Self::NotServed { address, .. }
            | Self::ServiceLimitExceeded { address, .. }
            | Self::NoSuchAddress { address, .. }
            | Self::NoPublicAddress { address, .. }
            | Self::NatPortAllocation { address, .. }
            | Self::SourceDestinationCheck { address, .. }
            | Self::OutsidePeering { address, .. }
            | Self::InternetUnreachable { address, .. } => Some(address),
            Self::Delivered { .. }
            | Self::ReachesService { .. }
            | Self::DeniedBySecurityGroup { .. }
            | Self::DeniedByNetworkAcl { .. }
            | Self::NoRoute { .. }
            | Self::Blackhole { .. }
            | Self::NoSuchDevice { .. }
            | Self::NoNatSession { .. }
            | Self::NatProtocol { .. }
            | Self::HopLimitExceeded { .. }
            | Self::EgressOnly { .. }
            | Self::RefusedByEndpoint { .. }
            | Self::NoEndpointSession { .. }
            | Self::NoServiceBehindEndpoint { .. }
            | Self::MtuExceeded { .. }
            | Self::ConntrackAllowanceExceeded { .. }
            | Self::HealthCheckAnswered { .. }
            | Self::NoListener { .. }
            | Self::NoTarget { .. }
            | Self::NoLoadBalancerSession { .. }
            | Self::RefusedOnLink(_) => None,
        }
    }
}
