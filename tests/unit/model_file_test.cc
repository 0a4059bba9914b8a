// The model file: what is written is read again, and nothing else is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "forebay/model.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::FailsWith;
using forebay::testing::ModelShape;
using forebay::testing::RandomModel;
using forebay::testing::Sizes;
using forebay::testing::Succeeds;
using forebay::testing::Value;

using Bytes = std::vector<std::byte>;

constexpr std::size_t kHeaderBytes = 64;

auto IsCorrupt(const std::string& part) { return FailsWith(StatusCode::kCorruption, part); }

/// Small enough to try everything on each byte: 3 centroids and 16 x 4 codewords.
constexpr ModelShape kSmall = {.num_partitions = 3, .dim = 4, .num_sub_vectors = 2};

Bytes SmallFile() { return RandomModel(kSmall).Serialize(); }

TEST(ModelFileTest, RoundTrips) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      for (const bool residual : {false, true}) {
        if (metric == Metric::kDot && residual) {
          continue;
        }
        const IvfPqModel model = RandomModel({.metric = metric,
                                              .residual = residual,
                                              .num_bits = num_bits,
                                              .num_partitions = 5,
                                              .dim = 12,
                                              .num_sub_vectors = 6});
        const Bytes bytes = model.Serialize();
        const IvfPqModel read = Value(IvfPqModel::Parse(bytes));
        EXPECT_EQ(read.fingerprint(), model.fingerprint());
        EXPECT_EQ(read.metric(), metric);
        EXPECT_EQ(read.residual(), residual);
        EXPECT_EQ(read.pq().num_bits(), num_bits);
        EXPECT_EQ(read.pq().num_sub_vectors(), 6U);
        EXPECT_EQ(std::memcmp(read.ivf().centroids().data, model.ivf().centroids().data,
                              5 * 12 * sizeof(float)),
                  0);
        EXPECT_TRUE(read.Serialize() == bytes);
      }
    }
  }
}

TEST(ModelFileTest, BytesMayLieAnywhere) {
  const Bytes bytes = SmallFile();
  for (std::size_t offset = 0; offset < 8; ++offset) {
    Bytes moved(offset);
    moved.insert(moved.end(), bytes.begin(), bytes.end());
    EXPECT_THAT(IvfPqModel::Parse(std::span(moved).subspan(offset)), Succeeds());
  }
}

/// The part of the file that a byte belongs to, as a message names it.
std::string PartOf(std::size_t byte) {
  if (byte < 8) {
    return "not a Forebay model";
  }
  if (byte < 12) {
    return "version";
  }
  if (byte < kHeaderBytes) {
    return "header";
  }
  return byte < kHeaderBytes + 3 * 4 * sizeof(float) ? "centroids" : "codewords";
}

TEST(ModelFileTest, EveryAlteredByteIsFoundAndItsPartNamed) {
  const Bytes good = SmallFile();
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const unsigned flip :
         {0x01U, 0x02U, 0x04U, 0x08U, 0x10U, 0x20U, 0x40U, 0x80U, 0xFFU, 0x55U, 0xAAU}) {
      Bytes bad = good;
      bad[i] ^= static_cast<std::byte>(flip);
      ASSERT_THAT(IvfPqModel::Parse(bad), IsCorrupt(PartOf(i))) << "byte " << i << " ^ " << flip;
    }
  }
}

