//! `AssumeRole`: temporary keys for a role of any account.

use policy::Identity;

use super::{NAMESPACE, Parameter, Refusal, escape, value};

/// What AssumeRole asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// `arn:aws:iam::<account>:role/<path and name>`.
    pub role_arn: String,
    /// The role's account, 12 digits.
    pub account: String,
    /// The name that the session gets.
    pub session_name: String,
    /// How long the keys are good, in seconds.
    pub duration_s: u64,
    /// The policy that the session has to pass besides the role's.
    pub policy: Option<String>,
    /// What the role's owner has told the caller to say.
    pub external_id: Option<String>,
}

/// What AssumeRole gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret of the key.
    pub secret_access_key: String,
    /// What has to come with the key.
    pub session_token: String,
    /// When it ends, `2026-11-26T16:02:49Z`.
    pub expiration: String,
    /// The session's ARN.
    pub arn: String,
    /// `AROA…:<session>`.
    pub assumed_role_id: String,
}

/// Parameters that AWS knows and Weir does not: what they restrict or promise would not hold.
pub(super) const UNSUPPORTED: [&str; 7] = [
    "PolicyArns",
    "ProvidedContexts",
    "SerialNumber",
    "SourceIdentity",
    "Tags",
    "TokenCode",
    "TransitiveTagKeys",
];

const DURATION_S: std::ops::RangeInclusive<u64> = 900..=43_200;
const DURATION_DEFAULT_S: u64 = 3_600;
/// Sessions that are begun from a session are shorter ("Role chaining").
const DURATION_OF_CHAINED_S: u64 = 3_600;

impl AssumeRole {
    /// Reads the parameters ("AssumeRole"); `caller` is who asks.
    pub(super) fn parse(parameters: &[Parameter], caller: &Identity) -> Result<Self, Refusal> {
        let role_arn = text(parameters, "RoleArn", 20..=2_048)?;
        let session_name = text(parameters, "RoleSessionName", 2..=64)?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !session_name.chars().all(is_allowed) {
            let constraint = "satisfy regular expression pattern: [\\w+=,.@-]*";
            return Err(invalid("RoleSessionName", Some(session_name), constraint));
        }
        let duration_s = duration(value(parameters, "DurationSeconds"))?;
        if caller.arn.contains(":assumed-role/") && duration_s > DURATION_OF_CHAINED_S {
            return Err(refusal(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                    .to_owned(),
            ));
        }
        let account = account(role_arn).ok_or_else(|| refusal(format!("{role_arn} is invalid")))?;
        Ok(Self {
            role_arn: role_arn.to_owned(),
            account: account.to_owned(),
            session_name: session_name.to_owned(),
            duration_s,
            policy: value(parameters, "Policy").map(str::to_owned),
            external_id: value(parameters, "ExternalId").map(str::to_owned),
        })
    }
}

/// The account in the ARN of a role.
fn account(role_arn: &str) -> Option<&str> {
    let rest = role_arn.strip_prefix("arn:aws:iam::")?;
    let (account, role) = rest.split_once(":role/")?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let mut parts = role.split('/');
    let is_role = parts.all(|part| !part.is_empty() && part.chars().all(is_name));
    (is_account && is_role).then_some(account)
}

fn text<'a>(
    parameters: &'a [Parameter],
    name: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<&'a str, Refusal> {
    let Some(text) = value(parameters, name) else {
        return Err(invalid(name, None, "not be null"));
    };
    let (least, most) = (length.start(), length.end());
    match text.chars().count() {
        count if count < *least => {
            let constraint = format!("have length greater than or equal to {least}");
            Err(invalid(name, Some(text), &constraint))
        }
        count if count > *most => {
            let constraint = format!("have length less than or equal to {most}");
            Err(invalid(name, Some(text), &constraint))
        }
        _ => Ok(text),
    }
}

fn duration(text: Option<&str>) -> Result<u64, Refusal> {
    let Some(text) = text else {
        return Ok(DURATION_DEFAULT_S);
    };
    let Ok(duration_s) = text.parse::<i64>() else {
        let message = format!("{text} is not a valid value for DurationSeconds");
        return Err((400, "MalformedInput", message));
    };
    let (least, most) = (DURATION_S.start(), DURATION_S.end());
    match u64::try_from(duration_s) {
        Ok(duration_s) if DURATION_S.contains(&duration_s) => Ok(duration_s),
        Ok(duration_s) if duration_s > *most => {
            let constraint = format!("have value less than or equal to {most}");
            Err(invalid("DurationSeconds", Some(text), &constraint))
        }
        _ => {
            let constraint = format!("have value greater than or equal to {least}");
            Err(invalid("DurationSeconds", Some(text), &constraint))
        }
    }
}

fn invalid(name: &str, value: Option<&str>, constraint: &str) -> Refusal {
    let (first, rest) = name.split_at(1);
    let member = format!("{}{rest}", first.to_ascii_lowercase());
    let value = value.map_or_else(|| "null".to_owned(), |value| format!("'{value}'"));
    refusal(format!(
        "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
    ))
}

fn refusal(message: String) -> Refusal {
    (400, "ValidationError", message)
}

