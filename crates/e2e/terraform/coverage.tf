# What the example does not need: a resource of every other kind that configurations of VPCs have.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region                  = "us-east-1"
  access_key              = "333333333333"
  secret_key              = "any"
  s3_use_path_style       = true
  skip_metadata_api_check = true
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

# Defaults that Terraform takes over.

resource "aws_default_vpc" "default" {
  tags = { Name = "default" }
}

resource "aws_default_subnet" "a" {
  availability_zone = "us-east-1a"
  tags              = { Name = "default-a" }
}

resource "aws_vpc" "main" {
  cidr_block                       = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block = true
}

resource "aws_vpc_ipv4_cidr_block_association" "second" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.1.0.0/16"
}

resource "aws_default_route_table" "main" {
  default_route_table_id = aws_vpc.main.default_route_table_id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}

resource "aws_default_network_acl" "main" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id

  ingress {
    protocol   = -1
    rule_no    = 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }

  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id

  ingress {
    protocol  = -1
    self      = true
    from_port = 0
    to_port   = 0
  }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_egress_only_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "main" {
  vpc_id          = aws_vpc.main.id
  cidr_block      = "10.0.1.0/24"
  ipv6_cidr_block = cidrsubnet(aws_vpc.main.ipv6_cidr_block, 8, 1)
}

resource "aws_subnet" "second" {
  vpc_id     = aws_vpc_ipv4_cidr_block_association.second.vpc_id
  cidr_block = "10.1.1.0/24"
}

resource "aws_ec2_subnet_cidr_reservation" "main" {
  subnet_id        = aws_subnet.main.id
  cidr_block       = "10.0.1.64/28"
  reservation_type = "explicit"
  description      = "by name"
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id

  route {
    ipv6_cidr_block        = "::/0"
    egress_only_gateway_id = aws_egress_only_internet_gateway.main.id
  }

  route {
    cidr_block           = "192.168.0.0/16"
    network_interface_id = aws_network_interface.main.id
  }
}

resource "aws_vpc_dhcp_options" "main" {
  domain_name         = "example.internal"
  domain_name_servers = ["AmazonProvidedDNS"]
}

resource "aws_vpc_dhcp_options_association" "main" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.main.id
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5

  entry {
    cidr        = "198.51.100.0/24"
    description = "one"
  }
}

resource "aws_ec2_managed_prefix_list_entry" "second" {
  prefix_list_id = aws_ec2_managed_prefix_list.roads.id
  cidr           = "203.0.113.0/24"
}

resource "aws_ec2_managed_prefix_list" "roads" {
  name           = "roads"
  address_family = "IPv4"
  max_entries    = 2
}

resource "aws_security_group" "main" {
  name_prefix = "main-"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "offices" {
  security_group_id = aws_security_group.main.id
  prefix_list_id    = aws_ec2_managed_prefix_list.offices.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = var.port
  description       = "port ${var.port}"
}

variable "port" {
  default = 443
}

resource "aws_network_interface" "main" {
  subnet_id         = aws_subnet.main.id
  private_ips       = ["10.0.1.70"]
  security_groups   = [aws_security_group.main.id]
  source_dest_check = false
}

resource "aws_eip" "main" {
  domain            = "vpc"
  network_interface = aws_network_interface.main.id
  depends_on        = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "private" {
  subnet_id         = aws_subnet.main.id
  connectivity_type = "private"
}

# An endpoint service behind a network load balancer.

resource "aws_lb" "main" {
  name               = "service"
  load_balancer_type = "network"
  internal           = true
  subnets            = [aws_subnet.main.id]
}

resource "aws_lb_target_group" "main" {
  name        = "service"
  port        = 8080
  protocol    = "TCP"
  target_type = "ip"
  vpc_id      = aws_vpc.main.id
}

resource "aws_lb_target_group_attachment" "main" {
  target_group_arn = aws_lb_target_group.main.arn
  target_id        = "10.0.1.70"
}

resource "aws_lb_listener" "main" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.main.arn
  }
}

resource "aws_vpc_endpoint_service" "main" {
  acceptance_required        = false
  network_load_balancer_arns = [aws_lb.main.arn]
  allowed_principals         = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
}

resource "aws_vpc_endpoint" "own" {
  vpc_id             = aws_vpc.main.id
  service_name       = aws_vpc_endpoint_service.main.service_name
  vpc_endpoint_type  = "Interface"
  subnet_ids         = [aws_subnet.main.id]
  security_group_ids = [aws_security_group.main.id]
  depends_on         = [aws_lb_listener.main]
}

# Peering within the account, accepted at once.

resource "aws_vpc_peering_connection" "default" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_default_vpc.default.id
  auto_accept = true
  depends_on  = [aws_vpc_ipv4_cidr_block_association.second]
}

# IAM as modules make it.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com", "firehose.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "main" {
  name_prefix        = "main-"
  path               = "/network/"
  description        = "for instances"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = { Name = "main" }
}

resource "aws_iam_policy" "read" {
  name   = "read"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:Get*", Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.main.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy_attachment" "ssm" {
  role       = aws_iam_role.main.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "main" {
  name = "main"
  role = aws_iam_role.main.name
}

# Buckets with everything that can be said of one.

resource "aws_s3_bucket" "main" {
  bucket        = "coverage-main"
  force_destroy = true
  tags          = { Name = "main" }
}

resource "aws_s3_bucket_versioning" "main" {
  bucket = aws_s3_bucket.main.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "main" {
  bucket = aws_s3_bucket.main.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "main" {
  bucket        = aws_s3_bucket.main.id
  target_bucket = aws_s3_bucket.main.id
  target_prefix = "access/"
}

resource "aws_s3_bucket_cors_configuration" "main" {
  bucket = aws_s3_bucket.main.id
  cors_rule {
    allowed_methods = ["GET"]
    allowed_origins = ["*"]
  }
}

resource "aws_s3_bucket_website_configuration" "main" {
  bucket = aws_s3_bucket.main.id
  index_document {
    suffix = "index.html"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "main" {
  bucket = aws_s3_bucket.main.id
  rule {
    id     = "archive"
    status = "Enabled"
    filter {
      prefix = "AWSLogs/"
    }
    transition {
      days          = 30
      storage_class = "GLACIER"
    }
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_intelligent_tiering_configuration" "main" {
  bucket = aws_s3_bucket.main.id
  name   = "all"
  tiering {
    access_tier = "ARCHIVE_ACCESS"
    days        = 90
  }
}

resource "aws_s3_object" "hello" {
  bucket  = aws_s3_bucket.main.id
  key     = "hello"
  content = "hello"
}

# Firehose, and flow logs to it.

resource "aws_kinesis_firehose_delivery_stream" "main" {
  name        = "flow-logs"
  destination = "extended_s3"

  extended_s3_configuration {
    role_arn   = aws_iam_role.main.arn
    bucket_arn = aws_s3_bucket.main.arn
  }
  tags = { LogDeliveryEnabled = "true" }
}

resource "aws_flow_log" "firehose" {
  subnet_id            = aws_subnet.main.id
  traffic_type         = "ALL"
  log_destination_type = "kinesis-data-firehose"
  log_destination      = aws_kinesis_firehose_delivery_stream.main.arn
  log_format           = "$${version} $${srcaddr} $${dstaddr} $${action}"
}
