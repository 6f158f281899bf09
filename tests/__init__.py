"""The tests: a mirror of dragoman/, then laws, parity, pains, stories and the rules of the house."""
