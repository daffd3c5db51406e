"""Which codes a fault has, by service and kind; what is otherwise, by name and with the reason.

Sources: EC2 API Reference, "Error codes for the Amazon EC2 API"; "Common errors" of the other services; the pages of
their actions.
"""

INVALID = {"InvalidParameterValue"}
# `alone` are the codes of what else a parameter needs that is given without it.
QUERY_CODES = {
    "ec2": {
        "unknown": {"UnknownParameter"}, "missing": {"MissingParameter"}, "type": INVALID | {"UnknownParameter"},
        "index": INVALID | {"UnknownParameter"}, "structured": {"UnknownParameter"}, "range": INVALID | {"InvalidMaxResults"},
        "enum": INVALID, "long": INVALID, "repeated": {"InvalidParameterCombination"},
        "alone": {"MissingParameter", "InvalidParameterCombination"},
    },
    **{
        service: {
            "unknown": {"ValidationError"}, "missing": {"ValidationError"}, "type": {"MalformedInput", "ValidationError"},
            "index": {"MalformedInput", "ValidationError"}, "structured": {"ValidationError"}, "range": {"ValidationError"},
            "enum": {"ValidationError"}, "long": {"ValidationError"}, "repeated": {"ValidationError"}, "alone": {"ValidationError"},
            "malformed": {"ValidationError"}, "not found": {"ValidationError", "SubnetNotFound", "InvalidSecurityGroup"},
        }
        for service in ("elbv2", "iam", "sts")
    },
}
JSON_CODES = {
    service: {
        "missing": codes, "range": codes, "enum": codes, "pattern": codes, "type": {"SerializationException"},
        "repeated": {"SerializationException"}, "alone": codes,
    }
    for service, codes in (
        ("logs", {"InvalidParameterException"}), ("firehose", {"ValidationException", "InvalidArgumentException"}),
        # CloudTrail has a code for each of its parameters.
        ("cloudtrail", {
            "InvalidTrailNameException", "InvalidS3BucketNameException", "InvalidTagParameterException", "CloudTrailARNInvalidException",
            "InvalidLookupAttributesException", "InvalidMaxResultsException", "InvalidEventCategoryException",
            "InvalidEventSelectorsException", "InvalidParameterCombinationException",
        }),
    )
}
# What AWS knows and Weir does not support is refused by name.
UNSUPPORTED = {
    "ec2": {"UnsupportedOperation"}, "elbv2": {"UnsupportedOperation"}, "iam": {"UnsupportedOperation"}, "sts": {"UnsupportedOperation"},
    "cloudtrail": {"UnsupportedOperationException"}, "firehose": {"InvalidArgumentException"},
}
STATUSES = {"NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409}

# By the prefix of the id: the code of one that is malformed, and of one that is nobody's or not the caller's.
IDS = {
    "vpc": ("InvalidVpcID.Malformed", "InvalidVpcID.NotFound"),
    "subnet": ("InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound"),
    "rtb": ("InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound"),
    "igw": ("InvalidInternetGatewayId.Malformed", "InvalidInternetGatewayID.NotFound"),
    "nat": ("NatGatewayMalformed", "NatGatewayNotFound"),
    "eigw": ("InvalidEgressOnlyInternetGatewayId.Malformed", "InvalidGatewayID.NotFound"),
    "sg": ("InvalidGroupId.Malformed", "InvalidGroup.NotFound"),
    "sgr": ("InvalidSecurityGroupRuleId.Malformed", "InvalidSecurityGroupRuleId.NotFound"),
    "acl": ("InvalidNetworkAclId.Malformed", "InvalidNetworkAclID.NotFound"),
    "eni": ("InvalidNetworkInterfaceId.Malformed", "InvalidNetworkInterfaceID.NotFound"),
    "eni-attach": ("InvalidAttachmentID.Malformed", "InvalidAttachmentID.NotFound"),
    "eipalloc": ("InvalidAllocationID.Malformed", "InvalidAllocationID.NotFound"),
    **dict.fromkeys(("eipassoc", "rtbassoc", "aclassoc"), ("InvalidAssociationID.Malformed", "InvalidAssociationID.NotFound")),
    "vpc-cidr-assoc": ("InvalidVpcCidrBlockAssociationID.Malformed", "InvalidVpcCidrBlockAssociationID.NotFound"),
    "subnet-cidr-assoc": ("InvalidSubnetCidrBlockAssociationID.Malformed", "InvalidSubnetCidrBlockAssociationID.NotFound"),
    "scr": ("InvalidSubnetCidrReservationID.Malformed", "InvalidSubnetCidrReservationID.NotFound"),
    "i": ("InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound"),
    "ami": ("InvalidAMIID.Malformed", "InvalidAMIID.NotFound"),
    "dopt": ("InvalidDhcpOptionsId.Malformed", "InvalidDhcpOptionID.NotFound"),
    "fl": ("InvalidFlowLogId.Malformed", "InvalidFlowLogId.NotFound"),
    "pcx": ("InvalidVpcPeeringConnectionId.Malformed", "InvalidVpcPeeringConnectionID.NotFound"),
    "pl": ("InvalidPrefixListId.Malformed", "InvalidPrefixListID.NotFound"),
    "vpce": ("InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound"),
    "vol": ("InvalidVolumeID.Malformed", "InvalidVolume.NotFound"),
    "tgw": ("InvalidTransitGatewayID.Malformed", "InvalidTransitGatewayID.NotFound"),
    # The doubled word is AWS's.
    "vpce-svc": ("InvalidVpcEndpointServiceIdId.Malformed", "InvalidVpcEndpointServiceId.NotFound"),
}
# A text that is much too long is no id, no name and no token either.
NO_SUCH_TEXT = {"InvalidNextToken", "InvalidTagKey.Malformed", "InvalidID", *(code for pair in IDS.values() for code in pair)}

# Faults that have another code, or none: by pattern of "service action parameter kind", the codes. `None` is a success.
EXCEPTIONS = {
    # Ids of what is not one kind of thing.
    "ec2 CreateTags ResourceId.1 malformed": {"InvalidID"},
    "ec2 DeleteTags ResourceId.1 malformed": {"InvalidID"},
    # A route's gateway may be of several kinds; what is none of them is not found.
    **{f"ec2 CreateRoute GatewayId {kind}": {"InvalidGatewayID.NotFound"} for kind in ("malformed", "not found", "long")},
    "ec2 ReplaceRoute NatGatewayId not found": {"InvalidNatGatewayID.NotFound"},
    # vpc-endpoints.md: these spell the ids' codes in a way of their own.
    "ec2 ModifyVpcEndpoint AddRouteTableId.1 not found": {"InvalidRouteTableId.NotFound"},
    "ec2 DescribePrefixLists PrefixListId.1 not found": {"InvalidPrefixListId.NotFound"},
    "ec2 CreateVpcEndpoint SubnetId.1 not found": {"InvalidSubnetId.NotFound"},
    "ec2 CreateVpcEndpoint VpcEndpointType enum": {"InvalidVpcEndpointType"},
    "ec2 CreateVpcEndpoint * long": {"UnsupportedOperation", "MissingParameter", "InvalidParameter", "InvalidServiceName", "InvalidPolicyDocument", *NO_SUCH_TEXT, *INVALID},
    "ec2 ModifyVpcEndpoint * long": {"UnsupportedOperation", "InvalidParameter", "InvalidVpcEndpointType", "InvalidPolicyDocument", *NO_SUCH_TEXT, *INVALID},
    "ec2 *VpcEndpointService* long": {
        "InvalidParameter", "InvalidPrincipal", "InvalidServiceName", "NetworkLoadBalancerNotFoundException",
        "UnsupportedOperation", "MissingParameter", *NO_SUCH_TEXT, *INVALID},
    # What is done to several is answered one by one, in codes of their own.
    "ec2 *VpcEndpointConnections VpcEndpointId.1 not found": {"InvalidVpcEndpoint.NotFound"},
    "ec2 DeleteVpcEndpoints VpcEndpointId.1 not found": {"InvalidVpcEndpoint.NotFound"},
    "ec2 DeleteVpcEndpointServiceConfigurations ServiceId.1 not found": {"InvalidVpcEndpointService.NotFound"},
    "ec2 CreateVpcEndpointServiceConfiguration * enum": {"InvalidParameter", *INVALID},
    # flow-logs.md: what is wrong with a flow log is `InvalidParameter`.
    "ec2 CreateFlowLogs ResourceId.1 malformed": {"InvalidParameter"},
    "ec2 CreateFlowLogs ResourceId.1 not found": {"InvalidSubnetId.NotFound"},
    "ec2 GetFlowLogsIntegrationTemplate * long": {"InvalidParameter", *NO_SUCH_TEXT, *INVALID},
    "ec2 CreateFlowLogs MaxAggregationInterval range": {"InvalidParameter"},
    "ec2 CreateFlowLogs * long": {"InvalidParameter", "MissingParameter", *NO_SUCH_TEXT, *INVALID},
    # An unknown id is an empty list ("DescribeFlowLogs"; vpc-networking.md 1.5 of the other).
    "ec2 DescribeFlowLogs FlowLogId.1 not found": {None},
    "ec2 DescribeEgressOnlyInternetGateways EgressOnlyInternetGatewayId.1 not found": {None},
    # Tags that are not there are none the less gone.
    "ec2 DeleteTags Tag.1.* long": {None},
    "elbv2 RemoveTags TagKeys.member.1 long": {None},
    # The zone of a target that goes tells nothing.
    "elbv2 DeregisterTargets Targets.member.1.AvailabilityZone long": {None},
    "ec2 DescribeInstanceTypes InstanceType.1 enum": {"InvalidInstanceType"},
    "ec2 CreateVpc InstanceTenancy enum": {"UnsupportedTenancy"},
    "ec2 RunInstances UserData long": {"InvalidUserData.Malformed", *INVALID},
    "ec2 DescribeImages *By.1 long": {"InvalidUserID.Malformed"},
    "ec2 DescribeImages Owner.1 long": {"InvalidUserID.Malformed"},
    "ec2 *SecurityGroup* GroupName long": {"InvalidParameterCombination", *NO_SUCH_TEXT, *INVALID},
    "ec2 *SecurityGroup* SourceSecurityGroup* long": {"InvalidParameterCombination", *NO_SUCH_TEXT, *INVALID},
    "ec2 *ManagedPrefixList* CurrentVersion range": {"PrefixListVersionMismatch"},
    "ec2 CreateNatGateway SecondaryPrivateIpAddressCount range": {"PrivateIpAddressLimitExceeded", *INVALID},
    "elbv2 CreateListener DefaultActions.member.1.Type enum": {"InvalidLoadBalancerAction"},
    "elbv2 ModifyListener DefaultActions.member.1.Type enum": {"InvalidLoadBalancerAction"},
    "elbv2 * HealthCheckProtocol enum": {"InvalidConfigurationRequest"},
    # Of health checks by HTTP only, and these are by TCP.
    "elbv2 *TargetGroup HealthCheckPath long": {"InvalidConfigurationRequest"},
    "elbv2 *TargetGroup Matcher.HttpCode long": {"InvalidConfigurationRequest"},
    "elbv2 CreateLoadBalancer Scheme enum": {"InvalidScheme", "ValidationError"},
    "elbv2 * Attributes.member.1.Key long": {"InvalidConfigurationRequest"},
    "elbv2 DescribeTargetGroups Names.member.1 long": {"TargetGroupNotFound"},
    "iam *Arn long": {"InvalidInput"},
    "iam *PolicyDocument long": {"MalformedPolicyDocument"},
    # A place in a list that is not there is the list's end.
    "firehose * ExclusiveStart* range": {None, "ValidationException"},
    "firehose * ExclusiveStart* pattern": {None, "ValidationException"},
    # The model wants values of one character at least, the service takes none as well.
    "cloudtrail * TagsList.0.Value range": {None, "InvalidTagParameterException"},
    # Members that change nothing here are not looked at, as AWS's JSON services do with those that they do not know.
    **dict.fromkeys(
        (
            "cloudtrail ListPublicKeys NextToken type", "cloudtrail ListTags NextToken type", "cloudtrail ListTrails NextToken type",
            "logs DescribeLogGroups accountIdentifiers type",
            "logs DescribeLogGroups includeLinkedAccounts type", "logs * unmask type", "logs FilterLogEvents interleaved type",
        ),
        {None},
    ),
}

# Not sent: the connection is made, and fails.
NOT_SENT = "ec2 CreateVpcPeeringConnection PeerVpcId not found"
