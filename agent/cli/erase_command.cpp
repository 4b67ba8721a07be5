#include "agent/cli/erase_command.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "agent/cli/display_text.h"
#include "agent/cli/terminal.h"
#include "storage/eraser.h"
#include "storage/json_writer.h"
#include "storage/shipped_places.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::cli {
namespace {

using storage::ErasureSelection;
using storage::ShippedPlaces;

// What became of it, for both kinds of output.
struct Outcome {
  std::int64_t records = 0;  // erased
  std::int64_t body_bytes = 0;
  std::int64_t segments = 0;  // written anew
  bool log_emptied = true;
  std::vector<std::int64_t> failed;  // segments that nothing was erased from

  bool whole() const { return log_emptied && failed.empty(); }
};

// One segment's own; not so a disk that does not answer, or a locked store.
bool is_damage(const storage::StoreError& error) {
  return error.sqlite_code() == SQLITE_OK || error.sqlite_code() == SQLITE_CORRUPT;
}

std::optional<ErasureSelection> select(const EraseOptions& options, storage::Reader& reader,
                                       std::int64_t last_record, std::ostream& err,
                                       int& exit_code) {
  auto selection = storage::select_for_erasure(reader, options.scope, last_record);
  if (!selection) {
    err << "invlog erase: " << printable(selection.error()) << '\n';
    exit_code = kUsageError;
    return std::nullopt;
  }
  for (const std::string& id : selection->unknown_request_ids) {
    err << "invlog erase: there is no record with the request id " << printable(id)
        << "; nothing was erased\n";
    exit_code = kFailure;
  }
  return exit_code == kSuccess ? std::optional(std::move(*selection)) : std::nullopt;
}

// What is left to be done by hand: nobody knows whether these were meant.
void tell_unjudged(const ErasureSelection& selection, std::ostream& err) {
  constexpr std::size_t kMostRanges = 20;
  if (selection.unjudged.empty()) {
    return;
  }
  const auto number = static_cast<long long>(selection.unjudged.size());
  err << "invlog erase: " << counted(number, "record")
      << " could not be looked into, so that it is not known whether the condition holds, and "
      << (number == 1 ? "its bodies stay: id " : "their bodies stay: ids ")
      << storage::ranges_json(selection.unjudged, kMostRanges)
      << ". The first: " << printable(selection.unjudged_why)
      << ". `invlog verify` shows what is wrong; what does not read bodies (--request-id, or "
         "columns of `invocations` alone) still chooses them\n";
}

// Of the chosen records, those that have request metadata, which no erasure takes away: ids,
// ascending.
std::vector<std::int64_t> with_metadata(sqlite3* connection, const ErasureSelection& selection) {
  storage::Statement select(connection,
                            "SELECT 1 FROM record WHERE id = ?1 AND request_metadata IS NOT NULL");
  std::vector<std::int64_t> ids;
  for (const ErasureSelection::Segment& segment : selection.segments) {
    for (const std::int64_t id : segment.records) {
      if (select.bind(1, id).step()) {
        ids.push_back(id);
      }
      select.reset();
    }
  }
  return ids;
}

// By id, since a condition that looks into bodies finds nothing any more once they are erased.
void print_metadata(const std::vector<std::int64_t>& ids, std::ostream& out) {
  constexpr std::size_t kMostIds = 20;
  if (ids.empty()) {
    return;
  }
  std::string list;
  for (std::size_t i = 0; i < std::min(ids.size(), kMostIds); ++i) {
    list += (list.empty() ? "" : ", ") + std::to_string(ids[i]);
  }
  out << grouped(static_cast<long long>(ids.size())) << " of these records "
      << (ids.size() == 1 ? "has" : "have")
      << " request metadata, which stays: SELECT id, request_metadata FROM invocations WHERE id IN "
         "("
      << list << ')'
      << (ids.size() > kMostIds ? " shows the first of them; --json has all ids" : "") << '\n';
}

std::string shipped_json(const std::vector<ShippedPlaces>& shipped) {
  std::string json = "[";
  for (const ShippedPlaces& each : shipped) {
    json += (json.size() > 1 ? "," : "") + storage::shipped_places_json(each, each.places.size());
  }
  return json + "]";
}

void print_json(const std::string& path, const ErasureSelection& selection,
                const std::optional<Outcome>& outcome, const std::vector<std::int64_t>& metadata,
                const std::vector<ShippedPlaces>& shipped, std::ostream& out) {
  std::string line = "{";
  storage::append_json_member(line, "store", path);
  storage::append_json_raw(line, "erased", outcome ? "true" : "false");
  storage::append_json_number(line, "records", outcome ? outcome->records : selection.records);
  storage::append_json_number(line, "body_bytes",
                              outcome ? outcome->body_bytes : selection.body_bytes);
  storage::append_json_number(
      line, "segments",
      outcome ? outcome->segments : static_cast<long long>(selection.segments.size()));
  storage::append_json_number(line, "already_erased", selection.already_erased);
  storage::append_json_raw(line, "request_metadata_records",
                           storage::ranges_json(metadata, metadata.size()));
  storage::append_json_raw(line, "unjudged_records",
                           storage::ranges_json(selection.unjudged, selection.unjudged.size()));
  if (outcome) {
    storage::append_json_raw(line, "log_emptied", outcome->log_emptied ? "true" : "false");
    std::string failed;
    for (const std::int64_t segment : outcome->failed) {
      failed += (failed.empty() ? "" : ",") + std::to_string(segment);
    }
    storage::append_json_raw(line, "failed_segments", "[" + failed + "]");
  }
  storage::append_json_raw(line, "shipped", shipped_json(shipped));
  out << line << "}\n";
}

void print_shipped(const std::vector<ShippedPlaces>& shipped, std::ostream& out) {
  for (const ShippedPlaces& each : shipped) {
    const bool certain = each.under_way < each.records;
    out << (certain ? "\nShipped already to " : "\nPossibly shipped to ")
        << printable(each.destination) << " ("
        << (each.target.empty() ? "its target was not kept" : printable(each.target))
        << "), where erasing is yours to do: " << counted(each.records, "record") << ", from "
        << each.first_at << " to " << each.last_at << '\n';
    if (each.under_way > 0) {
      out << "  (" << (certain ? "some were" : "each was")
          << " in an attempt that has no answer so far, or is to be tried again, and may have "
             "arrived)\n";
    }
    for (const std::string& place : each.places) {
      out << "  " << printable(place) << '\n';
    }
    if (each.unplaced > 0) {
      out << "  " << counted(each.unplaced, "record")
          << (each.destination == "s3"
                  ? " in objects whose names were not kept: look in the folders of those hours"
                  : " in the log group, streams and time range above")
          << ": ids " << each.unplaced_ids << '\n';
    }
  }
}

void print_text(const EraseOptions& options, const ErasureSelection& selection,
                const std::optional<Outcome>& outcome, const std::vector<std::int64_t>& metadata,
                const std::vector<ShippedPlaces>& shipped, std::ostream& out) {
  const std::int64_t records = outcome ? outcome->records : selection.records;
  out << (outcome ? "erased the bodies of " : "would erase the bodies of ")
      << counted(records, "record") << " ("
      << readable_size(
             static_cast<unsigned long long>(outcome ? outcome->body_bytes : selection.body_bytes))
      << ") from "
      << counted(outcome ? outcome->segments : static_cast<long long>(selection.segments.size()),
                 "segment");
  if (selection.already_erased > 0) {
    out << "; " << counted(selection.already_erased, "record") << " had none any more";
  }
  if (!selection.unjudged.empty()) {
    out << "; " << counted(static_cast<long long>(selection.unjudged.size()), "record")
        << " could not be looked into";
  }
  out << '\n';
  print_metadata(metadata, out);
  print_shipped(shipped, out);
  if (!options.yes && selection.records > 0) {
    out << "\nNothing was changed. It cannot be undone: say --yes if you mean it\n";
  }
}

// One that is damaged does not keep the others. Returns what is wrong, to be printed when no
// progress is shown any more.
std::vector<std::string> erase_segments(const EraseOptions& options, storage::Eraser& eraser,
                                        const ErasureSelection& selection, Outcome& outcome,
                                        std::ostream& err) {
  std::vector<std::string> problems;
  Progress progress(err, "erasing", options.progress_width);
  const auto& segments = selection.segments;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    try {
      if (eraser.erase(segments[i])) {
        outcome.records += static_cast<std::int64_t>(segments[i].records.size());
        outcome.body_bytes += segments[i].body_bytes;
        ++outcome.segments;
      }
    } catch (const storage::StoreError& error) {
      problems.emplace_back(error.what());
      // What is wrong with the disk, or with a lock, the others would wait for, too.
      const std::size_t end = is_damage(error) ? i + 1 : segments.size();
      for (; i < end; ++i) {
        outcome.failed.push_back(segments[i].id);
      }
      --i;
    }
    progress.show(i + 1, segments.size());
  }
  return problems;
}

