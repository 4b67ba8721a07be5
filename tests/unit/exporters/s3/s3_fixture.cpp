#include "tests/unit/exporters/s3/s3_fixture.h"

#include <zlib.h>
#include <zstd.h>

#include <sstream>
#include <stdexcept>

#include "exporters/s3/s3_destination.h"

namespace invlog::exporters {
namespace {

// Member after member, as zcat does it.
std::string gunzipped(const std::string& bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
    throw std::runtime_error("inflateInit2");
  }
  std::string out;
  std::string chunk(1 << 16, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk, 0, chunk.size() - stream.avail_out);
    if (result == Z_STREAM_END && stream.avail_in > 0) {
      result = inflateReset(&stream);
    }
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) {
    throw std::runtime_error("not a whole gzip file");
  }
  return out;
}

std::string zstd_decompressed(const std::string& bytes) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::string out;
  std::string chunk(1 << 17, '\0');
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  std::size_t left = 1;
  while (left != 0 && ZSTD_isError(left) == 0) {
    const std::size_t before = input.pos;
    ZSTD_outBuffer output{chunk.data(), chunk.size(), 0};
    left = ZSTD_decompressStream(context, &output, &input);
    out.append(chunk, 0, output.pos);
    if (output.pos == 0 && input.pos == before) {
      break;
    }
  }
  ZSTD_freeDCtx(context);
  if (left != 0 || input.pos != input.size) {
    throw std::runtime_error("not one whole zstd frame");
  }
  return out;
}

}  // namespace

aws::Credentials test_credentials() {
  aws::Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  credentials.source = "test";
  return credentials;
}

std::chrono::system_clock::time_point test_time() {
  return std::chrono::system_clock::time_point(std::chrono::seconds(1'790'000'100));
}

S3Options test_options() {
  S3Options options;
  options.region = "eu-central-1";
  options.bucket = "records-eu";
  return options;
}

Origin test_origin() {
  Origin origin;
  origin.store.region = "eu-central-1";
  origin.store.account_id = "111122223333";
  origin.store.host = "host-7";
  origin.instance = "00112233445566778899aabbccddeeff";
  origin.chain_head = std::string(64, 'a');
  origin.chain_segment = 9;
  return origin;
}

storage::StoredRecord test_record(std::int64_t id, std::int64_t started_at_us) {
  storage::StoredRecord stored;
  stored.id = id;
  stored.host = "host-7";
  stored.record.started_at_us = started_at_us;
  stored.record.operation = "Converse";
  stored.record.model_id = "eu.amazon.nova-2-lite-v1:0";
  stored.record.request_id = "0f9d5a3e-1c55-4d0e-9a51-" + std::to_string(100'000'000'000 + id);
  stored.record.request = {R"({"messages":[{"n":)" + std::to_string(id) + "}]}", "application/json",
                           true, false};
  stored.record.response = {R"({"output":{"n":)" + std::to_string(id) + "}}", "application/json",
                            true, false};
  return stored;
}

S3Fixture::S3Fixture(S3Options options) : destination(restarted(std::move(options))) {}

std::unique_ptr<Destination> S3Fixture::restarted(S3Options options) {
  return s3_destination(std::move(options), s3, credentials, test_time);
}

std::unique_ptr<Batch> S3Fixture::batch(const std::vector<storage::StoredRecord>& records,
                                        const std::string& plan, bool retry) {
  std::unique_ptr<Batch> batch = destination->begin(origin, plan, retry);
  for (const storage::StoredRecord& record : records) {
    if (batch->add(record) == Batch::Added::full) {
      throw std::runtime_error("the batch is full");
    }
  }
  return batch;
}

std::string decompressed(const std::string& key, const std::string& bytes) {
  if (key.ends_with(".gz")) {
    return gunzipped(bytes);
  }
  return key.ends_with(".zst") ? zstd_decompressed(bytes) : bytes;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  std::string line;
  while (std::getline(stream, line)) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace invlog::exporters
