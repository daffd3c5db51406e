//! Who called: `userIdentity` (AWS CloudTrail User Guide, "CloudTrail userIdentity element").

use model::Timestamp;
use serde_json::{Value, json};

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of 12 digits.
    pub account: String,
    /// As GetCallerIdentity has it.
    pub arn: String,
    /// Of a session, the role that it is of.
    pub principal_arn: String,
    /// The account for root, `AIDA…` for a user, `AROA…:<session>` for a session.
    pub user_id: String,
    /// The key that signed.
    pub access_key_id: String,
    /// When the session began, if it is one.
    pub session_began: Option<Timestamp>,
}

impl Caller {
    /// `Username` of LookupEvents: a user's name, a session's, or `root`.
    pub fn user_name(&self) -> &str {
        let resource = self.resource();
        resource.rsplit('/').next().unwrap_or(resource)
    }

    /// The last part of the ARN, in which there may be colons.
    fn resource(&self) -> &str {
        self.arn.splitn(6, ':').nth(5).unwrap_or_default()
    }

    /// As another account's event shows it: the account, and no more of it than must be.
    pub(crate) fn of_another_account(&self) -> Value {
        json!({ "type": "AWSAccount", "principalId": self.user_id, "accountId": self.account })
    }

    pub(crate) fn element(&self) -> Value {
        let Self {
            account,
            arn,
            principal_arn,
            user_id,
            access_key_id,
            session_began,
        } = self;
        let kind = match self.resource() {
            "root" => "Root",
            resource if resource.starts_with("assumed-role/") => "AssumedRole",
            resource if resource.starts_with("user/") => "IAMUser",
            _ => "Unknown",
        };
        let mut shown = json!({
            "type": kind,
            "principalId": user_id,
            "arn": arn,
            "accountId": account,
            "accessKeyId": access_key_id,
        });
        if kind == "IAMUser" {
            shown["userName"] = self.user_name().into();
        }
        if kind == "AssumedRole" {
            let role = principal_arn.rsplit('/').next().unwrap_or_default();
            shown["sessionContext"] = json!({
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": user_id.split(':').next(),
                    "arn": principal_arn,
                    "accountId": account,
                    "userName": role,
                },
                "webIdFederationData": {},
                "attributes": {
                    "creationDate": session_began.map(Timestamp::iso8601),
                    "mfaAuthenticated": "false",
                },
            });
        }
        shown
    }
}
