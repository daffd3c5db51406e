//! The command line: every command, argument and help text.

mod capture;
mod flows;
mod moment;
mod read;
mod state;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use capture::Capture;
pub(crate) use flows::{FlowFilter, Flows, FlowsAction, FlowsWhy, Format, PacketFilter, WhyFormat};
pub(crate) use read::{Action, ReadFlowLogs};
pub(crate) use state::{Export, Import, Reset};

/// Weir runs an AWS VPC on this machine: the EC2 API, real packets, flow logs.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:
  weir demo                                 see all of it in a few seconds
  weir up &                                 start the daemon
  eval \"$(weir env)\"                        point aws, boto3 and Terraform to it
  weir exec i-0123… -- ping -c3 10.0.1.20   run a program inside an instance
  weir exec --aws i-0123… -- aws s3 ls      a client of AWS, with this shell's credentials
  weir trace i-0123… tcp 10.0.2.30 5432     why does it (not) get through?
  weir flows --follow                       the flow-log records, each with its reason
  weir capture i-0123…                      the packets, each with its verdict

Exit status: 0 done; 1 and 2 what a command found (see its help); 3 the command itself failed."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which daemon the command speaks to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Target {
    /// The daemon to speak to [default: $WEIR_ENDPOINT, $AWS_ENDPOINT_URL or http://127.0.0.1:4566]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C
    Up(Box<Up>),
    /// Print what the shell needs so that AWS's clients speak to the daemon
    #[command(after_help = "Example:\n  eval \"$(weir env)\"\n  aws ec2 describe-vpcs")]
    Env,
    /// Run a program of this machine inside an instance or internet host
    Exec(Exec),
    /// Show flow-log records, each with the rule behind it
    Flows(Flows),
    /// Show or write the packets that an interface sees, each with its verdict
    Capture(Capture),
    /// Write the flow logs that a capture of packets would have left
    Replay(Replay),
    /// Say what would happen to a packet and to its answer, step by step
    #[command(after_help = QUESTION_HELP)]
    Trace(Question),
    /// Send the packet for real and say what arrived
    #[command(after_help = QUESTION_HELP)]
    Probe(Question),
    /// Manage the hosts of the simulated internet
    Internet {
        #[command(subcommand)]
        action: Internet,
    },
    /// Have CloudTrail's trails deliver (`aws cloudtrail lookup-events` shows the events)
    #[command(after_help = TRAIL_HELP)]
    Trail {
        #[command(subcommand)]
        action: Trail,
    },
    /// Write the whole state to one file
    Export(Export),
    /// Put the state of such a file into a state folder
    Import(Import),
    /// Forget everything
    Reset(Reset),
    /// Show how the daemon is
    Status(Json),
    /// Say what this machine allows, and what to do about the rest
    Doctor(Json),
    /// Build a small network, send packets through it, and check every record they leave
    Demo(Demo),
    /// Print what a shell completes command lines with
    #[command(after_help = "Examples:
  weir completions bash > ~/.local/share/bash-completion/completions/weir
  weir completions zsh > ~/.zfunc/_weir
  weir completions fish > ~/.config/fish/completions/weir.fish")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands
    Man {
        /// Write weir.1, weir-up.1 and so on into this folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Serves one text by HTTP.
    #[command(name = "__serve-http", hide = true)]
    ServeHttp { port: u16, text: String },
    /// Pings and counts the replies.
    #[command(name = "__ping", hide = true)]
    Ping { address: IpAddr, count: u16 },
    /// Gets a page by HTTP.
    #[command(name = "__get", hide = true)]
    Get { server: SocketAddr, from_port: u16 },
    /// Gets an object of a bucket, as the default account.
    #[command(name = "__get-object", hide = true)]
    GetObject {
        host: String,
        bucket: String,
        key: String,
    },
    /// Opens a TCP connection and closes it.
    #[command(name = "__connect", hide = true)]
    Connect { server: SocketAddr, from_port: u16 },
}

