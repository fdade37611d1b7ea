"""What holds for all tests."""

import os

import pytest
from hypothesis import settings

# An example's time says more of the machine than of the code: what must be quick has a test of its own.
# A run of the tests says something about the code, so it takes the same examples each time; new ones are sought by
# `make explore`, which turns what it finds into failures with a seed.
settings.register_profile("terraspore", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("TERRASPORE_EXAMPLES", "terraspore"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Compiled models go to a folder of the tests, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASPORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
