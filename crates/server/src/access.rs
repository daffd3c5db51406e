//! Whether a call may pass: the policies of the VPC endpoint that it came through, and of its caller, for the services
//! other than S3, which asks for itself.

use bytes::Bytes;
use http::request::Parts;
use model::{State, World};
use policy::{Caller, Context, Denial, Origin, Policies, Request, Source};
use serde_json::Value;

use crate::auth::{self, Identity};
use crate::clock;
use crate::respond::Answer;
use crate::service::Service;

mod ec2;
mod iam;
mod partiql;

/// A call that a policy does not let through.
#[derive(Debug)]
pub(crate) struct Refused {
    /// In AWS's words.
    message: String,
    by_endpoint: bool,
}

/// Asks the policy of the endpoint that a call came through, if it came through one that has a policy, and the caller's own
/// policies, if those are enforced.
///
/// # Errors
///
/// If the policies do not let it through.
pub(crate) fn check(
    world: &World,
    service: Service,
    identity: &Identity,
    origin: &Origin,
    parts: &Parts,
    body: &[u8],
) -> Result<(), Refused> {
    let endpoint = origin.endpoint_policy();
    // Whether a role may be assumed is its trust policy's to say as well, and anybody may ask who he is.
    let own = identity.permissions.as_deref();
    let own = own.filter(|_| service != Service::Sts);
    if endpoint.is_none() && own.is_none() {
        return Ok(());
    }
    let query = parts.uri.query().unwrap_or_default();
    let form = match service {
        Service::Ec2 | Service::ElasticLoadBalancing | Service::Iam | Service::Sts => {
            crate::ec2::form(query, body).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let scope = identity.scope;
    let nothing = State::default();
    let state = world.region(&scope).unwrap_or(&nothing);
    let asked = match service {
        Service::Ec2 => ec2::asked(world, scope, &form, own.is_some()),
        Service::ElasticLoadBalancing | Service::Sts => vec![of_form(service, &form)],
        Service::Logs => vec![of_logs(identity, parts, body)],
        Service::Firehose => of_firehose(identity, parts, body, own.is_some()),
        Service::DynamoDb => of_dynamodb(identity, parts, body)?,
        // Neither is at an endpoint.
        Service::Iam => iam::asked(state, identity, &form),
        Service::CloudTrail => vec![of_cloudtrail(identity, parts, body)],
        Service::Weir => vec![Asked {
            action: format!("weir:{}", operation(parts)),
            resources: vec!["*".to_owned()],
            keys: Keys::new(),
        }],
        // It asks for itself.
        Service::S3 => return Ok(()),
    };
    let caller = Caller::Identity(identity.caller.clone());
    let context = describe(&caller, origin, identity, parts);
    let named_vpc = ec2::named_vpc(state, &form);
    let account = scope.account.to_string();
    for asked in &asked {
        for resource in &asked.resources {
            let mut context = context.clone();
            let of_resource = match service {
                Service::Ec2 => ec2::keys(state, scope, resource, named_vpc.as_deref()),
                Service::Iam => iam::keys(state, resource),
                _ => Keys::new(),
            };
            for (key, values) in asked.keys.iter().cloned().chain(of_resource) {
                context.put_all(&key, values);
            }
            let request = Request {
                caller: &caller,
                canonical_user_id: None,
                action: &asked.action,
                resource,
                context: &context,
            };
            let policies = Policies {
                endpoint,
                resource: None,
                owner: &account,
                identity: own,
            };
            policy::decide(&request, &policies).map_err(|denial| Refused::of(&denial, &request))?;
        }
    }
    Ok(())
}

impl Refused {
    fn of(denial: &Denial, request: &Request<'_>) -> Self {
        let Request {
            action, resource, ..
        } = request;
        tracing::debug!(action, resource, %denial, "access denied");
        Self {
            message: denial.message(request),
            by_endpoint: denial.by == Source::Endpoint,
        }
    }

    /// Whether it is the policy of the endpoint that does not let it through.
    pub(crate) fn is_by_endpoint(&self) -> bool {
        self.by_endpoint
    }

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
    /// What conditions know of the call, whatever the resource.
    keys: Keys,
}

/// Condition keys and their values.
type Keys = Vec<(String, Vec<String>)>;

/// A call of STS or of Elastic Load Balancing.
fn of_form(service: Service, form: &[(String, String)]) -> Asked {
    let value = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
    };
    let operation = value("Action").unwrap_or_default();
    let mut resources: Vec<String> = match service {
        Service::Sts => value("RoleArn").map(str::to_owned).into_iter().collect(),
        // Elastic Load Balancing names what it is about by ARNs.
        _ => {
            let arns = form.iter().map(|(_, value)| value);
            arns.filter(|value| value.starts_with("arn:aws:elasticloadbalancing:"))
                .cloned()
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
        keys: Keys::new(),
    }
}

/// A call of CloudTrail: its resource is a trail, if it names one.
fn of_cloudtrail(identity: &Identity, parts: &Parts, body: &[u8]) -> Asked {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let named = ["Name", "TrailName", "ResourceId"]
        .into_iter()
        .find_map(text);
    let model::Scope { account, region } = identity.scope;
    let resource = match named {
        None => "*".to_owned(),
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}"),
    };
    Asked {
        action: format!("cloudtrail:{}", operation(parts)),
        resources: vec![resource],
        keys: Keys::new(),
    }
}

/// What the AWS JSON protocol is asked for.
fn operation(parts: &Parts) -> &str {
    let target = parts.headers.get("x-amz-target");
    let target = target.and_then(|v| v.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

/// A call of IAM with the name of the user who makes it, where it names none and means that.
pub(crate) fn with_own_name(identity: &Identity, body: Bytes) -> Bytes {
    const ABOUT_ONESELF: [&str; 5] = [
        "GetUser",
        "CreateAccessKey",
        "ListAccessKeys",
        "UpdateAccessKey",
        "DeleteAccessKey",
    ];
    let arn = &identity.caller.arn;
    let name = arn
        .split_once(":user/")
        .and_then(|(_, name)| name.rsplit('/').next());
    let form = ec2_query::form::decode(&body).unwrap_or_default();
    let has = |name: &str| form.iter().any(|(key, _)| key == name);
    let means = |(key, value): &(String, String)| {
        key == "Action" && ABOUT_ONESELF.contains(&value.as_str())
    };
    match name {
        // Names of users need no escaping but for `+`.
        Some(name) if form.iter().any(means) && !has("UserName") => {
            let mut longer = body.to_vec();
            longer.extend(format!("&UserName={}", name.replace('+', "%2B")).bytes());
            longer.into()
        }
        _ => body,
    }
}

/// The tags that a call of the Query protocol gives, as conditions know them.
fn tags_of_form(form: &[(String, String)]) -> Keys {
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, v)| v);
    let (mut keys, mut names) = (Keys::new(), Vec::new());
    for (name, key) in form {
        let Some(place) = name.strip_suffix(".Key") else {
            continue;
        };
        let is_tag = |part: &str| part == "Tag" || part == "Tags";
        if place.split('.').any(is_tag) {
            names.push(key.clone());
            let given = value(&format!("{place}.Value"))
                .cloned()
                .unwrap_or_default();
            keys.push((format!("aws:RequestTag/{key}"), vec![given]));
        }
    }
    // Of tags that go, the keys alone are said.
    let gone = form
        .iter()
        .filter(|(name, _)| name.starts_with("TagKeys.member."));
    names.extend(gone.map(|(_, key)| key.clone()));
    keys.push(("aws:TagKeys".to_owned(), names));
    keys
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
        keys: Keys::new(),
    }
}

