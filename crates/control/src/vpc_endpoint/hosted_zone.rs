//! The hosted zones that endpoints' names are in.

use model::{LeadsTo, Region, VpcEndpointId};

/// Those of a Region's public names, as far as they are known.
const PUBLIC: &[(&str, &str)] = &[
    ("us-east-1", "Z7HUB22UULQXV"),
    ("us-east-2", "ZC8PG0KIFKBRI"),
];

const LENGTH: usize = 20;
const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The hosted zone of a name: one for all public names of a Region, one of its own for each endpoint's private ones.
pub(super) fn of(region: Region, endpoint: VpcEndpointId, leads_to: LeadsTo) -> String {
    if leads_to == LeadsTo::Private {
        return made_of(&endpoint.to_string());
    }
    let known = PUBLIC.iter().find(|(own, _)| *own == region.name());
    known.map_or_else(|| made_of(region.name()), |(_, id)| (*id).to_owned())
}

/// The same for ever.
fn made_of(text: &str) -> String {
    let mut hash = super::service::hash(text);
    let mut id = String::from("Z");
    while id.len() < LENGTH {
        let letter = LETTERS[(hash % LETTERS.len() as u128) as usize];
        id.push(char::from(letter));
        hash /= LETTERS.len() as u128;
    }
    id
}
