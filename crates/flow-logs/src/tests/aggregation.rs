//! Which window, which flow log, NODATA and SKIPDATA.

use expect_test::expect;
use model::InterfaceType;

use super::support::{
    ENI, OTHER_ENI, SUBNET, VPC, at, flow_log, interface, network_interface, print, sample, scope,
    world,
};
use crate::{Aggregation, Aggregator, batches, coverage};

const PING: &str = "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 1 84 0 10..10";

fn aggregator(interfaces: &[&str], flow_logs: &[&str]) -> Aggregator {
    let mut aggregator = Aggregator::new(Aggregation::Nitro, 1000);
    aggregator.set_coverage(coverage(&world(interfaces, flow_logs)), at(0));
    aggregator
}

#[test]
fn every_level_gets_its_own_lines() {
    let mut a = aggregator(
        &[ENI],
        &[
            &format!("{VPC} ALL s3:all 600"),
            &format!("{SUBNET} ACCEPT group 60"),
            &format!("{ENI} REJECT group 60"),
            "vpc-00000000 ALL s3:other 60",
        ],
    );
    let eni = interface(ENI);
    a.observe(&sample(
        &eni,
        "ingress tcp 10.0.1.20:4000 > 10.0.0.62:80 accept 2 100 2 10..12",
    ));
    a.observe(&sample(
        &eni,
        "ingress tcp 10.0.1.20:4000 > 10.0.0.62:80 accept 3 200 1 20..21",
    ));
    a.observe(&sample(
        &eni,
        "ingress tcp 10.0.1.20:4001 > 10.0.0.62:22 reject 1 60 2 15..15",
    ));
    assert!(a.close_due(at(69)).is_empty());
    assert_eq!(a.next_due(), Some(at(70)));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 4000 80 6 5 300 10 21 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 4001 22 6 1 60 15 15 REJECT OK
        fl-00000002 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 4000 80 6 5 300 10 21 ACCEPT OK
        fl-00000003 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 4001 22 6 1 60 15 15 REJECT OK
    "#]]
    .assert_eq(&print(&a.close_due(at(70))));
}

#[test]
fn interfaces_outside_every_flow_log_leave_nothing() {
    let mut a = aggregator(&[ENI, OTHER_ENI], &[&format!("{ENI} ALL s3:b 60")]);
    a.observe(&sample(&interface(OTHER_ENI), PING));
    assert!(a.close_all(at(1000)).is_empty());
    assert_eq!(a.flows(), 0);
}

#[test]
fn idle_windows_say_no_data_after_the_first_record() {
    let mut a = aggregator(
        &[ENI, OTHER_ENI],
        &[
            &format!("{VPC} ACCEPT s3:a 60"),
            &format!("{VPC} REJECT s3:r 60"),
        ],
    );
    a.observe(&sample(&interface(ENI), PING));
    expect![[r#"
        fl-00000001 ACCEPT slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 10 10 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 70 130 - NODATA
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 130 190 - NODATA
    "#]]
    .assert_eq(&print(&a.close_due(at(190))));

    // Rejected traffic is no idleness, though the flow log of accepted traffic shows nothing.
    a.observe(&sample(
        &interface(ENI),
        "ingress tcp 10.0.1.20:1 > 10.0.0.62:2 reject 1 60 2 200..200",
    ));
    expect![[r#"
        fl-00000002 REJECT slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 1 2 6 1 60 200 200 REJECT OK
    "#]]
    .assert_eq(&print(&a.close_due(at(250))));

    let mut detached = world(&[], &[&format!("{VPC} ACCEPT s3:a 60")]);
    let mut eni = super::support::network_interface(ENI);
    eni.attachment = None;
    let state = detached.regions.get_mut(&scope()).unwrap();
    state.network_interfaces.insert(eni.id, eni);
    a.set_coverage(coverage(&detached), at(250));
    assert!(a.close_due(at(600)).is_empty());
}

#[test]
fn a_new_flow_log_gets_only_what_comes_after_it() {
    let first = format!("{VPC} ALL s3:a 60");
    let second = format!("{SUBNET} ALL s3:b 60");
    let mut a = aggregator(&[ENI], &[&first]);
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    a.set_coverage(coverage(&world(&[ENI], &[&first, &second])), at(30));
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 1 84 0 40..40",
    ));
    // Deleted: nothing after this moment.
    a.set_coverage(coverage(&world(&[ENI], &[&first])), at(50));
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 1 84 0 60..60",
    ));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 10 10 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 40 40 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 60 60 ACCEPT OK
        fl-00000002 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 40 40 ACCEPT OK
    "#]]
    .assert_eq(&print(&a.close_due(at(70))));
}

