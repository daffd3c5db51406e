//! Request and response shapes of the IAM actions that Weir implements, generated from AWS's published model.
//!
//! As `ec2-api`: names are AWS's, a scalar or structure is an `Option`, a list is a `Vec`. This crate never
//! validates, parses or serialises: `ec2-query` knows the wire forms, `control` knows the rules.

#[expect(
    missing_docs,
    reason = "members are AWS's own names; the IAM API reference documents them"
)]
mod generated;

pub use generated::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_its_action() {
        let request = Request::from(GetRoleRequest::default());
        assert_eq!(request.action(), "GetRole");
    }

    #[test]
    fn actions_are_listed_once() {
        let unique: std::collections::BTreeSet<&str> = ACTIONS.iter().copied().collect();
        assert_eq!(unique.len(), ACTIONS.len());
    }
}
