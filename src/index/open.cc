// Open: an index that stands on bytes which Serialize wrote. Everything that a search relies on is
// checked first, so that no bytes whatever can lead it astray: blocks are checked for their
// ordinals and terms, as any codes are codes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/no_throw.h"
#include "index/index_format.h"
#include "index/mem_index_impl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay {
namespace index {
namespace {

using Bytes = std::span<const std::byte>;

/// `count` values of a type at an offset of bytes that are aligned to it.
template <typename T>
std::span<const T> ValuesAt(Bytes bytes, std::uint64_t offset, std::size_t count) {
  return {reinterpret_cast<const T*>(bytes.data() + offset), count};
}

Status SizeError(std::uint64_t size, std::string_view wanted, std::uint64_t wanted_size) {
  return Status::Corruption(fmt::format("the index file is {}: expected {} {} bytes, got {}",
                                        size < wanted_size ? "truncated" : "too long", wanted,
                                        wanted_size, size));
}

Result<IndexHeader> ReadHeader(Bytes bytes) {
  IndexHeader header;
  if (bytes.size() < sizeof(header)) {
    return SizeError(bytes.size(), "a header of", sizeof(header));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kIndexMagic, sizeof(kIndexMagic)) != 0) {
    return Status::Corruption("not a Forebay index: the file does not start with FRBYINDX");
  }
  if (header.version > kIndexVersion) {
    return Status::Unsupported(
        fmt::format("the index file has version {}; this build reads version {}; use a newer build "
                    "(or the version field was altered)",
                    header.version, kIndexVersion));
  }
  if (header.version != kIndexVersion || ChecksumOf(header) != header.checksum) {
    return Status::Corruption("the index file's header was altered: its checksum differs");
  }
  return header;
}

/// Where the parts are, of a file that is as long as its header says.
Result<IndexParts> FindParts(Bytes bytes, const IndexHeader& header) {
  const std::uint64_t block_bytes =
      BlockLayout(1, header.code_len, header.has_terms != 0).block_bytes();
  const bool sane = header.code_len > 0 && header.num_partitions > 0 && header.has_terms <= 1 &&
                    header.array_from <= header.num_rows && header.num_blocks <= header.num_rows;
  if (!sane) {
    return Status::Corruption(fmt::format(
        "the index file's header is that of no index: code_len {}, num_partitions {}, has_terms "
        "{}, num_rows {}, num_blocks {}, array_from {}; write the file again",
        header.code_len, header.num_partitions, header.has_terms, header.num_rows,
        header.num_blocks, header.array_from));
  }
  // So that sizes fit 64 bits.
  if (header.model_bytes > bytes.size() || header.num_blocks > bytes.size() / block_bytes) {
    return Status::Corruption(fmt::format(
        "the index file is truncated: a model of {} bytes and {} blocks of {} do not fit its {} "
        "bytes",
        header.model_bytes, header.num_blocks, block_bytes, bytes.size()));
  }
  const IndexParts parts = PartsOf(header, block_bytes);
  if (bytes.size() != parts.end) {
    return SizeError(bytes.size(), "a file of", parts.end);
  }
  return parts;
}

Status CheckChecksum(Bytes bytes, std::uint64_t checksum, std::string_view part) {
  return XXH3_64bits(bytes.data(), bytes.size()) == checksum
             ? Status::Ok()
             : Status::Corruption(
                   fmt::format("the index file's {} altered: their checksum differs", part));
}

IndexFooter ReadFooter(Bytes bytes, const IndexParts& parts) {
  IndexFooter footer;
  std::memcpy(&footer, bytes.data() + parts.footer, sizeof(footer));
  return footer;
}

/// Makes an index of one file.
class IndexReader {
 public:
  IndexReader(Bytes bytes, const IndexHeader& header, const IndexParts& parts)
      : bytes_(bytes),
        header_(header),
        parts_(parts),
        directory_(ValuesAt<DirectoryEntry>(bytes, parts.directory, header.num_partitions)),
        runs_(ValuesAt<RowPositions::Run>(bytes, parts.runs, header.num_runs)),
        array_(ValuesAt<std::uint64_t>(bytes, parts.array, header.num_rows - header.array_from)) {}

