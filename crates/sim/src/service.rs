//! What answers for AWS's own services, and how it learns who asks.

use model::{AwsService, NetworkInterfaceId, Region, VpcEndpointId};

/// A service as one who asks has it: what comes back from it goes to whoever has asked in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is asked.
    pub service: Service,
    /// By which way.
    pub way: Way,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The instance metadata service.
    Metadata,
    /// The Amazon DNS server, over TCP.
    Names,
    /// A service of AWS in a Region.
    Aws(AwsService, Region),
}

/// By which way a service is asked: what it is told about where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the link of a network interface.
    Link(NetworkInterfaceId),
    /// Over the internet.
    Internet,
    /// Through a gateway endpoint, from the interface that has the source address.
    GatewayEndpoint(VpcEndpointId, NetworkInterfaceId),
    /// Through an interface endpoint, at one of its interfaces.
    InterfaceEndpoint(VpcEndpointId, NetworkInterfaceId),
}
