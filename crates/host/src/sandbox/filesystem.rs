//! What a sandbox sees of the file system: the host's files read-only, nothing of its sockets, and a few own places.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind,
    mount_change, move_mount, open_tree,
};

use super::{SandboxConfig, certificates};
use crate::error::{During, Result};
use crate::sys;

/// Turns the mount namespace that this process has for itself into the sandbox's.
pub(crate) fn set_up(config: &SandboxConfig) -> Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .during(|| "make mounts private".into())?;
    let devices = clone_devices()?;
    let files = Files::read(config);
    sys::set_mount_attributes(
        Path::new("/"),
        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
    )
    .during(|| "make the host's files read-only".into())?;
    let program = clone_program();
    set_up_devices(devices)?;
    hide(config)?;
    for (path, mode, size) in WRITABLE {
        if Path::new(path).is_dir() {
            temporary(Path::new(path), mode, size)?;
        }
    }
    set_up_home(config)?;
    mount("proc", "/proc", "proc", SAFE, None).during(|| "mount /proc".into())?;
    set_up_sys()?;
    files.install()?;
    certificates::install(config)?;
    cover_sockets(&config.sockets)?;
    if let Some(program) = program {
        put_in_place(&program, PROGRAM)?;
    }
    if let Some(script) = config
        .user_data
        .as_ref()
        .filter(|script| script.starts_with(b"#!"))
    {
        write_file(Path::new(USER_DATA), script, 0o755)?;
    }
    // Without root the sandbox's user is the one who made these places.
    for path in ["/run", "/dev"] {
        sys::set_one_mount_attributes(Path::new(path), libc::MOUNT_ATTR_RDONLY)
            .during(|| format!("make {path} read-only"))?;
    }
    Ok(())
}

/// Empty places over those of the host: the caller's, and the ones where secrets and sockets are.
fn hide(config: &SandboxConfig) -> Result<()> {
    let mut done: Vec<PathBuf> = Vec::new();
    let hidden = config
        .hidden
        .iter()
        .map(PathBuf::as_path)
        .chain(HIDDEN.map(Path::new));
    for path in hidden {
        let Ok(path) = path.canonicalize() else {
            continue;
        };
        let whole =
            WRITABLE.iter().any(|(place, ..)| path.starts_with(place)) || path == Path::new("/");
        if !path.is_dir() || whole || done.iter().any(|above| path.starts_with(above)) {
            continue;
        }
        temporary(&path, 0o555, "4k")?;
        sys::set_one_mount_attributes(&path, libc::MOUNT_ATTR_RDONLY)
            .during(|| format!("hide {}", path.display()))?;
        done.push(path);
    }
    Ok(())
}

/// The sockets that have a name in the file system. Read-only files do not keep anybody from connecting to them.
pub(super) fn sockets() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    // The name is the last of eight fields and may contain spaces; names of other kinds begin with `@`.
    let mut sockets: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.find(" /").and_then(|at| line.get(at + 1..)))
        .map(PathBuf::from)
        .collect();
    sockets.sort();
    sockets.dedup();
    sockets
}

fn cover_sockets(sockets: &[PathBuf]) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let cover = Path::new("/run/weir/covered");
    write_file(cover, "", 0o000)?;
    for socket in sockets {
        // Most of them are in places that are empty by now.
        if fs::metadata(socket).is_ok_and(|metadata| metadata.file_type().is_socket()) {
            match mount_bind(cover, socket) {
                // It has just gone.
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error).during(|| format!("cover {}", socket.display())),
            }
        }
    }
    Ok(())
}

fn set_up_home(config: &SandboxConfig) -> Result<()> {
    let home = config.home();
    fs::create_dir_all(&home).during(|| format!("create {}", home.display()))?;
    let (uid, gid) = config.identity.file_owner();
    chown(&home, Some(uid), Some(gid)).during(|| format!("give away {}", home.display()))?;
    set_mode(&home, 0o700)?;
    fs::create_dir_all("/run/lock").during(|| "create /run/lock".into())?;
    temporary(Path::new("/run/lock"), 0o1777, "4m")
}

/// The device nodes that programs need, taken from the host before `nodev` covers it.
fn clone_devices() -> Result<Vec<(&'static str, OwnedFd)>> {
    let mut devices = Vec::new();
    for name in DEVICES {
        let path = format!("/dev/{name}");
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        match open_tree(CWD, &path, flags) {
            Ok(tree) => devices.push((name, tree)),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error).during(|| format!("take {path}")),
        }
    }
    Ok(devices)
}

/// This program, read-only by now, taken before its folder is hidden. Without it sandboxes have one convenience less;
/// it cannot be taken if it was started from another mount namespace.
fn clone_program() -> Option<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, "/proc/self/exe", flags).ok()
}

/// Mounts a file that was taken from elsewhere.
fn put_in_place(file: &OwnedFd, path: &str) -> Result<()> {
    fs::write(path, "").during(|| format!("create {path}"))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(file, "", CWD, path, flags).during(|| format!("put {path} in place"))
}

