//! How an instance reaches its own metadata (Amazon EC2 User Guide, "Configure the Instance Metadata Service options").

use serde::{Deserialize, Serialize};

/// What `MetadataOptions` of an instance say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// Whether the service answers at all.
    pub http_endpoint: bool,
    /// Whether requests need the token of a session (IMDSv2); without one, both versions are allowed.
    pub http_tokens_required: bool,
    /// How many hops the answer with a token may travel, 1 to 64.
    pub http_put_response_hop_limit: u8,
    /// Whether the service answers at its IPv6 address, too.
    pub http_protocol_ipv6: bool,
    /// Whether the instance's tags are among its metadata.
    pub instance_metadata_tags: bool,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self {
            http_endpoint: true,
            http_tokens_required: false,
            http_put_response_hop_limit: 1,
            http_protocol_ipv6: false,
            instance_metadata_tags: false,
        }
    }
}
