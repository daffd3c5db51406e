//! `weir env`: what AWS's clients need to know.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use server::ops::Status;

use crate::cli::Target;
use crate::client::{Client, Endpoint};
use crate::output;

/// A daemon that was started a moment ago answers after much less than this.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Prints lines for the shell to evaluate.
pub(crate) fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let endpoint = Endpoint::find(target.endpoint.as_deref())?;
    let mut client = Client::new(&endpoint)?;
    let mut region = server::DEFAULT_REGION.to_owned();
    let mut account = server::DEFAULT_ACCOUNT.to_owned();
    if (0..TRIES).any(|_| {
        client.is_answered() || {
            sleep(PAUSE);
            false
        }
    }) {
        let status = client.weir(&Status {})?;
        (region, account) = (status.region, status.account);
    } else {
        output::note(&format!(
            "no daemon answers at {} yet: start one with `weir up`",
            endpoint.url()
        ));
    }
    let (access_key, secret_key) = server::credentials(account.parse()?);
    output::print(&lines(&endpoint.url(), &region, &access_key, &secret_key))?;
    Ok(ExitCode::SUCCESS)
}

fn lines(url: &str, region: &str, access_key: &str, secret_key: &str) -> String {
    let variables = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    // What a session of real AWS has set would otherwise sign these calls with its own token and profile, or send
    // those of one service elsewhere.
    let unset = "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_IGNORE_CONFIGURED_ENDPOINT_URLS \
        AWS_ENDPOINT_URL_EC2 AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2 AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_CLOUDWATCH_LOGS\n";
    variables
        .map(|(name, value)| format!("export {name}={}\n", quoted(value)))
        .concat()
        + unset
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn shells_can_read_it() {
        expect![[r#"
            export AWS_ENDPOINT_URL='http://[::1]:4566'
            export AWS_REGION=us-east-1
            export AWS_DEFAULT_REGION=us-east-1
            export AWS_ACCESS_KEY_ID=AKIAWEIR123456789012
            export AWS_SECRET_ACCESS_KEY='it'\''s'
            export AWS_EC2_METADATA_DISABLED=true
            unset AWS_SESSION_TOKEN AWS_PROFILE AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_ENDPOINT_URL_EC2 AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2 AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_CLOUDWATCH_LOGS
        "#]]
        .assert_eq(&lines(
            "http://[::1]:4566",
            "us-east-1",
            "AKIAWEIR123456789012",
            "it's",
        ));
    }
}
