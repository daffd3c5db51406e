//! Listeners (User Guide for Network Load Balancers, "Listeners for your Network Load Balancers").

mod attribute;

use elbv2_api::{
    Action, CreateListenerRequest, CreateListenerResponse, DeleteListenerRequest,
    DeleteListenerResponse, DescribeListenersRequest, DescribeListenersResponse,
    ForwardActionConfig, ModifyListenerRequest, ModifyListenerResponse, TargetGroupTuple,
};
use model::{
    Listener, ListenerId, LoadBalancer, LoadBalancerId, LoadBalancerProtocol, TargetGroup,
};

use super::error::{configuration, unsupported, validation};
use super::load_balancer::PAGE;
use super::{arn, tag, target_group};
use crate::page::Page;
use crate::{Error, Transaction, parameter};

pub(crate) use attribute::{describe_listener_attributes, modify_listener_attributes};

pub(crate) fn create_listener(
    tx: &mut Transaction<'_>,
    request: &CreateListenerRequest,
) -> Result<CreateListenerResponse, Error> {
    let of = arn::load_balancer(tx, &request.load_balancer_arn)?.clone();
    refuse_unsupported(&[
        (request.ssl_policy.is_some(), "SslPolicy"),
        (!request.certificates.is_empty(), "Certificates"),
        (!request.alpn_policy.is_empty(), "AlpnPolicy"),
        (
            request.mutual_authentication.is_some(),
            "MutualAuthentication",
        ),
    ])?;
    let protocol = request.protocol.as_deref();
    let protocol = protocol.ok_or_else(|| validation("A listener protocol must be specified"))?;
    let port = request.port;
    let port = port.ok_or_else(|| validation("A listener port must be specified"))?;
    let listener = Listener {
        id: ListenerId::new(tx.random() as u64),
        load_balancer_id: of.id,
        protocol: target_group::protocol(protocol)?,
        port: target_group::port(port)?,
        target_group_id: forward(tx, &request.default_actions)?.id,
        tcp_idle_timeout_s: Listener::TCP_IDLE_TIMEOUT_S,
        tags: tag::given(tx, &request.tags)?,
    };
    tx.quotas().listeners(listeners_of(tx, of.id).count())?;
    check(tx, &listener, &of)?;
    let answer = shape(tx, &listener, &of);
    tx.put(listener.id, listener);
    Ok(CreateListenerResponse {
        listeners: vec![answer],
    })
}

pub(crate) fn describe_listeners(
    tx: &mut Transaction<'_>,
    request: &DescribeListenersRequest,
) -> Result<DescribeListenersResponse, Error> {
    let page = Page::parse(request.page_size, &request.marker, false, PAGE)?;
    let mut rows: Vec<&Listener> = Vec::new();
    if request.load_balancer_arn.is_some() {
        let of = arn::load_balancer(tx, &request.load_balancer_arn)?.id;
        rows.extend(listeners_of(tx, of));
    } else if request.listener_arns.is_empty() {
        return Err(validation(
            "You must specify either listener ARNs or a load balancer ARN",
        ));
    }
    for text in &request.listener_arns {
        rows.push(arn::listener(tx, &Some(text.clone()))?);
    }
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    let (rows, next_marker) = page.take(rows, |row| row.id.to_string());
    let describe = |row: &&Listener| {
        let of = tx.state().load_balancers.get(&row.load_balancer_id)?;
        Some(shape(tx, row, of))
    };
    Ok(DescribeListenersResponse {
        listeners: rows.iter().filter_map(describe).collect(),
        next_marker,
    })
}

pub(crate) fn delete_listener(
    tx: &mut Transaction<'_>,
    request: &DeleteListenerRequest,
) -> Result<DeleteListenerResponse, Error> {
    let id = arn::listener(tx, &request.listener_arn)?.id;
    tx.delete::<Listener>(id);
    Ok(DeleteListenerResponse {})
}

pub(crate) fn modify_listener(
    tx: &mut Transaction<'_>,
    request: &ModifyListenerRequest,
) -> Result<ModifyListenerResponse, Error> {
    let mut listener = arn::listener(tx, &request.listener_arn)?.clone();
    refuse_unsupported(&[
        (request.ssl_policy.is_some(), "SslPolicy"),
        (!request.certificates.is_empty(), "Certificates"),
        (!request.alpn_policy.is_empty(), "AlpnPolicy"),
        (
            request.mutual_authentication.is_some(),
            "MutualAuthentication",
        ),
    ])?;
    if let Some(protocol) = &request.protocol {
        listener.protocol = target_group::protocol(protocol)?;
    }
    if let Some(port) = request.port {
        listener.port = target_group::port(port)?;
    }
    if !request.default_actions.is_empty() {
        listener.target_group_id = forward(tx, &request.default_actions)?.id;
    }
    let of = tx.state().load_balancers.get(&listener.load_balancer_id);
    let Some(of) = of.cloned() else {
        return Err(Error::new(
            "ListenerNotFound",
            "The listener does not exist",
        ));
    };
    check(tx, &listener, &of)?;
    let answer = shape(tx, &listener, &of);
    tx.put(listener.id, listener);
    Ok(ModifyListenerResponse {
        listeners: vec![answer],
    })
}

fn listeners_of<'t>(
    tx: &'t Transaction<'_>,
    of: LoadBalancerId,
) -> impl Iterator<Item = &'t Listener> {
    tx.rows::<Listener>()
        .filter(move |row| row.load_balancer_id == of)
}

