//! The private bucket: reached through endpoints only, and only as their policies and its own allow.
//!
//! Every instance signs its requests as the bucket's owner. What keeps it out are routes, groups and policies.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use server::ops::Outcome;

use super::attempt::Seen;
use super::flows::{self, Flows};
use super::network::{Instance, allow, await_running, await_that, group, launch, made, subnet};
use super::stage::{Fate, Question, Stage, outcome};
use crate::client::Client;
use crate::output::{Cell, Table, Tone};

const BUCKET: &str = "private-data";
const KEY: &str = "report";
const SECRET: &str = "for our eyes only";
const SERVICE: &str = "com.amazonaws.us-east-1.s3";
/// The public name of S3, and the address that it has.
const NAME: &str = "s3.us-east-1.amazonaws.com";
const S3: &str = "3.5.0.1";
/// The address of the interface endpoint.
const ENDPOINT: &str = "10.2.1.20";
/// `traffic-path` inside a VPC, through a gateway endpoint, and through an internet gateway.
const INSIDE: &str = "1";
const GATEWAY_ENDPOINT: &str = "7";
const INTERNET: &str = "8";
/// Of what went nowhere.
const NOWHERE: &str = "-";

/// A VPC with one instance.
struct Side {
    api: Client,
    cidr: &'static str,
    vpc_id: String,
    subnet_id: String,
    table_id: String,
    instance: Instance,
    flow_logs: String,
}

/// Runs the scenario.
pub(super) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::start()?;
    let mut app = Side::build(&stage, "app", "10.1.0.0/16", "10.1.1.10")?;
    let mut branch = Side::build(&stage, "branch", "10.2.0.0/16", "10.2.1.10")?;
    let mut outside = Side::build(&stage, "outside", "10.3.0.0/16", "10.3.1.10")?;
    outside.open_to_the_internet()?;
    let mut owner = Client::new(stage.endpoint())?;
    owner.create_bucket(BUCKET)?;
    owner.put_object(BUCKET, KEY, SECRET.as_bytes())?;
    introduce(&stage, [&app, &branch, &outside])?;

    let mut expected = Flows::default();
    for side in [&app, &branch] {
        side.in_vain(&mut stage, S3, &["has no route to it"])?;
        expected.talked(
            &side.instance,
            "egress",
            (side.instance.address, S3),
            NOWHERE,
        );
    }
    outside.get(&mut stage, &secret())?;
    expected.spoke(&outside.instance, S3, INTERNET);
    stage.show("Without an endpoint: the bucket is reached over the internet, and only so")?;

    gateway_endpoint(&mut stage, &mut app, &mut owner, &outside, &mut expected)?;
    interface_endpoint(&mut stage, &app, &mut branch, &mut owner, &mut expected)?;

    let endpoint = branch.endpoint_interface()?;
    let instances = [
        app.instance.clone(),
        branch.instance.clone(),
        outside.instance.clone(),
        endpoint,
    ];
    let mut accounts = [app, branch, outside].map(|side| (side.api, side.flow_logs));
    stage.flow_logs(&mut accounts, &instances.each_ref(), &expected)?;
    stage.end(keep)
}

/// A gateway endpoint, the bucket's policy and the endpoint's.
fn gateway_endpoint(
    stage: &mut Stage,
    app: &mut Side,
    owner: &mut Client,
    outside: &Side,
    expected: &mut Flows,
) -> anyhow::Result<()> {
    let endpoint_id = app.gateway_endpoint()?;
    app.get(stage, &secret())?;
    expected.spoke(&app.instance, S3, GATEWAY_ENDPOINT);
    outside.get(stage, &secret())?;
    stage.show("With a gateway endpoint: app needs no internet")?;

    let tried = "let the bucket deny all but app's VPC";
    only_from(stage, owner, tried, &[&app.vpc_id])?;
    app.get(stage, &secret())?;
    outside.get(stage, &denied())?;
    stage.show("The bucket denies whoever does not come through an endpoint of app's VPC")?;

    let only_lists = json!({ "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*" },
    ]});
    let set = [
        ("VpcEndpointId", endpoint_id.as_str()),
        ("PolicyDocument", &only_lists.to_string()),
    ];
    let answer = app.api.ec2("ModifyVpcEndpoint", &set)?;
    let tried = "let the endpoint pass s3:ListBucket only";
    stage.claim("you", tried, "true", answer.text("return")?);
    app.get(stage, &denied())?;
    let reset = [
        ("VpcEndpointId", endpoint_id.as_str()),
        ("ResetPolicy", "true"),
    ];
    let answer = app.api.ec2("ModifyVpcEndpoint", &reset)?;
    let tried = "let it pass everything again";
    stage.claim("you", tried, "true", answer.text("return")?);
    app.get(stage, &secret())?;
    let seen = outcome(app.modify(&endpoint_id, "{\"Statement\": [{}]}"))?;
    stage.claim(
        "you",
        "set a policy that is none",
        "InvalidPolicyDocument",
        &seen,
    );
    stage.show("The endpoint's policy allows lists only, then everything again")
}

