#include "agent/cli/verify_command.h"

#include <charconv>
#include <filesystem>
#include <fstream>

#include "agent/cli/delivered_heads.h"
#include "agent/cli/display_text.h"
#include "agent/cli/terminal.h"
#include "storage/json_writer.h"
#include "storage/time_text.h"
#include "storage/verify.h"

namespace invlog::cli {
namespace {

std::string delivered_json(const std::vector<DeliveredHeads>& delivered) {
  std::string list = "[";
  for (const DeliveredHeads& each : delivered) {
    list += list.size() > 1 ? ",{" : "{";
    storage::append_json_member(list, "destination", each.destination);
    storage::append_json_member(list, "target", each.target);
    if (!each.heads) {
      storage::append_json_member(list, "error", each.heads.error());
    } else if (!each.heads->empty()) {
      const exporters::KeptHead& newest = each.heads->front();
      storage::append_json_number(list, "chain_segment", newest.segment);
      storage::append_json_member(list, "chain_head", newest.chain);
      storage::append_json_member(list, "place", newest.place);
      storage::append_json_number(list, "heads", static_cast<long long>(each.heads->size()));
    }
    list += '}';
  }
  return list + "]";
}

std::string taken_json(const std::optional<storage::TakenByRetention>& taken) {
  if (!taken) {
    return "null";
  }
  std::string json = "{";
  storage::append_json_number(json, "last_record", taken->last_record);
  storage::append_json_number(json, "last_segment", taken->last_segment);
  storage::append_json_member(json, "at", storage::iso_seconds(taken->at_us));
  storage::append_json_number(json, "event", taken->event);
  return json + "}";
}

std::string findings_json(const std::vector<storage::VerifyProblem>& findings) {
  std::string list = "[";
  for (const storage::VerifyProblem& finding : findings) {
    list += list.size() > 1 ? ",{" : "{";
    storage::append_json_member(list, "where", finding.where);
    storage::append_json_member(list, "what", finding.what);
    list += '}';
  }
  return list + "]";
}

void print_json(const std::string& path, const storage::VerifyReport& report,
                const std::optional<std::vector<DeliveredHeads>>& delivered, std::ostream& out) {
  std::string line = "{";
  storage::append_json_member(line, "store", path);
  storage::append_json_raw(line, "whole", report.problems.empty() ? "true" : "false");
  storage::append_json_number(line, "records", static_cast<long long>(report.records));
  storage::append_json_number(line, "segments", static_cast<long long>(report.segments));
  storage::append_json_number(line, "closed_segments",
                              static_cast<long long>(report.closed_segments));
  storage::append_json_number(line, "events", static_cast<long long>(report.events));
  storage::append_json_number(line, "erased", static_cast<long long>(report.erased));
  storage::append_json_raw(line, "taken_by_retention", taken_json(report.taken));
  storage::append_json_number(line, "body_bytes", static_cast<long long>(report.body_bytes));
  storage::append_json_member(line, "chain_head", report.chain_head);
  storage::append_json_number(line, "chain_segment", report.chain_segment);
  storage::append_json_number(line, "heads_confirmed", static_cast<long long>(report.heads));
  if (delivered) {
    storage::append_json_raw(line, "delivered", delivered_json(*delivered));
  }
  storage::append_json_raw(line, "notes", findings_json(report.notes));
  storage::append_json_raw(line, "problems", findings_json(report.problems));
  out << line << "}\n";
}

void print_text(const std::string& path, const storage::VerifyReport& report, std::ostream& out) {
  for (const storage::VerifyProblem& problem : report.problems) {
    out << printable(problem.where) << ": " << printable(problem.what) << '\n';
  }
  const auto count = [](std::uint64_t number, std::string_view noun) {
    return counted(static_cast<long long>(number), noun);
  };
  out << path
      << (report.problems.empty() ? " is whole: "
                                  : ": " + count(report.problems.size(), "problem") + "; ")
      << count(report.records, "record") << ", " << count(report.segments, "segment") << " ("
      << grouped(static_cast<long long>(report.closed_segments)) << " closed), "
      << count(report.events, "event") << ", " << readable_size(report.body_bytes)
      << " of bodies read back\n";
  if (report.taken && report.taken->last_record > 0) {
    out << "records up to " << grouped(report.taken->last_record)
        << " were taken by retention, most recently on "
        << storage::iso_seconds(report.taken->at_us) << " (event " << report.taken->event << ")\n";
  }
  if (report.erased > 0) {
    out << "the bodies of " << count(report.erased, "record")
        << " were erased, as events in the chain say\n";
  }
  for (const storage::VerifyProblem& note : report.notes) {
    out << printable(note.where) << ": " << printable(note.what) << '\n';
  }
  if (report.heads > 0) {
    out << count(report.heads, "chain head") << " kept elsewhere "
        << (report.heads == 1 ? "is" : "are") << " in its chain\n";
  }
  if (!report.chain_head.empty()) {
    // As --head takes it.
    out << "chain head " << report.chain_segment << ':' << report.chain_head << '\n';
  }
}

// "17:<64 hex digits>"
std::optional<storage::KnownHead> head_of(const std::string& text, const std::string& source) {
  const std::size_t colon = text.find(':');
  storage::KnownHead head;
  head.source = source;
  const char* const end = text.data() + std::min(colon, text.size());
  const auto number = std::from_chars(text.data(), end, head.segment);
  const auto chain =
      colon == std::string::npos ? std::nullopt : storage::from_hex(text.substr(colon + 1));
  if (number.ec != std::errc() || number.ptr != end || head.segment <= 0 || !chain) {
    return std::nullopt;
  }
  head.chain = *chain;
  return head;
}

// Of a file with one in a line. False: it cannot be read, or has none, so that nothing would be
// compared; or `take`, which is given line and source, says so.
template <typename Take>
bool take_file(const std::string& path, const Take& take, std::ostream& err) {
  const auto refuse = [&](const char* why) {
    err << "invlog verify: --heads: " << printable(path) << ' ' << why << '\n';
    return false;
  };
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) {
    return refuse("is a directory; name a file of chain heads");
  }
  std::ifstream file(path);
  if (!file) {
    return refuse("cannot be opened");
  }
  int number = 0;
  bool any = false;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.ends_with('\r')) {  // heads kept elsewhere may have been kept on Windows
      line.pop_back();
    }
    if (line.empty()) {
      continue;
    }
    any = true;
    if (!take(line, printable(path) + " line " + std::to_string(number))) {
      return false;
    }
  }
  if (file.bad()) {
    return refuse("cannot be read to its end");
  }
  return any || refuse("has no chain head in it: there is nothing to compare with");
}

