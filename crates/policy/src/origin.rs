//! Where a request came from: the way that it took decides which condition keys it has.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Context, Document};

/// Where a request came from. The server makes it from the connection, never from what the client sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The address that the service sees as the client's: `aws:SourceIp`, unless the request came through an endpoint.
    pub source_ip: IpAddr,
    /// Whether the connection was TLS.
    pub secure_transport: bool,
    /// The VPC endpoint that the request came through, if it came through one.
    pub endpoint: Option<EndpointOrigin>,
}

/// The VPC endpoint that a request came through.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOrigin {
    /// `vpce-…`.
    pub endpoint_id: String,
    /// The VPC of the endpoint, `vpc-…`.
    pub vpc_id: String,
    /// The Region of the VPC, such as `us-east-1`.
    pub region: String,
    /// The account that owns the VPC, 12 digits.
    pub account: String,
    /// The private address of the caller.
    pub vpc_source_ip: IpAddr,
    /// The endpoint's policy; `None` is full access.
    pub policy: Option<Arc<Document>>,
}

impl Origin {
    /// A client outside of every VPC.
    #[must_use]
    pub fn public(source_ip: IpAddr, secure_transport: bool) -> Self {
        Self {
            source_ip,
            secure_transport,
            endpoint: None,
        }
    }

    /// The policy that the request has to pass on its way.
    #[must_use]
    pub fn endpoint_policy(&self) -> Option<&Document> {
        self.endpoint.as_ref()?.policy.as_deref()
    }

    /// Puts the condition keys of the network into a context ("AWS global condition context keys", properties of the
    /// network). `aws:SourceIp` is absent from requests through an endpoint.
    pub fn describe(&self, context: &mut Context) {
        context.put("aws:SecureTransport", self.secure_transport.to_string());
        let Some(endpoint) = &self.endpoint else {
            context.put("aws:SourceIp", self.source_ip.to_canonical().to_string());
            return;
        };
        let EndpointOrigin {
            endpoint_id,
            vpc_id,
            region,
            account,
            vpc_source_ip,
            policy: _,
        } = endpoint;
        context.put("aws:SourceVpce", endpoint_id);
        context.put("aws:SourceVpc", vpc_id);
        context.put(
            "aws:SourceVpcArn",
            format!("arn:aws:ec2:{region}:{account}:vpc/{vpc_id}"),
        );
        context.put("aws:VpceAccount", account);
        context.put("aws:VpcSourceIp", vpc_source_ip.to_canonical().to_string());
    }
}
