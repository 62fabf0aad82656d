"""Files under inbox/: each becomes a job, and its verdict is written where the user looks, under outbox/."""

import logging
from typing import Any
from urllib.parse import unquote

from wanflow.accept import Intake
from wanflow.batches import BatchIntake
from wanflow.documents import job_document
from wanflow.errors import BudgetExceeded, InvalidRequest, NotFound, TooLarge, Violation, WanflowError
from wanflow.executions import Executions
from wanflow.files import Files, owner_of_inbox_key, verdict_key
from wanflow.jobs import Source
from wanflow.json_text import parse_json
from wanflow.references import IMAGE_ENDINGS, VIDEO_ENDINGS, ending_of
from wanflow.validation import MODEL

logger = logging.getLogger("wanflow")

MAX_REQUEST_BYTES = 6 * 1024 * 1024
_BATCH_ENDINGS = frozenset({"jsonl", "csv"})
_CODES: dict[type[WanflowError], str] = {
    TooLarge: "too_large",
    NotFound: "not_found",
    BudgetExceeded: "budget_exceeded",
}


class Inbox:
    """Accepts requests, batches, and media that carry their prompt. The same event twice gives the same job."""

    def __init__(self, intake: Intake, batches: BatchIntake, executions: Executions, files: Files) -> None:
        self._intake = intake
        self._batches = batches
        self._executions = executions
        self._files = files

    def accept_upload(self, event: dict[str, Any]) -> dict[str, Any]:
        """Take in one object named by an EventBridge event of S3 (`Object Created`).

        Returns:
            {`verdict`: its key, `job_id`: the job's or the batch's, None when there is none}.
        """
        uploaded = event["detail"]["object"]
        key: str = uploaded["key"]
        if key.endswith("/"):
            # A folder made in the S3 console.
            return {"verdict": None, "job_id": None}
        # The sequencer tells a new upload of the same name from the same event coming twice.
        identity = f"{self._files.bucket}/{key}/{uploaded.get('sequencer', '')}"
        try:
            job_id = self._accept(key, identity)
        except (InvalidRequest, TooLarge, NotFound, BudgetExceeded) as error:
            logger.info("upload refused", extra={"key": key, "error": type(error).__name__})
            self._files.put_json(verdict_key(key), _refusal(error))
            job_id = None
        return {"verdict": verdict_key(key), "job_id": job_id}

    def _accept(self, key: str, identity: str) -> str | None:
        ending = ending_of(key)
        if ending == "json":
            return self._accept_request(key, identity, self._read_request(key))
        if ending in _BATCH_ENDINGS:
            return self._batches.accept_batch(key, identity)
        if ending in IMAGE_ENDINGS | VIDEO_ENDINGS:
            return self._accept_media(key, identity)
        allowed = ", ".join(sorted({"json", *_BATCH_ENDINGS, *IMAGE_ENDINGS, *VIDEO_ENDINGS}))
        raise InvalidRequest([Violation("file", "invalid_request", f"must end in one of {allowed}")])

    def _accept_request(self, key: str, identity: str, request: object, own_key: str | None = None) -> str:
        source = Source("s3", verdict_key(key))
        owner = owner_of_inbox_key(key)
        accepted = self._intake.register(request, owner, source, key=identity, own_key=own_key)
        if accepted.job.status == "queued":
            # Also for an event that comes again: its first try may have died before it wrote the verdict.
            document = job_document(accepted.job, self._files.link)
            self._files.put_json(verdict_key(key), document)
        # Started last, so that this verdict can never be written over the final one.
        self._executions.start_job(accepted.job)
        return accepted.job.id

    def _read_request(self, key: str) -> object:
        content = self._files.get(key, MAX_REQUEST_BYTES)
        if content is None:
            raise TooLarge(f"a request file has at most {MAX_REQUEST_BYTES} bytes; put media under uploads/")
        return parse_json(content)

    def _accept_media(self, key: str, identity: str) -> str | None:
        """A picture or clip whose object metadata hold a `prompt` becomes a job with itself as character1."""
        metadata = self._files.user_metadata(key)
        if "prompt" not in metadata:
            # Not an error: people put references here, too, before the request that names them.
            self._files.put_json(verdict_key(key), {"status": "stored", "reference": self._files.url_of(key)})
            return None
        request = {
            "model": MODEL,
            "input": {"prompt": unquote(metadata["prompt"]), "reference_urls": [self._files.url_of(key)]},
            "parameters": parse_json(metadata["parameters"]) if "parameters" in metadata else {},
        }
        return self._accept_request(key, identity, request, own_key=key)


def _refusal(error: WanflowError) -> dict[str, Any]:
    if isinstance(error, InvalidRequest):
        message = "the file is no valid request; nothing was submitted"
        violations = [violation.as_dict() for violation in error.violations]
        return {"status": "refused", "error": {"code": error.code, "message": message, "violations": violations}}
    code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
    return {"status": "refused", "error": {"code": code, "message": str(error), "violations": []}}
