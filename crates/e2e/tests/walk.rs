//! The walk: one fact becomes nine values. Start reading here.
//!
//! A client allows a port in a security group, a packet to that port is delivered, and the flow log of the receiver's
//! network interface says so. Everything on the way is a plain value that prints, made by a plain function of the one
//! before it: `walk.txt` has all nine as they print. The daemon (`server`) does the same, with sockets, threads and a clock around it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use control::{Applied, Quotas};
use dataplane::{
    Dataplane, Device, Limits, Offload, Options, Ports, Snapshot, Source, TraceRequest,
};
use ec2_api::Request;
use expect_test::expect_file;
use fixture::Fixture;
use flow_logs::{Aggregation, Aggregator, Batch, ClosedWindow, Field, LogFormat, RecordLine};
use model::id::Sequence;
use model::{Change, Scope, Timestamp, World};
use packet::Mac;
use sigv4::Payload;
use store::{Journal, Record};

/// The network that the walk begins with, and the packet that goes through it. `d1` listens on 5432, but nothing lets
/// anybody in yet. (`fixture` documents this language.)
const NETWORK: &str = "
    subnet web 10.0.1.0/24
    subnet db 10.0.2.0/24
    sg sg-web
    sg sg-db
    eni w1 10.0.1.10 in web sg:sg-web
    eni d1 10.0.2.10 in db sg:sg-db
    --- w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:5432 syn
";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn one_packet_through_the_nine_values() {
    let mut walk = Walk::begin();

    // 1. What a client sends: an HTTP request, signed with AWS Signature Version 4.
    let call = [
        ("Action", "AuthorizeSecurityGroupIngress"),
        ("Version", ec2_query::VERSION),
        ("GroupId", &fixture::sg("sg-db").to_string()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        (
            "IpPermissions.1.Groups.1.GroupId",
            &fixture::sg("sg-web").to_string(),
        ),
    ];
    let body = ec2_query::form::encode(&call);
    let headers = sign(&body);
    verify(&body, &headers);
    walk.show("1 signed request", &format!("POST /\n{headers}\n\n{body}"));

    // 2. The request as a type. From here on nobody knows what it looked like on the wire.
    let form = ec2_query::form::decode(body.as_bytes()).unwrap();
    let request = ec2_query::parse(&form).unwrap();
    walk.show("2 request", &given(&request));

    // 3. What it does: an answer, and changes of the state. Nothing has changed yet.
    let Applied { response, changes } = walk.execute(&request);
    let answer = ec2_query::render(&response, "request-1");
    walk.show(
        "3 response and changes",
        &format!("{answer}\n{}", summary(&changes)),
    );

    // 4. The changes are in the journal before the client gets its answer, and whoever reads the journal gets the
    //    same state.
    let records = Record::of(NOW, changes);
    let [record] = records.as_slice() else {
        panic!("one account's change: {records:?}")
    };
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.checkpoint(&walk.network.world).unwrap();
    journal.append(&records, &[]).unwrap();
    for change in &record.changes {
        walk.network.world.apply(record.scope, change);
    }
    assert_eq!(journal.load().unwrap().regions, walk.network.world.regions);
    let json = serde_json::to_string(&record.changes).unwrap();
    walk.show(
        "4 journal record",
        &format!("{} {}\n{json}", record.at, record.scope),
    );

    // 5. The state as packets see it: immutable, shared, compiled as a whole.
    let snapshot = walk.compile();
    walk.show(
        "5 snapshot",
        &format!(
            "generation {} with {} ports",
            snapshot.generation(),
            snapshot.devices().count()
        ),
    );

    // 6. A packet. `forward` decides, and `trace` explains with the same code.
    let mut dataplane = Dataplane::new(snapshot.clone(), Limits::default());
    let verdict = walk.send(&mut dataplane);
    let trace = dataplane::trace(&snapshot, &walk.question()).unwrap();
    walk.show("6 verdict and trace", &format!("{verdict}\n{trace}"));

    // 7. What the receiver's interface saw becomes a flow log record when the window closes.
    let mut samples = Vec::new();
    dataplane.harvest(usize::MAX, &mut samples);
    let mut aggregator = Aggregator::new(Aggregation::Nitro, 1_000);
    aggregator.set_coverage(flow_logs::coverage(&walk.network.world), NOW);
    for sample in &samples {
        aggregator.observe(sample);
    }
    let windows = aggregator.close_due(NOW + Duration::from_secs(60));
    let records: Vec<_> = windows.iter().flat_map(ClosedWindow::records).collect();
    let [flow_record] = records.as_slice() else {
        panic!("one record, not {records:?}");
    };
    let line = flow_record.render(&LogFormat::default());
    walk.show("7 flow record", &line);

    // 8. Each flow log gets its records as a file under AWS's key, or as events of a log stream.
    let batches: Vec<Batch> = flow_logs::batches(&windows);
    let (bucket, key) = batches[0].s3_object(0).unwrap();
    let file = batches[0].lines.text();
    walk.show(
        "8 batch",
        &format!("s3://{bucket}/{key}\n{}", file.trim_end()),
    );

    // 9. And whoever reads the file has a row: the fact that began as an API call, seen from the far end.
    let (header, lines) = file.split_once('\n').unwrap();
    let format = LogFormat::from_header(header).unwrap();
    let row: RecordLine = format.split(lines.trim_end()).unwrap();
    assert_eq!(row.number(Field::Packets), Some(1));
    walk.show("9 row", &columns(&row));

    walk.expect();
}

