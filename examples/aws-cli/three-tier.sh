#!/bin/sh
# The network of ../terraform with the aws CLI: `three-tier.sh` makes it, and prints a name, an instance and its address
# a line. Where to is said by AWS_ENDPOINT_URL (`eval "$(weir env)"`). Keys of twelve digits name their account.
# ../boto3/three_tier.py takes it away again.
set -eu

APP=111111111111 SHARED=222222222222
BUCKET=three-tier-flow-logs GROUP=/vpc/three-tier ROLE=three-tier-flow-logs
export AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
REGION=$AWS_DEFAULT_REGION

app() { AWS_ACCESS_KEY_ID=$APP aws --output text "$@"; }
shared() { AWS_ACCESS_KEY_ID=$SHARED aws --output text "$@"; }
tags() { echo "ResourceType=$1,Tags=[{Key=Name,Value=$2},{Key=Project,Value=three-tier}]"; }

# The VPC: public, private and database subnets in two zones, a route table for each tier.
vpc=$(app ec2 create-vpc --cidr-block 10.0.0.0/16 --tag-specifications "$(tags vpc app)" --query Vpc.VpcId)
app ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames
table() {
    app ec2 create-route-table --vpc-id "$vpc" --tag-specifications "$(tags route-table "$1")" \
        --query RouteTable.RouteTableId
}
subnet() { # tier, number, zone, route table
    id=$(app ec2 create-subnet --vpc-id "$vpc" --cidr-block "10.0.$2.0/24" --availability-zone "$REGION$3" \
        --tag-specifications "$(tags subnet "$1-$3")" --query Subnet.SubnetId)
    app ec2 associate-route-table --subnet-id "$id" --route-table-id "$4" >/dev/null
    echo "$id"
}
public_table=$(table public) private_table=$(table private) database_table=$(table database)
public_a=$(subnet public 0 a "$public_table") public_b=$(subnet public 1 b "$public_table")
private_a=$(subnet private 10 a "$private_table") private_b=$(subnet private 11 b "$private_table")
database_a=$(subnet database 20 a "$database_table") database_b=$(subnet database 21 b "$database_table")
for id in "$public_a" "$public_b"; do
    app ec2 modify-subnet-attribute --subnet-id "$id" --map-public-ip-on-launch
done

