import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bandpass.data.moments import Moments

VALUES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 60), st.just(3)),
    elements=st.one_of(st.floats(-1e4, 1e4, width=32), st.just(np.nan)),
)


@given(VALUES, st.lists(st.integers(0, 60), max_size=4))
def test_blocks_add_up_to_the_moments_of_the_whole(values, cuts):
    moments = Moments(3)
    for block in np.split(values, sorted(min(cut, len(values)) for cut in cuts)):
        moments.add(block)
    for channel, column in enumerate(values.astype(np.float64).T):
        seen = column[~np.isnan(column)]
        constant = len(seen) > 0 and (seen == seen[0]).all()
        assert moments.count[channel] == len(seen)
        assert moments.constant[channel] == constant
        expected = (seen.mean(), seen.std()) if len(seen) else (0.0, 1.0)
        np.testing.assert_allclose(moments.mean[channel], expected[0], rtol=1e-9, atol=1e-9)
        std = 1.0 if constant else expected[1]
        np.testing.assert_allclose(moments.std[channel], std, rtol=1e-7, atol=1e-9)


def test_a_large_offset_does_not_swallow_the_spread():
    values = (1e6 + np.tile([0.0, 1.0], 5000))[:, None].astype(np.float32)
    moments = Moments(1)
    for block in np.split(values, 10):
        moments.add(block)
    np.testing.assert_allclose(moments.std, [0.5], rtol=1e-12)
