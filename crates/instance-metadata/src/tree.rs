//! The tree of metadata ("Instance metadata categories"). What an instance does not have is not in it.

use model::{InstanceId, Region};

use crate::{Place, document, network};

/// A place in the tree: a text, or names of further places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    Directory(Vec<(String, Node)>),
}

impl Node {
    /// The place below this one with the given names; names may contain slashes.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        let Some((name, rest)) = path.split_first() else {
            return Some(self);
        };
        match self {
            Self::Text(_) => None,
            Self::Directory(entries) => {
                let (_, node) = entries.iter().find(|(own, _)| own == name)?;
                node.at(rest)
            }
        }
    }

    /// The text, or the names in the directory, those of directories with a slash.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Directory(entries) => {
                let name = |(name, node): &(String, Node)| match node {
                    Self::Text(_) => name.clone(),
                    Self::Directory(_) => format!("{name}/"),
                };
                entries.iter().map(name).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// Makes directories: what is absent is left out.
#[derive(Default)]
pub(crate) struct Entries(Vec<(String, Node)>);

impl Entries {
    pub(crate) fn text(mut self, name: &str, text: impl Into<Option<String>>) -> Self {
        if let Some(text) = text.into() {
            self.0.push((name.to_owned(), Node::Text(text)));
        }
        self
    }

    pub(crate) fn directory(mut self, name: &str, entries: Self) -> Self {
        if !entries.0.is_empty() {
            self.0.push((name.to_owned(), entries.done()));
        }
        self
    }

    pub(crate) fn done(mut self) -> Node {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        Node::Directory(self.0)
    }
}

/// `meta-data/`.
pub(crate) fn meta_data(place: &Place<'_>) -> Node {
    let Place {
        scope, instance, ..
    } = place;
    let region = scope.region;
    let primary = place.interfaces.first().copied();
    let ipv4 = primary.and_then(model::NetworkInterface::primary_ipv4);
    let public = primary.and_then(|eni| eni.public_ip(ipv4?));
    let owned = |text: &str| text.to_owned();
    let placement = Entries::default()
        .text("availability-zone", instance.zone.to_string())
        .text("availability-zone-id", instance.zone.zone_id())
        .text("region", owned(region.name()));
    let services = Entries::default()
        .text("domain", owned("amazonaws.com"))
        .text("partition", owned("aws"));
    let tags = match instance.metadata_options.instance_metadata_tags {
        true => instance
            .tags
            .iter()
            .fold(Entries::default(), |all, (key, value)| {
                all.text(key, value.clone())
            }),
        false => Entries::default(),
    };
    let maintenance = Entries::default()
        .text("history", owned("[]"))
        .text("scheduled", owned("[]"));
    let hostname = primary.and_then(|eni| network::local_hostname(place, eni));
    Entries::default()
        .text("ami-id", instance.image_id.to_string())
        .text("ami-launch-index", instance.launch_index.to_string())
        .text("ami-manifest-path", owned("(unknown)"))
        .directory(
            "events",
            Entries::default().directory("maintenance", maintenance),
        )
        .text("hostname", hostname.clone())
        .text("instance-action", owned("none"))
        .text("instance-id", instance.id.to_string())
        .text("instance-life-cycle", owned("on-demand"))
        .text("instance-type", instance.instance_type.clone())
        .text(
            "ipv6",
            primary.and_then(|eni| Some(eni.ipv6_addresses.first()?.to_string())),
        )
        .text("local-hostname", hostname)
        .text("local-ipv4", ipv4.map(|a| a.to_string()))
        .text("mac", primary.map(|eni| eni.mac.to_string()))
        .directory("network", network::interfaces(place))
        .directory("placement", placement)
        .text("profile", owned("default-hvm"))
        .text(
            "public-hostname",
            primary.and_then(|eni| network::public_hostname(place, eni, public?)),
        )
        .text("public-ipv4", public.map(|a| a.to_string()))
        .text("reservation-id", instance.reservation_id.to_string())
        .text(
            "security-groups",
            primary.map(|eni| network::group_names(place, eni)),
        )
        .directory("services", services)
        .directory("tags", Entries::default().directory("instance", tags))
        .done()
}

/// `dynamic/`.
pub(crate) fn dynamic(place: &Place<'_>) -> Node {
    let identity = Entries::default().text("document", document::identity(place));
    Entries::default()
        .directory("instance-identity", identity)
        .done()
}

/// `i-0123456789abcdef0.ec2.internal`.
pub(crate) fn resource_name(id: InstanceId, region: Region) -> String {
    format!("{id}.{}", region.private_domain())
}
