"""Files under inbox/: each becomes a job, and its verdict is written where the user looks, under outbox/."""

import logging
from typing import Any

from wanflow.accept import Intake
from wanflow.documents import job_document
from wanflow.errors import BudgetExceeded, InvalidRequest, NotFound, TooLarge, Violation, WanflowError
from wanflow.files import Files, owner_of_inbox_key, verdict_key
from wanflow.jobs import Source
from wanflow.json_text import parse_json

logger = logging.getLogger("wanflow")

MAX_REQUEST_BYTES = 6 * 1024 * 1024
_CODES: dict[type[WanflowError], str] = {
    TooLarge: "too_large",
    NotFound: "not_found",
    BudgetExceeded: "budget_exceeded",
}


class Inbox:
    """Accepts uploads. Run twice for the same upload, it gives the same job."""

    def __init__(self, intake: Intake, files: Files) -> None:
        self._intake = intake
        self._files = files

    def accept_upload(self, event: dict[str, Any]) -> dict[str, Any]:
        """Take in one object named by an EventBridge event of S3 (`Object Created`).

        Returns:
            {`verdict`: its key, `job_id`: or None}.
        """
        uploaded = event["detail"]["object"]
        key: str = uploaded["key"]
        if key.endswith("/"):
            # A folder made in the S3 console.
            return {"verdict": None, "job_id": None}
        # The sequencer tells a new upload of the same name from the same event coming twice.
        identity = f"{self._files.bucket}/{key}/{uploaded.get('sequencer', '')}"
        try:
            accepted = self._intake.register(
                self._read(key), owner_of_inbox_key(key), Source("s3", verdict_key(key)), key=identity
            )
        except (InvalidRequest, TooLarge, NotFound, BudgetExceeded) as error:
            logger.info("upload refused", extra={"key": key, "error": type(error).__name__})
            self._files.put_json(verdict_key(key), _refusal(error))
            return {"verdict": verdict_key(key), "job_id": None}
        if accepted.job.status == "queued":
            # Also for an event that comes again: its first try may have died before it wrote the verdict.
            document = job_document(accepted.job, self._files.link)
            self._files.put_json(verdict_key(key), document)
        # Started last, so that this verdict can never be written over the final one.
        self._intake.start(accepted.job)
        return {"verdict": verdict_key(key), "job_id": accepted.job.id}

    def _read(self, key: str) -> object:
        if not key.lower().endswith(".json"):
            raise InvalidRequest([Violation("file", "invalid_request", "inbox/ takes requests as .json files")])
        content = self._files.get(key, MAX_REQUEST_BYTES)
        if content is None:
            raise TooLarge(f"a request file has at most {MAX_REQUEST_BYTES} bytes; put media under uploads/")
        return parse_json(content)


def _refusal(error: WanflowError) -> dict[str, Any]:
    if isinstance(error, InvalidRequest):
        message = "the file is no valid request; nothing was submitted"
        violations = [violation.as_dict() for violation in error.violations]
        return {"status": "refused", "error": {"code": error.code, "message": message, "violations": violations}}
    code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
    return {"status": "refused", "error": {"code": code, "message": str(error), "violations": []}}
