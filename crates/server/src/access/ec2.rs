//! What a call of EC2 is about: the resources that it makes and names, and what conditions know of them ("Actions,
//! resources, and condition keys for Amazon EC2").

use model::{Scope, State, Tags, World};

use super::{Asked, Keys, iam, tags_of_form};

mod part;

/// What a call asks for. With `own_policies`, also what only a caller's own policies are asked about.
pub(super) fn asked(
    world: &World,
    scope: Scope,
    form: &[(String, String)],
    own_policies: bool,
) -> Vec<Asked> {
    let nothing = State::default();
    let state = world.region(&scope).unwrap_or(&nothing);
    let value = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let operation = value("Action").unwrap_or_default();
    let mut calls = vec![Asked {
        action: format!("ec2:{operation}"),
        resources: resources(state, scope, operation, form, own_policies),
        keys: Keys::new(),
    }];
    if !own_policies {
        return calls;
    }
    let mut keys = tags_of_form(form);
    if let Some(instance_type) = value("InstanceType") {
        keys.push((
            "ec2:InstanceType".to_owned(),
            vec![instance_type.to_owned()],
        ));
    }
    calls[0].keys.clone_from(&keys);
    // Who makes a resource with tags needs to be allowed to tag it ("Grant permission to tag Amazon EC2 resources during
    // creation").
    let specified = form.iter().filter(|(name, _)| {
        name.starts_with("TagSpecification.") && name.ends_with(".ResourceType")
    });
    let tagged: Vec<String> = specified.map(|(_, kind)| arn(scope, kind, "*")).collect();
    if !tagged.is_empty() {
        keys.push(("ec2:CreateAction".to_owned(), vec![operation.to_owned()]));
        calls.push(Asked {
            action: "ec2:CreateTags".to_owned(),
            resources: tagged,
            keys,
        });
    }
    // Who gives a role to a service needs to be allowed that, too.
    if let Some(role) = value("DeliverLogsPermissionArn") {
        calls.push(iam::pass_role(role, "vpc-flow-logs.amazonaws.com"));
    }
    let profile = value("IamInstanceProfile.Name").or(value("IamInstanceProfile.Arn"));
    if let Some(profile) = profile {
        let role = iam::role_of_profile(world, scope.account, profile);
        calls.push(iam::pass_role(&role, "ec2.amazonaws.com"));
    }
    // Services' own logs go by a delivery of CloudWatch Logs ("Publish flow logs to Amazon S3").
    let to = value("LogDestinationType").filter(|to| *to != "cloud-watch-logs");
    if operation == "CreateFlowLogs" && to.is_some() {
        calls.push(Asked {
            action: "logs:CreateLogDelivery".to_owned(),
            resources: vec!["*".to_owned()],
            keys: Keys::new(),
        });
    }
    calls
}

fn resources(
    state: &State,
    scope: Scope,
    operation: &str,
    form: &[(String, String)],
    own_policies: bool,
) -> Vec<String> {
    // Calls that describe have no resources.
    if operation.starts_with("Describe") {
        return vec!["*".to_owned()];
    }
    let made = CREATED.iter().find(|(action, _)| *action == operation);
    let about = form.iter().filter(|(key, _)| is_about(operation, key));
    let named: Vec<(&str, &str)> = about
        .clone()
        .filter_map(|(_, value)| kind_of(value).map(|kind| (kind, value.as_str())))
        .collect();
    let whole = about.flat_map(|(key, value)| part::resources_of(state, operation, key, value));
    let mut resources: Vec<String> = made
        .map(|(_, kind)| (*kind, "*"))
        .into_iter()
        .chain(named.iter().copied())
        .map(|(kind, id)| arn(scope, kind, id))
        .chain(whole.map(|(kind, id)| arn(scope, kind, &id)))
        .collect();
    if operation == "RunInstances" && own_policies {
        resources.push(arn(scope, "volume", "*"));
        if !named.iter().any(|(kind, _)| *kind == "network-interface") {
            resources.push(arn(scope, "network-interface", "*"));
        }
        let images = form.iter().filter(|(key, _)| key == "ImageId");
        let image =
            |(_, id): &(String, String)| format!("arn:aws:ec2:{}::image/{id}", scope.region);
        resources.extend(images.map(image));
    }
    resources.sort_unstable();
    resources.dedup();
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    resources
}

/// Whether what a parameter names is a resource of the call. What rules and routes point to is not, nor is the peer's VPC of a
/// request for a peering connection.
fn is_about(operation: &str, parameter: &str) -> bool {
    match operation {
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => parameter == "RouteTableId",
        _ => {
            let in_rule = [
                "IpPermissions.",
                "SecurityGroupRule.",
                "SourceSecurityGroup",
            ];
            let in_rule = in_rule.iter().any(|prefix| parameter.starts_with(prefix));
            let is_rule_id = parameter.ends_with(".SecurityGroupRuleId");
            parameter != "PeerVpcId" && (!in_rule || is_rule_id)
        }
    }
}

fn arn(scope: Scope, kind: &str, id: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
}

