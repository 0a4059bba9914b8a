"""The same codes and distances as Faiss's IndexIVFPQ with the same centroids and codebook."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

import forebay
from conftest import Floats
from numpy_oracle import TOLERANCE, Oracle


def as_faiss(model: forebay.Model) -> Any:
    """An empty Faiss index that is trained as `model` is."""
    metric = faiss.METRIC_INNER_PRODUCT if model.metric == "dot" else faiss.METRIC_L2
    quantizer = faiss.IndexFlat(model.dim, metric)
    quantizer.add(model.centroids)
    index = faiss.IndexIVFPQ(
        quantizer, model.dim, model.num_partitions, model.num_sub_vectors, model.num_bits, metric
    )
    index.own_fields = False
    index.by_residual = model.residual
    faiss.copy_array_to_vector(model.codebook.ravel(), index.pq.centroids)
    index.is_trained = True
    if model.residual:
        index.precompute_table()
    return index, quantizer


@pytest.mark.parametrize("num_bits", [8, 4])
@pytest.mark.parametrize(
    ("metric", "residual"), [("l2", True), ("l2", False), ("dot", False)], ids=str
)
def test_equal(
    vectors: Floats, queries: Floats, metric: Any, residual: bool, num_bits: int
) -> None:
    model = forebay.train(
        vectors,
        metric=metric,
        residual=residual,
        num_bits=num_bits,
        num_partitions=16,
        num_sub_vectors=8,
        max_iters=5,
        pq_max_iters=5,
    )
    index = forebay.Index(model)
    index.insert(vectors)
    other, _quantizer = as_faiss(model)
    other.add(vectors)

    partitions_differ = 0
    for p in range(model.num_partitions):
        positions, codes = index.partition(p)
        size = other.invlists.list_size(p)
        ids = faiss.rev_swig_ptr(other.invlists.get_ids(p), size)
        other_codes = faiss.rev_swig_ptr(other.invlists.get_codes(p), size * model.code_len)
        partitions_differ += len(set(ids.tolist()) ^ set(positions.tolist()))
        if np.array_equal(ids, positions):
            np.testing.assert_array_equal(codes, other_codes.reshape(size, -1))
    assert partitions_differ == 0

    other.nprobe = model.num_partitions
    theirs, their_ids = other.search(queries, len(vectors))
    ours, our_ids = index.search(queries, len(vectors), nprobes=model.num_partitions)
    oracle = Oracle(index)
    for i, query in enumerate(queries):
        by_id = np.empty(len(vectors))
        by_id[their_ids[i]] = 1 - theirs[i] if metric == "dot" else theirs[i]
        slack = np.empty(len(vectors))
        slack[oracle.positions] = TOLERANCE * oracle.magnitudes(query)
        assert np.all(np.abs(ours[i] - by_id[our_ids[i]]) <= slack[our_ids[i]])


def test_model_of_faiss(vectors: Floats, queries: Floats) -> None:
    """A model that Faiss trained, by from_arrays."""
    quantizer = faiss.IndexFlatL2(16)
    other = faiss.IndexIVFPQ(quantizer, 16, 16, 8, 8)
    other.train(vectors)
    other.add(vectors)
    model = forebay.Model.from_arrays(
        quantizer.reconstruct_n(0, 16),
        faiss.vector_to_array(other.pq.centroids).reshape(8, 256, 2),
    )
    index = forebay.Index(model)
    index.insert(vectors)
    other.nprobe = 4
    theirs, their_ids = other.search(queries, 10)
    ours, our_ids = index.search(queries, 10, nprobes=4)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    assert (our_ids == their_ids).mean() > 0.99
