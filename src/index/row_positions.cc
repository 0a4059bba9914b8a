#include "index/row_positions.h"

namespace forebay::index {
namespace {

/// A run costs as much as two array entries; a few are free, so that small indexes stay simple.
/// (The first run of a batch may continue the one before it and is counted all the same: so many
/// more than kFewRuns that those never become an array.)
constexpr std::size_t kFreeRuns = 2 * RowPositions::kFewRuns;
constexpr std::size_t kMinRowsPerRun = 2;

std::size_t CountRuns(std::span<const std::uint64_t> positions) {
  std::size_t num_runs = 1;
  for (std::size_t i = 1; i < positions.size(); ++i) {
    num_runs += positions[i] == positions[i - 1] + 1 ? 0U : 1U;
  }
  return num_runs;
}

}  // namespace

void RowPositions::Reserve(std::uint32_t first_ordinal, std::span<const std::uint64_t> positions) {
  if (positions.empty()) {
    return;
  }
  const std::size_t end = first_ordinal + positions.size();
  std::uint32_t array_from = array_from_.LoadByWriter();
  if (array_from == kNever) {
    const std::size_t num_runs = num_runs_.LoadByWriter() + CountRuns(positions);
    if (num_runs <= kFreeRuns || num_runs * kMinRowsPerRun <= end) {
      runs_.Reserve(num_runs);
      return;
    }
    array_from = first_ordinal;
  }
  array_.Reserve(end - array_from);
  array_from_.StoreRelease(array_from);  // Only ordinals that no reader has seen are beyond it.
}

void RowPositions::Append(std::uint32_t first_ordinal, std::span<const std::uint64_t> positions) {
  const std::uint32_t array_from = array_from_.LoadByWriter();
  std::size_t num_runs = num_runs_.LoadByWriter();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto ordinal = first_ordinal + static_cast<std::uint32_t>(i);
    if (ordinal >= array_from) {
      array_[ordinal - array_from] = positions[i];
    } else if (num_runs == 0 ||
               runs_[num_runs - 1].position + (ordinal - runs_[num_runs - 1].first_ordinal) !=
                   positions[i]) {
      runs_[num_runs++] = {positions[i], ordinal};
    }
  }
  num_runs_.StoreRelease(num_runs);
}

void RowPositions::Borrow(std::span<const Run> runs, std::uint32_t array_from,
                          std::span<const std::uint64_t> array) {
  runs_.Borrow(runs.data(), runs.size());
  array_.Borrow(array.data(), array.size());
  num_runs_.StoreRelease(runs.size());
  array_from_.StoreRelease(array.empty() ? kNever : array_from);
}

RowPositions::Extent RowPositions::ExtentAt(std::uint32_t snapshot) const {
  std::size_t low = 0;  // Runs before it begin below the snapshot, those from `high` on do not.
  std::size_t high = num_runs_.LoadAcquire();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (runs_[middle].first_ordinal < snapshot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, std::min(array_from_.LoadAcquire(), snapshot)};
}

void RowPositions::Reader::FindRun(std::uint32_t ordinal) {
  std::size_t low = 0;  // runs_[low] starts at or before the ordinal, runs_[high] after it.
  std::size_t high = num_runs_;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    if (positions_.runs_[middle].first_ordinal <= ordinal) {
      low = middle;
    } else {
      high = middle;
    }
  }
  run_ = positions_.runs_[low];
  const std::uint32_t end = high < num_runs_ ? positions_.runs_[high].first_ordinal : array_from_;
  run_length_ = end - run_.first_ordinal;
}

}  // namespace forebay::index
