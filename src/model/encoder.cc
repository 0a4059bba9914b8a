#include "model/encoder.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "simd/dispatch.h"

namespace forebay::model {
namespace {

/// Writes code m of n rows, packing two to a byte with 4 bits.
void PutCodes(const ProductQuantizer& pq, std::size_t m, const std::uint32_t* codewords,
              std::size_t n, std::uint8_t* codes) {
  const std::size_t code_len = pq.code_len();
  for (std::size_t i = 0; i < n; ++i) {
    const auto code = static_cast<std::uint8_t>(codewords[i]);
    if (pq.num_bits() == 8) {
      codes[i * code_len + m] = code;
    } else {
      std::uint8_t& byte = codes[i * code_len + m / 2];
      byte = m % 2 == 0 ? code : static_cast<std::uint8_t>(byte | code << 4U);
    }
  }
}

/// The vector that a code stands for.
void Decode(const ProductQuantizer::Data& pq, const std::uint8_t* code, float* out) {
  for (std::size_t m = 0; m < pq.num_sub_vectors; ++m) {
    const unsigned codeword = pq.num_bits == 8 ? code[m] : (code[m / 2] >> (m % 2 * 4)) & 15U;
    out = std::copy_n(pq.codewords(m).row(codeword), pq.sub_dim(), out);
  }
}

void Assign(const IvfPqModel::Data& model, const simd::StridedRows& rows,
            std::uint32_t* partitions) {
  const simd::PackedRows centroids = model.packed_centroids.view();
  if (model.screened_centroids) {
    simd::Active().nearest_screened(centroids, model.screened_centroids->view(), rows, partitions);
  } else {
    simd::Active().nearest(centroids, rows, partitions, nullptr);
  }
}

void ComputeVectorTerms(const IvfPqModel::Data& model, std::size_t n, const EncodedRows& out) {
  const ProductQuantizer& pq = model.pq;
  std::vector<float> decoded(pq.dim());
  for (std::size_t i = 0; i < n; ++i) {
    Decode(pq.data(), out.codes + i * pq.code_len(), decoded.data());
    out.vector_terms[i] = simd::Active().residual_term(
        decoded.data(), model.ivf.centroids().row(out.partitions[i]), decoded.size());
  }
}

}  // namespace

void SubtractCentroids(VectorView centroids, const std::uint32_t* partitions, std::size_t n,
                       float* rows) {
  for (std::size_t i = 0; i < n; ++i) {
    const float* centroid = centroids.row(partitions[i]);
    for (std::size_t d = 0; d < centroids.dim; ++d) {
      rows[i * centroids.dim + d] -= centroid[d];
    }
  }
}

void EncodeRows(const IvfPqModel::Data& model, const float* rows, std::size_t n,
                const EncodedRows& out) {
  assert(n <= kEncodeRows);
  const simd::Kernels& kernels = simd::Active();
  const ProductQuantizer::Data& pq = model.pq.data();
  Assign(model, {rows, n, pq.dim}, out.partitions);

  std::vector<float> residuals;
  if (model.residual) {
    residuals.assign(rows, rows + n * pq.dim);
    SubtractCentroids(model.ivf.centroids(), out.partitions, n, residuals.data());
    rows = residuals.data();
  }
  std::uint32_t codewords[kEncodeRows];
  for (std::size_t m = 0; m < pq.num_sub_vectors; ++m) {
    kernels.nearest(model.packed_codebook[m].view(), {rows + m * pq.sub_dim(), n, pq.dim},
                    codewords, nullptr);
    PutCodes(model.pq, m, codewords, n, out.codes);
  }
  if (model.residual) {
    ComputeVectorTerms(model, n, out);
  }
}

}  // namespace forebay::model
