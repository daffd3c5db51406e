//! IAM's forms and answers.

use expect_test::expect;
use iam_api::*;

use crate::iam::{parse, render, render_error};

fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

#[test]
fn a_form_is_a_request() {
    let form = crate::form::decode(
        b"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D\
          &Tags.member.1.Key=a&Tags.member.1.Value=b",
    );
    let expected = CreateRoleRequest {
        role_name: Some("r".into()),
        assume_role_policy_document: Some("{}".into()),
        tags: vec![Tag {
            key: Some("a".into()),
            value: Some("b".into()),
        }],
        ..Default::default()
    };
    assert_eq!(parse(&form.unwrap()), Ok(expected.into()));
}

#[test]
fn an_answer_has_its_result_and_an_error_its_kind() {
    let response = ListRolePoliciesResponse {
        policy_names: vec!["a".into(), "b".into()],
        is_truncated: Some(false),
        marker: None,
    };
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <ListRolePoliciesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
        <ListRolePoliciesResult>
        <PolicyNames>
        <member>a</member>
        <member>b</member>
        </PolicyNames>
        <IsTruncated>false</IsTruncated>
        </ListRolePoliciesResult>
        <ResponseMetadata>
        <RequestId>id</RequestId>
        </ResponseMetadata>
        </ListRolePoliciesResponse>"#]]
    .assert_eq(&lines(&render(&response.into(), "id")));
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
        <Error>
        <Type>Sender</Type>
        <Code>NoSuchEntity</Code>
        <Message>gone</Message>
        </Error>
        <RequestId>id</RequestId>
        </ErrorResponse>"#]]
    .assert_eq(&lines(&render_error(404, "NoSuchEntity", "gone", "id")));
}