fn set_up_devices(devices: Vec<(&'static str, OwnedFd)>) -> Result<()> {
    mount(
        "tmpfs",
        "/dev",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        Some(c"mode=0755,size=64k"),
    )
    .during(|| "mount /dev".into())?;
    for (name, tree) in devices {
        put_in_place(&tree, &format!("/dev/{name}"))?;
    }
    for directory in ["/dev/pts", "/dev/shm"] {
        fs::create_dir(directory).during(|| format!("create {directory}"))?;
    }
    let options = Some(c"newinstance,ptmxmode=0666,mode=0620");
    mount(
        "devpts",
        "/dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        options,
    )
    .during(|| "mount /dev/pts".into())?;
    temporary(Path::new("/dev/shm"), 0o1777, "128m")?;
    for (target, link) in LINKS {
        symlink(target, link).during(|| format!("link {link}"))?;
    }
    Ok(())
}

/// A fresh sysfs shows this network namespace's devices instead of the host's; where the kernel does not let us mount
/// one, an empty place shows nothing.
fn set_up_sys() -> Result<()> {
    if mount("sysfs", "/sys", "sysfs", SAFE | MountFlags::RDONLY, None).is_ok() {
        return Ok(());
    }
    temporary(Path::new("/sys"), 0o555, "4k")
}

/// Files of `/etc` that are the sandbox's own.
struct Files(Vec<(&'static str, String)>);

impl Files {
    fn read(config: &SandboxConfig) -> Self {
        let (uid, gid) = config.identity.ids();
        let user = &config.user;
        let without_us = |path: &str| -> String {
            let ours = format!("{user}:");
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines()
                .filter(|line| !line.starts_with(&ours))
                .flat_map(|line| [line, "\n"])
                .collect()
        };
        let home = config.home();
        let shell = if Path::new("/bin/bash").exists() {
            "/bin/bash"
        } else {
            "/bin/sh"
        };
        let passwd = without_us("/etc/passwd");
        let group = without_us("/etc/group");
        // Ours first: the host may have given the number to somebody else.
        Self(vec![
            ("/etc/hostname", format!("{}\n", config.hostname)),
            ("/etc/hosts", config.hosts.clone()),
            ("/etc/resolv.conf", config.resolv_conf.clone()),
            (
                "/etc/passwd",
                format!("{user}:x:{uid}:{gid}::{}:{shell}\n{passwd}", home.display()),
            ),
            ("/etc/group", format!("{user}:x:{gid}:\n{group}")),
        ])
    }

    fn install(&self) -> Result<()> {
        let own = Path::new("/run/weir");
        fs::create_dir_all(own).during(|| "create /run/weir".into())?;
        for (path, text) in &self.0 {
            let target = follow(Path::new(path));
            if WRITABLE.iter().any(|(place, ..)| target.starts_with(place)) {
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent).during(|| format!("create {}", parent.display()))?;
                }
                write_file(&target, text, 0o644)?;
                continue;
            }
            let source = own.join(Path::new(path).file_name().unwrap_or_default());
            write_file(&source, text, 0o644)?;
            // A file that the host does not have cannot be covered; programs then see none, as on the host.
            if target.exists() {
                mount_bind(&source, &target).during(|| format!("cover {}", target.display()))?;
                sys::set_one_mount_attributes(&target, libc::MOUNT_ATTR_RDONLY)
                    .during(|| format!("make {} read-only", target.display()))?;
            }
        }
        Ok(())
    }
}

/// Writes a file and sets its mode, whatever the umask.
pub(super) fn write_file(path: &Path, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    fs::write(path, text).during(|| format!("write {}", path.display()))?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .during(|| format!("set the mode of {}", path.display()))
}

fn temporary(path: &Path, mode: u32, size: &str) -> Result<()> {
    let options = format!("mode={mode:o},size={size},nr_inodes={FILES_MAX}");
    let options = std::ffi::CString::new(options).unwrap_or_default();
    mount(
        "tmpfs",
        path,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(options.as_c_str()),
    )
    .during(|| format!("mount a temporary file system on {}", path.display()))
}

/// Where a path leads if it is a symbolic link, even if nothing is there (`/etc/resolv.conf` often points into
/// `/run`, which is empty by now).
pub(super) fn follow(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..8 {
        let Ok(link) = fs::read_link(&path) else {
            break;
        };
        let joined = path.parent().unwrap_or(Path::new("/")).join(link);
        path = PathBuf::new();
        for component in joined.components() {
            match component {
                Component::ParentDir => drop(path.pop()),
                Component::CurDir => {}
                other => path.push(other),
            }
        }
    }
    if let Ok(rest) = path.strip_prefix("/var/run") {
        Path::new("/run").join(rest)
    } else {
        path
    }
}

/// Where the script to run at boot is.
pub(super) const USER_DATA: &str = "/run/weir/user-data";
/// Where this program is inside, wherever it is outside.
pub(crate) const PROGRAM: &str = "/run/weir/weir";
const SAFE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];
/// Empty for a start and writable, in memory. Host sockets live in some of them. Full, all of them together leave
/// programs a good part of the memory that a sandbox may use.
const WRITABLE: [(&str, u32, &str); 4] = [
    ("/tmp", 0o1777, "256m"),
    ("/var/tmp", 0o1777, "64m"),
    ("/run", 0o755, "16m"),
    ("/home", 0o755, "256m"),
];
/// Files in each place that is in memory: they cost the kernel memory even if they are empty.
const FILES_MAX: u32 = 32 * 1024;
/// Empty and read-only.
const HIDDEN: [&str; 6] = [
    "/root",
    "/mnt",
    "/media",
    "/boot",
    "/var/lib/docker",
    "/var/spool",
];
