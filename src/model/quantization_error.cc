#include "model/quantization_error.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/encoder.h"
#include "model/sampling.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay::model {
namespace {

constexpr std::size_t kSampleRows = 1024;

/// Rows that are encoded together, and what they become.
struct Scratch {
  Scratch(std::size_t dim, std::size_t code_len)
      : prepared(kEncodeRows * dim),
        used_up(kEncodeRows * dim),
        decoded(dim),
        partitions(kEncodeRows),
        codes(kEncodeRows * code_len),
        vector_terms(kEncodeRows) {}

  std::vector<float> prepared;
  std::vector<float> used_up;  // By EncodeRows.
  std::vector<float> decoded;
  std::vector<std::uint32_t> partitions;
  std::vector<std::uint8_t> codes;
  std::vector<float> vector_terms;
};

/// The sum over n <= kEncodeRows of them.
double SumOfErrors(const IvfPqModel& model, VectorView rows, Scratch* scratch) {
  const std::size_t dim = rows.dim;
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    Prepare(model.metric(), rows.row(i), dim, scratch->prepared.data() + i * dim);
  }
  std::copy_n(scratch->prepared.begin(), rows.num_rows * dim, scratch->used_up.begin());
  EncodeRows(model.data(), scratch->used_up.data(), rows.num_rows,
             {.partitions = scratch->partitions.data(),
              .codes = scratch->codes.data(),
              .vector_terms = scratch->vector_terms.data()});
  double sum = 0;
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    DecodeRow(model.data(), scratch->partitions[i],
              scratch->codes.data() + i * model.pq().code_len(), scratch->decoded.data());
    sum += static_cast<double>(
        simd::Active().l2(scratch->prepared.data() + i * dim, scratch->decoded.data(), dim));
  }
  return sum;
}

}  // namespace

double QuantizationError(const IvfPqModel& model, VectorView rows) {
  Scratch scratch(rows.dim, model.pq().code_len());
  double sum = 0;
  for (std::size_t begin = 0; begin < rows.num_rows; begin += kEncodeRows) {
    const std::size_t count = std::min(kEncodeRows, rows.num_rows - begin);
    sum += SumOfErrors(model, {rows.row(begin), count, rows.dim}, &scratch);
  }
  return rows.num_rows == 0 ? 0 : sum / static_cast<double>(rows.num_rows);
}

double SampleQuantizationError(const IvfPqModel& model, std::size_t num_rows, std::uint64_t seed,
                               const std::function<const float*(std::size_t)>& row) {
  const std::size_t dim = model.dim();
  std::vector<float> sample;
  for (const std::size_t i : SampleAscending(num_rows, kSampleRows, seed)) {
    const float* const vector = row(i);
    sample.insert(sample.end(), vector, vector + dim);
  }
  return QuantizationError(model, {sample.data(), sample.size() / dim, dim});
}

}  // namespace forebay::model
