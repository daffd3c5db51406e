//! Which records somebody wants to see.

use std::net::IpAddr;

use dataplane::{Action, FlowKey};
use ipnet::IpNet;
use model::{RecorderId, Timestamp};

use crate::flow_history::Range;
use crate::ops::FlowFilter;
use crate::weir::Refusal;

/// A filter whose values are values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    recorder: Option<RecorderId>,
    address: Option<IpNet>,
    port: Option<u16>,
    protocol: Option<u8>,
    action: Option<Action>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Filter {
    /// Reads what a caller wrote.
    ///
    /// # Errors
    ///
    /// If a value is none.
    pub(crate) fn parse(filter: &FlowFilter) -> Result<Self, Refusal> {
        let invalid = |name: &str, value: &str| {
            Refusal::new(
                "InvalidParameterValue",
                format!("Value ({value}) for parameter {name} is invalid."),
            )
        };
        fn each<T>(
            value: &Option<String>,
            parse: impl Fn(&str) -> Option<T>,
            refuse: impl Fn(&str) -> Refusal,
        ) -> Result<Option<T>, Refusal> {
            let value = value.as_deref();
            value
                .map(|text| parse(text).ok_or_else(|| refuse(text)))
                .transpose()
        }
        Ok(Self {
            recorder: each(
                &filter.interface,
                |t| t.parse().ok(),
                |t| invalid("interface", t),
            )?,
            address: each(&filter.address, net, |t| invalid("address", t))?,
            port: filter.port,
            protocol: each(&filter.protocol, model::protocol::number, |t| {
                invalid("protocol", t)
            })?,
            action: each(&filter.action, action, |t| invalid("action", t))?,
            since: filter.since.map(Timestamp::from_secs),
            until: filter.until.map(Timestamp::from_secs),
        })
    }

    /// Whether a flow is wanted. `None` for a record without one, which only a filter by flow leaves out.
    pub(crate) fn wants(
        &self,
        recorder: RecorderId,
        key: Option<&FlowKey>,
        start: Timestamp,
        end: Timestamp,
    ) -> bool {
        self.recorder.is_none_or(|wanted| wanted == recorder)
            && self.since.is_none_or(|since| end >= since)
            && self.until.is_none_or(|until| start <= until)
            && match key {
                Some(key) => self.wants_flow(key),
                None => {
                    self.address.is_none()
                        && self.port.is_none()
                        && self.protocol.is_none()
                        && self.action.is_none()
                }
            }
    }

    /// Whether a flow is wanted by what it is, whoever records it and when.
    pub(crate) fn wants_flow(&self, key: &FlowKey) -> bool {
        let ends = [key.srcaddr, key.dstaddr, key.pkt_srcaddr, key.pkt_dstaddr];
        self.action.is_none_or(|action| action == key.action)
            && self
                .protocol
                .is_none_or(|protocol| protocol == key.protocol)
            && self
                .port
                .is_none_or(|port| key.srcport == port || key.dstport == port)
            && self
                .address
                .is_none_or(|net| ends.iter().any(|end| net.contains(end)))
    }

    /// What of the history to look through.
    pub(crate) fn range(&self) -> Range {
        Range {
            since: self.since,
            until: self.until,
            recorder: self.recorder.map(|id| id.to_string()),
        }
    }
}

fn net(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(address)
}

fn action(text: &str) -> Option<Action> {
    match text.to_ascii_uppercase().as_str() {
        "ACCEPT" => Some(Action::Accept),
        "REJECT" => Some(Action::Reject),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_any_case() {
        assert_eq!(action("reject"), Some(Action::Reject));
    }
}
