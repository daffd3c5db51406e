output "instances" {
  value = merge(
    { for name, instance in aws_instance.app : name => instance.id },
    { shared = aws_instance.shared.id },
  )
}

output "addresses" {
  value = merge(
    { for name, instance in aws_instance.app : name => instance.private_ip },
    { shared = aws_instance.shared.private_ip, web_public = aws_instance.app["web"].public_ip, nat = aws_eip.nat.public_ip },
  )
}

output "flow_logs" {
  value = { bucket = aws_s3_bucket.flow_logs.id, log_group = aws_cloudwatch_log_group.flow_logs.name }
}