TEST(ModelFileTest, EveryTruncationIsFound) {
  const Bytes good = SmallFile();
  for (std::size_t length = 0; length < good.size(); ++length) {
    const Bytes bad(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    ASSERT_THAT(IvfPqModel::Parse(bad), IsCorrupt("truncated")) << length;
    ASSERT_THAT(IvfPqModel::Parse(bad), IsCorrupt(std::to_string(length))) << length;
  }
}

TEST(ModelFileTest, ExtraBytesAreFound) {
  const Bytes good = SmallFile();
  for (const std::size_t extra : Sizes{1, 4, 64, 1000}) {
    Bytes bad = good;
    bad.resize(good.size() + extra);
    EXPECT_THAT(IvfPqModel::Parse(bad), IsCorrupt("too long")) << extra;
  }
}

TEST(ModelFileTest, OtherFilesAreNoModels) {
  EXPECT_THAT(IvfPqModel::Parse({}), IsCorrupt("truncated"));
  EXPECT_THAT(IvfPqModel::Parse(Bytes(100)), IsCorrupt("not a Forebay model"));
  EXPECT_THAT(IvfPqModel::Parse(Bytes(1000, std::byte{0xff})), IsCorrupt("not a Forebay model"));
}

/// A file whose checksums are right though its content was changed by `change`: what only a broken
/// writer makes.
Bytes Forged(const std::function<void(Bytes*)>& change) {
  Bytes bytes = SmallFile();
  change(&bytes);
  const auto put_checksum = [&bytes](std::size_t at, std::size_t begin, std::size_t length) {
    const std::uint64_t checksum = XXH3_64bits(bytes.data() + begin, length);
    std::memcpy(bytes.data() + at, &checksum, sizeof(checksum));
  };
  const std::size_t centroid_bytes = 3 * 4 * sizeof(float);
  put_checksum(40, kHeaderBytes, centroid_bytes);
  put_checksum(48, kHeaderBytes + centroid_bytes, bytes.size() - kHeaderBytes - centroid_bytes);
  put_checksum(56, 0, 56);
  return bytes;
}

template <typename T>
std::function<void(Bytes*)> Put(std::size_t at, T value) {
  return [at, value](Bytes* bytes) { std::memcpy(bytes->data() + at, &value, sizeof(value)); };
}

TEST(ModelFileTest, TheForgeryItselfIsRead) {
  EXPECT_THAT(IvfPqModel::Parse(Forged([](Bytes*) {})), Succeeds());
}

TEST(ModelFileTest, OtherVersionsAreNamed) {
  for (const std::uint32_t version : {0U, 2U, 4000000000U}) {
    EXPECT_THAT(IvfPqModel::Parse(Forged(Put(8, version))),
                IsCorrupt("has version " + std::to_string(version)));
  }
}

TEST(ModelFileTest, SizesOfNothingAreNamed) {
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(16, 0U))), IsCorrupt("dim 0"));
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(20, 0U))), IsCorrupt("num_partitions 0"));
}

TEST(ModelFileTest, ContentThatNoModelHasIsRefused) {
  const auto refused = FailsWith(StatusCode::kCorruption, "");
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(12, std::uint8_t{3}))), refused) << "metric";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(12, std::uint8_t{2}))), refused) << "residual dot";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(13, std::uint8_t{2}))), refused) << "residual";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(13, std::uint8_t{0}))), refused) << "fingerprint";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(14, std::uint8_t{5}))), refused) << "num_bits";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(14, std::uint8_t{200}))), refused) << "num_bits";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(15, std::uint8_t{1}))), refused) << "reserved";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(16, 0U))), refused) << "dim";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(16, 0xFFFFFFFFU))), refused) << "dim";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(20, 0U))), refused) << "num_partitions";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(20, 0xFFFFFFFFU))), refused) << "num_partitions";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(24, 0U))), refused) << "num_sub_vectors";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(24, 3U))), refused) << "num_sub_vectors";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(kHeaderBytes, 0x7FC00000U))), refused) << "NaN";
  EXPECT_THAT(IvfPqModel::Parse(Forged(Put(kHeaderBytes, 0.5F))), refused) << "fingerprint";
}

/// A model whose floats are written here, so that its fingerprint says whether the format or the
/// hash has changed since: then files written before are no longer readable.
TEST(ModelFileTest, TheFingerprintOfAGivenModelNeverChanges) {
  const std::vector<float> centroids = {1, 2, 3, 4, -1, -2, -3, -4, 0.5F, 0.25F, 0, -0.125F};
  std::vector<float> codebook(std::size_t{16} * 4);
  for (std::size_t i = 0; i < codebook.size(); ++i) {
    codebook[i] = static_cast<float>(i) / 8 - 3;
  }
  const IvfPqModel model =
      Value(IvfPqModel::Create(Metric::kL2, Value(IvfModel::Create({centroids.data(), 3, 4})),
                               Value(ProductQuantizer::Create(4, 2, 4, codebook)), true));
  EXPECT_EQ(model.fingerprint(), 1741203991669726412U);
  const Bytes bytes = model.Serialize();
  EXPECT_EQ(bytes.size(), kHeaderBytes + 12 * sizeof(float) + 64 * sizeof(float));
  EXPECT_EQ(XXH3_64bits(bytes.data(), bytes.size()), 16041208723942771510U);
}

}  // namespace
}  // namespace forebay
