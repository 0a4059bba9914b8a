#include "support/naive_index.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>
#include <variant>

#include "support/canonical_arithmetic.h"

namespace forebay::testing {
namespace {

bool IsNull(const VectorBatch& batch, std::size_t i) {
  const std::size_t bit = batch.validity_offset + i;
  return batch.validity != nullptr && (batch.validity[bit / 8] & (1U << (bit % 8))) == 0;
}

template <typename Scored>
bool Nearer(const Scored& a, const Scored& b) {
  return std::pair(a.hit.distance, a.hit.row_position) <
         std::pair(b.hit.distance, b.hit.row_position);
}

Status Wrong() { return Status::InvalidArgument("wrong"); }

}  // namespace

NaiveIndex::NaiveIndex(IvfPqModel model, MemIndexOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      dim_(model_.dim()),
      num_sub_vectors_(model_.pq().num_sub_vectors()),
      sub_dim_(dim_ / num_sub_vectors_) {}

Status NaiveIndex::CheckShape(const VectorBatch& batch) const {
  const std::size_t n = batch.vectors.num_rows;
  if (n > 0 && batch.vectors.dim != dim_) {
    return Wrong();
  }
  if (!batch.row_positions.empty()) {
    return batch.row_positions.size() == n ? Status::Ok() : Wrong();
  }
  const bool wraps = n > 0 && batch.first_row_position + (n - 1) < batch.first_row_position;
  return wraps ? Wrong() : Status::Ok();
}

Result<InsertReport> NaiveIndex::Insert(std::span<const VectorBatch> batches) {
  InsertReport report{.first_ordinal = static_cast<std::uint32_t>(rows_.size())};
  std::set<std::uint64_t> in_this_call;
  std::vector<Row> chosen;
  for (const VectorBatch& batch : batches) {
    if (Status status = CheckShape(batch); !status.ok()) {
      return status;
    }
    for (std::size_t i = 0; i < batch.vectors.num_rows; ++i) {
      const std::uint64_t position =
          batch.row_positions.empty() ? batch.first_row_position + i : batch.row_positions[i];
      if (!in_this_call.insert(position).second) {
        return Wrong();
      }
      if (ordinals_.contains(position)) {
        ++report.num_skipped;
        continue;
      }
      std::vector<float> raw(batch.vectors.row(i), batch.vectors.row(i + 1));
      if (IsNull(batch, i)) {
        raw.assign(dim_, std::numeric_limits<float>::quiet_NaN());
      }
      if (IsBad(raw)) {
        switch (options_.on_bad_vectors) {
          case OnBadVectors::kError:
            return Wrong();
          case OnBadVectors::kDrop:
            ++report.num_dropped;
            continue;
          case OnBadVectors::kFill:
            ++report.num_filled;
        }
      }
      chosen.push_back(Encode(position, std::move(raw)));
    }
  }
  report.num_inserted = chosen.size();
  for (Row& row : chosen) {
    ordinals_[row.position] = static_cast<std::uint32_t>(rows_.size());
    rows_.push_back(std::move(row));
  }
  return report;
}

bool NaiveIndex::IsBad(std::span<const float> vector) const {
  for (const float x : vector) {
    if (!std::isfinite(x)) {
      return true;
    }
  }
  const float squared_norm = TreeDot(vector.data(), vector.data(), dim_);
  const bool too_long = !(squared_norm < kMaxSquaredNorm);
  const bool zero =
      model_.metric() == Metric::kCosine && squared_norm < std::numeric_limits<float>::min();
  return too_long || zero;
}

std::vector<float> NaiveIndex::Prepared(const float* vector) const {
  std::vector<float> prepared(vector, vector + dim_);
  if (model_.metric() == Metric::kCosine) {
    const float norm = std::sqrt(TreeDot(vector, vector, dim_));
    for (float& x : prepared) {
      x /= norm;
    }
  }
  return prepared;
}

NaiveIndex::Row NaiveIndex::Encode(std::uint64_t position, std::vector<float> raw) const {
  Row row{.position = position, .raw = std::move(raw)};
  const std::vector<float> fill(dim_, options_.fill_value);
  std::vector<float> vector = Prepared(IsBad(row.raw) ? fill.data() : row.raw.data());
  const VectorView centroids = model_.ivf().centroids();
  row.partition = BestRow(vector.data(), centroids.data, centroids.num_rows, dim_,
                          model_.metric() != Metric::kDot);
  const float* centroid = centroids.row(row.partition);
  for (std::size_t d = 0; model_.residual() && d < dim_; ++d) {
    vector[d] -= centroid[d];
  }
  std::vector<float> decoded;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    row.codewords.push_back(BestRow(vector.data() + m * sub_dim_, codeword(m, 0),
                                    model_.pq().num_codewords(), sub_dim_, true));
    const float* word = codeword(m, row.codewords.back());
    decoded.insert(decoded.end(), word, word + sub_dim_);
  }
  row.term = model_.residual() ? TreeResidualTerm(decoded.data(), centroid, dim_) : 0.0F;
  return row;
}

const float* NaiveIndex::codeword(std::size_t m, std::size_t j) const {
  return model_.pq().codebook().data() + (m * model_.pq().num_codewords() + j) * sub_dim_;
}

const NaiveIndex::Row* NaiveIndex::Find(std::uint64_t position) const {
  const auto found = ordinals_.find(position);
  return found == ordinals_.end() ? nullptr : &rows_[found->second];
}

PartitionEntries NaiveIndex::Entries(std::uint32_t partition) const {
  PartitionEntries entries;
  for (const Row& row : rows_) {
    if (row.partition != partition) {
      continue;
    }
    entries.row_positions.push_back(row.position);
    for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
      const std::uint32_t code = row.codewords[m];
      if (model_.pq().num_bits() == 4 && m % 2 == 1) {
        entries.codes.back() = static_cast<std::uint8_t>(entries.codes.back() + 16 * code);
      } else {
        entries.codes.push_back(static_cast<std::uint8_t>(code));
      }
    }
  }
  return entries;
}

