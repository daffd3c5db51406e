//! Peering between accounts and Regions: A↔B and A↔C are peered and B and C are not, then they are.

use std::process::ExitCode;

use anyhow::Context;
use server::ops::AddInternetHost;

use super::flows::{self, Flows};
use super::network::{Instance, allow, await_running, group, launch, made, subnet};
use super::stage::{Fate, Stage, outcome};
use crate::client::Client;
use crate::output::{Cell, Table, Tone};

/// An account beside the default one.
const OTHER: &str = "210987654321";
const EAST: &str = "us-east-1";
const WEST: &str = "us-west-1";
/// A host of the simulated internet.
const HOST: &str = "198.51.100.7";
/// `traffic-path` of peering in a Region, of peering between Regions, and of internet gateways.
const WITHIN: &str = "4";
const BETWEEN: &str = "5";
const INTERNET: &str = "8";

/// A VPC with one instance that lets everything in.
struct Side {
    api: Client,
    account: &'static str,
    region: &'static str,
    cidr: &'static str,
    vpc_id: String,
    table_id: String,
    instance: Instance,
    bucket: String,
}

/// Runs the scenario.
pub(super) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::start()?;
    let own = server::DEFAULT_ACCOUNT;
    let mut a = Side::build(&stage, "A", own, EAST, "10.1.0.0/16", "10.1.1.10")?;
    let mut b = Side::build(&stage, "B", OTHER, EAST, "10.2.0.0/16", "10.2.1.10")?;
    let mut c = Side::build(&stage, "C", OTHER, WEST, "10.3.0.0/16", "10.3.1.10")?;
    introduce(&stage, [&a, &b, &c])?;

    let ab = negotiate(&mut stage, &mut a, &mut b)?;
    let ac = negotiate(&mut stage, &mut a, &mut c)?;
    overlap(&mut stage, &mut a)?;
    stage.show("A asks B and C for peering connections, and a VPC with blocks of its own")?;

    let mut expected = Flows::default();
    a.route(b.cidr, "VpcPeeringConnectionId", &ab)?;
    one_way(&mut stage, &a.instance, &b.instance, &mut expected)?;
    stage.show("A has a route to B, and B none back")?;

    b.route(a.cidr, "VpcPeeringConnectionId", &ab)?;
    join(&mut a, &mut c, &ac)?;
    for (one, two, path) in [(&a, &b, WITHIN), (&a, &c, BETWEEN)] {
        let (one, two) = (&one.instance, &two.instance);
        stage.ping(one, (two.name, two.address), Fate::Answered)?;
        expected.answered(one, two, path);
    }
    // Through A there is no way, whatever the routes say.
    b.route(c.cidr, "VpcPeeringConnectionId", &ab)?;
    c.route(b.cidr, "VpcPeeringConnectionId", &ac)?;
    for (one, two, through, path) in [(&b, &c, &ab, WITHIN), (&c, &b, &ac, BETWEEN)] {
        let (one, two) = (&one.instance, &two.instance);
        let reason = [through.as_str(), "carries only addresses of its two VPCs"];
        stage.ping(one, (two.name, two.address), Fate::Refused(&reason))?;
        expected.sent(one, one.address, two.address, path);
    }
    internet(&mut stage, &mut a, &mut b, &ab, &mut expected)?;
    stage.show("A↔B and A↔C are peered; B and C are not, and nobody shares a gateway")?;

    b.unroute(c.cidr)?;
    c.unroute(b.cidr)?;
    let bc = negotiate(&mut stage, &mut b, &mut c)?;
    join(&mut b, &mut c, &bc)?;
    for (one, two) in [(&b, &c), (&c, &b)] {
        let (one, two) = (&one.instance, &two.instance);
        stage.ping(one, (two.name, two.address), Fate::Answered)?;
        expected.answered(one, two, BETWEEN);
    }
    stage.show("B and C are peered as well")?;

    end_of(&mut stage, &mut a, &mut b, &ab, &mut expected)?;
    stage.show("B deletes its connection with A")?;

    let instances = [&a, &b, &c].map(|side| side.instance.clone());
    let mut accounts = [a, b, c].map(|side| (side.api, side.bucket));
    stage.flow_logs(&mut accounts, &instances.each_ref(), &expected)?;
    stage.end(keep)
}

