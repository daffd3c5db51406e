//! Attributes of listeners (API Reference, "ListenerAttribute").

use elbv2_api::{
    DescribeListenerAttributesRequest, DescribeListenerAttributesResponse, ListenerAttribute,
    ModifyListenerAttributesRequest, ModifyListenerAttributesResponse,
};
use model::Listener;

use super::super::arn;
use super::super::attribute::{fixed, number, pair};
use super::super::error::configuration;
use crate::{Error, Transaction};

pub(crate) fn modify_listener_attributes(
    tx: &mut Transaction<'_>,
    request: &ModifyListenerAttributesRequest,
) -> Result<ModifyListenerAttributesResponse, Error> {
    let mut listener = arn::listener(tx, &request.listener_arn)?.clone();
    for attribute in &request.attributes {
        let (key, value) = pair(&attribute.key, &attribute.value)?;
        match key {
            TCP_IDLE_TIMEOUT if !listener.protocol.has_tcp() => {
                return Err(configuration(format!(
                    "The attribute '{key}' is not valid for listeners with the protocol 'UDP'"
                )));
            }
            TCP_IDLE_TIMEOUT => {
                listener.tcp_idle_timeout_s = number(key, value, 60..=6000)?.into();
            }
            _ => fixed(key, value, &[])?,
        }
    }
    let attributes = shape(&listener);
    tx.put(listener.id, listener);
    Ok(ModifyListenerAttributesResponse { attributes })
}

pub(crate) fn describe_listener_attributes(
    tx: &mut Transaction<'_>,
    request: &DescribeListenerAttributesRequest,
) -> Result<DescribeListenerAttributesResponse, Error> {
    let listener = arn::listener(tx, &request.listener_arn)?;
    Ok(DescribeListenerAttributesResponse {
        attributes: shape(listener),
    })
}

fn shape(listener: &Listener) -> Vec<ListenerAttribute> {
    let timeout = listener.protocol.has_tcp().then(|| ListenerAttribute {
        key: Some(TCP_IDLE_TIMEOUT.to_owned()),
        value: Some(listener.tcp_idle_timeout_s.to_string()),
    });
    timeout.into_iter().collect()
}

const TCP_IDLE_TIMEOUT: &str = "tcp.idle_timeout.seconds";
