"""Start ministack, the local AWS engine. Runs in `.local/envs/engine`, configured by `surroundings.for_engine`."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from local import engine_patches
from local.foreign_pages import keep_foreign_pages_off


def main() -> None:
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    patch(runtime)
    stop_on_sigterm(runtime)
    asyncio.run(serve(int(os.environ["GATEWAY_PORT"])))


def patch(runtime: Any) -> None:
    service = partial(importlib.import_module, package="ministack.services")
    lambda_service, api_gateway = service(".lambda_svc"), service(".apigateway_v1")
    engine_patches.keep_error_names(runtime)
    engine_patches.cap_workers(
        lambda_service, int(os.environ["WANFLOW_ENGINE_WORKERS"]), Path(os.environ["WANFLOW_ENGINE_LOGS"])
    )
    engine_patches.share_layers(runtime, lambda_service, Path(os.environ["TMPDIR"]) / "layers")
    engine_patches.fail_sleepers(service(".stepfunctions"))
    engine_patches.obey_max_concurrency_path(service(".stepfunctions"))
    engine_patches.move_dead_letters(service(".sqs"))
    engine_patches.name_the_api_key(api_gateway)
    engine_patches.read_gateway_responses(api_gateway)
    engine_patches.compress_answers(api_gateway)
    engine_patches.obey_cors_of_buckets(importlib.import_module("ministack.app"), service(".s3"))
    engine_patches.check_whole_uploads(service(".s3"))
    engine_patches.take_in_what_watches(service(".cloudformation.provisioners"))
    engine_patches.give_parameters_to_sam(
        service(".cloudformation.engine"),
        [service(".cloudformation.changesets"), service(".cloudformation.handlers")],
        importlib.import_module("samtranslator.translator.transform"),
    )


def stop_on_sigterm(runtime: Any) -> None:
    """Leave at once, but not before every function process is gone and reaped."""

    def leave(_signal: int, _frame: object) -> None:
        with contextlib.suppress(Exception):
            runtime.kill_workers([worker for pool in runtime._workers.values() for worker in pool])
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)


async def serve(port: int) -> None:
    engine = importlib.import_module("ministack.app")
    target_of = engine_patches.function_of(engine, "_s3_cors_target")
    app = keep_foreign_pages_off(engine.app, lambda host, path: target_of(host, path) is not None)
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    # SIGTERM ends the process directly: left to itself hypercorn waits for idle connections.
    await importlib.import_module("hypercorn.asyncio").serve(app, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    try:
        main()
    except engine_patches.EngineChangedError as error:
        sys.exit(f"error: {error}")