// Segment by segment; what is done stays done, and is told.
Outcome erase(const EraseOptions& options, storage::Eraser& eraser,
              const ErasureSelection& selection, std::ostream& err) {
  constexpr std::size_t kMostTold = 20;
  Outcome outcome;
  const auto problems = erase_segments(options, eraser, selection, outcome, err);
  for (std::size_t i = 0; i < std::min(problems.size(), kMostTold); ++i) {
    err << "invlog erase: " << printable(problems[i]) << '\n';
  }
  if (!outcome.failed.empty()) {
    err << "invlog erase: nothing was erased from "
        << counted(static_cast<long long>(outcome.failed.size()), "segment") << '\n';
  }
  // Also if there was nothing left to do: an earlier attempt may not have come so far.
  try {
    outcome.log_emptied = eraser.finish();
  } catch (const storage::StoreError& error) {
    outcome.log_emptied = false;
    err << "invlog erase: " << printable(error.what())
        << "; the write-ahead log may still have what was erased: run this again\n";
    return outcome;
  }
  if (!outcome.log_emptied) {
    err << "invlog erase: the store's write-ahead log, which still has what was erased, cannot be "
           "emptied while a program reads the store in one long transaction; end that program, and "
           "run this again\n";
  }
  return outcome;
}

int run(const EraseOptions& options, const std::string& path, std::ostream& out,
        std::ostream& err) {
  int exit_code = kSuccess;
  std::unique_ptr<storage::Eraser> eraser;
  if (options.yes) {
    storage::EraserOptions erasing;
    erasing.path = path;
    erasing.why = options.reason;
    erasing.criterion = storage::lasting_criterion(options.scope);
    erasing.patience = options.patience;
    auto opened = storage::Eraser::open(std::move(erasing));
    if (!opened) {
      err << "invlog: " << with_advice(opened.error(), path, StoreUse::writing) << '\n';
      return kFailure;
    }
    eraser = std::move(*opened);
  }
  StoreOptions store;
  store.store = path;
  const auto reader = open_store(store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  const std::string problem =
      options.scope.request_ids.empty()
          ? storage::expression_problem(reader->connection(), options.scope.where)
          : "";
  if (!problem.empty()) {
    err << "invlog erase: " << printable(problem) << '\n';
    return kUsageError;
  }
  if (eraser) {
    // What a crash left becomes records first, if no agent is there to see to it.
    eraser->close_segments(0);
  }
  // Records that come from now on are not meant.
  const std::int64_t last = reader->last_id();
  auto selection = select(options, *reader, last, err, exit_code);
  if (!selection) {
    return exit_code;
  }
  std::optional<Outcome> outcome;
  if (eraser) {
    if (!selection->segments.empty() && !selection->segments.back().closed) {
      eraser->close_segments(last);
      selection = select(options, *reader, last, err, exit_code);
    }
    outcome = erase(options, *eraser, *selection, err);
  }
  tell_unjudged(*selection, err);
  const auto shipped = storage::shipped_places(reader->connection(), *selection);
  const auto metadata = with_metadata(reader->connection(), *selection);
  options.json ? print_json(path, *selection, outcome, metadata, shipped, out)
               : print_text(options, *selection, outcome, metadata, shipped, out);
  const bool whole = selection->unjudged.empty() && (!outcome || outcome->whole());
  return whole ? kSuccess : kFailure;
}

}  // namespace

int run_erase(const EraseOptions& options, std::ostream& out, std::ostream& err) {
  if (options.scope.where.empty() == options.scope.request_ids.empty()) {
    err << "invlog erase: say which records: --where SQL, or --request-id ID\n";
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  return location ? run(options, location->store_path, out, err) : exit_code;
}

}  // namespace invlog::cli
