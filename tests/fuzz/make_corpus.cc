// forebay_make_corpus: writes the files with which the fuzzers begin, the same ones each time.
//
//   build/asan/tests/forebay_make_corpus tests/fuzz/corpus
#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/ipc/writer.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/rows_schema.h"
#include "generation_parts.h"
#include "segment/key_file.h"
#include "segment/mask_file.h"
#include "segment/rows_file.h"
#include "support/faulty_directory.h"
#include "support/index_bytes.h"
#include "support/results.h"
#include "support/test_data.h"
#include "table/manifest.h"
#include "wal/checksum.h"
#include "wal/wal_format.h"
#include "wal/wal_writer.h"

namespace forebay::testing {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

void Write(const fs::path& path, std::span<const std::byte> bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

void Write(const fs::path& path, std::string_view text) {
  Write(path, std::as_bytes(std::span(text)));
}

template <typename T>
void Append(T value, std::string* text) {
  text->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// A log of records of these sizes, synced after every second one; its salt is not random.
Bytes Log(const std::vector<std::size_t>& sizes) {
  FaultyDirectory directory;
  auto writer = Value(wal::WalWriter::Create(&directory, "log", {.writer_epoch = 1}));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Bytes payload(sizes[i], static_cast<std::byte>(i + 1));
    const wal::WalRecord record = {1, i + 1, i, payload};
    if (!writer->Append({&record, 1}).ok() || (i % 2 == 1 && !writer->Sync().ok())) {
      std::abort();
    }
  }
  Bytes bytes = Value(directory.Read("log"));
  wal::FileHeader file;
  std::memcpy(&file, bytes.data(), sizeof(file));
  file.salt = 0x1234;
  file.checksum = wal::Checksum(file);
  std::memcpy(bytes.data(), &file, sizeof(file));
  for (std::size_t at = sizeof(file); at < bytes.size();) {
    wal::RecordHeader record;
    std::memcpy(&record, bytes.data() + at, sizeof(record));
    const std::size_t begin = at + sizeof(record);
    record.payload_checksum =
        wal::PayloadChecksum(std::span(bytes).subspan(begin, record.payload_bytes), file.salt);
    record.checksum = wal::Checksum(record, file.salt);
    std::memcpy(bytes.data() + at, &record, sizeof(record));
    at = begin + wal::PaddedBytes(record.payload_bytes);
  }
  return bytes;
}

void WriteLogs(const fs::path& folder) {
  Write(folder / "empty", Log({}));
  Write(folder / "one-record", Log({5}));
  Write(folder / "records", Log({0, 8, 100, 1, 16}));
  Bytes torn = Log({16, 16, 16});
  torn.resize(torn.size() - 20);
  Write(folder / "torn", torn);
}

/// What the fuzzer takes is the part after the first line.
void WriteManifests(const fs::path& folder) {
  table::Manifest manifest = {.number = 1, .writer_epoch = 1, .vector_column = "v"};
  Write(folder / "first", table::SerializeManifest(manifest));
  const auto schema =
      arrow::schema({arrow::field("id", arrow::int64()),
                     arrow::field("v", arrow::fixed_size_list(arrow::float32(), 4))});
  const auto buffer = arrow::ipc::SerializeSchema(*schema).ValueOrDie();
  const auto bytes =
      std::as_bytes(std::span(buffer->data(), static_cast<std::size_t>(buffer->size())));
  manifest = {.number = 7,
              .writer_epoch = 3,
              .schema = {bytes.begin(), bytes.end()},
              .vector_column = "v",
              .primary_key = "id",
              .metric = Metric::kCosine,
              .model_fingerprint = 0x0123456789abcdef,
              .generations = {{.number = 1,
                               .num_rows = 10,
                               .num_dead = 2,
                               .rows = {"rows", 4096, 1},
                               .index = segment::FileSum{"index", 64, 2},
                               .model_fingerprint = 0x0123456789abcdef,
                               .keys = segment::FileSum{"keys", 128, 3},
                               .mask = segment::FileSum{"mask", 70, 4}},
                              {.number = 2, .num_rows = 1, .rows = {"rows-2", 512, 5}}},
              .next_generation = 4,
              .sequence_number = 9,
              .next_row_id = 11,
              .logs = {{"wal-1", 64}, {"wal-2", 1024}}};
  const std::string text = table::SerializeManifest(manifest);
  Write(folder / "whole", text);
  Write(folder / "json", text.substr(text.find('\n') + 1));
}

/// As rows of RowsSchema.
std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<std::string>& columns) {
  arrow::ArrayVector arrays;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    arrays.push_back(arrow::json::ArrayFromJSONString(
                         RowsSchema()->field(static_cast<int>(i))->type(), columns[i])
                         .ValueOrDie());
  }
  return arrow::RecordBatch::Make(RowsSchema(), arrays[0]->length(), arrays);
}

void WriteRowsFiles(const fs::path& folder) {
  const std::vector<std::shared_ptr<arrow::RecordBatch>> batches = {
      Rows({"[1, -2]", "[[0.5, 1], null]", R"(["one", null])", R"(["a text that is long", "b"])",
            R"(["x", "y"])", "[[1, 2, 3], []]"}),
      Rows({"[3]", "[[2, 3]]", R"([""])", "[null]", R"(["z"])", "[null]"})};
  for (std::size_t count = 0; count <= batches.size(); ++count) {
    FaultyDirectory directory;
    std::size_t next = 0;
    static_cast<void>(Value(segment::WriteRows(
        &directory, "rows", RowsSchema(), [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
          return next < count ? batches[next++] : nullptr;
        })));
    Write(folder / ("batches-" + std::to_string(count)), Value(directory.Read("rows")));
  }
}

