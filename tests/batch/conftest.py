"""What the tests of a batch share."""

import pytest

from causal_ivae.batch import cluster


@pytest.fixture
def no_cluster(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a cluster was started though nothing was to be done")

    monkeypatch.setattr(cluster, "_local_client", refuse)
