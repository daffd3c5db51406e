//! The sentence that explains a record.

use dataplane::{Action, Disposition};
use flow_logs::Flow;

use crate::cause::named_groups;
use crate::why::{Asking, Then};
use crate::{Cause, advice};

/// What was decided and by what, in one sentence.
pub(crate) fn verdict(asking: &Asking<'_>, then: &Then, cause: &Cause) -> String {
    let flow = asking.flow;
    let what = advice::packet(flow);
    let action = flow.key.action.name();
    match &flow.disposition {
        Disposition::DeniedBySecurityGroup { egress, groups, .. } => {
            let groups = named_groups(&then.world, groups);
            let lets = if *egress { "out" } else { "in" };
            let lead = lead(flow);
            let group = if groups.is_empty() {
                "no security group has a rule that".to_owned()
            } else {
                let side = if *egress { "outbound" } else { "inbound" };
                format!("no {side} rule of {groups}")
            };
            format!("{lead}{group} lets {lets} {what}.")
        }
        Disposition::DeniedByNetworkAcl { .. } => {
            let lead = lead(flow);
            let returns = if asking.is_answer {
                " It is the answer to a connection that was let pass: network ACLs are stateless, so answers need an entry \
                 of their own."
            } else {
                ""
            };
            format!(
                "{lead}{} denies {what} ({}).{returns}",
                cause.subject(),
                cause.text
            )
        }
        disposition if disposition.is_delivered() => {
            let answers = cause.direction != flow.key.direction.name();
            let by = match (answers, cause.stage.as_str()) {
                (true, "security group") if cause.rule.is_some() => format!(
                    "as the answer of a tracked connection that {} let begin ({})",
                    cause.subject(),
                    cause.text
                ),
                (false, "security group") if cause.rule.is_some() => {
                    format!("{} allows it ({})", cause.subject(), cause.text)
                }
                _ => cause.text.clone(),
            };
            format!("{action}, {disposition}: {by}.")
        }
        disposition => format!("{}{disposition} ({what}).", lead(flow)),
    }
}

/// Who refused: this interface, or somebody further on.
fn lead(flow: &Flow) -> &'static str {
    match flow.key.action {
        Action::Reject => "REJECT: ",
        Action::Accept => "ACCEPT here, then dropped: ",
    }
}
