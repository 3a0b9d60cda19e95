"""How many inputs a fuzzer tries: a few seconds' worth, or as many as the environment variable INKLING_FUZZ says."""

import os


def examples(default: int) -> int:
    """The number of inputs of a test that tries ``default`` ones in everyday use."""
    return int(os.environ.get("INKLING_FUZZ", default))
