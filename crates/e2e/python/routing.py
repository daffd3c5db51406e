"""Prefix lists, gateway endpoints and middleboxes: what boto3 says of them, and what packets do."""

import json

from weirtest import REGION, eventually, main, refused, same


def where(name, *values):
    return [{"Name": name, "Values": list(values)}]


def prefix_list(lab, name, *cidrs, size=10):
    made = lab.ec2.create_managed_prefix_list(
        PrefixListName=name, AddressFamily="IPv4", MaxEntries=size, Entries=[{"Cidr": cidr} for cidr in cidrs],
    )["PrefixList"]
    same(made["State"], "create-in-progress")
    settled(lab, made["PrefixListId"], "create-complete")
    return made["PrefixListId"]


def settled(lab, identifier, state):
    def now():
        return lab.ec2.describe_managed_prefix_lists(PrefixListIds=[identifier])["PrefixLists"][0]

    return eventually(f"{identifier} is {state}", lambda: now()["State"] == state and now())


def table_of(lab, vpc, *subnets):
    table = lab.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        lab.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return table


def gateway_of(lab, vpc):
    gateway = lab.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    lab.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return gateway


def routes(lab, table):
    return lab.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]


def test_prefix_lists_have_versions(lab):
    ec2 = lab.ec2
    identifier = prefix_list(lab, "corp", "10.1.0.0/16", "10.2.0.0/16", size=3)
    with refused("PrefixListVersionMismatch", "The prefix list has the incorrect version number."):
        ec2.modify_managed_prefix_list(PrefixListId=identifier, CurrentVersion=2, AddEntries=[{"Cidr": "10.3.0.0/16"}])
    changed = ec2.modify_managed_prefix_list(
        PrefixListId=identifier, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16", "Description": "third"}],
        RemoveEntries=[{"Cidr": "10.1.0.0/16"}],
    )["PrefixList"]
    same(changed["State"], "modify-in-progress")
    with refused("IncorrectState"):
        ec2.delete_managed_prefix_list(PrefixListId=identifier)
    same(settled(lab, identifier, "modify-complete")["Version"], 2)

    def entries(**more):
        pages = ec2.get_paginator("get_managed_prefix_list_entries")
        pages = pages.paginate(PrefixListId=identifier, PaginationConfig={"PageSize": 1}, **more)
        return [entry["Cidr"] for page in pages for entry in page["Entries"]]

    same(entries(), ["10.2.0.0/16", "10.3.0.0/16"])
    same(entries(TargetVersion=1), ["10.1.0.0/16", "10.2.0.0/16"])
    restored = ec2.restore_managed_prefix_list_version(PrefixListId=identifier, PreviousVersion=1, CurrentVersion=2)
    same(restored["PrefixList"]["State"], "restore-in-progress")
    settled(lab, identifier, "restore-complete")
    same(entries(), ["10.1.0.0/16", "10.2.0.0/16"])
    group = lab.group(lab.vpc())
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": identifier}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"]
    same(made[0]["PrefixListId"], identifier)
    pages = ec2.get_paginator("get_managed_prefix_list_associations").paginate(PrefixListId=identifier)
    same([one["ResourceId"] for page in pages for one in page["PrefixListAssociations"]], [group])
    with refused("DependencyViolation"):
        ec2.delete_managed_prefix_list(PrefixListId=identifier)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    same(ec2.delete_managed_prefix_list(PrefixListId=identifier)["PrefixList"]["State"], "delete-in-progress")

    def gone():
        return not ec2.describe_managed_prefix_lists(Filters=where("prefix-list-id", identifier))["PrefixLists"]

    eventually("the list is gone", gone)
    with refused("InvalidPrefixListID.NotFound"):
        ec2.describe_managed_prefix_lists(PrefixListIds=[identifier])
    owned = ec2.get_paginator("describe_managed_prefix_lists").paginate(Filters=where("owner-id", "AWS"))
    names = [one["PrefixListName"] for page in owned for one in page["PrefixLists"]]
    same(names, [f"com.amazonaws.{REGION}.dynamodb", f"com.amazonaws.{REGION}.s3"])


