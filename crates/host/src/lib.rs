//! Linux: namespaces, TAP devices, sandboxes and the forwarding loop.
//!
//! An instance is a [`Sandbox`]: a process tree in namespaces of its own whose only way out is its TAP devices. The
//! frames of all TAPs meet in one [`EventLoop`], which asks a [`Switch`] where each of them goes.
//!
//! This crate never decides where a packet goes and knows no AWS noun; it is the only one with `unsafe` code and the
//! only one that touches the kernel's network.
//!
//! A program that starts sandboxes calls [`dispatch`] first thing in `main`, because sandboxes and [`exec_in`] run
//! the same executable again.

mod device;
pub mod doctor;
mod error;
mod event_loop;
mod fabric;
mod netlink;
mod netns;
pub mod probe;
mod sandbox;
mod service_network;
mod sys;
mod uplink;
mod userns;
mod vnet_header;

pub use device::{Interface, InterfaceAddress, InterfaceRoute, Neighbour, Tap};
pub use error::{Error, Result};
pub use event_loop::{
    Clock, EventLoop, EventLoopOptions, Frame, Output, PortCounters, PortId, Switch, Wire, clock,
};
pub use fabric::{
    Fabric, FabricOptions, FlowAction, FlowKey, FlowTable, FlowTally, Link, Punt, Slot, Wiring,
};
pub use netns::NetworkNamespace;
pub use sandbox::exec::{ExecTarget, exec_in};
pub use sandbox::identity::Identity;
pub use sandbox::limits::{Limits, remove_stale_cgroups};
pub use sandbox::{Sandbox, SandboxConfig};
pub use service_network::ServiceNetwork;
pub use uplink::{UPLINK_MAC, Uplink};
pub use userns::{Privilege, enter_user_namespace, privilege};
pub use vnet_header::VnetHeader;

/// Where a sandbox sees the program that started it, wherever that lies outside.
pub const PROGRAM: &str = sandbox::PROGRAM;

/// The first argument with which a sandbox's first process is started.
pub const INIT_ARGUMENT: &str = "__weir-init";
/// The first argument with which [`exec_in`] starts the program again.
pub const EXEC_ARGUMENT: &str = "__weir-exec";
/// The first argument with which [`Uplink::open`] starts the program again.
pub const UPLINK_ARGUMENT: &str = "__weir-uplink";

/// Becomes a sandbox's first process, a process that joins a sandbox or the keeper of an uplink, if that is what this
/// process was started as; otherwise returns at once. To be called before anything else in `main`, while there is one
/// thread.
pub fn dispatch() {
    let mut arguments = std::env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return;
    };
    if first == INIT_ARGUMENT {
        sandbox::init::init_main();
    }
    if first == EXEC_ARGUMENT {
        sandbox::exec::exec_main(arguments);
    }
    if first == UPLINK_ARGUMENT {
        uplink::keeper::keeper_main(arguments.next().and_then(|plan| plan.into_string().ok()));
    }
}
