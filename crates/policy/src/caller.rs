//! Who makes a request.

use crate::Context;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has signed it.
    Anonymous,
    /// An account's root user, one of its users, or a session of one of its roles.
    Identity(Identity),
    /// A service of AWS, by its principal: `delivery.logs.amazonaws.com`.
    Service(String),
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account of 12 digits.
    pub account: String,
    /// As GetCallerIdentity says it: `arn:aws:iam::<account>:root`, `…:user/<name>`, or the session of a role,
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`.
    pub arn: String,
    /// `aws:PrincipalArn`: `arn`, but for a session the role's, `arn:aws:iam::<account>:role/<role>`.
    pub principal_arn: String,
    /// The account for root, `AIDA…` for a user, `AROA…:<session>` for a session.
    pub user_id: String,
}

impl Identity {
    /// The account's root user.
    #[must_use]
    pub fn root(account: &str) -> Self {
        let arn = root_arn(account);
        Self {
            account: account.to_owned(),
            principal_arn: arn.clone(),
            arn,
            user_id: account.to_owned(),
        }
    }

    /// Whether this is the account's root user.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn == root_arn(&self.account)
    }

    /// The caller's name at every level that a policy may name it by, the narrowest first.
    pub(crate) fn levels(&self) -> Vec<String> {
        let mut levels = vec![
            self.arn.clone(),
            self.principal_arn.clone(),
            root_arn(&self.account),
        ];
        levels.dedup();
        levels
    }
}

pub(crate) fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

impl Caller {
    /// The identity behind a signature.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Identity(identity) => Some(identity),
            Self::Anonymous | Self::Service(_) => None,
        }
    }

    /// Puts the condition keys of the principal into a context ("AWS global condition context keys", properties of
    /// the principal).
    pub fn describe(&self, context: &mut Context) {
        let is_service = matches!(self, Self::Service(_));
        context.put("aws:PrincipalIsAWSService", is_service.to_string());
        match self {
            Self::Anonymous => {
                context.put("aws:PrincipalType", "Anonymous");
                context.put("aws:userid", "anonymous");
            }
            Self::Service(name) => context.put("aws:PrincipalServiceName", name),
            Self::Identity(identity) => {
                context.put("aws:PrincipalArn", &identity.principal_arn);
                context.put("aws:PrincipalAccount", &identity.account);
                context.put("aws:userid", &identity.user_id);
                context.put("aws:ViaAWSService", "false");
                // Paths may have colons.
                let resource = identity.arn.splitn(6, ':').nth(5).unwrap_or_default();
                let kind = match resource.split('/').next() {
                    Some("user") => "User",
                    Some("assumed-role") => "AssumedRole",
                    Some("federated-user") => "FederatedUser",
                    _ => "Account",
                };
                context.put("aws:PrincipalType", kind);
                if kind == "User"
                    && let Some((_, name)) = resource.rsplit_once('/')
                {
                    context.put("aws:username", name);
                }
            }
        }
    }
}