def test_gateway_endpoints_bring_routes(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    one, two = table_of(lab, vpc), table_of(lab, vpc)
    name = f"com.amazonaws.{REGION}.s3"
    services = ec2.describe_vpc_endpoint_services(ServiceNames=[name])["ServiceDetails"]
    same(sorted(s["ServiceType"][0]["ServiceType"] for s in services), ["Gateway", "Interface"])
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, RouteTableIds=[one], ClientToken="once")["VpcEndpoint"]
    same((made["State"], made["VpcEndpointType"], made["RouteTableIds"]), ("available", "Gateway", [one]))
    same(json.loads(made["PolicyDocument"])["Statement"][0]["Effect"], "Allow")
    again = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, RouteTableIds=[one], ClientToken="once")["VpcEndpoint"]
    same(again["VpcEndpointId"], made["VpcEndpointId"])
    endpoint = made["VpcEndpointId"]
    (listed,) = ec2.describe_prefix_lists(Filters=where("prefix-list-name", name))["PrefixLists"]
    (route,) = [r for r in routes(lab, one) if "DestinationPrefixListId" in r]
    same((route["DestinationPrefixListId"], route["GatewayId"], route["State"]), (listed["PrefixListId"], endpoint, "active"))
    with refused("RouteAlreadyExists"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, RouteTableIds=[one])
    with refused("InvalidParameterValue", f"cannot remove VPC endpoint route {listed['PrefixListId']} in route table {one}"):
        ec2.delete_route(RouteTableId=one, DestinationPrefixListId=listed["PrefixListId"])
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[two], RemoveRouteTableIds=[one])
    same([len(routes(lab, table)) for table in (one, two)], [1, 2])
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=where("vpc-id", vpc))
    same([e["RouteTableIds"] for page in pages for e in page["VpcEndpoints"]], [[two]])
    with refused("InvalidServiceName"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.nothing")
    missing = "vpce-0123456789abcdef0"
    (failed,) = ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint, missing])["Unsuccessful"]
    same((failed["ResourceId"], failed["Error"]["Code"]), (missing, "InvalidVpcEndpoint.NotFound"))
    same(len(routes(lab, two)), 1)
    with refused("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{endpoint}' does not exist"):
        ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])


def test_packets_take_a_gateway_endpoint(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    table = table_of(lab, vpc, subnet)
    x = lab.run(subnet, lab.group(vpc), "10.0.1.10")
    trace = ("trace", x, "tcp", "52.216.0.1", "443")
    assert "no route" in lab.weir(*trace, check=False).stdout
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table])
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    said = lab.weir(*trace, check=False).stdout
    assert f"pl-63a5400a to {endpoint}" in said, said
    said = lab.weir("trace", x, "udp", "52.216.0.1", "53", check=False).stdout
    assert "it carries TCP and ICMP echo" in said, said
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert "no route" in lab.weir(*trace, check=False).stdout


