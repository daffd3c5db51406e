//! STS: `GetCallerIdentity`, which clients call to learn the account they work in, and `AssumeRole`.

mod assume_role;

use policy::Identity;

pub use self::assume_role::{AssumeRole, TemporaryCredentials};

/// The only API version of STS.
const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A parameter of a Query request.
type Parameter = (String, String);

/// Why a call is refused: status, code, message.
pub type Refusal = (u16, &'static str, String);

/// Answers a Query request: the HTTP status and the `text/xml` body. `assume` gives out the keys of a session.
pub fn call(
    parameters: &[Parameter],
    identity: &Identity,
    request_id: &str,
    assume: impl FnOnce(&AssumeRole) -> Result<TemporaryCredentials, Refusal>,
) -> (u16, String) {
    let version = value(parameters, "Version").unwrap_or(VERSION);
    let answered = match value(parameters, "Action") {
        Some(action) if version == VERSION => match check_names(action, parameters) {
            Err(refusal) => Err(refusal),
            Ok(()) if action == "AssumeRole" => AssumeRole::parse(parameters, identity)
                .and_then(|asked| assume(&asked))
                .map(|credentials| assume_role::success(&credentials, request_id)),
            Ok(()) => Ok(success(identity, request_id)),
        },
        None => Err((
            400,
            "MissingAction",
            "The request must contain the parameter Action".to_owned(),
        )),
        Some(action) => Err(not_found(action, version)),
    };
    match answered {
        Ok(xml) => (200, xml),
        Err((status, code, message)) => error(status, code, &message, request_id),
    }
}

/// The parameters of each action; those that every request has come beside them ("Common parameters").
const PARAMETERS: &[(&str, &[&str])] = &[
    ("GetCallerIdentity", &[]),
    (
        "AssumeRole",
        &[
            "RoleArn",
            "RoleSessionName",
            "DurationSeconds",
            "Policy",
            "ExternalId",
        ],
    ),
];

fn not_found(action: &str, version: &str) -> Refusal {
    let message = format!("Could not find operation {action} for version {version}");
    (400, "InvalidAction", message)
}

/// Refuses actions and parameters that are not known, and parameters that come twice.
fn check_names(action: &str, parameters: &[Parameter]) -> Result<(), Refusal> {
    let own = PARAMETERS.iter().find(|(name, _)| *name == action);
    let (_, own) = own.ok_or_else(|| not_found(action, VERSION))?;
    let is_common = |name: &str| {
        let signature = ["AWSAccessKeyId", "Expires", "SecurityToken", "Timestamp"];
        ["Action", "Version"].contains(&name)
            || signature.contains(&name)
            || name.starts_with("Signature")
            || name.starts_with("X-Amz-")
    };
    for (index, (name, _)) in parameters.iter().enumerate() {
        let first = name.split('.').next().unwrap_or_default();
        let message = if is_common(name) {
            continue;
        } else if action == "AssumeRole" && assume_role::UNSUPPORTED.contains(&first) {
            let message = format!("The parameter {first} is not supported.");
            return Err((400, "UnsupportedOperation", message));
        } else if !own.contains(&name.as_str()) {
            format!("The parameter {name} is not recognized")
        } else if parameters
            .iter()
            .take(index)
            .any(|(before, _)| before == name)
        {
            format!("The parameter {name} may only be specified once.")
        } else {
            continue;
        };
        return Err((400, "ValidationError", message));
    }
    Ok(())
}

/// The value of a parameter.
fn value<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// An error in STS's XML form, for the faults that are found before the call as well.
pub fn error(status: u16, code: &str, message: &str, request_id: &str) -> (u16, String) {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{fault}</Type>\n    \
         <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  \
         <RequestId>{}</RequestId>\n</ErrorResponse>\n",
        escape(code),
        escape(message),
        escape(request_id)
    );
    (status, body)
}

fn success(identity: &Identity, request_id: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
         <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    <Account>{}</Account>\n  \
         </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{}</RequestId>\n  \
         </ResponseMetadata>\n</GetCallerIdentityResponse>\n",
        escape(&identity.arn),
        escape(&identity.user_id),
        escape(&identity.account),
        escape(request_id)
    )
}

/// Escapes text for XML and replaces what XML cannot carry.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(character))),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn query(pairs: &[(&str, &str)]) -> String {
        let parameters: Vec<_> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let root = Identity::root("123456789012");
        let (status, body) = call(&parameters, &root, "r-1", |_| panic!("nothing is assumed"));
        format!("{status}\n{body}")
    }

    #[test]
    fn says_who_the_caller_is() {
        expect![[r#"
            200
            <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <GetCallerIdentityResult>
                <Arn>arn:aws:iam::123456789012:root</Arn>
                <UserId>123456789012</UserId>
                <Account>123456789012</Account>
              </GetCallerIdentityResult>
              <ResponseMetadata>
                <RequestId>r-1</RequestId>
              </ResponseMetadata>
            </GetCallerIdentityResponse>
        "#]]
        .assert_eq(&query(&[
            ("Action", "GetCallerIdentity"),
            ("Version", "2011-06-15"),
        ]));
    }

    #[test]
    fn refuses_other_actions() {
        expect![[r#"
            400
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
              <Error>
                <Type>Sender</Type>
                <Code>InvalidAction</Code>
                <Message>Could not find operation &lt;a&gt; for version 2011-06-15</Message>
              </Error>
              <RequestId>r-1</RequestId>
            </ErrorResponse>
        "#]]
        .assert_eq(&query(&[("Action", "<a>")]));
        assert!(query(&[]).contains("<Code>MissingAction</Code>"));
    }
}
