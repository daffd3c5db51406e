//! Volumes (Amazon EBS User Guide, "Amazon EBS volumes"): instances here have none, and who looks is told so.

use ec2_api::{DescribeVolumesRequest, DescribeVolumesResponse};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

/// Lists no volume.
pub(crate) fn describe_volumes(
    _: &mut Transaction<'_>,
    request: &DescribeVolumesRequest,
) -> Result<DescribeVolumesResponse, Error> {
    let named = !request.volume_ids.is_empty();
    Page::parse(request.max_results, &request.next_token, named, Page::USUAL)?;
    Filters::parse(&request.filters, FILTERS)?;
    if let Some(id) = parameter::absent_id(&request.volume_ids, "vol-")? {
        return Err(Error::new(
            "InvalidVolume.NotFound",
            format!("The volume '{id}' does not exist."),
        ));
    }
    Ok(DescribeVolumesResponse::default())
}

const FILTERS: &[&str] = &[
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "create-time",
    "encrypted",
    "fast-restored",
    "multi-attach-enabled",
    "operator.managed",
    "operator.principal",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];
