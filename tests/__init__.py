"""Tests mirror the tree; `contracts/` holds one suite a protocol.

The arithmetic has one thread, here and in the commands that tests start: the suite keeps all cores busy as it is, and
the threads of small products wait for each other longer than they work. Said before anything imports numpy.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
