#include "table/generation.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <span>
#include <string>

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

Status OpenRows(const storage::Directory& directory, const ManifestGeneration& generation,
                const TableSchema& schema, bool verify, Source* source) {
  auto file = segment::OpenSegmentFile(directory, generation.rows, verify);
  if (!file.ok()) {
    return file.status();
  }
  const auto stored = StoredSchema(schema);
  if (!stored.ok()) {
    return stored.status();
  }
  const auto batches = segment::ReadRows(*std::move(file), **stored, verify);
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

Status OpenIndex(const storage::Directory& directory, const FileSum& sum,
                 const std::optional<IvfPqModel>& model, bool verify, Source* source) {
  auto file = segment::OpenSegmentFile(directory, sum, verify);
  if (!file.ok()) {
    return file.status();
  }
  auto index = IvfPqMemIndex::Open((*file)->bytes(), *file, model);
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

Status OpenKeys(const storage::Directory& directory, const FileSum& sum, bool verify,
                Source* source) {
  auto file = segment::OpenSegmentFile(directory, sum, verify);
  if (!file.ok()) {
    return file.status();
  }
  auto keys = segment::KeyFile::Open(*std::move(file), verify, source->rows.size());
  if (!keys.ok()) {
    return AboutFile(directory, sum, keys.status());
  }
  source->key_file = std::make_shared<const segment::KeyFile>(*std::move(keys));
  return Status::Ok();
}

Status OpenMask(const storage::Directory& directory, const FileSum& sum, bool verify,
                Source* source) {
  const auto file = segment::OpenSegmentFile(directory, sum, verify);
  if (!file.ok()) {
    return file.status();
  }
  const auto words = segment::ReadMask(**file, source->rows.size());
  if (!words.ok()) {
    return AboutFile(directory, sum, words.status());
  }
  source->Kill(RowSet::OfWords(*words).ToVector());
  return Status::Ok();
}

}  // namespace

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
  if (!writer.status().ok()) {
    RemoveGeneration(directory, content.number);
    return writer.status();
  }
  return made;
}

void RemoveGeneration(storage::Directory* directory, std::uint64_t number) {
  for (const auto part : {GenerationPart::kRows, GenerationPart::kIndex, GenerationPart::kKeys}) {
    static_cast<void>(directory->Remove(GenerationName(number, part)));
  }
}

Status CheckGenerationFiles(const storage::Directory& directory,
                            const ManifestGeneration& generation) {
  const std::vector<std::optional<FileSum>> files = {generation.rows, generation.index,
                                                     generation.keys, generation.mask};
  for (const std::optional<FileSum>& file : files) {
    if (!file.has_value()) {
      continue;
    }
    if (const auto opened = segment::OpenSegmentFile(directory, *file, true); !opened.ok()) {
      return opened.status();
    }
  }
  return Status::Ok();
}

Result<Source> OpenGeneration(const storage::Directory& directory,
                              const ManifestGeneration& generation, const TableSchema& schema,
                              const std::optional<IvfPqModel>& model, bool verify) {
  Source source = {.generation = {.number = generation.number,
                                  .row_bytes = generation.rows.num_bytes,
                                  .index_bytes = BytesOf(generation.index),
                                  .key_bytes = BytesOf(generation.keys),
                                  .mask_bytes = BytesOf(generation.mask),
                                  .model_fingerprint = generation.model_fingerprint}};
  Status status = OpenRows(directory, generation, schema, verify, &source);
  if (status.ok() && generation.index.has_value()) {
    status = OpenIndex(directory, *generation.index, model, verify, &source);
  }
  if (status.ok() && generation.keys.has_value()) {
    status = OpenKeys(directory, *generation.keys, verify, &source);
  }
  if (status.ok() && generation.mask.has_value()) {
    status = OpenMask(directory, *generation.mask, verify, &source);
  }
  return status.ok() ? Result<Source>(std::move(source)) : status;
}

}  // namespace forebay::table
