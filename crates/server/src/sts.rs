//! STS: the Query protocol on top of the keyring.

use std::sync::Arc;

use model::AccountId;
use serde_json::{Value, json};
use services::sts::{AssumeRole, TemporaryCredentials};

use crate::auth::Identity;
use crate::clock::{self, SystemEntropy};
use crate::daemon::Daemon;
use crate::ec2;
use crate::respond::{self, Answer};

/// Carries out an STS call; tells besides the answer what of it the event shows.
pub(crate) fn call(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    query: &str,
    body: &[u8],
    request_id: &str,
) -> (Answer, Value) {
    let form = match ec2::form(query, body) {
        Ok(form) => form,
        Err(error) => {
            let (status, xml) =
                services::sts::error(400, error.code(), &error.to_string(), request_id);
            return (respond::xml(status, request_id, xml), Value::Null);
        }
    };
    let mut elements = Value::Null;
    let assume = |asked: &AssumeRole| {
        let session = assume_role(daemon, identity, asked);
        // The secret is nobody's to see again.
        elements = json!({
            "credentials": {
                "accessKeyId": session.access_key_id,
                "sessionToken": session.session_token,
                "expiration": session.expiration,
            },
            "assumedRoleUser": { "assumedRoleId": session.assumed_role_id, "arn": session.arn },
        });
        session
    };
    let (status, xml) = services::sts::call(&form, &identity.caller, request_id, assume);
    (respond::xml(status, request_id, xml), elements)
}

fn assume_role(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    asked: &AssumeRole,
) -> TemporaryCredentials {
    let account = asked.account.parse::<AccountId>();
    let key = daemon.keyring.assume(
        account.unwrap_or(identity.scope.account),
        &asked.role_arn,
        &asked.session_name,
        asked.duration_s,
        clock::now(),
        &mut SystemEntropy,
    );
    TemporaryCredentials {
        access_key_id: key.access_key_id,
        secret_access_key: key.secret_access_key,
        session_token: key.session_token,
        expiration: key.expires.iso8601(),
        arn: key.identity.arn,
        assumed_role_id: key.identity.user_id,
    }
}