Status NaiveIndex::CheckSearch(VectorView queries, const SearchOptions& options) const {
  if ((queries.num_rows > 0 && queries.dim != dim_) ||
      (options.refine_factor > 0 && !options.raw_vectors) || std::isnan(options.distance_lower) ||
      std::isnan(options.distance_upper)) {
    return Wrong();
  }
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    if (IsBad({queries.row(i), dim_})) {
      return Wrong();
    }
  }
  return Status::Ok();
}

float NaiveIndex::CoarseDistance(const std::vector<float>& query, std::size_t p) const {
  const float* centroid = model_.ivf().centroids().row(p);
  return model_.metric() == Metric::kDot ? -ChainDot(0.0F, query.data(), centroid, dim_)
                                         : ChainL2(query.data(), centroid, dim_);
}

float NaiveIndex::PartitionTerm(const std::vector<float>& query, std::size_t p) const {
  if (model_.residual()) {
    return CoarseDistance(query, p);
  }
  return model_.metric() == Metric::kDot ? 1.0F : 0.0F;
}

std::vector<std::uint32_t> NaiveIndex::ProbeOrder(const float* query) const {
  const std::vector<float> prepared = Prepared(query);
  std::vector<float> distances;
  for (std::size_t p = 0; p < model_.ivf().num_partitions(); ++p) {
    distances.push_back(CoarseDistance(prepared, p));
  }
  std::vector<std::uint32_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return distances[a] < distances[b]; });
  return order;
}

std::size_t NaiveIndex::NumProbes(std::span<const std::uint32_t> order,
                                  const SearchOptions& options) const {
  std::vector<std::size_t> eligible(order.size(), 0);
  for (std::uint32_t i = 0; i < rows_.size(); ++i) {
    eligible[rows_[i].partition] += IsEligible(i, options) ? 1U : 0U;
  }
  std::size_t num_probes = 0;
  std::size_t found = 0;
  while (options.k > 0 && num_probes < order.size() &&
         (num_probes < options.nprobes || found < options.k)) {
    found += eligible[order[num_probes++]];
  }
  return num_probes;
}

