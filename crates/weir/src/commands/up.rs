//! `weir up`: the daemon.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use server::Ended;
use tracing_subscriber::EnvFilter;

use crate::cli::{Aggregation, Carrier, S3Files, Up};
use crate::output;

/// Runs the daemon until it is told to end.
pub(crate) fn run(arguments: &Up) -> anyhow::Result<ExitCode> {
    let parent = getppid();
    // While there is one thread. If it cannot be done, the daemon's own check says why and what helps.
    let privilege = host::enter_user_namespace();
    if arguments.end_with_parent {
        // After the namespace, because a change of credentials undoes it.
        set_parent_process_death_signal(Some(Signal::TERM)).context("watch the parent process")?;
        if getppid() != parent {
            return Ok(ExitCode::SUCCESS);
        }
    }
    start_log(&arguments.log)?;
    if let Err(error) = privilege {
        output::note(&error.to_string());
    }
    let config = config(arguments)?;
    if let (Some(_), Some(state)) = (arguments.again, &config.state) {
        server::state_file::reset(state)?;
    }
    let ended = server::run(config, |address| {
        if let Err(error) = say_ready(arguments, address) {
            output::note(&format!("{error:#}"));
        }
    })?;
    match ended {
        Ended::Told => Ok(ExitCode::SUCCESS),
        Ended::Reset(address) => start_again(address),
    }
}

/// Says where the daemon listens, to whoever started it.
fn say_ready(arguments: &Up, address: SocketAddr) -> anyhow::Result<()> {
    if let Some(file) = &arguments.port_file {
        write_whole(file, &format!("{}\n", address.port()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let ready = format!("listening on http://{address}");
    if arguments.again.is_some() {
        // Whoever started it knows.
        return Ok(());
    }
    if arguments.export.iter().any(server::Export::is_stdout) {
        output::note(&ready);
        return Ok(());
    }
    output::line(&ready)
}

/// Writes a file that nobody sees before it is whole.
fn write_whole(file: &Path, text: &str) -> anyhow::Result<()> {
    let name = file.file_name().context("it has no name")?;
    let mut partial = name.to_owned();
    partial.push(format!(".{}", std::process::id()));
    let partial = file.with_file_name(partial);
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, file)?;
    Ok(())
}

/// Becomes a new daemon in the same process, with the same options, at the same address.
fn start_again(address: SocketAddr) -> anyhow::Result<ExitCode> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut given = std::env::args_os().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--again" {
            given.next();
        } else {
            arguments.push(argument);
        }
    }
    arguments.extend(["--again".into(), address.to_string().into()]);
    let error = Command::new(std::env::current_exe()?)
        .args(arguments)
        .exec();
    Err(error).context("start anew")
}

fn config(arguments: &Up) -> anyhow::Result<server::Config> {
    let state = match (&arguments.state, arguments.ephemeral) {
        (_, true) => None,
        (state, false) => Some(super::state::folder(state.as_deref())?),
    };
    let mut config = server::Config::new(state)?;
    config.state_from.clone_from(&arguments.state_from);
    config.listen = arguments.again.unwrap_or(arguments.listen);
    config.region = arguments
        .region
        .parse()
        .map_err(|_| anyhow::anyhow!("--region: '{}' is no Region of AWS", arguments.region))?;
    config.account = arguments
        .account
        .parse()
        .map_err(|_| anyhow::anyhow!("--account: '{}' is not twelve digits", arguments.account))?;
    config.enforce_iam = arguments.enforce_iam;
    config.aggregation = match arguments.aggregation {
        Aggregation::Nitro => server::Aggregation::Nitro,
        Aggregation::AsRequested => server::Aggregation::AsRequested,
    };
    config.s3_files = match arguments.s3_files {
        S3Files::Slot => server::S3Files::Slot,
        S3Files::Window => server::S3Files::Window,
    };
    config.uplink = arguments.uplink;
    config.resolver = arguments.resolver;
    config.carrier = match arguments.carrier {
        Carrier::Auto => server::Carrier::Auto,
        Carrier::Kernel => server::Carrier::Kernel,
        Carrier::Weir => server::Carrier::Weir,
    };
    config.kernel_flows = arguments.kernel_flows;
    for (place, export) in arguments.export.iter().enumerate() {
        let mut before = arguments.export[..place].iter();
        if let Some(other) = before.find(|other| other.shares_output_with(export)) {
            anyhow::bail!("--export {other} and --export {export} write to the same place");
        }
    }
    config.exports.clone_from(&arguments.export);
    config.ip_ranges = arguments.ip_ranges.clone();
    for (name, value) in &arguments.quota {
        config
            .set_quota(name, *value)
            .with_context(|| format!("--quota {name}"))?;
    }
    config.dynamodb_endpoint = dynamodb(&arguments.service)?;
    let endpoint = |flag, url: &Option<String>| {
        let url = url.as_deref();
        url.map(|url| endpoint(flag, url, |name| std::env::var(name).ok()))
            .transpose()
    };
    config.s3_endpoint = endpoint("--s3-endpoint", &arguments.s3_endpoint)?;
    config.logs_endpoint = endpoint("--logs-endpoint", &arguments.logs_endpoint)?;
    config.firehose_endpoint = endpoint("--firehose-endpoint", &arguments.firehose_endpoint)?;
    Ok(config)
}

