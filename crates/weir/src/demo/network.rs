//! The network of the demo, built through the EC2 API.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::client::{Client, Element};

/// Everything that was built.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// The VPC.
    pub(super) vpc_id: String,
    /// The group of the clients: lets nothing in, everything out.
    pub(super) client_group: String,
    /// The group of the web server: lets in ping, and HTTP from the clients' group.
    pub(super) web_group: String,
    /// The ACL of the web server's subnet, which lets no ICMP out to the guest.
    pub(super) acl: String,
    /// Pings and gets pages.
    pub(super) client: Instance,
    /// Pings in vain.
    pub(super) guest: Instance,
    /// Serves a page.
    pub(super) web: Instance,
}

/// An instance with one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// What the demo calls it.
    pub(super) name: &'static str,
    /// `i-…`
    pub(super) instance_id: String,
    /// `eni-…`
    pub(super) interface_id: String,
    /// Its private address.
    pub(super) address: &'static str,
    /// The CIDR of its subnet.
    pub(super) subnet: &'static str,
}

/// What the web server says.
pub(super) const PAGE: &str = "Hello from 10.0.2.20";
/// The bucket of the flow log.
pub(super) const BUCKET: &str = "flow-logs";
/// The log group of the flow log.
pub(super) const LOG_GROUP: &str = "flow-logs";
/// The entry that swallows the guest's replies.
pub(super) const SWALLOWING_RULE: &str = "90";

const CLIENT_SUBNET: &str = "10.0.1.0/24";
const WEB_SUBNET: &str = "10.0.2.0/24";
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

impl Network {
    /// Builds it and waits until the web server serves.
    pub(super) fn build(api: &mut Client) -> anyhow::Result<Self> {
        let vpc_id = made(
            api,
            "CreateVpc",
            &[("CidrBlock", "10.0.0.0/16")],
            "vpc/vpcId",
        )?;
        let client_subnet = subnet(api, &vpc_id, CLIENT_SUBNET)?;
        let web_subnet = subnet(api, &vpc_id, WEB_SUBNET)?;
        let client_group = group(api, &vpc_id, "clients")?;
        let web_group = group(api, &vpc_id, "web")?;
        allow(
            api,
            &web_group,
            &[
                ("IpProtocol", "icmp"),
                ("FromPort", "-1"),
                ("ToPort", "-1"),
                ("IpRanges.1.CidrIp", CLIENT_SUBNET),
            ],
        )?;
        allow(
            api,
            &web_group,
            &[
                ("IpProtocol", "tcp"),
                ("FromPort", "80"),
                ("ToPort", "80"),
                ("Groups.1.GroupId", &client_group),
            ],
        )?;
        let acl = swallowing_acl(api, &vpc_id, &web_subnet)?;
        flow_logs(api, &vpc_id)?;

        let script = format!("#!/bin/sh\nexec /run/weir/weir __serve-http 80 '{PAGE}'\n");
        let mut web = launch(
            api,
            "web",
            "10.0.2.20",
            WEB_SUBNET,
            &web_subnet,
            &web_group,
            Some(&script),
        )?;
        let mut client = launch(
            api,
            "client",
            "10.0.1.10",
            CLIENT_SUBNET,
            &client_subnet,
            &client_group,
            None,
        )?;
        let mut guest = launch(
            api,
            "guest",
            "10.0.1.66",
            CLIENT_SUBNET,
            &client_subnet,
            &client_group,
            None,
        )?;
        for instance in [&mut web, &mut client, &mut guest] {
            await_running(api, instance)?;
        }
        await_page(api, &web)?;
        Ok(Self {
            vpc_id,
            client_group,
            web_group,
            acl,
            client,
            guest,
            web,
        })
    }

    /// The instance behind an interface.
    pub(super) fn instance_of(&self, interface_id: &str) -> Option<&Instance> {
        [&self.client, &self.guest, &self.web]
            .into_iter()
            .find(|i| i.interface_id == interface_id)
    }
}

pub(super) fn made(
    api: &mut Client,
    action: &str,
    parameters: &[(&str, &str)],
    path: &str,
) -> anyhow::Result<String> {
    Ok(api.ec2(action, parameters)?.text(path)?.to_owned())
}

