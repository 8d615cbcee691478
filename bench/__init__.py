"""Measure and record collectives.

The vocabulary (``case``, ``protocol``, ``sample``, ``environment``), the file (``store``) and,
above them, what measures. Importing this package loads neither mpi4py nor CuPy.
"""