/// Arguments of `weir up`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir up
  weir up --ephemeral --listen 127.0.0.1:0    any free port; the first line on stdout says which
  weir up --ephemeral --state-from network.weir    what `weir export` has written, without changing the file
  weir up --s3-endpoint http://127.0.0.1:9000    flow logs go to an S3 elsewhere
  weir up --export json:- | jq 'select(.action == \"REJECT\")'    records as JSON lines, without any flow log
  weir up --export ocsf:/var/log/weir/flows.ocsf --export ipfix:127.0.0.1:4739

Exports have every interface's records, in windows of a minute, whether a flow log covers it or not. With one to standard
output, the line that says where the daemon listens goes to stderr. A file is opened anew when it has been moved away, and
on SIGHUP. What an export cannot take is dropped and counted: `weir flows status`.

State lives in $XDG_STATE_HOME/weir (or ~/.local/state/weir) unless told otherwise.

Whoever starts it knows that it is ready by the first line, `listening on http://ADDRESS:PORT`, by the file of --port-file,
which appears then, or by GET /_weir/health, which needs no credentials: {\"status\":\"ok\",\"version\":…,\"generation\":…}.

Endpoints are http://HOST[:PORT], https://HOST[:PORT], or aws for AWS itself. Their keys are those of
$AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY and, for temporary ones, $AWS_SESSION_TOKEN; certificates are
checked against this machine's authorities, or those in the file $AWS_CA_BUNDLE.")]
pub(crate) struct Up {
    /// Where to listen; loopback only, port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    pub(crate) listen: SocketAddr,
    /// The folder of the state
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) state: Option<PathBuf>,
    /// Keep the state in a temporary folder that goes with the daemon
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Begin with the state of this file of `weir export`; the state folder has to be empty
    #[arg(long, value_name = "FILE")]
    pub(crate) state_from: Option<PathBuf>,
    /// Write the port to this file once the daemon is ready
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,
    /// The Region of calls that name none
    #[arg(long, default_value = server::DEFAULT_REGION)]
    pub(crate) region: String,
    /// The account of access keys that Weir does not know
    #[arg(long, default_value = server::DEFAULT_ACCOUNT)]
    pub(crate) account: String,
    /// Let callers do only what their IAM policies allow; keys whose secret Weir does not know are refused then
    #[arg(long)]
    pub(crate) enforce_iam: bool,
    /// How long the windows of flow logs are
    #[arg(long, value_enum, default_value_t = Aggregation::Nitro)]
    pub(crate) aggregation: Aggregation,
    /// When files of flow logs come to S3
    #[arg(long, value_enum, default_value_t = S3Files::Slot)]
    pub(crate) s3_files: S3Files,
    /// Connect the simulated internet to the real one, through this machine; needs root and nft
    #[arg(long)]
    pub(crate) uplink: bool,
    /// Who carries the packets of flows that have been decided on: the kernel, this program, or the kernel where it can
    #[arg(long, value_enum, default_value_t = Carrier::Auto)]
    pub(crate) carrier: Carrier,
    /// How many flows the kernel has room for, 128 bytes each; the packets of others are carried by this program
    #[arg(long, value_name = "COUNT", default_value_t = server::KERNEL_FLOWS, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub(crate) kernel_flows: u32,
    /// Ask this name server for names of the real internet instead of this machine's
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "uplink", value_parser = resolver)]
    pub(crate) resolver: Option<SocketAddr>,
    /// Deliver flow logs for S3 to this S3 instead of the embedded one
    #[arg(long, value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,
    /// Deliver flow logs for CloudWatch Logs to this one instead of the embedded one
    #[arg(long, value_name = "URL")]
    pub(crate) logs_endpoint: Option<String>,
    /// Deliver flow logs for Firehose to this one instead of the embedded one
    #[arg(long, value_name = "URL")]
    pub(crate) firehose_endpoint: Option<String>,
    /// Take the codes of pkt-src-aws-service and pkt-dst-aws-service from this file of AWS's form, ip-ranges.json
    #[arg(long, value_name = "FILE")]
    pub(crate) ip_ranges: Option<PathBuf>,
    /// What stands for a service of AWS that Weir has nothing of its own for: dynamodb=URL
    #[arg(long, value_name = "NAME=URL")]
    pub(crate) service: Vec<String>,
    /// Adjust one of AWS's quotas, network_interfaces=100000 for example; may be repeated
    #[arg(long, value_name = "NAME=NUMBER", value_parser = quota)]
    pub(crate) quota: Vec<(String, usize)>,
    /// Also write the records of every interface, as its windows close, to json:-, json:FILE, ocsf:-, ocsf:FILE,
    /// ipfix:HOST:PORT or ipfix+tcp:HOST:PORT; may be repeated
    #[arg(long, value_name = "FORMAT:TO", value_parser = export)]
    pub(crate) export: Vec<server::Export>,
    /// What to log to stderr: error, warn, info, debug, trace, or module=level,…
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: String,
    /// Ends when the process that started it does.
    #[arg(long, hide = true)]
    pub(crate) end_with_parent: bool,
    /// Forgets the state, and takes the place of a daemon that listened there.
    #[arg(long, hide = true)]
    pub(crate) again: Option<SocketAddr>,
}

