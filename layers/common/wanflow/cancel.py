"""Cancelling a job on its owner's word: free before the submit; after it, the provider may still bill."""

from wanflow.errors import Conflict, ErrorInfo, RecordChanged
from wanflow.executions import Executions
from wanflow.jobs import Job
from wanflow.records import JobRecords


class Canceller:
    """Notes the wish, then stops the workflow; finish_job ends the job as it ends every other."""

    def __init__(self, records: JobRecords, executions: Executions) -> None:
        self._records = records
        self._executions = executions

    def cancel(self, job: Job) -> Job:
        """Cancel a job that has not ended; twice is harmless.

        Raises:
            Conflict: it has ended.
        """
        try:
            self._records.fail(job.id, ErrorInfo("canceled", _message(job)))
        except RecordChanged as error:
            if self._records.get(job.id).is_final:
                raise Conflict("the job has ended already; it cannot be canceled") from error
        self._executions.stop(job.id, "canceled")
        return self._records.get(job.id)


def _message(job: Job) -> str:
    if job.attempts:
        return "canceled by its owner after the submit; the provider may still finish the task and bill it"
    return "canceled by its owner before anything was submitted; nothing is billed"
