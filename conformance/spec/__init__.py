"""The requirements, their known failures, and the tests that ask for them."""
