//! The Amazon Time Sync Service (Amazon EC2 User Guide, "Set the time reference on your EC2 instance").

use std::net::Ipv4Addr;

use model::Timestamp;
use packet::ntp::{Query, Server};

/// The machine's clock, as far away from its reference as AWS's servers look from inside an instance.
const SERVER: Server = Server {
    stratum: 3,
    reference: Ipv4Addr::new(169, 254, 169, 122),
    precision: -20,
    root_delay: 32,
    root_dispersion: 32,
};

/// The answer to a client's question; `now` is what the clock says.
pub(super) fn answer(bytes: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let query = Query::parse(bytes)?;
    Some(query.answer(&SERVER, now.as_micros()).to_vec())
}