def test_a_changed_list_is_in_force_once_the_api_has_answered(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    friends = prefix_list(lab, "friends", "10.0.9.0/24")
    group = lab.group(vpc)
    icmp = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "PrefixListIds": [{"PrefixListId": friends}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[icmp])
    x, y = lab.run(a, None, "10.0.1.10", wait=False), lab.run(b, group, "10.0.2.10", wait=False)
    lab.running(x, y)
    same(lab.ping(x, "10.0.2.10"), False)
    ec2.modify_managed_prefix_list(PrefixListId=friends, CurrentVersion=1, AddEntries=[{"Cidr": "10.0.1.0/24"}])
    same(lab.ping(x, "10.0.2.10"), True)


def test_a_middlebox_behind_the_gateway(lab):
    """Both ways between the internet and a subnet lead through an appliance, by a route table of the gateway."""
    ec2 = lab.ec2
    vpc = lab.vpc()
    web, edge = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    gateway = gateway_of(lab, vpc)
    group = lab.group(vpc, "all 0.0.0.0/0")
    w, box = lab.run(web, group, "10.0.1.10", wait=False), lab.run(edge, group, "10.0.2.20", wait=False)
    lab.running(w, box)
    interface = lab.interface(box)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    out = table_of(lab, vpc, edge)
    ec2.create_route(RouteTableId=out, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    inner = table_of(lab, vpc, web)
    ec2.create_route(RouteTableId=inner, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=interface)
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=w)
    host = "203.0.113.44"
    lab.weir("internet", "add", host)
    outside = f"internet:{host}"

    def forwarded():
        """IP packets that the appliance's kernel has forwarded."""
        snmp = lab.inside(box, "grep", "^Ip:", "/proc/net/snmp").stdout.splitlines()
        names, values = (line.split() for line in snmp)
        return int(dict(zip(names[1:], values[1:]))["ForwDatagrams"])

    # Without a table of its own, the gateway delivers straight: only answers pass the appliance.
    before = forwarded()
    same(lab.ping(outside, address["PublicIp"]), True)
    same(forwarded() - before, 1)
    ingress = table_of(lab, vpc)
    made = ec2.associate_route_table(RouteTableId=ingress, GatewayId=gateway)["AssociationId"]
    ec2.create_route(RouteTableId=ingress, DestinationCidrBlock="10.0.1.0/24", NetworkInterfaceId=interface)
    with refused("RouteNotSupported"):
        ec2.create_route(RouteTableId=ingress, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    (found,) = ec2.describe_route_tables(Filters=where("association.gateway-id", gateway))["RouteTables"]
    same(found["RouteTableId"], ingress)
    before = forwarded()
    same(lab.ping(outside, address["PublicIp"]), True)
    same(lab.ping(w, host), True)
    same(forwarded() - before, 4)
    ec2.stop_instances(InstanceIds=[box])
    lab.wait("instance_stopped", InstanceIds=[box])
    same([r["State"] for r in routes(lab, ingress)], ["active", "blackhole"])
    same(lab.ping(outside, address["PublicIp"]), False)
    ec2.disassociate_route_table(AssociationId=made)
    traced = lab.weir("trace", outside, "icmp", address["PublicIp"], check=False)
    assert "blackhole" in traced.stdout and f"{ingress}" not in traced.stdout, traced.stdout
    lab.weir("internet", "rm", host)


def test_a_middlebox_between_subnets(lab):
    """Routes more specific than local, and a local route that leads to an appliance."""
    ec2 = lab.ec2
    vpc = lab.vpc()
    a, b, m = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24"), lab.subnet(vpc, "10.0.3.0/24")
    group = lab.group(vpc, "all 0.0.0.0/0")
    x, y, box = (lab.run(s, group, i, wait=False) for s, i in ((a, "10.0.1.10"), (b, "10.0.2.10"), (m, "10.0.3.10")))
    lab.running(x, y, box)
    interface = lab.interface(box)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    one, two = table_of(lab, vpc, a), table_of(lab, vpc, b)
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=one, DestinationCidrBlock="10.0.2.0/25", NetworkInterfaceId=interface)
    ec2.create_route(RouteTableId=one, DestinationCidrBlock="10.0.2.0/24", NetworkInterfaceId=interface)
    ec2.replace_route(RouteTableId=two, DestinationCidrBlock="10.0.0.0/16", NetworkInterfaceId=interface)
    same(lab.ping(x, "10.0.2.10"), True)
    way = lab.inside(x, "ping", "-c1", "-W1", "-R", "10.0.2.10").stdout
    same(way.count("10.0.3.10") >= 1, True, way)
    ec2.replace_route(RouteTableId=two, DestinationCidrBlock="10.0.0.0/16", LocalTarget=True)
    (local,) = routes(lab, two)
    same((local["GatewayId"], local["State"], local["Origin"]), ("local", "active", "CreateRouteTable"))


if __name__ == "__main__":
    main()
