#include "table/generation.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <span>
#include <string>

#include "model/quantization_error.h"
#include "segment/key_file.h"
#include "segment/mask_file.h"
#include "segment/segment_file.h"
#include "table/arrow_status.h"
#include "table/file_names.h"

namespace forebay::table {
namespace {

using segment::FileSum;

/// The table's columns, and `_rowid`.
Result<std::shared_ptr<arrow::Schema>> StoredSchema(const TableSchema& schema) {
  auto stored = schema.arrow()->AddField(
      schema.arrow()->num_fields(), arrow::field("_rowid", arrow::uint64(), /*nullable=*/false));
  if (!stored.ok()) {
    return FromArrow(stored.status());
  }
  return *std::move(stored);
}

segment::KeyKind KindOf(const TableSchema& schema) {
  const bool text =
      schema.arrow()->field(*schema.key_column())->type()->id() == arrow::Type::STRING;
  return text ? segment::KeyKind::kString : segment::KeyKind::kInteger64;
}

Result<FileSum> WriteIndex(storage::Directory* directory, const std::string& name,
                           const IvfPqMemIndex& index) {
  auto file = segment::SegmentWriter::Create(directory, name);
  if (!file.ok()) {
    return file.status();
  }
  Status written =
      index.Serialize([&](std::span<const std::byte> bytes) { return (*file)->Append(bytes); },
                      /*with_model=*/false);
  if (!written.ok()) {
    return written;
  }
  return (*file)->Finish();
}

/// Remembers the first of its files that fails.
class Writer {
 public:
  Writer(storage::Directory* directory, std::uint64_t number)
      : directory_(directory), number_(number) {}

