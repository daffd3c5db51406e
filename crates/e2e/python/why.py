"""`weir flows why`: the rule behind every record, also after it has changed and the daemon has been started again; flows
as they happen."""

import json
import subprocess
import tempfile
import threading
import time

from weirtest import WEIR, Daemon, Lab, eventually, main, same, weir

ACCOUNT = "000000000009"


def connect(lab, instance, address, port):
    lab.inside(instance, "python3", "-c", (
        "import socket; s = socket.socket(); s.settimeout(0.5)\n"
        f"try: s.connect(('{address}', {port}))\nexcept OSError: pass"))


def network(lab):
    """Two subnets; the server lets in echo requests, and its subnet's ACL lets them in but no answers out."""
    vpc = lab.vpc()
    web, db = lab.subnet(vpc, "10.0.1.0/24"), lab.subnet(vpc, "10.0.2.0/24")
    group = lab.group(vpc, "icmp 10.0.0.0/16", name="db")
    client = lab.run(web, lab.group(vpc, name="web"), "10.0.1.10", wait=False)
    server = lab.run(db, group, "10.0.2.20", wait=False)
    lab.running(client, server)
    s3 = lab.client("s3")
    s3.create_bucket(Bucket=f"logs-{lab.account}")
    lab.ec2.create_flow_logs(
        ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL",
        LogDestinationType="s3", LogDestination=f"arn:aws:s3:::logs-{lab.account}")
    return vpc, db, group, client, server


def stateless(lab, vpc, subnet):
    """Gives a subnet an ACL that lets in what comes, and nothing out."""
    acl = lab.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    lab.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow",
                                     Egress=False, CidrBlock="0.0.0.0/0")
    known = lab.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
    association = next(a for a in known["NetworkAcls"][0]["Associations"] if a["SubnetId"] == subnet)
    lab.ec2.replace_network_acl_association(
        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    return acl


def lines(lab):
    """The lines that have been delivered."""
    import gzip
    s3, bucket = lab.client("s3"), f"logs-{lab.account}"
    text = []
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        text += gzip.decompress(body).decode().splitlines()[1:]
    return text


def why(endpoint, *arguments, **options):
    done = weir(endpoint, "flows", "why", "--format", "json", *arguments, **options)
    return json.loads(done.stdout)


def test_records_are_explained_as_it_was(_):
    with tempfile.TemporaryDirectory() as state:
        with Daemon(state) as daemon:
            lab = Lab(daemon, ACCOUNT)
            vpc, subnet, group, client, server = network(lab)
            assert lab.ping(client, "10.0.2.20")
            connect(lab, client, "10.0.2.20", 5432)
            acl = stateless(lab, vpc, subnet)
            time.sleep(0.1)
            assert not lab.ping(client, "10.0.2.20", "-c3")
            eni = lab.interface(server)
            lab.weir("flows", "flush")
            delivered = lines(lab)
            lab.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{
                "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.1.0/24"}]}])

            refused = [l for l in delivered if eni in l and " 5432 " in l and "REJECT" in l]
            same(len(refused), 1, delivered)
            check_group(daemon.endpoint, refused[0], group)

            # A reply that the ACL refuses is told as such.
            replies = [l for l in delivered if f"{eni} 10.0.2.20 10.0.1.10" in l and "REJECT" in l]
            same(len(replies), 1, delivered)
            answer = why(daemon.endpoint, replies[0])["answers"][0]["why"]
            assert acl in answer["verdict"] and "network ACLs are stateless" in answer["verdict"], answer
            same(answer["decided-by"]["rule"], "*")

            # The first pings were let in by a rule whose id AWS gives.
            rules = lab.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
            icmp = next(r for r in rules["SecurityGroupRules"] if r["IpProtocol"] == "icmp" and not r["IsEgress"])
            accepted = [l for l in delivered if f"{eni} 10.0.1.10 10.0.2.20 0 0 1" in l and "ACCEPT" in l]
            answer = why(daemon.endpoint, accepted[0])["answers"][0]["why"]
            same(answer["decided-by"]["rule"], icmp["SecurityGroupRuleId"])
            same(answer["decided-by"]["name"], "db")

            # Every delivered line is known.
            done = weir(daemon.endpoint, "flows", "why", "--format", "json", "-n", "100", *delivered)
            same([a for a in json.loads(done.stdout)["answers"] if "error" in a], [])
            lab.weir("flows", "flush")
            before = weir(daemon.endpoint, "flows", "--format", "json").stdout.splitlines()
            assert before

        with Daemon(state) as daemon:
            check_group(daemon.endpoint, refused[0], group)
            # What the daemon before has recorded is there as it was.
            after = weir(daemon.endpoint, "flows", "--format", "json").stdout.splitlines()
            same(sorted(after), sorted(before))
            records = weir(daemon.endpoint, "flows", "--since", "1h", "--action", "REJECT", "--port", "5432",
                           "--format", "json").stdout.splitlines()
            found = json.loads(records[0])
            same((found["action"], found["decision"]["outcome"], found["decision"]["resources"]),
                 ("REJECT", "rejected", [group]))
            text = weir(daemon.endpoint, "flows", "why", "--since", "1h", "--port", "5432").stdout
            assert "REJECT: no inbound rule of" in text and "to do: aws ec2 authorize" not in text, text


