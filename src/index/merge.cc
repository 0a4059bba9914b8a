#include "index/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <vector>

#include "base/no_throw.h"
#include "index/mem_index_impl.h"

namespace forebay::index {
namespace {

/// From the ordinals of one part to new ones.
class LiveRows {
 public:
  /// `part` outlives this. Throws std::bad_alloc.
  explicit LiveRows(const IndexPart& part) : part_(part), num_words_(part.num_rows / 64 + 1) {
    live_before_.reserve(num_words_);
    for (std::size_t w = 0; w < num_words_; ++w) {
      live_before_.push_back(num_live_);
      num_live_ += static_cast<std::uint32_t>(std::popcount(LiveOf(w)));
    }
  }

  [[nodiscard]] std::uint32_t num_live() const { return num_live_; }
  [[nodiscard]] bool IsLive(std::uint32_t ordinal) const {
    return (LiveOf(ordinal / 64) >> (ordinal % 64) & 1U) != 0;
  }
  /// Live rows with lesser ordinals.
  [[nodiscard]] std::uint32_t NumBefore(std::uint32_t ordinal) const {
    const std::uint64_t before = (std::uint64_t{1} << (ordinal % 64)) - 1;
    return live_before_[ordinal / 64] +
           static_cast<std::uint32_t>(std::popcount(LiveOf(ordinal / 64) & before));
  }

 private:
  [[nodiscard]] static std::uint64_t Below(std::uint64_t size, std::size_t word) {
    const std::uint64_t first = std::uint64_t{word} * 64;
    return size >= first + 64 ? ~std::uint64_t{0}
           : size <= first    ? 0
                              : (std::uint64_t{1} << (size - first)) - 1;
  }
  /// A bit for each live row of 64.
  [[nodiscard]] std::uint64_t LiveOf(std::size_t word) const {
    const std::uint64_t dead_here = Below(part_.dead.size, word);
    const std::uint64_t dead = dead_here != 0 ? part_.dead.words[word] & dead_here : 0;
    return Below(part_.num_rows, word) & ~dead;
  }

  const IndexPart& part_;
  const std::size_t num_words_;
  std::vector<std::uint32_t> live_before_;
  std::uint32_t num_live_ = 0;
};

Status CheckPart(const IndexPart& part, const IvfPqModel& model, std::size_t number) {
  if (part.index->model().fingerprint() != model.fingerprint()) {
    return Status::InvalidArgument(fmt::format(
        "indexes of one model can be merged; part 0 has the model {:016x}, part {} has {:016x}",
        model.fingerprint(), number, part.index->model().fingerprint()));
  }
  if (part.num_rows > part.index->size()) {
    return Status::InvalidArgument(
        fmt::format("part {} has {} rows, not {}", number, part.index->size(), part.num_rows));
  }
  const std::uint64_t num_words = part.dead.size / 64 + (part.dead.size % 64 != 0 ? 1 : 0);
  if (part.dead.words.size() < num_words) {
    return Status::InvalidArgument(
        fmt::format("part {}: dead: a bitmap of size {} needs {} words; got {}", number,
                    part.dead.size, num_words, part.dead.words.size()));
  }
  return Status::Ok();
}

/// Appends the live ones of a block's rows, which get ordinals from first_ordinal on, in runs of
/// neighbours.
void CopyBlock(const BlockRows& block, const LiveRows& live, std::uint32_t first_ordinal,
               Partition* to) {
  std::array<std::uint32_t, simd::kBlockLanes> ordinals;
  for (std::size_t lane = 0; lane < block.num_rows;) {
    std::size_t n = 0;
    for (; lane + n < block.num_rows && live.IsLive(block.ordinals[lane + n]); ++n) {
      ordinals[n] = first_ordinal + live.NumBefore(block.ordinals[lane + n]);
    }
    to->AppendLanes(block, lane, n, ordinals.data());
    lane += n + 1;  // The one after them is dead, or there is none.
  }
}

/// Gives the rows of an index, which has none yet, their own ordinals as positions.
void AppendPositions(std::uint32_t num_rows, IvfPqMemIndex::Impl* index) {
  constexpr std::uint32_t kAtOnce = 4096;
  std::vector<std::uint64_t> positions;
  for (std::uint32_t first = 0; first < num_rows;
       first += static_cast<std::uint32_t>(positions.size())) {
    positions.resize(std::min(kAtOnce, num_rows - first));
    std::iota(positions.begin(), positions.end(), std::uint64_t{first});
    index->row_positions.Reserve(first, positions);
    index->row_positions.Append(first, positions);
    for (const std::uint64_t position : positions) {
      index->stored_positions.Insert(position);
    }
  }
  index->greatest_position.StoreRelease(num_rows > 0 ? num_rows - 1 : 0);
}

Result<IvfPqMemIndex> Merge(std::span<const IndexPart> parts, MemIndexOptions options) {
  std::vector<LiveRows> live;
  std::uint64_t num_rows = 0;
  for (const IndexPart& part : parts) {
    live.emplace_back(part);
    num_rows += live.back().num_live();
  }
  if (num_rows > std::numeric_limits<std::uint32_t>::max()) {
    return Status::CapacityExceeded(
        fmt::format("an index holds at most 2^32 - 1 rows; the parts have {} live ones; merge "
                    "fewer at once",
                    num_rows));
  }
  auto merged = IvfPqMemIndex::Create(parts[0].index->model(), std::move(options));
  if (!merged.ok()) {
    return merged;
  }
  IvfPqMemIndex::Impl& index = merged->impl();
  for (std::size_t p = 0; p < index.partitions.size(); ++p) {
    std::uint32_t first_ordinal = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Partition& from = parts[i].index->impl().partitions[p];
      from.ForEachBlock(from.SizeAt(parts[i].num_rows), [&](const BlockRows& block) {
        CopyBlock(block, live[i], first_ordinal, &index.partitions[p]);
      });
      first_ordinal += live[i].num_live();
    }
  }
  AppendPositions(static_cast<std::uint32_t>(num_rows), &index);
  index.num_visible.StoreRelease(static_cast<std::uint32_t>(num_rows));
  return merged;
}

}  // namespace

Result<IvfPqMemIndex> MergeIndexes(std::span<const IndexPart> parts, MemIndexOptions options) {
  return NoThrow([&]() -> Result<IvfPqMemIndex> {
    if (parts.empty()) {
      return Status::InvalidArgument("there is nothing to merge: give at least one part");
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (Status status = CheckPart(parts[i], parts[0].index->model(), i); !status.ok()) {
        return status;
      }
    }
    return Merge(parts, std::move(options));
  });
}

}  // namespace forebay::index
