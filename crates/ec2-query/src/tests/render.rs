//! What is answered: responses and errors to XML.

use crate::{render, render_error};
use ec2_api::*;
use expect_test::{Expect, expect};

const REQUEST_ID: &str = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE";

/// Compares the answer with one element to a line.
fn check(response: impl Into<Response>, expected: &Expect) {
    expected.assert_eq(&render(&response.into(), REQUEST_ID).replace("><", ">\n<"));
}

#[test]
fn a_vpc() {
    let state = VpcCidrBlockState {
        state: Some("associated".into()),
        status_message: None,
    };
    let association = VpcCidrBlockAssociation {
        association_id: Some("vpc-cidr-assoc-1".into()),
        cidr_block: Some("10.0.0.0/16".into()),
        cidr_block_state: Some(state),
    };
    let vpc = Vpc {
        vpc_id: Some("vpc-1".into()),
        state: Some("pending".into()),
        cidr_block_association_set: vec![association],
        is_default: Some(false),
        tags: vec![Tag {
            key: Some("Name".into()),
            value: Some("a & b".into()),
        }],
        ..Default::default()
    };
    check(
        CreateVpcResponse { vpc: Some(vpc) },
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <CreateVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <vpc>
        <ipv6CidrBlockAssociationSet/>
        <cidrBlockAssociationSet>
        <item>
        <associationId>vpc-cidr-assoc-1</associationId>
        <cidrBlock>10.0.0.0/16</cidrBlock>
        <cidrBlockState>
        <state>associated</state>
        </cidrBlockState>
        </item>
        </cidrBlockAssociationSet>
        <isDefault>false</isDefault>
        <tagSet>
        <item>
        <key>Name</key>
        <value>a &amp; b</value>
        </item>
        </tagSet>
        <vpcId>vpc-1</vpcId>
        <state>pending</state>
        </vpc>
        </CreateVpcResponse>"#]],
    );
}

#[test]
fn empty_outputs_send_return_true() {
    check(
        DeleteVpcResponse {},
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <return>true</return>
        </DeleteVpcResponse>"#]],
    );
}

#[test]
fn return_beside_other_members() {
    let response = DeleteSecurityGroupResponse {
        group_id: Some("sg-1".into()),
        ..Default::default()
    };
    check(
        response,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DeleteSecurityGroupResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <return>true</return>
        <groupId>sg-1</groupId>
        </DeleteSecurityGroupResponse>"#]],
    );
    let response = AssociateAddressResponse {
        association_id: Some("eipassoc-1".into()),
    };
    check(
        response,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <AssociateAddressResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <return>true</return>
        <associationId>eipassoc-1</associationId>
        </AssociateAddressResponse>"#]],
    );
}

#[test]
fn empty_lists_are_sent_and_absent_scalars_are_not() {
    check(
        DescribeSubnetsResponse::default(),
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <subnetSet/>
        </DescribeSubnetsResponse>"#]],
    );
}

#[test]
fn attribute_wrappers() {
    let response = DescribeVpcAttributeResponse {
        vpc_id: Some("vpc-1".into()),
        enable_dns_support: Some(AttributeBooleanValue { value: Some(true) }),
        ..Default::default()
    };
    check(
        response,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DescribeVpcAttributeResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <enableDnsSupport>
        <value>true</value>
        </enableDnsSupport>
        <vpcId>vpc-1</vpcId>
        </DescribeVpcAttributeResponse>"#]],
    );
}

#[test]
fn a_reservation_is_the_root_of_run_instances() {
    let instance = Instance {
        instance_id: Some("i-1".into()),
        state: Some(InstanceState {
            code: Some(0),
            name: Some("pending".into()),
        }),
        ..Default::default()
    };
    let response = RunInstancesResponse {
        reservation_id: Some("r-1".into()),
        instances: vec![instance],
        ..Default::default()
    };
    check(
        response,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <RunInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <reservationId>r-1</reservationId>
        <groupSet/>
        <instancesSet>
        <item>
        <blockDeviceMapping/>
        <elasticGpuAssociationSet/>
        <elasticInferenceAcceleratorAssociationSet/>
        <networkInterfaceSet/>
        <groupSet/>
        <tagSet/>
        <licenseSet/>
        <secondaryInterfaceSet/>
        <instanceId>i-1</instanceId>
        <instanceState>
        <code>0</code>
        <name>pending</name>
        </instanceState>
        <productCodes/>
        </item>
        </instancesSet>
        </RunInstancesResponse>"#]],
    );
}

#[test]
fn numbers_with_a_fraction() {
    let response = DescribeInstanceTypesResponse {
        instance_types: vec![InstanceTypeInfo {
            processor_info: Some(ProcessorInfo {
                sustained_clock_speed_in_ghz: Some(2.0),
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let xml = render(&response.into(), REQUEST_ID);
    assert!(
        xml.contains("<sustainedClockSpeedInGhz>2.0</sustainedClockSpeedInGhz>"),
        "{xml}"
    );
}

#[test]
fn characters_that_xml_cannot_carry() {
    let response = GetConsoleOutputResponse {
        output: Some("a<b>\"'&\r\n\t\0\x1b[0m\u{ffff}é".into()),
        ..Default::default()
    };
    check(
        response,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId>
        <output>a&lt;b&gt;&quot;&apos;&amp;&#13;
        	��[0m�é</output>
        </GetConsoleOutputResponse>"#]],
    );
}

#[test]
fn an_error() {
    let xml = render_error(
        "InvalidVpcID.NotFound",
        "The vpc ID 'vpc-<1>' does not exist",
        REQUEST_ID,
    );
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID &apos;vpc-&lt;1&gt;&apos; does not exist</Message></Error></Errors><RequestID>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestID></Response>"#]].assert_eq(&xml);
}
