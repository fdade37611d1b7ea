"""Training with MindSpore: networks, data, recipes, evaluation and export of the models that the engine runs.

Importing this package sets an environment variable of oneDNN, which has to be done before MindSpore is imported: on a
CPU with AVX-512, MindSpore 2.8 to 2.10 otherwise takes oneDNN's reference convolution, some sixty times slower than the
AVX2 one. A value that the user has set is kept.
"""

import os

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
