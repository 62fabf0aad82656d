"""`python -m wanflow_client`: the same as `wanflow`."""

from wanflow_client.cli import run

run()
