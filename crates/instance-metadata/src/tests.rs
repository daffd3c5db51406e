//! Requests as instances make them, against a small network.

use expect_test::expect;
use fixture::Fixture;
use model::Change;

use super::*;

const NETWORK: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56
subnet web 10.0.1.0/24 local, 0.0.0.0/0 > igw
sg web in tcp 80 from 0.0.0.0/0
eni w1 10.0.1.10 in web sg:web public 203.0.113.10
eni w2 10.0.1.11 in web";

struct Case {
    fixture: Fixture,
    key: TokenKey,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        Self {
            fixture: Fixture::parse(NETWORK).unwrap(),
            key: TokenKey::new([7; 32]),
            now: Timestamp::from_secs(1_000),
        }
    }

    fn state(&self) -> &State {
        &self.fixture.world.regions[&self.fixture.scope]
    }

    fn change(&mut self, change: impl FnOnce(&mut Instance)) {
        let mut instance = self
            .state()
            .instances
            .get(&fixture::instance("w1"))
            .unwrap()
            .clone();
        change(&mut instance);
        let state = self
            .fixture
            .world
            .regions
            .get_mut(&self.fixture.scope)
            .unwrap();
        state.apply(&Change::Instance(instance.id, Some(Box::new(instance))));
    }

    fn ask(&self, name: &str, request: &Request<'_>) -> Answer {
        let asker = Asker {
            scope: self.fixture.scope,
            state: self.state(),
            interface: fixture::eni(name),
            architecture: "x86_64",
        };
        answer(&asker, request, &self.key, self.now)
    }

    fn get(&self, path: &str) -> String {
        let request = Request {
            method: "GET",
            path,
            ..Request::default()
        };
        let answer = self.ask("w1", &request);
        let text = String::from_utf8(answer.body).unwrap();
        match answer.status {
            200 => self.fixture.readable(&text),
            status => status.to_string(),
        }
    }

    fn token(&self, name: &str, ttl: &str) -> Answer {
        let request = Request {
            method: "PUT",
            path: "/latest/api/token",
            token_ttl: Some(ttl),
            ..Request::default()
        };
        self.ask(name, &request)
    }

    fn status_with(&self, name: &str, token: Option<&str>) -> u16 {
        let request = Request {
            method: "GET",
            path: "/latest/meta-data/",
            token,
            ..Request::default()
        };
        self.ask(name, &request).status
    }
}

/// Every path with its text, the way a program would find them: by the listings.
fn walk(case: &Case, path: &str, out: &mut String) {
    for name in case.get(path).lines() {
        let below = format!("{path}{name}");
        if name.ends_with('/') {
            walk(case, &below, out);
        } else {
            let text = case.get(&below).replace('\n', " | ");
            out.push_str(&format!("{} {text}\n", case.fixture.readable(&below)));
        }
    }
}

