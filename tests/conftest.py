"""Settings of all tests."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))
#: Compiled kernels of all groups of tests are kept here, the plugin's too, because compiling takes half a minute.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(sys.prefix) / "kernels"))

# No deadline, because the time of an example depends on the machine. Examples of a test may share ``tmp_path``: each
# writes the same files again. Every run takes the same examples; `make explore` takes new ones.
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("terraspore", deadline=None, derandomize=True, suppress_health_check=SUPPRESSED)
settings.register_profile("explore", deadline=None, suppress_health_check=SUPPRESSED)
settings.load_profile(os.environ.get("TERRASPORE_EXAMPLES", "terraspore"))


@pytest.fixture(scope="session", autouse=True)
def temporary_cache(tmp_path_factory):
    """Write compiled models to a temporary folder instead of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASPORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