/// How long the windows of flow logs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Aggregation {
    /// 60 seconds whatever was asked for, as with Nitro instances
    Nitro,
    /// What each flow log asked for: 60 or 600 seconds
    AsRequested,
}

/// Who carries the packets of flows that have been decided on. The answers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carrier {
    /// The kernel, if it lets us: that needs root and Linux 6.6 or later; else this program
    Auto,
    /// The kernel; without it, Weir does not start
    Kernel,
    /// This program: slower, and the same answers
    Weir,
}

/// When files of flow logs come to S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum S3Files {
    /// Every five minutes, as AWS does: one file for each flow log, a minute after the five in its name are over; a file of
    /// more than 75 MB of text is closed early, and `weir flows flush` closes all
    Slot,
    /// As soon as a window closes: sooner, and many more files
    Window,
}

/// Arguments of `weir exec`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir exec i-0123456789abcdef0 -- ping -c3 10.0.1.20
  weir exec --env LANG=C internet:203.0.113.10 -- curl -s http://198.51.100.7/

The exit status is the program's; 125 if weir failed before, 126 or 127 if it could not be run.")]
pub(crate) struct Exec {
    /// Set a variable in the program's environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<String>,
    /// Pass on the AWS credentials and Region of this shell, for AWS's clients inside
    #[arg(long)]
    pub(crate) aws: bool,
    /// The program is one of ours.
    #[arg(long, hide = true)]
    pub(crate) builtin: bool,
    /// i-…, its tag Name, or internet:ADDRESS
    pub(crate) source: String,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub(crate) program: Vec<std::ffi::OsString>,
}

/// A quota, `NAME=NUMBER`.
fn quota(text: &str) -> Result<(String, usize), String> {
    let parsed = text
        .split_once('=')
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    parsed.ok_or_else(|| "say NAME=NUMBER".to_owned())
}

fn export(text: &str) -> Result<server::Export, String> {
    text.parse()
}

/// A name server, at the usual port if it names none.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .or_else(|_| {
            text.parse()
                .map(|address: IpAddr| SocketAddr::new(address, 53))
        })
        .map_err(|_| "not an address, or an address and a port".to_owned())
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Arguments of `weir replay`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  weir replay web.pcapng --eni eni-0123…                       by the rules of the running daemon
  weir replay web.pcap.gz --eni eni-0123… --config net.json    by rules in a file, without a daemon
  tcpdump -w - | weir replay - --eni eni-0123… --state DIR
  (aws ec2 describe-vpcs; aws ec2 describe-subnets; aws ec2 describe-route-tables;
   aws ec2 describe-network-acls; aws ec2 describe-security-groups;
   aws ec2 describe-network-interfaces) | jq -s add > net.json

