#include "model/encoder.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "simd/dispatch.h"

namespace forebay::model {
namespace {

/// Writes code m of n rows, packing two to a byte with 4 bits.
void PutCodes(const ProductQuantizer& pq, std::size_t m, const std::uint32_t* codewords,
              std::size_t n, std::uint8_t* codes) {
  const std::size_t code_len = pq.code_len();
  const bool packed = pq.num_bits() == 4;
  std::uint8_t* bytes = codes + (packed ? m / 2 : m);
  if (packed && m % 2 != 0) {
    for (std::size_t i = 0; i < n; ++i) {
      bytes[i * code_len] = static_cast<std::uint8_t>(bytes[i * code_len] | codewords[i] << 4U);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      bytes[i * code_len] = static_cast<std::uint8_t>(codewords[i]);
    }
  }
}

/// The vector that a code stands for; 8-bit codes are their own codewords.
template <unsigned kBits, typename Copy>
void Decode(const ProductQuantizer::Data& pq, const std::uint8_t* code, const Copy& copy,
            float* out) {
  const float* codewords = pq.codebook.data();
  const std::size_t sub_dim = pq.sub_dim();
  for (std::size_t m = 0; m < pq.num_sub_vectors; ++m) {
    const unsigned codeword = kBits == 8 ? code[m] : (code[m / 2] >> (m % 2 * 4)) & 15U;
    copy(codewords + codeword * sub_dim, out);
    codewords += sub_dim << kBits;
    out += sub_dim;
  }
}

/// Calls body(copy), copy(from, to) being one for sub-vectors of this length: where that is small
/// and known, it is an instruction or two.
template <typename Body>
void WithCopy(std::size_t sub_dim, const Body& body) {
  switch (sub_dim) {
    case 2:
      return body([](const float* from, float* to) { std::copy_n(from, 2, to); });
    case 4:
      return body([](const float* from, float* to) { std::copy_n(from, 4, to); });
    default:
      return body([sub_dim](const float* from, float* to) { std::copy_n(from, sub_dim, to); });
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

/// `decoded` has room for a vector.
void ComputeVectorTerms(const IvfPqModel::Data& model, std::size_t n, float* decoded,
                        const EncodedRows& out) {
  const ProductQuantizer::Data& pq = model.pq.data();
  const std::size_t code_len = model.pq.code_len();
  const VectorView centroids = model.ivf.centroids();
  WithCopy(pq.sub_dim(), [&](const auto& copy) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint8_t* code = out.codes + i * code_len;
      pq.num_bits == 8 ? Decode<8>(pq, code, copy, decoded) : Decode<4>(pq, code, copy, decoded);
      out.vector_terms[i] =
          simd::Active().residual_term(decoded, centroids.row(out.partitions[i]), pq.dim);
    }
  });
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

void DecodeRow(const IvfPqModel::Data& model, std::uint32_t partition, const std::uint8_t* code,
               float* out) {
  const ProductQuantizer::Data& pq = model.pq.data();
  WithCopy(pq.sub_dim(), [&](const auto& copy) {
    pq.num_bits == 8 ? Decode<8>(pq, code, copy, out) : Decode<4>(pq, code, copy, out);
  });
  if (model.residual) {
    const float* const centroid = model.ivf.centroids().row(partition);
    std::transform(out, out + pq.dim, centroid, out, std::plus<>());
  }
}

void EncodeRows(const IvfPqModel::Data& model, float* rows, std::size_t n, const EncodedRows& out) {
  assert(n <= kEncodeRows);
  const simd::Kernels& kernels = simd::Active();
  const ProductQuantizer::Data& pq = model.pq.data();
  Assign(model, {rows, n, pq.dim}, out.partitions);

  if (model.residual) {
    SubtractCentroids(model.ivf.centroids(), out.partitions, n, rows);
  }
  std::uint32_t codewords[kEncodeRows];
  for (std::size_t m = 0; m < pq.num_sub_vectors; ++m) {
    kernels.nearest(model.packed_codebook[m].view(), {rows + m * pq.sub_dim(), n, pq.dim},
                    codewords, nullptr);
    PutCodes(model.pq, m, codewords, n, out.codes);
  }
  if (model.residual) {
    ComputeVectorTerms(model, n, rows, out);
  }
}

}  // namespace forebay::model
