//! The system calls that would lead out of a sandbox although it has no privilege.

use std::io;

use libc::sock_filter;

use crate::sys;

/// Installs the filter for this process and its children. It needs `no_new_privs`.
///
/// Refused: pushing characters into a terminal that was inherited from outside (`TIOCSTI`, `TIOCLINUX`); sockets of
/// families that are not bound to the network namespace (`AF_VSOCK` and other exotic ones); `io_uring`, which would get
/// around both; kernel key rings, which are shared by user id; BPF and performance counters; user namespaces, which would
/// open to programs all that the kernel has for its administrators (mounts, firewall rules, traffic control). Programs of
/// another architecture (32-bit ones) get `ENOSYS` for everything.
pub(crate) fn install() -> io::Result<()> {
    sys::install_filter(&mut filter())
}

fn filter() -> Vec<sock_filter> {
    let mut program = vec![
        load(OFFSET_ARCHITECTURE),
        jump(JUMP_IF_EQUAL, NATIVE_ARCHITECTURE, 1, 0),
        refuse(libc::ENOSYS),
        load(OFFSET_NUMBER),
        // Bit 30 marks the x32 numbers, a second door to the same calls; no native call has it.
        jump(JUMP_IF_GREATER_OR_EQUAL, 0x4000_0000, 0, 1),
        refuse(libc::ENOSYS),
    ];
    for (number, error) in REFUSED {
        program.push(jump(JUMP_IF_EQUAL, number as u32, 0, 1));
        program.push(refuse(error));
    }
    program.extend([
        jump(JUMP_IF_EQUAL, libc::SYS_clone as u32, 1, 0),
        jump(JUMP_IF_EQUAL, libc::SYS_unshare as u32, 0, 4),
        load(OFFSET_ARGUMENTS),
        jump(JUMP_IF_ANY_BIT, libc::CLONE_NEWUSER as u32, 0, 1),
        refuse(libc::EPERM),
        allow(),
    ]);
    program.extend([
        jump(JUMP_IF_EQUAL, libc::SYS_ioctl as u32, 0, 5),
        load(OFFSET_ARGUMENTS + 8),
        jump(JUMP_IF_EQUAL, TIOCSTI, 1, 0),
        jump(JUMP_IF_EQUAL, TIOCLINUX, 0, 1),
        refuse(libc::EPERM),
        allow(),
    ]);
    let families = [
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
        libc::AF_PACKET,
    ];
    let count = families.len() as u8;
    program.push(jump(JUMP_IF_EQUAL, libc::SYS_socket as u32, 0, count + 2));
    program.push(load(OFFSET_ARGUMENTS));
    for (left, family) in (1..=count).rev().zip(families) {
        program.push(jump(JUMP_IF_EQUAL, family as u32, left, 0));
    }
    program.push(refuse(libc::EAFNOSUPPORT));
    program.push(allow());
    program
}

const REFUSED: [(libc::c_long, libc::c_int); 9] = [
    // Its flags are in memory, where a filter cannot look; C libraries then use clone.
    (libc::SYS_clone3, libc::ENOSYS),
    (libc::SYS_io_uring_setup, libc::ENOSYS),
    (libc::SYS_io_uring_enter, libc::ENOSYS),
    (libc::SYS_io_uring_register, libc::ENOSYS),
    (libc::SYS_keyctl, libc::ENOSYS),
    (libc::SYS_add_key, libc::ENOSYS),
    (libc::SYS_request_key, libc::ENOSYS),
    (libc::SYS_bpf, libc::EPERM),
    (libc::SYS_perf_event_open, libc::EPERM),
];

fn load(offset: u32) -> sock_filter {
    sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter {
        code,
        jt: if_true,
        jf: if_false,
        k: value,
    }
}

fn refuse(error: libc::c_int) -> sock_filter {
    end(libc::SECCOMP_RET_ERRNO | error as u32)
}

fn allow() -> sock_filter {
    end(libc::SECCOMP_RET_ALLOW)
}

fn end(value: u32) -> sock_filter {
    sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: value,
    }
}

const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_IF_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const JUMP_IF_GREATER_OR_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCHITECTURE: u32 = 4;
/// Of the low half of the first argument.
const OFFSET_ARGUMENTS: u32 = if cfg!(target_endian = "little") {
    16
} else {
    20
};

#[cfg(target_arch = "x86_64")]
const NATIVE_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE_ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const NATIVE_ARCHITECTURE: u32 = 0xc000_00f3;
