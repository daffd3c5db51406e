//! What goes in and out, as clients see it.

mod elbv2;
mod iam;
mod parse;
mod properties;
mod render;

use ec2_api::Request;

/// Parses a body as it would arrive.
fn parse(body: &str) -> Result<Request, crate::Error> {
    crate::parse(&crate::form::decode(body.as_bytes())?)
}
