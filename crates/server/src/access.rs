//! Whether a call may pass the VPC endpoint that it came through: the policies of endpoints for the services other
//! than S3, which asks for itself.

use http::request::Parts;
use policy::{Caller, Context, Denial, Origin, Policies, Request};
use serde_json::Value;

use crate::auth::{self, Identity};
use crate::clock;
use crate::ec2;
use crate::respond::Answer;
use crate::service::Service;

mod partiql;

/// A call that the endpoint's policy does not let through.
#[derive(Debug)]
pub(crate) struct Refused {
    /// In AWS's words.
    message: String,
}

/// Asks the policy of the endpoint that a call came through, if it came through one that has a policy.
///
/// # Errors
///
/// If the policy does not let it through.
pub(crate) fn check(
    service: Service,
    identity: &Identity,
    origin: &Origin,
    parts: &Parts,
    body: &[u8],
) -> Result<(), Refused> {
    let Some(endpoint) = origin.endpoint_policy() else {
        return Ok(());
    };
    let query = parts.uri.query().unwrap_or_default();
    let asked = match service {
        Service::Ec2 | Service::ElasticLoadBalancing | Service::Sts => {
            let form = ec2::form(query, body).unwrap_or_default();
            vec![of_form(service, identity, &form)]
        }
        Service::Logs => vec![of_logs(identity, parts, body)],
        Service::Firehose => vec![of_firehose(identity, parts, body)],
        Service::DynamoDb => of_dynamodb(identity, parts, body)?,
        // S3 asks for itself; IAM and CloudTrail are at no endpoint; Weir's own operations have no policies.
        Service::S3 | Service::Iam | Service::CloudTrail | Service::Weir => return Ok(()),
    };
    let caller = Caller::Identity(identity.caller.clone());
    let context = describe(&caller, origin, identity, parts);
    let account = identity.scope.account.to_string();
    let asked = asked
        .iter()
        .flat_map(|asked| asked.resources.iter().map(|on| (&asked.action, on)));
    for (action, resource) in asked {
        let request = Request {
            caller: &caller,
            canonical_user_id: None,
            action,
            resource,
            context: &context,
        };
        let policies = Policies {
            endpoint: Some(endpoint),
            resource: None,
            owner: &account,
        };
        policy::decide(&request, &policies).map_err(|denial: Denial| {
            tracing::debug!(action, resource, %denial, "access denied");
            Refused {
                message: denial.message(&request),
            }
        })?;
    }
    Ok(())
}

impl Refused {
    /// The answer in the words of the service.
    pub(crate) fn answer(&self, service: Service, request_id: &str) -> Answer {
        let (status, code, message) = match service {
            Service::Ec2 => (
                403,
                "UnauthorizedOperation",
                format!(
                    "You are not authorized to perform this operation. {}",
                    self.message
                ),
            ),
            Service::ElasticLoadBalancing | Service::Iam | Service::Sts | Service::S3 => {
                (403, "AccessDenied", self.message.clone())
            }
            Service::Logs
            | Service::Firehose
            | Service::CloudTrail
            | Service::DynamoDb
            | Service::Weir => (400, "AccessDeniedException", self.message.clone()),
        };
        auth::refuse(service, request_id, status, code, &message)
    }
}

/// What a call does, and with what. Every resource has to be allowed.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    action: String,
    resources: Vec<String>,
}

/// A call of the Query protocol.
fn of_form(service: Service, identity: &Identity, form: &[(String, String)]) -> Asked {
    let value = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
    };
    let operation = value("Action").unwrap_or_default();
    let mut resources: Vec<String> = match service {
        Service::Sts => value("RoleArn").map(str::to_owned).into_iter().collect(),
        // Elastic Load Balancing names what it is about by ARNs.
        Service::ElasticLoadBalancing => {
            let arns = form.iter().map(|(_, value)| value);
            arns.filter(|value| value.starts_with("arn:aws:elasticloadbalancing:"))
                .cloned()
                .collect()
        }
        // Calls that describe have no resources ("Actions, resources, and condition keys for Amazon EC2").
        _ if operation.starts_with("Describe") => Vec::new(),
        _ => {
            let made = CREATED.iter().find(|(action, _)| *action == operation);
            // A request for a peering connection is up to the requester's VPC, not to the peer's.
            let named = form
                .iter()
                .filter(|(key, _)| key != "PeerVpcId")
                .filter_map(|(_, value)| kind_of(value).map(|kind| (kind, value.as_str())));
            made.map(|(_, kind)| (*kind, "*"))
                .into_iter()
                .chain(named)
                .map(|(kind, id)| {
                    let model::Scope { account, region } = identity.scope;
                    format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
                })
                .collect()
        }
    };
    resources.sort_unstable();
    resources.dedup();
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    Asked {
        action: format!("{}:{operation}", service.signing_name()),
        resources,
    }
}

