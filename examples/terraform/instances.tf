# One instance in each tier and one of the other account. What they run is this machine's programs.

data "aws_ami" "app" {
  most_recent = true
  owners      = ["amazon"]
}

locals {
  instances = {
    web      = { subnet = "public-0", group = aws_security_group.web.id, port = 80 }
    app      = { subnet = "private-0", group = aws_security_group.app.id, port = 8080 }
    database = { subnet = "database-0", group = aws_security_group.database.id, port = 5432 }
  }
}

resource "aws_instance" "app" {
  for_each               = local.instances
  ami                    = data.aws_ami.app.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.app[each.value.subnet].id
  vpc_security_group_ids = [each.value.group]
  user_data              = "#!/bin/sh\ncd \"$(mktemp -d)\" && echo ${each.key} > index.html && exec python3 -m http.server ${each.value.port}\n"
  tags                   = { Name = each.key }

  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_instance" "shared" {
  provider      = aws.shared
  ami           = data.aws_ami.app.id
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.shared.id
  tags          = { Name = "shared" }
}
