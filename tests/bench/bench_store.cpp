// What the store costs: size against raw bodies and gzip, CPU of the writer against gzip, records
// per second, time to read a body, time of a GROUP BY. Each name on the command line is one
// measurement and prints one JSON object a line:
//   bench_store tau|coding8|coding32|small|read|usage|write-tau|write-coding8 ...
//
// gzip is zlib's level 6 over batches of 5 MB of the same bodies, AWS's own form of delivery. CPU
// is the clock of the threads that do the work: the writer's is the process's less the submitting
// thread's, so generating the corpus does not count. The coding corpus is generated (text_of_code)
// so that gzip -6 on its single calls does what it does on real ones, about 4x.
#include <simdjson.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <future>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/json_writer.h"
#include "storage/reader.h"
#include "storage/verify.h"
#include "storage/writer.h"

namespace {

using namespace invlog::storage;
namespace fs = std::filesystem;

double cpu_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class ReadyRecord : public PendingRecord {
 public:
  explicit ReadyRecord(Record record) : record_(std::move(record)) {}
  std::size_t memory_bytes() const override { return record_.memory_bytes(); }
  Record build() override { return std::move(record_); }

 private:
  Record record_;
};

// zlib level 6 over batches of 5 MB; of many batches every `sample`-th is compressed, and the rest
// taken to be like it.
class GzipBatches {
 public:
  explicit GzipBatches(int sample) : sample_(sample) {}

  void add(const std::string& bytes) {
    batch_ += bytes;
    if (batch_.size() >= 5'000'000) {
      flush();
    }
  }
  void flush() {
    if (batch_.empty()) {
      return;
    }
    if (batches_++ % sample_ == 0) {
      const double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
      z_stream stream{};
      deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
      std::string out(deflateBound(&stream, batch_.size()), '\0');
      stream.next_in = reinterpret_cast<Bytef*>(batch_.data());
      stream.avail_in = static_cast<uInt>(batch_.size());
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      deflate(&stream, Z_FINISH);
      compressed_ += stream.total_out;
      deflateEnd(&stream);
      raw_ += batch_.size();
      cpu_ += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    batch_.clear();
  }
  double ratio() const { return static_cast<double>(raw_) / static_cast<double>(compressed_); }
  double cpu_per_byte() const { return cpu_ / static_cast<double>(raw_); }

 private:
  int sample_;
  int batches_ = 0;
  std::string batch_;
  std::uint64_t raw_ = 0, compressed_ = 0;
  double cpu_ = 0;
};

// One call as the application and the service would have exchanged it.
struct Call {
  std::string request, response;
};
using Corpus = std::function<bool(Call&)>;  // false: no more

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string converse_response(const std::string& message, int input_tokens, int output_tokens) {
  return R"({"output":{"message":)" + message +
         R"(},"stopReason":"tool_use","metrics":{"latencyMs":)" +
         std::to_string(800 + output_tokens * 9) + R"(},"usage":{"inputTokens":)" +
         std::to_string(input_tokens) + R"(,"outputTokens":)" + std::to_string(output_tokens) +
         R"(,"totalTokens":)" + std::to_string(input_tokens + output_tokens) + "}}";
}

// Text that compresses about as program text does: lines from a grammar over identifiers of
// Zipf-like frequency.
class CodeText {
 public:
  explicit CodeText(std::uint64_t seed) : random_(seed) {
    static const char* const stems[] = {
        "parse", "index",  "buffer",  "config", "session", "token",  "result", "value",
        "node",  "client", "handler", "record", "queue",   "stream", "state",  "error",
        "path",  "cache",  "widget",  "schema", "column",  "filter", "event",  "policy"};
    for (int i = 0; i < 20000; ++i) {
      std::string name = stems[random_() % std::size(stems)];
      name += random_() % 2 != 0 ? "_" : "";
      name += stems[random_() % std::size(stems)];
      if (random_() % 3 == 0) {
        name += "_" + std::to_string(random_() % 1000);
      }
      names_.push_back(name);
    }
  }

