#include "index/partition.h"

#include <string>

namespace forebay::index {

Status Partition::TryAppend(const CodeRows& rows) {
  if (rows.num_rows > remaining_capacity()) {
    return Status::CapacityExceeded("partition full: " + std::to_string(remaining_capacity()) +
                                    " slots left, " + std::to_string(rows.num_rows) + " needed");
  }
  Append(rows);
  return Status::Ok();
}

void Partition::Append(const CodeRows& rows) {
  if (rows.num_rows == 0) {
    return;
  }
  Reserve(rows.num_rows);
  std::size_t row = size_.LoadByWriter();
  std::size_t e = ExtentOf(row);
  for (std::size_t i = 0; i < rows.num_rows; ++i, ++row) {
    if (row == layout_.first_row(e + 1)) {
      ++e;
    }
    Write(extents_[e].get(), row - layout_.first_row(e), rows, i);
  }
  size_.StoreRelease(row);
}

void Partition::Reserve(std::size_t num_rows) {
  const std::size_t size = size_.LoadByWriter() + num_rows;
  for (std::size_t e = num_extents_.LoadByWriter(); layout_.first_row(e) < size; ++e) {
    const std::size_t rows = layout_.num_rows(e);
    auto extent = std::make_unique<Extent>();
    extent->codes = AlignedArray<std::uint8_t>(rows * layout_.code_len());
    extent->ordinals = AlignedArray<std::uint32_t>(rows);
    if (layout_.has_terms()) {
      extent->terms = AlignedArray<float>(rows);
    }
    extents_[e] = std::move(extent);
    num_extents_.StoreRelease(e + 1);
  }
}

std::size_t Partition::ExtentOf(std::size_t row) const {
  std::size_t e = 0;
  while (layout_.first_row(e + 1) <= row) {
    ++e;
  }
  return e;
}

void Partition::Write(Extent* extent, std::size_t row, const CodeRows& rows, std::size_t i) const {
  const std::size_t code_len = layout_.code_len();
  const std::size_t lane = row % simd::kBlockLanes;
  std::uint8_t* block = extent->codes.data() + (row - lane) * code_len;
  for (std::size_t j = 0; j < code_len; ++j) {
    block[j * simd::kBlockLanes + lane] = rows.codes[i * code_len + j];
  }
  extent->ordinals[row] = rows.ordinals[i];
  if (layout_.has_terms()) {
    extent->terms[row] = rows.terms[i];
  }
}

std::uint32_t Partition::OrdinalOf(std::size_t row) const {
  const std::size_t e = ExtentOf(row);
  return extents_[e]->ordinals[row - layout_.first_row(e)];
}

std::size_t Partition::SizeAt(std::uint32_t snapshot) const {
  std::size_t high = size();
  if (high == 0 || OrdinalOf(high - 1) < snapshot) {
    return high;
  }
  std::size_t low = 0;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (OrdinalOf(middle) < snapshot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::vector<std::uint8_t> Partition::RowMajorCodes(std::size_t begin, std::size_t end) const {
  const std::size_t code_len = layout_.code_len();
  std::vector<std::uint8_t> codes;
  codes.reserve((end - begin) * code_len);
  std::size_t row = 0;
  ForEachRun(end, [&](const BlockRun& run) {
    for (std::size_t lane = 0; lane < run.codes.num_lanes; ++lane, ++row) {
      const std::size_t in_block = lane % simd::kBlockLanes;
      const std::uint8_t* code = run.codes.codes + (lane - in_block) * code_len + in_block;
      for (std::size_t j = 0; j < code_len && row >= begin; ++j) {
        codes.push_back(code[j * simd::kBlockLanes]);
      }
    }
  });
  return codes;
}

std::vector<std::uint8_t> Partition::ColumnMajorCodes(std::size_t begin, std::size_t end) const {
  const std::size_t code_len = layout_.code_len();
  const std::size_t num_rows = end - begin;
  const std::vector<std::uint8_t> row_major = RowMajorCodes(begin, end);
  std::vector<std::uint8_t> codes(row_major.size());
  for (std::size_t i = 0; i < num_rows; ++i) {
    for (std::size_t j = 0; j < code_len; ++j) {
      codes[j * num_rows + i] = row_major[i * code_len + j];
    }
  }
  return codes;
}

std::vector<std::uint32_t> Partition::Ordinals(std::size_t begin, std::size_t end) const {
  std::vector<std::uint32_t> ordinals;
  ordinals.reserve(end - begin);
  std::size_t row = 0;
  ForEachRun(end, [&](const BlockRun& run) {
    for (std::size_t lane = 0; lane < run.codes.num_lanes; ++lane, ++row) {
      if (row >= begin) {
        ordinals.push_back(run.ordinals[lane]);
      }
    }
  });
  return ordinals;
}

}  // namespace forebay::index
