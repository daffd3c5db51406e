# Public, private and database subnets in two zones. Only the public ones are reached from the internet, only the
# private ones get out through the NAT gateway, and the database ones know the VPC alone.

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.available.names, 0, 2)
  tiers = { public = 0, private = 10, database = 20 }
  subnets = {
    for pair in setproduct(keys(local.tiers), range(2)) : "${pair[0]}-${pair[1]}" => {
      tier = pair[0]
      zone = local.zones[pair[1]]
      cidr = cidrsubnet(aws_vpc.app.cidr_block, 8, local.tiers[pair[0]] + pair[1])
    }
  }
}

resource "aws_vpc" "app" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "app" }
}

resource "aws_subnet" "app" {
  for_each                = local.subnets
  vpc_id                  = aws_vpc.app.id
  availability_zone       = each.value.zone
  cidr_block              = each.value.cidr
  map_public_ip_on_launch = each.value.tier == "public"
  tags                    = { Name = each.key }
}

resource "aws_internet_gateway" "app" {
  vpc_id = aws_vpc.app.id
}

resource "aws_eip" "nat" {
  domain     = "vpc"
  depends_on = [aws_internet_gateway.app]
}

resource "aws_nat_gateway" "app" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.app["public-0"].id
  depends_on    = [aws_internet_gateway.app]
}

resource "aws_route_table" "app" {
  for_each = local.tiers
  vpc_id   = aws_vpc.app.id
  tags     = { Name = each.key }
}

resource "aws_route_table_association" "app" {
  for_each       = local.subnets
  subnet_id      = aws_subnet.app[each.key].id
  route_table_id = aws_route_table.app[each.value.tier].id
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.app["public"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.app.id
}

resource "aws_route" "nat" {
  route_table_id         = aws_route_table.app["private"].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.app.id
}

# The default group of a VPC lets its members talk to each other. Nobody is to use it: no rules.
resource "aws_default_security_group" "app" {
  vpc_id = aws_vpc.app.id
}