  [[nodiscard]] Status Check() const {
    const Bytes contents = bytes_.subspan(parts_.directory, parts_.blocks - parts_.directory);
    const std::uint64_t checksum = ReadFooter(bytes_, parts_).contents_checksum;
    if (Status status =
            CheckChecksum(contents, checksum, "partitions, row positions or model were");
        !status.ok()) {
      return status;
    }
    if (Status status = CheckDirectory(); !status.ok()) {
      return status;
    }
    return CheckRuns();
  }

  /// The one given, or the file's own.
  [[nodiscard]] Result<IvfPqModel> ModelOf(std::optional<IvfPqModel> given) const {
    if (given && given->fingerprint() != header_.model_fingerprint) {
      return Status::InvalidArgument(fmt::format(
          "the index was made with the model {:016x}; got {:016x}; give the one that it was made "
          "with",
          header_.model_fingerprint, given->fingerprint()));
    }
    if (!given && header_.model_bytes == 0) {
      return Status::InvalidArgument(fmt::format(
          "the index file has no model in it; give the one that it was made with, {:016x}",
          header_.model_fingerprint));
    }
    Result<IvfPqModel> model =
        given ? Result<IvfPqModel>(*std::move(given))
              : IvfPqModel::Parse(bytes_.subspan(parts_.model, header_.model_bytes));
    if (!model.ok()) {
      return model;
    }
    if (model->fingerprint() != header_.model_fingerprint ||
        model->ivf().num_partitions() != header_.num_partitions ||
        model->pq().code_len() != header_.code_len ||
        model->residual() != (header_.has_terms != 0)) {
      return Status::Corruption("the index file's header is not that of its model");
    }
    return model;
  }

  /// Lets an empty index of the model stand on the bytes.
  Status Fill(IvfPqMemIndex::Impl* index) const {
    index->blocks.Borrow(
        ValuesAt<std::uint8_t>(bytes_, parts_.blocks, parts_.footer - parts_.blocks).data(),
        header_.num_blocks);
    index->row_positions.Borrow(runs_, header_.array_from, array_);
    for (std::size_t p = 0; p < directory_.size(); ++p) {
      index->partitions[p].Adopt(directory_[p].first_block, directory_[p].num_rows);
      if (Status status = CheckRows(index->partitions[p], p); !status.ok()) {
        return status;
      }
    }
    index->greatest_position.StoreRelease(GreatestPosition());
    index->num_visible.StoreRelease(header_.num_rows);
    return Status::Ok();
  }

 private:
  [[nodiscard]] Status CheckDirectory() const {
    std::uint64_t num_rows = 0;
    std::uint64_t num_blocks = 0;
    for (std::size_t p = 0; p < directory_.size(); ++p) {
      if (directory_[p].first_block != num_blocks) {
        return Status::Corruption(
            fmt::format("the index file's partition {} begins with block {}, not {}", p,
                        directory_[p].first_block, num_blocks));
      }
      num_rows += directory_[p].num_rows;
      num_blocks += (directory_[p].num_rows + simd::kBlockLanes - 1) / simd::kBlockLanes;
    }
    if (num_rows != header_.num_rows || num_blocks != header_.num_blocks) {
      return Status::Corruption(fmt::format(
          "the index file's partitions have {} rows in {} blocks; its header says {} in {}",
          num_rows, num_blocks, header_.num_rows, header_.num_blocks));
    }
    return Status::Ok();
  }

  [[nodiscard]] Status CheckRuns() const {
    bool good = runs_.empty() == (header_.array_from == 0);
    for (std::size_t i = 0; i < runs_.size() && good; ++i) {
      const std::uint32_t first = runs_[i].first_ordinal;
      good =
          first < header_.array_from && (i == 0 ? first == 0 : first > runs_[i - 1].first_ordinal);
    }
    return good
               ? Status::Ok()
               : Status::Corruption("the index file's runs of row positions do not cover its rows");
  }

