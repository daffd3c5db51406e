//! `weir up`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tracing_subscriber::EnvFilter;

use crate::cli::{Aggregation, S3Files, Up};
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
    let records_only = arguments.export.iter().any(server::Export::is_stdout);
    server::run(config(arguments)?, |address| {
        let ready = format!("listening on http://{address}");
        if records_only {
            output::note(&ready);
        } else if let Err(error) = output::line(&ready) {
            output::note(&format!("{error:#}"));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn config(arguments: &Up) -> anyhow::Result<server::Config> {
    let state = match (&arguments.state, arguments.ephemeral) {
        (_, true) => None,
        (Some(state), false) => Some(state.clone()),
        (None, false) => Some(default_state(|name| {
            std::env::var_os(name).map(PathBuf::from)
        })?),
    };
    let mut config = server::Config::new(state)?;
    config.listen = arguments.listen;
    config.region = arguments
        .region
        .parse()
        .map_err(|_| anyhow::anyhow!("--region: '{}' is no Region of AWS", arguments.region))?;
    config.account = arguments
        .account
        .parse()
        .map_err(|_| anyhow::anyhow!("--account: '{}' is not twelve digits", arguments.account))?;
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
    config.exports.clone_from(&arguments.export);
    config.ip_ranges = arguments.ip_ranges.clone();
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

/// `$XDG_STATE_HOME/weir`, or `~/.local/state/weir` (XDG Base Directory Specification).
fn default_state(variable: impl Fn(&str) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    // The specification says to ignore relative paths.
    let folder = |name| variable(name).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .map(|base| base.join("weir"))
        .context("neither $XDG_STATE_HOME nor $HOME names a folder: say --state DIR or --ephemeral")
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

    fn state(xdg: &str, home: &str) -> Option<String> {
        let variable = |name: &str| Some(PathBuf::from(if name == "HOME" { home } else { xdg }));
        Some(default_state(variable).ok()?.to_str()?.to_owned())
    }

    #[test]
    fn the_state_is_where_xdg_says() {
        assert_eq!(state("/s", "/home/a").as_deref(), Some("/s/weir"));
        assert_eq!(
            state("", "/home/a").as_deref(),
            Some("/home/a/.local/state/weir")
        );
        assert_eq!(
            state("relative", "/home/a").as_deref(),
            Some("/home/a/.local/state/weir")
        );
        assert_eq!(state("", ""), None);
    }

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
