"""What can go wrong with the local stack in a way that a person can mend."""

from __future__ import annotations


class LocalStackError(Exception):
    """Shown as one message without a traceback; the command exits with 1."""