/// What stands for DynamoDB, the one service that is to be had from elsewhere.
fn dynamodb(services: &[String]) -> anyhow::Result<Option<String>> {
    let mut url = None;
    for text in services {
        let (name, endpoint) = text
            .split_once('=')
            .with_context(|| format!("--service {text}: say NAME=URL"))?;
        anyhow::ensure!(
            name == "dynamodb",
            "--service {name}: only dynamodb can be had from elsewhere"
        );
        anyhow::ensure!(url.is_none(), "--service dynamodb: said twice");
        url = Some(endpoint.to_owned());
    }
    Ok(url)
}

/// An endpoint with the keys of the environment, as AWS's clients find them there.
fn endpoint(
    flag: &str,
    url: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<server::Endpoint> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let needed =
        |name| set(name).with_context(|| format!("{flag} needs ${name}, which is not set"));
    Ok(server::Endpoint {
        url: url.to_owned(),
        access_key_id: needed("AWS_ACCESS_KEY_ID")?,
        secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
        session_token: set("AWS_SESSION_TOKEN"),
        ca_bundle: set("AWS_CA_BUNDLE").map(PathBuf::from),
    })
}

fn start_log(filter: &str) -> anyhow::Result<()> {
    // `s3s` calls every refused request of a client an error; what we log of S3 is our own.
    let filter = EnvFilter::try_new(format!("s3s=off,{filter}"))
        .with_context(|| format!("--log {filter}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dynamodb_can_be_had_from_elsewhere() {
        let of = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            dynamodb(&texts).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[]), Ok(None));
        let url = "http://127.0.0.1:8000";
        assert_eq!(of(&[&format!("dynamodb={url}")]), Ok(Some(url.to_owned())));
        for wrong in [
            &["dynamodb"][..],
            &["s3=http://a"],
            &["dynamodb=a", "dynamodb=b"],
        ] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_endpoint_needs_keys() {
        let made = |given: &[(&str, &str)]| {
            let find = |name: &str| given.iter().find(|(n, _)| *n == name);
            let variable = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
            let endpoint = endpoint("--s3-endpoint", "http://a", variable);
            endpoint.map_err(|error| error.to_string())
        };
        let missing = |name: &str| format!("--s3-endpoint needs ${name}, which is not set");
        let (key, secret) = (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"));
        assert_eq!(made(&[]).unwrap_err(), missing("AWS_ACCESS_KEY_ID"));
        let no_secret = [key, ("AWS_SECRET_ACCESS_KEY", "")];
        assert_eq!(
            made(&no_secret).unwrap_err(),
            missing("AWS_SECRET_ACCESS_KEY")
        );
        let endpoint = made(&[key, secret, ("AWS_SESSION_TOKEN", "")]).unwrap();
        assert_eq!(endpoint.session_token, None);
        let endpoint = made(&[key, secret, ("AWS_SESSION_TOKEN", "t")]).unwrap();
        assert_eq!(endpoint.session_token.as_deref(), Some("t"));
    }
}
