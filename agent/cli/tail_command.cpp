#include "agent/cli/tail_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "agent/cli/display_text.h"
#include "agent/cli/row_format.h"
#include "storage/row_order.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::cli {
namespace {

// "1,234→56": input and output tokens.
std::string tokens_text(const storage::Statement& row, int input, int output) {
  if (row.is_null(input) && row.is_null(output)) {
    return "";
  }
  return grouped(row.integer(input)) + "→" + grouped(row.integer(output));
}

std::string padded(std::string text, std::size_t width, bool right = false) {
  const std::size_t used = display_width(text);
  const std::string padding(width > used ? width - used : 0, ' ');
  return right ? padding + text : text + padding;
}

class Tail {
 public:
  Tail(const TailOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}

  int run() {
    const auto location = find_store(options_.store, err_, exit_code_);
    if (!location) {
      return exit_code_;
    }
    path_ = location->store_path;
    auto opened = storage::Reader::open(path_);
    if (!opened) {
      err_ << "invlog: " << with_advice(opened.error(), path_) << '\n';
      return kFailure;
    }
    reader_ = std::move(*opened);
    file_ = file_identity();
    instance_ = instance();
    last_printed_ = std::max<std::int64_t>(0, reader_->last_id() - options_.records);
    print_new();
    while (options_.follow && out_.flush() && wait()) {
      look_again();
    }
    return kSuccess;
  }

 private:
  bool wait() const {
    if (options_.wait) {
      return options_.wait();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return true;
  }

  std::pair<dev_t, ino_t> file_identity() const {
    struct stat status {};
    return ::stat(path_.c_str(), &status) == 0 ? std::pair(status.st_dev, status.st_ino)
                                               : std::pair<dev_t, ino_t>();
  }

  // Tells a store from one that began anew under its name; "" if it has no such name yet.
  std::string instance() const {
    try {
      storage::Statement select(reader_->connection(), "SELECT name FROM instance");
      return select.step() ? std::string(select.bytes(0)) : "";
    } catch (const storage::StoreError&) {
      return "";
    }
  }

  void look_again() {
    const auto file = file_identity();
    if (file != file_ || !reader_->sees_what_is_newest()) {
      auto opened = storage::Reader::open(path_);
      if (!opened) {
        return;  // between two files: the next look finds the new one
      }
      reader_ = std::move(*opened);
      file_ = file;
      // The same store, restored: what it has was printed, even if it has less than before.
      const bool same = !instance_.empty() && instance_ == instance();
      last_printed_ = same ? std::min(last_printed_, reader_->last_id()) : 0;
      instance_ = instance();
      data_version_ = 0;
    }
    const std::int64_t version =
        storage::single_integer(reader_->connection(), "PRAGMA data_version");
    if (std::exchange(data_version_, version) != version) {
      print_new();
    }
  }

  // In portions, each printed when its statement has ended: while one stands on a row, a writer's
  // log cannot be emptied, and whoever reads the output may take as long as he likes.
  void print_new() {
    storage::Statement select(
        reader_->connection(),
        options_.json ? "SELECT * FROM invocations WHERE id > ?1 ORDER BY id"
                      : "SELECT id, substr(started_at, 1, 19) || 'Z', operation, model, status, "
                        "outcome, error, input_tokens, output_tokens, latency_ms, caller "
                        "FROM invocations WHERE id > ?1 ORDER BY id");
    for (bool more = true; out_ && more;) {
      std::string lines;
      more = take_portion(select, lines);
      out_ << lines;
    }
  }

  // False: nothing comes behind it.
  bool take_portion(storage::Statement& select, std::string& lines) {
    constexpr int kPortionRecords = 256;
    constexpr std::size_t kPortionBytes = 256 << 10;
    select.bind(1, last_printed_);
    int records = 0;
    while (records < kPortionRecords && lines.size() < kPortionBytes && select.step()) {
      storage::require_order(select.integer(0), storage::number_behind(last_printed_));
      lines += (options_.json ? json_row(select.raw()) : line(select)) + '\n';
      last_printed_ = select.integer(0);
      ++records;
    }
    const bool full = records == kPortionRecords || lines.size() >= kPortionBytes;
    select.reset();
    return full;
  }

  // What became of a call comes first; on a narrow terminal the model makes room for the rest.
  std::size_t model_width() const {
    constexpr int kMost = 45, kLeast = 19, kOthers = 98;
    return options_.terminal_width == 0 ? kMost
                                        : static_cast<std::size_t>(std::clamp(
                                              options_.terminal_width - kOthers, kLeast, kMost));
  }

  std::string line(const storage::Statement& row) const {
    const auto text = [&row](int column) { return printable(row.bytes(column)); };
    std::string result = row.is_null(6) ? text(5) : text(6);  // the error, else the outcome
    if (row.is_null(6) && text(5) == "complete") {
      constexpr std::int64_t kFirstError = 400;
      result = row.integer(4) < kFirstError ? "ok" : "failed";
    }
    char latency[32] = "";
    if (!row.is_null(9)) {
      std::snprintf(latency, sizeof latency, "%lld ms", static_cast<long long>(row.integer(9)));
    }
    const std::size_t model_columns = model_width();
    std::string line =
        padded(text(0), 7, true) + "  " + text(1) + "  " + padded(text(2), 14) + "  " +
        padded(text(4), 3, true) + " " + padded(result, 8) + "  " +
        padded(options_.terminal_width > 0 ? cut_to_width(text(3), model_columns) : text(3),
               model_columns) +
        "  " + padded(tokens_text(row, 7, 8), 13, true) + "  " + padded(latency, 9, true) + "  " +
        text(10);
    line.erase(line.find_last_not_of(' ') + 1);
    return options_.terminal_width > 0
               ? cut_to_width(line, static_cast<std::size_t>(options_.terminal_width))
               : line;
  }

  const TailOptions& options_;
  std::ostream& out_;
  std::ostream& err_;
  int exit_code_ = kSuccess;
  std::string path_;
  std::unique_ptr<storage::Reader> reader_;
  std::pair<dev_t, ino_t> file_;
  std::string instance_;
  std::int64_t last_printed_ = 0;
  std::int64_t data_version_ = 0;
};

}  // namespace

int run_tail(const TailOptions& options, std::ostream& out, std::ostream& err) {
  return Tail(options, out, err).run();
}

}  // namespace invlog::cli
