//! Limits on what a sandbox may use: resource limits always, a control group where the machine lets us make one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// What a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes and threads.
    pub processes: u64,
    /// Memory of all its processes together, temporary files included, where control groups are available;
    /// otherwise the address space of each.
    pub memory_bytes: u64,
    /// Open files of each process.
    pub open_files: u64,
    /// Limit each process's address space to `memory_bytes`. Set by [`Sandbox::start`](crate::Sandbox::start) when there is no control group.
    #[serde(default)]
    pub limit_address_space: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: 512,
            memory_bytes: 1 << 30,
            open_files: 4096,
            limit_address_space: false,
        }
    }
}

impl Limits {
    /// Applies the per-process ones to this process, for its children to inherit.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let mut limits = vec![
            (Resource::Nproc, self.processes),
            (Resource::Nofile, self.open_files),
            (Resource::Core, 0),
        ];
        if self.limit_address_space {
            limits.push((Resource::As, self.memory_bytes));
        }
        for (resource, wanted) in limits {
            let held = rustix::process::getrlimit(resource).maximum;
            let value = Some(held.map_or(wanted, |held| held.min(wanted)));
            setrlimit(
                resource,
                Rlimit {
                    current: value,
                    maximum: value,
                },
            )?;
        }
        Ok(())
    }
}

/// The control groups of one sandbox, removed when dropped.
#[derive(Debug)]
pub(crate) struct ControlGroups {
    directories: Vec<PathBuf>,
}

impl ControlGroups {
    /// Makes groups for the sandbox `name`; `None` if this machine lets us make none.
    pub(crate) fn create(name: &str, limits: &Limits) -> Option<Self> {
        let name = format!("{}-{name}", std::process::id());
        let settings: Vec<(PathBuf, Vec<(&str, u64)>)> = match Hierarchy::find()? {
            Hierarchy::Unified(parent) => vec![(
                parent.join(&name),
                vec![
                    ("pids.max", limits.processes),
                    ("memory.max", limits.memory_bytes),
                ],
            )],
            Hierarchy::Separate { pids, memory } => vec![
                (pids.join(&name), vec![("pids.max", limits.processes)]),
                (
                    memory.join(&name),
                    vec![("memory.limit_in_bytes", limits.memory_bytes)],
                ),
            ],
        };
        let mut groups = Self {
            directories: Vec::new(),
        };
        for (directory, values) in settings {
            make_directory(&directory).ok()?;
            groups.directories.push(directory.clone());
            for (file, value) in values {
                fs::write(directory.join(file), value.to_string()).ok()?;
            }
        }
        Some(groups)
    }

    /// Puts a process, and all that will come from it, under the limits.
    pub(crate) fn add(&self, pid: Pid) -> io::Result<()> {
        join(&self.directories, pid)
    }

    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        for directory in &self.directories {
            // The kernel takes a moment to forget the last process of a group.
            for _ in 0..50 {
                match fs::remove_dir(directory) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// Puts a process into groups given by their directories.
pub(crate) fn join(directories: &[PathBuf], pid: Pid) -> io::Result<()> {
    for directory in directories {
        fs::write(
            directory.join("cgroup.procs"),
            pid.as_raw_nonzero().to_string(),
        )?;
    }
    Ok(())
}

/// Removes control groups that a process which was killed left behind.
///
/// A group bears the number of its maker, and those of makers that still run are left alone: another daemon may have
/// made one a moment ago and not have put its sandbox into it yet.
pub fn remove_stale_cgroups() {
    let parents = match Hierarchy::find() {
        Some(Hierarchy::Unified(parent)) => vec![parent],
        Some(Hierarchy::Separate { pids, memory }) => vec![pids, memory],
        None => Vec::new(),
    };
    for parent in parents {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if maker_has_ended(&entry.file_name().to_string_lossy()) {
                // A group that still has processes refuses, and that is right.
                drop(fs::remove_dir(entry.path()));
            }
        }
    }
}

fn maker_has_ended(group: &str) -> bool {
    let maker = group
        .split_once('-')
        .and_then(|(maker, _)| maker.parse::<u32>().ok());
    maker.is_some_and(|maker| !Path::new("/proc").join(maker.to_string()).exists())
}

/// Where groups can be made.
#[derive(Debug)]
pub(crate) enum Hierarchy {
    /// Version 2: one directory for everything.
    Unified(PathBuf),
    /// Version 1: one for each controller.
    Separate { pids: PathBuf, memory: PathBuf },
}

impl Hierarchy {
    pub(crate) fn find() -> Option<Self> {
        if let Some(parent) = unified_parent(Path::new(ROOT)) {
            return Some(Self::Unified(parent));
        }
        let pids = Path::new(ROOT).join("pids").join(GROUP);
        let memory = Path::new(ROOT).join("memory").join(GROUP);
        let mounted = |path: &Path| {
            path.parent()
                .is_some_and(|path| path.join("cgroup.procs").exists())
        };
        if !mounted(&pids) || !mounted(&memory) {
            return None;
        }
        writable_directory(&pids).ok()?;
        writable_directory(&memory).ok()?;
        Some(Self::Separate { pids, memory })
    }
}

/// A directory under which groups have the controllers that we need: at the top for root, else below the group that
/// somebody (systemd, with `Delegate=yes`) gave us.
fn unified_parent(root: &Path) -> Option<PathBuf> {
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).ok()?;
    let has = |name| {
        controllers
            .split_ascii_whitespace()
            .any(|word| word == name)
    };
    if !has("pids") || !has("memory") {
        return None;
    }
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // Once we have moved ourselves into the leaf, the group given to us is the one above it.
    let own = own.strip_suffix(LEAF).unwrap_or(own).trim_end_matches('/');
    [root.to_path_buf(), root.join(own)]
        .into_iter()
        .find_map(|given| {
            let parent = given.join(GROUP);
            make_directory(&parent).ok()?;
            delegate(&given).ok()?;
            delegate(&parent).ok()?;
            Some(parent)
        })
}

fn delegate(group: &Path) -> io::Result<()> {
    let control = group.join("cgroup.subtree_control");
    match fs::write(&control, "+pids +memory") {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            // A group that has processes cannot hand out controllers: make room by moving into a leaf.
            let leaf = group.join(LEAF);
            make_directory(&leaf)?;
            fs::write(leaf.join("cgroup.procs"), "0")?;
            fs::write(&control, "+pids +memory").inspect_err(|_| {
                drop(fs::write(group.join("cgroup.procs"), "0"));
                drop(fs::remove_dir(&leaf));
            })
        }
        other => other,
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes a directory in which we can make others, which one that root left there is not.
fn writable_directory(path: &Path) -> io::Result<()> {
    make_directory(path)?;
    Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
}

const ROOT: &str = "/sys/fs/cgroup";
const GROUP: &str = "weir";
const LEAF: &str = "weir-daemon";
