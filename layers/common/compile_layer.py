"""Compiles what every function loads: `python3.13 -B compile_layer.py FOLDER`, FOLDER being the layer's `python`.

/opt cannot be written on Lambda, so without bytecode each cold start would compile all of it anew. Only the Python that
runs the functions can read it, and only files that are loaded are worth their bytes. The bytecode is unchecked: nothing
changes under /opt, and the times of files do not survive the packing. It is without docstrings, a sixth of its bytes,
and without the libraries' asserts; wanflow has none.
"""

import importlib.util
import pkgutil
import py_compile
import sys
from pathlib import Path

PACKAGES = ("wanflow", "aws_lambda_powertools", "jmespath", "typing_extensions", "urllib3")
"""Of all functions: boto3 finds this urllib3 before its own. Some load more, but the layer is to stay small."""


def loaded(layer: Path) -> list[Path]:
    """The files of PACKAGES that loading all of wanflow loads."""
    sys.path.insert(0, str(layer))
    for module in pkgutil.iter_modules([str(layer / "wanflow")]):
        importlib.import_module(f"wanflow.{module.name}")
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]
    files = [Path(module.__file__) for module in modules if module.__file__]
    return sorted(file for file in files if file.is_relative_to(layer))


def main() -> None:
    layer = Path(sys.argv[1]).resolve()
    for file in loaded(layer):
        place = Path("/opt/python") / file.relative_to(layer)
        # By the plain name, which a function without -OO looks for.
        cache = importlib.util.cache_from_source(str(file), optimization="")
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(
            str(file), cfile=cache, dfile=str(place), doraise=True, optimize=2, invalidation_mode=unchecked
        )


if __name__ == "__main__":
    main()
