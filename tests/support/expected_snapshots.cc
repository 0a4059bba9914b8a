#include "support/expected_snapshots.h"

#include <algorithm>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <variant>

#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr std::size_t kMaxBatch = 60;

void Require(bool condition, const std::string& what) {
  if (!condition) {
    throw Disagreement(what);
  }
}

bool Nearer(const Hit& a, const Hit& b) {
  return std::pair(a.distance, a.row_position) < std::pair(b.distance, b.row_position);
}

/// The last partition has the first one's centroid, so it never gets a row.
IvfPqModel ModelOf(const ModelSpec& spec) {
  const IvfPqModel drawn = MakeModel(spec);
  const VectorView centroids = drawn.ivf().centroids();
  std::vector<float> changed(centroids.data, centroids.row(centroids.num_rows - 1));
  changed.insert(changed.end(), centroids.row(0), centroids.row(1));
  IvfModel ivf = Value(IvfModel::Create({changed.data(), centroids.num_rows, centroids.dim}));
  return Value(IvfPqModel::Create(spec.metric, std::move(ivf), drawn.pq(), spec.residual));
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Setting& setting) {
  return out << MetricName(setting.model.metric)
             << (setting.model.residual ? "_residual_" : "_raw_") << setting.model.num_bits
             << "_capacity_" << setting.capacity << "_stride_" << setting.stride;
}

ExpectedSnapshots::ExpectedSnapshots(const Setting& setting)
    : setting_(setting), index_(ModelOf(setting.model), options()) {
  Rng random(setting.model.seed);
  vectors_ = RandomVectors(Values::kGaussian, kNumRows, dim(), &random);
  queries_ = RandomVectors(Values::kGaussian, kNumQueries, dim(), &random);
  for (std::size_t i = 0; i < kNumRows; ++i) {
    positions_.push_back(position(i));
  }
  while (boundaries_.back() < kNumRows) {
    const std::size_t rows = 1 + random.Below(kMaxBatch);
    boundaries_.push_back(std::min(kNumRows, boundaries_.back() + rows));
  }
  for (std::size_t b = 0; b < num_batches(); ++b) {
    const VectorBatch rows = batch(b);
    Require(index_.Insert({&rows, 1}).ok(), "the rows cannot be inserted");
  }
  index_.CheckContents();
  partitions_ = index_.real().partitions();
  for (std::size_t q = 0; q < kNumQueries; ++q) {
    const float* query = queries_.data() + q * dim();
    by_code_.push_back(Score({query, 1, dim()}));
    by_bound_.push_back(ByBound(query, by_code_.back()));
  }
}

VectorBatch ExpectedSnapshots::batch(std::size_t b) const {
  const std::size_t begin = boundaries_[b];
  const std::size_t size = boundaries_[b + 1] - begin;
  return {.vectors = {vectors_.data() + begin * dim(), size, dim()},
          .row_positions = {positions_.data() + begin, size}};
}

bool ExpectedSnapshots::IsWhole(std::size_t snapshot) const {
  return std::binary_search(boundaries_.begin(), boundaries_.end(), snapshot);
}

void ExpectedSnapshots::CheckPrefix(std::size_t p, const PartitionEntries& entries) const {
  const PartitionEntries& all = partitions_[p];
  const std::size_t size = entries.row_positions.size();
  Require(size <= partition_size(p) &&
              std::equal(entries.row_positions.begin(), entries.row_positions.end(),
                         all.row_positions.begin()),
          "a partition has other row positions");
  Require(entries.codes.size() == size * model().pq().code_len() &&
              std::equal(entries.codes.begin(), entries.codes.end(), all.codes.begin()),
          "a partition has other codes");
}

void ExpectedSnapshots::CheckHits(std::size_t query, const SearchOptions& options,
                                  std::uint32_t snapshot, const SearchStats& stats,
                                  const std::vector<Hit>& hits) const {
  const auto& probed = stats.probed_partitions;
  std::vector<Hit> expected;
  const std::size_t most =
      stats.exhaustive ? kNumRows : options.k * std::max<std::size_t>(options.refine_factor, 1);
  for (const ScoredRow& row : options.refine_factor > 0 ? by_bound_[query] : by_code_[query]) {
    const std::uint64_t position = row.by_code.row_position;
    const bool eligible =
        row.ordinal < snapshot && position <= options.max_row_position &&
        (!options.hidden_ordinals || !options.hidden_ordinals->Contains(row.ordinal)) &&
        (!options.filter || std::get<Bitmap>(*options.filter).Contains(position));
    const bool in_range = row.by_code.distance >= options.distance_lower &&
                          row.by_code.distance < options.distance_upper;
    const bool found =
        stats.exhaustive || std::find(probed.begin(), probed.end(), row.partition) != probed.end();
    if (eligible && in_range && found && expected.size() < most) {
      expected.push_back(options.refine_factor > 0 ? row.exact : row.by_code);
    }
  }
  std::sort(expected.begin(), expected.end(), Nearer);
  expected.resize(std::min(expected.size(), options.k));
  Require(hits == expected, "a search over " + std::to_string(snapshot) + " rows has " +
                                std::to_string(hits.size()) + " hits, not the " +
                                std::to_string(expected.size()) + " expected ones");
}

std::vector<ExpectedSnapshots::ScoredRow> ExpectedSnapshots::Score(VectorView query) const {
  SearchOptions all{.k = kNumRows, .nprobes = kAllPartitions};
  const SearchResult by_code = Value(index_.Search(query, all));
  all.refine_factor = 1;
  all.raw_vectors = index_.raw_vectors();
  const SearchResult refined = Value(index_.Search(query, all));
  std::map<std::uint64_t, Hit> exact;
  for (const Hit& hit : refined[0]) {
    exact[hit.row_position] = hit;
  }
  std::vector<ScoredRow> rows;
  for (const Hit& hit : by_code[0]) {
    const NaiveIndex::Row* row = index_.naive().Find(hit.row_position);
    const auto ordinal = static_cast<std::uint32_t>(row - index_.naive().rows().data());
    rows.push_back({hit, exact.at(hit.row_position), ordinal, row->partition});
  }
  return rows;
}

std::vector<ExpectedSnapshots::ScoredRow> ExpectedSnapshots::ByBound(
    const float* query, std::vector<ScoredRow> rows) const {
  const std::vector<float> bounds = index_.naive().LowerBounds(query);
  std::sort(rows.begin(), rows.end(), [&bounds](const ScoredRow& a, const ScoredRow& b) {
    return Nearer({bounds[a.ordinal], a.by_code.row_position},
                  {bounds[b.ordinal], b.by_code.row_position});
  });
  return rows;
}

}  // namespace forebay::testing
