# A VPC of another account, which reaches the private subnets and nothing else.

resource "aws_vpc" "shared" {
  provider             = aws.shared
  cidr_block           = "10.1.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "shared" }
}

resource "aws_subnet" "shared" {
  provider   = aws.shared
  vpc_id     = aws_vpc.shared.id
  cidr_block = "10.1.0.0/24"
  tags       = { Name = "shared" }
}

data "aws_caller_identity" "shared" {
  provider = aws.shared
}

resource "aws_vpc_peering_connection" "shared" {
  vpc_id        = aws_vpc.app.id
  peer_vpc_id   = aws_vpc.shared.id
  peer_owner_id = data.aws_caller_identity.shared.account_id
  tags          = { Name = "app to shared" }
}

resource "aws_vpc_peering_connection_accepter" "shared" {
  provider                  = aws.shared
  vpc_peering_connection_id = aws_vpc_peering_connection.shared.id
  auto_accept               = true
  tags                      = { Name = "shared from app" }
}

resource "aws_vpc_peering_connection_options" "app" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id
  requester {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_route" "to_shared" {
  route_table_id            = aws_route_table.app["private"].id
  destination_cidr_block    = aws_vpc.shared.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id
}

resource "aws_route" "from_shared" {
  provider                  = aws.shared
  route_table_id            = aws_vpc.shared.main_route_table_id
  destination_cidr_block    = aws_vpc.app.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.shared.id
}
