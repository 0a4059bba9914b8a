// Fuzzes the reader of index files: the bytes as they are, and with the checksums that belong to
// them, and the fingerprint of a model that is at hand. Whatever they are, it answers; what opens
// can be searched, and is written as what opens again.
//
//   build/asan/tests/forebay_index_fuzz tests/fuzz/corpus/index
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "index/block_layout.h"
#include "index/index_format.h"
#include "support/index_bytes.h"
#include "support/test_data.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay::testing {
namespace {

using Bytes = std::vector<std::byte>;

/// Of the corpus's indexes (tests/fuzz/make_corpus.cc).
const IvfPqModel& Model() {
  static const IvfPqModel model =
      RandomModel({.num_partitions = 2, .dim = 2, .num_sub_vectors = 2});
  return model;
}

std::uint64_t Checksum(const Bytes& bytes, std::uint64_t begin, std::uint64_t end) {
  return XXH3_64bits(bytes.data() + begin, end - begin);
}

/// With all checksums right, as far as the bytes go, and for Model().
Bytes Repaired(Bytes bytes) {
  index::IndexHeader header;
  if (bytes.size() < sizeof(header) + sizeof(index::IndexFooter)) {
    return bytes;
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.model_fingerprint = Model().fingerprint();
  header.checksum = index::ChecksumOf(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  const std::uint64_t footer = bytes.size() - sizeof(index::IndexFooter);
  const std::size_t block_bytes =
      index::BlockLayout(1, header.code_len, header.has_terms != 0).block_bytes();
  const std::uint64_t blocks =
      std::clamp(index::PartsOf(header, block_bytes).blocks, sizeof(header), footer);
  const index::IndexFooter checksums = {Checksum(bytes, sizeof(header), blocks),
                                        Checksum(bytes, blocks, footer)};
  std::memcpy(bytes.data() + footer, &checksums, sizeof(checksums));
  return bytes;
}

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void Search(const IvfPqMemIndex& index) {
  const std::size_t dim = index.model().dim();
  const std::vector<float> queries(3 * dim, 0.5F);
  const std::vector<std::uint64_t> words(4, 0x5bd1e9955bd1e995);
  const std::uint64_t positions[] = {0, 5, 1000, ~std::uint64_t{0}};
  for (const std::size_t refine_factor : {0U, 1U}) {
    SearchOptions options{.k = 20, .nprobes = 2, .refine_factor = refine_factor};
    options.raw_vectors = [&queries](std::span<const RowRef> rows, const float** out) {
      std::fill_n(out, rows.size(), queries.data());
    };
    Require(index.Search({queries.data(), 3, dim}, options).ok());
    options.filter = Bitmap{words, 250};
    options.hidden_ordinals = Bitmap{words, 100};
    Require(index.Search({queries.data(), 3, dim}, options).ok());
    options.filter = std::span<const std::uint64_t>(positions);
    options.max_row_position = 1000;
    Require(index.Search({queries.data(), 1, dim}, options).ok());
  }
}

void Check(const Bytes& bytes, const std::optional<IvfPqModel>& model) {
  (void)IvfPqMemIndex::CheckBlocks(bytes);
  const auto index = OpenCopy(bytes, model);
  if (!index.ok()) {
    return;
  }
  Search(*index);
  Require(PositionsByOrdinal(*index).size() == index->size());
  const Bytes written = BytesOf(*index);
  const auto again = OpenCopy(written);
  Require(again.ok() && BytesOf(*again) == written);
}

}  // namespace
}  // namespace forebay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace testing = forebay::testing;
  const auto given = std::as_bytes(std::span(data, size));
  const testing::Bytes bytes(given.begin(), given.end());
  testing::Check(bytes, std::nullopt);
  testing::Check(testing::Repaired(bytes), testing::Model());
  return 0;
}
