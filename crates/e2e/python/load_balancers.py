"""Network load balancers: boto3 makes them, real clients reach real servers through them."""

from weirtest import eventually, main, refused, same

# Says who it is and who asks, over TCP and UDP on port 8080.
SERVER = """#!/usr/bin/env python3
import os, socketserver, threading
NAME = "{name}"
class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        body = f"{{NAME}} {{self.client_address[0]}}\\n".encode()
        self.request.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        data, socket = self.request
        socket.sendto(data + f" {{NAME}} {{self.client_address[0]}}".encode(), self.client_address)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
open("/tmp/pid", "w").write(str(os.getpid()))
threading.Thread(target=socketserver.UDPServer(("", 8080), Udp).serve_forever, daemon=True).start()
Server(("", 8080), Tcp).serve_forever()
"""


# The same by HTTP alone; at /ready it answers with the status in /tmp/status, and keeps what it was asked with.
READY = """#!/usr/bin/env python3
import http.server, os
NAME = "{name}"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 200
        if self.path.startswith("/ready"):
            open("/tmp/asked", "w").write(f"{{self.requestline}} {{self.headers['Host']}} {{self.client_address[0]}}")
            status = int(open("/tmp/status").read()) if os.path.exists("/tmp/status") else 200
        body = f"{{NAME}}\\n".encode() * 1000
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

# That over TLS, with a certificate that nobody trusts, for another name.
SECURE = READY.replace("import http.server, os", "import http.server, os, ssl, subprocess").replace(
    'http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()',
    """subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
     "-subj", "/CN=elsewhere.example", "-keyout", "/tmp/key.pem", "-out", "/tmp/certificate.pem"], check=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/certificate.pem", "/tmp/key.pem")
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()""",
)


class Balanced:
    """A client at 10.0.1.10, two servers in another subnet, and a load balancer between them."""

    def __init__(self, lab, protocol="TCP", server=SERVER, **group):
        self.lab = lab
        self.elb = lab.client("elbv2")
        self.vpc = lab.vpc()
        # Nodes send to targets of their own zone.
        self.front, self.back = (
            lab.subnet(self.vpc, block, AvailabilityZone="us-east-1a") for block in ("10.0.1.0/24", "10.0.2.0/24")
        )
        self.client = lab.run(self.front, lab.group(self.vpc), "10.0.1.10", wait=False)
        # The servers let in only what the clients' and the nodes' subnet sends.
        rules = lab.group(self.vpc, "tcp 8080 10.0.1.0/24", "udp 8080 10.0.1.0/24")
        self.servers = {
            name: lab.run(self.back, rules, address, server.format(name=name), wait=False)
            for name, address in (("red", "10.0.2.11"), ("blue", "10.0.2.12"))
        }
        made = self.elb.create_load_balancer(
            Name="web", Type="network", Scheme="internal", Subnets=[self.front],
        )["LoadBalancers"][0]
        self.arn = made["LoadBalancerArn"]
        same(made["State"]["Code"], "provisioning")
        self.node = made["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
        self.group = self.elb.create_target_group(
            Name="web", Protocol=protocol, Port=8080, VpcId=self.vpc, HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, **group,
        )["TargetGroups"][0]["TargetGroupArn"]
        lab.running(self.client, *self.servers.values())
        self.elb.get_waiter("load_balancer_available").wait(
            LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 0.2, "MaxAttempts": 50},
        )

    def listen(self, *targets, protocol="TCP", port=80):
        self.elb.register_targets(TargetGroupArn=self.group, Targets=[{"Id": target} for target in targets])
        return self.elb.create_listener(
            LoadBalancerArn=self.arn, Protocol=protocol, Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )["Listeners"][0]["ListenerArn"]

    def health(self):
        described = self.elb.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        names = {instance: name for name, instance in self.servers.items()}
        return {names.get(one["Target"]["Id"], one["Target"]["Id"]): one["TargetHealth"]["State"] for one in described}

    def become(self, seconds=30, **states):
        eventually(f"targets are {states}, not {self.health()}", lambda: self.health() == states, seconds)

    def pages(self, count=16):
        """What so many connections through the load balancer are answered."""
        url = f"http://{self.node}/"
        return {(self.lab.get(self.client, url) or "nobody").strip() for _ in range(count)}


def test_connections_are_spread_over_healthy_targets(lab):
    web = Balanced(lab)
    listener = web.listen(*web.servers.values())
    web.become(red="healthy", blue="healthy")
    same(web.pages(), {"red 10.0.1.10", "blue 10.0.1.10"}, "targets see the client itself")
    same(lab.get(web.client, f"http://{web.node}:81/"), None, "no listener takes another port")
    # A server that ends is found out, and gets nothing any more.
    lab.inside(web.servers["red"], "sh", "-c", "kill $(cat /tmp/pid)")
    web.become(red="unhealthy", blue="healthy")
    reason = web.elb.describe_target_health(
        TargetGroupArn=web.group, Targets=[{"Id": web.servers["red"]}],
    )["TargetHealthDescriptions"][0]["TargetHealth"]
    same(reason["Reason"], "Target.FailedHealthChecks")
    same(web.pages(), {"blue 10.0.1.10"})
    # One that is deregistered gets no new connections; nobody is left then who works.
    web.elb.modify_target_group_attributes(
        TargetGroupArn=web.group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}],
    )
    web.elb.deregister_targets(TargetGroupArn=web.group, Targets=[{"Id": web.servers["blue"]}])
    web.become(red="unhealthy")
    same(web.pages(1), {"refused"}, "without a healthy target all are tried")
    with refused("ResourceInUse"):
        web.elb.delete_target_group(TargetGroupArn=web.group)
    web.elb.delete_listener(ListenerArn=listener)
    same(lab.get(web.client, f"http://{web.node}/"), None)
    web.elb.delete_load_balancer(LoadBalancerArn=web.arn)
    web.elb.delete_target_group(TargetGroupArn=web.group)
    kinds = lab.ec2.describe_network_interfaces(
        Filters=[{"Name": "interface-type", "Values": ["network_load_balancer"]}],
    )
    same(kinds["NetworkInterfaces"], [])


def test_targets_see_the_node_without_client_ip_preservation(lab):
    web = Balanced(lab, TargetType="ip")
    attributes = web.elb.describe_target_group_attributes(TargetGroupArn=web.group)["Attributes"]
    same(
        next(one["Value"] for one in attributes if one["Key"] == "preserve_client_ip.enabled"), "false",
        "TCP to targets named by address",
    )
    web.listen("10.0.2.11", "10.0.2.12")
    web.become(**{"10.0.2.11": "healthy", "10.0.2.12": "healthy"})
    same(web.pages(), {f"red {web.node}", f"blue {web.node}"})
    web.elb.modify_target_group_attributes(
        TargetGroupArn=web.group, Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "true"}],
    )
    same(web.pages(), {"red 10.0.1.10", "blue 10.0.1.10"})


def test_health_is_asked_by_http(lab):
    web = Balanced(lab, server=READY, HealthCheckProtocol="HTTP", HealthCheckPath="/ready?full=1")
    described = web.elb.describe_target_groups(TargetGroupArns=[web.group])["TargetGroups"][0]
    same((described["HealthCheckProtocol"], described["Matcher"]["HttpCode"]), ("HTTP", "200-399"))
    web.listen(*web.servers.values())
    web.become(red="healthy", blue="healthy")
    asked = lab.inside(web.servers["red"], "cat", "/tmp/asked").stdout
    same(asked, f"GET /ready?full=1 HTTP/1.1 {web.node}:80 {web.node}")
    # A server that says that it is not well gets nothing, though it accepts connections.
    lab.inside(web.servers["red"], "sh", "-c", "echo 500 > /tmp/status")
    web.become(red="unhealthy", blue="healthy")
    reason = web.elb.describe_target_health(
        TargetGroupArn=web.group, Targets=[{"Id": web.servers["red"]}],
    )["TargetHealthDescriptions"][0]["TargetHealth"]
    same(reason["Reason"], "Target.ResponseCodeMismatch")
    same(reason["Description"], "Health checks failed with these codes: [500]")
    same({page.split()[0] for page in web.pages()}, {"blue"})
    web.elb.modify_target_group(TargetGroupArn=web.group, Matcher={"HttpCode": "200,500"})
    web.become(red="healthy", blue="healthy")
    lab.inside(web.servers["red"], "sh", "-c", "echo 204 > /tmp/status")
    web.become(red="unhealthy", blue="healthy")
    # Whether it answers by HTTP at all does not matter to a check by TCP.
    web.elb.modify_target_group(TargetGroupArn=web.group, HealthCheckProtocol="TCP")
    web.become(red="healthy", blue="healthy")
    same({page.split()[0] for page in web.pages()}, {"red", "blue"})


def test_health_is_asked_by_https(lab):
    web = Balanced(lab, server=SECURE, HealthCheckProtocol="HTTPS", HealthCheckPath="/ready?full=1")
    described = web.elb.describe_target_groups(TargetGroupArns=[web.group])["TargetGroups"][0]
    same((described["HealthCheckProtocol"], described["Matcher"]["HttpCode"]), ("HTTPS", "200-399"))
    web.listen(*web.servers.values())
    web.become(red="healthy", blue="healthy")
    asked = lab.inside(web.servers["red"], "cat", "/tmp/asked").stdout
    same(asked, f"GET /ready?full=1 HTTP/1.1 {web.node}:80 {web.node}")

    def reason():
        described = web.elb.describe_target_health(TargetGroupArn=web.group, Targets=[{"Id": web.servers["red"]}])
        return described["TargetHealthDescriptions"][0]["TargetHealth"]

    lab.inside(web.servers["red"], "sh", "-c", "echo 503 > /tmp/status")
    web.become(red="unhealthy", blue="healthy")
    same(reason()["Description"], "Health checks failed with these codes: [503]")
    lab.inside(web.servers["red"], "rm", "/tmp/status")
    web.become(red="healthy", blue="healthy")
    # Checks without TLS are none that it answers.
    web.elb.modify_target_group(TargetGroupArn=web.group, HealthCheckProtocol="HTTP")
    web.become(red="unhealthy", blue="unhealthy")
    same(reason()["Reason"], "Target.FailedHealthChecks")
    web.elb.modify_target_group(TargetGroupArn=web.group, HealthCheckProtocol="HTTPS")
    web.become(red="healthy", blue="healthy")


ECHO = """
import socket, sys
answers = set()
for number in range(16):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.connect(("{node}", 53))
        udp.send(b"echo")
        answers.add(udp.recv(100).decode())
