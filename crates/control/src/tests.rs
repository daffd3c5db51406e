//! A small world to carry out requests in, and tests of whole actions.

mod absent;
mod address;
mod dhcp_options;
mod egress_only_internet_gateway;
mod elbv2;
mod flow_log;
mod gateway_route_table;
mod iam;
mod instance;
mod interface_endpoint;
mod internet_gateway;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod prefix_list;
mod properties;
mod refusal;
mod region;
mod route_table;
mod security_group;
mod security_group_modify;
mod subnet;
mod subnet_cidr_reservation;
mod tag;
mod vpc;
mod vpc_endpoint;
mod vpc_endpoint_service;
mod vpc_peering_connection;

use std::fmt::{Debug, Write};

use ec2_api::{Filter, Request, Response, Tag, TagSpecification};
use model::id::Sequence;
use model::{Scope, State, Timestamp, World};

use crate::{Call, Error, Event, Quotas, execute, observe};

/// One account in one Region, with its default VPC in place.
pub(crate) struct Fixture {
    pub(crate) world: World,
    pub(crate) scope: Scope,
    pub(crate) now: Timestamp,
    pub(crate) quotas: Quotas,
    pub(crate) entropy: Sequence,
}

impl Fixture {
    /// Account 111122223333 in us-east-1. Ids count up.
    pub(crate) fn new() -> Self {
        let scope = Scope {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let mut fixture = Self {
            world: World::default(),
            scope,
            now: Timestamp::from_secs(1_714_557_600),
            quotas: Quotas::default(),
            entropy: Sequence(0),
        };
        let describe = ec2_api::DescribeVpcsRequest::default();
        fixture.run(describe).unwrap();
        fixture
    }

    /// Carries out a request and applies what it changed; a refused one must change nothing.
    pub(crate) fn run(&mut self, request: impl Into<Request>) -> Result<Response, Error> {
        self.call(&request.into())
    }

    /// The same for a request of any service.
    pub(crate) fn call<C: Call>(&mut self, request: &C) -> Result<C::Response, Error> {
        let applied = execute(
            &self.world,
            self.scope,
            request,
            self.now,
            &mut self.entropy,
            &self.quotas,
        )?;
        for (scope, change) in &applied.changes {
            self.world.apply(*scope, change);
        }
        Ok(applied.response)
    }

    /// `Code: message` of a request that is refused.
    pub(crate) fn refused(&mut self, request: impl Into<Request>) -> String {
        let request = request.into();
        match self.run(request.clone()) {
            Ok(response) => panic!("{request:?} succeeded with {response:?}"),
            Err(error) => format!("{}: {error}", error.code()),
        }
    }

    /// Takes note of an event and applies what it changed.
    pub(crate) fn observe(&mut self, event: &Event) -> Result<(), Error> {
        let changes = observe(
            &self.world,
            self.scope,
            event,
            self.now,
            &mut self.entropy,
            &self.quotas,
        )?;
        for (scope, change) in &changes {
            self.world.apply(*scope, change);
        }
        Ok(())
    }

    /// What the account has in the Region.
    pub(crate) fn state(&self) -> &State {
        self.world.region(&self.scope).unwrap()
    }
}

/// Carries out a request that must succeed: `answer!(fixture, CreateVpc, request)`.
macro_rules! answer {
    ($fixture:expr, $action:ident, $request:expr) => {
        match $fixture.run($request) {
            Ok(ec2_api::Response::$action(response)) => *response,
            other => panic!("{other:?}"),
        }
    };
}
pub(crate) use answer;

/// An optional text, as requests have it.
#[expect(clippy::needless_pass_by_value, reason = "ids and literals alike")]
pub(crate) fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// One filter with its values.
pub(crate) fn filter(name: &str, values: &[&str]) -> Vec<Filter> {
    vec![Filter {
        name: text(name),
        values: values.iter().map(ToString::to_string).collect(),
    }]
}

/// The tag `Name` for the resources of a type that a request creates.
pub(crate) fn named(resource_type: &str, name: &str) -> Vec<TagSpecification> {
    vec![TagSpecification {
        resource_type: text(resource_type),
        tags: vec![Tag {
            key: text("Name"),
            value: text(name),
        }],
    }]
}

/// Pretty debug text without `Some`, absent members and empty lists.
pub(crate) fn show(value: &impl Debug) -> String {
    let pretty = format!("{value:#?}");
    let (mut out, mut depth) = (String::new(), 0_usize);
    // Whether each open bracket is a `Some(`, which leaves no trace.
    let mut open: Vec<bool> = Vec::new();
    for line in pretty.lines().map(str::trim) {
        if line.ends_with(": None,") || line.ends_with(": [],") {
            continue;
        }
        if matches!(line.chars().next(), Some('}' | ']' | ')')) && open.pop() == Some(true) {
            continue;
        }
        if matches!(line.chars().next(), Some('}' | ']' | ')')) {
            depth -= 1;
        }
        let after_name = out.ends_with(": ");
        let indent = if after_name { 0 } else { depth * 2 };
        if let Some(name) = line.strip_suffix("Some(") {
            open.push(true);
            write!(out, "{:indent$}{name}", "").unwrap();
            continue;
        }
        if matches!(line.chars().last(), Some('{' | '[' | '(')) {
            open.push(false);
            depth += 1;
        }
        writeln!(out, "{:indent$}{line}", "").unwrap();
    }
    out
}