impl Side {
    fn build(
        stage: &Stage,
        name: &'static str,
        account: &'static str,
        region: &'static str,
        cidr: &'static str,
        address: &'static str,
    ) -> anyhow::Result<Self> {
        let mut api = stage.client(account, region)?;
        let vpc_id = made(&mut api, "CreateVpc", &[("CidrBlock", cidr)], "vpc/vpcId")?;
        let subnet_id = subnet(&mut api, &vpc_id, cidr)?;
        let group_id = group(&mut api, &vpc_id, "open")?;
        let everything = [("IpProtocol", "-1"), ("IpRanges.1.CidrIp", "0.0.0.0/0")];
        allow(&mut api, &group_id, &everything)?;
        let bucket = format!("flow-logs-of-{}", name.to_lowercase());
        flows::record(&mut api, &vpc_id, &bucket)?;
        let filter = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &vpc_id)];
        let tables = api.ec2("DescribeRouteTables", &filter)?;
        let table_id = tables.text("routeTableSet/item/routeTableId")?.to_owned();
        let mut instance = launch(&mut api, name, address, cidr, &subnet_id, &group_id, None)?;
        await_running(&mut api, &mut instance)?;
        Ok(Self {
            api,
            account,
            region,
            cidr,
            vpc_id,
            table_id,
            instance,
            bucket,
        })
    }

    fn route(&mut self, to: &str, target: &str, id: &str) -> anyhow::Result<()> {
        let parameters = [
            ("RouteTableId", self.table_id.as_str()),
            ("DestinationCidrBlock", to),
            (target, id),
        ];
        self.api.ec2("CreateRoute", &parameters).map(drop)
    }

    fn unroute(&mut self, to: &str) -> anyhow::Result<()> {
        let parameters = [
            ("RouteTableId", self.table_id.as_str()),
            ("DestinationCidrBlock", to),
        ];
        self.api.ec2("DeleteRoute", &parameters).map(drop)
    }

    /// What a connection is now, as this side sees it.
    fn status(&mut self, peering_id: &str) -> anyhow::Result<String> {
        let parameters = [("VpcPeeringConnectionId.1", peering_id)];
        let answer = self.api.ec2("DescribeVpcPeeringConnections", &parameters)?;
        let status = answer.text("vpcPeeringConnectionSet/item/status/code")?;
        Ok(status.to_owned())
    }

    fn answer(&mut self, action: &str, peering_id: &str) -> anyhow::Result<String> {
        let parameters = [("VpcPeeringConnectionId", peering_id)];
        let answered = self.api.ec2(action, &parameters);
        outcome(answered.map(|_| "done".to_owned()))
    }
}

fn introduce(stage: &Stage, sides: [&Side; 3]) -> anyhow::Result<()> {
    let mut table = Table::new(["VPC", "account", "Region", "block", "instance", "interface"]);
    for side in sides {
        table.row([
            Cell::new(Tone::Strong, side.instance.name),
            side.account.into(),
            side.region.into(),
            side.cidr.into(),
            side.instance.address.into(),
            side.instance.interface_id.as_str().into(),
        ]);
    }
    stage.say("Three VPCs of two accounts in two Regions", table)
}

/// One side asks, and cannot accept for the other; that one accepts.
fn negotiate(stage: &mut Stage, from: &mut Side, to: &mut Side) -> anyhow::Result<String> {
    let (asker, asked) = (from.instance.name, to.instance.name);
    let parameters = [
        ("VpcId", from.vpc_id.as_str()),
        ("PeerVpcId", to.vpc_id.as_str()),
        ("PeerOwnerId", to.account),
        ("PeerRegion", to.region),
    ];
    let answer = from.api.ec2("CreateVpcPeeringConnection", &parameters)?;
    let id = answer.text("vpcPeeringConnection/vpcPeeringConnectionId")?;
    let (id, seen) = (id.to_owned(), from.status(id)?);
    let tried = format!("ask {asked} for a connection");
    stage.claim(asker, &tried, "pending-acceptance", &seen);
    let seen = from.answer("AcceptVpcPeeringConnection", &id)?;
    let tried = format!("accept it for {asked}");
    stage.claim(asker, &tried, "OperationNotPermitted", &seen);
    to.answer("AcceptVpcPeeringConnection", &id)?;
    let seen = to.status(&id)?;
    stage.claim(asked, &format!("accept {asker}'s request"), "active", &seen);
    Ok(id)
}

