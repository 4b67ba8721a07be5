#include "agent/cli/search_command.h"

#include <algorithm>

#include "agent/cli/display_text.h"
#include "agent/cli/record_range.h"
#include "agent/cli/terminal.h"
#include "storage/details_match.h"
#include "storage/json_writer.h"
#include "storage/text_matcher.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

constexpr std::size_t kSnippetBytes = 50;  // on each side of the match

using Match = storage::TextMatcher::Match;

std::string snippet(const std::string& body, const Match& match) {
  const auto continues_character = [&body](std::size_t at) {
    return at < body.size() && (static_cast<unsigned char>(body[at]) & 0xC0) == 0x80;
  };
  std::size_t begin = match.offset - std::min(match.offset, kSnippetBytes);
  std::size_t end = std::min(match.offset + match.size + kSnippetBytes, body.size());
  while (begin < match.offset && continues_character(begin)) {
    ++begin;
  }
  while (end > match.offset + match.size && continues_character(end)) {
    --end;
  }
  std::string text = body.substr(begin, end - begin);
  std::replace_if(
      text.begin(), text.end(),
      [](char byte) { return byte == '\n' || byte == '\r' || byte == '\t'; }, ' ');
  return (begin > 0 ? "…" : "") + text + (end < body.size() ? "…" : "");
}

class Search {
 public:
  Search(const SearchOptions& options, std::ostream& out)
      : options_(options), out_(out), matcher_(options.text) {}

  // False: the limit is reached, or nobody reads on.
  bool look_into(const storage::StoredRecord& stored) {
    ++looked_at_;
    const auto& record = stored.record;
    const bool in_request = options_.where != storage::Bodies::response &&
                            look_into_body(stored, "request", record.request.bytes);
    const bool in_response = options_.where != storage::Bodies::request &&
                             look_into_body(stored, "response", record.response.bytes);
    const auto match = storage::find_in_details(matcher_, record.details, options_.where);
    if (match) {
      report(stored, "details", match->offset, snippet(match->around, match->in_that));
    }
    found_ += in_request || in_response || match ? 1 : 0;
    return out_ && (options_.limit == 0 || found_ < options_.limit);
  }

  std::int64_t found() const { return found_; }
  std::int64_t looked_at() const { return looked_at_; }

 private:
  bool look_into_body(const storage::StoredRecord& stored, const char* where,
                      const std::string& body) {
    const auto match = matcher_.find_in(body);
    if (match) {
      report(stored, where, match->offset, snippet(body, *match));
    }
    return match.has_value();
  }

  void report(const storage::StoredRecord& stored, const char* where, std::size_t offset,
              const std::string& text) {
    const std::string time = storage::iso_seconds(stored.record.started_at_us);
    if (options_.json) {
      std::string line = "{";
      storage::append_json_number(line, "id", stored.id);
      storage::append_json_member(line, "started_at", time);
      storage::append_json_member(line, "model", stored.record.model_id);
      storage::append_json_member(line, "request_id", stored.record.request_id);
      storage::append_json_member(line, "in", where);
      storage::append_json_number(line, "offset", static_cast<long long>(offset));
      storage::append_json_member(line, "snippet", text);
      out_ << line << "}\n";
      return;
    }
    const std::string line = std::to_string(stored.id) + "  " + time + "  " +
                             printable(stored.record.model_id) + "  " + where + ": " +
                             printable(text);
    out_ << line << '\n';
  }

  const SearchOptions& options_;
  std::ostream& out_;
  const storage::TextMatcher matcher_;
  std::int64_t found_ = 0;
  std::int64_t looked_at_ = 0;
};

}  // namespace

int run_search(const SearchOptions& options, std::ostream& out, std::ostream& err) {
  if (options.text.empty()) {
    err << "invlog search: the text to look for is empty\n";
    return kUsageError;
  }
  if (is_empty({options.since_us, options.until_us}, "invlog search", err)) {
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  Search search(options, out);
  LeftOutRecords left_out;
  {
    Progress progress(err, "searching", options.progress_width);
    left_out = each_in_range(
        *reader, {options.since_us, options.until_us}, options.where, progress,
        [&search](storage::StoredRecord& stored) { return search.look_into(stored); });
  }
  if (search.found() == 0) {
    err << "invlog search: not found in " << counted(search.looked_at(), "record") << '\n';
  }
  left_out.print("invlog search", err);
  return left_out.any() ? kFailure : kSuccess;
}

}  // namespace invlog::cli
