"""What holds for all tests."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Compiled models go to a folder of the tests, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASPORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
