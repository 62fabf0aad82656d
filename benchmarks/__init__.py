"""What Wanflow costs and how fast it is, each figure as a ratio to a baseline that was measured in the same run.

`make bench` runs all of it; each module runs alone too, as `.venv/bin/python -m benchmarks.NAME`.
"""

import sys
from pathlib import Path

# On AWS a layer puts `wanflow` on the path; whoever calls the API installs the client.
for place in ("layers/common", "client"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / place))
