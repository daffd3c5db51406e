# AWS's services without the internet: S3 by routes, STS and CloudWatch Logs by interfaces in the private subnets.

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.app.id
  service_name    = "com.amazonaws.${var.region}.s3"
  route_table_ids = [aws_route_table.app["private"].id, aws_route_table.app["database"].id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
      Resource  = ["*"]
    }]
  })
  tags = { Name = "s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(["logs", "sts"])
  vpc_id              = aws_vpc.app.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for key, subnet in local.subnets : aws_subnet.app[key].id if subnet.tier == "private"]
  security_group_ids  = [aws_security_group.endpoints.id]
  tags                = { Name = each.key }
}