// No value: one is none, as `err` says.
std::optional<std::vector<storage::KnownHead>> known_heads(const VerifyOptions& options,
                                                           std::ostream& err) {
  std::vector<storage::KnownHead> heads;
  const auto take = [&](const std::string& text, const std::string& source) {
    auto head = head_of(text, source);
    if (!head) {
      err << "invlog verify: " << source << ": \"" << printable(text)
          << "\" is no chain head: write it as SEGMENT:HEX, as `invlog verify` prints it\n";
      return false;
    }
    heads.push_back(std::move(*head));
    return true;
  };
  for (const std::string& text : options.heads) {
    if (!take(text, "--head")) {
      return std::nullopt;
    }
  }
  if (options.heads_file && !take_file(*options.heads_file, take, err)) {
    return std::nullopt;
  }
  return heads;
}

// Adds what one destination keeps to the heads. False: one is no head.
bool take_kept(const std::vector<exporters::KeptHead>& kept_heads,
               std::vector<storage::KnownHead>& heads, std::ostream& err) {
  bool all = true;
  for (const exporters::KeptHead& kept : kept_heads) {
    auto head = head_of(std::to_string(kept.segment) + ":" + kept.chain, kept.place);
    if (!head) {
      err << "invlog verify: " << printable(kept.place) << ": \"" << printable(kept.chain)
          << "\" is no chain head\n";
      all = false;
      continue;
    }
    // Retention takes segments whose heads stay there; of a host that is idle, the newest one's,
    // too.
    const bool newest = &kept == &kept_heads.front();
    head->taken = newest ? storage::KnownHead::Taken::note : storage::KnownHead::Taken::nothing;
    heads.push_back(std::move(*head));
  }
  return all;
}

