//! Instances: how soon one answers, and what TCP between two of them costs.

use super::client::{Client, element};
use super::daemon::Daemon;
use super::{Row, median, tcp};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const STARTS: u8 = 7;
/// Behind the NAT gateway, on the simulated internet.
pub(super) const HOST: &str = "198.51.100.7";
/// The instances of the TCP runs.
pub(super) const SENDER: &str = "10.77.1.10";
pub(super) const RECEIVER: &str = "10.77.2.10";

pub(super) fn rows(weir: &Path) -> Result<Vec<Row>> {
    let daemon = Daemon::start(weir)?;
    let lab = Lab::build(&daemon)?;
    let mut starts = Vec::new();
    for index in 0..STARTS {
        starts.push(lab.start_to_ping(&format!("10.77.2.{}", 20 + index))?);
    }
    let mut rows = vec![Row::new(
        "`RunInstances` to the first answered ping",
        format!("{:.0} ms", median(starts)),
        "under 300 ms",
    )];
    rows.extend(tcp::rows(&lab)?);
    Ok(rows)
}

/// Two subnets with a group, an ACL with rules of its own and a flow log; an instance in each.
pub(super) struct Lab<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) sender: String,
    pub(super) receiver: String,
    image: String,
    subnet: String,
    group: String,
}

impl<'a> Lab<'a> {
    fn build(daemon: &'a Daemon) -> Result<Self> {
        let mut client = daemon.client()?;
        let (vpc, group) = network(&mut client)?;
        let images = client.ec2("DescribeImages", &[])?;
        let mut lab = Self {
            daemon,
            sender: String::new(),
            receiver: String::new(),
            image: element(&images, "imageId")?.to_owned(),
            subnet: subnet(&mut client, &vpc, "10.77.1.0/24")?,
            group,
        };
        lab.sender = lab.run(&mut client, SENDER)?;
        lab.subnet = subnet(&mut client, &vpc, "10.77.2.0/24")?;
        lab.receiver = lab.run(&mut client, RECEIVER)?;
        lab.until_running(&mut client)?;
        lab.until_answered(RECEIVER)?;
        lab.add_nat_gateway(&mut client, &vpc)?;
        Ok(lab)
    }

    /// A way from the sender's subnet to a host of the internet.
    fn add_nat_gateway(&self, client: &mut Client, vpc: &str) -> Result<()> {
        client.weir("AddInternetHost", &format!("{{\"address\":\"{HOST}\"}}"))?;
        let gateway = client.ec2("CreateInternetGateway", &[])?;
        let gateway = element(&gateway, "internetGatewayId")?.to_owned();
        client.ec2(
            "AttachInternetGateway",
            &[("InternetGatewayId", &gateway), ("VpcId", vpc)],
        )?;
        let public = subnet(client, vpc, "10.77.3.0/24")?;
        let address = client.ec2("AllocateAddress", &[])?;
        let nat = client.ec2(
            "CreateNatGateway",
            &[
                ("SubnetId", &public),
                ("AllocationId", element(&address, "allocationId")?),
            ],
        )?;
        let nat = element(&nat, "natGatewayId")?.to_owned();
        let table = client.ec2("CreateRouteTable", &[("VpcId", vpc)])?;
        let table = element(&table, "routeTableId")?.to_owned();
        let everywhere = ("DestinationCidrBlock", "0.0.0.0/0");
        let route = [("RouteTableId", table.as_str()), everywhere];
        client.ec2(
            "CreateRoute",
            &[&route[..], &[("GatewayId", &gateway)]].concat(),
        )?;
        client.ec2(
            "AssociateRouteTable",
            &[("RouteTableId", &table), ("SubnetId", &public)],
        )?;
        let of_vpc = [
            ("Filter.1.Name", "association.main"),
            ("Filter.1.Value.1", "true"),
            ("Filter.2.Name", "vpc-id"),
            ("Filter.2.Value.1", vpc),
        ];
        let main = client.ec2("DescribeRouteTables", &of_vpc)?;
        let main = element(&main, "routeTableId")?;
        client.ec2(
            "CreateRoute",
            &[("RouteTableId", main), everywhere, ("NatGatewayId", &nat)],
        )?;
        self.until_answered(HOST)
    }

