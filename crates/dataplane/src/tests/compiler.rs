//! Whatever changes, in whatever order: what a compiler makes of the changes is what it makes of the whole world.

use fixture::Fixture;
use model::{Change, MacAddress, Scope, World};
use proptest::prelude::*;
use serde_json::Value;

use crate::*;

/// Something of every kind, in two Regions and three accounts.
const EVERYTHING: &str = "\
    vpc a 10.1.0.0/16 2001:db8:1::/56\n\
    dhcp domain-name example.com\n\
    pl corp 10.2.0.0/16 198.51.100.0/24\n\
    subnet a1 10.1.1.0/24 2001:db8:1:1::/64 local, 10.2.0.0/16 > pcx:ab, 10.3.0.0/16 > pcx:ac, 0.0.0.0/0 > nat:n1, ::/0 > eigw\n\
    subnet a2 10.1.2.0/24 local, 0.0.0.0/0 > igw, pl:corp > eni:fw\n\
    subnet a3 10.1.3.0/24 local, 0.0.0.0/0 > nat:r1\n\
    igw routes 10.1.1.0/24 > eni:fw\n\
    sg web in tcp 443 from pl:corp\n\
    sg web in all from sg:far\n\
    sg own in all from sg:web\n\
    nacl strict on a1\n\
    nacl strict in 100 allow all from 10.0.0.0/8\n\
    nacl strict out 100 allow all to 0.0.0.0/0\n\
    eni w1 10.1.1.10 10.1.1.11 2001:db8:1:1::10 in a1 sg:web\n\
    eni w2 10.1.2.10 in a2 sg:web sg:own public 203.0.113.10\n\
    eni fw 10.1.2.20 in a2 sg:own nocheck\n\
    eni node 10.1.2.30 in a2 sg:own\n\
    eni door 10.1.3.10 in a3 sg:own\n\
    nat n1 10.1.2.40 in a2 public 203.0.113.40\n\
    rnat r1 a=203.0.113.60 b=203.0.113.61 routes 0.0.0.0/0 > igw, 10.1.1.0/24 > eni:fw\n\
    nlb front node\n\
    targets app tcp 8080 w1:81 w2/unhealthy\n\
    listener front tcp 80 > app\n\
    service shared front\n\
    vpce e1 logs door private\n\
    endpoint s3 a1 a3\n\
    host 198.51.100.7\n\
    vpc b 10.2.0.0/16\n\
    subnet b1 10.2.1.0/24 local, 10.1.0.0/16 > pcx:ab, 10.3.0.0/16 > pcx:bc, 10.5.0.0/16 > eni:fw, 10.6.0.0/16 > nat:n1, 10.7.0.0/16 > nat:r1\n\
    sg far in tcp 22 from sg:web\n\
    sg far in icmp all from 10.0.0.0/8\n\
    eni b0 10.2.1.10 in b1 sg:far\n\
    eni b9 10.2.1.11 in b1 sg:far unattached\n\
    eni inner 10.2.1.12 in b1 sg:far\n\
    vpce e2 service:shared inner\n\
    scope 444455556666 us-east-1\n\
    vpc c 10.3.0.0/16\n\
    subnet c1 10.3.1.0/24 local, 10.1.0.0/16 > pcx:ac, 0.0.0.0/0 > igw\n\
    sg there in all from sg:web\n\
    eni c0 10.3.1.10 in c1 sg:there public 203.0.113.30\n\
    scope 777788889999 us-west-1\n\
    vpc d 10.4.0.0/16\n\
    subnet d1 10.4.1.0/24 local, 10.2.0.0/16 > pcx:bd\n\
    eni d0 10.4.1.10 in d1\n\
    pcx ab a b dns:b\n\
    pcx ac a c\n\
    pcx bc b c pending\n\
    pcx bd b d dns:d\n";

