// An index as bytes: what is written opens where it lies and answers as before, and nothing else
// opens, or answers wildly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "forebay/index.h"
#include "index/index_format.h"
#include "support/index_bytes.h"
#include "support/random_models.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay::testing {
namespace {

using Bytes = std::vector<std::byte>;

auto IsCorrupt(const std::string& part) { return FailsWith(StatusCode::kCorruption, part); }

/// How the positions of a test's rows come.
enum class Positions { kRun, kRuns, kScattered, kRunsThenScattered, kAroundTheEnd };

std::vector<std::uint64_t> MakePositions(Positions kind, std::size_t num_rows) {
  std::vector<std::uint64_t> positions(num_rows);
  for (std::size_t i = 0; i < num_rows; ++i) {
    const bool scattered = kind == Positions::kScattered ||
                           (kind == Positions::kRunsThenScattered && i >= num_rows / 3);
    positions[i] = scattered                          ? (i * 7919) % 100003
                   : kind == Positions::kAroundTheEnd ? i - num_rows / 2  // Modulo 2^64.
                   : kind == Positions::kRun          ? 1000 + i
                                                      : i + i / 10 * 200000 + 200000;
  }
  return positions;
}

struct Shape {
  ModelShape model;
  std::size_t num_rows = 0;
  Positions positions = Positions::kRun;
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << MetricName(shape.model.metric) << shape.model.num_bits
       << (shape.model.residual ? "residual" : "raw") << shape.num_rows << "rows"
       << static_cast<int>(shape.positions);
}

/// Rows in an index, in batches of growing size.
struct Filled {
  explicit Filled(const Shape& shape)
      : vectors(RandomVectors(shape.num_rows + 20, shape.model.dim, 3)),
        positions(MakePositions(shape.positions, shape.num_rows)),
        index(Value(IvfPqMemIndex::Create(RandomModel(shape.model)))) {
    for (std::size_t begin = 0, n = 1; begin < shape.num_rows; begin += n, n += 50) {
      n = std::min(n, shape.num_rows - begin);
      Value(index.Insert({.vectors = vectors.rows(begin, n),
                          .row_positions = std::span(positions).subspan(begin, n)}));
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      rows[positions[i]] = vectors.row(i);
    }
  }

  [[nodiscard]] VectorView queries() const { return vectors.rows(vectors.num_rows() - 20, 20); }
  [[nodiscard]] RawVectorLookup raw_vectors() const {
    return [this](std::span<const RowRef> refs, const float** out) {
      for (std::size_t i = 0; i < refs.size(); ++i) {
        out[i] = rows.at(refs[i].row_position);
      }
    };
  }

  Vectors vectors;
  std::vector<std::uint64_t> positions;
  std::map<std::uint64_t, const float*> rows;
  IvfPqMemIndex index;
};

class IndexBytesTest : public ::testing::TestWithParam<Shape> {};

TEST_P(IndexBytesTest, OpensAsWhatWasWritten) {
  const Filled filled(GetParam());
  for (const bool with_model : {true, false}) {
    const Bytes bytes = BytesOf(filled.index, with_model);
    const auto model = with_model ? std::nullopt : std::optional(filled.index.model());
    const IvfPqMemIndex opened = Value(OpenCopy(bytes, model));
    EXPECT_TRUE(opened.read_only());
    EXPECT_EQ(opened.model().fingerprint(), filled.index.model().fingerprint());
    ExpectSameIndex(filled.index, opened, filled.queries(), filled.raw_vectors());
    EXPECT_EQ(BytesOf(opened, with_model), bytes);
    EXPECT_THAT(IvfPqMemIndex::CheckBlocks(bytes), Succeeds());
  }
}

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      for (const bool residual : {false, true}) {
        if (metric != Metric::kDot || !residual) {
          shapes.push_back({{.metric = metric, .residual = residual, .num_bits = num_bits}, 1000});
        }
      }
    }
  }
  for (const Positions positions : {Positions::kRuns, Positions::kScattered,
                                    Positions::kRunsThenScattered, Positions::kAroundTheEnd}) {
    shapes.push_back({{.num_partitions = 3}, 3000, positions});
  }
  for (const std::size_t num_rows : Sizes{0, 1, 63, 64, 65, 128}) {
    shapes.push_back({{.num_partitions = 1}, num_rows});
    shapes.push_back({{.num_partitions = 7}, num_rows, Positions::kScattered});
  }
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(Shapes, IndexBytesTest, ::testing::ValuesIn(Shapes()),
                         ::testing::PrintToStringParamName());