#[test]
fn the_last_flow_log_ends_when_it_is_deleted() {
    let mut a = aggregator(&[ENI], &[&format!("{ENI} ALL s3:a 60")]);
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    a.set_coverage(coverage(&world(&[ENI], &[])), at(20));
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 2 168 0 30..30",
    ));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 10 10 ACCEPT OK
    "#]]
    .assert_eq(&print(&a.close_all(at(70))));
}

#[test]
fn a_deleted_interface_gets_its_last_records_and_no_more() {
    let own = format!("{ENI} ALL s3:own 60");
    let vpc = format!("{VPC} ALL s3:vpc 60");
    let mut a = aggregator(&[ENI], &[&vpc, &own]);
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    a.set_coverage(coverage(&world(&[], &[&vpc])), at(20));
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 2 168 0 19..20",
    ));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 3 252 10 20 ACCEPT OK
        fl-00000002 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 3 252 10 20 ACCEPT OK
    "#]]
    .assert_eq(&print(&a.close_due(at(100))));
    assert!(a.close_due(at(500)).is_empty());
    assert_eq!(a.next_due(), None);
}

#[test]
fn what_does_not_fit_is_skipped_data() {
    let mut a = Aggregator::new(Aggregation::Nitro, 1);
    a.set_coverage(
        coverage(&world(&[ENI], &[&format!("{VPC} ALL s3:a 60")])),
        at(0),
    );
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    a.observe(&sample(
        &eni,
        "ingress tcp 10.0.1.20:1 > 10.0.0.62:2 accept 1 60 2 11..11",
    ));
    a.observe(&sample(&eni, PING));
    let closed = a.close_due(at(70));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 2 168 10 10 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 10 70 - SKIPDATA
    "#]]
    .assert_eq(&print(&closed));

    // What delivery had to refuse, and what the data plane lost, is said in the next window.
    for batch in batches(&closed) {
        a.mark_lost(&batch, &closed, at(70));
    }
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 70 130 - SKIPDATA
    "#]]
    .assert_eq(&print(&a.close_due(at(130))));
    a.mark_skipped(&eni, at(131));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 130 140 - SKIPDATA
    "#]]
    .assert_eq(&print(&a.close_all(at(140))));
}

#[test]
fn windows_cut_short_go_on_to_their_end() {
    let mut a = aggregator(&[ENI], &[&format!("{VPC} ALL s3:a 60")]);
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    assert_eq!(a.open_records().count(), 1);
    assert_eq!(a.close_all(at(12)).len(), 1);
    assert!(a.close_all(at(13)).is_empty());
    // A sample that straddles the cut is counted once, after it.
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 2 168 0 11..14",
    ));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 2 168 12 14 ACCEPT OK
    "#]]
    .assert_eq(&print(&a.close_due(at(70))));
}

#[test]
fn intervals_as_requested() {
    let logs = [format!("{VPC} ALL s3:a 600"), format!("{VPC} ALL s3:b 60")];
    let mut a = Aggregator::new(Aggregation::AsRequested, 1000);
    a.set_coverage(coverage(&world(&[ENI], &[&logs[0], &logs[1]])), at(0));
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    a.observe(&sample(
        &eni,
        "ingress icmp 10.0.1.20:0 > 10.0.0.62:0 accept 1 84 0 80..80",
    ));
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 2 168 10 80 ACCEPT OK
        fl-00000002 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 10 10 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 80 80 ACCEPT OK
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 130 190 - NODATA
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 190 250 - NODATA
        fl-00000002 ALL slot 300
          2 123456789010 eni-1235b8ca123456789 - - - - - - - 250 310 - NODATA
    "#]]
    .assert_eq(&print(&a.close_all(at(310))));
}

