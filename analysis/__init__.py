"""Fit physical cost models to campaigns and extrapolate: no MPI, no GPU."""
