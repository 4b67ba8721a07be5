#include "agent/cli/delivery_status.h"

#include <algorithm>

#include "agent/cli/display_text.h"
#include "storage/json_writer.h"
#include "storage/retention_base.h"
#include "storage/statement.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

unsigned long long bytes_of(std::int64_t number) {
  return static_cast<unsigned long long>(std::max<std::int64_t>(number, 0));
}

std::string ago(std::int64_t now_us, std::int64_t at_us) {
  return readable_age((now_us - at_us) / kSecond);
}

storage::Backlog whole_store(sqlite3* connection) {
  storage::Statement select(connection,
                            "SELECT count(*), coalesce(sum(request_bytes + response_bytes), 0), "
                            "coalesce(min(started_at + coalesce(duration, 0)), 0) FROM record");
  select.step();
  return {select.integer(0), select.integer(1), select.integer(2)};
}

// What the ledger does not know yet has everything before it, or nothing.
storage::Backlog backlog_of(storage::Reader& reader, storage::DeliveryLedger* ledger,
                            const DestinationStatus& status, bool from_now) {
  if (!status.begun) {
    return from_now ? storage::Backlog{} : whole_store(reader.connection());
  }
  return ledger->backlog(status.state.destination);
}

std::string time_and_age(std::int64_t at_us, std::int64_t now_us) {
  return storage::iso_seconds(at_us) + " (" + ago(now_us, at_us) + " ago)";
}

std::string backlog_text(const storage::Backlog& backlog, std::int64_t now_us) {
  if (backlog.records == 0) {
    return "none";
  }
  return counted(backlog.records, "record") + ", " + readable_size(bytes_of(backlog.body_bytes)) +
         " of bodies, the oldest " + ago(now_us, backlog.oldest_at_us) + " old";
}

// Where the last delivery went, if another place is configured by now; else "".
std::string earlier_target(const DestinationStatus& status) {
  const std::string& last = status.state.target;
  return status.configured && last != status.target ? last : "";
}

void print_destination(const DestinationStatus& status, std::int64_t now_us, std::ostream& out) {
  const storage::DeliveryState& state = status.state;
  print_field(out, "destination",
              state.destination + ": " + printable(status.target) +
                  (status.configured ? "" : " (not configured any more, or not here)"));
  if (const std::string earlier = earlier_target(status); !earlier.empty()) {
    print_field(out, "  before",
                "what was delivered went to " + printable(earlier) +
                    " and stays there; see `invlog report`");
  }
  print_field(out, "  cursor",
              status.begun ? "record " + grouped(state.cursor) : "nothing was delivered yet");
  print_field(out, "  backlog", backlog_text(status.backlog, now_us));
  if (status.begun) {
    print_field(out, "  delivered",
                counted(state.delivered_records, "record") + " in " +
                    (state.delivered_batches == 1 ? "1 batch"
                                                  : grouped(state.delivered_batches) + " batches") +
                    ", " + readable_size(bytes_of(state.delivered_bytes)) + ", " +
                    (state.retries == 1 ? "1 retry" : grouped(state.retries) + " retries"));
    print_field(out, "  last success",
                state.last_success_us == 0 ? "never" : time_and_age(state.last_success_us, now_us));
  }
  if (!state.last_error.empty()) {
    print_field(out, "  last error",
                time_and_age(state.last_error_us, now_us) + ": " + printable(state.last_error));
  }
  print_field(out, "  dead letters",
              grouped(status.dead_letters) +
                  (status.dead_letters == 0 ? "" : "; see `invlog dead-letters list`"));
  if (status.lost > 0) {
    print_field(
        out, "  never delivered",
        counted(status.lost, "record") +
            ", which [retention] took (dead letters, or keep_undelivered = false, or it was not "
            "configured)");
  }
}

std::string text_json(std::string_view text) {
  if (text.empty()) {
    return "null";
  }
  std::string json;
  storage::append_json_string(json, text);
  return json;
}

