//! System calls that `rustix` does not wrap. Every function here is safe to call with any arguments.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::ptr;

use rustix::process::Pid;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_long(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Starts `program` in new namespaces with the three descriptors as its standard ones, no other and no signal
/// blocked. Its environment is empty.
pub(crate) fn spawn_in_namespaces(
    flags: libc::c_int,
    program: &CStr,
    arguments: &[&CStr],
    stdio: [BorrowedFd<'_>; 3],
) -> io::Result<(Pid, OwnedFd)> {
    let mut argv: Vec<*const libc::c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
    argv.push(ptr::null());
    let environment: [*const libc::c_char; 1] = [ptr::null()];
    let fds = stdio.map(|fd| fd.as_raw_fd());
    let mut pidfd: RawFd = -1;
    let all = signal_set(true);
    let mut before = signal_set(false);
    // SAFETY: both sets are initialised and outlive the call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    let flags = libc::c_long::from(flags | libc::CLONE_PIDFD | libc::SIGCHLD);
    // SAFETY: without CLONE_VM this is fork: the child has its own copy of everything. Up to execve it calls only
    // async-signal-safe functions and allocates nothing, so other threads' locks do not matter.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            0_usize,
            &raw mut pidfd,
            0_usize,
            0_usize,
        )
    };
    if pid == 0 {
        // SAFETY: as above; the pointers were made before the clone.
        unsafe { become_program(program, &argv, &environment, fds) };
    }
    let error = io::Error::last_os_error();
    // SAFETY: `before` was filled by the first call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    let pid = i32::try_from(pid)
        .ok()
        .and_then(|pid| Pid::from_raw(pid.max(0)));
    match pid {
        // SAFETY: the kernel has just put a descriptor there that nobody else knows.
        Some(pid) => Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) })),
        None => Err(error),
    }
}

/// The child's side of [`spawn_in_namespaces`].
///
/// # Safety
/// Only between clone and exec, with null-terminated arrays of strings.
unsafe fn become_program(
    program: &CStr,
    argv: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    fds: [RawFd; 3],
) -> ! {
    let none = signal_set(false);
    // SAFETY: async-signal-safe calls only, with pointers that the caller vouches for.
    unsafe {
        for (target, fd) in (0..).zip(fds) {
            if libc::dup2(fd, target) < 0 {
                libc::_exit(126);
            }
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(program.as_ptr(), argv.as_ptr(), environment.as_ptr());
        libc::_exit(127)
    }
}

fn signal_set(full: bool) -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is a valid value, and the calls only write to it.
    unsafe {
        let mut set = std::mem::zeroed();
        if full {
            libc::sigfillset(&raw mut set)
        } else {
            libc::sigemptyset(&raw mut set)
        };
        set
    }
}

/// Blocks the signals and returns a descriptor from which they can be read.
pub(crate) fn signal_descriptor(signals: &[libc::c_int]) -> io::Result<OwnedFd> {
    let mut set = signal_set(false);
    // SAFETY: `set` is initialised; the descriptor returned is new and ours.
    unsafe {
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            &raw const set,
            ptr::null_mut(),
        ))?;
        let fd = check(libc::signalfd(
            -1,
            &raw const set,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Unblocks all signals, for a process that is about to become another program.
pub(crate) fn unblock_signals() -> io::Result<()> {
    let none = signal_set(false);
    // SAFETY: `none` is initialised.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) })?;
    Ok(())
}

/// Ignores a signal, or gives it back its default action.
pub(crate) fn ignore_signal(signal: libc::c_int, ignore: bool) {
    // SAFETY: neither disposition runs code of ours.
    unsafe { libc::signal(signal, if ignore { libc::SIG_IGN } else { libc::SIG_DFL }) };
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) {
    // SAFETY: called at the start of a process, before anything of ours holds descriptors above the standard ones.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
}

/// Takes over a standard descriptor which the parent put there.
pub(crate) fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl of any number is safe; the duplicate returned is new and ours.
    unsafe {
        let copy = check(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3))?;
        Ok(OwnedFd::from_raw_fd(copy))
    }
}

/// Replaces a standard descriptor.
pub(crate) fn replace_standard(target: RawFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: only 0, 1 and 2 are passed, which nothing in this process owns.
    check(unsafe { libc::dup2(fd.as_raw_fd(), target) })?;
    Ok(())
}

/// The index of a network interface in the namespace of this thread.
pub(crate) fn name_to_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: the string is null-terminated.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Makes the open `/dev/net/tun` a TAP device with virtio-net headers.
pub(crate) fn tun_set_interface(fd: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: ifreq is plain data for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as i16;
    // SAFETY: TUNSETIFF reads and writes one ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(())
}