/// The answer.
pub(super) fn success(credentials: &TemporaryCredentials, request_id: &str) -> String {
    let TemporaryCredentials {
        access_key_id,
        secret_access_key,
        session_token,
        expiration,
        arn,
        assumed_role_id,
    } = credentials;
    format!(
        "<AssumeRoleResponse xmlns=\"{NAMESPACE}\">\n  <AssumeRoleResult>\n    <AssumedRoleUser>\n      \
         <AssumedRoleId>{}</AssumedRoleId>\n      <Arn>{}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n      \
         <AccessKeyId>{}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n  \
         </AssumeRoleResult>\n  <ResponseMetadata>\n    <RequestId>{}</RequestId>\n  </ResponseMetadata>\n\
         </AssumeRoleResponse>\n",
        escape(assumed_role_id),
        escape(arn),
        escape(access_key_id),
        escape(secret_access_key),
        escape(session_token),
        escape(expiration),
        escape(request_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const ROLE: &str = "arn:aws:iam::111122223333:role/path/reader";

    fn parse(pairs: &[(&str, &str)], caller: &Identity) -> Result<AssumeRole, Refusal> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let owned: Vec<_> = owned.collect();
        super::super::check_names("AssumeRole", &owned)?;
        AssumeRole::parse(&owned, caller)
    }

    #[test]
    fn a_role_of_any_account_for_as_long_as_asked() {
        let root = Identity::root("123456789012");
        let asked = parse(
            &[
                ("RoleArn", ROLE),
                ("RoleSessionName", "me@home"),
                ("DurationSeconds", "900"),
            ],
            &root,
        );
        let expected = AssumeRole {
            role_arn: ROLE.to_owned(),
            account: "111122223333".to_owned(),
            session_name: "me@home".to_owned(),
            duration_s: 900,
            policy: None,
            external_id: None,
        };
        assert_eq!(asked, Ok(expected));
    }

    #[test]
    fn refusals_are_sts_own() {
        let root = Identity::root("123456789012");
        let session = Identity {
            arn: "arn:aws:sts::123456789012:assumed-role/a/b".to_owned(),
            ..root.clone()
        };
        let name = ("RoleSessionName", "me");
        let mut report = String::new();
        for (caller, pairs) in [
            (&root, &[name][..]),
            (&root, &[("RoleArn", "arn")]),
            (&root, &[("RoleArn", ROLE)]),
            (&root, &[("RoleArn", ROLE), ("RoleSessionName", "m")]),
            (&root, &[("RoleArn", ROLE), ("RoleSessionName", "m e")]),
            (
                &root,
                &[("RoleArn", "arn:aws:iam::111122223333:user/u"), name],
            ),
            (&root, &[("RoleArn", "arn:aws:iam::1111:role/reader"), name]),
            (
                &root,
                &[("RoleArn", "arn:aws:iam::111122223333:role/a//b"), name],
            ),
            (
                &root,
                &[("RoleArn", ROLE), name, ("DurationSeconds", "899")],
            ),
            (&root, &[("RoleArn", ROLE), name, ("DurationSeconds", "-1")]),
            (
                &root,
                &[("RoleArn", ROLE), name, ("DurationSeconds", "43201")],
            ),
            (
                &root,
                &[("RoleArn", ROLE), name, ("DurationSeconds", "long")],
            ),
            (
                &session,
                &[("RoleArn", ROLE), name, ("DurationSeconds", "3601")],
            ),
            (
                &root,
                &[("RoleArn", ROLE), name, ("Tags.member.1.Key", "k")],
            ),
            (
                &root,
                &[("RoleArn", ROLE), name, ("PolicyArns.member.1.arn", "{}")],
            ),
        ] {
            let (status, code, message) = parse(pairs, caller).unwrap_err();
            report += &format!("{status} {code}: {message}\n");
        }
        expect![[r#"
            400 ValidationError: 1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null
            400 ValidationError: 1 validation error detected: Value 'arn' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20
            400 ValidationError: 1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null
            400 ValidationError: 1 validation error detected: Value 'm' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2
            400 ValidationError: 1 validation error detected: Value 'm e' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*
            400 ValidationError: arn:aws:iam::111122223333:user/u is invalid
            400 ValidationError: arn:aws:iam::1111:role/reader is invalid
            400 ValidationError: arn:aws:iam::111122223333:role/a//b is invalid
            400 ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900
            400 ValidationError: 1 validation error detected: Value '-1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900
            400 ValidationError: 1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200
            400 MalformedInput: long is not a valid value for DurationSeconds
            400 ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining
            400 UnsupportedOperation: The parameter Tags is not supported.
            400 UnsupportedOperation: The parameter PolicyArns is not supported.
        "#]].assert_eq(&report);
    }

    #[test]
    fn the_answer_has_the_keys_and_the_session() {
        let text = |text: &str| text.to_owned();
        let credentials = TemporaryCredentials {
            access_key_id: text("ASIA"),
            secret_access_key: text("s/+"),
            session_token: text("t<"),
            expiration: text("2026-11-26T16:02:49Z"),
            arn: text("arn:aws:sts::1:assumed-role/r/s"),
            assumed_role_id: text("AROA:s"),
        };
        expect![[r#"
            <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <AssumeRoleResult>
                <AssumedRoleUser>
                  <AssumedRoleId>AROA:s</AssumedRoleId>
                  <Arn>arn:aws:sts::1:assumed-role/r/s</Arn>
                </AssumedRoleUser>
                <Credentials>
                  <AccessKeyId>ASIA</AccessKeyId>
                  <SecretAccessKey>s/+</SecretAccessKey>
                  <SessionToken>t&lt;</SessionToken>
                  <Expiration>2026-11-26T16:02:49Z</Expiration>
                </Credentials>
              </AssumeRoleResult>
              <ResponseMetadata>
                <RequestId>r-1</RequestId>
              </ResponseMetadata>
            </AssumeRoleResponse>
        "#]]
        .assert_eq(&success(&credentials, "r-1"));
    }
}
