"""One DynamoDB table in memory, a hundred times faster than a simulated HTTP call.

Thousands of whole lives of jobs are lived in this table; that it answers as moto does is tested call by call.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from tests.guarantees.expressions import BadExpression, Item, Names, condition, update

Key = tuple[str, str]
_REFUSED = "The conditional request failed"


class FastTable:
    """The calls of a DynamoDB client that the layer makes, by their boto3 names."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self._primary = _key_names(properties)
        self._indexes = {index["IndexName"]: _key_names(index) for index in properties["GlobalSecondaryIndexes"]}
        self._projected = {
            index["IndexName"]: set(index["Projection"].get("NonKeyAttributes", ()))
            for index in properties["GlobalSecondaryIndexes"]
        }
        self.items: dict[Key, Item] = {}

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self.items.get(self._key(request["Key"]))
        return {"Item": dict(item)} if item is not None else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        found = [self.items[key] for key in map(self._key, wanted["Keys"]) if key in self.items]
        return {"Responses": {table: [dict(item) for item in found]}, "UnprocessedKeys": {}}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self._check(request["Item"], request)
        self.items[self._key(request["Item"])] = dict(request["Item"])
        return {}

    def update_item(self, **request: Any) -> dict[str, Any]:
        self._check(request["Key"], request)
        self.items[self._key(request["Key"])] = self._updated(request)
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self._check(request["Key"], request)
        self.items.pop(self._key(request["Key"]), None)
        return {}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        writes = [next(iter(write.items())) for write in request["TransactItems"]]
        reasons = ["None" if self._holds(w.get("Item") or w["Key"], w) else "ConditionalCheckFailed" for _, w in writes]
        if set(reasons) != {"None"}:
            _cancel(reasons)
        calls: dict[str, Callable[..., Any]] = {
            "Put": self.put_item,
            "Update": self.update_item,
            "Delete": self.delete_item,
            "ConditionCheck": lambda **_: None,
        }
        for kind, write in writes:
            calls[kind](**write)
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        index = request.get("IndexName")
        hash_name, range_name = self._indexes[index] if index else self._primary
        holds, names = condition(request["KeyConditionExpression"]), _names(request)
        found = [
            item for item in self.items.values() if hash_name in item and range_name in item and holds(item, names)
        ]
        is_backward = not request.get("ScanIndexForward", True)
        found.sort(key=lambda item: (item[range_name]["S"], self._key(item)), reverse=is_backward)
        start = request.get("ExclusiveStartKey")
        if start is not None:
            after = self._key(start)
            keys = [self._key(item) for item in found]
            found = found[keys.index(after) + 1 :] if after in keys else found
        limit = request.get("Limit")
        page = found[:limit]
        keys_shown = {*self._primary, hash_name, range_name}
        shown = keys_shown | self._projected[index] if index else keys_shown
        items = [{name: item[name] for name in shown if name in item} if index else dict(item) for item in page]
        answer: dict[str, Any] = {"Items": items, "Count": len(items)}
        if page and len(page) == limit:
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in keys_shown}
        return answer

    def _key(self, item: Item) -> Key:
        return item[self._primary[0]]["S"], item[self._primary[1]]["S"]

    def _updated(self, request: dict[str, Any]) -> Item:
        before = self.items.get(self._key(request["Key"]), request["Key"])
        after = dict(before)
        try:
            for change in update(request["UpdateExpression"]):
                change(before, after, _names(request))
        except BadExpression as error:
            refuse("ValidationException", "UpdateItem", str(error))
        return after

    def _holds(self, key: Item, request: dict[str, Any]) -> bool:
        text = request.get("ConditionExpression")
        return not text or condition(text)(self.items.get(self._key(key), {}), _names(request))

    def _check(self, key: Item, request: dict[str, Any]) -> None:
        if not self._holds(key, request):
            refuse("ConditionalCheckFailedException", "UpdateItem", _REFUSED)


def refuse(code: str, operation: str, message: str = "", status: int = 400) -> NoReturn:
    """Raise what boto3 raises for an error answer."""
    raise ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


def _cancel(reasons: list[str]) -> NoReturn:
    listed = [{"Code": reason, **({} if reason == "None" else {"Message": _REFUSED})} for reason in reasons]
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(reasons)}]"
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": listed,
    }
    raise ClientError(answer, "TransactWriteItems")


def _names(request: dict[str, Any]) -> Names:
    return Names(request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {}))


def _key_names(properties: dict[str, Any]) -> tuple[str, str]:
    by_kind = {key["KeyType"]: key["AttributeName"] for key in properties["KeySchema"]}
    return by_kind["HASH"], by_kind["RANGE"]
