//! What is refused, fact by fact: each file beside this one is one subject, and each of its lines a request in the words
//! of the wire and what comes of it. `UPDATE_EXPECT=1` writes down what comes of it now.
//!
//! ```text
//! # §4 What AWS's documentation says of it
//! as 111122223333 us-east-1         who calls from here on, and where
//! quota vpcs 9 · after 168h         what else the outcome depends on
//! vpc-a = CreateVpc CidrBlock=…     must succeed; `vpc-a` then stands for the first id of that kind in the answer
//! + AttachInternetGateway …         must succeed
//! - CreateRoute …                   the next line has its HTTP status, code and message
//! - DescribeVpcs … | vpcId state    the next line has its status and these elements of the answer
//! ```

use std::time::Duration;

use ec2_query::{Tree, elbv2};
use expect_test::expect_file;
use model::Scope;

use super::Fixture;
use crate::Event;

/// How names of endpoint services begin, before their ids.
const SERVICES: &str = "com.amazonaws.vpce.us-east-1.";

/// A file that is being played, and the names that it has given to ids.
struct Sheet {
    fixture: Fixture,
    names: Vec<(String, String)>,
}

/// What a request came to.
enum Outcome {
    Answered(Tree),
    Refused(u16, String, String),
}

/// The file with the outcomes of now.
fn play(text: &str) -> String {
    let mut sheet = Sheet {
        fixture: Fixture::new(),
        names: Vec::new(),
    };
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        out += &format!("{line}\n");
        if let Some(outcome) = sheet.line(line) {
            out += &format!("    {outcome}\n");
        }
    }
    out
}

impl Sheet {
    /// Plays one line; what there is to write below it.
    fn line(&mut self, line: &str) -> Option<String> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first {
            "" | "#" => {}
            "as" => self.enter(rest),
            "quota" => self.quota(rest),
            "after" => self.pass(rest),
            "+" => drop(self.must(rest)),
            "-" => {
                let (request, shown) = rest.split_once(" | ").unwrap_or((rest, ""));
                let outcome = self.ask(request);
                return Some(self.written(&outcome, shown));
            }
            name => {
                let request = rest.strip_prefix("= ");
                let request = request.unwrap_or_else(|| panic!("not a line of a sheet: {line}"));
                let answer = self.must(request);
                let is_one = is_id_of(name.split('-').next().unwrap());
                let id = texts(&answer).into_iter().find(is_one);
                let id = id.unwrap_or_else(|| panic!("{request}: no id of {name}"));
                self.names.push((name.to_owned(), id));
            }
        }
        None
    }

    fn enter(&mut self, words: &str) {
        let (account, region) = words.split_once(' ').unwrap();
        self.fixture.scope = Scope {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
        };
    }

    fn quota(&mut self, words: &str) {
        let (name, value) = words.split_once(' ').unwrap();
        let known = self.fixture.quotas.set(name, value.parse().unwrap());
        assert!(known, "{name}");
    }

    /// Hours pass, or seconds, and everybody's tick comes.
    fn pass(&mut self, time: &str) {
        let (number, unit) = time.split_at(time.len() - 1);
        let number: u64 = number.parse().unwrap();
        let seconds = match unit {
            "h" => number * 3600,
            _ => number,
        };
        self.fixture.now = self.fixture.now + Duration::from_secs(seconds);
        let own = self.fixture.scope;
        let scopes: Vec<Scope> = self.fixture.world.regions.keys().copied().collect();
        for scope in scopes {
            self.fixture.scope = scope;
            self.fixture.observe(&Event::Tick).unwrap();
        }
        self.fixture.scope = own;
    }

    fn must(&mut self, request: &str) -> Tree {
        match self.ask(request) {
            Outcome::Answered(answer) => answer,
            Outcome::Refused(_, code, message) => panic!("{request}: {code}: {message}"),
        }
    }

    /// Carries out a request: of EC2, or if EC2 has no such action, of Elastic Load Balancing.
    fn ask(&mut self, line: &str) -> Outcome {
        let form = self.form(line);
        match ec2_query::parse(&form) {
            Ok(request) => match self.fixture.call(&request) {
                Ok(answer) => Outcome::Answered(ec2_query::elements(&answer)),
                Err(error) => refused(&error),
            },
            Err(ec2_query::Error::InvalidAction(action)) => match elbv2::parse(&form) {
                Ok(request) => match self.fixture.call(&request) {
                    Ok(answer) => Outcome::Answered(elbv2::elements(&answer)),
                    Err(error) => refused(&error),
                },
                Err(_) => panic!("no service has the action {action}"),
            },
            Err(error) => Outcome::Refused(400, error.code().to_owned(), error.to_string()),
        }
    }

    /// `Action Name=Value …`, where a value with spaces stands in single quotes and a name is its id.
    fn form(&self, line: &str) -> Vec<(String, String)> {
        let mut form = Vec::new();
        let mut word = String::new();
        let mut quoted = false;
        for letter in line.chars().chain([' ']) {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted && !word.is_empty() => {
                    let word = std::mem::take(&mut word);
                    let (name, value) = word.split_once('=').unwrap_or(("Action", &word));
                    form.push((name.to_owned(), self.id(value)));
                }
                ' ' if !quoted => {}
                letter => word.push(letter),
            }
        }
        form
    }

    fn id(&self, value: &str) -> String {
        let (before, name) = match value.strip_prefix(SERVICES) {
            Some(name) => (SERVICES, name),
            None => ("", value),
        };
        let named = self.names.iter().rev().find(|(own, _)| own == name);
        named.map_or_else(|| value.to_owned(), |(_, id)| format!("{before}{id}"))
    }

    /// An outcome with names for ids.
    fn written(&self, outcome: &Outcome, shown: &str) -> String {
        let mut text = match outcome {
            Outcome::Refused(status, code, message) => format!("{status} {code}: {message}"),
            Outcome::Answered(answer) => {
                let mut text = "200".to_owned();
                for name in shown.split_whitespace() {
                    let mut values = Vec::new();
                    elements(answer, name, &mut values);
                    text += &format!(" {name}={}", values.join(","));
                }
                text
            }
        };
        for (name, id) in &self.names {
            text = text.replace(id, name);
        }
        text
    }
}