TEST(IndexBytesTest, ExtremeVectorsOpenToo) {
  for (const Values values : {Values::kMixedScale, Values::kLong, Values::kTiny}) {
    Rng random(5);
    const IvfPqModel model =
        MakeModel({.values = values, .num_partitions = 4, .num_sub_vectors = 4, .sub_dim = 2});
    const std::vector<float> rows = forebay::testing::RandomVectors(values, 300, 8, &random);
    IvfPqMemIndex index = Value(IvfPqMemIndex::Create(model));
    Value(index.Insert({rows.data(), 300, 8}, 0));
    ExpectSameRows(index, Value(OpenCopy(BytesOf(index))));
  }
}

TEST(IndexBytesTest, PiecesAreSmallAndAFailureEndsThem) {
  const Filled filled({{.num_bits = 8, .num_sub_vectors = 8}, 30000});
  std::size_t num_pieces = 0;
  const auto count = [&num_pieces](std::span<const std::byte> piece) {
    EXPECT_LE(piece.size(), std::size_t{1} << 18U);
    return ++num_pieces == 1 ? Status::IoError("no room", 28) : Status::Ok();
  };
  EXPECT_THAT(filled.index.Serialize(count, true), FailsWith(StatusCode::kIoError, "no room"));
  EXPECT_EQ(num_pieces, 1U);
}

TEST(IndexBytesTest, InsertIsRefused) {
  const SmallIndex small({.num_rows = 100});
  IvfPqMemIndex opened = Value(OpenCopy(BytesOf(small.index)));
  EXPECT_THAT(opened.Insert(small.vectors.view(), 1000),
              FailsWith(StatusCode::kFailedPrecondition, "read only"));
  EXPECT_EQ(opened.size(), 100U);
  EXPECT_FALSE(small.index.read_only());
}

TEST(IndexBytesTest, MemoryThatIsMappedIsNotCounted) {
  const Filled filled({{.num_partitions = 2}, 5000, Positions::kScattered});
  const MemoryUsage usage = Value(OpenCopy(BytesOf(filled.index))).memory_usage();
  EXPECT_EQ(usage.codes + usage.ordinals + usage.vector_terms + usage.row_positions, 0U);
  EXPECT_GT(usage.partitions, 0U);
  EXPECT_LT(usage.partitions, 1000U);  // 4 bytes for each block beyond the first ones.
}

