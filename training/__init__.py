"""Training with MindSpore: networks, data, recipes, evaluation and export of the models that the engine runs.

Importing this package sets two environment variables, which has to be done before MindSpore is imported. On a CPU with
AVX-512, MindSpore 2.8 to 2.10 otherwise takes oneDNN's reference convolution, some sixty times slower than the AVX2
one; and it logs warnings about its own deprecated functions. Values that the user has set are kept.
"""

import os

#: whether oneDNN's limit is the one set here, which ``onednn`` may lift again
HAS_OWN_ISA_LIMIT = "ONEDNN_MAX_CPU_ISA" not in os.environ
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
os.environ.setdefault("GLOG_v", "3")  # errors only
