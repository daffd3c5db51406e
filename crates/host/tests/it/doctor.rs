//! What the doctor says where these tests run at all.

use host::doctor::{Status, doctor};

pub(crate) const TESTS: &[(&str, fn())] = &[(
    "doctor::names_everything_and_what_to_do",
    names_everything_and_what_to_do,
)];

fn names_everything_and_what_to_do() {
    let checks = doctor();
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    let expected = [
        "kernel",
        "privilege",
        "namespaces",
        "tap",
        "users",
        "limits",
        "ebpf",
        "programs",
        "ipv6",
        "uplink",
    ];
    assert_eq!(names, expected);
    for check in checks {
        assert_ne!(check.status, Status::Missing, "{check:?}");
        assert!(!check.detail.is_empty());
        assert_eq!(
            check.status == Status::Ok,
            check.remedy.is_empty(),
            "{check:?}"
        );
    }
}
