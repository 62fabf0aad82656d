"""The videos of a task's result. Apart from wan_client.py, because showing a job needs no HTTP client."""

from typing import Any


def video_urls(result: dict[str, Any]) -> list[str]:
    """All video URLs of `output[].content[]`, in order."""
    return [item["url"] for item in video_items(result)]


def video_items(result: dict[str, Any]) -> list[dict[str, Any]]:
    """All {`type`: video, `url`} of `output[].content[]`, in order; whatever has another shape is passed over."""
    outputs = result.get("output")
    contents = [part.get("content") for part in outputs if isinstance(part, dict)] if isinstance(outputs, list) else []
    items = [item for content in contents if isinstance(content, list) for item in content if isinstance(item, dict)]
    return [item for item in items if item.get("type") == "video" and isinstance(item.get("url"), str)]