bool NaiveIndex::IsEligible(std::uint32_t ordinal, const SearchOptions& options) const {
  const auto contains = [](const Bitmap& bitmap, std::uint64_t i) {
    return i < bitmap.size && (bitmap.words[i / 64] & (std::uint64_t{1} << (i % 64))) != 0;
  };
  const std::uint64_t position = rows_[ordinal].position;
  if (position > options.max_row_position ||
      (options.hidden_ordinals && contains(*options.hidden_ordinals, ordinal))) {
    return false;
  }
  if (!options.filter) {
    return true;
  }
  if (const auto* bitmap = std::get_if<Bitmap>(&*options.filter)) {
    return contains(*bitmap, position);
  }
  const auto& allowed = std::get<std::span<const std::uint64_t>>(*options.filter);
  return std::binary_search(allowed.begin(), allowed.end(), position);
}

std::vector<float> NaiveIndex::Table(const std::vector<float>& query) const {
  std::vector<float> table;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    const float* x = query.data() + m * sub_dim_;
    for (std::size_t j = 0; j < model_.pq().num_codewords(); ++j) {
      const float* word = codeword(m, j);
      if (model_.residual()) {
        table.push_back(-2.0F * ChainDot(0.0F, x, word, sub_dim_));
      } else if (model_.metric() == Metric::kDot) {
        table.push_back(-ChainDot(0.0F, x, word, sub_dim_));
      } else {
        table.push_back(ChainL2(x, word, sub_dim_));
      }
    }
  }
  return table;
}

float NaiveIndex::CodeDistance(const Row& row, const std::vector<float>& table,
                               float partition_term) const {
  float distance = partition_term + row.term;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    distance += table[m * model_.pq().num_codewords() + row.codewords[m]];
  }
  return distance;
}

float NaiveIndex::Scaled(float distance) const {
  return model_.metric() == Metric::kCosine ? distance * 0.5F : distance;
}

NaiveIndex::QuantizedTable NaiveIndex::Quantized(const std::vector<float>& table) const {
  const std::size_t num_codewords = model_.pq().num_codewords();
  QuantizedTable quantized{.steps = std::vector<std::uint32_t>(table.size(), 0)};
  std::vector<float> minima;
  float range = 0;
  for (auto entries = table.begin(); entries != table.end();) {
    const auto end = entries + static_cast<std::ptrdiff_t>(num_codewords);
    minima.push_back(*std::min_element(entries, end));
    range = std::max(range, *std::max_element(entries, end) - minima.back());
    quantized.sum_of_minima += static_cast<double>(minima.back());
    entries = end;
  }
  // 127 steps in four fifths of the range, and none further on. A little less than that, so that no
  // entry is rounded up.
  range *= 0.8F;
  const float steps_per_unit = 127.0F / range * (1.0F - 1.0F / 2097152.0F);
  if (std::isfinite(steps_per_unit)) {
    quantized.delta = range / 127.0F;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const float steps = (table[i] - minima[i / num_codewords]) * steps_per_unit;
      quantized.steps[i] = static_cast<std::uint32_t>(std::min(steps, 127.0F));
    }
  }
  return quantized;
}

float NaiveIndex::LowerBound(const Row& row, const QuantizedTable& table,
                             float partition_term) const {
  std::uint64_t sum = 0;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    sum += table.steps[m * model_.pq().num_codewords() + row.codewords[m]];
  }
  const auto steps = static_cast<float>(std::min<std::uint64_t>(sum, 65535));
  const auto base = static_cast<float>(static_cast<double>(partition_term) + table.sum_of_minima);
  return std::fma(table.delta, steps, base + row.term);
}

std::vector<float> NaiveIndex::LowerBounds(const float* query) const {
  const std::vector<float> prepared = Prepared(query);
  const QuantizedTable table = Quantized(Table(prepared));
  std::vector<float> bounds;
  for (const Row& row : rows_) {
    bounds.push_back(LowerBound(row, table, PartitionTerm(prepared, row.partition)));
  }
  return bounds;
}

