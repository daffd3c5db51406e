//! Request and response shapes of the EC2 actions that Weir implements, generated from AWS's published model.
//!
//! Names are AWS's. A scalar or structure is an `Option`, a list is a `Vec`; enumerated strings, timestamps and
//! blobs (base64) stay text, as they are sent. This crate never validates, parses or serialises: `ec2-query` knows
//! the wire forms, `control` knows the rules.

#[expect(
    missing_docs,
    reason = "members are AWS's own names; the EC2 API reference documents them"
)]
mod generated;

pub use generated::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_its_action_and_dry_run() {
        let request = CreateVpcRequest {
            dry_run: Some(true),
            ..Default::default()
        };
        let request = Request::from(request);
        assert_eq!((request.action(), request.dry_run()), ("CreateVpc", true));
        assert!(!Request::from(ModifyVpcAttributeRequest::default()).dry_run());
    }

    #[test]
    fn actions_are_listed_once() {
        let unique: std::collections::BTreeSet<&str> = ACTIONS.iter().copied().collect();
        assert_eq!(unique.len(), ACTIONS.len());
    }
}
