//! Arguments of `weir capture`.

use std::path::PathBuf;

use clap::Args;

use super::PacketFilter;

/// Arguments of `weir capture`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir capture eni-0123…                           what it sees, a line for each packet
  weir capture web --write web.pcapng              of the instance whose tag Name is web, for Wireshark
  weir capture eni-0123… --write - | tcpdump -nr -
  weir capture eni-0123… eni-4567… --action REJECT --count 10
  weir capture eni-0123… --write - --duration 60 | weir replay - --eni eni-0123…

What is seen is what flow logs count, in both directions, as the interface gets or sends it: what a
security group or network ACL refuses to let in, too. Each packet's comment says ACCEPT or REJECT and
what became of it in the end, as weir trace does. Interfaces of NAT gateways, load balancers and
endpoints can be captured at as well. Super-frames are cut into the packets that the wire would carry.

What flow logs do not count is not seen: ARP and neighbour discovery, DHCP, the Amazon DNS server,
the time, instance metadata, and what routers answer by themselves. A program inside the instance
sees those.

A reader that is too slow loses packets, never the network its speed: how many is said in the file's
interface statistics and on stderr. A capture ends with Ctrl-C, with its reader, with the last of its
interfaces, and with the daemon; the file is whole then.")]
pub(crate) struct Capture {
    /// eni-…, nat-… of a regional NAT gateway, or an instance with one interface: i-…, its tag Name or private DNS name
    #[arg(required = true, value_name = "INTERFACE")]
    pub(crate) interfaces: Vec<String>,
    /// Write pcapng to a file, or - for stdout, instead of lines
    #[arg(long, short, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// End after so many packets
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) duration: Option<u32>,
    /// With --write: keep so many bytes of each packet
    #[arg(long, short, value_name = "BYTES", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) snaplen: Option<u32>,
    #[command(flatten)]
    pub(crate) filter: PacketFilter,
}
