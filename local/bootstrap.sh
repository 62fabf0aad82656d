#!/bin/sh
# Make .venv with uv in it, from any Python 3.11 or newer. Leaves a working .venv alone.
set -eu

recent='import sys; sys.exit(sys.version_info < (3, 11))'

if .venv/bin/python -c "$recent" 2>/dev/null && .venv/bin/uv --version >/dev/null 2>&1; then
    exit 0
fi

for python in "$@" python3 python3.13 python3.12 python3.11 python3.14 python; do
    "$python" -c "$recent" 2>/dev/null && break
    python=
done
if [ -z "$python" ]; then
    echo "error: Python 3.11 or newer is needed, and neither of these is one: $* python3 (set PYTHON=/path/to/python)" >&2
    exit 1
fi

echo "  installing the environment into .venv ($("$python" --version))"
"$python" -m venv --clear .venv || {
    echo "error: '$python -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
}
uv=$(grep '^uv==' requirements/dev.txt)
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv"