net.json has what those six print, or only what matters, written by hand:
  {\"Vpcs\": [{\"VpcId\": \"vpc-00000001\", \"CidrBlock\": \"10.0.0.0/16\"}],
   \"Subnets\": [{\"SubnetId\": \"subnet-00000001\", \"VpcId\": \"vpc-00000001\", \"CidrBlock\": \"10.0.1.0/24\"}],
   \"SecurityGroups\": [{\"GroupId\": \"sg-00000001\", \"VpcId\": \"vpc-00000001\", \"IpPermissions\": [
     {\"IpProtocol\": \"tcp\", \"FromPort\": 443, \"ToPort\": 443, \"IpRanges\": [{\"CidrIp\": \"0.0.0.0/0\"}]}]}],
   \"NetworkInterfaces\": [{\"NetworkInterfaceId\": \"eni-00000001\", \"SubnetId\": \"subnet-00000001\",
     \"PrivateIpAddress\": \"10.0.1.10\", \"Groups\": [{\"GroupId\": \"sg-00000001\"}]}]}

Packets are taken as the interface saw them: those that it sent are decided on from its security
groups on, those that came to it from the network ACL of its subnet on. Which of the two a packet is
says the interface's MAC address in it, else its addresses. Times are the capture's. What cannot be
read is named with its place on stderr, and the rest is read; the summary there counts all of it.

Exit status: 0 all of the capture was read; 1 a part of it could not be; 3 nothing could be done.")]
pub(crate) struct Replay {
    /// The capture: pcap or pcapng, gzip of those, or - for stdin
    pub(crate) file: PathBuf,
    /// The network interface at which it was made
    #[arg(long, value_name = "ENI")]
    pub(crate) eni: String,
    /// The network, as `aws ec2 describe-…` prints it, instead of the daemon's
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub(crate) config: Option<PathBuf>,
    /// The network of a state folder that no daemon uses, instead of the daemon's
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Fields of the records, as of CreateFlowLogs [default: AWS's]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Which records to write
    #[arg(long, value_enum, default_value_t = Traffic::All)]
    pub(crate) traffic_type: Traffic,
    /// How long windows are, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = ["60", "600"])]
    pub(crate) interval: String,
    /// Write files below this folder, with the names that they would have in S3, instead of lines
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// When such a file is complete
    #[arg(long, value_enum, default_value_t = ReplayFiles::Slot, requires = "output")]
    pub(crate) files: ReplayFiles,
    /// Flows that a window may hold; what does not fit is told by SKIPDATA
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    pub(crate) flows_max: usize,
}

/// Which records are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayFiles {
    /// Those that end in the same five minutes, up to 75 MB of text, as in S3
    Slot,
    /// Those of a window
    Window,
}

/// Which records to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Traffic {
    /// All
    All,
    /// What was let pass
    Accept,
    /// What was refused
    Reject,
}

/// Arguments of `weir trace` and `weir probe`.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// internet:ADDRESS, or an instance or interface: i-…, eni-…, its tag Name or private DNS name
    pub(crate) source: String,
    /// tcp, udp, icmp, icmpv6 or, to trace, a number
    pub(crate) protocol: String,
    /// Where the packet goes: an address, or an instance or interface
    pub(crate) destination: String,
    /// Its port, for tcp and udp
    pub(crate) port: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const QUESTION_HELP: &str = "Examples:
  weir trace i-0123456789abcdef0 tcp 10.0.2.30 5432
  weir trace web tcp database 5432      instances by their tag Name
  weir probe internet:203.0.113.10 icmp 198.51.100.7
  weir probe internet:203.0.113.10 tcp i-0123456789abcdef0 443

An instance or interface as a destination is its primary private address, and its public one for
hosts of the internet.

Exit status: 0 delivered and answered; 1 refused on the way; 2 delivered, but the answer is refused;
3 the command itself failed.";

const TRAIL_HELP: &str = "\
Every call of the API leaves an event. Without any trail, the last 90 days can be looked up:

  aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteVpc
  aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=sg-…

Trails write the same events to S3 every five minutes:

  aws cloudtrail create-trail --name all --s3-bucket-name BUCKET && aws cloudtrail start-logging --name all
  weir trail flush

The bucket's policy has to let cloudtrail.amazonaws.com put objects, as in AWS; otherwise the trail is refused with
InsufficientS3BucketPolicyException.

With --enable-log-file-validation, a signed digest of every hour's files follows, which tells whether a file was changed or
removed:

  aws cloudtrail validate-logs --trail-arn ARN --start-time 2026-10-01T00:00:00Z";

/// What to do with trails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Trail {
    /// Deliver what has been called until now, instead of within five minutes, and the digest of this hour
    Flush,
}