/// A call of Firehose: its resource is a delivery stream, but for the one that lists them ("Actions, resources, and
/// condition keys for Amazon Kinesis Firehose").
fn of_firehose(identity: &Identity, parts: &Parts, body: &[u8], own_policies: bool) -> Vec<Asked> {
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
    let mut calls = vec![Asked {
        action: format!("firehose:{operation}"),
        resources: vec![name.map_or_else(|| "*".to_owned(), arn)],
        keys: Keys::new(),
    }];
    if own_policies {
        let mut roles = Vec::new();
        find_roles(&input, &mut roles);
        let given = roles.into_iter();
        calls.extend(given.map(|role| iam::pass_role(role, "firehose.amazonaws.com")));
    }
    calls
}

/// The roles that a call of Firehose gives to it, wherever they are.
fn find_roles<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    let nested: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(fields) => {
            found.extend(fields.get("RoleARN").and_then(Value::as_str));
            Box::new(fields.values())
        }
        Value::Array(values) => Box::new(values.iter()),
        _ => return,
    };
    nested.for_each(|value| find_roles(value, found));
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
            by_endpoint: true,
        })?;
        asked.push(Asked {
            action: format!("dynamodb:{action}"),
            resources: vec![arn(table)],
            keys: Keys::new(),
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
        keys: Keys::new(),
    }])
}