#[test]
fn interfaces_that_services_use_are_idle_as_those_of_instances() {
    for (interface_type, says_so) in [
        (InterfaceType::NatGateway, true),
        (InterfaceType::Interface, false),
    ] {
        let mut world = world(&[], &[&format!("{VPC} ALL s3:a 60")]);
        let mut eni = network_interface(ENI);
        eni.attachment = None;
        eni.interface_type = interface_type;
        let state = world.regions.get_mut(&scope()).unwrap();
        state.network_interfaces.insert(eni.id, eni);
        let mut a = Aggregator::new(Aggregation::Nitro, 1000);
        a.set_coverage(coverage(&world), at(0));
        a.observe(&sample(&interface(ENI), PING));
        let told = print(&a.close_due(at(130)));
        assert_eq!(told.contains("70 130 - NODATA"), says_so, "{told}");
    }
}

#[test]
fn a_suspended_machine_does_not_report_every_minute_it_slept() {
    let mut a = aggregator(&[ENI], &[&format!("{VPC} ALL s3:a 60")]);
    a.observe(&sample(&interface(ENI), PING));
    let closed = a.close_due(at(1_000_000));
    assert!(closed.len() < 100, "{}", closed.len());
    assert!(a.next_due().is_some_and(|due| due > at(1_000_000)));
}

#[test]
fn delivery_status_does_not_cut_windows() {
    let text = format!("{VPC} ALL s3:a 60");
    let mut a = aggregator(&[ENI], &[&text]);
    a.observe(&sample(&interface(ENI), PING));
    let mut after = world(&[ENI], &[]);
    let mut log = flow_log("fl-00000001", &text);
    log.delivery = model::DeliveryStatus::Failed("Access error".to_owned());
    let state = after.regions.get_mut(&scope()).unwrap();
    state.flow_logs.insert(log.id, log);
    a.set_coverage(coverage(&after), at(20));
    assert!(a.close_due(at(69)).is_empty());
}

#[test]
fn what_a_crash_would_interrupt_can_be_told_before() {
    let mut a = aggregator(
        &[ENI],
        &[
            &format!("{VPC} ALL s3:a 60"),
            &format!("{VPC} REJECT s3:b 60"),
        ],
    );
    let before = a.changes();
    let eni = interface(ENI);
    a.observe(&sample(&eni, PING));
    assert!(a.changes() > before, "a window was opened");
    expect![[r#"
        fl-00000001 ALL slot 0
          2 123456789010 eni-1235b8ca123456789 10.0.1.20 10.0.0.62 0 0 1 1 84 10 10 ACCEPT OK
    "#]]
    .assert_eq(&print(&a.so_far().collect::<Vec<_>>()));
    let lost: Vec<_> = a.lost().collect();
    let mut text = String::new();
    for mut batch in batches(&lost) {
        batch.end_at(at(33));
        let (_, line) = batch.lines.iter().next().unwrap();
        text += &format!("{} {line}\n", batch.flow_log_id);
        batch.end_at(at(5));
        let (line, _) = batch.lines.iter().next().unwrap();
        assert_eq!(line.end, at(10), "not before it began");
    }
    expect![[r#"
        fl-00000001 2 123456789010 eni-1235b8ca123456789 - - - - - - - 10 33 - SKIPDATA
        fl-00000002 2 123456789010 eni-1235b8ca123456789 - - - - - - - 10 33 - SKIPDATA
    "#]]
    .assert_eq(&text);
    // Looking changes nothing.
    let changes = a.changes();
    assert_eq!(print(&a.close_due(at(70))).lines().count(), 2);
    assert!(a.changes() > changes, "the window was closed");
}
