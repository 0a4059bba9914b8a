#include "segment/mask_file.h"

#include <fmt/format.h>
#include <roaring/roaring.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace forebay::segment {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr char kMaskMagic[8] = {'F', 'R', 'B', 'Y', 'M', 'A', 'S', 'K'};
constexpr std::uint32_t kMaskVersion = 1;
constexpr std::size_t kBits = 64;

/// The first 64 bytes; a Roaring bitmap in its portable form follows.
struct MaskHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  std::uint32_t num_rows;
  std::uint32_t num_dead;
  std::uint64_t bitmap_bytes;
  std::uint64_t bitmap_checksum;
  std::uint64_t reserved2[2];
  std::uint64_t checksum;  // Of the 56 bytes before it.

  [[nodiscard]] std::uint64_t Sum() const {
    return Checksum(std::as_bytes(std::span(this, 1)).first(offsetof(MaskHeader, checksum)));
  }
};
static_assert(sizeof(MaskHeader) == 64 && std::has_unique_object_representations_v<MaskHeader>);

struct Free {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<roaring_bitmap_t, Free>;

std::vector<std::uint32_t> RowsOf(std::span<const std::uint64_t> words) {
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::uint64_t word = words[i]; word != 0; word &= word - 1) {
      rows.push_back(
          static_cast<std::uint32_t>(i * kBits + static_cast<std::size_t>(std::countr_zero(word))));
    }
  }
  return rows;
}

bool HasBitFrom(std::uint32_t row, std::span<const std::uint64_t> words) {
  const std::size_t word = row / kBits;
  if (word >= words.size()) {
    return false;
  }
  return (words[word] >> (row % kBits)) != 0 ||
         std::any_of(words.begin() + static_cast<std::ptrdiff_t>(word) + 1, words.end(),
                     [](std::uint64_t w) { return w != 0; });
}

std::vector<std::byte> Serialize(const std::vector<std::uint32_t>& rows) {
  const Bitmap bitmap(roaring_bitmap_create());
  if (bitmap == nullptr) {
    throw std::bad_alloc();
  }
  roaring_bitmap_add_many(bitmap.get(), rows.size(), rows.data());
  roaring_bitmap_run_optimize(bitmap.get());
  std::vector<std::byte> bytes(roaring_bitmap_portable_size_in_bytes(bitmap.get()));
  roaring_bitmap_portable_serialize(bitmap.get(), reinterpret_cast<char*>(bytes.data()));
  return bytes;
}

Result<MaskHeader> ReadMaskHeader(std::span<const std::byte> bytes, std::uint32_t num_rows) {
  MaskHeader header;
  if (bytes.size() < sizeof(header)) {
    return Status::Corruption(
        fmt::format("the mask file is truncated: expected a header of {} bytes, got {}",
                    sizeof(header), bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kMaskMagic, sizeof(kMaskMagic)) != 0) {
    return Status::Corruption("not a mask file: it does not start with FRBYMASK");
  }
  if (header.Sum() != header.checksum) {
    return Status::Corruption("the mask file's header was altered: its checksum differs");
  }
  if (header.version != kMaskVersion) {
    return Status::Corruption(fmt::format(
        "the mask file has version {}; this build reads version {}", header.version, kMaskVersion));
  }
  if (header.reserved != 0 || header.reserved2[0] != 0 || header.reserved2[1] != 0) {
    return Status::Corruption("the mask file's header has bytes that are to be zero and are not");
  }
  if (header.num_rows != num_rows) {
    return Status::Corruption(fmt::format("the mask file is of other rows: expected {}, got {}",
                                          num_rows, header.num_rows));
  }
  const std::span<const std::byte> bitmap = bytes.subspan(sizeof(header));
  if (bitmap.size() != header.bitmap_bytes) {
    return Status::Corruption(
        fmt::format("the mask file has another size: expected a bitmap of {} bytes, got {}",
                    header.bitmap_bytes, bitmap.size()));
  }
  if (Checksum(bitmap) != header.bitmap_checksum) {
    return Status::Corruption("the mask file's bitmap was altered: its checksum differs");
  }
  return header;
}

/// Takes rows for as long as they ascend and are rows.
struct Collector {
  std::vector<std::uint64_t> words;
  std::uint32_t num_rows = 0;
  std::uint64_t count = 0;
  std::uint64_t next = 0;  // The least row that may come.

  static bool Take(std::uint32_t row, void* to) {
    Collector& collector = *static_cast<Collector*>(to);
    if (row < collector.next || row >= collector.num_rows) {
      return false;
    }
    collector.words[row / kBits] |= std::uint64_t{1} << (row % kBits);
    collector.next = std::uint64_t{row} + 1;
    ++collector.count;
    return true;
  }
};

}  // namespace

Result<FileSum> WriteMask(storage::Directory* directory, const std::string& name,
                          std::span<const std::uint64_t> words, std::uint32_t num_rows) {
  if (HasBitFrom(num_rows, words)) {
    return Status::InvalidArgument(
        fmt::format("expected a mask of {} rows, got one with a row beyond them", num_rows));
  }
  const std::vector<std::uint32_t> rows = RowsOf(words);
  const std::vector<std::byte> bitmap = Serialize(rows);
  MaskHeader header{};
  std::memcpy(header.magic, kMaskMagic, sizeof(kMaskMagic));
  header.version = kMaskVersion;
  header.num_rows = num_rows;
  header.num_dead = static_cast<std::uint32_t>(rows.size());
  header.bitmap_bytes = bitmap.size();
  header.bitmap_checksum = Checksum(bitmap);
  header.checksum = header.Sum();
  auto writer = SegmentWriter::Create(directory, name);
  if (!writer.ok()) {
    return writer.status();
  }
  Status appended = (*writer)->Append(std::as_bytes(std::span(&header, 1)));
  appended = appended.ok() ? (*writer)->Append(bitmap) : appended;
  if (!appended.ok()) {
    return appended;
  }
  return (*writer)->Finish();
}

Result<std::vector<std::uint64_t>> ReadMask(const storage::Mapping& mapping,
                                            std::uint32_t num_rows) {
  const auto header = ReadMaskHeader(mapping.bytes(), num_rows);
  if (!header.ok()) {
    return header.status();
  }
  const std::span<const std::byte> bytes = mapping.bytes().subspan(sizeof(MaskHeader));
  const auto* const begin = reinterpret_cast<const char*>(bytes.data());
  // The size first: the reader complains on stderr when bytes end too early.
  const bool has_size = !bytes.empty() && roaring_bitmap_portable_deserialize_size(
                                              begin, bytes.size()) == bytes.size();
  const Bitmap bitmap(has_size ? roaring_bitmap_portable_deserialize_safe(begin, bytes.size())
                               : nullptr);
  if (bitmap == nullptr) {
    return Status::Corruption("the mask file's bitmap is no Roaring bitmap");
  }
  Collector dead = {
      .words = std::vector<std::uint64_t>((std::uint64_t{num_rows} + kBits - 1) / kBits),
      .num_rows = num_rows};
  // Row by row: the bitmap's own counts may not be those of its rows.
  const bool ascend = roaring_iterate(bitmap.get(), Collector::Take, &dead);
  if (!ascend || dead.count != header->num_dead) {
    return Status::Corruption(fmt::format("the mask file's bitmap is not one of {} dead of {} rows",
                                          header->num_dead, num_rows));
  }
  return std::move(dead.words);
}

}  // namespace forebay::segment
