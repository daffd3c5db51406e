//! What the demo tries, what a client should see of it, and which records it should leave.

use std::process::{Command, Stdio};

use anyhow::Context;
use server::ops::Outcome;

use super::daemon::THIS_PROGRAM;
use super::network::{Instance, Network, PAGE, SWALLOWING_RULE};
use super::record::{Amount, Expected, Key};
use crate::client::Endpoint;
use crate::inside::{Connected, Pings};

/// Something to try.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// What it is.
    pub(super) title: String,
    /// Who tries.
    pub(super) from: Instance,
    /// One of the demo's own programs and its arguments.
    program: Vec<String>,
    /// What the program should see.
    pub(super) expected: Seen,
    /// What `weir trace` should say of it.
    pub(super) outcome: Outcome,
    /// The question for `weir trace`: protocol and port.
    pub(super) question: (&'static str, Option<u16>),
    /// The records that it should leave.
    pub(super) records: Vec<Expected>,
    /// Words that the reason of its REJECT must contain, if it leaves one.
    pub(super) reason: Vec<String>,
}

/// What a program saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// So many replies to so many pings.
    Replies(u16, u16),
    /// A page.
    Page(String),
    /// A connection without a page.
    Connection,
    /// No answer in time.
    Timeout,
    /// Something else.
    Other(String),
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    /// What the program saw.
    pub(super) seen: Seen,
}

pub(super) const PINGS: u16 = 3;
/// 20 bytes of IPv4, 8 of ICMP, 56 of data.
pub(super) const PING_BYTES: u64 = 84;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const HTTP: u16 = 80;
const FORBIDDEN: u16 = 5432;
/// Ports of our own choice, so that records can be known beforehand.
const FROM: [u16; 2] = [50_080, 50_432];

/// Everything that is tried, in order.
pub(super) fn all(network: &Network) -> Vec<Attempt> {
    let Network {
        client, guest, web, ..
    } = network;
    let pings = Amount::Exactly {
        packets: PINGS.into(),
        bytes: PING_BYTES * u64::from(PINGS),
    };
    let ping = |from: &Instance| Key::new(from, 0, web, 0, ICMP);
    let get = Key::new(client, FROM[0], web, HTTP, TCP);
    let forbidden = Key::new(client, FROM[1], web, FORBIDDEN, TCP);
    let arguments = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    let server = |port: u16| format!("{}:{port}", web.address);
    let count = PINGS.to_string();
    vec![
        Attempt {
            title: format!("ping {}, {PINGS} times", web.address),
            from: client.clone(),
            program: arguments(&["__ping", web.address, &count]),
            expected: Seen::Replies(PINGS, PINGS),
            outcome: Outcome::Answered,
            question: ("icmp", None),
            records: both_ways(&ping(client), client, web, pings),
            reason: Vec::new(),
        },
        Attempt {
            title: format!("get http://{}/", web.address),
            from: client.clone(),
            program: arguments(&["__get", &server(HTTP), &FROM[0].to_string()]),
            expected: Seen::Page(PAGE.to_owned()),
            outcome: Outcome::Answered,
            question: ("tcp", Some(HTTP)),
            records: both_ways(&get, client, web, Amount::Some),
            reason: Vec::new(),
        },
        Attempt {
            title: format!("connect to {}:{FORBIDDEN}", web.address),
            from: client.clone(),
            program: arguments(&["__connect", &server(FORBIDDEN), &FROM[1].to_string()]),
            expected: Seen::Timeout,
            outcome: Outcome::Refused,
            question: ("tcp", Some(FORBIDDEN)),
            records: vec![
                Expected::new(client, &forbidden, "ACCEPT", Amount::Some),
                Expected::new(web, &forbidden, "REJECT", Amount::Some),
            ],
            reason: vec!["inbound".to_owned(), network.web_group.clone()],
        },
        Attempt {
            title: format!("ping {}, {PINGS} times", web.address),
            from: guest.clone(),
            program: arguments(&["__ping", web.address, &count]),
            expected: Seen::Replies(0, PINGS),
            outcome: Outcome::AnswerRefused,
            question: ("icmp", None),
            records: vec![
                Expected::new(guest, &ping(guest), "ACCEPT", pings),
                Expected::new(web, &ping(guest), "ACCEPT", pings),
                Expected::new(web, &ping(guest).reversed(), "REJECT", pings),
            ],
            reason: vec![
                network.acl.clone(),
                format!("egress rule {SWALLOWING_RULE} deny"),
            ],
        },
    ]
}

/// What an accepted conversation leaves: both ways, at both ends.
fn both_ways(key: &Key, from: &Instance, to: &Instance, amount: Amount) -> Vec<Expected> {
    let back = key.reversed();
    [(from, key), (to, key), (to, &back), (from, &back)]
        .map(|(instance, key)| Expected::new(instance, key, "ACCEPT", amount))
        .into()
}

impl Attempt {
    /// Does it, by `weir exec`.
    pub(super) fn carry_out(&self, endpoint: &Endpoint) -> anyhow::Result<Happened> {
        let seen = run_inside(endpoint, &self.from.instance_id, &self.program)?;
        Ok(Happened { seen })
    }
}

/// Runs one of the demo's own programs inside an instance, by `weir exec`.
pub(super) fn run_inside(
    endpoint: &Endpoint,
    instance_id: &str,
    program: &[String],
) -> anyhow::Result<Seen> {
    let output = Command::new(THIS_PROGRAM)
        .args([
            "exec",
            "--endpoint",
            &endpoint.url(),
            "--builtin",
            instance_id,
            "--",
        ])
        .args(program)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("run weir exec")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let understood = seen(&program[0], text.trim());
    Ok(understood.unwrap_or_else(|| Seen::Other(format!("{}: {}", output.status, text.trim()))))
}

fn seen(program: &str, text: &str) -> Option<Seen> {
    if program == "__ping" {
        let pings: Pings = serde_json::from_str(text).ok()?;
        return Some(Seen::Replies(pings.received, pings.sent));
    }
    let Connected { body, error } = serde_json::from_str(text).ok()?;
    Some(match (body, error) {
        (Some(body), _) => Seen::Page(body),
        (None, None) => Seen::Connection,
        (None, Some(error)) if error == "timed out" => Seen::Timeout,
        (None, Some(error)) => Seen::Other(error),
    })
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replies(received, sent) => write!(f, "{received} of {sent} replies"),
            Self::Page(body) => write!(f, "“{body}”"),
            Self::Connection => f.write_str("a connection"),
            Self::Timeout => f.write_str("time-out"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_understood() {
        assert_eq!(
            seen("__ping", r#"{"sent":3,"received":2}"#),
            Some(Seen::Replies(2, 3))
        );
        let page = r#"{"body":"hi","error":null}"#;
        assert_eq!(seen("__get", page), Some(Seen::Page("hi".to_owned())));
        let timeout = r#"{"body":null,"error":"timed out"}"#;
        assert_eq!(seen("__connect", timeout), Some(Seen::Timeout));
        assert_eq!(seen("__connect", "oops"), None);
    }
}
