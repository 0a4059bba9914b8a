// Serialize: one snapshot of an index as bytes, from the first to the last, in pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/no_throw.h"
#include "index/index_format.h"
#include "index/mem_index_impl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay {
namespace index {
namespace {

using Sink = std::function<Status(std::span<const std::byte>)>;

/// Hands bytes on in pieces and counts them; after a failure it hands on nothing more.
class PieceWriter {
 public:
  explicit PieceWriter(const Sink& sink) : sink_(sink) {
    piece_.reserve(kPieceBytes);
    StartChecksum();
  }

  void Write(std::span<const std::byte> bytes) {
    XXH3_64bits_update(&checksum_, bytes.data(), bytes.size());
    num_bytes_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t n = std::min(bytes.size(), kPieceBytes - piece_.size());
      piece_.insert(piece_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      bytes = bytes.subspan(n);
      if (piece_.size() == kPieceBytes) {
        Flush();
      }
    }
  }

  template <typename T>
  void WriteValue(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Write(std::as_bytes(std::span(&value, 1)));
  }

  void PadToLine() {
    const std::vector<std::byte> zeros(PaddedBytes(num_bytes_) - num_bytes_);
    Write(zeros);
  }

  /// Of what was written from here on.
  void StartChecksum() { XXH3_64bits_reset(&checksum_); }
  [[nodiscard]] std::uint64_t checksum() const { return XXH3_64bits_digest(&checksum_); }

  Status Finish() {
    Flush();
    return status_;
  }
  [[nodiscard]] bool ok() const { return status_.ok(); }

 private:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 18U;

  void Flush() {
    if (status_.ok() && !piece_.empty()) {
      status_ = sink_(piece_);
    }
    piece_.clear();
  }

  const Sink& sink_;
  std::vector<std::byte> piece_;
  std::uint64_t num_bytes_ = 0;
  XXH3_state_t checksum_;
  Status status_;
};

std::uint32_t NumBlocks(std::size_t num_rows) {
  return static_cast<std::uint32_t>((num_rows + simd::kBlockLanes - 1) / simd::kBlockLanes);
}

/// Writes what lies below one snapshot; what is inserted meanwhile is neither read nor written.
class IndexWriter {
 public:
  IndexWriter(const IvfPqMemIndex::Impl& index, PieceWriter* out)
      : index_(index),
        snapshot_(index.num_visible.LoadAcquire()),
        positions_(index.row_positions.ExtentAt(snapshot_)),
        out_(*out) {}

  void Write(bool with_model) {
    MakeDirectory();
    const std::vector<std::byte> model =
        with_model ? index_.model.Serialize() : std::vector<std::byte>();
    out_.WriteValue(MakeHeader(model.size()));
    IndexFooter footer;
    out_.StartChecksum();
    out_.Write(std::as_bytes(std::span(directory_)));
    WritePositions();
    out_.PadToLine();
    out_.Write(model);
    out_.PadToLine();
    footer.contents_checksum = out_.checksum();
    out_.StartChecksum();
    for (std::size_t p = 0; p < directory_.size() && out_.ok(); ++p) {
      WriteBlocks(index_.partitions[p], directory_[p].num_rows);
    }
    footer.blocks_checksum = out_.checksum();
    out_.WriteValue(footer);
  }

 private:
  void MakeDirectory() {
    directory_.reserve(index_.partitions.size());
    for (const Partition& partition : index_.partitions) {
      const auto num_rows = static_cast<std::uint32_t>(partition.SizeAt(snapshot_));
      directory_.push_back({num_rows, num_blocks_});
      num_blocks_ += NumBlocks(num_rows);
    }
  }

  [[nodiscard]] IndexHeader MakeHeader(std::size_t model_bytes) const {
    IndexHeader header{};
    std::memcpy(header.magic, kIndexMagic, sizeof(kIndexMagic));
    header.version = kIndexVersion;
    header.code_len = static_cast<std::uint32_t>(index_.layout().code_len());
    header.num_partitions = static_cast<std::uint32_t>(directory_.size());
    header.num_rows = snapshot_;
    header.num_blocks = num_blocks_;
    header.num_runs = static_cast<std::uint32_t>(positions_.num_runs);
    header.array_from = positions_.array_from;
    header.has_terms = index_.layout().has_terms() ? 1 : 0;
    header.model_fingerprint = index_.model.fingerprint();
    header.model_bytes = model_bytes;
    header.checksum = ChecksumOf(header);
    return header;
  }

  void WritePositions() {
    for (std::size_t i = 0; i < positions_.num_runs; ++i) {
      out_.WriteValue(index_.row_positions.run(i));
    }
    for (std::size_t i = 0; i < snapshot_ - positions_.array_from; ++i) {
      out_.WriteValue(index_.row_positions.array(i));
    }
  }

  void WriteBlocks(const Partition& partition, std::size_t num_rows) {
    const BlockLayout& layout = index_.layout();
    partition.ForEachBlock(num_rows, [&](const BlockRows& block) {
      if (block.num_rows == simd::kBlockLanes) {
        out_.Write(std::as_bytes(std::span(block.codes, layout.block_bytes())));
        return;
      }
      // The other lanes may be in the middle of being written.
      for (std::size_t j = 0; j < layout.code_len(); ++j) {
        WriteLanes(block.codes + j * simd::kBlockLanes, block.num_rows);
      }
      if (layout.has_terms()) {
        WriteLanes(block.terms, block.num_rows);
      }
      WriteLanes(block.ordinals, block.num_rows);
    });
  }

  template <typename T>
  void WriteLanes(const T* values, std::size_t num_lanes) {
    T lanes[simd::kBlockLanes] = {};
    std::copy_n(values, num_lanes, lanes);
    out_.WriteValue(lanes);
  }

  const IvfPqMemIndex::Impl& index_;
  const std::uint32_t snapshot_;
  const RowPositions::Extent positions_;
  PieceWriter& out_;
  std::vector<DirectoryEntry> directory_;
  std::uint32_t num_blocks_ = 0;
};

}  // namespace

std::uint64_t ChecksumOf(const IndexHeader& header) {
  return XXH3_64bits(&header, offsetof(IndexHeader, checksum));
}

}  // namespace index

Status IvfPqMemIndex::Serialize(const std::function<Status(std::span<const std::byte>)>& sink,
                                bool with_model) const {
  return NoThrow([&] {
    index::PieceWriter out(sink);
    index::IndexWriter(*impl_, &out).Write(with_model);
    return out.Finish();
  });
}

}  // namespace forebay