// What it means that destinations keep no head, or show only some.
struct KeptFindings {
  std::vector<storage::VerifyProblem> problems, notes;
};

// Of a destination that keeps no head: whether that can be.
void take_none_kept(const DeliveredHeads& destination, KeptFindings& found, std::ostream& err) {
  const std::string where = "delivery to " + destination.destination;
  const std::string says = destination.target + " keeps no head of this store's chain";
  if (destination.given != 0) {
    found.problems.push_back(
        {where, says + ", but was given that of segment " + std::to_string(destination.given) +
                    ": it was taken away there (as by the retention of a log group or a bucket), "
                    "or the store goes by another name than it did (`instance`)"});
  } else if (destination.due != 0) {
    found.notes.push_back(
        {where, says + ", nor does the store know of one that it was given, although record " +
                    std::to_string(destination.due) +
                    " was delivered: nothing was compared. Either an older invlog delivered, which "
                    "noted no heads, or to another folder; then the next delivery leaves one. Or "
                    "heads do not arrive: `invlog doctor` tries it"});
  } else {
    err << "invlog verify: " << destination.destination << ' ' << printable(says) << '\n';
  }
}

// A store that was put back knows only of objects from before: others' may hide those that tell.
void take_hidden(const DeliveredHeads& destination, KeptFindings& found) {
  found.notes.push_back({"delivery to " + destination.destination,
                         destination.target +
                             ": other stores' objects are so many since that only the newest one "
                             "was compared that this store knows to be its own, " +
                             destination.heads->front().place +
                             "; that the store was put back to an older state would not show"});
}

// Adds what the destinations keep to the heads, and says what they answered. False: one could not
// be asked, or answered what is no head.
bool take_delivered(const std::vector<DeliveredHeads>& delivered,
                    std::vector<storage::KnownHead>& heads, KeptFindings& findings,
                    std::ostream& err) {
  if (delivered.empty()) {
    err << "invlog verify: no destination is configured, or nothing was ever delivered from this "
           "store: there is nobody to ask\n";
    return false;
  }
  bool all = true;
  for (const DeliveredHeads& each : delivered) {
    const std::string target = each.destination + " " + printable(each.target);
    if (!each.heads) {
      err << "invlog verify: " << target << ": " << printable(each.heads.error()) << '\n';
      all = false;
      continue;
    }
    if (each.heads->empty()) {
      take_none_kept(each, findings, err);
      continue;
    }
    if (each.heads->front().by_ledger) {
      take_hidden(each, findings);
    }
    all = take_kept(*each.heads, heads, err) && all;
  }
  return all;
}

}  // namespace

int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  if (!location) {
    return exit_code;
  }
  auto heads = known_heads(options, err);
  if (!heads) {
    return kUsageError;
  }
  std::optional<std::vector<DeliveredHeads>> delivered;
  KeptFindings findings;
  bool asked = true;
  if (options.delivered) {
    const auto access = open_delivery(options.store, options.world.environment, err, exit_code);
    if (!access) {
      return exit_code;
    }
    delivered = ask_for_heads(*access, options.world);
    asked = take_delivered(*delivered, *heads, findings, err);
  }
  storage::VerifyReport report;
  {
    Progress progress(err, "verifying", options.progress_width);
    report = storage::verify_store(
        location->store_path,
        [&progress](std::uint64_t done, std::uint64_t total) { progress.show(done, total); },
        *heads);
  }
  report.problems.insert(report.problems.end(), findings.problems.begin(), findings.problems.end());
  report.notes.insert(report.notes.end(), findings.notes.begin(), findings.notes.end());
  options.json ? print_json(location->store_path, report, delivered, out)
               : print_text(location->store_path, report, out);
  return report.problems.empty() && asked ? kSuccess : kFailure;
}

}  // namespace invlog::cli
