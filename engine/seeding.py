"""Independent random generators from one seed, so that what one of them draws does not change the others."""

import numpy as np

STREAMS = ("split", "weights", "order", "noise", "augmentation")  # new ones go last: the others then draw as before


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """A random generator for each use in ``STREAMS``."""
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))
