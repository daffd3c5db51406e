//! Machine images: a fixed catalogue, the same in every Region. An image is only a label; what an
//! instance runs is what this machine has (Amazon EC2 User Guide, "Amazon Machine Images").

use ec2_api::{DescribeImagesRequest, DescribeImagesResponse};
use model::{ImageId, Tags};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

/// What there is to know about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) architecture: &'static str,
    pub(super) owner_id: &'static str,
    /// For Amazon's own images.
    pub(super) owner_alias: Option<&'static str>,
    pub(super) root_device_name: &'static str,
    pub(super) creation_date: &'static str,
}

/// The image that an id names.
pub(super) fn image(id: ImageId) -> Result<Image, Error> {
    let text = id.to_string();
    let found = CATALOGUE.iter().find(|i| i.id == text);
    found.copied().ok_or(Error::NotFound(id.into()))
}

/// The instruction set of an image: `x86_64`.
pub fn architecture(id: ImageId) -> Option<&'static str> {
    Some(image(id).ok()?.architecture)
}

pub(crate) fn describe_images(
    tx: &mut Transaction<'_>,
    request: &DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Error> {
    let ids: Vec<ImageId> = parameter::optional_ids(&request.image_ids)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        5..=1000,
    )?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    check_users(
        &request.owners,
        &["self", "amazon", "aws-marketplace", "aws-backup-vault"],
    )?;
    check_users(&request.executable_users, &["self", "all"])?;
    for &id in &ids {
        image(id)?;
    }
    let account = tx.scope().account.to_string();
    let passing = CATALOGUE
        .iter()
        .filter(|i| ids.is_empty() || request.image_ids.iter().any(|id| id == i.id))
        .filter(|i| is_of_owner(i, &request.owners, &account))
        .filter(|_| may_be_run(&request.executable_users))
        .map(shape)
        .filter(|i| filters.matches(&Tags::new(), |name| filter_values(i, name)))
        .collect();
    let key = |i: &ec2_api::Image| i.image_id.clone().unwrap_or_default();
    let (images, next_token) = page.take(passing, key);
    Ok(DescribeImagesResponse { next_token, images })
}

/// An account is twelve digits, or one of the `words` that stand for one.
fn check_users(users: &[String], words: &[&str]) -> Result<(), Error> {
    let is =
        |user: &&String| words.contains(&user.as_str()) || user.parse::<model::AccountId>().is_ok();
    match users.iter().find(|user| !is(user)) {
        None => Ok(()),
        Some(user) => Err(Error::new(
            "InvalidUserID.Malformed",
            format!("Invalid user id: \"{user}\""),
        )),
    }
}

fn is_of_owner(image: &Image, owners: &[String], account: &str) -> bool {
    let is = |owner: &String| match owner.as_str() {
        "self" => image.owner_id == account,
        owner => owner == image.owner_id || Some(owner) == image.owner_alias,
    };
    owners.is_empty() || owners.iter().any(is)
}

/// All images are public: nobody has a permission of their own.
fn may_be_run(users: &[String]) -> bool {
    users.is_empty() || users.iter().any(|user| user == "all")
}

fn shape(image: &Image) -> ec2_api::Image {
    let text = |value: &str| Some(value.to_owned());
    ec2_api::Image {
        image_id: text(image.id),
        name: text(image.name),
        description: text(image.description),
        architecture: text(image.architecture),
        owner_id: text(image.owner_id),
        image_owner_alias: image.owner_alias.map(str::to_owned),
        image_location: Some(format!(
            "{}/{}",
            image.owner_alias.unwrap_or(image.owner_id),
            image.name
        )),
        creation_date: text(image.creation_date),
        public: Some(true),
        state: text("available"),
        image_type: text("machine"),
        platform_details: text("Linux/UNIX"),
        usage_operation: text("RunInstances"),
        ena_support: Some(true),
        hypervisor: text("xen"),
        root_device_name: text(image.root_device_name),
        root_device_type: text("ebs"),
        virtualization_type: text("hvm"),
        boot_mode: text("uefi-preferred"),
        ..Default::default()
    }
}

