//! Random networks, in the language of `fixture`.

use crate::Random;

/// The second octet of each VPC's block: two have the same.
const BLOCKS: [usize; 5] = [1, 2, 2, 3, 4];
const SCOPES: [&str; 5] = [
    "123456789012 us-east-1",
    "123456789012 us-east-1",
    "444455556666 us-east-1",
    "444455556666 us-east-1",
    "444455556666 us-west-1",
];
const SUBNETS: usize = 3;
const HOSTS: [&str; 5] = [
    "198.51.100.7",
    "198.51.100.8",
    "52.216.0.9",
    "2001:db8:ffff::7",
    "2001:db8:ffff::8",
];

/// A connection between two of the VPCs.
struct Pair {
    ends: [usize; 2],
    status: &'static str,
}

/// A network: five VPCs of two accounts in two Regions, with whatever joins them to each other and the internet.
pub fn network(random: &mut Random) -> String {
    let pairs = pairs(random);
    let mut text = String::new();
    for vpc in 0..BLOCKS.len() {
        let block = BLOCKS[vpc];
        text += &format!("scope {}\n", SCOPES[vpc]);
        text += &format!("vpc v{vpc} 10.{block}.0.0/16 2001:db8:{vpc}00::/56\n");
        let list = random.pick(&[
            "10.2.0.0/16 198.51.100.8/32",
            "10.0.0.0/9",
            "198.51.100.0/24 52.216.0.0/15",
        ]);
        text += &format!("pl l{vpc} {list}\n");
        for subnet in 0..SUBNETS {
            let routes = routes(random, vpc, subnet, &pairs);
            text += &format!(
                "subnet s{vpc}{subnet} 10.{block}.{subnet}.0/24 2001:db8:{vpc}00:{subnet}::/64 local{routes}\n"
            );
        }
        text += &format!("zone s{vpc}2 b\n");
        for (service, percent) in [("s3", 50), ("dynamodb", 30)] {
            if random.chance(percent) {
                text += &format!("endpoint {service} s{vpc}{}\n", random.below(SUBNETS));
            }
        }
        text += &gateways(random, vpc);
        text += &groups(random, vpc, &pairs);
        text += &network_acls(random, vpc);
        text += &interfaces(random, vpc);
        text += &load_balancer(random, vpc);
        text += &endpoints(random, vpc);
        text += &endpoint_of_aws(random, vpc);
    }
    for (number, pair) in pairs.iter().enumerate() {
        let [a, b] = pair.ends;
        text += &format!("pcx p{number} v{a} v{b}{}\n", pair.status);
    }
    for host in HOSTS {
        text += &format!("host {host}\n");
    }
    text
}

/// Any two VPCs whose blocks do not overlap, once at most.
fn pairs(random: &mut Random) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (a, block) in BLOCKS.iter().enumerate() {
        for (b, other) in BLOCKS.iter().enumerate().skip(a + 1) {
            if block != other && random.chance(60) {
                let ends = if random.chance(50) { [a, b] } else { [b, a] };
                let status = *random.pick(&["", "", "", "", "", " pending", " deleted"]);
                pairs.push(Pair { ends, status });
            }
        }
    }
    pairs
}