pub(super) fn subnet(api: &mut Client, vpc_id: &str, cidr: &str) -> anyhow::Result<String> {
    made(
        api,
        "CreateSubnet",
        &[("VpcId", vpc_id), ("CidrBlock", cidr)],
        "subnet/subnetId",
    )
}

/// A subnet with IPv6 too, whose interfaces get an address of it by themselves. The VPC has a block for it.
pub(super) fn subnet_of_both(api: &mut Client, vpc_id: &str, cidr: &str) -> anyhow::Result<String> {
    let answer = api.ec2("DescribeVpcs", &[("VpcId.1", vpc_id)])?;
    let block = answer.text("vpcSet/item/ipv6CidrBlockAssociationSet/item/ipv6CidrBlock")?;
    let block = block.replace("/56", "/64");
    let parameters = [
        ("VpcId", vpc_id),
        ("CidrBlock", cidr),
        ("Ipv6CidrBlock", &block),
    ];
    let id = made(api, "CreateSubnet", &parameters, "subnet/subnetId")?;
    let automatic = [
        ("SubnetId", id.as_str()),
        ("AssignIpv6AddressOnCreation.Value", "true"),
    ];
    api.ec2("ModifySubnetAttribute", &automatic)?;
    Ok(id)
}

pub(super) fn group(api: &mut Client, vpc_id: &str, name: &str) -> anyhow::Result<String> {
    let parameters = [
        ("VpcId", vpc_id),
        ("GroupName", name),
        ("GroupDescription", name),
    ];
    made(api, "CreateSecurityGroup", &parameters, "groupId")
}

pub(super) fn allow(
    api: &mut Client,
    group_id: &str,
    permission: &[(&str, &str)],
) -> anyhow::Result<()> {
    let names: Vec<String> = permission
        .iter()
        .map(|(name, _)| format!("IpPermissions.1.{name}"))
        .collect();
    let mut parameters = vec![("GroupId", group_id)];
    parameters.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(permission.iter().map(|(_, value)| *value)),
    );
    api.ec2("AuthorizeSecurityGroupIngress", &parameters)
        .map(drop)
}

/// Everything in; everything out except ICMP to the guest.
fn swallowing_acl(api: &mut Client, vpc_id: &str, subnet_id: &str) -> anyhow::Result<String> {
    let acl = made(
        api,
        "CreateNetworkAcl",
        &[("VpcId", vpc_id)],
        "networkAcl/networkAclId",
    )?;
    let mut entry = |number, egress, protocol, action, cidr, more: &[(&str, &str)]| {
        let mut parameters = vec![
            ("NetworkAclId", acl.as_str()),
            ("RuleNumber", number),
            ("Egress", egress),
            ("Protocol", protocol),
            ("RuleAction", action),
            ("CidrBlock", cidr),
        ];
        parameters.extend(more);
        api.ec2("CreateNetworkAclEntry", &parameters).map(drop)
    };
    entry("100", "false", "-1", "allow", "0.0.0.0/0", &[])?;
    entry("100", "true", "-1", "allow", "0.0.0.0/0", &[])?;
    let any_icmp = [("Icmp.Type", "-1"), ("Icmp.Code", "-1")];
    entry(
        SWALLOWING_RULE,
        "true",
        "1",
        "deny",
        "10.0.1.66/32",
        &any_icmp,
    )?;

    let filter = [
        ("Filter.1.Name", "association.subnet-id"),
        ("Filter.1.Value.1", subnet_id),
    ];
    let acls = api.ec2("DescribeNetworkAcls", &filter)?;
    let association = acls
        .all("networkAclSet", "item")
        .flat_map(|acl| acl.all("associationSet", "item"))
        .find(|association| association.text("subnetId").is_ok_and(|id| id == subnet_id))
        .context("the subnet has no network ACL")?;
    let id = association.text("networkAclAssociationId")?;
    api.ec2(
        "ReplaceNetworkAclAssociation",
        &[("AssociationId", id), ("NetworkAclId", &acl)],
    )?;
    Ok(acl)
}

