//! What callers' own policies let them do: those of IAM in the world, read when a call needs them.

use model::{AccessKey, AccountId, Region, Scope, State, User, World};
use policy::{Document, Identity, Kind, Permissions};

/// The policies of a caller. `None` for an account's root user, who may do everything.
pub(crate) fn of(world: &World, caller: &Identity, session: Option<&str>) -> Option<Permissions> {
    if caller.is_root() {
        return None;
    }
    let nobody = State::default();
    let state = state_of(world, caller).unwrap_or(&nobody);
    let name = key(&caller.principal_arn);
    let mut permissions = Permissions {
        policies: Vec::new(),
        session: session.map(read),
    };
    let mut add = |own: &std::collections::BTreeMap<String, String>,
                   attached: &std::collections::BTreeSet<String>| {
        let own = own.values().map(|text| read(text));
        permissions.policies.extend(own);
        let attached = attached.iter().filter_map(|arn| managed(state, arn));
        permissions.policies.extend(attached);
    };
    if is_role(caller) {
        // A session of a role that is gone has nothing of another that has its name now.
        let role = state.roles.get(&name);
        let own = role.filter(|role| caller.user_id.split(':').next() == Some(role.id.as_str()));
        if let Some(role) = own {
            add(&role.policies, &role.attached_policies);
        }
        return Some(permissions);
    }
    if let Some(user) = state.users.get(&name) {
        add(&user.policies, &user.attached_policies);
        for group in user.groups.iter().filter_map(|key| state.groups.get(key)) {
            add(&group.policies, &group.attached_policies);
        }
    }
    Some(permissions)
}

/// Whether the caller is a session of a role. Paths of users may have anything in them.
fn is_role(caller: &Identity) -> bool {
    let resource = caller.principal_arn.splitn(6, ':').nth(5);
    resource.is_some_and(|resource| resource.starts_with("role/"))
}

/// The user behind an access key, if it is one's.
pub(crate) fn user_of<'w>(
    world: &'w World,
    access_key: &str,
) -> Option<(AccountId, &'w AccessKey, &'w User)> {
    let id = access_key.to_owned();
    let mut global = world
        .regions
        .iter()
        .filter(|(scope, _)| scope.region == Region::GLOBAL);
    global.find_map(|(scope, state)| {
        let key = state.access_keys.get(&id)?;
        Some((scope.account, key, state.users.get(&key.user)?))
    })
}

/// The user, as policies know it.
pub(crate) fn identity_of(account: AccountId, user: &User) -> Identity {
    let arn = format!("arn:aws:iam::{account}:user{}{}", user.path, user.name);
    Identity {
        account: account.to_string(),
        principal_arn: arn.clone(),
        arn,
        user_id: user.id.clone(),
    }
}

/// The state that holds the IAM of a caller's account.
fn state_of<'w>(world: &'w World, caller: &Identity) -> Option<&'w State> {
    let account: AccountId = caller.account.parse().ok()?;
    world.region(&Scope {
        account,
        region: Region::GLOBAL,
    })
}

/// What the row of a user or a role is called by.
pub(crate) fn key(arn: &str) -> String {
    arn.rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The document of a managed policy: one of the account's, or of those of AWS that Weir knows.
fn managed(state: &State, arn: &str) -> Option<Document> {
    if let Some(name) = arn.strip_prefix("arn:aws:iam::aws:policy/") {
        let known = OF_AWS.iter().find(|(known, _)| *known == name);
        if known.is_none() {
            tracing::warn!(
                arn,
                "Weir does not know what this policy of AWS's allows: it allows nothing"
            );
        }
        return known.map(|(_, actions)| allowing(actions));
    }
    let policy = state.managed_policies.get(&key(arn))?;
    let version = policy.versions.get(&policy.default_version)?;
    Some(read(&version.document))
}

/// Reads a document that was checked when it was set. One that cannot be read allows nothing.
fn read(text: &str) -> Document {
    Document::parse(text, Kind::Identity).unwrap_or_else(|error| {
        tracing::warn!(%error, "a policy cannot be read: it allows nothing");
        Document::closed()
    })
}

fn allowing(actions: &[&str]) -> Document {
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    read(&document.to_string())
}

/// Managed policies of AWS, and which actions of the services that Weir has they allow ("AWS managed policy reference").
const OF_AWS: [(&str, &[&str]); 13] = [
    ("AdministratorAccess", &["*"]),
    (
        "PowerUserAccess",
        &[
            "ec2:*",
            "elasticloadbalancing:*",
            "s3:*",
            "logs:*",
            "firehose:*",
            "cloudtrail:*",
            "dynamodb:*",
            "sts:*",
            "iam:ListRoles",
        ],
    ),
    (
        "ReadOnlyAccess",
        &[
            "ec2:Describe*",
            "ec2:Get*",
            "ec2:Search*",
            "elasticloadbalancing:Describe*",
            "s3:Get*",
            "s3:List*",
            "logs:Describe*",
            "logs:Get*",
            "logs:FilterLogEvents",
            "firehose:Describe*",
            "firehose:List*",
            "cloudtrail:Describe*",
            "cloudtrail:Get*",
            "cloudtrail:List*",
            "cloudtrail:LookupEvents",
            "iam:Get*",
            "iam:List*",
        ],
    ),
    ("AmazonEC2FullAccess", &["ec2:*", "elasticloadbalancing:*"]),
    (
        "AmazonEC2ReadOnlyAccess",
        &[
            "ec2:Describe*",
            "ec2:GetSecurityGroupsForVpc",
            "elasticloadbalancing:Describe*",
        ],
    ),
    (
        "ElasticLoadBalancingFullAccess",
        &["elasticloadbalancing:*", "ec2:Describe*"],
    ),
    ("AmazonS3FullAccess", &["s3:*"]),
    (
        "AmazonS3ReadOnlyAccess",
        &["s3:Get*", "s3:List*", "s3:Describe*"],
    ),
    ("CloudWatchLogsFullAccess", &["logs:*"]),
    (
        "CloudWatchLogsReadOnlyAccess",
        &[
            "logs:Describe*",
            "logs:Get*",
            "logs:List*",
            "logs:FilterLogEvents",
        ],
    ),
    ("AmazonKinesisFirehoseFullAccess", &["firehose:*"]),
    ("AWSCloudTrail_FullAccess", &["cloudtrail:*"]),
    ("IAMFullAccess", &["iam:*"]),
];
