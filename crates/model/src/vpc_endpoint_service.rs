//! Endpoint services: what stands behind a load balancer, for endpoints in other VPCs (AWS PrivateLink Guide, "Share
//! your services through AWS PrivateLink").

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, LoadBalancerId, Region, Scope, Tags, Timestamp, VpcEndpointServiceId,
    VpcEndpointServicePermissionId, World,
};

/// A service of an account's own that endpoints can lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcEndpointService {
    /// Its id.
    pub id: VpcEndpointServiceId,
    /// Whether its owner has to accept each endpoint.
    pub acceptance_required: bool,
    /// The network load balancers that it is reached by, at least one.
    pub load_balancers: Vec<LoadBalancerId>,
    /// Who may use it, besides its owner.
    pub allowed_principals: Vec<AllowedPrincipal>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    pub tags: Tags,
}

/// Somebody who may use an endpoint service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedPrincipal {
    /// Its id.
    pub permission_id: VpcEndpointServicePermissionId,
    /// The ARN of an account, a user or a role, or `*`.
    pub principal: String,
}

impl VpcEndpointService {
    /// `com.amazonaws.vpce.<region>.vpce-svc-…`, by which endpoints ask for it.
    pub fn name(&self, region: Region) -> String {
        format!("com.amazonaws.vpce.{region}.{}", self.id)
    }

    /// The domain under which its endpoints' names are.
    pub fn base_dns_name(&self, region: Region) -> String {
        format!("{}.{region}.vpce.amazonaws.com", self.id)
    }

    /// Whether anybody of an account may use it, `owner` being its own. Users and roles stand for their accounts: all
    /// that Weir knows of a caller is the account.
    pub fn admits(&self, owner: AccountId, account: AccountId) -> bool {
        let allowed = |one: &AllowedPrincipal| {
            one.principal == "*" || one.account() == Some(account.to_string().as_str())
        };
        owner == account || self.allowed_principals.iter().any(allowed)
    }
}

impl AllowedPrincipal {
    /// The account in an ARN.
    fn account(&self) -> Option<&str> {
        self.principal.split(':').nth(4)
    }

    /// `All`, `Account`, `User` or `Role`.
    pub fn principal_type(&self) -> &'static str {
        let resource = self.principal.split(':').nth(5).unwrap_or_default();
        if self.principal == "*" {
            "All"
        } else if resource.starts_with("user/") {
            "User"
        } else if resource.starts_with("role/") {
            "Role"
        } else {
            "Account"
        }
    }
}

impl World {
    /// The endpoint service of a name, with whose and where it is.
    pub fn endpoint_service(&self, name: &str) -> Option<(Scope, &VpcEndpointService)> {
        let services = self.regions.iter().flat_map(|(scope, state)| {
            let own = state.vpc_endpoint_services.values();
            own.map(|service| (*scope, service))
        });
        let mut named = services.filter(|(scope, service)| service.name(scope.region) == name);
        named.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Entropy, Sequence};

    #[test]
    fn a_service_admits_its_owner_and_whom_it_lists() {
        let [own, other, third]: [AccountId; 3] =
            ["111111111111", "222222222222", "333333333333"].map(|id| id.parse().unwrap());
        let mut ids = Sequence(0);
        let mut allow = |principals: &[&str]| VpcEndpointService {
            id: ids.id(),
            acceptance_required: true,
            load_balancers: Vec::new(),
            allowed_principals: principals
                .iter()
                .map(|principal| AllowedPrincipal {
                    permission_id: ids.id(),
                    principal: (*principal).to_owned(),
                })
                .collect(),
            created_at: Timestamp::default(),
            tags: Tags::new(),
        };
        let role = allow(&["arn:aws:iam::222222222222:role/app"]);
        assert_eq!(
            [own, other, third].map(|who| role.admits(own, who)),
            [true, true, false]
        );
        assert!(allow(&["*"]).admits(own, third));
        assert!(!allow(&[]).admits(own, other));
    }
}