/// A call of CloudWatch Logs: its resource is a log group, perhaps with a stream of it.
fn of_logs(identity: &Identity, parts: &Parts, body: &[u8]) -> Asked {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok());
    let operation = target
        .unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let named = ["logGroupName", "logGroupIdentifier", "resourceArn"].map(text);
    let group = named.into_iter().flatten().next().unwrap_or_default();
    // Identifiers may be ARNs, with `:*` at their end or without.
    let group = group.rsplit(":log-group:").next().unwrap_or_default();
    let group = group.strip_suffix(":*").unwrap_or(group);
    let stream = text("logStreamName").unwrap_or_default();
    let model::Scope { account, region } = identity.scope;
    Asked {
        action: format!("logs:{operation}"),
        resources: vec![format!(
            "arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"
        )],
    }
}

/// A call of Firehose: its resource is a delivery stream, but for the one that lists them ("Actions, resources, and
/// condition keys for Amazon Kinesis Firehose").
fn of_firehose(identity: &Identity, parts: &Parts, body: &[u8]) -> Asked {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok());
    let operation = target.unwrap_or_default().rsplit('.').next();
    let operation = operation.unwrap_or_default();
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = input.get("DeliveryStreamName").and_then(Value::as_str);
    let name = name.filter(|_| operation != "ListDeliveryStreams");
    let model::Scope { account, region } = identity.scope;
    let arn = |name| format!("arn:aws:firehose:{region}:{account}:deliverystream/{name}");
    Asked {
        action: format!("firehose:{operation}"),
        resources: vec![name.map_or_else(|| "*".to_owned(), arn)],
    }
}

/// A call of DynamoDB: its resources are the tables that it names, and indexes of them ("Actions, resources, and
/// condition keys for Amazon DynamoDB"). Statements are calls of their own.
///
/// # Errors
///
/// If it cannot be told which table a statement is about.
fn of_dynamodb(identity: &Identity, parts: &Parts, body: &[u8]) -> Result<Vec<Asked>, Refused> {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok());
    let operation = target
        .unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let index = text(&input, "IndexName").map(|index| format!("/index/{index}"));
    let index = index.unwrap_or_default();
    let own = ["TableName", "ResourceArn", "TableArn"].map(|name| text(&input, name));
    let mut tables: Vec<String> = own.into_iter().flatten().collect();
    // Of batches the keys, of transactions what each of the items does.
    let batch = input.get("RequestItems").and_then(Value::as_object);
    tables.extend(batch.into_iter().flat_map(|batch| batch.keys().cloned()));
    let items = input.get("TransactItems").and_then(Value::as_array);
    let parts = items.into_iter().flatten().filter_map(Value::as_object);
    tables.extend(
        parts
            .flat_map(|item| item.values())
            .filter_map(|item| text(item, "TableName")),
    );
    tables.sort_unstable();
    tables.dedup();
    let model::Scope { account, region } = identity.scope;
    let arn = |table: String| match table.starts_with("arn:") {
        true => format!("{table}{index}"),
        false => format!("arn:aws:dynamodb:{region}:{account}:table/{table}{index}"),
    };
    let items = |name: &str| input.get(name).and_then(Value::as_array);
    let items: Vec<&Value> = match operation {
        "ExecuteStatement" => vec![&input],
        "BatchExecuteStatement" => items("Statements").into_iter().flatten().collect(),
        "ExecuteTransaction" => items("TransactStatements").into_iter().flatten().collect(),
        _ => Vec::new(),
    };
    let statements = items.into_iter().filter_map(|item| text(item, "Statement"));
    let mut asked = Vec::new();
    for statement in statements {
        let (action, table) = partiql::asked(&statement).ok_or_else(|| Refused {
            message: "It cannot be told which table the statement is about.".to_owned(),
        })?;
        asked.push(Asked {
            action: format!("dynamodb:{action}"),
            resources: vec![arn(table)],
        });
    }
    if !asked.is_empty() {
        return Ok(asked);
    }
    let mut resources: Vec<String> = tables.into_iter().map(arn).collect();
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    Ok(vec![Asked {
        action: format!("dynamodb:{operation}"),
        resources,
    }])
}

