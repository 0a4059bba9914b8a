#include "exact_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <span>
#include <thread>

namespace forebay::cli {
namespace {

/// Rows are looked at in blocks that stay in the cache while each of a group of queries passes.
constexpr std::size_t kBlockRows = 256;
constexpr std::size_t kGroupSize = 16;
/// Partial sums, so that the compiler can use vector instructions without reordering anything.
constexpr std::size_t kLanes = 16;

float Dot(const float* a, const float* b, std::size_t dim) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += a[i + lane] * b[i + lane];
    }
  }
  float sum = 0;
  for (const float partial : sums) {
    sum += partial;
  }
  for (; i < dim; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

float SquaredDistance(const float* a, const float* b, std::size_t dim) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float difference = a[i + lane] - b[i + lane];
      sums[lane] += difference * difference;
    }
  }
  float sum = 0;
  for (const float partial : sums) {
    sum += partial;
  }
  for (; i < dim; ++i) {
    const float difference = a[i] - b[i];
    sum += difference * difference;
  }
  return sum;
}

/// The k smallest distances seen so far.
class Nearest {
 public:
  explicit Nearest(std::size_t k) : k_(k) {}

  void Add(float distance) {
    if (heap_.size() < k_) {
      heap_.push_back(distance);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (distance < heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = distance;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }
  /// The greatest of them.
  [[nodiscard]] float worst() const { return heap_.front(); }

 private:
  std::size_t k_;
  std::vector<float> heap_;
};

/// Ranks rows for a query as the metric does; the query's own length changes no ranking.
class Ranking {
 public:
  explicit Ranking(const ExactData& data) : data_(data) {
    if (data.metric != Metric::kCosine) {
      return;
    }
    inverse_norms_.resize(data.rows.num_rows);
    for (std::size_t i = 0; i < data.rows.num_rows; ++i) {
      const float* row = data.rows.row(i);
      inverse_norms_[i] = 1 / std::sqrt(Dot(row, row, data.rows.dim));
    }
  }

  [[nodiscard]] float Distance(std::size_t query, std::size_t row) const {
    const float* q = data_.queries.row(query);
    const float* r = data_.rows.row(row);
    switch (data_.metric) {
      case Metric::kL2:
        return SquaredDistance(q, r, data_.rows.dim);
      case Metric::kCosine:
        return -Dot(q, r, data_.rows.dim) * inverse_norms_[row];
      case Metric::kDot:
        break;
    }
    return -Dot(q, r, data_.rows.dim);
  }

 private:
  const ExactData& data_;
  std::vector<float> inverse_norms_;  // Only for cosine.
};

/// The summed recall of a group of samples, none of an empty snapshot.
double SumOfRecalls(const Ranking& ranking, std::span<const SearchSample* const> samples,
                    std::size_t k) {
  std::vector<Nearest> nearest(samples.size(), Nearest(k));
  std::size_t num_rows = 0;
  for (const SearchSample* sample : samples) {
    num_rows = std::max<std::size_t>(num_rows, sample->snapshot);
  }
  for (std::size_t begin = 0; begin < num_rows; begin += kBlockRows) {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::size_t end = std::min<std::size_t>(begin + kBlockRows, samples[i]->snapshot);
      for (std::size_t row = begin; row < end; ++row) {
        nearest[i].Add(ranking.Distance(samples[i]->query, row));
      }
    }
  }
  double sum = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const SearchSample& sample = *samples[i];
    const auto found = std::count_if(sample.hits.begin(), sample.hits.end(), [&](const Hit& hit) {
      return ranking.Distance(sample.query, hit.row_position) <= nearest[i].worst();
    });
    sum +=
        static_cast<double>(found) / static_cast<double>(std::min<std::size_t>(k, sample.snapshot));
  }
  return sum;
}

}  // namespace

double MeanRecall(const ExactData& data, const std::vector<SearchSample>& samples, std::size_t k,
                  std::size_t num_threads, Progress& progress) {
  std::vector<const SearchSample*> usable;
  for (const SearchSample& sample : samples) {
    if (sample.snapshot > 0 && k > 0) {
      usable.push_back(&sample);
    }
  }
  if (usable.empty()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  // Samples of like snapshots read the same rows.
  std::sort(usable.begin(), usable.end(),
            [](const auto* a, const auto* b) { return a->snapshot < b->snapshot; });

  const Ranking ranking(data);
  const std::size_t num_groups = (usable.size() + kGroupSize - 1) / kGroupSize;
  std::vector<double> sums(num_groups);  // Added up in order: any number of threads, one result.
  std::atomic<std::size_t> next{0};
  const auto work = [&](Progress* shown) {
    for (std::size_t group = next++; group < num_groups; group = next++) {
      const auto begin = group * kGroupSize;
      const auto size = std::min(kGroupSize, usable.size() - begin);
      sums[group] = SumOfRecalls(ranking, std::span(usable).subspan(begin, size), k);
      if (shown != nullptr) {
        shown->Update("finding exact answers", group + 1, num_groups);
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < num_threads; ++i) {
      threads.emplace_back(work, nullptr);
    }
    work(&progress);
  }
  progress.Clear();
  double sum = 0;
  for (const double part : sums) {
    sum += part;
  }
  return sum / static_cast<double>(usable.size());
}

}  // namespace forebay::cli
