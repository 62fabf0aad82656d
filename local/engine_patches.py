"""What ministack lacks for this project, mended at its start.

Written against internals of the exact version pinned in requirements/engine.txt; a target that is gone stops the
engine with its name instead of letting the stack behave unlike AWS. Each patch has a test in tests/e2e.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import threading
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

ERROR_KEY = "__wanflow_lambda_error__"
LINE_IN_WORKER = (
    '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
)
# The worker answers "ok" with the error as its result, so that the engine does not take the process for broken.
LINE_INSTEAD = (
    '_real_stdout.write(json.dumps({"status": "ok", "result": {"' + ERROR_KEY + '": {"errorMessage": str(e), '
    '"errorType": type(e).__name__, "stackTrace": traceback.format_exc().splitlines()}}}) + "\\n")'
)


class EngineChangedError(Exception):
    """The installed ministack is not the one this module was written against."""


def function_of(module: Any, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise EngineChangedError(f"{module.__name__}.{name} is gone: local/engine_patches.py needs another ministack")
    return function  # type: ignore[no-any-return]


def keep_error_names(runtime: Any) -> None:
    """Let a Lambda error reach Step Functions under the exception's own name, and keep the process that raised it.

    ministack calls every Python exception `Runtime.HandlerError`, so that no `Retry` or `Catch` by name would match,
    and ends the worker, so that every retry would be a cold start. `cap_workers` holds the other half.
    """
    script: str = runtime._PYTHON_WORKER_SCRIPT
    if script.count(LINE_IN_WORKER) != 1:
        raise EngineChangedError("ministack's Python worker has changed: see LINE_IN_WORKER")
    runtime._PYTHON_WORKER_SCRIPT = script.replace(LINE_IN_WORKER, LINE_INSTEAD)


def as_invocation(answer: dict[str, Any]) -> dict[str, Any]:
    """Turn a worker's answer back into what ministack expects of a function that raised."""
    body = answer.get("body")
    if not isinstance(body, dict):
        return answer
    if answer.get("error") and body.get("errorType") in {"Runtime.HandlerError", "RuntimeError"}:
        # What a handler raises comes below: here its process is gone, which AWS calls by another name.
        return {**answer, "body": {**body, "errorType": "Runtime.ExitError"}}
    if ERROR_KEY not in body:
        return answer
    error = body[ERROR_KEY]
    trace = "\n".join(error["stackTrace"])
    return {"body": error, "error": True, "log": f"{answer.get('log', '')}\n{trace}".strip()}