/// What to do with the hosts of the simulated internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Internet {
    /// Put a host with this address on the internet
    Add {
        /// A public address
        address: IpAddr,
    },
    /// Take it off again
    Rm {
        /// Its address
        address: IpAddr,
    },
    /// List them
    List,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `weir demo`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "Examples:
  weir demo            a VPC: what gets through, what does not, and why
  weir demo peering    VPCs of two accounts in two Regions
  weir demo egress     ways out that are no ways in
  weir demo endpoints  a private bucket, and who may read it

Exit status: 0 everything was as expected; 1 a record or verdict differs; 3 it could not be run.")]
pub(crate) struct Demo {
    /// What to show
    #[arg(value_enum, default_value_t = Scenario::Vpc)]
    pub(crate) scenario: Scenario,
    /// Keep the network afterwards, to look around until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What a demo shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// One VPC: security groups, a network ACL, and the rule behind every REJECT
    Vpc,
    /// Peering between accounts and Regions: who reaches whom, and who does not
    Peering,
    /// A NAT gateway and an egress-only internet gateway: who gets out, and that nobody gets in
    Egress,
    /// A private bucket behind a gateway endpoint and an interface endpoint, and their policies
    Endpoints,
}

/// The definitions, for what is made of them.
pub(crate) fn definitions() -> clap::Command {
    Cli::command()
}

/// Reads the command line; help and errors are printed, and answered as the status to end with.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        // Nothing is left to be done if even that fails.
        let _ = error.print();
        if error.use_stderr() {
            ExitCode::from(failure_of(std::env::args_os()))
        } else {
            ExitCode::SUCCESS
        }
    })
}

