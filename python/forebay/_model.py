"""The trained half of an index."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeAlias

from forebay import _core
from forebay._arguments import choice, file_path, flag
from forebay._errors import InvalidArgumentError, InvalidTypeError, naming
from forebay._vectors import Floats, FloatsLike, float_array

Metric: TypeAlias = Literal["l2", "cosine", "dot"]

METRICS = ("l2", "cosine", "dot")


class Model:
    """Centroids, a codebook, and what they were trained for.

    Made by `forebay.train`, `Model.load` or `Model.from_arrays`. Immutable, so any number of
    threads and indexes may share one. Equal models (`==`) make interchangeable codes. Models
    can be pickled.
    """

    __slots__ = ("__weakref__", "_native")

    def __init__(self, native: _core.Model) -> None:
        if not isinstance(native, _core.Model):
            raise InvalidTypeError(
                "make a Model with forebay.train, Model.load or Model.from_arrays"
            )
        self._native = native

    @classmethod
    def from_arrays(
        cls,
        centroids: FloatsLike,
        codebook: FloatsLike,
        *,
        metric: Metric = "l2",
        residual: bool | None = None,
    ) -> Model:
        """Put together a model that was trained elsewhere (Faiss, Lance).

        Parameters
        ----------
        centroids : array_like of float, shape [num_partitions, dim]
            Copied, as `codebook` is. Of normalised vectors, if `metric` is cosine.
        codebook : array_like of float, shape [num_sub_vectors, 16 or 256, dim / num_sub_vectors]
            16 codewords make 4-bit codes (then num_sub_vectors is even), 256 make 8-bit codes.
        metric : {"l2", "cosine", "dot"}
            Squared Euclidean distance, 1 - cos(x, y), or 1 - x.y.
        residual : bool, optional
            Whether codes are of vectors minus their centroids. Default: True, with dot False.

        Raises
        ------
        InvalidArgumentError
            Shapes do not fit together, a float is NaN or infinite, or residual with dot.
        InvalidTypeError
            Not floats.
        """
        choice("metric", metric, METRICS)
        centroid_rows = float_array("centroids", centroids, 2)
        codewords = float_array("codebook", codebook, 3)
        num_codewords = codewords.shape[1]
        if num_codewords not in (16, 256):
            raise InvalidArgumentError(
                "codebook must be [num_sub_vectors, 16 or 256, dim / num_sub_vectors]; got "
                f"{list(codewords.shape)}"
            )
        if codewords.shape[0] * codewords.shape[2] != centroid_rows.shape[1]:
            raise InvalidArgumentError(
                f"codebook {list(codewords.shape)} must cover the {centroid_rows.shape[1]} "
                f"dimensions of centroids {list(centroid_rows.shape)}; it covers "
                f"{codewords.shape[0]} x {codewords.shape[2]}"
            )
        return cls(
            _core.Model.create(
                metric,
                centroid_rows,
                codewords,
                num_codewords.bit_length() - 1,
                metric != "dot" if residual is None else flag("residual", residual),
            )
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a model file, written by `save` or by the `forebay train` command.

        Raises
        ------
        FileError
            The file cannot be read (an OSError too); MissingFileError if there is none.
        CorruptionError
            It is truncated, altered, or no model file.
        """
        with naming(file_path(path)) as name:
            return cls(_core.Model.load(name))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all; an existing file is replaced.

        Raises
        ------
        FileError
            The file cannot be written (an OSError too).
        """
        with naming(file_path(path)) as name:
            self._native.save(name)

    @property
    def metric(self) -> Metric:
        """ "l2", "cosine" or "dot"."""
        return self._native.metric  # type: ignore[return-value]

    @property
    def residual(self) -> bool:
        """Whether codes are of vectors minus their centroids."""
        return self._native.residual

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self._native.dim

    @property
    def num_partitions(self) -> int:
        """Number of centroids."""
        return self._native.num_partitions

    @property
    def num_sub_vectors(self) -> int:
        """Pieces that a vector is cut into for its code."""
        return self._native.num_sub_vectors

    @property
    def num_bits(self) -> int:
        """Bits of one sub-vector's code: 4 or 8."""
        return self._native.num_bits

    @property
    def code_len(self) -> int:
        """Bytes of a vector's code."""
        return self._native.code_len

    @property
    def fingerprint(self) -> int:
        """64-bit hash of all that makes up the model; equal on every machine."""
        return self._native.fingerprint

    @property
    def centroids(self) -> Floats:
        """float32 [num_partitions, dim]: a read-only view, no copy."""
        return self._native.centroids

    @property
    def codebook(self) -> Floats:
        """float32 [num_sub_vectors, 2 ** num_bits, dim / num_sub_vectors]: a view, no copy."""
        return self._native.codebook

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (type(self), self._native.serialize())

    def __repr__(self) -> str:
        return (
            f"Model(metric={self.metric!r}, dim={self.dim}, num_partitions={self.num_partitions}, "
            f"num_sub_vectors={self.num_sub_vectors}, num_bits={self.num_bits}, "
            f"residual={self.residual}, fingerprint=0x{self.fingerprint:016x})"
        )


def _unpickle(kind: type[Model], data: bytes) -> Model:
    return kind(_core.Model.parse(data))