TEST(IndexBytesTest, BytesAreKeptAliveAndNotCopied) {
  const SmallIndex small;
  const AlignedBytes bytes(BytesOf(small.index));
  auto owner = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owner;
  {
    const IvfPqMemIndex opened = Value(IvfPqMemIndex::Open(bytes.view(), std::move(owner)));
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(IndexBytesTest, TheModelMustBeTheIndexes) {
  const SmallIndex small;
  const IvfPqModel other = RandomModel({.num_partitions = 16});
  const Bytes with = BytesOf(small.index, true);
  const Bytes without = BytesOf(small.index, false);
  EXPECT_LT(without.size(), with.size());
  EXPECT_THAT(OpenCopy(with, other), IsInvalid("model"));
  EXPECT_THAT(OpenCopy(with, small.index.model()), Succeeds());
  EXPECT_THAT(OpenCopy(without, other), IsInvalid("model"));
  EXPECT_THAT(OpenCopy(without), IsInvalid("no model"));
  EXPECT_THAT(OpenCopy(with, std::nullopt, {.capacity = 0}), IsInvalid("capacity"));
}

TEST(IndexBytesTest, BytesMustBeAligned) {
  const SmallIndex small;
  Bytes moved(8);
  const Bytes bytes = BytesOf(small.index);
  moved.insert(moved.end(), bytes.begin(), bytes.end());
  const AlignedBytes copy(moved);
  EXPECT_THAT(IvfPqMemIndex::Open(copy.view().subspan(8), nullptr), IsInvalid("64"));
}

// --- Damage --------------------------------------------------------------------------------------

/// Small enough to try everything on each byte.
Filled SmallFilled() {
  return Filled({{.num_partitions = 3, .dim = 4, .num_sub_vectors = 2}, 100, Positions::kRuns});
}

/// What becomes of an index with a search of every row of it.
void SearchAll(const IvfPqMemIndex& index, const Filled& filled) {
  const std::vector<std::uint64_t> words(4, 0x5555);
  for (const bool filtered : {false, true}) {
    SearchOptions options{.k = 1000, .nprobes = 3};
    if (filtered) {
      options.filter = Bitmap{words, 200};
      options.hidden_ordinals = Bitmap{words, 60};
    }
    EXPECT_THAT(index.Search(filled.queries(), options), Succeeds());
  }
  EXPECT_EQ(PositionsByOrdinal(index).size(), index.size());
}

TEST(IndexBytesTest, EveryAlteredByteIsFoundOrHarmless) {
  const Filled filled = SmallFilled();
  const Bytes good = BytesOf(filled.index);
  index::IndexHeader header;
  std::memcpy(&header, good.data(), sizeof(header));
  const std::uint64_t blocks = index::PartsOf(header, 64 * (1 + 4 + 4)).blocks;
  AlignedBytes bad(good);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU, 0x55U}) {
      bad.view()[i] = good[i] ^ static_cast<std::byte>(flip);
      const auto opened = IvfPqMemIndex::Open(bad.view(), nullptr);
      const bool in_blocks = i >= blocks && i < good.size() - sizeof(index::IndexFooter);
      if (opened.ok()) {
        SearchAll(*opened, filled);
        ASSERT_THAT(IvfPqMemIndex::CheckBlocks(bad.view()), IsCorrupt("blocks")) << i;
      }
      ASSERT_TRUE(!opened.ok() || in_blocks || i >= good.size() - 8) << "byte " << i;
      bad.view()[i] = good[i];
    }
  }
}

TEST(IndexBytesTest, EveryTruncationIsFound) {
  const Bytes good = BytesOf(SmallFilled().index);
  for (std::size_t length = 0; length < good.size(); ++length) {
    const auto bad = std::span(good).first(length);
    ASSERT_THAT(OpenCopy(bad), IsCorrupt("truncated")) << length;
    ASSERT_THAT(IvfPqMemIndex::CheckBlocks(bad), IsCorrupt("truncated")) << length;
  }
  for (const std::size_t extra : Sizes{1, 8, 64}) {
    Bytes longer = good;
    longer.resize(good.size() + extra);
    EXPECT_THAT(OpenCopy(longer), IsCorrupt("too long")) << extra;
  }
}

TEST(IndexBytesTest, OtherFilesAreNoIndexes) {
  EXPECT_THAT(OpenCopy(Bytes(100)), IsCorrupt("not a Forebay index"));
  EXPECT_THAT(OpenCopy(RandomModel({}).Serialize()), IsCorrupt("not a Forebay index"));
}

TEST(IndexBytesTest, ANewerVersionIsUnsupported) {
  Bytes bytes = BytesOf(SmallFilled().index);
  bytes[8] = std::byte{2};
  EXPECT_THAT(OpenCopy(bytes), FailsWith(StatusCode::kUnsupported, "version 2"));
}

/// A file whose checksums are right though its content was changed: what only a broken writer
/// makes.
class Forgery {
 public:
  Forgery() : bytes_(BytesOf(SmallFilled().index)) {
    std::memcpy(&header, bytes_.data(), sizeof(header));
    parts = index::PartsOf(header, 64 * (1 + 4 + 4));
  }

  template <typename T>
  Forgery& Put(std::uint64_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
    return *this;
  }

  [[nodiscard]] Result<IvfPqMemIndex> Open() {
    header.checksum = index::ChecksumOf(header);
    std::memcpy(bytes_.data(), &header, sizeof(header));
    const index::IndexFooter footer = {
        XXH3_64bits(bytes_.data() + parts.directory, parts.blocks - parts.directory),
        XXH3_64bits(bytes_.data() + parts.blocks, parts.footer - parts.blocks)};
    std::memcpy(bytes_.data() + parts.footer, &footer, sizeof(footer));
    return OpenCopy(bytes_);
  }