  std::string text(std::size_t size) {
    std::string out;
    while (out.size() < size) {
      out.append(4 * (random_() % 4), ' ');
      switch (random_() % 7) {
        case 0:
          out += "def " + name() + "(self, " + name() + ", " + name() + "=None):\n";
          break;
        case 1:
          out += name() + " = self." + name() + "." + name() + "(" + name() + ")\n";
          break;
        case 2:
          out += "if " + name() + " is not None and " + name() + " > " + number() + ":\n";
          break;
        case 3:
          out += "return " + name() + "[" + number() + "]." + name() + "\n";
          break;
        case 4:
          out += "# " + name() + " is kept while the " + name() + " of " + name() + " changes\n";
          break;
        case 5:
          out +=
              "raise ValueError(f\"" + name() + " {" + name() + "!r} at line " + number() + "\")\n";
          break;
        default:
          out += "for " + name() + " in sorted(" + name() + ".items()):\n";
      }
    }
    return out;
  }

 private:
  const std::string& name() {
    const double uniform = static_cast<double>(random_() % 1'000'000) / 1e6;
    return names_[static_cast<std::size_t>(uniform * uniform * uniform *
                                           static_cast<double>(names_.size()))];
  }
  std::string number() { return std::to_string(random_() % 2000); }

  std::mt19937_64 random_;
  std::vector<std::string> names_;
};

std::string tool_schemas(CodeText& text, int count, std::size_t description_bytes) {
  std::string out = R"("toolConfig":{"tools":[)";
  for (int i = 0; i < count; ++i) {
    out += i == 0 ? "" : ",";
    out +=
        R"({"toolSpec":{"name":"tool_)" + std::to_string(i) + R"(","description":)" +
        json_string(text.text(description_bytes)) +
        R"(,"inputSchema":{"json":{"type":"object","properties":{"path":{"type":"string","description":)" +
        json_string(text.text(120)) + R"(},"limit":{"type":"integer"}},"required":["path"]}}}})";
  }
  return out + "]}";
}

// A coding agent: conversations that grow by a tool call and its result each turn, from nothing to
// about twice the mean, with the system prompt and 12 tool schemas behind the messages.
Corpus coding_corpus(int conversations, int calls) {
  struct Conversation {
    std::string messages;
    std::size_t limit = 0;
    std::string next_user;
  };
  struct State {
    CodeText text{7};
    std::mt19937_64 random{11};
    std::vector<Conversation> open;
    std::string tail;
    int left = 0;
    std::size_t turn = 0;
  };
  auto state = std::make_shared<State>();
  state->open.resize(static_cast<std::size_t>(conversations));
  state->left = calls;
  state->tail = R"(],"system":[{"text":)" + json_string(state->text.text(12'000)) +
                R"(}],"inferenceConfig":{"maxTokens":8192},)" +
                tool_schemas(state->text, 12, 1'500) + "}";
  // They are met in the middle of their lives, as an agent that starts would.
  const auto start = [state](Conversation& conversation, bool anywhere) {
    conversation.messages =
        R"({"role":"user","content":[{"text":)" + json_string(state->text.text(1500)) + "}]}";
    conversation.limit = 400'000 + state->random() % 100'000;
    const std::size_t length = anywhere ? state->random() % conversation.limit : 0;
    while (conversation.messages.size() < length) {
      conversation.messages +=
          R"(,{"role":"user","content":[{"text":)" + json_string(state->text.text(4000)) + "}]}";
    }
  };
  for (Conversation& conversation : state->open) {
    start(conversation, true);
  }
  return [state, start](Call& call) {
    if (state->left-- == 0) {
      return false;
    }
    Conversation& conversation = state->open[state->turn++ % state->open.size()];
    call.request = R"({"messages":[)" + conversation.messages + state->tail;
    const std::string use = "tooluse_" + std::to_string(state->random());
    const std::string answer = R"({"role":"assistant","content":[{"text":)" +
                               json_string(state->text.text(200 + state->random() % 600)) +
                               R"(},{"toolUse":{"toolUseId":")" + use + R"(","name":"tool_)" +
                               std::to_string(state->random() % 12) + R"(","input":{"path":)" +
                               json_string(state->text.text(60)) + "}}}]}";
    call.response = converse_response(answer, static_cast<int>(call.request.size() / 4), 150);
    conversation.messages +=
        "," + answer + R"(,{"role":"user","content":[{"toolResult":{"toolUseId":")" + use +
        R"(","content":[{"text":)" +
        json_string(state->text.text(state->random() % 10 < 7 ? 100 + state->random() % 1400
                                                              : 2000 + state->random() % 6000)) +
        "}]}}]}";
    if (conversation.messages.size() > conversation.limit) {
      start(conversation, false);
    }
    return true;
  };
}

// tau-bench's real transcripts as the Converse calls that an agent would have made, 8 of them
// interleaved.
std::string tau_path() {
  const char* shared = std::getenv("INVLOG_SHARED");
  return std::string(shared != nullptr ? shared : "../shared") + "/corpora/tau-airline.json";
}

std::string tau_message(simdjson::dom::element message, bool& assistant) {
  const std::string_view role = message["role"];
  std::string_view content;
  if (message["content"].get(content) != simdjson::SUCCESS) {
    content = "";
  }
  assistant = role == "assistant";
  std::string out =
      std::string(R"({"role":")") + (assistant ? "assistant" : "user") + R"(","content":[)";
  if (role == "tool") {
    const std::string_view id = message["tool_call_id"];
    return out + R"({"toolResult":{"toolUseId":)" + json_string(id) + R"(,"content":[{"text":)" +
           json_string(content) + R"(}],"status":"success"}}]})";
  }
  out += content.empty() ? "" : R"({"text":)" + json_string(content) + "}";
  simdjson::dom::array calls;
  if (message["tool_calls"].get(calls) == simdjson::SUCCESS) {
    for (const simdjson::dom::element call : calls) {
      out += out.back() == '}' ? "," : "";
      const std::string_view arguments = call["function"]["arguments"],
                             name = call["function"]["name"], id = call["id"];
      out += R"({"toolUse":{"toolUseId":)" + json_string(id) + R"(,"name":)" + json_string(name) +
             R"(,"input":)" + std::string(arguments) + "}}";
    }
  }
  return out + "]}";
}

Corpus tau_corpus() {
  simdjson::dom::parser parser;
  const simdjson::dom::array transcripts = parser.load(tau_path()).get_array();
  std::vector<std::vector<Call>> conversations;
  CodeText text(3);
  const std::string tools = tool_schemas(text, 12, 500);
  for (const simdjson::dom::element transcript : transcripts) {
    std::string messages, system;
    std::vector<Call> calls;
    for (const simdjson::dom::element message : transcript["traj"].get_array()) {
      if (std::string_view(message["role"]) == "system") {
        system = json_string(std::string_view(message["content"]));
        continue;
      }
      bool assistant = false;
      const std::string converted = tau_message(message, assistant);
      if (assistant) {
        calls.push_back({R"({"messages":[)" + messages + R"(],"system":[{"text":)" + system +
                             R"(}],"inferenceConfig":{"maxTokens":4096,"temperature":0.0},)" +
                             tools + "}",
                         converse_response(converted, static_cast<int>(messages.size() / 4),
                                           static_cast<int>(converted.size() / 4))});
      }
      messages += (messages.empty() ? "" : ",") + converted;
    }
    conversations.push_back(std::move(calls));
  }
  auto ordered = std::make_shared<std::vector<Call>>();
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t first = 0; first < conversations.size(); first += kAtOnce) {
    bool any = true;
    for (std::size_t turn = 0; any; ++turn) {
      any = false;
      for (std::size_t i = first; i < std::min(first + kAtOnce, conversations.size()); ++i) {
        if (turn < conversations[i].size()) {
          ordered->push_back(std::move(conversations[i][turn]));
          any = true;
        }
      }
    }
  }
  return [ordered, next = std::size_t{0}](Call& call) mutable {
    if (next == ordered->size()) {
      return false;
    }
    call = std::move((*ordered)[next++]);
    return true;
  };
}

std::string uuid(std::mt19937_64& random) {
  char text[40];
  const std::uint64_t a = random(), b = random();
  std::snprintf(text, sizeof(text), "%08x-%04x-4%03x-%04x-%012llx", static_cast<unsigned>(a >> 32),
                static_cast<unsigned>(a >> 16 & 0xffff), static_cast<unsigned>(a & 0xfff),
                static_cast<unsigned>((b >> 48 & 0x3fff) | 0x8000),
                static_cast<unsigned long long>(b & 0xffffffffffff));
  return text;
}

// All columns that a real call fills.
Record record_of(Call call, std::mt19937_64& random, std::int64_t& now_us) {
  static const char* const models[] = {
      "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.amazon.nova-2-lite-v1:0",
      "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.amazon.nova-pro-v1:0"};
  now_us += 20'000 + static_cast<std::int64_t>(random() % 50'000);
  Record record;
  record.started_at_us = now_us;
  record.duration_us = 500'000 + static_cast<std::int64_t>(random() % 9'000'000);
  record.first_byte_us = 200'000 + static_cast<std::int64_t>(random() % 900'000);
  record.operation = random() % 2 == 0 ? "Converse" : "ConverseStream";
  record.stream = record.operation == "ConverseStream";
  record.model_id = models[random() % std::size(models)];
  record.profile = record.model_id;
  record.scope = "geographic";
  record.decision = "allow";
  record.request_id = uuid(random);
  record.sdk_invocation_id = uuid(random);
  record.outcome = "complete";
  record.status = 200;
  record.stop_reason = "tool_use";
  record.input_tokens = static_cast<std::int64_t>(call.request.size() / 4);
  record.output_tokens = static_cast<std::int64_t>(call.response.size() / 5);
  record.cache_read_tokens = static_cast<std::int64_t>(call.request.size() / 5);
  record.cache_write_tokens = static_cast<std::int64_t>(random() % 3000);
  record.identity_arn = "arn:aws:sts::111122223333:assumed-role/agents/host-7";
  record.caller = "agents";
  record.caller_executable = "/usr/bin/python3.11";
  record.caller_pid = 1000 + static_cast<std::int64_t>(random() % 60000);
  record.request = {std::move(call.request), "application/json", true, false};
  record.response = {std::move(call.response), "application/json", true, false};
  return record;
}

struct Written {
  std::uint64_t records = 0, raw = 0, file = 0;
  double writer_cpu = 0, seconds = 0;
};

std::uint64_t store_bytes(const fs::path& path) {
  std::uint64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    const fs::path file = path.string() + suffix;
    bytes += fs::exists(file) ? fs::file_size(file) : 0;
  }
  return bytes;
}

Written write_store(const fs::path& path, const Corpus& corpus, GzipBatches* gzip) {
  WriterOptions options;
  options.path = path;
  options.region = "eu-central-1";
  options.account_id = "111122223333";
  options.host = "bench";
  std::mt19937_64 random(5);
  std::int64_t now_us = 1'790'000'000'000'000;
  Written written;
  const double process_before = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double own_before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const double started = wall_seconds();
  Writer writer(options);
  for (Call call; corpus(call);) {
    written.raw += call.request.size() + call.response.size();
    ++written.records;
    if (gzip != nullptr) {
      gzip->add(call.request);
      gzip->add(call.response);
    }
    std::unique_ptr<PendingRecord> pending =
        std::make_unique<ReadyRecord>(record_of(std::move(call), random, now_us));
    while (writer.submit(pending) != Submitted::queued) {
      std::promise<void> room;
      writer.when_room([&room] { room.set_value(); });
      room.get_future().wait();
    }
  }
  writer.stop(std::chrono::seconds(60));
  if (writer.status().failing || writer.status().committed != written.records) {
    throw std::runtime_error("the writer failed: " + writer.status().last_error);
  }
  written.seconds = wall_seconds() - started;
  written.writer_cpu = (cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process_before) -
                       (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - own_before);
  written.file = store_bytes(path);
  return written;
}

// A directory that goes away with it.
struct Directory {
  Directory() {
    std::string name = fs::temp_directory_path() / "invlog-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("cannot create " + name);
    }
    path = name;
  }
  ~Directory() { fs::remove_all(path); }
  fs::path path;
};