/// The same names for other things.
const OTHERWISE: &str = "\
    vpc a 10.1.0.0/16 10.9.0.0/16\n\
    dns hostnames off\n\
    pl corp 10.4.0.0/16\n\
    subnet a1 10.1.1.0/24 local, 0.0.0.0/0 > igw, pl:corp > pcx:ab\n\
    subnet a2 10.1.2.0/24 local, 10.8.0.0/16 > eni:w1, 10.7.0.0/16 > nat:r1\n\
    subnet a3 10.9.3.0/24\n\
    sg web in udp 53 from sg:own\n\
    sg own out tcp all to pl:corp\n\
    nacl strict on a3, a2\n\
    nacl strict in 90 deny tcp 22 from 10.0.0.0/8\n\
    eni w1 10.1.1.12 in a1 sg:own stopped\n\
    eni w2 10.1.2.10 in a2 sg:web public 203.0.113.11\n\
    eni fw 10.1.1.20 in a1 unattached\n\
    eni node 10.1.2.30 in a2 sg:web\n\
    eni spare 10.1.2.31 in a2 sg:own\n\
    eni door 10.9.3.11 in a3 sg:web\n\
    nat n1 10.1.2.41 in a2\n\
    rnat r1 c=203.0.113.61\n\
    nlb front node spare\n\
    targets app tcp 8081 w2 10.1.1.12\n\
    listener front tcp 81 > app\n\
    service shared front\n\
    vpce e1 sts door rejected\n\
    host 198.51.100.9\n\
    vpc b 10.2.0.0/16\n\
    subnet b1 10.2.1.0/24 local, 10.4.0.0/16 > pcx:bd\n\
    sg far in all from sg:there\n\
    eni b0 10.2.1.20 in b1 sg:far\n\
    eni inner 10.2.1.12 in b1\n\
    vpce e2 service:shared inner rejected\n\
    scope 444455556666 us-east-1\n\
    vpc c 10.3.0.0/16\n\
    subnet c1 10.3.1.0/24 local, 10.2.0.0/16 > pcx:bc\n\
    sg there in all from sg:far\n\
    eni c0 10.3.1.10 in c1 sg:there\n\
    scope 777788889999 us-west-1\n\
    vpc d 10.4.0.0/16\n\
    subnet d1 10.4.1.0/24 local, 0.0.0.0/0 > igw\n\
    eni d0 10.4.1.10 in d1 public 203.0.113.44\n\
    host 198.51.100.8\n\
    pcx ab a b pending\n\
    pcx ac a c deleted\n\
    pcx bc b c dns:b\n\
    pcx bd b d\n";

/// Names of states, for rows that happen to have such a field.
const STATES: [&str; 13] = [
    "Active",
    "Deleted",
    "PendingAcceptance",
    "Available",
    "Pending",
    "Failed",
    "Rejected",
    "Running",
    "Stopped",
    "Terminated",
    "Provisioning",
    "Healthy",
    "Initial",
];

struct Worlds {
    worlds: [World; 2],
    rows: Vec<(Scope, Change)>,
}

impl Worlds {
    fn new() -> Self {
        let worlds = [EVERYTHING, OTHERWISE].map(|text| Fixture::parse(text).unwrap().world);
        let regions = worlds.iter().flat_map(|world| &world.regions);
        let rows = regions.flat_map(|(scope, state)| {
            let changes = state.changes().into_iter();
            changes.map(move |change| (*scope, change))
        });
        let rows = rows.collect();
        Self { worlds, rows }
    }