std::string time_json(std::int64_t at_us) {
  return text_json(at_us == 0 ? "" : storage::iso_seconds(at_us));
}

std::string json_of(const DestinationStatus& status, std::int64_t now_us) {
  const storage::DeliveryState& state = status.state;
  const storage::Backlog& backlog = status.backlog;
  std::string json = "{";
  storage::append_json_member(json, "destination", state.destination);
  storage::append_json_member(json, "target", status.target);
  storage::append_json_raw(json, "configured", status.configured ? "true" : "false");
  storage::append_json_raw(json, "begun", status.begun ? "true" : "false");
  storage::append_json_number(json, "cursor", state.cursor);
  storage::append_json_number(json, "backlog_records", backlog.records);
  storage::append_json_number(json, "backlog_body_bytes", backlog.body_bytes);
  storage::append_json_raw(json, "backlog_oldest_at", time_json(backlog.oldest_at_us));
  storage::append_json_number(
      json, "backlog_age_seconds",
      backlog.records == 0 ? 0
                           : std::max<std::int64_t>(now_us - backlog.oldest_at_us, 0) / kSecond);
  storage::append_json_number(json, "delivered_records", state.delivered_records);
  storage::append_json_number(json, "delivered_batches", state.delivered_batches);
  storage::append_json_number(json, "delivered_bytes", state.delivered_bytes);
  storage::append_json_number(json, "retries", state.retries);
  storage::append_json_raw(json, "last_success_at", time_json(state.last_success_us));
  storage::append_json_raw(json, "last_error", text_json(state.last_error));
  storage::append_json_raw(json, "last_error_at", time_json(state.last_error_us));
  storage::append_json_number(json, "dead_letters", status.dead_letters);
  storage::append_json_number(json, "taken_undelivered", status.lost);
  storage::append_json_raw(json, "earlier_target", text_json(earlier_target(status)));
  return json + "}";
}

}  // namespace

std::vector<DestinationStatus> delivery_status(
    storage::Reader& reader, const std::vector<delivery::DestinationDescription>& configured) {
  const auto ledger = storage::DeliveryLedger::look(reader.connection());
  std::vector<storage::DeliveryState> known;
  if (ledger) {
    known = ledger->states();
  }
  const auto taken = storage::read_retention_base(reader.connection()).undelivered;
  std::vector<DestinationStatus> destinations;
  const auto add = [&](DestinationStatus status, bool from_now) {
    status.backlog = backlog_of(reader, ledger.get(), status, from_now);
    const auto lost = taken.find(status.state.destination);
    status.lost = lost == taken.end() ? 0 : lost->second;
    status.dead_letters = ledger ? ledger->count_dead_letters(status.state.destination) : 0;
    destinations.push_back(std::move(status));
  };
  for (const delivery::DestinationDescription& each : configured) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& state) {
      return state.destination == each.name;
    });
    DestinationStatus status{each.target, true, found != known.end(), {}, {}, 0, 0};
    status.state.destination = each.name;
    if (status.begun) {
      status.state = *found;
      known.erase(found);
    }
    add(std::move(status), each.from_now);
  }
  for (const storage::DeliveryState& state : known) {
    add({state.target, false, true, state, {}, 0, 0}, false);
  }
  return destinations;
}

void print_delivery(const std::vector<DestinationStatus>& destinations, std::int64_t now_us,
                    std::ostream& out) {
  if (destinations.empty()) {
    print_field(out, "destination", "none is configured: the records stay in the store");
  }
  for (const DestinationStatus& status : destinations) {
    print_destination(status, now_us, out);
  }
}

std::string delivery_json(const std::vector<DestinationStatus>& destinations, std::int64_t now_us) {
  std::string json = "[";
  for (const DestinationStatus& status : destinations) {
    json += (json.size() > 1 ? "," : "") + json_of(status, now_us);
  }
  return json + "]";
}

}  // namespace invlog::cli