void bench_size(const std::string& name, const Corpus& corpus, int gzip_sample) {
  const Directory directory;
  GzipBatches gzip(gzip_sample);
  const Written written = write_store(directory.path / "eu-central-1.db", corpus, &gzip);
  gzip.flush();
  const VerifyReport report = verify_store(directory.path / "eu-central-1.db", {});
  const double ratio = static_cast<double>(written.raw) / static_cast<double>(written.file);
  const double cpu_per_byte = written.writer_cpu / static_cast<double>(written.raw);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"name\":\"%s\",\"records\":%llu,\"raw_bytes\":%llu,\"bytes_per_call\":%.0f,\"file_bytes\":"
      "%llu,"
      "\"ratio\":%.1f,\"gzip_ratio\":%.2f,\"times_smaller_than_gzip\":%.1f,\"writer_cpu_seconds\":%"
      ".3f,"
      "\"writer_mb_per_cpu_second\":%.0f,\"gzip_mb_per_cpu_second\":%.1f,\"cpu_share_of_gzip\":%."
      "4f,"
      "\"max_resident_kb\":%ld,\"problems\":%zu}\n",
      name.c_str(), static_cast<unsigned long long>(written.records),
      static_cast<unsigned long long>(written.raw),
      static_cast<double>(written.raw) / static_cast<double>(written.records),
      static_cast<unsigned long long>(written.file), ratio, gzip.ratio(), ratio / gzip.ratio(),
      written.writer_cpu, 1e-6 / cpu_per_byte, 1e-6 / gzip.cpu_per_byte(),
      cpu_per_byte / gzip.cpu_per_byte(), usage.ru_maxrss, report.problems.size());
}