fn refuse_unsupported(given: &[(bool, &str)]) -> Result<(), Error> {
    parameter::refuse_unsupported(given)
}

/// The one target group that the one action forwards to.
fn forward<'t>(tx: &'t Transaction<'_>, actions: &[Action]) -> Result<&'t TargetGroup, Error> {
    let [action] = actions else {
        return Err(Error::new(
            "TooManyActions",
            "A listener of a network load balancer has exactly one default action",
        ));
    };
    let order = action.order.unwrap_or(1);
    if !(1..=50_000).contains(&order) {
        return Err(validation(format!(
            "The action order '{order}' must be between 1 and 50000"
        )));
    }
    match action.r#type.as_deref() {
        Some("forward") => {}
        other => {
            return Err(Error::new(
                "InvalidLoadBalancerAction",
                format!(
                    "Action type '{}' is not valid for network load balancers; it must be 'forward'",
                    other.unwrap_or_default()
                ),
            ));
        }
    }
    refuse_unsupported(&[
        (action.redirect_config.is_some(), "RedirectConfig"),
        (
            action.fixed_response_config.is_some(),
            "FixedResponseConfig",
        ),
        (
            action.authenticate_oidc_config.is_some(),
            "AuthenticateOidcConfig",
        ),
        (
            action.authenticate_cognito_config.is_some(),
            "AuthenticateCognitoConfig",
        ),
        (
            action.jwt_validation_config.is_some(),
            "JwtValidationConfig",
        ),
    ])?;
    let stickiness = |config: &ForwardActionConfig| {
        let sticky = config.target_group_stickiness_config.as_ref();
        sticky.is_some_and(|s| s.enabled == Some(true) || s.duration_seconds.is_some())
    };
    let config = action.forward_config.as_ref();
    if config.is_some_and(stickiness) {
        return Err(unsupported("The parameter TargetGroupStickinessConfig"));
    }
    let weighted: &[TargetGroupTuple] = config.map_or(&[], |config| &config.target_groups);
    let group = match (weighted, &action.target_group_arn) {
        ([], arn) => arn,
        ([only], None) => &only.target_group_arn,
        ([only], arn) if only.target_group_arn == *arn => arn,
        ([_], Some(_)) => {
            return Err(validation(
                "The target group ARN and the forward config name different target groups",
            ));
        }
        _ => return Err(unsupported("Forwarding to several target groups")),
    };
    arn::target_group(tx, group)
}

/// What a listener must be, among the others and for its target group.
fn check(tx: &Transaction<'_>, listener: &Listener, of: &LoadBalancer) -> Result<(), Error> {
    let clashes = |other: &Listener| other.id != listener.id && other.port == listener.port;
    if listeners_of(tx, of.id).any(clashes) {
        return Err(Error::new(
            "DuplicateListener",
            format!(
                "A listener already exists on this port for this load balancer '{}'",
                of.arn(tx.scope())
            ),
        ));
    }
    let group = tx.state().target_groups.get(&listener.target_group_id);
    let Some(group) = group else {
        return Err(Error::new(
            "TargetGroupNotFound",
            "The target group does not exist",
        ));
    };
    if group.vpc_id != of.vpc_id {
        return Err(configuration(format!(
            "Target group '{}' is not in the VPC '{}' of the load balancer",
            group.arn(tx.scope()),
            of.vpc_id
        )));
    }
    if !is_compatible(listener.protocol, group.protocol) {
        return Err(Error::new(
            "IncompatibleProtocols",
            format!(
                "A listener with the protocol '{}' cannot forward to a target group with the protocol '{}'",
                listener.protocol.as_str(),
                group.protocol.as_str()
            ),
        ));
    }
    let used = target_group::load_balancer_of(tx, group.id);
    if used.is_some_and(|used| used != of.id) {
        return Err(Error::new(
            "TargetGroupAssociationLimit",
            format!(
                "The following target groups cannot be associated with more than one load balancer: {}",
                group.arn(tx.scope())
            ),
        ));
    }
    Ok(())
}

/// "Listener configuration" and "Routing configuration": what the listener takes, the group must take too.
fn is_compatible(listener: LoadBalancerProtocol, group: LoadBalancerProtocol) -> bool {
    (group.has_tcp() || !listener.has_tcp()) && (group.has_udp() || !listener.has_udp())
}

fn shape(tx: &Transaction<'_>, row: &Listener, of: &LoadBalancer) -> elbv2_api::Listener {
    let group = tx.state().target_groups.get(&row.target_group_id);
    let target_group_arn = group.map(|group| group.arn(tx.scope()));
    elbv2_api::Listener {
        listener_arn: Some(row.arn(tx.scope(), of)),
        load_balancer_arn: Some(of.arn(tx.scope())),
        port: Some(row.port.into()),
        protocol: Some(row.protocol.as_str().to_owned()),
        default_actions: vec![Action {
            r#type: Some("forward".to_owned()),
            target_group_arn: target_group_arn.clone(),
            order: Some(1),
            forward_config: Some(ForwardActionConfig {
                target_groups: vec![TargetGroupTuple {
                    target_group_arn,
                    weight: None,
                }],
                target_group_stickiness_config: None,
            }),
            ..Default::default()
        }],
        ..Default::default()
    }
}
