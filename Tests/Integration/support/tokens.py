"""The bearer tokens that the tests give to a server and to its clients."""

FIRST, SECOND = "first-" + "a" * 32, "second-" + "b" * 32
