// .npy, as https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html has it.
#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "npy_header.h"
#include "vector_formats.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kVersionBytes = 2;
/// A header is a line of text; this bounds what a damaged length can make us read.
constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
/// Elements are converted in chunks of about this size.
constexpr std::size_t kConvertedBytes = std::size_t{4} << 20;

struct Layout {
  NpyHeader header;
  std::uint64_t data_offset = 0;
};

/// Little-endian, and within the file.
Result<std::uint64_t> ReadNumber(const InputFile& input, std::uint64_t offset, std::size_t size) {
  std::uint8_t bytes[sizeof(std::uint64_t)] = {};
  if (const Status read = input.ReadAt(offset, size, bytes); !read.ok()) {
    return read;
  }
  std::uint64_t number = 0;
  for (std::size_t i = size; i > 0; --i) {
    number = number << 8U | bytes[i - 1];
  }
  return number;
}

Result<Layout> ReadLayout(const fs::path& path, const InputFile& input) {
  const std::uint64_t version_offset = kMagic.size();
  const std::uint64_t length_offset = version_offset + kVersionBytes;
  char magic[kMagic.size()] = {};
  if (input.size() < length_offset + sizeof(std::uint32_t)) {
    return CorruptFile(path, fmt::format("expected a .npy file, it has {} bytes", input.size()));
  }
  if (const Status read = input.ReadAt(0, kMagic.size(), magic); !read.ok()) {
    return read;
  }
  if (std::string_view(magic, kMagic.size()) != kMagic) {
    return CorruptFile(path, "expected a .npy file, it does not begin with \\x93NUMPY");
  }
  const Result<std::uint64_t> version = ReadNumber(input, version_offset, 1);
  if (!version.ok()) {
    return version.status();
  }
  if (*version < 1 || *version > 3) {
    return CorruptFile(path, fmt::format("expected .npy version 1, 2 or 3, found {}", *version));
  }
  const std::size_t length_bytes = *version == 1 ? sizeof(std::uint16_t) : sizeof(std::uint32_t);
  const Result<std::uint64_t> length = ReadNumber(input, length_offset, length_bytes);
  if (!length.ok()) {
    return length.status();
  }
  const std::uint64_t text_offset = length_offset + length_bytes;
  if (*length > kMaxHeaderBytes || text_offset + *length > input.size()) {
    return CorruptFile(path, fmt::format("its header should have {} bytes, the file has {} in all",
                                         *length, input.size()));
  }
  std::string text(*length, '\0');
  if (const Status read = input.ReadAt(text_offset, text.size(), text.data()); !read.ok()) {
    return read;
  }
  auto header = ParseNpyHeader(text);
  if (!header) {
    return CorruptFile(path, "expected a .npy header with descr, fortran_order and shape");
  }
  return Layout{*std::move(header), text_offset + *length};
}

std::shared_ptr<arrow::DataType> ElementType(const std::string& descr) {
  return descr == "<f2"   ? arrow::float16()
         : descr == "<f4" ? arrow::float32()
         : descr == "<f8" ? arrow::float64()
                          : nullptr;
}

/// The shape must be that of vectors, and the file as long as it says.
Status CheckLayout(const fs::path& path, const Layout& layout, std::uint64_t element_bytes,
                   std::uint64_t file_bytes) {
  const NpyHeader& header = layout.header;
  if (header.shape.size() != 2) {
    return Status::InvalidArgument(
        fmt::format("{}: expected an array of 2 dimensions (rows, dimension), found {}",
                    path.string(), header.shape.size()));
  }
  if (header.fortran_order) {
    return Status::InvalidArgument(fmt::format(
        "{}: expected C order, found Fortran order; save numpy.ascontiguousarray(array)",
        path.string()));
  }
  const std::uint64_t rows = header.shape[0];
  const std::uint64_t dim = header.shape[1];
  if (rows == 0 || dim == 0) {
    return CorruptFile(path, fmt::format("expected at least one row and one dimension, found "
                                         "({}, {})",
                                         rows, dim));
  }
  if (dim > std::numeric_limits<std::int32_t>::max()) {
    return CorruptFile(path, fmt::format("expected a dimension below 2^31, found {}", dim));
  }
  const std::uint64_t data_bytes = file_bytes - layout.data_offset;
  std::uint64_t expected_bytes = 0;
  if (__builtin_mul_overflow(rows, dim, &expected_bytes) ||
      __builtin_mul_overflow(expected_bytes, element_bytes, &expected_bytes) ||
      expected_bytes != data_bytes) {
    return CorruptFile(
        path, fmt::format("expected {} x {} elements of {} bytes, found {} bytes: {}", rows, dim,
                          element_bytes, data_bytes,
                          data_bytes < expected_bytes ? "truncated" : "not as its header says"));
  }
  return Status::Ok();
}

