//! How instances reach their own metadata (Amazon EC2 User Guide, "Configure the Instance Metadata Service options").

use ec2_api::{
    InstanceMetadataOptionsRequest, InstanceMetadataOptionsResponse,
    ModifyInstanceMetadataOptionsRequest, ModifyInstanceMetadataOptionsResponse,
};
use model::{Instance, InstanceState, MetadataOptions};

use super::wrong_state;
use crate::{Error, Transaction, parameter};

pub(crate) fn modify_instance_metadata_options(
    tx: &mut Transaction<'_>,
    request: &ModifyInstanceMetadataOptionsRequest,
) -> Result<ModifyInstanceMetadataOptionsResponse, Error> {
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    let wanted = InstanceMetadataOptionsRequest {
        http_tokens: request.http_tokens.clone(),
        http_put_response_hop_limit: request.http_put_response_hop_limit,
        http_endpoint: request.http_endpoint.clone(),
        http_protocol_ipv6: request.http_protocol_ipv6.clone(),
        instance_metadata_tags: request.instance_metadata_tags.clone(),
    };
    if wanted == InstanceMetadataOptionsRequest::default() {
        return Err(Error::new(
            "MissingParameter",
            "The request must contain at least one of the metadata options.",
        ));
    }
    let mut instance = tx.take::<Instance>(id)?;
    if matches!(
        instance.state,
        InstanceState::ShuttingDown | InstanceState::Terminated
    ) {
        return Err(wrong_state(&instance));
    }
    let options = options(instance.metadata_options, Some(&wanted))?;
    instance.metadata_options = options;
    tx.put(id, instance);
    Ok(ModifyInstanceMetadataOptionsResponse {
        instance_id: Some(id.to_string()),
        instance_metadata_options: Some(shape(&options, false)),
    })
}

/// The options with those replaced that a request names.
pub(super) fn options(
    now: MetadataOptions,
    request: Option<&InstanceMetadataOptionsRequest>,
) -> Result<MetadataOptions, Error> {
    let Some(request) = request else {
        return Ok(now);
    };
    let switch = |value: &Option<String>, name: &str, now: bool, words: [&'static str; 2]| {
        let Some(value) = value else { return Ok(now) };
        Ok::<_, Error>(parameter::one_of(value, name, &words)? == words[1])
    };
    let on_off = ["disabled", "enabled"];
    Ok(MetadataOptions {
        http_endpoint: switch(
            &request.http_endpoint,
            "HttpEndpoint",
            now.http_endpoint,
            on_off,
        )?,
        http_tokens_required: switch(
            &request.http_tokens,
            "HttpTokens",
            now.http_tokens_required,
            ["optional", "required"],
        )?,
        http_put_response_hop_limit: match request.http_put_response_hop_limit {
            Some(limit) => hop_limit(limit)?,
            None => now.http_put_response_hop_limit,
        },
        http_protocol_ipv6: switch(
            &request.http_protocol_ipv6,
            "HttpProtocolIpv6",
            now.http_protocol_ipv6,
            on_off,
        )?,
        instance_metadata_tags: switch(
            &request.instance_metadata_tags,
            "InstanceMetadataTags",
            now.instance_metadata_tags,
            on_off,
        )?,
    })
}

fn hop_limit(value: i32) -> Result<u8, Error> {
    let fits = u8::try_from(value)
        .ok()
        .filter(|limit| HOPS.contains(limit));
    fits.ok_or_else(|| {
        let why = "The value must be an integer from 1 to 64.";
        Error::invalid_value("HttpPutResponseHopLimit", value, why)
    })
}

/// The options as answers show them; they are in force once the answer is out.
pub(super) fn shape(of: &MetadataOptions, applied: bool) -> InstanceMetadataOptionsResponse {
    let word = |is: bool, words: [&str; 2]| Some(words[usize::from(is)].to_owned());
    let on_off = ["disabled", "enabled"];
    InstanceMetadataOptionsResponse {
        state: word(applied, ["pending", "applied"]),
        http_tokens: word(of.http_tokens_required, ["optional", "required"]),
        http_put_response_hop_limit: Some(of.http_put_response_hop_limit.into()),
        http_endpoint: word(of.http_endpoint, on_off),
        http_protocol_ipv6: word(of.http_protocol_ipv6, on_off),
        instance_metadata_tags: word(of.instance_metadata_tags, on_off),
    }
}

const HOPS: std::ops::RangeInclusive<u8> = 1..=64;