# Ways out: the internet gateway for the public subnets, the NAT gateway for the private ones.
igw=$(app ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
app ec2 attach-internet-gateway --internet-gateway-id "$igw" --vpc-id "$vpc"
app ec2 create-route --route-table-id "$public_table" --destination-cidr-block 0.0.0.0/0 --gateway-id "$igw" >/dev/null
eip=$(app ec2 allocate-address --domain vpc --tag-specifications "$(tags elastic-ip nat)" --query AllocationId)
nat=$(app ec2 create-nat-gateway --subnet-id "$public_a" --allocation-id "$eip" \
    --tag-specifications "$(tags natgateway app)" --query NatGateway.NatGatewayId)
app ec2 wait nat-gateway-available --nat-gateway-ids "$nat"
app ec2 create-route --route-table-id "$private_table" --destination-cidr-block 0.0.0.0/0 --nat-gateway-id "$nat" >/dev/null

# Who may talk to whom: everybody to web, web and the other account to app, app to the database.
group() {
    app ec2 create-security-group --vpc-id "$vpc" --group-name "$1" --description "$1" --query GroupId
}
allow() { # group, port, peer
    app ec2 authorize-security-group-ingress --group-id "$1" --protocol tcp --port "$2" "$3" "$4" >/dev/null
}
web=$(group web) middle=$(group app) database=$(group database) endpoints=$(group endpoints)
allow "$web" 80 --cidr 0.0.0.0/0
allow "$middle" 8080 --source-group "$web"
allow "$middle" 8080 --cidr 10.1.0.0/16
allow "$database" 5432 --source-group "$middle"
allow "$endpoints" 443 --cidr 10.0.0.0/16

# The database's subnets take the private ones' connections to one port, and answer.
acl=$(app ec2 create-network-acl --vpc-id "$vpc" --query NetworkAcl.NetworkAclId)
entry() {
    app ec2 create-network-acl-entry --network-acl-id "$acl" --rule-action allow --protocol tcp "$@"
}
entry --ingress --rule-number 100 --cidr-block 10.0.10.0/24 --port-range From=5432,To=5432
entry --ingress --rule-number 110 --cidr-block 10.0.11.0/24 --port-range From=5432,To=5432
entry --egress --rule-number 100 --cidr-block 10.0.0.0/16 --port-range From=1024,To=65535
for id in "$database_a" "$database_b"; do
    old=$(app ec2 describe-network-acls --filters "Name=association.subnet-id,Values=$id" \
        --query "NetworkAcls[0].Associations[?SubnetId=='$id'].NetworkAclAssociationId")
    app ec2 replace-network-acl-association --association-id "$old" --network-acl-id "$acl" >/dev/null
done

# AWS's services without the internet.
app ec2 create-vpc-endpoint --vpc-id "$vpc" --service-name "com.amazonaws.$REGION.s3" \
    --route-table-ids "$private_table" "$database_table" --tag-specifications "$(tags vpc-endpoint s3)" >/dev/null
for service in logs sts; do
    app ec2 create-vpc-endpoint --vpc-id "$vpc" --service-name "com.amazonaws.$REGION.$service" \
        --vpc-endpoint-type Interface --subnet-ids "$private_a" "$private_b" --security-group-ids "$endpoints" \
        --private-dns-enabled --tag-specifications "$(tags vpc-endpoint $service)" >/dev/null
done

# Flow logs: everything to S3, what was refused to CloudWatch Logs.
app s3api create-bucket --bucket $BUCKET >/dev/null
app logs create-log-group --log-group-name $GROUP
app logs put-retention-policy --log-group-name $GROUP --retention-in-days 30
role=$(app iam create-role --role-name $ROLE --query Role.Arn --assume-role-policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
app iam put-role-policy --role-name $ROLE --policy-name deliver --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}'
flow_logs() {
    app ec2 create-flow-logs --resource-type VPC --resource-ids "$vpc" --max-aggregation-interval 60 "$@" >/dev/null
}
flow_logs --traffic-type ALL --log-destination-type s3 --log-destination "arn:aws:s3:::$BUCKET" \
    --destination-options FileFormat=parquet,PerHourPartition=true
flow_logs --traffic-type REJECT --log-group-name $GROUP --deliver-logs-permission-arn "$role"

# The other account's VPC reaches the private subnets and nothing else.
peer=$(shared ec2 create-vpc --cidr-block 10.1.0.0/16 --tag-specifications "$(tags vpc shared)" --query Vpc.VpcId)
peer_subnet=$(shared ec2 create-subnet --vpc-id "$peer" --cidr-block 10.1.0.0/24 --query Subnet.SubnetId)
pcx=$(app ec2 create-vpc-peering-connection --vpc-id "$vpc" --peer-vpc-id "$peer" --peer-owner-id $SHARED \
    --tag-specifications "$(tags vpc-peering-connection app-to-shared)" \
    --query VpcPeeringConnection.VpcPeeringConnectionId)
shared ec2 wait vpc-peering-connection-exists --vpc-peering-connection-ids "$pcx"
shared ec2 accept-vpc-peering-connection --vpc-peering-connection-id "$pcx" >/dev/null
app ec2 create-route --route-table-id "$private_table" --destination-cidr-block 10.1.0.0/16 \
    --vpc-peering-connection-id "$pcx" >/dev/null
main=$(shared ec2 describe-route-tables --filters "Name=vpc-id,Values=$peer" --query 'RouteTables[0].RouteTableId')
shared ec2 create-route --route-table-id "$main" --destination-cidr-block 10.0.0.0/16 \
    --vpc-peering-connection-id "$pcx" >/dev/null

# An instance in each tier, and one of the other account.
image=$(app ec2 describe-images --owners amazon --query 'Images[0].ImageId')
run() { # account, name, subnet, what else
    account=$1 name=$2 subnet=$3
    shift 3
    "$account" ec2 run-instances --image-id "$image" --instance-type t3.micro --subnet-id "$subnet" \
        --tag-specifications "$(tags instance "$name")" --query 'Instances[0].[InstanceId,PrivateIpAddress]' "$@"
}
serve() {
    printf '#!/bin/sh\ncd "$(mktemp -d)" && echo %s > index.html && exec python3 -m http.server %s\n' "$@"
}
echo "web $(run app web "$public_a" --security-group-ids "$web" --user-data "$(serve web 80)")"
echo "app $(run app app "$private_a" --security-group-ids "$middle" --user-data "$(serve app 8080)")"
echo "database $(run app database "$database_a" --security-group-ids "$database" --user-data "$(serve database 5432)")"
echo "shared $(run shared shared "$peer_subnet")"
app ec2 wait instance-running --filters Name=tag:Project,Values=three-tier
shared ec2 wait instance-running --filters Name=tag:Project,Values=three-tier
