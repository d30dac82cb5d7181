import numpy as np
import pytest

from bandpass.curriculum import Uniform


@pytest.mark.parametrize("batch", [4, 5, 23])
def test_every_epoch_holds_every_window_once(batch):
    policy = Uniform(10, batch, steps=20, seed=1)
    ids = np.array([i for draw in policy for i in draw])[: 20 * batch // 10 * 10].reshape(-1, 10)
    assert (np.sort(ids, axis=1) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in ids}) > len(ids) / 2, "epochs are reshuffled"


def test_p_is_one_over_n():
    policy = Uniform(10, 4, steps=1)
    np.testing.assert_array_equal(next(iter(policy)).p, np.full(4, 0.1))
    np.testing.assert_allclose(policy.expected_shares(np.arange(10) % 2), [0.5, 0.5])