  index::IndexHeader header;
  index::IndexParts parts;

 private:
  Bytes bytes_;
};

TEST(IndexBytesTest, TheForgeryItselfOpens) { EXPECT_THAT(Forgery().Open(), Succeeds()); }

TEST(IndexBytesTest, HeadersOfNoIndexAreFound) {
  const auto forged = [](const std::function<void(index::IndexHeader*)>& change) {
    Forgery forgery;
    change(&forgery.header);
    return forgery.Open();
  };
  EXPECT_THAT(forged([](auto* h) { h->code_len = 0; }), IsCorrupt("code_len 0"));
  EXPECT_THAT(forged([](auto* h) { h->num_partitions = 0; }), IsCorrupt("num_partitions 0"));
  EXPECT_THAT(forged([](auto* h) { h->has_terms = 2; }), IsCorrupt("has_terms 2"));
  EXPECT_THAT(forged([](auto* h) { h->array_from = h->num_rows + 1; }), IsCorrupt("array_from"));
  EXPECT_THAT(forged([](auto* h) { h->num_blocks = ~0U; }), IsCorrupt("num_blocks"));
  EXPECT_THAT(forged([](auto* h) { h->model_bytes = ~std::uint64_t{0}; }), IsCorrupt("truncated"));
  EXPECT_THAT(forged([](auto* h) { h->code_len = ~0U; }), IsCorrupt("truncated"));
  EXPECT_THAT(forged([](auto* h) { h->num_runs = ~0U; }), IsCorrupt("truncated"));
  EXPECT_THAT(forged([](auto* h) { h->num_rows = ~0U; }), IsCorrupt("truncated"));
  EXPECT_THAT(forged([](auto* h) { ++h->model_fingerprint; }), IsCorrupt("model"));
}

TEST(IndexBytesTest, DirectoriesThatDoNotAddUpAreFound) {
  const std::uint64_t entry = sizeof(index::IndexHeader) + sizeof(index::DirectoryEntry);
  EXPECT_THAT(Forgery().Put(entry, ~0U).Open(), IsCorrupt("partition"));
  EXPECT_THAT(Forgery().Put(entry, 0U).Open(), IsCorrupt("partition"));
  EXPECT_THAT(Forgery().Put(entry + 4, 0U).Open(), IsCorrupt("partition 1"));
}

TEST(IndexBytesTest, RunsThatDoNotCoverTheRowsAreFound) {
  const std::uint64_t first_ordinal = Forgery().parts.runs + 8;
  EXPECT_THAT(Forgery().Put(first_ordinal, 1U).Open(), IsCorrupt("runs"));
  EXPECT_THAT(Forgery().Put(first_ordinal + 16, 0U).Open(), IsCorrupt("runs"));
  EXPECT_THAT(Forgery().Put(first_ordinal + 16, 21U).Open(), IsCorrupt("runs"));
  EXPECT_THAT(Forgery().Put(first_ordinal + 16 * 9, 100U).Open(), IsCorrupt("runs"));
  EXPECT_THAT(Forgery().Put(first_ordinal + 16, 11U).Open(), Succeeds());
}

TEST(IndexBytesTest, OrdinalsThatDoNotAscendAreFound) {
  const std::uint64_t ordinals = Forgery().parts.blocks + std::uint64_t{64} * (1 + 4);
  EXPECT_THAT(Forgery().Put(ordinals, 100U).Open(), IsCorrupt("partition 0"));
  EXPECT_THAT(Forgery().Put(ordinals, ~0U).Open(), IsCorrupt("partition 0"));
  EXPECT_THAT(Forgery().Put(ordinals + 4, 0U).Open(), IsCorrupt("partition 0"));
}

TEST(IndexBytesTest, TermsThatAreNotFiniteAreFound) {
  const std::uint64_t terms = Forgery().parts.blocks + 64;
  for (const float term :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(Forgery().Put(terms, term).Open(), IsCorrupt("term"));
  }
}

}  // namespace
}  // namespace forebay::testing
