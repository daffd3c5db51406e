//! What the programs of a sandbox cannot do.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::support::{config, run, scratch, shell};
use host::{Identity, Limits, Sandbox, Wiring};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("confinement::is_not_root", is_not_root),
    (
        "confinement::sees_only_its_own_interfaces",
        sees_only_its_own_interfaces,
    ),
    (
        "confinement::sees_only_its_own_processes",
        sees_only_its_own_processes,
    ),
    (
        "confinement::files_of_the_host_are_read_only",
        files_of_the_host_are_read_only,
    ),
    ("confinement::has_a_home_and_a_name", has_a_home_and_a_name),
    (
        "confinement::services_of_the_host_are_out_of_reach",
        services_of_the_host_are_out_of_reach,
    ),
    ("confinement::process_limit_holds", process_limit_holds),
    ("confinement::memory_limit_holds", memory_limit_holds),
    (
        "confinement::system_calls_that_lead_out_are_refused",
        system_calls_that_lead_out_are_refused,
    ),
    (
        "confinement::open_files_of_the_caller_stay_outside",
        open_files_of_the_caller_stay_outside,
    ),
    (
        "confinement::full_places_leave_memory",
        full_places_leave_memory,
    ),
];

fn sandbox() -> Sandbox {
    Sandbox::start(config(1), &Wiring::Taps).unwrap().0
}

fn is_not_root() {
    let config = config(1);
    let (uid, gid) = config.identity.ids();
    let sandbox = Sandbox::start(config, &Wiring::Taps).unwrap().0;
    assert_eq!(
        shell(&sandbox, "id -u; id -g; id -un"),
        format!("{uid}\n{gid}\nec2-user")
    );
    let status = shell(
        &sandbox,
        "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -s '\\t\\n' ' '",
    );
    let zero = "0000000000000000";
    assert_eq!(
        status,
        format!(
            "CapInh: {zero} CapPrm: {zero} CapEff: {zero} CapBnd: {zero} CapAmb: {zero} NoNewPrivs: 1 Seccomp: 2"
        )
    );
    let (status, _, _) = run(&sandbox, &["sh", "-c", "mount -t tmpfs none /tmp"]);
    assert_ne!(status, 0);
}

fn sees_only_its_own_interfaces() {
    let (sandbox, _taps) = Sandbox::start(config(1), &Wiring::Taps).unwrap();
    let names = shell(
        &sandbox,
        "awk -F: 'NR>2 {print $1}' /proc/net/dev | tr -d ' ' | sort",
    );
    // Kernels with tunnels built in give every namespace their fallback devices, all down.
    let is_own = |name: &&str| !name.ends_with('0') || *name == "eth0";
    assert_eq!(
        names.lines().filter(is_own).collect::<Vec<_>>(),
        ["eth0", "lo"]
    );
    let in_sys = shell(&sandbox, "ls /sys/class/net 2>/dev/null || true");
    assert!(
        in_sys.is_empty() || in_sys.lines().filter(is_own).eq(["eth0", "lo"]),
        "{in_sys}"
    );
}

fn sees_only_its_own_processes() {
    let sandbox = sandbox();
    let highest = shell(
        &sandbox,
        "ls /proc | grep -E '^[0-9]+$' | sort -n | tail -1",
    );
    assert!(highest.parse::<u32>().unwrap() < 20, "{highest}");
    let outside = std::process::id().to_string();
    let (status, _, _) = run(&sandbox, &["sh", "-c", &format!("kill -0 {outside}")]);
    assert_ne!(status, 0);
    let (status, _, _) = run(
        &sandbox,
        &["sh", "-c", "kill -9 1; cat /proc/1/root/etc/hostname"],
    );
    assert_ne!(status, 0, "the first process can be looked into");
    assert_eq!(shell(&sandbox, "echo alive"), "alive");
}

fn files_of_the_host_are_read_only() {
    let sandbox = sandbox();
    for path in [
        "/etc/new",
        "/usr/new",
        "/new",
        "/etc/hosts",
        "/var/new",
        "/run/new",
        "/sys/new",
        "/dev/new",
    ] {
        let (status, _, _) = run(&sandbox, &["sh", "-c", &format!("echo x > {path}")]);
        assert_ne!(status, 0, "{path} could be written");
    }
    let reason = shell(&sandbox, "touch /usr/new 2>&1 || true");
    assert!(
        reason.contains("Read-only") || reason.contains("denied"),
        "{reason}"
    );
    assert_eq!(
        shell(
            &sandbox,
            "ls -A /root /run/systemd 2>/dev/null | grep -v : || true"
        ),
        ""
    );
    assert_eq!(
        shell(
            &sandbox,
            "ls /dev/net /dev/sda /dev/vda /dev/kvm 2>/dev/null || true"
        ),
        ""
    );
    shell(
        &sandbox,
        "echo > /dev/null && head -c 4 /dev/urandom > /tmp/x && touch /var/tmp/x /dev/shm/x",
    );
    shell(&sandbox, "test -c /dev/ptmx && test -e /dev/fd/0");
}