/// Blocks that overlap: the request is answered, and fails.
fn overlap(stage: &mut Stage, a: &mut Side) -> anyhow::Result<()> {
    const BLOCK: &str = "10.1.128.0/20";
    let twin = made(
        &mut a.api,
        "CreateVpc",
        &[("CidrBlock", BLOCK)],
        "vpc/vpcId",
    )?;
    let parameters = [("VpcId", a.vpc_id.as_str()), ("PeerVpcId", twin.as_str())];
    let answer = a.api.ec2("CreateVpcPeeringConnection", &parameters)?;
    let id = answer.text("vpcPeeringConnection/vpcPeeringConnectionId")?;
    let code = answer.text("vpcPeeringConnection/status/code")?;
    let seen = format!("{code}, then {}", a.status(id)?);
    let tried = format!("ask a VPC with {BLOCK}");
    stage.claim("A", &tried, "initiating-request, then failed", &seen);
    Ok(())
}

/// A route there is not a route back.
fn one_way(
    stage: &mut Stage,
    from: &Instance,
    to: &Instance,
    expected: &mut Flows,
) -> anyhow::Result<()> {
    let fate = Fate::AnswerRefused(&["has no route to it"]);
    stage.ping(from, (to.name, to.address), fate)?;
    expected.sent(from, from.address, to.address, WITHIN);
    expected.received(to, from.address, to.address);
    expected.sent(to, to.address, from.address, "-");
    Ok(())
}

/// Routes both ways.
fn join(one: &mut Side, two: &mut Side, peering_id: &str) -> anyhow::Result<()> {
    one.route(two.cidr, "VpcPeeringConnectionId", peering_id)?;
    two.route(one.cidr, "VpcPeeringConnectionId", peering_id)
}

/// B has an internet gateway. A cannot use it.
fn internet(
    stage: &mut Stage,
    a: &mut Side,
    b: &mut Side,
    ab: &str,
    expected: &mut Flows,
) -> anyhow::Result<()> {
    let address = HOST.parse().context("the address of the internet host")?;
    Client::new(stage.endpoint())?.weir(&AddInternetHost { address })?;
    let gateway_id = made(
        &mut b.api,
        "CreateInternetGateway",
        &[],
        "internetGateway/internetGatewayId",
    )?;
    let attach = [
        ("InternetGatewayId", gateway_id.as_str()),
        ("VpcId", b.vpc_id.as_str()),
    ];
    b.api.ec2("AttachInternetGateway", &attach)?;
    b.route("0.0.0.0/0", "GatewayId", &gateway_id)?;
    let allocated = made(
        &mut b.api,
        "AllocateAddress",
        &[("Domain", "vpc")],
        "allocationId",
    )?;
    let associate = [
        ("AllocationId", allocated.as_str()),
        ("InstanceId", b.instance.instance_id.as_str()),
    ];
    b.api.ec2("AssociateAddress", &associate)?;
    let to = ("an internet host", HOST);
    stage.ping(&b.instance, to, Fate::Answered)?;
    expected.sent(&b.instance, b.instance.address, HOST, INTERNET);
    expected.received(&b.instance, HOST, b.instance.address);
    a.route("0.0.0.0/0", "VpcPeeringConnectionId", ab)?;
    let reason = [ab, "carries only addresses of its two VPCs", HOST];
    stage.ping(&a.instance, to, Fate::Refused(&reason))?;
    expected.sent(&a.instance, a.instance.address, HOST, WITHIN);
    Ok(())
}

/// A deleted connection leaves routes that lead nowhere.
fn end_of(
    stage: &mut Stage,
    a: &mut Side,
    b: &mut Side,
    ab: &str,
    expected: &mut Flows,
) -> anyhow::Result<()> {
    b.answer("DeleteVpcPeeringConnection", ab)?;
    let seen = a.status(ab)?;
    stage.claim("A", "look at the connection with B", "deleted", &seen);
    let to = (b.instance.name, b.instance.address);
    stage.ping(&a.instance, to, Fate::Refused(&[ab, "blackhole"]))?;
    expected.sent(&a.instance, a.instance.address, b.instance.address, "-");
    Ok(())
}
