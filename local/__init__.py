"""The local stack: the template that is deployed to AWS, running on this machine without an AWS account or Docker."""