Result<NaiveIndex::Answer> NaiveIndex::Search(const float* query, const SearchOptions& options,
                                              std::span<const std::uint32_t> probed) const {
  const std::vector<float> prepared = Prepared(query);
  Answer answer;
  std::vector<Scored> nearest = Ranked(prepared, options, probed, &answer.num_eligible);
  std::sort(nearest.begin(), nearest.end(), Nearer<Scored>);
  if (options.refine_factor > 0) {
    if (nearest.size() / options.refine_factor >= options.k) {
      nearest.resize(options.k * options.refine_factor);
    }
    answer.num_reranked = nearest.size();
    if (Status status = Rerank(prepared, options, &nearest); !status.ok()) {
      return status;
    }
    std::sort(nearest.begin(), nearest.end(), Nearer<Scored>);
  }
  for (std::size_t i = 0; i < std::min(options.k, nearest.size()); ++i) {
    answer.hits.push_back(nearest[i].hit);
  }
  return answer;
}

Result<NaiveIndex::Answer> NaiveIndex::RankAll(const float* query,
                                               const SearchOptions& options) const {
  std::vector<Scored> all;
  for (std::uint32_t i = 0; i < rows_.size(); ++i) {
    if (IsEligible(i, options)) {
      all.push_back({{0, rows_[i].position}, i});
    }
  }
  Answer answer{.num_eligible = all.size(), .num_reranked = all.size()};
  if (Status status = Rerank(Prepared(query), options, &all); !status.ok()) {
    return status;
  }
  std::sort(all.begin(), all.end(), Nearer<Scored>);
  for (std::size_t i = 0; i < std::min(options.k, all.size()); ++i) {
    answer.hits.push_back(all[i].hit);
  }
  return answer;
}

std::vector<NaiveIndex::Scored> NaiveIndex::Ranked(const std::vector<float>& query,
                                                   const SearchOptions& options,
                                                   std::span<const std::uint32_t> probed,
                                                   std::size_t* num_eligible) const {
  const std::vector<float> table = Table(query);
  const QuantizedTable quantized = Quantized(table);
  const std::set<std::uint32_t> looked_at(probed.begin(), probed.end());
  std::vector<Scored> ranked;
  for (std::uint32_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    if (!looked_at.contains(row.partition) || !IsEligible(i, options)) {
      continue;
    }
    ++*num_eligible;
    const float partition_term = PartitionTerm(query, row.partition);
    if (options.refine_factor > 0) {
      // Ranked before scaling, which may round; the range is one of scaled distances.
      const float bound = LowerBound(row, quantized, partition_term);
      if (Scaled(bound) >= options.distance_lower) {
        ranked.push_back({{bound, row.position}, i});
      }
      continue;
    }
    const float distance = Scaled(CodeDistance(row, table, partition_term));
    if (distance >= options.distance_lower && distance < options.distance_upper) {
      ranked.push_back({{distance, row.position}, i});
    }
  }
  return ranked;
}

Status NaiveIndex::Rerank(const std::vector<float>& query, const SearchOptions& options,
                          std::vector<Scored>* nearest) const {
  for (Scored& scored : *nearest) {
    const RowRef row{scored.hit.row_position, scored.ordinal};
    const float* raw = nullptr;
    options.raw_vectors({&row, 1}, &raw);
    if (raw == nullptr) {
      return Wrong();
    }
    scored.hit.distance = ExactDistance(query, raw);
  }
  std::erase_if(*nearest, [&](const Scored& scored) {
    return !(scored.hit.distance >= options.distance_lower &&
             scored.hit.distance < options.distance_upper);
  });
  return Status::Ok();
}

float NaiveIndex::ExactDistance(const std::vector<float>& query, const float* raw) const {
  const std::vector<float> fill(dim_, options_.fill_value);
  if (options_.on_bad_vectors == OnBadVectors::kFill && IsBad({raw, dim_})) {
    raw = fill.data();
  }
  if (model_.metric() == Metric::kL2) {
    return TreeL2(query.data(), raw, dim_);
  }
  const float dot = TreeDot(query.data(), raw, dim_);
  return model_.metric() == Metric::kDot ? 1.0F - dot
                                         : 1.0F - dot / std::sqrt(TreeDot(raw, raw, dim_));
}

}  // namespace forebay::testing
