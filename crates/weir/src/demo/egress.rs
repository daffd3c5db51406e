//! Ways out that are no ways in: a private instance behind a NAT gateway, and behind an egress-only internet gateway.
//!
//! Its security group lets everybody in. What keeps the internet out are the gateways alone.

use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Context;
use server::ops::AddInternetHost;

use super::flows::{self, Flows};
use super::network::{
    Instance, allow, await_running, await_that, group, launch, made, subnet, subnet_of_both,
};
use super::stage::{Fate, Stage, outcome};
use crate::client::Client;
use crate::output::{Cell, Table, Tone};

const BUCKET: &str = "flow-logs";
const FRONT: &str = "10.0.0.0/24";
const BACK: &str = "10.0.1.0/24";
const CLIENT: &str = "10.0.1.10";
/// The NAT gateway's private address.
const GATEWAY: &str = "10.0.0.220";
/// Hosts of the simulated internet.
const HOST: &str = "198.51.100.7";
const HOST_V6: &str = "2001:db8:ffff::7";
const EVERYWHERE: &str = "0.0.0.0/0";
const EVERYWHERE_V6: &str = "::/0";
/// `traffic-path` to another interface of the VPC, and by an internet gateway of either kind.
const INSIDE: &str = "1";
const INTERNET: &str = "8";

/// Everything that is there before the gateways.
struct Network {
    api: Client,
    vpc_id: String,
    front_id: String,
    /// The route table of the client's subnet.
    table_id: String,
    client: Instance,
    client_v6: String,
    host: Instance,
    host_v6: Instance,
}

/// The NAT gateway.
struct Gateway {
    id: String,
    /// Its network interface, by a name for tables.
    interface: Instance,
    public_ip: String,
}

/// Runs the scenario.
pub(super) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::start()?;
    let mut net = Network::build(&stage)?;
    introduce(&stage, &net)?;
    let mut expected = Flows::default();

    let no_route = Fate::Refused(&["has no route to it"]);
    out(&mut stage, &net, no_route, no_route)?;
    sent_in_vain(&net, &mut expected);
    stage.show("A private subnet has no way out")?;

    let gateway = net.translate(&mut stage)?;
    let egress_only = net.egress_only(&mut stage)?;
    out(&mut stage, &net, Fate::Answered, Fate::Answered)?;
    translated(&net, &gateway, &mut expected);
    untranslated(&net, &mut expected);
    stage
        .show("With a NAT gateway for IPv4 and an egress-only internet gateway for IPv6 it has")?;

    let (public, private) = (gateway.public_ip.as_str(), net.client.address);
    let refused = Fate::Refused(&[&gateway.id, "has no such connection"]);
    stage.ping(&net.host, ("the gateway", public), refused)?;
    expected.received(&gateway.interface, HOST, GATEWAY);
    let refused = Fate::Refused(&["nobody on the internet has address", private]);
    stage.ping(&net.host, ("client", private), refused)?;
    let refused = Fate::Refused(&[&egress_only, "lets in only answers"]);
    let to = ("client by IPv6", net.client_v6.as_str());
    stage.ping(&net.host_v6, to, refused)?;
    stage.show("Neither is a way in, although the client's security group allows everything")?;

    net.take_away(&mut stage, &gateway, &egress_only)?;
    let by_nat = [gateway.id.as_str(), "blackhole"];
    let by_egress_only = [egress_only.as_str(), "blackhole"];
    let (v4, v6) = (Fate::Refused(&by_nat), Fate::Refused(&by_egress_only));
    out(&mut stage, &net, v4, v6)?;
    sent_in_vain(&net, &mut expected);
    stage.show("Without them, their routes lead nowhere")?;

    let mut accounts = [(net.api, BUCKET.to_owned())];
    stage.flow_logs(&mut accounts, &[&net.client, &gateway.interface], &expected)?;
    stage.end(keep)
}

