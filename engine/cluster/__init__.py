"""Runs on several processes or machines by Dask: the only package that imports ``dask`` and ``distributed``.

Scheduling, retries and the loss of workers are Dask's. What a worker finishes is a file in the run's folder
(``pipeline.block_store``), so this package decides only which blocks there are and what a person is told.
"""