/// The network, and what has been shown of the walk.
struct Walk {
    network: Fixture,
    ports: Ports,
    shown: String,
}

impl Walk {
    /// A flow log on the receiver's interface is there from the start.
    fn begin() -> Self {
        let mut walk = Self {
            network: Fixture::parse(NETWORK).unwrap(),
            ports: Ports::new(),
            shown: String::new(),
        };
        let create = ec2_api::CreateFlowLogsRequest {
            resource_type: Some("NetworkInterface".to_owned()),
            resource_ids: vec![fixture::eni("d1").to_string()],
            traffic_type: Some("ALL".to_owned()),
            log_destination_type: Some("s3".to_owned()),
            log_destination: Some("arn:aws:s3:::logs".to_owned()),
            ..Default::default()
        };
        let applied = walk.execute(&create.into());
        for (scope, change) in &applied.changes {
            walk.network.world.apply(*scope, change);
        }
        walk
    }

    fn execute(&self, request: &Request) -> Applied {
        control::execute(
            &self.network.world,
            self.network.scope,
            request,
            NOW,
            &mut Sequence(u128::from(self.network.world.generation)),
            &Quotas::default(),
        )
        .unwrap()
    }

    fn compile(&mut self) -> Arc<Snapshot> {
        let world: &World = &self.network.world;
        Arc::new(dataplane::compile(
            world,
            &mut self.ports,
            Options::default(),
        ))
    }

    /// Sends the packet as `w1`, to the router as every host of another subnet does.
    fn send(&self, dataplane: &mut Dataplane) -> String {
        let router = Snapshot::router_mac(fixture::vpc("main"));
        let packet = &self.network.sends[0];
        let mut frame = packet
            .frame(Mac(fixture::mac("w1").0), Mac(router.0))
            .unwrap();
        let port = self.ports.get(&device("w1")).unwrap();
        let verdict = dataplane.forward(port, &mut frame, Offload::default(), NOW);
        format!("{}: {verdict:?}", packet.text)
    }

    /// The same packet as a question.
    fn question(&self) -> TraceRequest {
        let packet = &self.network.sends[0];
        TraceRequest {
            source: Source::Interface(fixture::eni("w1")),
            protocol: packet.protocol,
            destination: packet.dst,
            source_port: packet.src_port,
            destination_port: packet.dst_port,
        }
    }

    /// Adds a value, with names in the place of ids.
    fn show(&mut self, title: &str, value: &str) {
        let value = self.network.readable(value);
        writeln!(self.shown, "== {title}\n{}\n", value.trim_end()).unwrap();
    }

    fn expect(&self) {
        expect_file!["walk.txt"].assert_eq(&self.shown);
    }
}

fn device(name: &str) -> Device {
    Device::Interface(fixture::eni(name))
}

const HEADERS: [(&str, &str); 2] = [
    ("host", "127.0.0.1:4566"),
    ("content-type", "application/x-www-form-urlencoded"),
];

fn http<'a>(body: &'a str, headers: &'a [(&'a str, &'a str)]) -> sigv4::Request<'a> {
    sigv4::Request {
        method: "POST",
        path: "/",
        query: "",
        headers,
        payload: Payload::Body(body.as_bytes()),
    }
}

/// The headers of the request, signed, one per line.
fn sign(body: &str) -> String {
    let credentials = sigv4::Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: SECRET,
        session_token: None,
    };
    let scope = sigv4::Scope {
        region: "us-east-1",
        service: "ec2",
    };
    let added = sigv4::sign(&http(body, &HEADERS), &credentials, &scope, NOW.as_secs()).unwrap();
    let all = HEADERS
        .into_iter()
        .chain(added.iter().map(|(name, value)| (*name, value.as_str())));
    let lines: Vec<String> = all
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

fn verify(body: &str, headers: &str) {
    let headers: Vec<(&str, &str)> = headers
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    sigv4::verify(&http(body, &headers), SECRET, NOW.as_secs(), 300).unwrap();
}

/// What a request gives, one member to a line, without what it leaves open.
fn given(request: &Request) -> String {
    let pretty = format!("{request:#?}");
    let is_given = |line: &&str| !line.ends_with("None,") && !line.ends_with("[],");
    pretty
        .lines()
        .filter(is_given)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Each change puts a row in place or takes it out. A group's row carries its rules.
fn summary(changes: &[(Scope, Change)]) -> String {
    let mut text = String::new();
    for (_, change) in changes {
        let Change::SecurityGroup(id, Some(group)) = change else {
            panic!("the request changes a group, not {change:?}");
        };
        writeln!(text, "put {id}").unwrap();
        for rule in &group.rules {
            let direction = if rule.is_egress { "egress" } else { "ingress" };
            let ports = rule
                .ports
                .map_or(String::new(), |p| format!(" {}-{}", p.from, p.to));
            let (protocol, peer) = (rule.protocol, &rule.peer);
            writeln!(text, "  {} {direction} {protocol}{ports} {peer}", rule.id).unwrap();
        }
    }
    text
}

/// `name=value` of every column.
fn columns(row: &RecordLine) -> String {
    let columns: Vec<String> = row
        .values()
        .map(|(field, value)| format!("{field}={value}"))
        .collect();
    columns.join("\n")
}