/// Rows of an element type that is not float32, through Arrow's arrays.
Status ReadConverted(const fs::path& path, const InputFile& input, const Layout& layout,
                     const std::shared_ptr<arrow::DataType>& element, std::size_t max_rows,
                     VectorFile& file) {
  const std::size_t dim = layout.header.shape[1];
  const std::size_t row_bytes = dim * static_cast<std::size_t>(element->byte_width());
  const std::size_t num_rows = std::min<std::size_t>(layout.header.shape[0], max_rows);
  const std::size_t chunk_rows = std::max<std::size_t>(1, kConvertedBytes / row_bytes);
  const auto type = arrow::fixed_size_list(element, static_cast<std::int32_t>(dim));
  file.values.reserve(num_rows * dim);
  while (file.num_rows < num_rows) {
    const std::size_t rows = std::min(chunk_rows, num_rows - file.num_rows);
    auto allocated = arrow::AllocateBuffer(static_cast<std::int64_t>(rows * row_bytes));
    if (!allocated.ok()) {
      return FromArrow(path, allocated.status());
    }
    const std::shared_ptr<arrow::Buffer> buffer = *std::move(allocated);
    Status read = input.ReadAt(layout.data_offset + file.num_rows * row_bytes, rows * row_bytes,
                               buffer->mutable_data());
    if (!read.ok()) {
      return read;
    }
    const auto values = arrow::ArrayData::Make(element, static_cast<std::int64_t>(rows * dim),
                                               {nullptr, buffer}, 0);
    const auto lists =
        arrow::ArrayData::Make(type, static_cast<std::int64_t>(rows), {nullptr}, {values}, 0);
    Status appended = AppendVectors(path, *arrow::MakeArray(lists), num_rows, file);
    if (!appended.ok()) {
      return appended;
    }
  }
  return Status::Ok();
}

}  // namespace

Result<VectorFile> ReadNpy(const fs::path& path, const VectorFileOptions& options) {
  const Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  const Result<Layout> layout = ReadLayout(path, *input);
  if (!layout.ok()) {
    return layout.status();
  }
  const auto element = ElementType(layout->header.descr);
  if (element == nullptr) {
    return Status::InvalidArgument(
        fmt::format("{}: expected elements of '<f2', '<f4' or '<f8', found '{}'; save "
                    "array.astype('float32')",
                    path.string(), layout->header.descr));
  }
  const Status fits =
      CheckLayout(path, *layout, static_cast<std::uint64_t>(element->byte_width()), input->size());
  if (!fits.ok()) {
    return fits;
  }
  VectorFile file;
  file.dim = layout->header.shape[1];
  if (element->id() == arrow::Type::FLOAT) {
    file.num_rows = std::min<std::size_t>(layout->header.shape[0], options.max_rows);
    file.values.resize(file.num_rows * file.dim);
    const Status read =
        input->ReadAt(layout->data_offset, file.values.size() * sizeof(float), file.values.data());
    return read.ok() ? Result<VectorFile>(std::move(file)) : read;
  }
  const Status read = ReadConverted(path, *input, *layout, element, options.max_rows, file);
  return read.ok() ? Result<VectorFile>(std::move(file)) : read;
}

}  // namespace forebay::cli
