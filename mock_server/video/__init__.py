"""The mock's videos: real MP4 files that show, for the eye, what was asked for.

`make_renderer` gives the best renderer that this machine can run; both kinds turn a `Clip` into the bytes of an MP4.
Importing this package is cheap: PyAV and Pillow are loaded by the first `make_renderer`, and only when they are there.
"""

from .clip import FRAMES_PER_SECOND, Clip, Renderer
from .renderers import DEFAULT_CACHE_BYTES, BundledRenderer, make_renderer

__all__ = ["DEFAULT_CACHE_BYTES", "FRAMES_PER_SECOND", "BundledRenderer", "Clip", "Renderer", "make_renderer"]
