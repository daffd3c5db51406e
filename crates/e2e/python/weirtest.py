"""What the scripts beside this one share: a daemon, clients for its accounts, a network in a few words, a runner.

A script is a list of functions named `test_…`. Each gets a `Lab`: an account of its own on the script's daemon, so
that tests run side by side and none sees what another makes.
"""

import contextlib
import ipaddress
import itertools
import os
import re
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import shapes

WEIR = os.environ.get("WEIR", "weir")
CARRIER = os.environ.get("WEIR_CARRIER")
REGION = "us-east-1"


class Daemon:
    """A daemon on a free port. Without a state folder, its state goes with it."""

    def __init__(self, state=None, *options, program=(WEIR,), listen="127.0.0.1:0"):
        where = ["--state", state] if state else ["--ephemeral"]
        # Who is to carry packets, where a test has been told.
        if CARRIER and "--carrier" not in options:
            where += ["--carrier", CARRIER]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*program, "up", *where, "--listen", listen, "--end-with-parent", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        line = self.process.stdout.readline().strip()
        if not line.startswith("listening on http://"):
            self.process.wait(10)
            raise AssertionError(f"the daemon's first line is {line!r}; it said:\n{self.said()}")
        self.endpoint = line.removeprefix("listening on ")

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self, how=signal.SIGTERM):
        """Ends it, and answers its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon did not end; it said:\n{self.said()}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def weir(endpoint, *arguments, timeout=30, check=True, text=True):
    """Runs a `weir` command against a daemon."""
    done = subprocess.run(
        [WEIR, "--endpoint", endpoint, *map(str, arguments)],
        capture_output=True, text=text, timeout=timeout, stdin=subprocess.DEVNULL,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"weir {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Lab:
    """An account on a daemon in a Region, and shorthand for what tests do all the time."""

    numbers = itertools.count(1)

    def __init__(self, daemon, account=None, region=REGION):
        self.daemon = daemon
        self.account = account or f"{next(self.numbers):012}"
        self.region = region
        self.clients = {}

    def client(self, service, region=None, key=None, secret="any"):
        region = region or self.region
        name = (service, region, key, secret)
        if name not in self.clients:
            self.clients[name] = boto3.session.Session().client(
                service,
                region_name=region,
                endpoint_url=self.daemon.endpoint,
                aws_access_key_id=key or self.account,
                aws_secret_access_key=secret,
                config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30),
            )
            shapes.watch(self.clients[name])
        return self.clients[name]

    @property
    def ec2(self):
        return self.client("ec2")

    def image(self):
        return self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    # A network

    def vpc(self, cidr="10.0.0.0/16", ipv6=False):
        more = {"AmazonProvidedIpv6CidrBlock": True} if ipv6 else {}
        return self.ec2.create_vpc(CidrBlock=cidr, **more)["Vpc"]["VpcId"]

    def subnet(self, vpc, cidr="10.0.1.0/24", **more):
        return self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **more)["Subnet"]["SubnetId"]

    def group(self, vpc, *rules, name=None):
        """A group that lets in what the rules say: `all`, `icmp` or `tcp 80`, then a CIDR block or group."""
        name = name or f"g{next(self.numbers)}"
        group = self.ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        for rule in rules:
            self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(rule)])
        return group

    def run(self, subnet, group=None, address=None, user_data=None, wait=True, **more):
        """Runs an instance; answers its id."""
        if group:
            more["SecurityGroupIds"] = [group]
        if address:
            more["PrivateIpAddress"] = address
        if user_data:
            more["UserData"] = user_data
        made = self.ec2.run_instances(
            ImageId=self.image(), InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=subnet, **more,
        )
        instance = made["Instances"][0]["InstanceId"]
        if wait:
            self.running(instance)
        return instance

    def running(self, *instances):
        self.wait("instance_running", InstanceIds=list(instances))

    def wait(self, waiter, **arguments):
        self.ec2.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.1, "MaxAttempts": 200}, **arguments)

    def instance(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def interface(self, instance, index=0):
        return self.instance(instance)["NetworkInterfaces"][index]["NetworkInterfaceId"]

    # Inside

    def inside(self, instance, *program, timeout=30, check=False):
        return weir(self.daemon.endpoint, "exec", instance, "--", *program, timeout=timeout, check=check)

    def ping(self, instance, address, *options):
        """Whether an echo is answered."""
        return self.inside(instance, "ping", "-c1", "-W1", *options, address).returncode == 0

    def get(self, instance, url, *options):
        """What a page says; `None` when nobody answers in time, `refused` when the port is closed."""
        done = self.inside(instance, "curl", "-sS", "--max-time", "2", *options, url)
        if done.returncode == 0:
            return done.stdout
        return {7: "refused", 28: None}.get(done.returncode, done.stderr)

    def weir(self, *arguments, **options):
        return weir(self.daemon.endpoint, *arguments, **options)


def aws(lab, instance, *arguments, region="us-east-1", account=None):
    """The aws CLI inside, with credentials in its environment and nothing else said."""
    packages = [path for path in site.getsitepackages() if path.startswith(sys.prefix)]
    done = lab.inside(
        instance, "env", f"PYTHONPATH={':'.join(packages)}", f"AWS_ACCESS_KEY_ID={account or lab.account}",
        "AWS_SECRET_ACCESS_KEY=any", f"AWS_DEFAULT_REGION={region}", "AWS_MAX_ATTEMPTS=1",
        "python3", "-m", "awscli", "--cli-connect-timeout", "3", "--cli-read-timeout", "10", *arguments,
        timeout=60,
    )
    return done.stdout.strip() if done.returncode == 0 else f"{done.returncode}: {done.stderr.strip()}"


def block_in(vpc_block, number):
    """A /64 of a VPC's /56, which may have zeros at any place."""
    whole = ipaddress.ip_network(vpc_block)
    return str(ipaddress.ip_network((int(whole.network_address) + (number << 64), 64)))


