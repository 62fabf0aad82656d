"""Every Lambda handler on moto, with table, bucket and environment taken from template.yaml."""
