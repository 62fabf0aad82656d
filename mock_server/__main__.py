"""`python -m mock_server`."""

from .cli import console

console()
