// Fuzzes the reader of rows files. Whatever the bytes, it answers; and what it takes and finds
// valid can be printed and written again.
//
//   build/asan/tests/forebay_rows_file_fuzz tests/fuzz/corpus/rows_file
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "fuzz/rows_schema.h"
#include "segment/rows_file.h"
#include "support/faulty_directory.h"
#include "support/segment_files.h"

namespace {

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

void CheckWritesAgain(const Batches& batches) {
  forebay::FaultyDirectory directory;
  std::size_t next = 0;
  const auto written =
      forebay::segment::WriteRows(&directory, "rows", forebay::testing::RowsSchema(),
                                  [&]() -> forebay::Result<std::shared_ptr<arrow::RecordBatch>> {
                                    return next < batches.size() ? batches[next++] : nullptr;
                                  });
  Require(written.ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  const auto mapping = forebay::testing::Mapped({given.begin(), given.end()});
  for (const bool in_full : {false, true}) {
    const auto batches =
        forebay::segment::ReadRows(mapping, *forebay::testing::RowsSchema(), in_full);
    if (!batches.ok() || !in_full) {
      continue;
    }
    std::int64_t num_rows = 0;
    for (const auto& batch : *batches) {
      static_cast<void>(batch->ToString());
      num_rows += batch->num_rows();
    }
    // Batches without columns' memory (all null, say) may claim any number of rows.
    if (num_rows < 100'000) {
      CheckWritesAgain(*batches);
    }
  }
  return 0;
}