// Records of `request` and `response` bytes of text that no other has.
Corpus small_corpus(int records, std::size_t request, std::size_t response) {
  auto text = std::make_shared<std::string>(CodeText(17).text(4 << 20));
  auto random = std::make_shared<std::mt19937_64>(23);
  return [=, left = records](Call& call) mutable {
    if (left-- == 0) {
      return false;
    }
    const auto piece = [&](std::size_t size) {
      return std::string_view(*text).substr((*random)() % (text->size() - size), size);
    };
    call.request = R"({"messages":[{"role":"user","content":[{"text":)" +
                   json_string(piece(request)) + "}]}]}";
    call.response = converse_response(
        R"({"role":"assistant","content":[{"text":)" + json_string(piece(response)) + "}]}",
        static_cast<int>(request / 4), static_cast<int>(response / 4));
    return true;
  };
}

void bench_small() {
  const Directory directory;
  const Written written =
      write_store(directory.path / "eu-central-1.db", small_corpus(200'000, 1300, 450), nullptr);
  std::printf(
      "{\"name\":\"small\",\"records\":%llu,\"bytes_per_call\":%.0f,\"records_per_second\":%.0f,"
      "\"writer_cpu_us_per_record\":%.1f,\"file_bytes_per_record\":%.0f}\n",
      static_cast<unsigned long long>(written.records),
      static_cast<double>(written.raw) / static_cast<double>(written.records),
      static_cast<double>(written.records) / written.seconds,
      written.writer_cpu / static_cast<double>(written.records) * 1e6,
      static_cast<double>(written.file) / static_cast<double>(written.records));
}

struct Percentiles {
  double p50, p95, worst;
};

// A new reader for each body, so that nothing of the segment is decoded yet.
Percentiles read_times(const fs::path& path, std::uint64_t records, int reads) {
  std::mt19937_64 random(31);
  std::vector<double> times;
  for (int i = 0; i < reads; ++i) {
    auto reader = Reader::open(path);
    if (!reader) {
      throw std::runtime_error(reader.error());
    }
    const auto id = static_cast<std::int64_t>(1 + random() % records);
    const double before = wall_seconds();
    const auto stored = (*reader)->find(id, Bodies::both);
    times.push_back((wall_seconds() - before) * 1000);
    if (!stored || stored->record.request.bytes.empty()) {
      throw std::runtime_error("a body was not read");
    }
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[times.size() * 95 / 100], times.back()};
}

void bench_read() {
  const Directory directory;
  const fs::path coding = directory.path / "coding.db", small = directory.path / "small.db";
  const Written first = write_store(coding, coding_corpus(8, 6000), nullptr);
  const Written second = write_store(small, small_corpus(60'000, 1300, 450), nullptr);
  const Percentiles of_coding = read_times(coding, first.records, 500);
  const Percentiles of_small = read_times(small, second.records, 500);
  std::printf(
      "{\"name\":\"read\",\"coding_p50_ms\":%.2f,\"coding_p95_ms\":%.2f,\"coding_max_ms\":%.2f,"
      "\"small_p50_ms\":%.2f,\"small_p95_ms\":%.2f,\"small_max_ms\":%.2f}\n",
      of_coding.p50, of_coding.p95, of_coding.worst, of_small.p50, of_small.p95, of_small.worst);
}

double query_seconds(sqlite3* connection, const char* sql) {
  const double before = wall_seconds();
  char* error = nullptr;
  if (sqlite3_exec(
          connection, sql, [](void*, int, char**, char**) { return 0; }, nullptr, &error) !=
      SQLITE_OK) {
    throw std::runtime_error(error);
  }
  return wall_seconds() - before;
}

void bench_usage() {
  const Directory directory;
  // Kept for `invlog usage`, if tests/bench/run says where.
  const char* kept = std::getenv("INVLOG_BENCH_USAGE_STORE");
  const fs::path path = kept != nullptr ? fs::path(kept) : directory.path / "eu-central-1.db";
  const Written written = write_store(path, small_corpus(1'000'000, 60, 20), nullptr);
  const auto reader = Reader::open(path);
  const double table = query_seconds(
      (*reader)->connection(),
      "SELECT (SELECT text FROM label WHERE id = model), calls, input, output, "
      "cache_read, cache_write FROM (SELECT model, count(*) AS calls, sum(input_tokens) "
      "AS input, sum(output_tokens) AS output, sum(cache_read_tokens) AS cache_read, "
      "sum(cache_write_tokens) AS cache_write FROM record GROUP BY model)");
  const double view = query_seconds(
      (*reader)->connection(),
      "SELECT model, count(*), sum(input_tokens), sum(output_tokens), "
      "sum(cache_read_tokens), sum(cache_write_tokens) FROM invocations GROUP BY model");
  std::printf(
      "{\"name\":\"usage\",\"records\":%llu,\"by_model_seconds\":%.3f,\"by_model_view_seconds\":%."
      "3f,"
      "\"records_per_second\":%.0f,\"file_bytes_per_record\":%.0f}\n",
      static_cast<unsigned long long>(written.records), table, view,
      static_cast<double>(written.records) / written.seconds,
      static_cast<double>(written.file) / static_cast<double>(written.records));
}

// A store for tests/bench/export_measures.py, which says where.
void write_kept_store(const std::string& name, const Corpus& corpus) {
  const char* path = std::getenv("INVLOG_BENCH_STORE");
  if (path == nullptr) {
    throw std::runtime_error(name + ": set INVLOG_BENCH_STORE to the store to write");
  }
  const Written written = write_store(path, corpus, nullptr);
  std::printf("{\"name\":\"%s\",\"records\":%llu,\"raw_bytes\":%llu,\"file_bytes\":%llu}\n",
              name.c_str(), static_cast<unsigned long long>(written.records),
              static_cast<unsigned long long>(written.raw),
              static_cast<unsigned long long>(written.file));
}

int run(const std::string& name) {
  if (name == "tau") {
    if (!fs::exists(tau_path())) {
      std::fprintf(stderr, "bench_store: skipped tau: %s is not there (set INVLOG_SHARED)\n",
                   tau_path().c_str());
      return 1;
    }
    bench_size(name, tau_corpus(), 1);
  } else if (name == "coding8") {
    bench_size(name, coding_corpus(8, 6000), 8);
  } else if (name == "coding32") {
    bench_size(name, coding_corpus(32, 6000), 8);
  } else if (name == "write-tau") {
    write_kept_store(name, tau_corpus());
  } else if (name == "write-coding8") {
    write_kept_store(name, coding_corpus(8, 1000));
  } else if (name == "small") {
    bench_small();
  } else if (name == "read") {
    bench_read();
  } else if (name == "usage") {
    bench_usage();
  } else {
    std::fprintf(
        stderr,
        "usage: bench_store tau|coding8|coding32|small|read|usage|write-tau|write-coding8 ...\n");
    return 2;
  }
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    int result = count > 1 ? 0 : run("");
    for (int i = 1; i < count && result == 0; ++i) {
      result = run(arguments[i]);
    }
    return result;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_store: %s\n", error.what());
    return 1;
  }
}