pub(crate) fn describe(
    caller: &Caller,
    origin: &Origin,
    identity: &Identity,
    parts: &Parts,
) -> Context {
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
            permissions: None,
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
        match check(
            &World::default(),
            service,
            &identity(),
            origin,
            &parts,
            body.as_bytes(),
        ) {
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

    #[test]
    fn a_callers_own_policies_are_asked_about_all_that_a_call_does() {
        let scope = identity().scope;
        let world = World::default();
        let state = State::default();
        let ec2 = |pairs: &[(&str, &str)]| {
            let form: Vec<_> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let calls = match pairs[0].1 {
                "CreateUser" | "AttachUserPolicy" | "ListRoles" => {
                    iam::asked(&state, &identity(), &form)
                }
                _ => ec2::asked(&world, scope, &form, true),
            };
            calls
                .iter()
                .map(|call| format!("{} on {}\n", call.action, call.resources.join(" ")))
                .collect::<String>()
        };
        expect![[r#"
            ec2:DescribeSubnets on *
            ec2:RunInstances on arn:aws:ec2:us-east-1:123456789012:instance/* arn:aws:ec2:us-east-1:123456789012:network-interface/* arn:aws:ec2:us-east-1:123456789012:subnet/subnet-00000001 arn:aws:ec2:us-east-1:123456789012:volume/* arn:aws:ec2:us-east-1::image/ami-1
            ec2:CreateVpc on arn:aws:ec2:us-east-1:123456789012:vpc/*
            ec2:CreateTags on arn:aws:ec2:us-east-1:123456789012:vpc/*
            iam:CreateUser on arn:aws:iam::123456789012:user/ops/anna
            iam:AttachUserPolicy on arn:aws:iam::123456789012:user/anna
            iam:ListRoles on arn:aws:iam::123456789012:role/
        "#]].assert_eq(
            &[
                ec2(&[
                    ("Action", "DescribeSubnets"),
                    ("SubnetId.1", "subnet-00000001"),
                ]),
                ec2(&[
                    ("Action", "RunInstances"),
                    ("ImageId", "ami-1"),
                    ("SubnetId", "subnet-00000001"),
                ]),
                ec2(&[
                    ("Action", "CreateVpc"),
                    ("TagSpecification.1.ResourceType", "vpc"),
                    ("TagSpecification.1.Tag.1.Key", "team"),
                ]),
                ec2(&[
                    ("Action", "CreateUser"),
                    ("UserName", "anna"),
                    ("Path", "/ops/"),
                ]),
                ec2(&[
                    ("Action", "AttachUserPolicy"),
                    ("UserName", "anna"),
                    ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
                ]),
                ec2(&[("Action", "ListRoles")]),
            ]
            .concat(),
        );
        // Who has no permissions is asked for none; who has empty ones may nothing.
        let (parts, ()) = http::Request::post("/").body(()).unwrap().into_parts();
        let origin = Origin::public(IpAddr::from([127, 0, 0, 1]), false);
        let body = b"Action=CreateVpc&CidrBlock=10.0.0.0/16";
        let mut caller = identity();
        assert!(check(&world, Service::Ec2, &caller, &origin, &parts, body).is_ok());
        caller.permissions = Some(Arc::default());
        let refused = check(&world, Service::Ec2, &caller, &origin, &parts, body).unwrap_err();
        assert!(!refused.is_by_endpoint());
        let answer = refused.answer(Service::Ec2, "r-1");
        assert_eq!(answer.status().as_u16(), 403);
    }

    #[test]
    fn only_users_mean_themselves() {
        let body = Bytes::from_static(b"Action=GetUser");
        assert_eq!(with_own_name(&identity(), body.clone()), body);
        let mut anna = identity();
        anna.caller.arn = "arn:aws:iam::123456789012:user/ops/an+na".to_owned();
        assert_eq!(
            with_own_name(&anna, body),
            "Action=GetUser&UserName=an%2Bna"
        );
        for other in ["Action=GetUser&UserName=bert", "Action=ListUsers"] {
            assert_eq!(with_own_name(&anna, Bytes::from(other)), other);
        }
    }
}
