//! Real clients and real packets: each test is a script of `python/`, run against the real command.
//!
//! They are scripts because what they test is what AWS's own clients, boto3 and the aws CLI, see. Each starts the
//! daemons that it needs on free ports, and ends them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A script takes much less than this; one that does not end is ended.
const PATIENCE: Duration = Duration::from_secs(900);

#[test]
fn every_action_with_boto3() {
    script("conformance.py");
}

#[test]
fn every_answer_is_of_the_models_shape() {
    script("answers.py");
}

#[test]
fn every_parameter_of_every_action_when_it_is_wrong() {
    script("negative.py");
}

#[test]
fn every_call_of_s3_when_it_is_wrong() {
    script("negative_s3.py");
}

#[test]
fn clients_that_mean_no_good() {
    script("hostile.py");
}

#[test]
fn audit_tools_read_what_is_there() {
    script("audit_tools.py");
}

#[test]
fn flow_logs_reach_their_destinations() {
    script("flow_logs.py");
}

#[test]
fn every_parameter_and_filter_of_flow_logs() {
    script("flow_log_api.py");
}

#[test]
fn what_interfaces_see() {
    script("capture.py");
}

#[test]
fn exports_are_read_by_others() {
    script("exports.py");
}

#[test]
fn why_records_say_what_they_say() {
    script("why.py");
}

#[test]
fn flow_log_files_and_other_readers() {
    script("flow_log_files.py");
}

#[test]
fn every_field_of_flow_logs() {
    script("flow_log_fields.py");
}

#[test]
fn destinations_elsewhere_gone_or_full() {
    script("destinations.py");
}

#[test]
fn firehose_delivers_to_buckets_and_http_endpoints() {
    script("firehose.py");
}

#[test]
fn outages_and_kill_9() {
    script("outages.py");
}

#[test]
fn policies_over_the_wire() {
    script("policies.py");
}

#[test]
fn the_transcript_with_the_aws_cli() {
    script("transcript.py");
}

#[test]
fn callers_may_do_what_their_policies_allow() {
    script("iam.py");
}

#[test]
fn who_called_what() {
    script("cloudtrail.py");
}

#[test]
fn packets_between_instances() {
    script("packets.py");
}

#[test]
fn prefix_lists_endpoints_and_middleboxes() {
    script("routing.py");
}

#[test]
fn packets_between_peered_vpcs() {
    script("peering.py");
}

#[test]
fn ways_out_that_are_no_ways_in() {
    script("egress.py");
}

#[test]
fn regional_nat_gateways() {
    script("regional_nat_gateway.py");
}

#[test]
fn names_addresses_routers_and_the_time() {
    script("link_local.py");
}

#[test]
fn load_balancers_spread_connections() {
    script("load_balancers.py");
}

#[test]
fn interface_endpoints_and_services_of_others() {
    script("privatelink.py");
}

#[test]
fn services_inside_instances() {
    script("services.py");
}

#[test]
fn state_outlives_the_daemon() {
    script("state.py");
}

#[test]
fn a_state_is_one_file() {
    script("state_file.py");
}

#[test]
fn recipes_for_tests() {
    script("recipes.py");
}

#[test]
fn the_uplink_reaches_the_internet_and_nothing_else() {
    script("uplink.py");
}

#[test]
fn the_examples_network_with_boto3_and_the_aws_cli() {
    script("examples.py");
}

#[test]
fn terraform_finds_what_it_made() {
    script("terraform.py");
}

#[test]
fn changes_hold_for_the_next_packet() {
    script("soak.py");
}

#[test]
fn changes_hold_for_the_next_packet_without_the_kernel() {
    script_without_the_kernel("soak.py");
}

/// What moves packets where the kernel carries none gives the same answers.
#[test]
fn packets_between_instances_without_the_kernel() {
    script_without_the_kernel("packets.py");
}

#[test]
fn packets_between_peered_vpcs_without_the_kernel() {
    script_without_the_kernel("peering.py");
}

#[test]
fn ways_out_that_are_no_ways_in_without_the_kernel() {
    script_without_the_kernel("egress.py");
}

#[test]
fn prefix_lists_endpoints_and_middleboxes_without_the_kernel() {
    script_without_the_kernel("routing.py");
}

#[test]
fn load_balancers_spread_connections_without_the_kernel() {
    script_without_the_kernel("load_balancers.py");
}

#[test]
fn flow_logs_reach_their_destinations_without_the_kernel() {
    script_without_the_kernel("flow_logs.py");
}

fn script(name: &str) {
    run(name, None);
}

fn script_without_the_kernel(name: &str) {
    run(name, Some("weir"));
}

/// Runs a script to its end. Fails if the script does, or if the machine cannot run it and should.
fn run(name: &str, carrier: Option<&str>) {
    if let Some(missing) = missing() {
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {name} needs {missing}");
        assert!(std::env::var_os("CI").is_none(), "needs {missing}");
        return;
    }
    let mut child = Command::new(python())
        .arg(crate_folder().join("python").join(name))
        .envs(carrier.map(|carrier| ("WEIR_CARRIER", carrier)))
        .env("WEIR", weir())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PATH", path_with_clients())
        .env_remove("AWS_ENDPOINT_URL")
        .stdin(Stdio::null())
        .spawn()
        .expect("start python3");
    let status = wait(&mut child);
    assert!(
        status.is_some_and(|status| status.success()),
        "{name} ended with {status:?}; what it printed is above"
    );
}

/// The status, or none if the child had to be ended. Its daemons end with it.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("wait for the script") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("end the script");
    child.wait().expect("wait for the script");
    None
}

/// What the machine lacks.
fn missing() -> Option<&'static str> {
    if !python().exists() {
        return Some("AWS's clients: run scripts/setup");
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("TAP devices (/dev/net/tun)");
    }
    let namespaces = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .stderr(Stdio::null())
        .status();
    let allowed = rustix::process::geteuid().is_root() || namespaces.is_ok_and(|s| s.success());
    (!allowed).then_some("root or user namespaces")
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn clients() -> PathBuf {
    crate_folder().join("../../target/venv/bin")
}

fn python() -> PathBuf {
    clients().join("python3")
}

fn path_with_clients() -> std::ffi::OsString {
    let mut path = clients().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// The command, built as these tests are. Cargo gives its path only to tests of its own crate.
fn weir() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let this = std::env::current_exe().expect("path of the tests");
        let folder = this.ancestors().nth(2).expect("…/PROFILE/deps/it-…");
        let target = folder.parent().expect("…/PROFILE");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bin", "weir"]);
        build.arg("--target-dir");
        build.arg(target).current_dir(crate_folder());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("run cargo").success(), "weir builds");
        folder.join("weir")
    })
}
