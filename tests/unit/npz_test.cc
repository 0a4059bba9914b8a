// The reader of golden files, against archives made here byte by byte.
#include "support/npz.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::testing {
namespace {

// Version 1 of the format: magic, version, u16 length of the header, header, data.
std::string Npy(std::string_view header, std::string_view data) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file += data;
  return file;
}

std::string Npy(std::string_view descr, std::string_view shape, std::string_view data) {
  return Npy("{'descr': '" + std::string(descr) +
                 "', 'fortran_order': False, 'shape': " + std::string(shape) + ", }          \n",
             data);
}

template <class T>
std::string Bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

struct Member {
  std::string name;
  std::string bytes;
};

class NpzTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = ::testing::TempDir() + "forebay_npz_" + test->name() + ".npz";
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  NpzFile Open(const std::vector<Member>& members, zip_int32_t compression = ZIP_CM_DEFLATE) {
    zip_t* archive = zip_open(path_.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    EXPECT_NE(archive, nullptr);
    for (const Member& member : members) {
      // libzip reads the bytes in zip_close.
      zip_source_t* source =
          zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
      const zip_int64_t index = zip_file_add(archive, member.name.c_str(), source, 0);
      EXPECT_GE(index, 0);
      EXPECT_EQ(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), compression, 0),
                0);
    }
    EXPECT_EQ(zip_close(archive), 0);
    return NpzFile(path_);
  }

  template <class T>
  void ExpectFailure(const NpzFile& file, const std::string& name, const std::string& message) {
    try {
      (void)file.Read<T>(name);
      ADD_FAILURE() << "no failure; expected: " << message;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path_ + ": " + name), std::string::npos)
          << error.what();
    }
  }

  std::string path_;
};

using Shape = std::vector<std::size_t>;