def cap_workers(lambda_service: Any, most: int, log_dir: Path) -> None:
    """Run at most `most` calls of one function at a time; write the log lines of each call to `log_dir`.

    ministack starts one process per concurrent call, which takes several GB for 50 jobs at once. Here further calls
    queue for a place. (A function must not call itself and wait for the answer; none here does.)
    """
    execute = function_of(lambda_service, "_execute_function_warm")
    places: defaultdict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(most))
    guard = threading.Lock()

    def execute_in_turn(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        name = (function.get("config") or function).get("FunctionName", "unknown")
        with guard:
            place = places[name]
        with place:
            answer = as_invocation(execute(function, event, request_id))
        if answer.get("log"):
            with guard, (log_dir / f"{name}.log").open("a", encoding="utf-8") as file:
                file.write(answer["log"] + "\n")
        return answer

    lambda_service._execute_function_warm = execute_in_turn


def share_layers(runtime: Any, lambda_service: Any, folder: Path) -> None:
    """Unpack each layer once for all function processes.

    ministack unpacks it anew for every process, which then compiles every module again: most of a cold start here,
    and hundreds of files to delete at the end.
    """
    worker_class = runtime.Worker
    spawn = function_of(worker_class, "_spawn")
    content_of = function_of(lambda_service, "_resolve_layer_zip")
    guard = threading.Lock()

    def unpacked(layer: Any) -> Path:
        content: bytes = content_of(layer)
        target = folder / hashlib.sha256(content).hexdigest()
        with guard:
            if not target.exists():
                zipfile.ZipFile(io.BytesIO(content)).extractall(target)
        return target

    def spawn_with_shared_layers(worker: Any) -> None:
        layers = worker.config.get("Layers") or []
        if layers:
            variables = dict(worker.config.get("Environment", {}).get("Variables", {}))
            # Where ministack's Python worker looks for unpacked layers.
            variables["_LAMBDA_LAYERS_DIRS"] = os.pathsep.join(str(unpacked(layer)) for layer in layers)
            worker.config = {**worker.config, "Layers": [], "Environment": {"Variables": variables}}
        spawn(worker)

    if "_LAMBDA_LAYERS_DIRS" not in runtime._PYTHON_WORKER_SCRIPT:
        raise EngineChangedError("ministack's Python worker does not know _LAMBDA_LAYERS_DIRS any more")
    worker_class._spawn = spawn_with_shared_layers


def name_the_api_key(api_gateway: Any) -> None:
    """Give functions `requestContext.identity.apiKeyId`, which ministack leaves out."""
    build = function_of(api_gateway, "_build_lambda_event_v1")
    key_of = function_of(api_gateway, "_api_key_from_request")
    resolve = function_of(api_gateway, "_resolve_api_key")

    def build_with_key(*args: Any, **kwargs: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*args, **kwargs)
        key = resolve(key_of(event["headers"]))
        if key is not None:
            event["requestContext"]["identity"].update(apiKey=key["value"], apiKeyId=key["id"])
        return event

    api_gateway._build_lambda_event_v1 = build_with_key


def read_gateway_responses(api_gateway: Any) -> None:
    """Take over the gateway responses of an OpenAPI body, where SAM puts them and ministack does not look."""
    import_api = function_of(api_gateway, "_import_rest_api")
    put = function_of(api_gateway, "_put_gateway_response")

    def import_with_responses(spec: dict[str, Any], *args: Any, **kwargs: Any) -> str:
        api_id: str = import_api(spec, *args, **kwargs)
        for kind, response in spec.get("x-amazon-apigateway-gateway-responses", {}).items():
            put(api_id, kind, response)
        return api_id

    api_gateway._import_rest_api = import_with_responses


def compress_answers(api_gateway: Any) -> None:
    """Send answers of at least an API's `minimumCompressionSize` as gzip, which ministack keeps and does not heed."""
    handle = function_of(api_gateway, "handle_execute")
    apis: Any = getattr(api_gateway, "_rest_apis", None)
    find_scope = function_of(api_gateway, "find_api_scope")
    if not hasattr(apis, "get_scoped"):
        raise EngineChangedError(f"{api_gateway.__name__}._rest_apis is not the map it was")

    async def handle_and_compress(api_id: str, stage: str, method: str, path: str, headers: Any, *rest: Any) -> Any:
        status, answered, body = await handle(api_id, stage, method, path, headers, *rest)
        scope = find_scope(api_id)
        least = ((apis.get_scoped(*scope, api_id) if scope else None) or {}).get("minimumCompressionSize")
        if least is None or len(body) < int(least) or "gzip" not in headers.get("accept-encoding", ""):
            return status, answered, body
        return status, {**answered, "Content-Encoding": "gzip"}, gzip.compress(body, 6)

    api_gateway.handle_execute = handle_and_compress


def fail_sleepers(workflows: Any) -> None:
    """Let a `.waitForTaskToken` task fail when its function does, as on AWS; ministack waits on for ever."""
    sleep = function_of(workflows, "_invoke_with_callback")
    call = function_of(workflows, "_call_lambda")
    failure: type[Exception] = function_of(workflows, "_ExecutionError")  # type: ignore[assignment]
    current: ContextVar[str] = ContextVar("task token", default="")

    def sleep_by_token(resource: Any, given: Any, token: str, state: Any) -> Any:
        mark = current.set(token)
        try:
            return sleep(resource, given, token, state)
        finally:
            current.reset(mark)

    def call_and_tell(function: Any, event: Any) -> Any:
        try:
            return call(function, event)
        except failure as error:
            task = workflows._task_tokens.get(current.get())
            # A token that was answered while the function ran ends the task, whatever becomes of the function.
            if task is not None and not task["event"].is_set():
                task["error"] = {"Error": error.error, "Cause": error.cause}  # type: ignore[attr-defined]
                task["event"].set()
            raise

    workflows._invoke_with_callback = sleep_by_token
    workflows._call_lambda = call_and_tell


def give_parameters_to_sam(cloudformation: Any, users: list[Any], sam: Any) -> None:
    """Let SAM see the stack's parameters, as on AWS; ministack shows it none, so that it works with the defaults.

    `users` are the modules that have imported `_apply_transforms` from `cloudformation`.
    """
    apply = function_of(cloudformation, "_apply_transforms")
    values_of = function_of(cloudformation, "_transform_parameters")
    transform = function_of(sam, "transform")
    current: ContextVar[dict[str, Any]] = ContextVar("stack parameters")

    def apply_with_parameters(template: dict[str, Any], provided: Any = None, previous: Any = None) -> Any:
        token = current.set(values_of(template, provided, previous))
        try:
            return apply(template, provided, previous)
        finally:
            current.reset(token)

    def transform_with_parameters(template: dict[str, Any], _none: dict[str, Any], *args: Any) -> Any:
        return transform(template, current.get(), *args)

    sam.transform = transform_with_parameters
    for module in [cloudformation, *users]:
        if getattr(module, "_apply_transforms", None) is not apply:
            raise EngineChangedError(f"{module.__name__} does not use _apply_transforms any more")
        module._apply_transforms = apply_with_parameters


def obey_cors_of_buckets(application: Any, s3: Any) -> None:
    """Let a bucket's CORS rules decide what a web page may do with it, as on AWS; ministack allows every page all."""
    preflight = function_of(application, "_handle_options_request")
    dispatch = function_of(application, "_dispatch_service_request")
    target_of = function_of(application, "_s3_cors_target")
    judge = function_of(s3, "cors_preflight")
    headers_for = function_of(s3, "cors_response_headers")

    def judge_preflight(method: str, path: str, headers: dict[str, str], *more: Any) -> Any:
        target = target_of(headers.get("host", ""), path) if method == "OPTIONS" else None
        return judge(*target, headers) if target else preflight(method, path, headers, *more)

    async def dispatch_and_judge(method: str, path: str, headers: dict[str, str], *more: Any) -> Any:
        status, answer, body = await dispatch(method, path, headers, *more)
        target = target_of(headers.get("host", ""), path)
        if target:
            answer = {name: text for name, text in answer.items() if not name.startswith("Access-Control-")}
            answer.update(headers_for(target[0], method, headers))
        return status, answer, body

    application._handle_options_request = judge_preflight
    application._dispatch_service_request = dispatch_and_judge


def check_whole_uploads(s3: Any) -> None:
    """Hold an upload against the checksum of all of it (`FULL_OBJECT`), and keep that: ministack knows `COMPOSITE`."""
    complete = function_of(s3, "_complete_multipart_upload")
    checksum_of = function_of(s3, "_compute_s3_checksum")
    refuse = function_of(s3, "_error")
    parameter = function_of(s3, "_qp")
    bucket_of = function_of(s3, "_ensure_bucket")

    def complete_checked(bucket: str, key: str, body: bytes, query: Any, headers: Any = None) -> Any:
        told = dict(headers or {})
        upload_id = parameter(query, "uploadId")
        if told.pop("x-amz-checksum-type", "") != "FULL_OBJECT" or upload_id not in s3._multipart_uploads:
            return complete(bucket, key, body, query, headers)
        upload = s3._multipart_uploads[upload_id]
        algorithm: str = upload["checksum_algorithm"]
        checksum = checksum_of(algorithm, b"".join(part["body"] for _, part in sorted(upload["parts"].items())))
        if told.pop(f"x-amz-checksum-{algorithm.lower()}", checksum) != checksum:
            return refuse("BadDigest", f"The {algorithm} is not that of the object.", 400, f"/{bucket}/{key}")
        answer = complete(bucket, key, body, query, told)
        if answer[0] == 200:
            kept = {"checksums": {algorithm: checksum}, "checksum_type": "FULL_OBJECT"}
            bucket_of(bucket)["objects"][key].update(kept)
        return answer

    s3._complete_multipart_upload = complete_checked


def obey_max_concurrency_path(workflows: Any) -> None:
    """Let a Distributed Map run as many items at once as `MaxConcurrencyPath` says; ministack runs 64 anyway."""
    run = function_of(workflows, "_run_distributed_map")
    value_at = function_of(workflows, "_resolve_path_or_ctx")

    def run_so_many(
        state: dict[str, Any], raw: Any, effective: Any, iterator: Any, execution: Any, context: Any
    ) -> Any:
        if "MaxConcurrencyPath" in state:
            state = {**state, "MaxConcurrency": value_at(state["MaxConcurrencyPath"], effective, context)}
        return run(state, raw, effective, iterator, execution, context)

    workflows._run_distributed_map = run_so_many


def take_in_what_watches(provisioners: Any) -> None:
    """Let alarms on several metrics and saved queries deploy; ministack refuses both.

    Such an alarm watches the first of its metrics here, a saved query is only noted.
    """
    record = function_of(provisioners, "_cw_metric_alarm_record")
    handlers = getattr(provisioners, "_RESOURCE_HANDLERS", {})
    if "AWS::CloudWatch::Alarm" not in handlers:
        raise EngineChangedError("ministack's resource handlers have changed: see take_in_what_watches")

    def record_of_first_metric(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        metrics = [metric["MetricStat"] for metric in properties.get("Metrics", ()) if "MetricStat" in metric]
        if metrics:
            first = {**metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}
            properties = {**properties, **first}
            del properties["Metrics"]
        alarm: dict[str, Any] = record(name, properties)
        return alarm

    def note(logical_id: str, _properties: Any, stack: str) -> tuple[str, dict[str, str]]:
        identity = f"{stack}-{logical_id}"
        return identity, {"QueryDefinitionId": identity}

    provisioners._cw_metric_alarm_record = record_of_first_metric
    handlers["AWS::Logs::QueryDefinition"] = {
        "create": note,
        "update": lambda identity, *_: (identity, {"QueryDefinitionId": identity}),
        "delete": lambda *_: None,
    }


def move_dead_letters(queues: Any) -> None:
    """Know `StartMessageMoveTask`, which ministack does not: every message of one queue, as a new one, into another."""
    find = function_of(queues, "_queue_by_arn")
    send = function_of(queues, "_act_send_message")
    handlers: dict[str, Any] = getattr(queues, "_HANDLERS", {})
    if "SendMessage" not in handlers:
        raise EngineChangedError(
            f"{queues.__name__}._HANDLERS is gone: local/engine_patches.py needs another ministack"
        )

    def start(data: dict[str, Any], _url: str) -> dict[str, Any]:
        source, target = find(data["SourceArn"]), find(data["DestinationArn"])
        moved, source["messages"][:] = list(source["messages"]), []
        for message in moved:
            told = {"MessageBody": message["body"], "MessageAttributes": message["message_attributes"]}
            send({"QueueUrl": target["url"], **told}, "")
        return {"TaskHandle": uuid.uuid4().hex}

    handlers["StartMessageMoveTask"] = start