void WriteKeyFiles(const fs::path& folder) {
  for (const std::uint32_t count : {0U, 1U, 5U, 70U}) {
    FaultyDirectory directory;
    std::vector<std::pair<std::string, std::uint32_t>> integers;
    std::vector<std::pair<std::string, std::uint32_t>> strings;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::string integer;
      Append(std::uint64_t{i} * 1000, &integer);
      integers.emplace_back(integer, count - 1 - i);
      strings.emplace_back("key-" + std::string(i % 9, 'k') + std::to_string(i), i);
    }
    using enum segment::KeyKind;
    static_cast<void>(Value(WriteKeys(&directory, "integers", kInteger64, integers)));
    static_cast<void>(Value(WriteKeys(&directory, "strings", kString, strings)));
    for (const std::string name : {"integers", "strings"}) {
      Write(folder / (name + "-" + std::to_string(count)), Value(directory.Read(name)));
    }
  }
}

void WriteMaskFiles(const fs::path& folder) {
  constexpr std::uint32_t kNumRows = 200'000;
  const auto write = [&](const char* name, const std::vector<std::uint64_t>& words) {
    FaultyDirectory directory;
    static_cast<void>(Value(segment::WriteMask(&directory, "mask", words, kNumRows)));
    Write(folder / name, Value(directory.Read("mask")));
  };
  write("none", {});
  write("few", {0x8001, 0, 7});
  write("all", std::vector<std::uint64_t>(kNumRows / 64, ~std::uint64_t{0}));
  write("every-second", std::vector<std::uint64_t>(kNumRows / 64, 0x5555555555555555));
}

void WriteGenerations(const fs::path& folder) {
  const auto directory = MakeFuzzedTable();
  const auto manifest = Value(table::LoadManifest(*directory));
  const table::ManifestGeneration& generation = manifest.generations.front();
  const GenerationParts parts = {
      Value(directory->Read(generation.rows.name)), Value(directory->Read(generation.index->name)),
      Value(directory->Read(generation.keys->name)), Value(directory->Read(generation.mask->name))};
  Write(folder / "whole", Join(parts));
  // That many rows are not what the manifest says.
  const table::ManifestGeneration& newer = manifest.generations.back();
  Write(folder / "rows-of-another",
        Join({Value(directory->Read(newer.rows.name)), parts[1], parts[2], parts[3]}));
}

void WriteModels(const fs::path& folder) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const IvfPqModel model = RandomModel({.metric = metric,
                                          .residual = metric != Metric::kDot,
                                          .num_partitions = 2,
                                          .dim = 2,
                                          .num_sub_vectors = 2});
    Write(folder / MetricName(metric), model.Serialize());
  }
}

/// With the models that WriteModels writes: files of a few rows, partial and full blocks, and
/// positions of both kinds.
void WriteIndexes(const fs::path& folder) {
  const auto write = [&](const char* name, std::size_t num_rows, std::uint64_t stride,
                         const ModelShape& shape) {
    auto index = Value(IvfPqMemIndex::Create(RandomModel(shape)));
    std::vector<std::uint64_t> positions(num_rows);
    for (std::size_t i = 0; i < num_rows; ++i) {
      positions[i] = i * stride;
    }
    Value(index.Insert(
        {.vectors = RandomVectors(num_rows, shape.dim, 1).view(), .row_positions = positions}));
    Write(folder / name, BytesOf(index));
  };
  const ModelShape small = {.num_partitions = 2, .dim = 2, .num_sub_vectors = 2};
  ModelShape dot = small;
  dot.metric = Metric::kDot;
  dot.residual = false;
  write("empty", 0, 1, small);
  write("rows", 10, 3, small);
  write("run", 200, 1, small);
  write("array", 300, 5, small);
  write("dot", 100, 1, dot);
}

void WriteFvecs(const fs::path& folder) {
  for (const std::int32_t dim : {1, 3, 8}) {
    std::string text;
    for (std::int32_t row = 0; row < 4; ++row) {
      Append(dim, &text);
      for (std::int32_t i = 0; i < dim; ++i) {
        Append(static_cast<float>(row) + 0.5F * static_cast<float>(i), &text);
      }
    }
    Write(folder / ("dim-" + std::to_string(dim)), text);
  }
}

std::string Npy(char version, const std::string& header, std::size_t num_bytes) {
  std::string file = "\x93NUMPY";
  file += version;
  file += '\0';
  if (version == 1) {
    Append(static_cast<std::uint16_t>(header.size()), &file);
  } else {
    Append(static_cast<std::uint32_t>(header.size()), &file);
  }
  return file + header + std::string(num_bytes, '\x3c');
}

void WriteNpy(const fs::path& folder) {
  Write(folder / "float32",
        Npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", 24));
  Write(folder / "float16",
        Npy(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 4), }\n", 16));
  Write(folder / "float64",
        Npy(2, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }\n", 16));
  Write(folder / "header", "{'descr': '<f4', 'fortran_order': True, 'shape': (3L, 2L)}");
}

}  // namespace
}  // namespace forebay::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: forebay_make_corpus FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  forebay::testing::WriteLogs(folder / "log");
  forebay::testing::WriteManifests(folder / "manifest");
  forebay::testing::WriteGenerations(folder / "generation");
  forebay::testing::WriteModels(folder / "model");
  forebay::testing::WriteIndexes(folder / "index");
  forebay::testing::WriteFvecs(folder / "fvecs");
  forebay::testing::WriteNpy(folder / "npy");
  forebay::testing::WriteRowsFiles(folder / "rows_file");
  forebay::testing::WriteKeyFiles(folder / "key_file");
  forebay::testing::WriteMaskFiles(folder / "mask_file");
  return 0;
}