/// The status of a command line that could not be understood. 3 from `weir exec` could be its program's.
fn failure_of(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let matches = Cli::command()
        .ignore_errors(true)
        .try_get_matches_from(arguments);
    match matches {
        Ok(matches) if matches.subcommand_name() == Some("exec") => 125,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        Cli::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn programs_keep_their_own_options() {
        let Command::Exec(exec) =
            parsed("weir exec --env A=b i-1 -- ping -c 3 --endpoint x 10.0.1.20").command
        else {
            panic!("not exec");
        };
        assert_eq!(exec.env, ["A=b"]);
        assert_eq!(exec.source, "i-1");
        assert_eq!(
            exec.program,
            ["ping", "-c", "3", "--endpoint", "x", "10.0.1.20"]
        );
        assert!(Cli::try_parse_from(["weir", "exec", "--env", "A", "i-1", "--", "true"]).is_err());
        assert!(Cli::try_parse_from(["weir", "exec", "i-1"]).is_err());
    }

    #[test]
    fn a_name_server_is_an_address_and_goes_with_the_uplink() {
        let Command::Up(up) = parsed("weir up --uplink --resolver 192.0.2.1").command else {
            panic!("not up");
        };
        assert_eq!(up.resolver, Some("192.0.2.1:53".parse().unwrap()));
        assert_eq!(resolver("[2001:db8::1]:5353").unwrap().port(), 5353);
        for line in [
            "weir up --uplink --resolver example.com",
            "weir up --resolver 192.0.2.1",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err());
        }
    }

    #[test]
    fn a_status_of_exec_is_not_taken_for_that_of_a_program() {
        let status = |line: &str| failure_of(line.split(' ').map(Into::into));
        assert_eq!(status("weir exec i-1"), 125);
        assert_eq!(status("weir --endpoint http://127.0.0.1:1 exec"), 125);
        assert_eq!(status("weir exec --env A i-1 -- true"), 125);
        assert_eq!(status("weir trace exec"), 3);
        assert_eq!(status("weir nonsense"), 3);
    }

    #[test]
    fn the_endpoint_may_stand_anywhere() {
        for line in [
            "weir --endpoint http://h:1 env",
            "weir env --endpoint http://h:1",
        ] {
            assert_eq!(
                parsed(line).target.endpoint.as_deref(),
                Some("http://h:1"),
                "{line}"
            );
        }
    }

    #[test]
    fn questions() {
        let Command::Trace(question) = parsed("weir trace i-1 tcp 10.0.2.30 5432 --json").command
        else {
            panic!("not trace");
        };
        assert_eq!((question.port, question.json), (Some(5432), true));
        assert!(matches!(
            parsed("weir probe internet:203.0.113.10 icmp fd00::1").command,
            Command::Probe(_)
        ));
        let Command::Trace(question) = parsed("weir trace web tcp database 5432").command else {
            panic!("not trace");
        };
        assert_eq!(question.destination, "database");
        assert!(Cli::try_parse_from(["weir", "trace", "i-1", "tcp", "10.0.0.1", "65536"]).is_err());
    }

    #[test]
    fn flows_are_read_or_flushed() {
        let Command::Flows(flows) = parsed("weir flows --follow --live --format csv -n 3").command
        else {
            panic!("not flows");
        };
        assert!(flows.follow && flows.live && flows.action.is_none());
        assert_eq!((flows.format, flows.limit), (Format::Csv, Some(3)));
        let Command::Flows(flows) = parsed("weir flows flush").command else {
            panic!("not flows");
        };
        assert!(matches!(flows.action, Some(FlowsAction::Flush)));
        let Command::Flows(flows) =
            parsed("weir flows why --port 22 --action REJECT --since 10m -n 3").command
        else {
            panic!("not flows");
        };
        let Some(FlowsAction::Why(why)) = flows.action else {
            panic!("not why");
        };
        assert_eq!((why.filter.packets.port, why.limit), (Some(22), Some(3)));
    }

    #[test]
    fn captures() {
        let line = "weir capture eni-1 web -w - -c 3 --duration 9 -s 96 --action REJECT";
        let Command::Capture(capture) = parsed(line).command else {
            panic!("not capture");
        };
        assert_eq!(capture.interfaces, ["eni-1", "web"]);
        assert_eq!((capture.count, capture.duration), (Some(3), Some(9)));
        for line in [
            "weir capture",
            "weir capture eni-1 -s 96",
            "weir capture eni-1 -c 0",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_demo_shows_the_vpc_unless_told_otherwise() {
        let scenario = |line: &str| match parsed(line).command {
            Command::Demo(demo) => (demo.scenario, demo.keep),
            other => panic!("{other:?}"),
        };
        assert_eq!(scenario("weir demo --keep"), (Scenario::Vpc, true));
        assert_eq!(scenario("weir demo peering"), (Scenario::Peering, false));
        assert!(Cli::try_parse_from(["weir", "demo", "nonsense"]).is_err());
    }

    #[test]
    fn a_state_folder_is_not_ephemeral() {
        assert!(Cli::try_parse_from(["weir", "up", "--ephemeral", "--state", "x"]).is_err());
        let Command::Up(up) = parsed("weir up --aggregation as-requested --listen [::1]:0").command
        else {
            panic!("not up");
        };
        assert_eq!(up.aggregation, Aggregation::AsRequested);
    }
}
