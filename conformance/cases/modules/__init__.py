"""The catalogue of torch.nn: a case for each public module and for its functions."""
