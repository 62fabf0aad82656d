"""Whose a call is: the API key's id, or the name that the table maps it to, so that a key can be replaced.

The mapping is one item a key: `pk` = `key#{API key id}`, `sk` = `key`, `owner`. `make key` writes it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wanflow import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

Owner = str | Callable[[], str]
"""An owner, or how to find out: a request that breaks rules is refused before anybody is asked."""

REMEMBERED_SECONDS = 60.0


def name_of(owner: Owner) -> str:
    return owner if isinstance(owner, str) else owner()


class Owners:
    """Looks keys up and remembers them for a minute, those without a mapping too."""

    def __init__(self, client: Callable[[], "DynamoDBClient"], table_name: str, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._table = table_name
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, str]] = {}

    def of_key(self, key_id: str) -> str:
        """The owner behind an API key's id.

        Raises:
            AwsUnavailable: the table cannot be read; then nobody is let in as somebody else.
        """
        now = self._monotonic()
        until, owner = self._known.get(key_id, (now, ""))
        if until <= now:
            owner = self._read(key_id)
            self._known[key_id] = (now + REMEMBERED_SECONDS, owner)
        return owner

    def _read(self, key_id: str) -> str:
        key = {"pk": {"S": f"key#{key_id}"}, "sk": {"S": "key"}}
        with aws.naming_faults("read the API key's owner"):
            # Consistent: a mapping is written before its key can be used.
            answer = self._client().get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer["Item"]["owner"]["S"] if "Item" in answer else key_id
