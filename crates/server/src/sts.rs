//! STS: the Query protocol on top of the keyring.

use std::sync::Arc;

use http::request::Parts;
use model::{AccountId, Region, Role, Scope, World};
use policy::{Caller, Document, Kind, Origin, Policies};
use serde_json::{Value, json};
use services::sts::{AssumeRole, Refusal, TemporaryCredentials};

use crate::auth::Identity;
use crate::clock::{self, SystemEntropy};
use crate::daemon::Daemon;
use crate::keyring::NewSession;
use crate::respond::{self, Answer};
use crate::{access, ec2, permissions};

/// Carries out an STS call; tells besides the answer what of it the event shows.
pub(crate) fn call(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    origin: &Origin,
    parts: &Parts,
    body: &[u8],
    request_id: &str,
) -> (Answer, Value) {
    let form = match ec2::form(parts.uri.query().unwrap_or_default(), body) {
        Ok(form) => form,
        Err(error) => {
            let (status, xml) =
                services::sts::error(400, error.code(), &error.to_string(), request_id);
            return (respond::xml(status, request_id, xml), Value::Null);
        }
    };
    let mut elements = Value::Null;
    let assume = |asked: &AssumeRole| {
        let role_id = if daemon.keyring.enforces() {
            Some(check(
                &daemon.writer.world(),
                identity,
                origin,
                parts,
                asked,
            )?)
        } else {
            refuse_unenforced(asked)?;
            None
        };
        let session = assume_role(daemon, identity, asked, role_id);
        // The secret is nobody's to see again.
        elements = json!({
            "credentials": {
                "accessKeyId": session.access_key_id,
                "sessionToken": session.session_token,
                "expiration": session.expiration,
            },
            "assumedRoleUser": { "assumedRoleId": session.assumed_role_id, "arn": session.arn },
        });
        Ok(session)
    };
    let (status, xml) = services::sts::call(&form, &identity.caller, request_id, assume);
    (respond::xml(status, request_id, xml), elements)
}

/// What restricts a session would restrict nothing.
fn refuse_unenforced(asked: &AssumeRole) -> Result<(), Refusal> {
    let given = [
        (asked.policy.is_some(), "Policy"),
        (asked.external_id.is_some(), "ExternalId"),
    ];
    match given.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err((
            400,
            "UnsupportedOperation",
            format!("The parameter {name} is not supported."),
        )),
        None => Ok(()),
    }
}

/// Whether the caller may assume the role; answers the role's id ("AssumeRole").
fn check(
    world: &World,
    identity: &Identity,
    origin: &Origin,
    parts: &Parts,
    asked: &AssumeRole,
) -> Result<String, Refusal> {
    let denied = |message: String| Err((403, "AccessDenied", message));
    if identity.caller.is_root() {
        return denied("Roles may not be assumed by root accounts.".to_owned());
    }
    let policy = asked.policy.as_deref();
    if let Some(Err(error)) = policy.map(|text| Document::parse(text, Kind::Identity)) {
        return Err((400, "MalformedPolicyDocument", error.to_string()));
    }
    let caller = Caller::Identity(identity.caller.clone());
    let mut context = access::describe(&caller, origin, identity, parts);
    context.put("sts:RoleSessionName", &asked.session_name);
    if let Some(id) = &asked.external_id {
        context.put("sts:ExternalId", id);
    }
    let request = policy::Request {
        caller: &caller,
        canonical_user_id: None,
        action: "sts:AssumeRole",
        resource: &asked.role_arn,
        context: &context,
    };
    let role = role_of(world, asked);
    let trust = role.map(|role| Document::parse(&role.assume_role_policy, Kind::Trust));
    let trust = trust.and_then(Result::ok);
    let policies = Policies {
        endpoint: None,
        resource: trust.as_ref(),
        owner: &asked.account,
        identity: identity.permissions.as_deref(),
    };
    // It is not told whether there is such a role.
    let (Some(role), Ok(_)) = (role, policy::decide_on_trust(&request, &policies)) else {
        let (arn, role) = (&identity.caller.arn, &asked.role_arn);
        return denied(format!(
            "User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role}"
        ));
    };
    if asked.duration_s > u64::try_from(role.max_session_duration_s).unwrap_or(0) {
        return Err((
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                .to_owned(),
        ));
    }
    Ok(role.id.clone())
}

/// The role of an ARN, by its name and its path.
fn role_of<'w>(world: &'w World, asked: &AssumeRole) -> Option<&'w Role> {
    let account: AccountId = asked.account.parse().ok()?;
    let region = Region::GLOBAL;
    let state = world.region(&Scope { account, region })?;
    let role = state.roles.get(&permissions::key(&asked.role_arn))?;
    let arn = format!("arn:aws:iam::{account}:role{}{}", role.path, role.name);
    (arn == asked.role_arn).then_some(role)
}

fn assume_role(
    daemon: &Arc<Daemon>,
    identity: &Identity,
    asked: &AssumeRole,
    role_id: Option<String>,
) -> TemporaryCredentials {
    let account = asked.account.parse::<AccountId>();
    let session = NewSession {
        role_arn: asked.role_arn.clone(),
        role_id,
        session_name: asked.session_name.clone(),
        duration_s: asked.duration_s,
        policy: asked.policy.clone(),
    };
    let key = daemon.keyring.assume(
        account.unwrap_or(identity.scope.account),
        session,
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