def permission(rule):
    protocol, *words = rule.split()
    peer = words.pop() if words else "0.0.0.0/0"
    made = {"IpProtocol": {"all": "-1"}.get(protocol, protocol)}
    if protocol == "icmp":
        made |= {"FromPort": -1, "ToPort": -1}
    if words:
        first, _, last = words[0].partition("-")
        made |= {"FromPort": int(first), "ToPort": int(last or first)}
    if peer.startswith("sg-"):
        made["UserIdGroupPairs"] = [{"GroupId": peer}]
    elif ":" in peer:
        made["Ipv6Ranges"] = [{"CidrIpv6": peer}]
    else:
        made["IpRanges"] = [{"CidrIp": peer}]
    return made


# Claims


def same(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what}\n  found    {found!r}\n  expected {expected!r}")


def eventually(what, question, seconds=10):
    """Asks until the answer is true; answers it."""
    end = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def refused(code, message=None, status=400):
    """The call inside must be refused with this code, and a message that matches whole."""
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        same(answer["Code"], code, answer.get("Message"))
        if message is not None and not re.fullmatch(message, answer["Message"]):
            raise AssertionError(f"{code}\n  found    {answer['Message']}\n  expected {message}") from None
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], status, code)
        return
    raise AssertionError(f"succeeded instead of {code}")


# The runner


def demo(name, attempts, records):
    """Runs a demo, which has a daemon of its own: it has to find everything as expected, these attempts (who, what was tried,
    what came back) and these records (interface, direction, from, to, protocol, action and path) among it."""
    done = subprocess.run([WEIR, "demo", name], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "All as expected" in done.stdout and "✗" not in done.stdout, done.stdout + done.stderr
    rows = [re.split(r" {2,}", line[1:].strip()) for line in done.stdout.splitlines() if line.startswith("✓")]
    tried, left = {tuple(row[:3]) for row in rows if len(row) < 8}, {(*row[:5], *row[7:]) for row in rows if len(row) > 7}
    same((attempts - tried, records - left), (set(), set()), done.stdout)


def main(daemon="shared", parallel=6):
    """Runs the tests of the calling script, or those that are named on the command line.

    They share a daemon, perhaps one that a function starts, have one each (`own`), or start what they need themselves
    (`none`).
    """
    module = sys.modules["__main__"]
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    if sys.argv[1:]:
        tests = [test for test in tests if test.__name__ in sys.argv[1:]]
    lock = threading.Lock()
    shared = Daemon() if daemon == "shared" else daemon() if callable(daemon) else None

    def run(test):
        began = time.monotonic()
        running, failure = shared, None
        try:
            if daemon == "own":
                running = Daemon()
            test(Lab(running) if running else None)
        except BaseException:
            failure = traceback.format_exc()
        if daemon == "own":
            failure = ended_badly(running, failure) or failure
        with lock:
            seconds = time.monotonic() - began
            print(f"{'FAILED' if failure else 'ok    '} {seconds:6.2f} s  {test.__name__}", flush=True)
            if failure:
                print(failure, flush=True)
        return failure

    with ThreadPoolExecutor(parallel) as pool:
        failures = [failure for failure in pool.map(run, tests) if failure]
    if shared and (failure := ended_badly(shared, failures)):
        print(failure)
        failures.append(failure)
    if shapes.wrong:
        failures.append("shapes")
        print("FAILED  answers that are not as AWS's service model says", *sorted(shapes.wrong), sep="\n  ")
    sys.exit(1 if failures else 0)


def ended_badly(daemon, failures):
    """Ends a daemon. What it said, if that did not go well, if something in it panicked, or if tests failed."""
    if daemon is None:
        return None
    try:
        status = daemon.end()
    except AssertionError as error:
        return str(error)
    said = daemon.said()
    if failures or status != 0 or "panicked" in said:
        return f"{failures if isinstance(failures, str) else ''}--- the daemon ended with {status}, it said\n{said}"
    return None
