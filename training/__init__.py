"""MindSpore networks, recipes and export for the models that the engine runs.

Importing this package prepares the process for MindSpore: on a CPU with AVX-512, MindSpore 2.8 to 2.10 lets oneDNN
choose
its reference convolution, some sixty times slower than the AVX2 one, unless the variable below says otherwise before
MindSpore is imported. A value that the person has set is left alone.
"""

import os

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
