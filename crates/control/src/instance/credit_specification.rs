//! DescribeInstanceCreditSpecifications (Amazon EC2 User Guide, "Unlimited mode for burstable performance
//! instances"): the defaults, which cannot be changed here.

use ec2_api::{
    DescribeInstanceCreditSpecificationsRequest, DescribeInstanceCreditSpecificationsResponse,
    InstanceCreditSpecification,
};
use model::{Instance, InstanceId};

use super::instance_type::instance_type;
use super::{check_known, wrong_state};
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

const FILTERS: &[&str] = &["instance-id"];

pub(crate) fn describe_instance_credit_specifications(
    tx: &mut Transaction<'_>,
    request: &DescribeInstanceCreditSpecificationsRequest,
) -> Result<DescribeInstanceCreditSpecificationsResponse, Error> {
    let ids: Vec<InstanceId> = parameter::optional_ids(&request.instance_ids)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    check_known(tx, &ids)?;
    for &id in &ids {
        let instance = tx.find::<Instance>(id)?;
        if credits(instance).is_none() {
            return Err(wrong_state(instance));
        }
    }
    let passing = tx
        .rows::<Instance>()
        .filter(|i| ids.is_empty() || ids.contains(&i.id))
        .filter(|i| credits(i).is_some())
        .filter(|i| filters.matches(&i.tags, |_| vec![i.id.to_string()]))
        .collect();
    let (rows, next_token) = page.take(passing, |i: &&Instance| i.id.to_string());
    let shape = |instance: &Instance| InstanceCreditSpecification {
        instance_id: Some(instance.id.to_string()),
        cpu_credits: credits(instance).map(str::to_owned),
    };
    Ok(DescribeInstanceCreditSpecificationsResponse {
        instance_credit_specifications: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

/// What a burstable type starts with; none for others.
fn credits(instance: &Instance) -> Option<&'static str> {
    let burstable = instance_type(&instance.instance_type).is_ok_and(|of| of.is_burstable());
    let is_t2 = instance.instance_type.starts_with("t2.");
    burstable.then_some(if is_t2 { "standard" } else { "unlimited" })
}
