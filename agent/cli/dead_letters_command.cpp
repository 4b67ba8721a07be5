#include "agent/cli/dead_letters_command.h"

#include <algorithm>
#include <map>
#include <optional>

#include "agent/cli/display_text.h"
#include "agent/cli/text_table.h"
#include "agent/delivery/destinations.h"
#include "storage/delivery_ledger.h"
#include "storage/joined.h"
#include "storage/json_writer.h"
#include "storage/store_error.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

using storage::DeadLetter;
using storage::StoredRecord;

// None if retention has taken it, or if it is damaged, which may be why it is here.
std::optional<StoredRecord> record_of(storage::Reader& reader, const DeadLetter& letter) {
  try {
    return reader.find(letter.record, storage::Bodies::none);
  } catch (const storage::StoreError&) {
    return std::nullopt;
  }
}

std::string json_of(const DeadLetter& letter, const std::optional<StoredRecord>& stored) {
  std::string json = "{";
  storage::append_json_number(json, "id", letter.id);
  storage::append_json_member(json, "destination", letter.destination);
  storage::append_json_number(json, "record", letter.record);
  storage::append_json_member(json, "at", storage::iso_seconds(letter.at_us));
  storage::append_json_member(json, "reason", letter.reason);
  storage::append_json_raw(json, "retry", letter.retry ? "true" : "false");
  if (stored) {
    storage::append_json_member(json, "started_at",
                                storage::iso_seconds(stored->record.started_at_us));
    storage::append_json_member(json, "request_id", stored->record.request_id);
    storage::append_json_member(json, "operation", stored->record.operation);
    storage::append_json_member(json, "model", stored->record.model_id);
    storage::append_json_number(json, "request_bytes", stored->request_bytes);
    storage::append_json_number(json, "response_bytes", stored->response_bytes);
  }
  return json + "}";
}

void print_list(storage::Reader& reader, const std::vector<DeadLetter>& letters, int width,
                std::ostream& out) {
  TextTable table(out, {"id", "destination", "record", "at", "model", "state", "reason"}, width);
  for (const DeadLetter& letter : letters) {
    const auto stored = record_of(reader, letter);
    table.add({{std::to_string(letter.id), true},
               {printable(letter.destination), false},
               {std::to_string(letter.record), true},
               {storage::iso_seconds(letter.at_us), false},
               {stored ? printable(stored->record.model_id) : "(gone or damaged)", false},
               {letter.retry ? "to be retried" : "refused", false},
               {printable(letter.reason), false}});
  }
  table.finish();
}

void print_letter(const DeadLetter& letter, const std::optional<StoredRecord>& stored,
                  std::ostream& out) {
  print_field(out, "dead letter", std::to_string(letter.id));
  print_field(out, "destination", printable(letter.destination));
  print_field(out, "at", storage::iso_seconds(letter.at_us));
  print_field(out, "reason", printable(letter.reason));
  print_field(out, "state",
              letter.retry ? "to be retried by the agent, or by `invlog ship --once`" : "refused");
  print_field(out, "record", std::to_string(letter.record));
  if (!stored) {
    print_field(out, "  state", "it is not in the store any more, or damaged: see `invlog verify`");
    return;
  }
  print_field(out, "  started at", storage::iso_seconds(stored->record.started_at_us));
  print_field(out, "  request id", printable(stored->record.request_id));
  print_field(out, "  operation", printable(stored->record.operation));
  print_field(out, "  model", printable(stored->record.model_id));
  print_field(out, "  caller", printable(stored->record.caller));
  print_field(out, "  bodies",
              readable_size(static_cast<unsigned long long>(stored->request_bytes)) + " request, " +
                  readable_size(static_cast<unsigned long long>(stored->response_bytes)) +
                  " response");
  const std::string id = std::to_string(letter.id), record = std::to_string(letter.record);
  out << "\nThe record with its bodies:  invlog show " << record
      << "\nAs the destination gets it:  invlog show " << record << " --record"
      << "\nAnother attempt:             invlog dead-letters retry " << id
      << "\nGive it up:                  invlog dead-letters drop " << id << '\n';
}