fn filter_values(image: &ec2_api::Image, name: &str) -> Vec<String> {
    let value = match name {
        "architecture" => &image.architecture,
        "creation-date" => &image.creation_date,
        "description" => &image.description,
        "hypervisor" => &image.hypervisor,
        "image-id" => &image.image_id,
        "image-type" => &image.image_type,
        "name" => &image.name,
        "owner-alias" => &image.image_owner_alias,
        "owner-id" => &image.owner_id,
        "platform-details" => &image.platform_details,
        "root-device-name" => &image.root_device_name,
        "root-device-type" => &image.root_device_type,
        "state" => &image.state,
        "virtualization-type" => &image.virtualization_type,
        "ena-support" | "is-public" => return vec!["true".to_owned()],
        _ => &None,
    };
    value.iter().cloned().collect()
}

const FILTERS: &[&str] = &[
    "architecture",
    "creation-date",
    "description",
    "ena-support",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "platform-details",
    "root-device-name",
    "root-device-type",
    "state",
    "virtualization-type",
];

const AMAZON: &str = "137112412989";
const CANONICAL: &str = "099720109477";
const DEBIAN: &str = "136693071363";

/// In the order of ids. The first is the one that AWS's examples use.
const CATALOGUE: &[Image] = &[
    Image {
        id: "ami-0abcdef1234567890",
        name: "al2023-ami-2023.9.20250929.0-kernel-6.1-x86_64",
        description: "Amazon Linux 2023 AMI 2023.9.20250929.0 x86_64 HVM kernel-6.1",
        architecture: "x86_64",
        owner_id: AMAZON,
        owner_alias: Some("amazon"),
        root_device_name: "/dev/xvda",
        creation_date: "2025-09-29T00:00:00.000Z",
    },
    Image {
        id: "ami-0abcdef1234567891",
        name: "al2023-ami-2023.9.20250929.0-kernel-6.1-arm64",
        description: "Amazon Linux 2023 AMI 2023.9.20250929.0 arm64 HVM kernel-6.1",
        architecture: "arm64",
        owner_id: AMAZON,
        owner_alias: Some("amazon"),
        root_device_name: "/dev/xvda",
        creation_date: "2025-09-29T00:00:00.000Z",
    },
    Image {
        id: "ami-0abcdef1234567892",
        name: "amzn2-ami-hvm-2.0.20250929.2-x86_64-gp2",
        description: "Amazon Linux 2 AMI 2.0.20250929.2 x86_64 HVM gp2",
        architecture: "x86_64",
        owner_id: AMAZON,
        owner_alias: Some("amazon"),
        root_device_name: "/dev/xvda",
        creation_date: "2025-09-29T00:00:00.000Z",
    },
    Image {
        id: "ami-0abcdef1234567893",
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250821",
        description: "Canonical, Ubuntu, 24.04, amd64 noble image",
        architecture: "x86_64",
        owner_id: CANONICAL,
        owner_alias: None,
        root_device_name: "/dev/sda1",
        creation_date: "2025-08-21T00:00:00.000Z",
    },
    Image {
        id: "ami-0abcdef1234567894",
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250821",
        description: "Canonical, Ubuntu, 24.04, arm64 noble image",
        architecture: "arm64",
        owner_id: CANONICAL,
        owner_alias: None,
        root_device_name: "/dev/sda1",
        creation_date: "2025-08-21T00:00:00.000Z",
    },
    Image {
        id: "ami-0abcdef1234567895",
        name: "debian-12-amd64-20250814-2204",
        description: "Debian 12 (20250814-2204)",
        architecture: "x86_64",
        owner_id: DEBIAN,
        owner_alias: None,
        root_device_name: "/dev/xvda",
        creation_date: "2025-08-14T00:00:00.000Z",
    },
];