/// An interface endpoint: another VPC, which the bucket has to allow as well.
fn interface_endpoint(
    stage: &mut Stage,
    app: &Side,
    branch: &mut Side,
    owner: &mut Client,
    expected: &mut Flows,
) -> anyhow::Result<()> {
    let group_id = group(&mut branch.api, &branch.vpc_id, "endpoint")?;
    let http = [("IpProtocol", "-1"), ("IpRanges.1.CidrIp", branch.cidr)];
    allow(&mut branch.api, &group_id, &http)?;
    let endpoint_id = branch.interface_endpoint(&group_id)?;
    branch.get(stage, &denied())?;
    let tried = "let the bucket take branch's VPC too";
    only_from(stage, owner, tried, &[&app.vpc_id, &branch.vpc_id])?;
    branch.get(stage, &secret())?;
    let endpoint = branch.endpoint_interface()?;
    let (from, to) = (branch.instance.address, endpoint.address);
    expected.spoke(&branch.instance, to, INSIDE);
    expected.talked(&endpoint, "ingress", (from, to), NOWHERE);
    expected.talked(&endpoint, "egress", (to, from), INSIDE);
    let refused = [endpoint_id.as_str(), "does not take protocol 1"];
    stage.ping(
        &branch.instance,
        ("the endpoint", to),
        Fate::Refused(&refused),
    )?;
    expected.sent(&branch.instance, from, to, INSIDE);
    expected.received(&endpoint, from, to);
    stage.show("With an interface endpoint and private DNS: S3's name leads branch to it")?;

    let closed = group(&mut branch.api, &branch.vpc_id, "closed")?;
    let tried = "give the endpoint a group without rules";
    let swap = [
        ("VpcEndpointId", endpoint_id.as_str()),
        ("AddSecurityGroupId.1", &closed),
        ("RemoveSecurityGroupId.1", &group_id),
    ];
    let answer = branch.api.ec2("ModifyVpcEndpoint", &swap)?;
    stage.claim("you", tried, "true", answer.text("return")?);
    branch.in_vain(stage, ENDPOINT, &["no inbound rule of", &closed])?;
    expected.rejected(&endpoint, from, to);
    stage.show("The endpoint's security group lets nothing in")
}

fn secret() -> Seen {
    Seen::Page(SECRET.to_owned())
}

fn denied() -> Seen {
    Seen::Other("AccessDenied".to_owned())
}