fn routes(random: &mut Random, vpc: usize, subnet: usize, pairs: &[Pair]) -> String {
    let mut text = String::new();
    // Nobody would see which port one gateway takes towards another.
    let nat = match subnet {
        0 => "igw".to_owned(),
        _ => format!("nat:n{vpc}{}", random.below(2)),
    };
    let middlebox = format!("eni:e{vpc}{}1", random.below(SUBNETS));
    for (number, pair) in pairs.iter().enumerate() {
        let [a, b] = pair.ends;
        let Some(other) = [(a, b), (b, a)]
            .iter()
            .find(|(own, _)| *own == vpc)
            .map(|(_, b)| *b)
        else {
            continue;
        };
        let block = BLOCKS[other];
        let target = match random.below(8) {
            0..=2 => nat.clone(),
            3 => middlebox.clone(),
            _ => format!("pcx:p{number}"),
        };
        if random.chance(80) {
            text += &format!(", 10.{block}.0.0/16 > {target}");
        }
        if random.chance(30) {
            text += &format!(
                ", 10.{block}.{}.10/32 > pcx:p{number}",
                random.below(SUBNETS)
            );
        }
        if random.chance(60) {
            text += &format!(", 2001:db8:{other}00::/56 > pcx:p{number}");
        }
    }
    let anybodys = format!("pcx:p{}", random.below(pairs.len() + 1));
    let targets = ["igw", &nat, &nat, &nat, &middlebox, &anybodys];
    if random.chance(85) {
        text += &format!(", 0.0.0.0/0 > {}", random.pick(&targets));
    }
    if random.chance(85) {
        text += &format!(
            ", ::/0 > {}",
            random.pick(&["igw", "eigw", "eigw", &anybodys])
        );
    }
    for to in [
        "198.51.100.8/32".to_owned(),
        "52.216.0.0/16".to_owned(),
        format!("pl:l{vpc}"),
        "10.0.0.0/8".to_owned(),
        format!("10.{}.{}.0/24", BLOCKS[vpc], random.below(SUBNETS)),
    ] {
        if random.chance(15) {
            let inside = to.contains(&format!("10.{}.", BLOCKS[vpc]));
            let at_hand = [&*nat, &*middlebox];
            let target = match inside {
                true => random.pick(&at_hand),
                false => random.pick(&targets),
            };
            // Inside the VPC only gateways and interfaces are targets.
            if !(inside && *target == "igw") {
                text += &format!(", {to} > {target}");
            }
        }
    }
    text
}

fn gateways(random: &mut Random, vpc: usize) -> String {
    let block = BLOCKS[vpc];
    let mut text = String::new();
    let public = if random.chance(75) {
        format!(" public 203.0.{vpc}.220")
    } else {
        String::new()
    };
    text += &format!("nat n{vpc}0 10.{block}.0.22{vpc} in s{vpc}0{public}\n");
    text += &format!("nat n{vpc}1 10.{block}.0.23{vpc} in s{vpc}0\n");
    if random.chance(90) {
        text += "igw\n";
        if random.chance(25) {
            let (subnet, at) = (random.below(SUBNETS), random.below(SUBNETS));
            text += &format!("igw routes 10.{block}.{subnet}.0/24 > eni:e{vpc}{at}1\n");
        }
    }
    text
}

fn rule(random: &mut Random, towards: &str, peer: &str) -> String {
    let icmp = if peer.contains("::") {
        "icmpv6"
    } else {
        "icmp"
    };
    match random.below(10) {
        0..=2 => format!("all {towards} {peer}"),
        3 | 4 => format!("tcp all {towards} {peer}"),
        5 => format!(
            "tcp {}-{} {towards} {peer}",
            1 + random.below(2),
            2 + random.below(2)
        ),
        6 => format!(
            "udp {} {towards} {peer}",
            ["all", "2", "1024-65535"][random.below(3)]
        ),
        7 => format!(
            "tcp {} {towards} {peer}",
            random.pick(&["1024-65535", "443", "53-443"])
        ),
        8 => format!(
            "{icmp} {} {towards} {peer}",
            ["all", "8", "128", "0/0"][random.below(4)]
        ),
        _ => format!("gre {towards} {peer}"),
    }
}

fn block(random: &mut Random) -> String {
    let octet = 1 + random.below(4);
    match random.below(9) {
        0 | 1 => "0.0.0.0/0".to_owned(),
        2 | 3 => "::/0".to_owned(),
        4 => format!("10.{octet}.0.0/16"),
        5 => format!("10.{octet}.{}.0/24", random.below(SUBNETS)),
        6 => format!("2001:db8:{octet}00::/56"),
        7 => "198.51.100.0/24".to_owned(),
        _ => "10.0.0.0/8".to_owned(),
    }
}