    /// Starts an instance in the lab's current subnet.
    fn run(&self, client: &mut Client, address: &str) -> Result<String> {
        let answer = client.ec2(
            "RunInstances",
            &[
                ("ImageId", &self.image),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SubnetId", &self.subnet),
                ("SecurityGroupId.1", &self.group),
                ("PrivateIpAddress", address),
            ],
        )?;
        Ok(element(&answer, "instanceId")?.to_owned())
    }

    /// Milliseconds from asking for an instance to the first ping that it answers.
    fn start_to_ping(&self, address: &str) -> Result<f64> {
        let mut client = self.daemon.client()?;
        let mut ping = self.ping(address)?;
        std::thread::sleep(Duration::from_millis(200));
        let started = Instant::now();
        self.run(&mut client, address)?;
        let answered = first_answer(&mut ping);
        let elapsed = started.elapsed().as_secs_f64() * 1e3;
        stop(&mut ping);
        answered?;
        Ok(elapsed)
    }

    fn until_running(&self, client: &mut Client) -> Result<()> {
        let filter = [
            ("Filter.1.Name", "instance-state-name"),
            ("Filter.1.Value.1", "pending"),
        ];
        for _ in 0..500 {
            if !client
                .ec2("DescribeInstances", &filter)?
                .contains("<instanceId>")
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the instances did not start in ten seconds")
    }

    fn until_answered(&self, address: &str) -> Result<()> {
        let mut ping = self.ping(address)?;
        let answered = first_answer(&mut ping);
        stop(&mut ping);
        answered
    }

    /// A ping every few milliseconds from the sender, for ten seconds at most.
    fn ping(&self, address: &str) -> Result<std::process::Child> {
        let arguments = ["ping", "-n", "-i", "0.004", "-w", "10", address];
        self.exec(&self.sender, &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting ping")
    }

    /// A program inside an instance.
    pub(super) fn exec(&self, instance: &str, program: &[&str]) -> Command {
        let mut command = self.daemon.command(&["exec", instance, "--"]);
        command.args(program);
        command
    }
}

fn first_answer(ping: &mut std::process::Child) -> Result<()> {
    let stdout = ping.stdout.take().context("no output")?;
    for line in BufReader::new(stdout).lines() {
        if line?.contains(" bytes from ") {
            return Ok(());
        }
    }
    bail!("no ping was answered in ten seconds")
}

fn stop(child: &mut std::process::Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A VPC with a flow log, the rules of its default ACL, and a group that lets its own blocks in.
fn network(client: &mut Client) -> Result<(String, String)> {
    let answer = client.ec2("CreateVpc", &[("CidrBlock", "10.77.0.0/16")])?;
    let vpc = element(&answer, "vpcId")?.to_owned();
    let answer = client.ec2(
        "CreateSecurityGroup",
        &[
            ("GroupName", "bench"),
            ("GroupDescription", "bench"),
            ("VpcId", &vpc),
        ],
    )?;
    let group = element(&answer, "groupId")?.to_owned();
    for protocol in ["tcp", "udp", "icmp"] {
        let (from, to) = match protocol {
            "icmp" => ("-1", "-1"),
            _ => ("0", "65535"),
        };
        client.ec2(
            "AuthorizeSecurityGroupIngress",
            &[
                ("GroupId", &group),
                ("IpPermissions.1.IpProtocol", protocol),
                ("IpPermissions.1.FromPort", from),
                ("IpPermissions.1.ToPort", to),
                ("IpPermissions.1.IpRanges.1.CidrIp", "10.77.0.0/16"),
            ],
        )?;
    }
    client.ec2(
        "CreateFlowLogs",
        &[
            ("ResourceType", "VPC"),
            ("ResourceId.1", &vpc),
            ("TrafficType", "ALL"),
            ("LogDestinationType", "cloud-watch-logs"),
            ("LogGroupName", "bench"),
            (
                "DeliverLogsPermissionArn",
                "arn:aws:iam::123456789012:role/bench",
            ),
        ],
    )?;
    Ok((vpc, group))
}

fn subnet(client: &mut Client, vpc: &str, block: &str) -> Result<String> {
    let answer = client.ec2("CreateSubnet", &[("VpcId", vpc), ("CidrBlock", block)])?;
    Ok(element(&answer, "subnetId")?.to_owned())
}