int not_found(std::int64_t id, std::ostream& err) {
  err << "invlog dead-letters: there is no dead letter " << id
      << "; `invlog dead-letters list` shows them\n";
  return kFailure;
}

// What was asked for is so already: a success.
int there_is_none(const std::string& destination, std::ostream& err) {
  err << "invlog dead-letters: there is none"
      << (destination.empty() ? "" : " of destination " + printable(destination)) << '\n';
  return kSuccess;
}

// The ledger, to write; on failure null, with the reason on `err` and `exit_code` set.
std::unique_ptr<storage::DeliveryLedger> open_ledger(const StoreOptions& options, std::ostream& err,
                                                     int& exit_code) {
  const auto location = find_store(options, err, exit_code);
  if (!location) {
    return nullptr;
  }
  auto ledger = storage::DeliveryLedger::open(location->store_path);
  if (!ledger) {
    err << "invlog: " << with_advice(ledger.error(), location->store_path, StoreUse::writing)
        << '\n';
    exit_code = kFailure;
    return nullptr;
  }
  return std::move(*ledger);
}

// The chosen ones; none with `exit_code` set if one of those named is not there.
std::vector<std::int64_t> chosen(storage::DeliveryLedger& ledger, const DeadLetterChoice& choice,
                                 std::ostream& err, int& exit_code) {
  std::vector<std::int64_t> ids;
  if (choice.all) {
    for (const DeadLetter& letter : ledger.dead_letters(choice.destination)) {
      ids.push_back(letter.id);
    }
    return ids;
  }
  for (const std::int64_t id : choice.ids) {
    if (!ledger.dead_letter(id)) {
      exit_code = not_found(id, err);
      return {};
    }
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
      ids.push_back(id);
    }
  }
  return ids;
}

// Exit code 2 with a line on `err` if it is neither numbers nor all.
int check_choice(std::string_view command, const DeadLetterChoice& choice, std::ostream& err) {
  const char* problem = nullptr;
  if (choice.ids.empty() && !choice.all) {
    problem = "name dead letters by their numbers, or --all";
  } else if (!choice.ids.empty() && choice.all) {
    problem = "--all and numbers exclude each other";
  } else if (!choice.destination.empty() && !choice.all) {
    problem = "--destination goes with --all";
  }
  if (problem != nullptr) {
    err << "invlog dead-letters " << command << ": " << problem << '\n';
    return kUsageError;
  }
  return kSuccess;
}

// What `retry` and `drop` have in common: the ledger, and which letters.
struct Chosen {
  std::unique_ptr<storage::DeliveryLedger> ledger;
  std::vector<std::int64_t> ids;
};

// No value with `exit_code` set, and the reason on `err`, if they cannot be had.
std::optional<Chosen> choose(std::string_view name, const DeadLettersChangeOptions& options,
                             std::ostream& err, int& exit_code) {
  exit_code = check_choice(name, options.choice, err);
  if (exit_code != kSuccess) {
    return std::nullopt;
  }
  Chosen found;
  found.ledger = open_ledger(options.store, err, exit_code);
  if (!found.ledger) {
    return std::nullopt;
  }
  found.ids = chosen(*found.ledger, options.choice, err, exit_code);
  return exit_code == kSuccess ? std::optional(std::move(found)) : std::nullopt;
}

// The names of the configured destinations; no value, with a line on `err`, if the configuration
// cannot be used, so that nobody knows.
std::optional<std::vector<std::string>> configured_names(const DeadLettersChangeOptions& options,
                                                         std::ostream& err) {
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return std::nullopt;
  }
  const auto configuration =
      load_configuration(options.store, options.environment, reader->information().region);
  if (!configuration) {
    err << "invlog dead-letters retry: whether their destinations are configured is not known: "
        << printable(configuration.error()) << '\n';
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const auto& each : delivery::describe_destinations(*configuration)) {
    names.push_back(each.name);
  }
  return names;
}

