//! Entries of prefix lists.

use ec2_api::{AddPrefixListEntry, RemovePrefixListEntry};
use ipnet::IpNet;
use model::{AddressFamily, PrefixListEntry};

use crate::{Error, parameter};

const PER_REQUEST_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 255;

/// Entries that a request gives, no block twice.
pub(super) fn parse(
    given: &[AddPrefixListEntry],
    family: AddressFamily,
) -> Result<Vec<PrefixListEntry>, Error> {
    let mut entries: Vec<PrefixListEntry> = Vec::new();
    for entry in given {
        let cidr = block(&entry.cidr, family)?;
        let description = entry.description.clone().filter(|text| !text.is_empty());
        if let Some(text) = &description
            && text.chars().count() > DESCRIPTION_MAX
        {
            return Err(Error::invalid_value(
                "Description",
                text,
                "A description may have up to 255 characters.",
            ));
        }
        if entries.iter().any(|own| own.cidr == cidr) {
            return Err(Error::InvalidParameterValue(format!(
                "Request cannot contain duplicate Cidr {cidr}"
            )));
        }
        entries.push(PrefixListEntry { cidr, description });
    }
    Ok(entries)
}

/// Blocks that a request takes out.
pub(super) fn parse_removed(
    given: &[RemovePrefixListEntry],
    family: AddressFamily,
) -> Result<Vec<IpNet>, Error> {
    given
        .iter()
        .map(|entry| block(&entry.cidr, family))
        .collect()
}

/// Bounds the entries of a creation.
pub(super) fn check_created(entries: usize) -> Result<(), Error> {
    if entries > PER_REQUEST_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "The number of entries per request cannot exceeds limit ({PER_REQUEST_MAX})."
        )));
    }
    Ok(())
}

/// Bounds the additions, or the removals, of a modification.
pub(super) fn check_modified(entries: usize) -> Result<(), Error> {
    if entries > PER_REQUEST_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "Request cannot contain more than {PER_REQUEST_MAX} entry additions or removals"
        )));
    }
    Ok(())
}

fn block(text: &Option<String>, family: AddressFamily) -> Result<IpNet, Error> {
    let text = parameter::required(text, "Cidr")?;
    Ok(match family {
        AddressFamily::Ipv4 => parameter::ipv4_net(text, "Cidr")?.into(),
        AddressFamily::Ipv6 => parameter::ipv6_net(text, "Cidr")?.into(),
    })
}

/// Whether a list of this size can have so many entries.
pub(super) fn check_count(entries: usize, max_entries: u16) -> Result<(), Error> {
    if entries > usize::from(max_entries) {
        return Err(Error::new(
            "PrefixListMaxEntriesExceeded",
            format!(
                "The prefix list would have {entries} entries, more than its maximum of \
                 {max_entries}."
            ),
        ));
    }
    Ok(())
}