/// What conditions know of the resource of an ARN: its tags, and the VPC that it is in. `named` is the VPC of the call, for
/// what is made in it.
pub(super) fn keys(state: &State, scope: Scope, resource: &str, named: Option<&str>) -> Keys {
    let mut keys = Keys::new();
    let id = resource.rsplit('/').next().unwrap_or_default();
    let (vpc, tags) = facts(state, id);
    if let Some(vpc) = vpc.as_deref().or(named) {
        keys.push(("ec2:Vpc".to_owned(), vec![arn(scope, "vpc", vpc)]));
    }
    for (key, value) in tags.into_iter().flatten() {
        for name in ["aws:ResourceTag", "ec2:ResourceTag"] {
            keys.push((format!("{name}/{key}"), vec![value.clone()]));
        }
    }
    keys
}

/// The VPC that a call names, itself or by a subnet.
pub(super) fn named_vpc(state: &State, form: &[(String, String)]) -> Option<String> {
    let mut ids = form.iter().filter(|(name, _)| name != "PeerVpcId");
    ids.find_map(|(_, value)| match kind_of(value)? {
        "vpc" => Some(value.clone()),
        "subnet" => facts(state, value).0,
        _ => None,
    })
}

/// The VPC and the tags of the resource of an id.
fn facts<'s>(state: &'s State, id: &str) -> (Option<String>, Option<&'s Tags>) {
    macro_rules! row {
        ($table:ident) => {
            id.parse().ok().and_then(|id| state.$table.get(&id))
        };
        ($table:ident, in a vpc) => {{
            let row = row!($table);
            (
                row.map(|row| row.vpc_id.to_string()),
                row.map(|row| &row.tags),
            )
        }};
        ($table:ident, of its own) => {
            (None, row!($table).map(|row| &row.tags))
        };
    }
    match kind_of(id) {
        Some("vpc") => row!(vpcs, of its own),
        Some("subnet") => row!(subnets, in a vpc),
        Some("route-table") => row!(route_tables, in a vpc),
        Some("security-group") => row!(security_groups, in a vpc),
        Some("network-acl") => row!(network_acls, in a vpc),
        Some("network-interface") => row!(network_interfaces, in a vpc),
        Some("vpc-endpoint") => row!(vpc_endpoints, in a vpc),
        Some("internet-gateway") => row!(internet_gateways, of its own),
        Some("egress-only-internet-gateway") => row!(egress_only_internet_gateways, of its own),
        Some("natgateway") => row!(nat_gateways, of its own),
        Some("instance") => row!(instances, of its own),
        Some("elastic-ip") => row!(addresses, of its own),
        Some("dhcp-options") => row!(dhcp_options, of its own),
        Some("vpc-flow-log") => row!(flow_logs, of its own),
        Some("prefix-list") => row!(prefix_lists, of its own),
        Some("vpc-endpoint-service") => row!(vpc_endpoint_services, of its own),
        _ => (None, None),
    }
}

/// What actions make, by the resource type of its ARN.
const CREATED: [(&str, &str); 17] = [
    ("AllocateAddress", "elastic-ip"),
    ("CreateDhcpOptions", "dhcp-options"),
    (
        "CreateEgressOnlyInternetGateway",
        "egress-only-internet-gateway",
    ),
    ("CreateFlowLogs", "vpc-flow-log"),
    ("CreateInternetGateway", "internet-gateway"),
    ("CreateManagedPrefixList", "prefix-list"),
    ("CreateNatGateway", "natgateway"),
    ("CreateNetworkAcl", "network-acl"),
    ("CreateNetworkInterface", "network-interface"),
    ("CreateRouteTable", "route-table"),
    ("CreateSecurityGroup", "security-group"),
    ("CreateSubnet", "subnet"),
    ("CreateVpc", "vpc"),
    ("CreateVpcEndpoint", "vpc-endpoint"),
    (
        "CreateVpcEndpointServiceConfiguration",
        "vpc-endpoint-service",
    ),
    ("CreateVpcPeeringConnection", "vpc-peering-connection"),
    ("RunInstances", "instance"),
];

/// The resource type in the ARN of a resource that is named by its id.
fn kind_of(id: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 17] = [
        ("acl", "network-acl"),
        ("dopt", "dhcp-options"),
        ("eigw", "egress-only-internet-gateway"),
        ("eipalloc", "elastic-ip"),
        ("eni", "network-interface"),
        ("fl", "vpc-flow-log"),
        ("i", "instance"),
        ("igw", "internet-gateway"),
        ("nat", "natgateway"),
        ("pcx", "vpc-peering-connection"),
        ("pl", "prefix-list"),
        ("rtb", "route-table"),
        ("sg", "security-group"),
        ("subnet", "subnet"),
        ("vpc", "vpc"),
        ("vpce", "vpc-endpoint"),
        ("vpce-svc", "vpc-endpoint-service"),
    ];
    let (prefix, digits) = id.rsplit_once('-')?;
    let is_id = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = KINDS.iter().find(|(known, _)| *known == prefix);
    kind.filter(|_| is_id).map(|(_, kind)| *kind)
}
