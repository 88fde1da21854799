import time

import numpy as np

from causal_ivae.batch.workers import watch


def test_memory_that_grows_is_told_once_in_a_while(monkeypatch):
    monkeypatch.setattr(watch, "_PERIOD", 0.01)
    monkeypatch.setattr(watch, "_BEAT", 600.0)
    looks, told = [], []

    def wanted():
        looks.append(np.ones(2**17))
        return True

    with watch.watched(watch.Limits(), told.append, wanted):
        while len(looks) < 20:
            time.sleep(0.01)
    assert len(told) == 1
    assert told[0].peak_mib > 1
    assert not told[0].verdict