    /// A row that is put in place as it is in one of the worlds, or a little different, or taken out.
    fn change(&self, [row, how, place, value]: [u16; 4]) -> (Scope, Change) {
        let (scope, change) = &self.rows[usize::from(row) % self.rows.len()];
        let json = serde_json::to_value(change).unwrap();
        let row = |json: &Value| json.as_object().unwrap().values().next().unwrap()[1].clone();
        let with = |row: Value| {
            let mut json = json.clone();
            json.as_object_mut().unwrap().values_mut().next().unwrap()[1] = row;
            serde_json::from_value::<Change>(json).ok()
        };
        let mut places = Vec::new();
        list(&row(&json), String::new(), &mut places);
        // The key of a row is its own: two rows never have the same.
        places.retain(|pointer| pointer != "/id" && pointer != "/address");
        let places = if places.is_empty() {
            vec![String::new()]
        } else {
            places
        };
        let edits = (0..8).map(|n| {
            let pointer = &places[(usize::from(place) + 7 * n) % places.len()];
            let mut row = row(&json);
            self.edit(row.pointer_mut(pointer).unwrap(), pointer, value);
            with(row)
        });
        let changed = match how % 8 {
            0 | 1 => with(Value::Null),
            2 => None,
            // The first edit that makes sense.
            _ => edits.flatten().find(|edited| edited != change),
        };
        (*scope, changed.unwrap_or_else(|| change.clone()))
    }

    fn edit(&self, spot: &mut Value, pointer: &str, value: u16) {
        let value = usize::from(value);
        match spot {
            Value::Bool(on) => *on = !*on,
            Value::Array(list) if !list.is_empty() => {
                list.remove(value % list.len());
            }
            Value::String(text) if STATES.contains(&text.as_str()) => {
                *spot = STATES[value % STATES.len()].into();
            }
            _ => {
                // What another row has at the same place.
                let (_, other) = &self.rows[value % self.rows.len()];
                let other = serde_json::to_value(other).unwrap();
                let mut others = other.as_object().unwrap().values();
                let found = others.next().and_then(|of| of[1].pointer(pointer).cloned());
                *spot = found.unwrap_or(Value::Null);
            }
        }
    }
}

/// Where something is in a value.
fn list(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                list(field, format!("{at}/{name}"), places);
            }
        }
        Value::Array(items) => {
            places.push(at.clone());
            for (n, item) in items.iter().enumerate() {
                list(item, format!("{at}/{n}"), places);
            }
        }
        _ => places.push(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn changes_come_to_what_the_world_comes_to(
        steps in prop::collection::vec(prop::collection::vec(any::<[u16; 4]>(), 1..4), 40..100),
        jump in 0_usize..100,
    ) {
        let worlds = Worlds::new();
        let options = Options {
            uplink: Some(MacAddress([0x0e, 0, 0, 0, 0, 2])),
            ..Options::default()
        };
        let mut compiler = Compiler::new(options);
        let mut world = worlds.worlds[0].clone();
        compiler.compile(&world);
        for (n, changes) in steps.iter().enumerate() {
            if n == jump {
                world = worlds.worlds[1].clone();
            }
            let changes: Vec<_> = changes.iter().map(|&picks| worlds.change(picks)).collect();
            for (scope, change) in &changes {
                world.apply(*scope, change);
            }
            let snapshot = compiler.compile(&world);
            let anew = compile(&world, &mut compiler.ports().clone(), options);
            prop_assert!(*snapshot == anew, "after step {n}: {changes:?}\n{snapshot:#?}\n{anew:#?}");
        }
    }
}

/// The edits above are worth something only if most of them are rows that the compiler has to look at.
#[test]
fn changes_are_of_every_kind() {
    let worlds = Worlds::new();
    let (mut taken_out, mut edited) = (0, 0);
    let mut seed = 1_u64;
    let mut pick = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 40) as u16
    };
    for _ in 0..2000 {
        let (_, change) = worlds.change([pick(), pick(), pick(), pick()]);
        let json = serde_json::to_value(&change).unwrap();
        let of = json.as_object().unwrap().values().next().unwrap();
        taken_out += u32::from(of[1].is_null());
        edited += u32::from(!worlds.rows.iter().any(|(_, known)| *known == change));
    }
    assert!(taken_out > 200, "{taken_out}");
    assert!(edited - taken_out > 500, "{edited}");
    let kinds = worlds.rows.iter().map(|(_, change)| {
        let json = serde_json::to_value(change).unwrap();
        json.as_object().unwrap().keys().next().unwrap().clone()
    });
    let kinds: std::collections::BTreeSet<String> = kinds.collect();
    assert!(kinds.len() >= 19, "{kinds:?}");
}