TEST_F(NpzTest, ReadsEachTypeWithItsShape) {
  const std::vector<float> floats{1.5F, -2.0F, 0.0F, 1e-30F, 3.0F, 4.0F};
  const std::vector<std::uint32_t> words{7, 4'000'000'000};
  const std::vector<std::uint8_t> bytes{0, 255, 16};
  const std::vector<double> doubles{0.1};
  const std::vector<std::int64_t> longs{-1, std::int64_t{1} << 40};
  const NpzFile file = Open({{"floats.npy", Npy("<f4", "(2, 3)", Bytes(floats))},
                             {"words.npy", Npy("<u4", "(2,)", Bytes(words))},
                             {"bytes.npy", Npy("|u1", "(1, 3, 1)", Bytes(bytes))},
                             {"scalar.npy", Npy("<f8", "()", Bytes(doubles))},
                             {"longs.npy", Npy("<i8", "(2,)", Bytes(longs))},
                             {"empty.npy", Npy("<f4", "(0, 3)", "")},
                             {"readme.txt", "no array"}});
  EXPECT_EQ(file.Names(),
            (std::vector<std::string>{"floats", "words", "bytes", "scalar", "longs", "empty"}));
  EXPECT_EQ(file.Read<float>("floats").shape, (Shape{2, 3}));
  EXPECT_EQ(file.Read<float>("floats").data, floats);
  EXPECT_EQ(file.Read<std::uint32_t>("words").shape, Shape{2});
  EXPECT_EQ(file.Read<std::uint32_t>("words").data, words);
  EXPECT_EQ(file.Read<std::uint8_t>("bytes").shape, (Shape{1, 3, 1}));
  EXPECT_EQ(file.Read<std::uint8_t>("bytes").data, bytes);
  EXPECT_EQ(file.Read<double>("scalar").shape, Shape{});
  EXPECT_EQ(file.Read<double>("scalar").data, doubles);
  EXPECT_EQ(file.Read<std::int64_t>("longs").data, longs);
  EXPECT_EQ(file.Read<float>("empty").shape, (Shape{0, 3}));
  EXPECT_TRUE(file.Read<float>("empty").data.empty());
}

TEST_F(NpzTest, ReadsUncompressedArchives) {
  const std::vector<float> values{1.0F, 2.0F};
  const NpzFile file = Open({{"a.npy", Npy("<f4", "(2,)", Bytes(values))}}, ZIP_CM_STORE);
  EXPECT_EQ(file.Read<float>("a").data, values);
}

TEST_F(NpzTest, ReadsVersionTwoHeaders) {
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
  std::string bytes("\x93NUMPY\x02\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += std::string(3, '\0') + header + '\x2a';
  const NpzFile file = Open({{"a.npy", bytes}});
  EXPECT_EQ(file.Read<std::uint8_t>("a").data, std::vector<std::uint8_t>{42});
}

TEST_F(NpzTest, ChecksTheType) {
  const NpzFile file = Open({{"floats.npy", Npy("<f4", "(1,)", std::string(4, '\0'))},
                             {"big_endian.npy", Npy(">f4", "(1,)", std::string(4, '\0'))},
                             {"text.npy", Npy("<U1", "(1,)", std::string(4, '\0'))},
                             {"nameless.npy", Npy("", "(1,)", "")}});
  ExpectFailure<double>(file, "floats", "expected type f8, the file has f4");
  ExpectFailure<std::uint32_t>(file, "floats", "expected type u4, the file has f4");
  ExpectFailure<std::int32_t>(file, "floats", "expected type i4, the file has f4");
  ExpectFailure<float>(file, "big_endian", "'>f4' is not little-endian");
  ExpectFailure<std::uint32_t>(file, "text", "expected type u4, the file has U1");
  ExpectFailure<float>(file, "nameless", "type ''");
}

TEST_F(NpzTest, ChecksTheShape) {
  const std::string order = "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }";
  const NpzFile file = Open({{"short.npy", Npy("<f4", "(3,)", std::string(8, '\0'))},
                             {"long.npy", Npy("<f4", "(1,)", std::string(8, '\0'))},
                             {"huge.npy", Npy("<f4", "(4294967296, 4294967296)", "")},
                             {"negative.npy", Npy("<f4", "(-1,)", "")},
                             {"list.npy", Npy("<f4", "[1]", std::string(4, '\0'))},
                             {"column_major.npy", Npy(order, std::string(4, '\0'))}});
  ExpectFailure<float>(file, "short", "8 bytes of data do not fit shape (3,) of f4");
  ExpectFailure<float>(file, "long", "8 bytes of data do not fit shape (1,) of f4");
  ExpectFailure<float>(file, "huge", "0 bytes of data do not fit");
  ExpectFailure<float>(file, "negative", "not a number");
  ExpectFailure<float>(file, "list", "not a tuple");
  ExpectFailure<float>(file, "column_major", "column-major");
}

TEST_F(NpzTest, ReportsWhatIsNotNpy) {
  const std::string good = Npy("<f4", "(1,)", std::string(4, '\0'));
  std::vector<Member> members{{"other.npy", "PK"}, {"keyless.npy", Npy("{}", "")}};
  for (const std::size_t length : {7U, 9U, 40U}) {
    members.push_back({"cut" + std::to_string(length) + ".npy", good.substr(0, length)});
  }
  const NpzFile file = Open(members);
  ExpectFailure<float>(file, "missing", "No such file");
  ExpectFailure<float>(file, "other", "does not begin with");
  ExpectFailure<float>(file, "keyless", "its header has no 'descr':");
  ExpectFailure<float>(file, "cut7", "ends before its version");
  ExpectFailure<float>(file, "cut9", "ends before its header");
  ExpectFailure<float>(file, "cut40", "ends within its header");
}

TEST_F(NpzTest, ReportsWhatIsNotAnArchive) {
  EXPECT_THROW(NpzFile{path_}, std::runtime_error);
  std::ofstream(path_) << "neither zip nor npz";
  EXPECT_THROW(NpzFile{path_}, std::runtime_error);
}

TEST_F(NpzTest, DetectsDamagedData) {
  const std::vector<float> values(100, 1.0F);
  Open({{"a.npy", Npy("<f4", "(100,)", Bytes(values))}}, ZIP_CM_STORE);
  std::fstream raw(path_, std::ios::in | std::ios::out | std::ios::binary);
  raw.seekp(300);
  raw.put('\x55');
  raw.close();
  ExpectFailure<float>(NpzFile(path_), "a", "CRC");
}

}  // namespace
}  // namespace forebay::testing