def check_group(endpoint, line, group):
    answers = why(endpoint, line)["answers"]
    same(len(answers), 1)
    answer = answers[0]["why"]
    assert answer["verdict"].startswith(f"REJECT: no inbound rule of {group} (db) lets in tcp 5432"), answer
    # It has been done already.
    assert "advice" not in answer and "delivered" in answer["now"]["text"], answer
    changed = answer["decided-by"]["changed"]
    assert "tcp 5432 from 10.0.1.0/24" in changed["what"] and "added" in changed["what"], answer


def test_bad_input_is_refused_with_its_place(_):
    with Daemon() as daemon:
        good = "2 123456789012 eni-0123456789abcdef0 10.0.0.1 10.0.0.2 1 2 6 1 60 1 2 ACCEPT OK"
        nodata = "2 123456789012 eni-0123456789abcdef0 - - - - - - - 1 2 - NODATA"

        def run(*arguments, stdin=""):
            return subprocess.run([WEIR, "--endpoint", daemon.endpoint, "flows", "why", *arguments],
                                  capture_output=True, text=True, input=stdin, timeout=30)

        cases = [
            (("--log-format", "${nonsense}", good), "nonsense"),
            (("--interface", "eni-x"), "interface"),
            (("--since", "yesterday"), "is no time"),
            ((good, "--port", "3"), "not both"),
        ]
        for arguments, said in cases:
            done = run(*arguments)
            same(done.returncode, 3, (arguments, done.stdout, done.stderr))
            assert said in done.stderr, (arguments, done.stderr)
        done = run(stdin="")
        same(done.returncode, 3)
        assert "no record to explain" in done.stderr, done.stderr
        done = run(stdin="\n".join([good.replace(" OK", ""), good, good.replace("10.0.0.2", "10.0.0.999")]))
        same(done.returncode, 1)
        for said in ("line 1: a record of this format has 14 values", "line 2: no such record",
                     'line 3: dstaddr cannot be "10.0.0.999"'):
            assert said in done.stdout, done.stdout
        done = run(good.replace(" 1 2 ACCEPT", f" 0 {2**64 - 1} ACCEPT"))
        same(done.returncode, 1)
        assert "no such record" in done.stdout, done.stdout
        done = run(*nodata.split())
        same(done.returncode, 0, done.stderr)
        assert "NODATA: the interface was attached" in done.stdout, done.stdout


def test_flows_are_seen_as_they_happen(_):
    with Daemon() as daemon:
        lab = Lab(daemon, ACCOUNT)
        _, _, group, client, server = network(lab)
        eni = lab.interface(server)
        live = subprocess.Popen(
            [WEIR, "--endpoint", daemon.endpoint, "flows", "--live", "--follow", "--format", "json",
             "--interface", eni, "--action", "REJECT", "--port", "5432"],
            stdout=subprocess.PIPE, text=True)
        try:
            seen = []
            threading.Thread(target=lambda: seen.append(live.stdout.readline()), daemon=True).start()
            connect(lab, client, "10.0.2.20", 5432)
            eventually("the refused flow is seen long before its window closes", lambda: seen)
            flow = json.loads(seen[0])
            same((flow["interface-id"], flow["action"], flow["decision"]["resources"]), (eni, "REJECT", [group]))
        finally:
            live.terminate()
            live.wait()


main(daemon="none")