/// Lets the bucket deny everybody who does not come through an endpoint of these VPCs.
fn only_from(
    stage: &mut Stage,
    owner: &mut Client,
    tried: &str,
    vpc_ids: &[&str],
) -> anyhow::Result<()> {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{BUCKET}/*"),
        "Condition": { "StringNotEquals": { "aws:SourceVpc": vpc_ids } },
    }]});
    let put = owner.put_bucket_policy(BUCKET, &policy.to_string());
    let seen = outcome(put.map(|()| "done".to_owned()))?;
    stage.claim("you", tried, "done", &seen);
    Ok(())
}

fn introduce(stage: &Stage, sides: [&Side; 3]) -> anyhow::Result<()> {
    let mut table = Table::new(["instance", "VPC", "block", "internet", "interface"]);
    for side in sides {
        let internet = match side.instance.name {
            "outside" => "yes",
            _ => "no",
        };
        table.row([
            Cell::new(Tone::Strong, side.instance.name),
            side.vpc_id.as_str().into(),
            side.cidr.into(),
            internet.into(),
            side.instance.interface_id.as_str().into(),
        ]);
    }
    let title = format!("Three VPCs of one account, and its bucket {BUCKET}");
    stage.say(&title, table)
}

impl Side {
    fn build(
        stage: &Stage,
        name: &'static str,
        cidr: &'static str,
        address: &'static str,
    ) -> anyhow::Result<Self> {
        let mut api = Client::new(stage.endpoint())?;
        let vpc_id = made(&mut api, "CreateVpc", &[("CidrBlock", cidr)], "vpc/vpcId")?;
        let names = [
            ("VpcId", vpc_id.as_str()),
            ("EnableDnsHostnames.Value", "true"),
        ];
        api.ec2("ModifyVpcAttribute", &names)?;
        let subnet_id = subnet(&mut api, &vpc_id, cidr)?;
        let group_id = group(&mut api, &vpc_id, "instances")?;
        let flow_logs = format!("flow-logs-of-{name}");
        flows::record(&mut api, &vpc_id, &flow_logs)?;
        let filter = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &vpc_id)];
        let tables = api.ec2("DescribeRouteTables", &filter)?;
        let table_id = tables.text("routeTableSet/item/routeTableId")?.to_owned();
        let mut instance = launch(&mut api, name, address, cidr, &subnet_id, &group_id, None)?;
        await_running(&mut api, &mut instance)?;
        Ok(Self {
            api,
            cidr,
            vpc_id,
            subnet_id,
            table_id,
            instance,
            flow_logs,
        })
    }

    /// Gives the instance a public address, a gateway and a route there.
    fn open_to_the_internet(&mut self) -> anyhow::Result<()> {
        let api = &mut self.api;
        let path = "internetGateway/internetGatewayId";
        let gateway_id = made(api, "CreateInternetGateway", &[], path)?;
        let attach = [
            ("InternetGatewayId", gateway_id.as_str()),
            ("VpcId", &self.vpc_id),
        ];
        api.ec2("AttachInternetGateway", &attach)?;
        let route = [
            ("RouteTableId", self.table_id.as_str()),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            ("GatewayId", &gateway_id),
        ];
        api.ec2("CreateRoute", &route)?;
        let address = made(api, "AllocateAddress", &[("Domain", "vpc")], "allocationId")?;
        let associate = [
            ("AllocationId", address.as_str()),
            ("InstanceId", &self.instance.instance_id),
        ];
        api.ec2("AssociateAddress", &associate).map(drop)
    }

    fn gateway_endpoint(&mut self) -> anyhow::Result<String> {
        let parameters = [
            ("VpcId", self.vpc_id.as_str()),
            ("ServiceName", SERVICE),
            ("RouteTableId.1", &self.table_id),
        ];
        let path = "vpcEndpoint/vpcEndpointId";
        made(&mut self.api, "CreateVpcEndpoint", &parameters, path)
    }

    /// Creates an interface endpoint, and waits until it works.
    fn interface_endpoint(&mut self, group_id: &str) -> anyhow::Result<String> {
        let parameters = [
            ("VpcId", self.vpc_id.as_str()),
            ("VpcEndpointType", "Interface"),
            ("ServiceName", SERVICE),
            ("SubnetId.1", &self.subnet_id),
            ("SubnetConfiguration.1.SubnetId", &self.subnet_id),
            ("SubnetConfiguration.1.Ipv4", ENDPOINT),
            ("SecurityGroupId.1", group_id),
            ("PrivateDnsEnabled", "true"),
            (
                "DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint",
                "false",
            ),
        ];
        let path = "vpcEndpoint/vpcEndpointId";
        let id = made(&mut self.api, "CreateVpcEndpoint", &parameters, path)?;
        let works = await_that(|| {
            let shown = self
                .api
                .ec2("DescribeVpcEndpoints", &[("VpcEndpointId.1", &id)])?;
            let state = shown.text("vpcEndpointSet/item/state")?;
            Ok((state == "available").then_some(()))
        })?;
        works.context("the endpoint does not become available")?;
        Ok(id)
    }

    /// The interface of the endpoint, by a name for tables.
    fn endpoint_interface(&mut self) -> anyhow::Result<Instance> {
        let filter = [
            ("Filter.1.Name", "private-ip-address"),
            ("Filter.1.Value.1", ENDPOINT),
        ];
        let found = self.api.ec2("DescribeNetworkInterfaces", &filter)?;
        let id = found.text("networkInterfaceSet/item/networkInterfaceId")?;
        Ok(Instance {
            name: "endpoint",
            instance_id: String::new(),
            interface_id: id.to_owned(),
            address: ENDPOINT,
            subnet: self.cidr,
        })
    }

    fn modify(&mut self, endpoint_id: &str, policy: &str) -> anyhow::Result<String> {
        let parameters = [("VpcEndpointId", endpoint_id), ("PolicyDocument", policy)];
        let answer = self.api.ec2("ModifyVpcEndpoint", &parameters);
        answer.map(|_| "done".to_owned())
    }

    /// Gets the object from inside the instance.
    fn get(&self, stage: &mut Stage, expected: &Seen) -> anyhow::Result<()> {
        stage.run(&self.instance, &title(), &program(), expected, None)
    }

    /// Tries to get the object, and asks why that is not to be had.
    fn in_vain(&self, stage: &mut Stage, address: &str, words: &[&str]) -> anyhow::Result<()> {
        let question = Question {
            protocol: "tcp",
            destination: address,
            port: Some(80),
            outcome: Outcome::Refused,
            words,
        };
        let (title, program) = (title(), program());
        stage.run(
            &self.instance,
            &title,
            &program,
            &Seen::Timeout,
            Some(question),
        )
    }
}

fn title() -> String {
    format!("get s3://{BUCKET}/{KEY}")
}

fn program() -> Vec<String> {
    ["__get-object", NAME, BUCKET, KEY]
        .map(str::to_owned)
        .into()
}
