# Two accounts on one Weir. Keys of twelve digits name their account; where to is said by AWS_ENDPOINT_URL.
# Against AWS, take out the keys and the flags: nothing else here is Weir's.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

provider "aws" {
  region                  = var.region
  access_key              = "111111111111"
  secret_key              = "any"
  s3_use_path_style       = true
  skip_metadata_api_check = true
  skip_region_validation  = true

  default_tags {
    tags = { Project = "three-tier" }
  }
}

provider "aws" {
  alias                   = "shared"
  region                  = var.region
  access_key              = "222222222222"
  secret_key              = "any"
  skip_metadata_api_check = true
  skip_region_validation  = true
}

variable "region" {
  type    = string
  default = "us-east-1"
}
