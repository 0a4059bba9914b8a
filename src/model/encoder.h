// EncodeRows: from vectors to partitions, codes and vector terms; DecodeRow: back, as far as it
// goes.
//
// Thread safety: pure functions of an immutable model; rows do not depend on each other, so any
// split of a batch gives the same codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/model_data.h"

namespace forebay::model {

/// Where EncodeRows writes, for each row.
struct EncodedRows {
  std::uint32_t* partitions = nullptr;  ///< [n]
  std::uint8_t* codes = nullptr;        ///< [n][code_len]
  float* vector_terms = nullptr;        ///< [n], residual models only: |r|^2 + 2<c, r>
};

/// Rows that EncodeRows takes at once, so that its scratch memory stays in the cache.
inline constexpr std::size_t kEncodeRows = 256;

/// Encodes n <= kEncodeRows prepared rows [n][dim], whose memory is used for what comes in between.
void EncodeRows(const IvfPqModel::Data& model, float* rows, std::size_t n, const EncodedRows& out);

/// The vector that a code of a partition stands for.
void DecodeRow(const IvfPqModel::Data& model, std::uint32_t partition, const std::uint8_t* code,
               float* out);

/// Replaces each of n rows by what is left of it after its centroid.
void SubtractCentroids(VectorView centroids, const std::uint32_t* partitions, std::size_t n,
                       float* rows);

}  // namespace forebay::model
