"""What windows are grouped by, checked: buckets, prototypes within them, parents above them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

MOST_PROTOTYPES = 1 << 16
MOST_BUCKETS = 1024  # every draw looks at 512 bins of each


@dataclass(frozen=True)
class Groups:
    """Groups of n windows.

    Attributes:
        prototypes: (n,) prototype of each window; without prototypes, its bucket.
        bucket_of: (prototypes,) bucket of each prototype.
        parents: (buckets,) parent of each bucket, or None if all have one.
        clustered: Whether prototypes were given.
    """

    prototypes: Ints
    bucket_of: Ints
    parents: Ints | None
    clustered: bool

    @staticmethod
    def check(
        n: int, buckets: ArrayLike | None, prototypes: ArrayLike | None, parents: ArrayLike | None
    ) -> "Groups":
        """Check what a user gave.

        Args:
            n: Number of windows.
            buckets: int (n,) from 0; all in one if None.
            prototypes: int (n,) from 0; a prototype that occurs in several buckets is one in
                each of them.
            parents: int (buckets,) from 0.

        Raises:
            ValueError, TypeError: A shape, dtype or code is wrong.
        """
        bucket = np.zeros(n, np.int64) if buckets is None else codes("buckets", buckets, n)
        count = int(bucket.max()) + 1
        up = None if parents is None else codes("parents", parents, count)
        if prototypes is None:
            of, which = np.arange(count), bucket
        else:
            cluster = codes("prototypes", prototypes, n)
            width = int(cluster.max()) + 1
            pairs, which = np.unique(bucket * width + cluster, return_inverse=True)
            of = pairs // width
        if count > MOST_BUCKETS:
            raise ValueError(
                f"{count} buckets are more than {MOST_BUCKETS}: rank within coarser ones "
                "(machines, not series), and give the finer ones as prototypes"
            )
        if len(of) > MOST_PROTOTYPES:
            raise ValueError(
                f"{len(of)} buckets or prototypes are more than {MOST_PROTOTYPES}: use coarser ones"
            )
        return Groups(which, of, up, prototypes is not None)


def codes(name: str, given: ArrayLike, n: int) -> NDArray[np.int64]:
    """Check codes from 0, one for each of n.

    Raises:
        ValueError, TypeError: The shape, the dtype or a code is wrong; names `name`.
    """
    found = np.asarray(given)
    if found.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one each, got {found.shape}")
    if not np.issubdtype(found.dtype, np.integer):
        raise TypeError(f"{name} must be integers, got {found.dtype}")
    if found.min() < 0:
        raise ValueError(f"{name} must count from 0, got {found.min()}")
    return found.astype(np.int64)