fn groups(random: &mut Random, vpc: usize, pairs: &[Pair]) -> String {
    let mut text = String::new();
    let joined = pairs.iter().filter(|pair| pair.ends.contains(&vpc));
    let mut vpcs: Vec<usize> = joined.flat_map(|pair| pair.ends).collect();
    vpcs.push(vpc);
    for name in ["a", "b"] {
        let group = format!("g{vpc}{name}");
        text += &format!("sg {group}\n");
        for (direction, towards) in [("in", "from"), ("out", "to")] {
            // Without a line, all may go out.
            let open = direction == "out" && random.chance(60);
            let rules = if open { 0 } else { 1 + random.below(5) };
            for _ in 0..rules {
                let peer = match random.below(8) {
                    0 => format!("sg:g{}a", random.pick(&vpcs)),
                    1 => format!("sg:g{}b", random.pick(&vpcs)),
                    2 => format!("pl:{}", random.pick(&[&*format!("l{vpc}"), "s3"])),
                    _ => block(random),
                };
                text += &format!("sg {group} {direction} {}\n", rule(random, towards, &peer));
            }
        }
    }
    text
}

fn network_acls(random: &mut Random, vpc: usize) -> String {
    let mut text = String::new();
    for subnet in 0..SUBNETS {
        if random.chance(60) {
            continue;
        }
        let acl = format!("a{vpc}{subnet}");
        text += &format!("nacl {acl} on s{vpc}{subnet}\n");
        for (direction, towards) in [("in", "from"), ("out", "to")] {
            for _ in 0..random.below(4) {
                let number = 1 + random.below(99);
                let action = random.pick(&["allow", "deny", "deny"]);
                let block = block(random);
                text += &format!(
                    "nacl {acl} {direction} {number} {action} {}\n",
                    rule(random, towards, &block)
                );
            }
            for (number, block) in [(100, "0.0.0.0/0"), (101, "::/0")] {
                if random.chance(85) {
                    text +=
                        &format!("nacl {acl} {direction} {number} allow all {towards} {block}\n");
                }
            }
        }
    }
    text
}

/// Three in each subnet: one may have a public address, one forwards, one may be stopped.
fn interfaces(random: &mut Random, vpc: usize) -> String {
    let block = BLOCKS[vpc];
    let mut text = String::new();
    for subnet in 0..SUBNETS {
        for number in 0..3 {
            let group = *random.pick(&["a", "b"]);
            // In the VPC with the same block, the address of a NAT gateway may be somebody else's.
            let host = match (subnet, number) {
                (0, 2) => 221 + vpc % 2,
                _ => 10 + number,
            };
            text += &format!(
                "eni e{vpc}{subnet}{number} 10.{block}.{subnet}.{host} 2001:db8:{vpc}00:{subnet}::{host} in s{vpc}{subnet} sg:g{vpc}{group}"
            );
            if number == 1 {
                text += " nocheck";
            }
            if number < 2 && random.chance(60) {
                text += &format!(" public 203.0.{vpc}.1{subnet}{number}");
            }
            if number == 2 && random.chance(30) {
                text += " stopped";
            }
            text += "\n";
        }
    }
    text
}