/// Sets how many bytes stand before each frame.
pub(crate) fn tun_set_header_size(fd: BorrowedFd<'_>, size: i32) -> io::Result<()> {
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const size) })?;
    Ok(())
}

/// Sets which offloads the reader of the TAP device takes upon itself.
pub(crate) fn tun_set_offload(fd: BorrowedFd<'_>, mask: u32) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::TUNSETOFFLOAD,
            libc::c_ulong::from(mask),
        )
    })?;
    Ok(())
}

/// Sets attributes of all mounts below `path`, itself included.
pub(crate) fn set_mount_attributes(path: &Path, attributes: u64) -> io::Result<()> {
    mount_setattr(path, attributes, libc::AT_RECURSIVE as libc::c_uint)
}

/// Sets attributes of the mount at `path`.
pub(crate) fn set_one_mount_attributes(path: &Path, attributes: u64) -> io::Result<()> {
    mount_setattr(path, attributes, 0)
}

fn mount_setattr(path: &Path, attributes: u64, flags: libc::c_uint) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let change = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path is null-terminated and the kernel reads `change` only, of the size given.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}

/// Installs a seccomp filter for this process and all that come from it.
pub(crate) fn install_filter(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let length =
        u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog {
        len: length,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel copies `len` instructions from `filter`.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    })?;
    Ok(())
}

/// May other processes of the same user look into this one?
pub(crate) fn set_tracing(allowed: bool) {
    // SAFETY: PR_SET_DUMPABLE takes its argument by value.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(allowed)) };
}

/// Makes a packet socket see only what comes in, not what this machine sends.
pub(crate) fn ignore_outgoing(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` outlives the call, and its length is given.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// From `linux/if_packet.h`.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// Gives this thread precedence over ordinary ones; `false` if the kernel refused.
pub(crate) fn raise_priority(nice: i32) -> bool {
    // SAFETY: all arguments are values; 0 means the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) == 0 }
}

/// Makes this thread a real-time one; `false` if the kernel refused.
pub(crate) fn round_robin(priority: i32) -> bool {
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the kernel reads one sched_param; 0 means the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) == 0 }
}

/// Signals every process of this PID namespace but this one.
pub(crate) fn signal_everyone(signal: libc::c_int) {
    // SAFETY: a system call with values only; it is called by the first process of a PID namespace.
    unsafe { libc::kill(-1, signal) };
}

/// Sends a signal; a process that is gone is no error.
pub(crate) fn signal(pid: i32, signal: libc::c_int) {
    if pid > 0 {
        // SAFETY: a system call with values only.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Takes every capability out of the bounding set, so that no program can bring one back.
pub(crate) fn empty_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: PR_CAPBSET_DROP takes its argument by value.
        let dropped = check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) });
        match dropped {
            Ok(_) => {}
            // The kernel knows no capability of this number, and so none above it.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Becomes another user, in no supplementary group.
pub(crate) fn set_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: an empty list needs no pointer.
    check_long(unsafe { libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>()) })?;
    set_ids(uid, gid)
}

/// Becomes another user and group: real, effective and saved.
pub(crate) fn set_ids(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: values only; the raw calls change this thread alone, which is the only one where this is used.
    unsafe {
        check_long(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check_long(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// A socket that sends frames with virtio-net headers, and receives nothing.
pub(crate) fn packet_socket(send_buffer: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: a new descriptor, which nobody else knows.
    let socket = unsafe {
        let fd = check(libc::socket(libc::AF_PACKET, kind, 0))?;
        OwnedFd::from_raw_fd(fd)
    };
    let on: libc::c_int = 1;
    set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_VNET_HDR, on)?;
    // Root of a user namespace gets what everybody may have.
    set_option(
        socket.as_fd(),
        libc::SOL_SOCKET,
        libc::SO_SNDBUFFORCE,
        send_buffer,
    )
    .or_else(|_| {
        set_option(
            socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            send_buffer,
        )
    })?;
    Ok(socket)
}

fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option's value is one int.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sends a frame and what is in front of it out by a device.
pub(crate) fn send_frame(
    socket: BorrowedFd<'_>,
    ifindex: u32,
    header: &[u8],
    frame: &[u8],
) -> io::Result<()> {
    // SAFETY: plain data for which zero is valid.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = ifindex as i32;
    to.sll_halen = 6;
    let mut parts = [header, frame].map(|part| libc::iovec {
        iov_base: part.as_ptr().cast_mut().cast(),
        iov_len: part.len(),
    });
    // SAFETY: plain data for which zero is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut to).cast();
    message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len();
    // SAFETY: everything that the message points to outlives the call, which only reads it.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