#[test]
fn the_whole_tree_is_found_by_its_listings() {
    let mut case = Case::new();
    case.change(|instance| {
        instance.metadata_options.instance_metadata_tags = true;
        instance.tags.insert("Name".to_owned(), "web".to_owned());
    });
    let mut out = String::new();
    walk(&case, "/latest/meta-data/", &mut out);
    expect![[r#"
        /latest/meta-data/ami-id ami-a30012f83465fecbc
        /latest/meta-data/ami-launch-index 0
        /latest/meta-data/ami-manifest-path (unknown)
        /latest/meta-data/events/maintenance/history []
        /latest/meta-data/events/maintenance/scheduled []
        /latest/meta-data/hostname ip-10-0-1-10.ec2.internal
        /latest/meta-data/instance-action none
        /latest/meta-data/instance-id i:w1
        /latest/meta-data/instance-life-cycle on-demand
        /latest/meta-data/instance-type t3.micro
        /latest/meta-data/local-hostname ip-10-0-1-10.ec2.internal
        /latest/meta-data/local-ipv4 10.0.1.10
        /latest/meta-data/mac 02:08:cb:87:07:b5
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/device-number 0
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/interface-id w1
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/ipv4-associations/203.0.113.10 10.0.1.10
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/local-hostname ip-10-0-1-10.ec2.internal
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/local-ipv4s 10.0.1.10
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/mac 02:08:cb:87:07:b5
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/network-card-index 0
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/owner-id 123456789012
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/public-hostname ec2-203-0-113-10.compute-1.amazonaws.com
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/public-ipv4s 203.0.113.10
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/security-group-ids web
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/security-groups web
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/subnet-id web
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/subnet-ipv4-cidr-block 10.0.1.0/24
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/vpc-id main
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/vpc-ipv4-cidr-block 10.0.0.0/16
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/vpc-ipv4-cidr-blocks 10.0.0.0/16
        /latest/meta-data/network/interfaces/macs/02:08:cb:87:07:b5/vpc-ipv6-cidr-blocks 2001:db8:0:100::/56
        /latest/meta-data/placement/availability-zone us-east-1a
        /latest/meta-data/placement/availability-zone-id use1-az1
        /latest/meta-data/placement/region us-east-1
        /latest/meta-data/profile default-hvm
        /latest/meta-data/public-hostname ec2-203-0-113-10.compute-1.amazonaws.com
        /latest/meta-data/public-ipv4 203.0.113.10
        /latest/meta-data/reservation-id r-7d1f9b4b05b4adcdb
        /latest/meta-data/security-groups web
        /latest/meta-data/services/domain amazonaws.com
        /latest/meta-data/services/partition aws
        /latest/meta-data/tags/instance/Name web
    "#]].assert_eq(&out);
}

#[test]
fn the_top_and_what_is_not_there() {
    let mut case = Case::new();
    assert!(case.get("/").starts_with("1.0\n") && case.get("/").ends_with("\nlatest"));
    assert_eq!(case.get("/latest"), "dynamic\nmeta-data");
    assert_eq!(case.get("/latest/user-data"), "404");
    case.change(|instance| instance.user_data = Some("aGVsbG8=".to_owned()));
    assert_eq!(case.get("/2009-04-04/"), "dynamic\nmeta-data\nuser-data");
    assert_eq!(case.get("//latest//user-data"), "hello");
    assert_eq!(case.get("/latest/meta-data/placement/region"), "us-east-1");
    for path in [
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/tags/instance/",
        "/latest/meta-data/instance-id/more",
        "/latest/meta-data/network/interfaces/macs/02:00:00:00:00:00/",
        "/latest/meta-data/spot/instance-action",
        "/latest/dynamic/instance-identity/signature",
        "/2001-01-01/meta-data/",
        "/../latest/",
    ] {
        assert_eq!(case.get(path), "404", "{path}");
    }
}

#[test]
fn the_identity_document() {
    expect![[r#"
        {
          "accountId": "123456789012",
          "architecture": "x86_64",
          "availabilityZone": "us-east-1a",
          "billingProducts": null,
          "devpayProductCodes": null,
          "imageId": "ami-a30012f83465fecbc",
          "instanceId": "i:w1",
          "instanceType": "t3.micro",
          "kernelId": null,
          "marketplaceProductCodes": null,
          "pendingTime": "1970-01-01T00:00:00Z",
          "privateIp": "10.0.1.10",
          "ramdiskId": null,
          "region": "us-east-1",
          "version": "2017-09-30"
        }"#]]
    .assert_eq(&Case::new().get("/latest/dynamic/instance-identity/document"));
}

#[test]
fn tokens_belong_to_one_instance_and_expire() {
    let mut case = Case::new();
    case.change(|instance| {
        instance.metadata_options.http_tokens_required = true;
        instance.metadata_options.http_put_response_hop_limit = 2;
    });
    let answer = case.token("w1", "60");
    assert_eq!(
        (answer.status, answer.token_ttl_s, answer.hop_limit),
        (200, Some(60), Some(2))
    );
    let token = String::from_utf8(answer.body).unwrap();
    assert_eq!(token.len(), 56);
    let other = String::from_utf8(case.token("w2", "60").body).unwrap();
    assert_eq!(case.status_with("w1", Some(&token)), 200);
    assert_eq!(case.status_with("w1", None), 401, "tokens are required");
    assert_eq!(case.status_with("w2", None), 200, "there they are not");
    assert_eq!(case.status_with("w1", Some(&other)), 401);
    assert_eq!(case.status_with("w2", Some(&token)), 401);
    for wrong in ["", "no base64!", "AAAA", &token[..55]] {
        assert_eq!(case.status_with("w1", Some(wrong)), 401, "{wrong}");
    }
    case.now = Timestamp::from_secs(1_059);
    assert_eq!(case.status_with("w1", Some(&token)), 200);
    case.now = Timestamp::from_secs(1_060);
    assert_eq!(case.status_with("w1", Some(&token)), 401, "expired");
    case.now = Timestamp::from_secs(1_000);
    case.key = TokenKey::new([8; 32]);
    assert_eq!(case.status_with("w1", Some(&token)), 401, "another key");
}

#[test]
fn misuse_is_refused() {
    let mut case = Case::new();
    for ttl in ["", "0", "21601", "-1", "1.5", "x", "99999999999999999999"] {
        assert_eq!(case.token("w1", ttl).status, 400, "{ttl}");
    }
    let token = Request {
        method: "PUT",
        path: "/latest/api/token",
        token_ttl: Some("60"),
        ..Request::default()
    };
    let with = |request: &Request<'_>, case: &Case| case.ask("w1", request).status;
    let missing = Request {
        token_ttl: None,
        ..token
    };
    assert_eq!(with(&missing, &case), 400);
    let forwarded = Request {
        forwarded: true,
        ..token
    };
    assert_eq!(with(&forwarded, &case), 403);
    let get = Request {
        method: "GET",
        ..token
    };
    assert_eq!(with(&get, &case), 403);
    let post = Request {
        method: "POST",
        path: "/latest/meta-data/",
        ..token
    };
    assert_eq!(with(&post, &case), 405);
    case.change(|instance| instance.metadata_options.http_endpoint = false);
    assert_eq!(with(&token, &case), 403, "switched off");
    assert_eq!(case.get("/latest/meta-data/"), "403");
}

#[test]
fn an_interface_without_an_instance_gets_nothing() {
    let case = Case::new();
    let asker = Asker {
        scope: case.fixture.scope,
        state: case.state(),
        interface: fixture::eni("nobody"),
        architecture: "x86_64",
    };
    let request = Request {
        method: "GET",
        path: "/",
        ..Request::default()
    };
    assert_eq!(answer(&asker, &request, &case.key, case.now).status, 404);
    assert_eq!(asker.options(), None);
}