/// With a node in one zone or in both, and a listener for each port that packets are sent to.
fn load_balancer(random: &mut Random, vpc: usize) -> String {
    let (block, subnet) = (BLOCKS[vpc], random.below(2));
    let mut text = format!("eni lb{vpc}0 10.{block}.{subnet}.24{vpc} in s{vpc}{subnet}");
    if random.chance(50) {
        text += &format!(" public 203.0.{vpc}.240");
    }
    text += &format!("\neni lb{vpc}1 10.{block}.2.24{vpc} in s{vpc}2\nnlb lb{vpc} lb{vpc}0");
    for (word, percent) in [
        (format!("lb{vpc}1"), 60),
        (format!("sg:g{vpc}a"), 50),
        ("crosszone".to_owned(), 60),
        ("unenforced".to_owned(), 30),
    ] {
        if random.chance(percent) {
            text += &format!(" {word}");
        }
    }
    text += "\n";
    for (port, protocol) in [(1, "tcp"), (2, "tcp_udp"), (3, "udp")] {
        let to = 1 + random.below(3);
        text += &format!("targets t{vpc}{port} {protocol} {to}");
        for (word, percent) in [("nopreserve", 40), ("sticky", 20)] {
            if random.chance(percent) {
                text += &format!(" {word}");
            }
        }
        for _ in 0..1 + random.below(3) {
            text += &format!(" {}", target(random, vpc));
        }
        text += &format!("\nlistener lb{vpc} {protocol} {port} > t{vpc}{port}\n");
    }
    text + &format!("service shared{vpc} lb{vpc}\n")
}

/// Mostly somebody in the VPC; or any address of a peer's, a node, or an endpoint.
fn target(random: &mut Random, vpc: usize) -> String {
    let subnet = random.below(SUBNETS);
    let other = random.below(BLOCKS.len());
    let host = match random.below(12) {
        0 => format!("10.{}.{subnet}.10", BLOCKS[other]),
        1 => format!("10.{}.{subnet}.24{other}", BLOCKS[other]),
        2 => format!("10.{}.{subnet}.25{vpc}", BLOCKS[vpc]),
        _ => format!("e{vpc}{subnet}{}", random.below(3)),
    };
    let port = match random.chance(30) {
        true => format!(":{}", 1 + random.below(3)),
        false => String::new(),
    };
    let states = ["/initial", "/unhealthy", "/failed", "/draining"];
    let state = if random.chance(25) {
        *random.pick(&states)
    } else {
        ""
    };
    format!("{host}{port}{state}")
}

/// To the endpoint services of this VPC and of those before it.
fn endpoints(random: &mut Random, vpc: usize) -> String {
    let (block, subnet) = (BLOCKS[vpc], random.below(2));
    let mut text = String::new();
    for (number, at) in [subnet, 2].into_iter().enumerate() {
        let group = *random.pick(&["a", "b"]);
        text += &format!(
            "eni ep{vpc}{number} 10.{block}.{at}.25{vpc} in s{vpc}{at} sg:g{vpc}{group}\n"
        );
    }
    // In the same Region.
    let provider = match SCOPES[vpc].ends_with("us-east-1") {
        true => random.below(vpc + 1),
        false => vpc,
    };
    let state = *random.pick(&["", "", "", "", " rejected", " pending"]);
    text + &format!("vpce v{vpc} service:shared{provider} ep{vpc}0 ep{vpc}1{state}\n")
}

/// To one of AWS's services, or to one that nobody has here.
fn endpoint_of_aws(random: &mut Random, vpc: usize) -> String {
    let (block, subnet) = (BLOCKS[vpc], random.below(2));
    let mut text = String::new();
    for (number, at) in [subnet, 2].into_iter().enumerate() {
        let group = *random.pick(&["a", "b"]);
        let ipv6 = match random.chance(50) {
            true => format!(" 2001:db8:{vpc}00:{at}::20{vpc}"),
            false => String::new(),
        };
        text += &format!(
            "eni w{vpc}{number} 10.{block}.{at}.20{vpc}{ipv6} in s{vpc}{at} sg:g{vpc}{group}\n"
        );
    }
    let services = ["s3", "logs", "ec2", "sts", "kinesis-firehose", "sqs"];
    let service = *random.pick(&services);
    let state = *random.pick(&["", "", "", "", "", "", " pending"]);
    text + &format!("vpce w{vpc} {service} w{vpc}0 w{vpc}1{state}\n")
}
