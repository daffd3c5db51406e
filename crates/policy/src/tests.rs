//! Documents and requests as data: what is refused when it is set, what is decided when it is asked.

mod condition;
mod decision;
mod document;
mod fuzz;
mod naive;

use crate::{Caller, Context, Document, Identity, Kind};

/// A document with one statement for `bucket`, from the elements that the test is about.
fn bucket_policy(elements: &str) -> Result<Document, crate::Error> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{elements}}}]}}"#);
    Document::parse(&text, Kind::Bucket("bucket"))
}

fn root(account: &str) -> Caller {
    Caller::Identity(Identity::root(account))
}

fn user(account: &str, name: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    Caller::Identity(Identity {
        account: account.to_owned(),
        principal_arn: arn.clone(),
        arn,
        user_id: "AIDAEXAMPLE".to_owned(),
    })
}

fn session(account: &str, role: &str, session: &str) -> Caller {
    Caller::Identity(Identity {
        account: account.to_owned(),
        arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
        principal_arn: format!("arn:aws:iam::{account}:role/{role}"),
        user_id: format!("AROAEXAMPLE:{session}"),
    })
}

/// A context of `key=value` pairs; a key with several values stands there several times.
fn context(pairs: &[(&str, &str)]) -> Context {
    let mut context = Context::default();
    for (key, _) in pairs {
        let values = pairs.iter().filter(|(other, _)| other == key);
        context.put_all(key, values.map(|(_, value)| (*value).to_owned()));
    }
    context
}
