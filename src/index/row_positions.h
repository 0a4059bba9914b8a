// RowPositions: from ordinals to the caller's 64-bit row positions.
//
// Thread safety: one writer (Reserve, Append), any number of readers, each with a Reader made
// after its snapshot was loaded.
//
// Invariants:
//   1. While positions are mostly contiguous they are kept as runs: (first ordinal, position of
//      it). A run has no length: the next one's first ordinal ends it.
//   2. When runs no longer pay, later ordinals go to an array, for good: from array_from on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/chunked_array.h"
#include "base/published.h"

namespace forebay::index {

class RowPositions {
 public:
  /// As index files have it.
  struct Run {
    std::uint64_t position = 0;
    std::uint32_t first_ordinal = 0;
    std::uint32_t unused = 0;
  };

  /// What of the positions counts for the ordinals below a snapshot.
  struct Extent {
    std::size_t num_runs = 0;
    std::uint32_t array_from = 0;  ///< At most the snapshot; array_[0] is this ordinal's position.
  };

  /// Makes room for any `num_rows` positions from `first_ordinal` on, and decides whether they
  /// will be runs. Throws std::bad_alloc, nothing changed for readers.
  void Reserve(std::uint32_t first_ordinal, std::span<const std::uint64_t> positions);

  /// Adds what Reserve made room for. Readers see it with the next snapshot.
  void Append(std::uint32_t first_ordinal, std::span<const std::uint64_t> positions);

  /// Of an empty one: these are the positions, `array` from array_from on; they outlive it and
  /// nobody writes them. Nothing is added after that.
  void Borrow(std::span<const Run> runs, std::uint32_t array_from,
              std::span<const std::uint64_t> array);

  [[nodiscard]] Extent ExtentAt(std::uint32_t snapshot) const;
  /// Of an extent's runs and array.
  [[nodiscard]] Run run(std::size_t i) const { return runs_[i]; }
  [[nodiscard]] std::uint64_t array(std::size_t i) const { return array_[i]; }

  [[nodiscard]] std::size_t allocated_bytes() const {
    return runs_.allocated_bytes() + array_.allocated_bytes();
  }

  /// More runs than these are not gone through by ForEachRun.
  static constexpr std::size_t kFewRuns = 128;

  /// Calls body(first ordinal, first position, number of rows) for the runs of the ordinals below
  /// `snapshot`, which the caller has loaded; positions do not wrap around within one. False,
  /// nothing called, when there are more than kFewRuns of them: that depends on the positions only,
  /// as so few are never in the array.
  template <typename Body>
  [[nodiscard]] bool ForEachRun(std::uint32_t snapshot, const Body& body) const {
    const std::size_t num_runs = num_runs_.LoadAcquire();
    const bool many = num_runs > kFewRuns && runs_[kFewRuns].first_ordinal < snapshot;
    if (many || array_from_.LoadAcquire() < snapshot) {
      return false;
    }
    for (std::size_t i = 0; i < num_runs && runs_[i].first_ordinal < snapshot; ++i) {
      const std::uint32_t first = runs_[i].first_ordinal;
      const std::uint32_t end = i + 1 < num_runs ? runs_[i + 1].first_ordinal : snapshot;
      const std::uint32_t num_rows = std::min(end, snapshot) - first;
      const std::uint64_t until_wrap = 0 - runs_[i].position;  // 0: from there, none does.
      if (until_wrap == 0 || num_rows <= until_wrap) {
        body(first, runs_[i].position, num_rows);
        continue;
      }
      const auto num_before = static_cast<std::uint32_t>(until_wrap);
      body(first, runs_[i].position, num_before);
      body(first + num_before, std::uint64_t{0}, num_rows - num_before);
    }
    return true;
  }

  /// Looks positions up; fastest when ordinals ascend.
  class Reader {
   public:
    explicit Reader(const RowPositions& positions)
        : positions_(positions),
          num_runs_(positions.num_runs_.LoadAcquire()),
          array_from_(positions.array_from_.LoadAcquire()) {}

    std::uint64_t operator[](std::uint32_t ordinal) {
      if (ordinal >= array_from_) {
        return positions_.array_[ordinal - array_from_];
      }
      return PositionInRun(ordinal);
    }

    /// Whether all ordinals from first to last are in one run: their positions are then ordinal +
    /// *offset, modulo 2^64.
    bool AreOneRun(std::uint32_t first, std::uint32_t last, std::uint64_t* offset) {
      if (last >= array_from_) {
        return false;
      }
      *offset = PositionInRun(first) - first;
      return last - run_.first_ordinal < run_length_;
    }

   private:
    std::uint64_t PositionInRun(std::uint32_t ordinal) {
      if (ordinal - run_.first_ordinal >= run_length_) {
        FindRun(ordinal);
      }
      return run_.position + (ordinal - run_.first_ordinal);
    }
    void FindRun(std::uint32_t ordinal);

    const RowPositions& positions_;
    std::size_t num_runs_;
    std::uint32_t array_from_;
    Run run_;
    std::uint32_t run_length_ = 0;
  };

 private:
  static constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

  ChunkedArray<Run> runs_;
  ChunkedArray<std::uint64_t> array_;
  Published<std::size_t> num_runs_{0};
  Published<std::uint32_t> array_from_{kNever};
};

}  // namespace forebay::index