impl Network {
    fn build(stage: &Stage) -> anyhow::Result<Self> {
        let mut api = Client::new(stage.endpoint())?;
        let blocks = [
            ("CidrBlock", "10.0.0.0/16"),
            ("AmazonProvidedIpv6CidrBlock", "true"),
        ];
        let vpc_id = made(&mut api, "CreateVpc", &blocks, "vpc/vpcId")?;
        let front_id = subnet(&mut api, &vpc_id, FRONT)?;
        let back_id = subnet_of_both(&mut api, &vpc_id, BACK)?;
        open_to_the_internet(&mut api, &vpc_id, &front_id)?;
        let table_id = table(&mut api, &vpc_id, &back_id)?;
        let group_id = group(&mut api, &vpc_id, "open")?;
        for range in [
            ("IpRanges.1.CidrIp", EVERYWHERE),
            ("Ipv6Ranges.1.CidrIpv6", EVERYWHERE_V6),
        ] {
            allow(&mut api, &group_id, &[("IpProtocol", "-1"), range])?;
        }
        flows::record(&mut api, &vpc_id, BUCKET)?;
        let mut client = launch(&mut api, "client", CLIENT, BACK, &back_id, &group_id, None)?;
        await_running(&mut api, &mut client)?;
        let asked = [("InstanceId.1", client.instance_id.as_str())];
        let described = api.ec2("DescribeInstances", &asked)?;
        let client_v6 = described.text(
            "reservationSet/item/instancesSet/item/networkInterfaceSet/item/ipv6AddressesSet/item/ipv6Address",
        )?;
        let client_v6 = client_v6.to_owned();
        for address in [HOST, HOST_V6] {
            let address: IpAddr = address.parse().context("an internet host")?;
            api.weir(&AddInternetHost { address })?;
        }
        Ok(Self {
            api,
            vpc_id,
            front_id,
            table_id,
            client,
            client_v6,
            host: host(HOST),
            host_v6: host(HOST_V6),
        })
    }

    /// Makes the NAT gateway, and waits until it takes packets.
    fn translate(&mut self, stage: &mut Stage) -> anyhow::Result<Gateway> {
        let api = &mut self.api;
        let allocation = api.ec2("AllocateAddress", &[("Domain", "vpc")])?;
        let public_ip = allocation.text("publicIp")?.to_owned();
        let parameters = [
            ("SubnetId", self.front_id.as_str()),
            ("AllocationId", allocation.text("allocationId")?),
            ("PrivateIpAddress", GATEWAY),
        ];
        let answer = api.ec2("CreateNatGateway", &parameters)?;
        let id = answer.text("natGateway/natGatewayId")?.to_owned();
        let seen = answer.text("natGateway/state")?;
        stage.claim("you", "make a NAT gateway", "pending", seen);
        let seen = self.await_state(&id, "available")?;
        stage.claim("you", "wait for it", "available", &seen);
        let asked = [("NatGatewayId.1", id.as_str())];
        let described = self.api.ec2("DescribeNatGateways", &asked)?;
        let interface = "natGatewaySet/item/natGatewayAddressSet/item/networkInterfaceId";
        let interface = Instance {
            name: "NAT gateway",
            instance_id: String::new(),
            interface_id: described.text(interface)?.to_owned(),
            address: GATEWAY,
            subnet: FRONT,
        };
        self.route(("DestinationCidrBlock", EVERYWHERE), ("NatGatewayId", &id))?;
        Ok(Gateway {
            id,
            interface,
            public_ip,
        })
    }

    fn egress_only(&mut self, stage: &mut Stage) -> anyhow::Result<String> {
        let parameters = [("VpcId", self.vpc_id.as_str())];
        let answer = self
            .api
            .ec2("CreateEgressOnlyInternetGateway", &parameters)?;
        let gateway = answer.at("egressOnlyInternetGateway");
        let gateway = gateway.context("no egress-only internet gateway was made")?;
        let id = gateway.text("egressOnlyInternetGatewayId")?.to_owned();
        let seen = gateway.text("attachmentSet/item/state")?;
        let tried = "make an egress-only internet gateway";
        stage.claim("you", tried, "attached", seen);
        let target = ("EgressOnlyInternetGatewayId", id.as_str());
        self.route(("DestinationIpv6CidrBlock", EVERYWHERE_V6), target)?;
        Ok(id)
    }

    fn take_away(
        &mut self,
        stage: &mut Stage,
        gateway: &Gateway,
        egress_only: &str,
    ) -> anyhow::Result<()> {
        let asked = [
            (
                "NetworkInterfaceId",
                gateway.interface.interface_id.as_str(),
            ),
            ("SourceDestCheck.Value", "true"),
        ];
        let changed = self.api.ec2("ModifyNetworkInterfaceAttribute", &asked);
        let seen = outcome(changed.map(|_| "done".to_owned()))?;
        let tried = "change the NAT gateway's network interface";
        stage.claim("you", tried, "AuthFailure", &seen);
        let asked = [("NatGatewayId", gateway.id.as_str())];
        self.api.ec2("DeleteNatGateway", &asked)?;
        let seen = self.await_state(&gateway.id, "deleted")?;
        stage.claim("you", "delete the NAT gateway", "deleted", &seen);
        let asked = [("EgressOnlyInternetGatewayId", egress_only)];
        let answer = self.api.ec2("DeleteEgressOnlyInternetGateway", &asked)?;
        let tried = "delete the egress-only internet gateway";
        stage.claim("you", tried, "true", answer.text("returnCode")?);
        Ok(())
    }

