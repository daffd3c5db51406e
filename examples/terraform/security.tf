# Who may talk to whom: the internet to web, web and the peer to app, app to the database. The database's subnets have a network
# ACL besides, which knows no groups but the private subnets' addresses.

resource "aws_security_group" "web" {
  name        = "web"
  description = "the way in from the internet"
  vpc_id      = aws_vpc.app.id
}

resource "aws_vpc_security_group_ingress_rule" "web_http" {
  security_group_id = aws_security_group.web.id
  description       = "HTTP from everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "web_all" {
  security_group_id = aws_security_group.web.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_security_group" "app" {
  name        = "app"
  description = "HTTP from web and from the peer"
  vpc_id      = aws_vpc.app.id

  ingress {
    from_port       = 8080
    to_port         = 8080
    protocol        = "tcp"
    security_groups = [aws_security_group.web.id]
  }

  ingress {
    description = "the other account"
    from_port   = 8080
    to_port     = 8080
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.shared.cidr_block]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "database" {
  name        = "database"
  description = "PostgreSQL from app"
  vpc_id      = aws_vpc.app.id
}

resource "aws_security_group_rule" "database" {
  type                     = "ingress"
  security_group_id        = aws_security_group.database.id
  source_security_group_id = aws_security_group.app.id
  protocol                 = "tcp"
  from_port                = 5432
  to_port                  = 5432
}

resource "aws_security_group" "endpoints" {
  name        = "endpoints"
  description = "HTTPS from the VPC"
  vpc_id      = aws_vpc.app.id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.app.cidr_block]
  }
}

resource "aws_network_acl" "database" {
  vpc_id     = aws_vpc.app.id
  subnet_ids = [for key, subnet in local.subnets : aws_subnet.app[key].id if subnet.tier == "database"]
  tags       = { Name = "database" }
}

resource "aws_network_acl_rule" "database_in" {
  for_each       = { for key, subnet in local.subnets : key => subnet if subnet.tier == "private" }
  network_acl_id = aws_network_acl.database.id
  rule_number    = endswith(each.key, "0") ? 100 : 110
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = each.value.cidr
  from_port      = 5432
  to_port        = 5432
}

resource "aws_network_acl_rule" "database_out" {
  network_acl_id = aws_network_acl.database.id
  rule_number    = 100
  egress         = true
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = aws_vpc.app.cidr_block
  from_port      = 1024
  to_port        = 65535
}