  [[nodiscard]] Status CheckRows(const Partition& partition, std::size_t number) const {
    bool ordinals_are_good = true;
    bool terms_are_good = true;
    std::uint64_t next = 0;  // The least that the next ordinal may be.
    partition.ForEachBlock(directory_[number].num_rows, [&](const BlockRows& block) {
      for (std::size_t lane = 0; lane < block.num_rows; ++lane) {
        ordinals_are_good &= block.ordinals[lane] >= next;
        next = std::uint64_t{block.ordinals[lane]} + 1;
        terms_are_good &= block.terms == nullptr || std::isfinite(block.terms[lane]);
      }
    });
    if (!ordinals_are_good || next > header_.num_rows) {
      return Status::Corruption(fmt::format(
          "the index file's partition {} was altered: its ordinals do not ascend below {}", number,
          header_.num_rows));
    }
    return terms_are_good
               ? Status::Ok()
               : Status::Corruption(fmt::format(
                     "the index file's partition {} was altered: a vector term is not finite",
                     number));
  }

  [[nodiscard]] std::uint64_t GreatestPosition() const {
    std::uint64_t greatest = 0;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const std::uint32_t end =
          i + 1 < runs_.size() ? runs_[i + 1].first_ordinal : header_.array_from;
      const std::uint64_t last = runs_[i].position + (end - runs_[i].first_ordinal - 1);
      const bool wraps = last < runs_[i].position;
      greatest = std::max(greatest, wraps ? std::numeric_limits<std::uint64_t>::max() : last);
    }
    for (const std::uint64_t position : array_) {
      greatest = std::max(greatest, position);
    }
    return greatest;
  }

  const Bytes bytes_;
  const IndexHeader header_;
  const IndexParts parts_;
  const std::span<const DirectoryEntry> directory_;
  const std::span<const RowPositions::Run> runs_;
  const std::span<const std::uint64_t> array_;
};

}  // namespace
}  // namespace index

Result<IvfPqMemIndex> IvfPqMemIndex::Open(std::span<const std::byte> bytes,
                                          std::shared_ptr<const void> keep_alive,
                                          std::optional<IvfPqModel> model,
                                          MemIndexOptions options) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kCacheLine != 0) {
    return Status::InvalidArgument(
        "the bytes of an index must begin at a multiple of 64, as they are used where they lie; "
        "map the file, or copy it to such an address");
  }
  return NoThrow([&]() -> Result<IvfPqMemIndex> {
    const auto header = index::ReadHeader(bytes);
    if (!header.ok()) {
      return header.error();
    }
    const auto parts = index::FindParts(bytes, *header);
    if (!parts.ok()) {
      return parts.error();
    }
    const index::IndexReader reader(bytes, *header, *parts);
    if (Status status = reader.Check(); !status.ok()) {
      return status;
    }
    auto its_model = reader.ModelOf(std::move(model));
    if (!its_model.ok()) {
      return its_model.error();
    }
    auto opened = Create(*std::move(its_model), std::move(options));
    if (!opened.ok()) {
      return opened;
    }
    opened->impl_->read_only = true;
    opened->impl_->keep_alive = std::move(keep_alive);
    if (Status status = reader.Fill(opened->impl_.get()); !status.ok()) {
      return status;
    }
    return opened;
  });
}

Status IvfPqMemIndex::CheckBlocks(std::span<const std::byte> bytes) {
  const auto header = index::ReadHeader(bytes);
  if (!header.ok()) {
    return header.error();
  }
  const auto parts = index::FindParts(bytes, *header);
  if (!parts.ok()) {
    return parts.error();
  }
  return index::CheckChecksum(bytes.subspan(parts->blocks, parts->footer - parts->blocks),
                              index::ReadFooter(bytes, *parts).blocks_checksum, "blocks were");
}

}  // namespace forebay
