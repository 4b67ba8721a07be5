#include "agent/cli/verify_command.h"

#include "agent/cli/display_text.h"
#include "agent/cli/terminal.h"
#include "storage/json_writer.h"
#include "storage/verify.h"

namespace invlog::cli {
namespace {

void print_json(const std::string& path, const storage::VerifyReport& report, std::ostream& out) {
  std::string problems = "[";
  for (const storage::VerifyProblem& problem : report.problems) {
    problems += problems.size() > 1 ? ",{" : "{";
    storage::append_json_member(problems, "where", problem.where);
    storage::append_json_member(problems, "what", problem.what);
    problems += '}';
  }
  problems += ']';
  std::string line = "{";
  storage::append_json_member(line, "store", path);
  storage::append_json_raw(line, "whole", report.problems.empty() ? "true" : "false");
  storage::append_json_number(line, "records", static_cast<long long>(report.records));
  storage::append_json_number(line, "segments", static_cast<long long>(report.segments));
  storage::append_json_number(line, "closed_segments",
                              static_cast<long long>(report.closed_segments));
  storage::append_json_number(line, "events", static_cast<long long>(report.events));
  storage::append_json_number(line, "body_bytes", static_cast<long long>(report.body_bytes));
  storage::append_json_member(line, "chain_head", report.chain_head);
  storage::append_json_raw(line, "problems", problems);
  out << line << "}\n";
}

void print_text(const std::string& path, const storage::VerifyReport& report, std::ostream& out) {
  for (const storage::VerifyProblem& problem : report.problems) {
    out << printable(problem.where) << ": " << printable(problem.what) << '\n';
  }
  const auto count = [](std::uint64_t number) { return grouped(static_cast<long long>(number)); };
  out << path
      << (report.problems.empty() ? " is whole: "
                                  : ": " + count(report.problems.size()) + " problems; ")
      << count(report.records) << " records, " << count(report.segments) << " segments ("
      << count(report.closed_segments) << " closed), " << count(report.events) << " events, "
      << readable_size(report.body_bytes) << " of bodies read back\n";
  if (!report.chain_head.empty()) {
    out << "chain head " << report.chain_head << '\n';
  }
}

}  // namespace

int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  if (!location) {
    return exit_code;
  }
  storage::VerifyReport report;
  {
    Progress progress(err, "verifying", options.progress_width);
    report = storage::verify_store(
        location->store_path,
        [&progress](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  }
  options.json ? print_json(location->store_path, report, out)
               : print_text(location->store_path, report, out);
  return report.problems.empty() ? kSuccess : kFailure;
}

}  // namespace invlog::cli