// Of these letters, those that nobody will try again, by their destination.
std::map<std::string, std::vector<std::string>> without_destination(
    storage::DeliveryLedger& ledger, const std::vector<std::int64_t>& ids,
    const std::vector<std::string>& names) {
  std::map<std::string, std::vector<std::string>> found;
  for (const std::int64_t id : ids) {
    const auto letter = ledger.dead_letter(id);
    if (letter && std::find(names.begin(), names.end(), letter->destination) == names.end()) {
      found[letter->destination].push_back(std::to_string(id));
    }
  }
  return found;
}

}  // namespace

int run_dead_letters_list(const DeadLettersListOptions& options, std::ostream& out,
                          std::ostream& err) {
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  const auto ledger = storage::DeliveryLedger::look(reader->connection());
  const std::vector<DeadLetter> letters =
      ledger ? ledger->dead_letters(options.destination) : std::vector<DeadLetter>();
  if (options.json) {
    for (const DeadLetter& letter : letters) {
      out << json_of(letter, record_of(*reader, letter)) << '\n';
    }
  } else if (letters.empty()) {
    return there_is_none(options.destination, err);
  } else {
    print_list(*reader, letters, options.terminal_width, out);
  }
  return kSuccess;
}

int run_dead_letters_show(const DeadLettersShowOptions& options, std::ostream& out,
                          std::ostream& err) {
  int exit_code = kSuccess;
  const auto reader = open_store(options.store, err, exit_code);
  if (!reader) {
    return exit_code;
  }
  const auto ledger = storage::DeliveryLedger::look(reader->connection());
  const auto letter = ledger ? ledger->dead_letter(options.id) : std::nullopt;
  if (!letter) {
    return not_found(options.id, err);
  }
  const auto stored = record_of(*reader, *letter);
  if (options.json) {
    out << json_of(*letter, stored) << '\n';
  } else {
    print_letter(*letter, stored, out);
  }
  return kSuccess;
}

int run_dead_letters_retry(const DeadLettersChangeOptions& options, std::ostream& out,
                           std::ostream& err) {
  int exit_code = kSuccess;
  const auto found = choose("retry", options, err, exit_code);
  if (!found) {
    return exit_code;
  }
  std::int64_t marked = found->ledger->retry_dead_letters(found->ids);
  if (marked == 0) {
    return there_is_none(options.choice.destination, err);
  }
  if (const auto names = configured_names(options, err)) {
    for (const auto& [destination, ids] : without_destination(*found->ledger, found->ids, *names)) {
      err << "invlog dead-letters retry: of " << printable(destination)
          << ", which is not configured (any more, or not here): "
          << counted(static_cast<long long>(ids.size()), "dead letter") << " ("
          << storage::joined(ids, ", ")
          << "), for which nobody makes another attempt before it is\n";
      marked -= static_cast<std::int64_t>(ids.size());
    }
  }
  if (marked <= 0) {
    return kFailure;
  }
  out << counted(marked, "dead letter")
      << " marked for another attempt, which a running agent makes by itself, and `invlog ship "
         "--once` otherwise\n";
  return kSuccess;
}

int run_dead_letters_drop(const DeadLettersChangeOptions& options, std::ostream& out,
                          std::ostream& err) {
  if (options.choice.all && !options.yes) {
    err << "invlog dead-letters drop: --all gives up every one of them: say --yes if you mean "
           "it\n";
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto found = choose("drop", options, err, exit_code);
  if (!found) {
    return exit_code;
  }
  const std::int64_t dropped = found->ledger->drop_dead_letters(found->ids);
  if (dropped == 0) {
    return there_is_none(options.choice.destination, err);
  }
  out << counted(dropped, "dead letter")
      << " dropped, which will not be delivered. What was recorded stays in the store, and an "
         "event there says so\n";
  return kSuccess;
}

}  // namespace invlog::cli