fn flow_logs(api: &mut Client, vpc_id: &str) -> anyhow::Result<()> {
    api.create_bucket(BUCKET)?;
    api.logs("CreateLogGroup", &json!({ "logGroupName": LOG_GROUP }))?;
    let arn = format!("arn:aws:s3:::{BUCKET}");
    let role = format!("arn:aws:iam::{}:role/flow-logs", server::DEFAULT_ACCOUNT);
    let common = [
        ("ResourceType", "VPC"),
        ("ResourceId.1", vpc_id),
        ("TrafficType", "ALL"),
        ("MaxAggregationInterval", "60"),
    ];
    let to_s3 = [("LogDestinationType", "s3"), ("LogDestination", &arn)];
    let to_logs = [
        ("LogDestinationType", "cloud-watch-logs"),
        ("LogGroupName", LOG_GROUP),
        ("DeliverLogsPermissionArn", &role),
    ];
    for destination in [&to_s3[..], &to_logs[..]] {
        let answer = api.ec2("CreateFlowLogs", &[&common, destination].concat())?;
        if let Some(failure) = answer.all("unsuccessful", "item").next() {
            bail!("CreateFlowLogs: {}", failure.text("error/message")?);
        }
    }
    Ok(())
}

pub(super) fn launch(
    api: &mut Client,
    name: &'static str,
    address: &'static str,
    subnet: &'static str,
    subnet_id: &str,
    group_id: &str,
    user_data: Option<&str>,
) -> anyhow::Result<Instance> {
    let images = api.ec2("DescribeImages", &[])?;
    let image = images.text("imagesSet/item/imageId")?;
    let user_data = user_data.map(|script| STANDARD.encode(script));
    let mut parameters = vec![
        ("ImageId", image),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet_id),
        ("SecurityGroupId.1", group_id),
        ("PrivateIpAddress", address),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", name),
    ];
    parameters.extend(user_data.as_deref().map(|data| ("UserData", data)));
    let answer = api.ec2("RunInstances", &parameters)?;
    let instance_id = answer.text("instancesSet/item/instanceId")?.to_owned();
    Ok(Instance {
        name,
        instance_id,
        interface_id: String::new(),
        address,
        subnet,
    })
}

pub(super) fn await_running(api: &mut Client, instance: &mut Instance) -> anyhow::Result<()> {
    await_that(|| {
        let answer = api.ec2(
            "DescribeInstances",
            &[("InstanceId.1", &instance.instance_id)],
        )?;
        let item = answer
            .at("reservationSet/item/instancesSet/item")
            .context("the instance is gone")?;
        match item.text("instanceState/name")? {
            "running" => {
                let interface = item.text("networkInterfaceSet/item/networkInterfaceId")?;
                instance.interface_id = interface.to_owned();
                Ok(Some(()))
            }
            "pending" => Ok(None),
            state => bail!("{} is {state} instead of running", instance.name),
        }
    })?
    .with_context(|| format!("{} was not running after {PATIENCE:?}", instance.name))
}

/// Waits for the web server's first words on its console, which leaves no packets behind.
fn await_page(api: &mut Client, web: &Instance) -> anyhow::Result<()> {
    let mut console = String::new();
    await_that(|| {
        let answer = api.ec2("GetConsoleOutput", &[("InstanceId", &web.instance_id)])?;
        let text = answer
            .at("output")
            .map(|output: &Element| output.text.replace(char::is_whitespace, ""));
        let bytes = STANDARD
            .decode(text.unwrap_or_default())
            .context("the console output is not base64")?;
        console = String::from_utf8_lossy(&bytes).into_owned();
        Ok(console.contains("listening on port 80").then_some(()))
    })?
    .with_context(|| {
        format!(
            "the web server did not start; its console says: {}",
            console.trim()
        )
    })
}

/// Asks until there is an answer, or it is too late.
pub(super) fn await_that<T>(
    mut ready: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = ready()?;
        if outcome.is_some() || Instant::now() > deadline {
            return Ok(outcome);
        }
        sleep(PAUSE);
    }
}