fn describe(caller: &Caller, origin: &Origin, identity: &Identity, parts: &Parts) -> Context {
    let mut context = Context::default();
    origin.describe(&mut context);
    caller.describe(&mut context);
    let region = identity.scope.region.to_string();
    context.put("ec2:Region", &region);
    context.put("aws:RequestedRegion", region);
    context.put("aws:ResourceAccount", identity.scope.account.to_string());
    let now = clock::now();
    context.put("aws:CurrentTime", now.iso8601());
    context.put("aws:EpochTime", now.as_secs().to_string());
    if let Some(issued) = identity.issued {
        context.put("aws:TokenIssueTime", issued.iso8601());
    }
    for (key, header) in [("aws:UserAgent", "user-agent"), ("aws:Referer", "referer")] {
        if let Some(value) = parts.headers.get(header).and_then(|v| v.to_str().ok()) {
            context.put(key, value);
        }
    }
    context
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use model::Scope;
    use policy::{Document, EndpointOrigin, Kind};
    use std::net::IpAddr;
    use std::sync::Arc;

    fn identity() -> Identity {
        let account = "123456789012";
        Identity {
            scope: Scope {
                account: account.parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
            },
            caller: policy::Identity::root(account),
            issued: None,
            access_key_id: "AKIAEXAMPLE".to_owned(),
        }
    }

    fn through(policy: &str) -> Origin {
        let policy = Document::parse(policy, Kind::InterfaceEndpoint).unwrap();
        let mut origin = Origin::public(IpAddr::from([203, 0, 113, 7]), true);
        origin.endpoint = Some(EndpointOrigin {
            endpoint_id: "vpce-1".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            vpc_source_ip: IpAddr::from([10, 0, 1, 10]),
            policy: Some(Arc::new(policy)),
        });
        origin
    }

    fn attempt(origin: &Origin, service: Service, call: &str, body: &str) -> String {
        let request = http::Request::post("/");
        let request = match service {
            Service::Logs => request.header("x-amz-target", format!("Logs_20140328.{call}")),
            Service::Firehose => {
                request.header("x-amz-target", format!("Firehose_20150804.{call}"))
            }
            Service::DynamoDb => {
                request.header("x-amz-target", format!("DynamoDB_20120810.{call}"))
            }
            _ => request,
        };
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = match service {
            Service::Logs | Service::Firehose | Service::DynamoDb => body.to_owned(),
            _ => format!("Action={call}&{body}"),
        };
        match check(service, &identity(), origin, &parts, body.as_bytes()) {
            Ok(()) => format!("{call}: passes\n"),
            Err(refused) => {
                let answer = refused.answer(service, "r-1");
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                format!("{call}: {} {text}\n", answer.status().as_u16())
            }
        }
    }

    #[test]
    fn calls_of_firehose_name_their_stream() {
        let origin = through(
            r#"{"Statement":[
            {"Effect":"Allow","Principal":"*","Action":"firehose:PutRecord*","Resource":"arn:aws:firehose:us-east-1:123456789012:deliverystream/mine"},
            {"Effect":"Allow","Principal":"*","Action":"firehose:ListDeliveryStreams","Resource":"*"}]}"#,
        );
        let mut text = String::new();
        for (call, body) in [
            ("PutRecord", r#"{"DeliveryStreamName":"mine"}"#),
            ("PutRecordBatch", r#"{"DeliveryStreamName":"mine"}"#),
            ("PutRecord", r#"{"DeliveryStreamName":"other"}"#),
            ("DeleteDeliveryStream", r#"{"DeliveryStreamName":"mine"}"#),
            (
                "ListDeliveryStreams",
                r#"{"ExclusiveStartDeliveryStreamName":"a"}"#,
            ),
            ("PutRecord", "nonsense"),
        ] {
            text += &attempt(&origin, Service::Firehose, call, body);
        }
        expect![[r#"
            PutRecord: passes
            PutRecordBatch: passes
            PutRecord: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: firehose:PutRecord on resource: arn:aws:firehose:us-east-1:123456789012:deliverystream/other because no VPC endpoint policy allows the firehose:PutRecord action"}
            DeleteDeliveryStream: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: firehose:DeleteDeliveryStream on resource: arn:aws:firehose:us-east-1:123456789012:deliverystream/mine because no VPC endpoint policy allows the firehose:DeleteDeliveryStream action"}
            ListDeliveryStreams: passes
            PutRecord: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: firehose:PutRecord because no VPC endpoint policy allows the firehose:PutRecord action"}
        "#]].assert_eq(&text);
    }

    #[test]
    fn calls_of_dynamodb_name_their_tables() {
        let origin = through(
            r#"{"Statement":[
            {"Effect":"Allow","Principal":"*","Action":"dynamodb:*Item","Resource":"arn:aws:dynamodb:*:*:table/mine"},
            {"Effect":"Allow","Principal":"*","Action":"dynamodb:Query","Resource":"arn:aws:dynamodb:*:*:table/mine/index/*"},
            {"Effect":"Allow","Principal":"*","Action":"dynamodb:TransactWriteItems","Resource":"*"},
            {"Effect":"Allow","Principal":"*","Action":["dynamodb:PartiQL*","dynamodb:*Statement"],"Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":["dynamodb:TransactWriteItems","dynamodb:PartiQLSelect"],
             "Resource":"arn:aws:dynamodb:*:*:table/theirs"}]}"#,
        );
        let mut report = String::new();
        for (call, body) in [
            ("GetItem", r#"{"TableName":"mine"}"#),
            ("GetItem", r#"{"TableName":"theirs"}"#),
            (
                "GetItem",
                r#"{"TableName":"theirs","Statement":"SELECT * FROM mine"}"#,
            ),
            (
                "GetItem",
                r#"{"TableName":"arn:aws:dynamodb:us-east-1:123456789012:table/mine"}"#,
            ),
            (
                "BatchGetItem",
                r#"{"RequestItems":{"mine":{},"theirs":{}}}"#,
            ),
            ("BatchGetItem", r#"{"RequestItems":{"mine":{}}}"#),
            ("Query", r#"{"TableName":"mine","IndexName":"i"}"#),
            ("Query", r#"{"TableName":"mine"}"#),
            (
                "TransactWriteItems",
                r#"{"TransactItems":[{"Put":{"TableName":"mine"}},{"Delete":{"TableName":"theirs"}}]}"#,
            ),
            (
                "TransactWriteItems",
                r#"{"TransactItems":[{"Put":{"TableName":"mine"}}]}"#,
            ),
            ("ExecuteStatement", r#"{"Statement":"SELECT * FROM mine"}"#),
            (
                "ExecuteStatement",
                r#"{"Statement":"SELECT * FROM \"theirs\""}"#,
            ),
            (
                "BatchExecuteStatement",
                r#"{"Statements":[{"Statement":"SELECT * FROM mine"},{"Statement":"SELECT * FROM theirs"}]}"#,
            ),
            (
                "ExecuteTransaction",
                r#"{"TransactStatements":[{"Statement":"SELECT * FROM mine, theirs"}]}"#,
            ),
            ("ListTables", "{}"),
            ("GetItem", "no JSON"),
        ] {
            report += &attempt(&origin, Service::DynamoDb, call, body);
        }
        expect![[r#"
            GetItem: passes
            GetItem: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs because no VPC endpoint policy allows the dynamodb:GetItem action"}
            GetItem: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs because no VPC endpoint policy allows the dynamodb:GetItem action"}
            GetItem: passes
            BatchGetItem: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:BatchGetItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs because no VPC endpoint policy allows the dynamodb:BatchGetItem action"}
            BatchGetItem: passes
            Query: passes
            Query: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:Query on resource: arn:aws:dynamodb:us-east-1:123456789012:table/mine because no VPC endpoint policy allows the dynamodb:Query action"}
            TransactWriteItems: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:TransactWriteItems on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs with an explicit deny in a VPC endpoint policy"}
            TransactWriteItems: passes
            ExecuteStatement: passes
            ExecuteStatement: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:PartiQLSelect on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs with an explicit deny in a VPC endpoint policy"}
            BatchExecuteStatement: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:PartiQLSelect on resource: arn:aws:dynamodb:us-east-1:123456789012:table/theirs with an explicit deny in a VPC endpoint policy"}
            ExecuteTransaction: 400 {"__type":"AccessDeniedException","message":"It cannot be told which table the statement is about."}
            ListTables: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:ListTables because no VPC endpoint policy allows the dynamodb:ListTables action"}
            GetItem: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: dynamodb:GetItem because no VPC endpoint policy allows the dynamodb:GetItem action"}
        "#]].assert_eq(&report);
    }

    #[test]
    fn calls_pass_whose_action_and_resources_are_allowed() {
        let origin = through(
            r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":["ec2:Describe*","sts:*","logs:PutLogEvents"],"Resource":"*",
             "Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}},
            {"Effect":"Allow","Principal":"*","Action":"ec2:CreateSubnet","Resource":[
             "arn:aws:ec2:*:*:subnet/*","arn:aws:ec2:*:*:vpc/vpc-0123456789abcdef0"]},
            {"Effect":"Allow","Principal":"*","Action":"logs:CreateLogStream","Resource":"arn:aws:logs:*:*:log-group:mine:*"},
            {"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/admin"}]}"#,
        );
        let role = |name| format!("RoleArn=arn:aws:iam::111122223333:role/{name}");
        let mut report = String::new();
        for (service, call, body) in [
            (
                Service::Ec2,
                "DescribeVpcs",
                "VpcId.1=vpc-00000000".to_owned(),
            ),
            (
                Service::Ec2,
                "CreateVpc",
                "CidrBlock=10.0.0.0/16".to_owned(),
            ),
            (
                Service::Ec2,
                "CreateSubnet",
                "VpcId=vpc-0123456789abcdef0".to_owned(),
            ),
            (
                Service::Ec2,
                "CreateSubnet",
                "VpcId=vpc-00000000".to_owned(),
            ),
            (Service::Sts, "GetCallerIdentity", String::new()),
            (Service::Sts, "AssumeRole", role("reader")),
            (Service::Sts, "AssumeRole", role("admin")),
            (
                Service::Logs,
                "PutLogEvents",
                r#"{"logGroupName":"g","logStreamName":"s"}"#.to_owned(),
            ),
            (
                Service::Logs,
                "CreateLogStream",
                r#"{"logGroupName":"mine"}"#.to_owned(),
            ),
            (
                Service::Logs,
                "CreateLogStream",
                r#"{"logGroupName":"yours","logStreamName":"s"}"#.to_owned(),
            ),
            (Service::Logs, "DescribeLogGroups", "not json".to_owned()),
        ] {
            report += &attempt(&origin, service, call, &body);
        }
        expect![[r#"
            DescribeVpcs: passes
            CreateVpc: 403 <?xml version="1.0" encoding="UTF-8"?>
            <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-east-1:123456789012:vpc/* because no VPC endpoint policy allows the ec2:CreateVpc action</Message></Error></Errors><RequestID>r-1</RequestID></Response>
            CreateSubnet: passes
            CreateSubnet: 403 <?xml version="1.0" encoding="UTF-8"?>
            <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:CreateSubnet on resource: arn:aws:ec2:us-east-1:123456789012:vpc/vpc-00000000 because no VPC endpoint policy allows the ec2:CreateSubnet action</Message></Error></Errors><RequestID>r-1</RequestID></Response>
            GetCallerIdentity: passes
            AssumeRole: passes
            AssumeRole: 403 <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error>
                <Type>Sender</Type>
                <Code>AccessDenied</Code>
                <Message>User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/admin with an explicit deny in a VPC endpoint policy</Message>
              </Error>
              <RequestId>r-1</RequestId>
            </ErrorResponse>

            PutLogEvents: passes
            CreateLogStream: passes
            CreateLogStream: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: logs:CreateLogStream on resource: arn:aws:logs:us-east-1:123456789012:log-group:yours:log-stream:s because no VPC endpoint policy allows the logs:CreateLogStream action"}
            DescribeLogGroups: 400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:root is not authorized to perform: logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:123456789012:log-group::log-stream: because no VPC endpoint policy allows the logs:DescribeLogGroups action"}
        "#]].assert_eq(&report);
    }

    #[test]
    fn what_joins_vpcs_is_a_resource_of_the_call_that_makes_it() {
        let origin = through(
            r#"{"Statement":[
            {"Effect":"Allow","Principal":"*","Action":"ec2:CreateVpcPeeringConnection","Resource":[
             "arn:aws:ec2:*:*:vpc-peering-connection/*","arn:aws:ec2:*:*:vpc/vpc-0123456789abcdef0"]},
            {"Effect":"Allow","Principal":"*","Action":"ec2:CreateVpcEndpointServiceConfiguration","Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:ec2:*:*:vpc-endpoint-service/*"}]}"#,
        );
        let mut report = String::new();
        for (call, body) in [
            (
                "CreateVpcPeeringConnection",
                "VpcId=vpc-0123456789abcdef0&PeerVpcId=vpc-00000000",
            ),
            (
                "CreateVpcPeeringConnection",
                "VpcId=vpc-00000000&PeerVpcId=vpc-0123456789abcdef0",
            ),
            ("CreateVpcEndpointServiceConfiguration", ""),
        ] {
            report += &attempt(&origin, Service::Ec2, call, body);
        }
        expect![[r#"
            CreateVpcPeeringConnection: passes
            CreateVpcPeeringConnection: 403 <?xml version="1.0" encoding="UTF-8"?>
            <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:CreateVpcPeeringConnection on resource: arn:aws:ec2:us-east-1:123456789012:vpc/vpc-00000000 because no VPC endpoint policy allows the ec2:CreateVpcPeeringConnection action</Message></Error></Errors><RequestID>r-1</RequestID></Response>
            CreateVpcEndpointServiceConfiguration: 403 <?xml version="1.0" encoding="UTF-8"?>
            <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:CreateVpcEndpointServiceConfiguration on resource: arn:aws:ec2:us-east-1:123456789012:vpc-endpoint-service/* with an explicit deny in a VPC endpoint policy</Message></Error></Errors><RequestID>r-1</RequestID></Response>
        "#]].assert_eq(&report);
    }

    #[test]
    fn without_an_endpoint_or_a_policy_nothing_is_asked() {
        let mut origin = through(
            r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#,
        );
        let call = |origin: &Origin| attempt(origin, Service::Ec2, "DescribeVpcs", "");
        assert!(call(&origin).starts_with("DescribeVpcs: 403"));
        origin.endpoint.as_mut().unwrap().policy = None;
        assert_eq!(call(&origin), "DescribeVpcs: passes\n");
        origin.endpoint = None;
        assert_eq!(call(&origin), "DescribeVpcs: passes\n");
    }

    #[test]
    fn log_groups_are_named_by_name_and_by_arn() {
        let (parts, ()) = http::Request::post("/").body(()).unwrap().into_parts();
        for group in [
            "g",
            "arn:aws:logs:us-east-1:123456789012:log-group:g",
            "arn:aws:logs:us-east-1:123456789012:log-group:g:*",
        ] {
            let body = format!(r#"{{"logGroupIdentifier":"{group}"}}"#);
            let asked = of_logs(&identity(), &parts, body.as_bytes());
            assert_eq!(
                asked.resources,
                ["arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:"]
            );
        }
    }
}