fn has_a_home_and_a_name() {
    let sandbox = sandbox();
    assert_eq!(
        shell(
            &sandbox,
            "hostname 2>/dev/null || cat /proc/sys/kernel/hostname"
        ),
        "ip-10-0-0-1"
    );
    assert_eq!(shell(&sandbox, "cat /etc/hostname"), "ip-10-0-0-1");
    assert_eq!(
        shell(&sandbox, "cat /etc/resolv.conf"),
        "nameserver 10.0.0.2"
    );
    assert_eq!(
        shell(&sandbox, "pwd; echo $HOME; touch file && ls"),
        "/home/ec2-user\n/home/ec2-user\nfile"
    );
    assert_eq!(run(&sandbox, &["no-such-program"]).0, 127);
    assert_eq!(run(&sandbox, &["sh", "-c", "exit 7"]).0, 7);
    assert_eq!(run(&sandbox, &["sh", "-c", "kill -9 $$"]).0, 137);
}

fn services_of_the_host_are_out_of_reach() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let mut config = config(1);
    let hidden = scratch().join("hidden");
    std::fs::create_dir_all(&hidden).unwrap();
    let socket = hidden.join("socket");
    _ = std::fs::remove_file(&socket);
    let _unix = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
    config.hidden = vec![hidden];
    let in_run = std::path::Path::new("/run/host-test.socket");
    _ = std::fs::remove_file(in_run);
    let _in_run = UnixListener::bind(in_run).ok();
    if in_run.exists() {
        std::fs::set_permissions(in_run, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let in_var = std::path::Path::new("/var/lib/host-test.socket");
    _ = std::fs::remove_file(in_var);
    let _in_var = UnixListener::bind(in_var).ok();
    if in_var.exists() {
        std::fs::set_permissions(in_var, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let sandbox = Sandbox::start(config, &Wiring::Taps).unwrap().0;
    let script = format!(
        "import socket
def refused(family, address):
    try:
        socket.socket(family).connect(address)
    except OSError:
        return
    raise SystemExit(f'reached {{address}}')
refused(socket.AF_INET, ('127.0.0.1', {port}))
refused(socket.AF_UNIX, '{}')
refused(socket.AF_UNIX, '{}')
refused(socket.AF_UNIX, '{}')",
        socket.display(),
        in_run.display(),
        in_var.display()
    );
    let (status, output, errors) = run(&sandbox, &["python3", "-c", &script]);
    _ = std::fs::remove_file(in_run);
    _ = std::fs::remove_file(in_var);
    assert_eq!(status, 0, "{output} {errors}");
}

fn process_limit_holds() {
    let mut config = config(1);
    config.limits = Limits {
        processes: 20,
        ..config.limits
    };
    let sandbox = Sandbox::start(config, &Wiring::Taps).unwrap().0;
    let script = "import os, time
started = 0
for _ in range(40):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        started += 1
    except OSError:
        break
print(started)
os.kill(-1, 9)";
    let (_, output, _) = run(&sandbox, &["python3", "-uc", script]);
    let started: u32 = output.parse().unwrap();
    assert!((5..=20).contains(&started), "{started} processes started");
}

fn memory_limit_holds() {
    let mut config = config(1);
    config.limits = Limits {
        memory_bytes: 200 << 20,
        ..config.limits
    };
    let sandbox = Sandbox::start(config, &Wiring::Taps).unwrap().0;
    let (status, output, _) = run(
        &sandbox,
        &["python3", "-c", "x = b'x' * (400 << 20); print(len(x))"],
    );
    assert_ne!(status, 0);
    assert_eq!(output, "");
    assert_eq!(shell(&sandbox, "echo alive"), "alive");
}

fn system_calls_that_lead_out_are_refused() {
    let sandbox = sandbox();
    let script = "import socket, fcntl, os, errno, ctypes
def refused(what, error, call):
    try:
        call()
    except OSError as found:
        assert found.errno == error, (what, found)
    else:
        raise SystemExit(what + ' is possible')
refused('vsock', errno.EAFNOSUPPORT, lambda: socket.socket(40, socket.SOCK_STREAM))
refused('packet', errno.EPERM, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
main, side = os.openpty()
refused('typing', errno.EPERM, lambda: fcntl.ioctl(side, 0x5412, b'x'))
libc = ctypes.CDLL(None, use_errno=True)
def unshare(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), 'unshare')
refused('user namespace', errno.EPERM, lambda: unshare(0x10000000))
refused('user and mount namespace', errno.EPERM, lambda: unshare(0x10020000))
unshare(0x400)
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
print('fine')";
    let (status, output, errors) = run(&sandbox, &["python3", "-c", script]);
    assert_eq!((status, output.as_str()), (0, "fine"), "{errors}");
    if matches!(config(1).identity, Identity::User { .. }) {
        let (status, _, _) = run(
            &sandbox,
            &["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ping_group_range"],
        );
        assert_ne!(status, 0);
    }
}

fn open_files_of_the_caller_stay_outside() {
    let sandbox = sandbox();
    let directory = std::fs::File::open("/").unwrap();
    // Unlike those that Rust opens, this one survives exec.
    let leak = rustix::io::dup(&directory).unwrap();
    let listed = shell(&sandbox, "ls /proc/self/fd");
    drop(leak);
    assert_eq!(listed, "0\n1\n2\n3", "3 is the folder that ls reads");
}

fn full_places_leave_memory() {
    let sandbox = sandbox();
    let fill = "for place in /tmp /var/tmp /dev/shm ~ /run/lock; do
    dd if=/dev/zero of=$place/big bs=1M 2>/dev/null
    i=0; while : > $place/$i; do i=$((i+1)); done 2>/dev/null
done; true";
    let (status, _, _) = run(&sandbox, &["bash", "-c", fill]);
    assert_eq!(status, 0);
    assert_eq!(shell(&sandbox, "echo alive"), "alive");
}
