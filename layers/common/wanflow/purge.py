"""Deleting what is kept of an ended job: its videos, its references, its document, its record, and with it its key."""

from wanflow.errors import Conflict
from wanflow.files import Files, document_key
from wanflow.jobs import Job
from wanflow.records import JobRecords


class Purger:
    """Deletes jobs for good. The record goes last, so that dying half-way is repaired by asking again."""

    def __init__(self, records: JobRecords, files: Files) -> None:
        self._records = records
        self._files = files

    def purge(self, job: Job) -> None:
        """Delete an ended job.

        Raises:
            Conflict: it has not ended, or its task may still run and be billed.
        """
        if not job.is_final:
            raise Conflict("the job has not ended; cancel it first")
        if job.is_open:
            if job.watch_until is None:
                raise Conflict("the job is just being put away; purge it again in a moment")
            raise Conflict(
                f"the provider may still work on the job's task until {job.watch_until}; purge it afterwards"
            )
        keys = [video.key for video in job.stored] + [document_key(job.id)]
        keys += [job.source.verdict_key] if job.source.verdict_key else []
        inline = f"s3://{self._files.bucket}/uploads/{job.owner}/{job.id}/"
        references = job.request["input"]["reference_urls"]
        keys += [self._files.key_of(url) for url in references if url.startswith(inline)]
        self._files.delete(keys)
        self._records.forget(job)