    /// What state the gateway comes to in time.
    fn await_state(&mut self, id: &str, wanted: &str) -> anyhow::Result<String> {
        let mut last = String::new();
        await_that(|| {
            let asked = [("NatGatewayId.1", id)];
            let described = self.api.ec2("DescribeNatGateways", &asked)?;
            described
                .text("natGatewaySet/item/state")?
                .clone_into(&mut last);
            Ok((last == wanted).then_some(()))
        })?;
        Ok(last)
    }

    fn route(&mut self, destination: (&str, &str), target: (&str, &str)) -> anyhow::Result<()> {
        let table = ("RouteTableId", self.table_id.as_str());
        let parameters = [table, destination, target];
        self.api.ec2("CreateRoute", &parameters).map(drop)
    }
}

fn host(address: &'static str) -> Instance {
    Instance {
        name: "internet",
        instance_id: format!("internet:{address}"),
        interface_id: String::new(),
        address,
        subnet: "",
    }
}

/// A subnet whose route table leads to an internet gateway.
fn open_to_the_internet(api: &mut Client, vpc_id: &str, subnet_id: &str) -> anyhow::Result<()> {
    let path = "internetGateway/internetGatewayId";
    let gateway_id = made(api, "CreateInternetGateway", &[], path)?;
    let attach = [
        ("InternetGatewayId", gateway_id.as_str()),
        ("VpcId", vpc_id),
    ];
    api.ec2("AttachInternetGateway", &attach)?;
    let table_id = table(api, vpc_id, subnet_id)?;
    let route = [
        ("RouteTableId", table_id.as_str()),
        ("DestinationCidrBlock", EVERYWHERE),
        ("GatewayId", &gateway_id),
    ];
    api.ec2("CreateRoute", &route).map(drop)
}

/// A route table for one subnet.
fn table(api: &mut Client, vpc_id: &str, subnet_id: &str) -> anyhow::Result<String> {
    let parameters = [("VpcId", vpc_id)];
    let id = made(
        api,
        "CreateRouteTable",
        &parameters,
        "routeTable/routeTableId",
    )?;
    let associate = [("RouteTableId", id.as_str()), ("SubnetId", subnet_id)];
    api.ec2("AssociateRouteTable", &associate)?;
    Ok(id)
}

fn introduce(stage: &Stage, net: &Network) -> anyhow::Result<()> {
    let mut table = Table::new(["who", "where", "address", "interface"]);
    let client = &net.client;
    for (who, place, address, interface) in [
        ("client", BACK, CLIENT, client.interface_id.as_str()),
        ("", "", net.client_v6.as_str(), ""),
        ("internet", "simulated", HOST, ""),
        ("", "", HOST_V6, ""),
    ] {
        table.row([
            Cell::new(Tone::Strong, who),
            place.into(),
            address.into(),
            interface.into(),
        ]);
    }
    stage.say("A private instance, and the internet", table)
}

/// The client pings the internet by IPv4 and by IPv6.
fn out(stage: &mut Stage, net: &Network, v4: Fate<'_>, v6: Fate<'_>) -> anyhow::Result<()> {
    stage.ping(&net.client, ("the internet", HOST), v4)?;
    stage.ping(&net.client, ("the internet by IPv6", HOST_V6), v6)
}

fn sent_in_vain(net: &Network, expected: &mut Flows) {
    expected.sent(&net.client, CLIENT, HOST, "-");
    expected.sent(&net.client, &net.client_v6, HOST_V6, "-");
}

/// The client does not notice the gateway, whose interface sees everything twice.
fn translated(net: &Network, gateway: &Gateway, expected: &mut Flows) {
    let own = &gateway.interface;
    expected.sent(&net.client, CLIENT, HOST, INSIDE);
    expected.received(own, CLIENT, GATEWAY);
    expected.sent(own, GATEWAY, HOST, INTERNET);
    expected.received(own, HOST, GATEWAY);
    expected.sent(own, GATEWAY, CLIENT, INSIDE);
    expected.received(&net.client, HOST, CLIENT);
}

fn untranslated(net: &Network, expected: &mut Flows) {
    expected.sent(&net.client, &net.client_v6, HOST_V6, INTERNET);
    expected.received(&net.client, HOST_V6, &net.client_v6);
}
