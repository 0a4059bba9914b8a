#include "model/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/no_throw.h"
#include "simd/dispatch.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr char kMagic[8] = {'F', 'R', 'B', 'Y', 'M', 'O', 'D', 'L'};
constexpr std::uint32_t kVersion = 1;

/// The first 64 bytes of a model file.
struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint8_t metric;
  std::uint8_t residual;
  std::uint8_t num_bits;
  std::uint8_t reserved;
  std::uint32_t dim;
  std::uint32_t num_partitions;
  std::uint32_t num_sub_vectors;
  std::uint32_t reserved2;
  std::uint64_t fingerprint;
  std::uint64_t centroids_checksum;
  std::uint64_t codebook_checksum;
  std::uint64_t header_checksum;  // Of the 56 bytes before it.

  [[nodiscard]] std::uint64_t Checksum() const {
    return XXH3_64bits(this, offsetof(Header, header_checksum));
  }
  [[nodiscard]] std::uint64_t CentroidBytes() const {
    return std::uint64_t{num_partitions} * dim * sizeof(float);
  }
  [[nodiscard]] std::uint64_t CodebookBytes() const {
    return (std::uint64_t{dim} << num_bits) * sizeof(float);
  }
  /// Whether CentroidBytes() fits 64 bits: more than 2^60 floats are in no file.
  [[nodiscard]] bool SizeIsSane() const {
    return std::uint64_t{num_partitions} * dim <= std::uint64_t{1} << 60U;
  }
};
static_assert(sizeof(Header) == 64 && std::has_unique_object_representations_v<Header>);

std::uint64_t Checksum(std::span<const float> floats) {
  return XXH3_64bits(floats.data(), floats.size_bytes());
}

std::span<const float> CentroidFloats(const IvfPqModel::Data& data) {
  return data.ivf.data().centroids;
}

/// The header but for its fingerprint and own checksum.
Header MakeHeader(const IvfPqModel::Data& data) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.metric = static_cast<std::uint8_t>(data.metric);
  header.residual = data.residual ? 1 : 0;
  header.num_bits = static_cast<std::uint8_t>(data.pq.num_bits());
  header.dim = static_cast<std::uint32_t>(data.ivf.dim());
  header.num_partitions = static_cast<std::uint32_t>(data.ivf.num_partitions());
  header.num_sub_vectors = static_cast<std::uint32_t>(data.pq.num_sub_vectors());
  header.centroids_checksum = Checksum(CentroidFloats(data));
  header.codebook_checksum = Checksum(data.pq.codebook());
  return header;
}

Header MakeFullHeader(const IvfPqModel::Data& data) {
  Header header = MakeHeader(data);
  header.fingerprint = data.fingerprint;
  header.header_checksum = header.Checksum();
  return header;
}

Status CheckHeader(const Header& header) {
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) {
    return Status::Corruption("not a Forebay model: the file does not start with FRBYMODL");
  }
  if (header.version != kVersion) {
    return Status::Corruption(
        fmt::format("the model file has version {}; this build reads version {} (or the version "
                    "field was altered)",
                    header.version, kVersion));
  }
  if (header.Checksum() != header.header_checksum) {
    return Status::Corruption("the model file's header was altered: its checksum differs");
  }
  return Status::Ok();
}

/// Checks the part's checksum and copies its floats.
Result<std::vector<float>> ReadFloats(std::span<const std::byte> bytes, std::uint64_t checksum,
                                      std::string_view what) {
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  if (Checksum(floats) != checksum) {
    return Status::Corruption(
        fmt::format("the model file's {} were altered: their checksum differs", what));
  }
  return floats;
}

/// Content that passes its checksum and is no model all the same.
Status AsCorruption(const Status& status) {
  if (status.code() != StatusCode::kInvalidArgument) {
    return status;
  }
  return Status::Corruption("the model file's content is no model: " + status.message());
}

Result<IvfPqModel> ParseParts(const Header& header, std::span<const std::byte> payload) {
  auto centroids =
      ReadFloats(payload.first(header.CentroidBytes()), header.centroids_checksum, "centroids");
  if (!centroids.ok()) {
    return centroids.error();
  }
  auto codebook =
      ReadFloats(payload.subspan(header.CentroidBytes()), header.codebook_checksum, "codewords");
  if (!codebook.ok()) {
    return codebook.error();
  }
  auto ivf = IvfModel::Create({centroids->data(), header.num_partitions, header.dim});
  if (!ivf.ok()) {
    return AsCorruption(ivf.error());
  }
  auto pq =
      ProductQuantizer::Create(header.dim, header.num_sub_vectors, header.num_bits, *codebook);
  if (!pq.ok()) {
    return AsCorruption(pq.error());
  }
  auto model = IvfPqModel::Create(static_cast<Metric>(header.metric), *std::move(ivf),
                                  *std::move(pq), header.residual != 0);
  if (!model.ok()) {
    return AsCorruption(model.error());
  }
  const Header expected = MakeFullHeader(model->data());
  if (std::memcmp(&header, &expected, sizeof(header)) != 0) {
    return Status::Corruption("the model file's header or fingerprint is not that of its content");
  }
  return model;
}

}  // namespace

std::uint64_t model::Fingerprint(const IvfPqModel::Data& data) {
  const Header header = MakeHeader(data);
  return XXH3_64bits(&header, sizeof(header));
}

std::vector<std::byte> IvfPqModel::Serialize() const {
  const Header header = MakeFullHeader(*data_);
  std::vector<std::byte> bytes(sizeof(header) + header.CentroidBytes() + header.CodebookBytes());
  auto next = bytes.begin();
  const auto append = [&next](std::span<const std::byte> part) {
    next = std::copy(part.begin(), part.end(), next);
  };
  append(std::as_bytes(std::span(&header, 1)));
  append(std::as_bytes(CentroidFloats(*data_)));
  append(std::as_bytes(pq().codebook()));
  return bytes;
}

Result<IvfPqModel> IvfPqModel::Parse(std::span<const std::byte> bytes) {
  if (Status cpu = simd::CheckActive(); !cpu.ok()) {
    return cpu;  // Not the file's fault.
  }
  Header header;
  if (bytes.size() < sizeof(header)) {
    return Status::Corruption(
        fmt::format("the model file is truncated: its header has {} bytes, the file {}",
                    sizeof(header), bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (Status status = CheckHeader(header); !status.ok()) {
    return status;
  }
  if (header.metric > static_cast<std::uint8_t>(Metric::kDot) || header.num_bits > 8 ||
      header.dim == 0 || header.num_partitions == 0 || !header.SizeIsSane()) {
    return Status::Corruption(fmt::format(
        "the model file's header is that of no model: metric {} (0 to 2), num_bits {} (4 or 8), "
        "dim {}, num_partitions {} (both at least 1); write the file again",
        header.metric, header.num_bits, header.dim, header.num_partitions));
  }
  const std::uint64_t size = sizeof(header) + header.CentroidBytes() + header.CodebookBytes();
  if (bytes.size() != size) {
    return Status::Corruption(fmt::format("the model file is {}: expected {} bytes, got {}",
                                          bytes.size() < size ? "truncated" : "too long", size,
                                          bytes.size()));
  }
  return NoThrow([&] { return ParseParts(header, bytes.subspan(sizeof(header))); });
}

}  // namespace forebay
