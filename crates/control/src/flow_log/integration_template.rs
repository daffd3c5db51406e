//! GetFlowLogsIntegrationTemplate: a CloudFormation template that makes the files of a flow log in S3 a table of Athena
//! (Amazon VPC User Guide, "Query flow logs using Amazon Athena").
//!
//! What the template makes is as AWS's guide describes it; AWS does not publish the text of its own.

mod integration;
mod loader;
mod query;
mod table;

use ec2_api::{GetFlowLogsIntegrationTemplateRequest, GetFlowLogsIntegrationTemplateResponse};
use model::{FlowLog, FlowLogId, LogDestination};
use serde_json::{Map, Value, json};

use super::destination::{bucket_and_prefix, invalid};
use crate::{Error, Transaction, parameter};
use integration::Integration;
use table::Table;

const INTEGRATIONS_MAX: usize = 10;

pub(crate) fn get_flow_logs_integration_template(
    tx: &mut Transaction<'_>,
    request: &GetFlowLogsIntegrationTemplateRequest,
) -> Result<GetFlowLogsIntegrationTemplateResponse, Error> {
    let id: FlowLogId = parameter::id(&request.flow_log_id, "FlowLogId")?;
    let config = parameter::required(
        &request.config_delivery_s3_destination_arn,
        "ConfigDeliveryS3DestinationArn",
    )?;
    bucket_and_prefix(config)
        .ok_or_else(|| invalid(format!("Invalid ConfigDeliveryS3DestinationArn: {config}")))?;
    let given = parameter::required(&request.integrate_services, "IntegrateService")?;
    let given = given.athena_integrations.as_slice();
    if given.is_empty() {
        return Err(Error::MissingParameter(
            "IntegrateService.AthenaIntegration",
        ));
    }
    if given.len() > INTEGRATIONS_MAX {
        return Err(invalid(format!(
            "AthenaIntegrations may have up to {INTEGRATIONS_MAX} entries"
        )));
    }
    let flow_log: &FlowLog = tx.find(id)?;
    let LogDestination::S3 { .. } = flow_log.destination else {
        return Err(invalid(format!(
            "Integration templates are for flow logs that publish to S3; {id} publishes to {}",
            flow_log.destination.type_name()
        )));
    };
    let mut integrations: Vec<Integration> = Vec::new();
    for given in given {
        let integration = Integration::parse(given, tx.now())?;
        if integrations.iter().any(|i| i.is_same_table(&integration)) {
            return Err(invalid(
                "AthenaIntegrations must differ in PartitionLoadFrequency, PartitionStartDate or PartitionEndDate",
            ));
        }
        integrations.push(integration);
    }
    let template = template(&Table::of(tx.scope(), flow_log)?, &integrations);
    Ok(GetFlowLogsIntegrationTemplateResponse {
        result: Some(format!("{template:#}")),
    })
}

fn template(table: &Table, integrations: &[Integration]) -> Value {
    let mut resources = Map::new();
    let database = table.database();
    resources.insert(
        "Database".to_owned(),
        json!({
            "Type": "AWS::Glue::Database",
            "Properties": {
                "CatalogId": { "Ref": "AWS::AccountId" },
                "DatabaseInput": { "Name": database },
            },
        }),
    );
    for (index, integration) in integrations.iter().enumerate() {
        // Logical ids are letters and digits.
        let number = if integrations.len() == 1 {
            String::new()
        } else {
            (index + 1).to_string()
        };
        let name = table.name(integration);
        let (table_id, group_id) = (format!("Table{number}"), format!("WorkGroup{number}"));
        resources.insert(table_id.clone(), table.resource(integration, &name));
        resources.insert(group_id.clone(), work_group(&name, integration));
        for query in query::all(table, integration, &name) {
            resources.insert(
                format!("{}{number}", query.name),
                json!({
                    "Type": "AWS::Athena::NamedQuery",
                    "DependsOn": [table_id, group_id],
                    "Properties": {
                        "Name": query.name,
                        "Description": query.description,
                        "Database": database,
                        "WorkGroup": format!("{name}workgroup"),
                        "QueryString": query.sql,
                    },
                }),
            );
        }
        if integration.dates.is_none() {
            resources.extend(loader::resources(table, integration, &name, &number));
        }
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Athena tables and queries over the files of flow log {}", table.flow_log_id),
        "Resources": resources,
    })
}

fn work_group(table: &str, integration: &Integration) -> Value {
    json!({
        "Type": "AWS::Athena::WorkGroup",
        "Properties": {
            "Name": format!("{table}workgroup"),
            "RecursiveDeleteOption": true,
            "WorkGroupConfiguration": {
                "EnforceWorkGroupConfiguration": true,
                "ResultConfiguration": { "OutputLocation": integration.results },
            },
        },
    })
}