print(*sorted(answers), sep=",")
"""


def test_udp_is_answered(lab):
    web = Balanced(lab, protocol="UDP", HealthCheckPort="8080")
    web.listen(*web.servers.values(), protocol="UDP", port=53)
    web.become(red="healthy", blue="healthy")
    done = lab.inside(web.client, "python3", "-c", ECHO.format(node=web.node))
    same(done.stdout.strip(), "echo blue 10.0.1.10,echo red 10.0.1.10", done.stderr)


def test_nodes_have_interfaces_that_are_the_services(lab):
    web = Balanced(lab)
    web.listen(*web.servers.values())
    web.become(red="healthy", blue="healthy")
    guarded = web.elb.create_load_balancer(
        Name="guarded", Type="network", Scheme="internal", Subnets=[web.front],
        SecurityGroups=[lab.group(web.vpc, "tcp 80 10.0.1.10/32", name="guard")],
    )["LoadBalancers"][0]
    with refused("TargetGroupAssociationLimit"):
        web.elb.create_listener(
            LoadBalancerArn=guarded["LoadBalancerArn"], Protocol="TCP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": web.group}],
        )
    nodes = lab.ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["ELB net/guarded/*"]}],
    )["NetworkInterfaces"]
    same([one["Groups"][0]["GroupName"] for one in nodes], ["guard"])
    same(nodes[0]["InterfaceType"], "network_load_balancer")
    with refused("AuthFailure"):
        lab.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=nodes[0]["NetworkInterfaceId"], SourceDestCheck={"Value": False},
        )
    trace = lab.weir("trace", web.client, "tcp", web.node, "80").stdout
    assert "net/web/" in trace and "source kept" in trace, trace


def test_an_endpoint_service_stands_behind_a_load_balancer(lab):
    elb, ec2 = lab.client("elbv2"), lab.ec2
    balancer = elb.create_load_balancer(
        Name="service", Type="network", Scheme="internal", Subnets=[lab.subnet(lab.vpc())],
        Tags=[{"Key": "Name", "Value": "service"}],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    tags = elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"]
    same(tags, [{"ResourceArn": balancer, "Tags": [{"Key": "Name", "Value": "service"}]}])
    made = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer])["ServiceConfiguration"]
    service = made["ServiceId"]
    same(made["ServiceName"], f"com.amazonaws.vpce.us-east-1.{service}")
    principal = "arn:aws:iam::999999999999:root"
    ec2.modify_vpc_endpoint_service_permissions(ServiceId=service, AddAllowedPrincipals=[principal])
    allowed = ec2.describe_vpc_endpoint_service_permissions(ServiceId=service)["AllowedPrincipals"]
    same([(one["PrincipalType"], one["Principal"]) for one in allowed], [("Account", principal)])
    ec2.modify_vpc_endpoint_service_configuration(ServiceId=service, AcceptanceRequired=False)
    described = ec2.describe_vpc_endpoint_service_configurations(ServiceIds=[service])["ServiceConfigurations"]
    same([one["AcceptanceRequired"] for one in described], [False])
    same(ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"], [])
    endpoint = "vpce-0123456789abcdef0"
    for answer in (ec2.accept_vpc_endpoint_connections, ec2.reject_vpc_endpoint_connections):
        missing = answer(ServiceId=service, VpcEndpointIds=[endpoint])["Unsuccessful"]
        same([one["Error"]["Code"] for one in missing], ["InvalidVpcEndpoint.NotFound"])
    with refused("ResourceInUse"):
        elb.delete_load_balancer(LoadBalancerArn=balancer)
    same(ec2.delete_vpc_endpoint_service_configurations(ServiceIds=[service])["Unsuccessful"], [])
    elb.delete_load_balancer(LoadBalancerArn=balancer)


def test_refusals(lab):
    elb = lab.client("elbv2")
    arn = f"arn:aws:elasticloadbalancing:us-east-1:{lab.account}:loadbalancer/net/none/0123456789abcdef"
    with refused("LoadBalancerNotFound", "Load balancer '.*' not found"):
        elb.describe_load_balancers(LoadBalancerArns=[arn])
    with refused("ValidationError"):
        elb.create_load_balancer(Name="-", Type="network")
    with refused("UnsupportedOperation", "The load balancer type 'application' is not supported."):
        elb.create_load_balancer(Name="web", Subnets=["subnet-01234567"])
    with refused("SubnetNotFound"):
        elb.create_load_balancer(Name="web", Type="network", Subnets=["subnet-01234567"])
    with refused("InvalidSubnet", "VPC vpc-[0-9a-f]+ has no internet gateway"):
        elb.create_load_balancer(Name="web", Type="network", Subnets=[lab.subnet(lab.vpc())])
    with refused("InvalidAction", "Could not find operation SetSubnets for version 2015-12-01"):
        elb.set_subnets(LoadBalancerArn=arn, Subnets=["subnet-01234567"])


if __name__ == "__main__":
    main()
