"""What holds for all tests."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# How long an example takes says more of the machine than of the code: what must be quick has a test of its own. That
# the tests of a class share a folder (``tmp_path``) is meant: examples write the same files over and over.
# A run of the tests says something about the code, so it takes the same examples each time; new ones are sought by
# `make explore`, which turns what it finds into failures with a seed.
CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("terraspore", deadline=None, derandomize=True, suppress_health_check=CALM)
settings.register_profile("explore", deadline=None, suppress_health_check=CALM)
settings.load_profile(os.environ.get("TERRASPORE_EXAMPLES", "terraspore"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Compiled models go to a folder of the tests, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASPORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
