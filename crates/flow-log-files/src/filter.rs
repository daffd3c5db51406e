//! Which records somebody wants to see.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Columns, Record};

/// A time in which records must have something, in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Records must not end before.
    pub since: Option<u64>,
    /// Records must begin before.
    pub until: Option<u64>,
}

/// What records must be like. What is empty admits everything; of several values one must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Source or destination, of the flow or of its packets. Bits behind a prefix do not count.
    pub addresses: Vec<IpNet>,
    /// Source or destination.
    pub ports: Vec<u16>,
    /// ACCEPT or REJECT, however written.
    pub action: Option<String>,
    /// The recording interface.
    pub interfaces: Vec<String>,
    /// When.
    pub window: Window,
}

const ADDRESSES: [&str; 4] = ["srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"];
const PORTS: [&str; 2] = ["srcport", "dstport"];

impl Filter {
    /// Whether a record is wanted. One that lacks the fields to tell by is not.
    pub fn admits(&self, record: &Record<'_>) -> bool {
        self.admits_address(record)
            && self.admits_port(record)
            && self.admits_action(record)
            && self.admits_interface(record)
            && self.window.admits(record)
    }

    /// What would be needed to tell by, and is not among the columns.
    pub fn missing(&self, columns: &Columns) -> Vec<&'static str> {
        let window = self.window;
        let needs: [(bool, &[&'static str]); 6] = [
            (!self.addresses.is_empty(), &ADDRESSES),
            (!self.ports.is_empty(), &PORTS),
            (self.action.is_some(), &["action"]),
            (!self.interfaces.is_empty(), &["interface-id"]),
            (window.since.is_some(), &["end", "start"]),
            (window.until.is_some(), &["start", "end"]),
        ];
        let lacks = |names: &[&str]| names.iter().all(|name| columns.position(name).is_none());
        let missing = needs.iter().filter(|(asked, names)| *asked && lacks(names));
        missing
            .filter_map(|(_, names)| names.first().copied())
            .collect()
    }

    fn admits_address(&self, record: &Record<'_>) -> bool {
        let addresses = || ADDRESSES.iter().filter_map(|name| record.get(name));
        let wanted = |text: &str| {
            let address: Option<IpAddr> = text.parse().ok();
            address.is_some_and(|address| self.addresses.iter().any(|r| r.contains(&address)))
        };
        self.addresses.is_empty() || addresses().any(wanted)
    }

    fn admits_port(&self, record: &Record<'_>) -> bool {
        let ports = || PORTS.iter().filter_map(|name| record.get(name));
        let wanted = |text: &str| text.parse().is_ok_and(|port| self.ports.contains(&port));
        self.ports.is_empty() || ports().any(wanted)
    }

    fn admits_action(&self, record: &Record<'_>) -> bool {
        let Some(wanted) = &self.action else {
            return true;
        };
        record
            .get("action")
            .is_some_and(|action| action.eq_ignore_ascii_case(wanted))
    }

    fn admits_interface(&self, record: &Record<'_>) -> bool {
        let wanted = |id: &str| self.interfaces.iter().any(|wanted| wanted == id);
        self.interfaces.is_empty() || record.get("interface-id").is_some_and(wanted)
    }
}

impl Window {
    fn admits(&self, record: &Record<'_>) -> bool {
        let time = |names: [&str; 2]| -> Option<u64> {
            let text = names.iter().find_map(|name| record.get(name))?;
            text.parse().ok()
        };
        let since = self
            .since
            .is_none_or(|since| time(["end", "start"]).is_some_and(|t| t >= since));
        since
            && self
                .until
                .is_none_or(|until| time(["start", "end"]).is_some_and(|t| t < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn admits(filter: &Filter, line: &str) -> bool {
        let columns = Columns::default();
        let values: Vec<_> = line.split(' ').collect();
        filter.admits(&Record {
            columns: &columns,
            values: &values,
        })
    }

    #[test]
    fn every_condition_must_hold() {
        let flow = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
        let idle =
            "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA";
        let none = Filter::default();
        assert!(admits(&none, flow) && admits(&none, idle));
        let address = Filter {
            addresses: vec![block("10.9.9.9/8"), block("172.31.16.21/32")],
            ..Filter::default()
        };
        assert!(admits(&address, flow) && !admits(&address, idle));
        let port = |port| Filter {
            ports: vec![port],
            ..address.clone()
        };
        assert!(admits(&port(22), flow) && admits(&port(20641), flow) && !admits(&port(443), flow));
        let action = |action: &str| Filter {
            action: Some(action.to_owned()),
            ..Filter::default()
        };
        assert!(admits(&action("accept"), flow) && !admits(&action("REJECT"), flow));
        let window = |since, until| Filter {
            window: Window { since, until },
            ..Filter::default()
        };
        assert!(admits(&window(Some(1_418_530_070), None), flow));
        assert!(!admits(&window(Some(1_418_530_071), None), flow));
        assert!(admits(&window(None, Some(1_418_530_011)), flow));
        assert!(!admits(&window(None, Some(1_418_530_010)), flow));
        assert!(admits(&window(Some(1_431_280_900), None), idle));
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        let columns = Columns::from_header("srcaddr pkt-dstaddr end").unwrap();
        let filter = Filter {
            addresses: vec![block("10.0.0.1/32")],
            ports: vec![22],
            action: Some("REJECT".to_owned()),
            window: Window {
                since: Some(1),
                until: Some(2),
            },
            ..Filter::default()
        };
        assert_eq!(filter.missing(&columns), ["srcport", "action"]);
    }
}