  /// write(name) makes the part's file.
  template <typename Write>
  FileSum Part(GenerationPart part, const Write& write) {
    const std::string name = GenerationName(number_, part);
    status_ = status_.ok() ? storage::RemoveIfThere(directory_, name) : status_;
    if (!status_.ok()) {
      return {};
    }
    Result<FileSum> sum = write(name);
    status_ = sum.status();
    return sum.ok() ? *std::move(sum) : FileSum();
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  storage::Directory* directory_;
  std::uint64_t number_;
  Status status_;
};

std::uint64_t BytesOf(const std::optional<FileSum>& file) {
  return file.has_value() ? file->num_bytes : 0;
}

Status AboutFile(const storage::Directory& directory, const FileSum& file, const Status& status) {
  return {status.code(), fmt::format("{}: {}", directory.PathOf(file.name), status.message())};
}

Status Misfit(const storage::Directory& directory, const ManifestGeneration& generation,
              const std::string& what) {
  return Status::Corruption(fmt::format("generation {}: {}; restore {} from a copy",
                                        generation.number, what,
                                        directory.PathOf(generation.rows.name)));
}

Status OpenRows(const storage::Directory& directory, const GenerationFiles& files,
                const TableSchema& schema, bool verify, Source* source) {
  const ManifestGeneration& generation = files.generation;
  const auto stored = StoredSchema(schema);
  if (!stored.ok()) {
    return stored.status();
  }
  const auto batches = segment::ReadRows(files.rows, **stored, verify);
  if (!batches.ok()) {
    return Misfit(directory, generation, batches.status().message());
  }
  auto rows = Rows::OfGeneration(*batches, schema.vector_column());
  if (!rows.ok()) {
    return Misfit(directory, generation, rows.status().message());
  }
  if (rows->size() != generation.num_rows) {
    return Misfit(
        directory, generation,
        fmt::format("it has {} rows; the manifest says {}", rows->size(), generation.num_rows));
  }
  source->rows = *std::move(rows);
  return Status::Ok();
}

Status OpenIndex(const storage::Directory& directory, const GenerationFiles& files,
                 const std::optional<IvfPqModel>& model, Source* source) {
  const FileSum& sum = *files.generation.index;
  auto index = IvfPqMemIndex::Open(files.index->bytes(), files.index, model);
  if (!index.ok()) {
    return AboutFile(directory, sum, index.status());
  }
  if (index->size() != source->rows.size()) {
    return Status::Corruption(
        fmt::format("{}: it indexes {} rows, its generation has {}; restore it from a copy",
                    directory.PathOf(sum.name), index->size(), source->rows.size()));
  }
  source->index = std::make_shared<IvfPqMemIndex>(*std::move(index));
  return Status::Ok();
}

Status OpenKeys(const storage::Directory& directory, const GenerationFiles& files, bool verify,
                Source* source) {
  auto keys = segment::KeyFile::Open(files.keys, verify, source->rows.size());
  if (!keys.ok()) {
    return AboutFile(directory, *files.generation.keys, keys.status());
  }
  source->key_file = std::make_shared<const segment::KeyFile>(*std::move(keys));
  return Status::Ok();
}

Status OpenMask(const storage::Directory& directory, const GenerationFiles& files, Source* source) {
  const auto words = segment::ReadMask(*files.mask, source->rows.size());
  if (!words.ok()) {
    return AboutFile(directory, *files.generation.mask, words.status());
  }
  source->Kill(RowSet::OfWords(*words).ToVector());
  return Status::Ok();
}

/// Calls body(what the manifest says, the mapped file, as a pointer) for each file that there is,
/// until one fails.
template <typename Files, typename Body>
Status ForEachFile(Files& files, const Body& body) {
  const ManifestGeneration& generation = files.generation;
  Status status = body(generation.rows, &files.rows);
  status = status.ok() && generation.index ? body(*generation.index, &files.index) : status;
  status = status.ok() && generation.keys ? body(*generation.keys, &files.keys) : status;
  return status.ok() && generation.mask ? body(*generation.mask, &files.mask) : status;
}

Result<ManifestGeneration> WriteGeneration(storage::Directory* directory, const TableSchema& schema,
                                           GenerationContent content) {
  const auto stored = StoredSchema(schema);
  if (!stored.ok()) {
    return stored.status();
  }
  ManifestGeneration made = {.number = content.number, .num_rows = content.num_rows};
  Writer writer(directory, content.number);
  made.rows = writer.Part(GenerationPart::kRows, [&](const std::string& name) {
    return segment::WriteRows(directory, name, *stored, content.next);
  });
  if (content.index != nullptr) {
    made.model_fingerprint = content.index->model().fingerprint();
    made.index = writer.Part(GenerationPart::kIndex, [&](const std::string& name) {
      return WriteIndex(directory, name, *content.index);
    });
  }
  if (content.keys.has_value()) {
    made.keys = writer.Part(GenerationPart::kKeys, [&](const std::string& name) {
      return segment::WriteKeys(directory, name, KindOf(schema), *std::move(content.keys));
    });
  }
  return writer.status().ok() ? Result<ManifestGeneration>(std::move(made)) : writer.status();
}

/// By a sample of its rows; nullopt without an index.
std::optional<double> QuantizationErrorOf(const Source& source) {
  if (source.index == nullptr) {
    return std::nullopt;
  }
  const IvfPqModel& model = source.index->model();
  std::vector<float> room(model.dim());
  return model::SampleQuantizationError(
      model, source.rows.size(), source.generation.number, [&](std::size_t row) {
        return source.rows.Vector(static_cast<std::uint32_t>(row), room.data());
      });
}

}  // namespace

void RemoveGeneration(storage::Directory* directory, std::uint64_t number) {
  for (const auto part : {GenerationPart::kRows, GenerationPart::kIndex, GenerationPart::kKeys}) {
    static_cast<void>(directory->Remove(GenerationName(number, part)));
  }
}

Result<std::vector<GenerationFiles>> MapGenerations(
    const storage::Directory& directory, std::span<const ManifestGeneration> generations) {
  std::vector<GenerationFiles> all;
  for (const ManifestGeneration& generation : generations) {
    all.push_back({.generation = generation});
    Status mapped = ForEachFile(all.back(), [&](const FileSum& sum, GenerationFiles::File* file) {
      auto opened = segment::OpenSegmentFile(directory, sum);
      *file = opened.ok() ? *opened : nullptr;
      return opened.status();
    });
    if (!mapped.ok()) {
      return mapped;
    }
  }
  return all;
}

Status VerifyGenerationFiles(const storage::Directory& directory, const GenerationFiles& files) {
  return ForEachFile(files, [&](const FileSum& sum, const GenerationFiles::File* file) {
    return segment::VerifySegmentFile(directory, sum, (*file)->bytes());
  });
}

Result<Source> OpenGeneration(const storage::Directory& directory, const GenerationFiles& files,
                              const TableSchema& schema, const std::optional<IvfPqModel>& model,
                              bool verify) {
  const ManifestGeneration& generation = files.generation;
  Source source = {.generation = {.number = generation.number,
                                  .row_bytes = generation.rows.num_bytes,
                                  .index_bytes = BytesOf(generation.index),
                                  .key_bytes = BytesOf(generation.keys),
                                  .mask_bytes = BytesOf(generation.mask),
                                  .model_fingerprint = generation.model_fingerprint,
                                  .quantization_error = generation.quantization_error}};
  Status status = verify ? VerifyGenerationFiles(directory, files) : Status::Ok();
  status = status.ok() ? OpenRows(directory, files, schema, verify, &source) : status;
  if (status.ok() && files.index != nullptr) {
    status = OpenIndex(directory, files, model, &source);
  }
  if (status.ok() && files.keys != nullptr) {
    status = OpenKeys(directory, files, verify, &source);
  }
  if (status.ok() && files.mask != nullptr) {
    status = OpenMask(directory, files, &source);
  }
  return status.ok() ? Result<Source>(std::move(source)) : status;
}

Result<NewGeneration> MakeGeneration(storage::Directory* directory, const TableSchema& schema,
                                     GenerationContent content,
                                     const std::optional<IvfPqModel>& model) {
  const std::uint64_t number = content.number;
  auto written = WriteGeneration(directory, schema, std::move(content));
  const auto files = written.ok() ? MapGenerations(*directory, {&*written, 1})
                                  : Result<std::vector<GenerationFiles>>(written.status());
  auto source = files.ok() ? OpenGeneration(*directory, files->front(), schema, model,
                                            /*verify=*/false)
                           : Result<Source>(files.status());
  if (!source.ok()) {
    RemoveGeneration(directory, number);
    return source.status();
  }
  source->generation.quantization_error = QuantizationErrorOf(*source);
  written->quantization_error = source->generation.quantization_error;
  return NewGeneration{*std::move(written), *std::move(source)};
}

}  // namespace forebay::table