fn refused(error: &crate::Error) -> Outcome {
    Outcome::Refused(error.status(), error.code().to_owned(), error.to_string())
}

/// Whether a text is an id of a kind: `vpc-` and digits, not `vpc-cidr-assoc-`; of load balancers, their ARN.
fn is_id_of(kind: &str) -> impl Fn(&String) -> bool {
    move |text| match kind {
        "lb" => text.starts_with("arn:aws:elasticloadbalancing:"),
        // The name for it has a hyphen of its own.
        "vpce" if text.starts_with("vpce-svc-") => true,
        kind => text
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|digits| !digits.contains('-')),
    }
}

/// Every text of an answer, in order.
fn texts(answer: &Tree) -> Vec<String> {
    match answer {
        Tree::Structure(fields) => fields.iter().flat_map(|(_, field)| texts(field)).collect(),
        Tree::List(items) => items.iter().flat_map(texts).collect(),
        Tree::Text(text) => vec![text.clone()],
        Tree::Integer(number) => vec![number.to_string()],
        Tree::Float(number) => vec![number.to_string()],
        Tree::Boolean(value) => vec![value.to_string()],
    }
}

/// The texts of every element of a name.
fn elements(answer: &Tree, name: &str, values: &mut Vec<String>) {
    match answer {
        Tree::Structure(fields) => {
            for (own, field) in fields {
                match own == name {
                    true => values.extend(texts(field)),
                    false => elements(field, name, values),
                }
            }
        }
        Tree::List(items) => items.iter().for_each(|item| elements(item, name, values)),
        _ => {}
    }
}

#[test]
fn of_vpc_peering_connections() {
    expect_file!["refusal/vpc_peering.txt"]
        .assert_eq(&play(include_str!("refusal/vpc_peering.txt")));
}

#[test]
fn of_vpc_endpoints() {
    let sheet = include_str!("refusal/vpc_endpoints.txt");
    expect_file!["refusal/vpc_endpoints.txt"].assert_eq(&play(sheet));
}

#[test]
fn of_gateways_routes_and_rules() {
    let sheet = include_str!("refusal/vpc_networking.txt");
    expect_file!["refusal/vpc_networking.txt"].assert_eq(&play(sheet));
}
