#include "storage/store_identity.h"

#include <map>
#include <optional>
#include <string_view>

#include "storage/host_history.h"
#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/statement.h"

namespace invlog::storage {
namespace {

constexpr std::string_view kCreated = "store-created";
constexpr std::string_view kAccountPinned = "account-pinned";
// No other event was there before it.
constexpr std::int64_t kBirthEvent = 1;

void add_event(sqlite3* connection, std::string_view kind, std::int64_t at,
               const std::string& details) {
  Statement(connection, "INSERT INTO event(at, kind, details) VALUES (?1, ?2, ?3)")
      .bind(1, at)
      .bind_text(2, kind)
      .bind_text(3, details)
      .run();
}

void append_if_known(std::string& json, std::string_view name, const std::string& text) {
  if (!text.empty()) {
    append_json_member(json, name, text);
  }
}

std::string event_name(std::int64_t id) {
  return "event " + std::to_string(id);
}

// An event has bytes that are no UTF-8 replaced.
bool same_in_json(std::string_view a, std::string_view b) {
  std::string json_a, json_b;
  append_json_string(json_a, a);
  append_json_string(json_b, b);
  return json_a == json_b;
}

std::string or_nothing(std::string_view text) {
  return text.empty() ? "nothing" : std::string(text);
}

std::string stored_instance(sqlite3* connection) {
  if (!has_delivery_tables(connection)) {
    return "";
  }
  Statement select(connection, "SELECT name FROM instance");
  return select.step() ? std::string(select.bytes(0)) : "";
}

class Comparison {
 public:
  explicit Comparison(sqlite3* connection)
      : connection_(connection), instance_(stored_instance(connection)) {}

  std::vector<std::string> run() {
    Statement store(connection_, "SELECT region, account_id, host, agent_version FROM store");
    if (!store.step()) {
      return {};  // which is a finding of its own
    }
    row_ = {std::string(store.bytes(0)), std::string(store.bytes(1)), std::string(store.bytes(2)),
            std::string(store.bytes(3))};
    Statement events(connection_,
                     "SELECT id, kind, details ->> '$.region', details ->> '$.account_id', "
                     "details ->> '$.host', details ->> '$.agent_version', details ->> "
                     "'$.instance' FROM (SELECT id, kind, CASE WHEN json_valid(details) THEN "
                     "details ELSE '{}' END AS details FROM event WHERE kind IN (?1, ?2)) ORDER BY "
                     "id");
    events.bind_text(1, kCreated).bind_text(2, kAccountPinned);
    while (events.step()) {
      if (events.bytes(1) == kCreated) {
        take_birth(events);
      } else {
        take_account(events);
      }
    }
    compare_account();
    compare_hosts();
    return std::move(problems_);
  }

 private:
  void compare(std::string_view what, std::string_view in_row, std::string_view in_event,
               std::int64_t event) {
    if (!same_in_json(in_row, in_event)) {
      problems_.push_back("its row says " + std::string(what) + " " + or_nothing(in_row) +
                          ", and " + event_name(event) + " says " + or_nothing(in_event));
    }
  }

  void take_birth(const Statement& event) {
    if (event.integer(0) != kBirthEvent) {
      problems_.push_back(event_name(event.integer(0)) +
                          " tells of the store's birth, but is not its first");
      return;
    }
    born_ = true;
    compare("Region", row_.region, event.bytes(2), kBirthEvent);
    compare("host", row_.host, event.bytes(4), kBirthEvent);
    compare("agent version", row_.agent_version, event.bytes(5), kBirthEvent);
    if (!event.bytes(6).empty() && event.bytes(6) != instance_) {
      problems_.push_back("destinations are to know it as " + or_nothing(instance_) +
                          " (`instance`), and " + event_name(kBirthEvent) + " says as " +
                          std::string(event.bytes(6)));
    }
    if (!event.bytes(3).empty()) {
      account_ = std::string(event.bytes(3));
      account_event_ = kBirthEvent;
    }
  }

  void take_account(const Statement& event) {
    const std::string account(event.bytes(3));
    if (account.empty()) {
      problems_.push_back(event_name(event.integer(0)) + " pins an account, but not which");
    } else if (!account_) {
      account_ = account;
      account_event_ = event.integer(0);
    } else if (account != *account_) {
      problems_.push_back(event_name(event.integer(0)) + ": it pins account " + account + ", but " +
                          event_name(account_event_) + " said " + *account_);
    }
  }

  void compare_account() {
    if (account_) {
      compare("account", row_.account_id, *account_, account_event_);
    } else if (born_ && !row_.account_id.empty()) {
      problems_.push_back("its row says account " + row_.account_id + ", and no event says so");
    }
  }

  struct ToldHost {
    std::string host;
    std::int64_t event = 0;
  };

  // By the first record. Where none was made between two changes, the later one counts.
  std::map<std::int64_t, ToldHost> told_hosts() {
    std::map<std::int64_t, ToldHost> told;
    Statement events(connection_,
                     "SELECT id, details ->> '$.first_record', details ->> '$.to' FROM (SELECT id, "
                     "CASE WHEN json_valid(details) THEN details ELSE '{}' END AS details FROM "
                     "event WHERE kind = ?1) ORDER BY id");
    events.bind_text(1, kHostChanged);
    while (events.step()) {
      const auto first = events.optional_integer(1);
      if (!first || events.bytes(2).empty()) {
        problems_.push_back(event_name(events.integer(0)) +
                            " tells of another host, but not which, or from which record on");
        continue;
      }
      told[*first] = {std::string(events.bytes(2)), events.integer(0)};
    }
    return told;
  }

  void compare_hosts() {
    std::map<std::int64_t, ToldHost> told = told_hosts();
    const auto wrong = [this](std::int64_t first, std::string_view row, const std::string& what) {
      problems_.push_back("`host_change` says host " + or_nothing(row) + " from record " +
                          std::to_string(first) + " on, and " + what);
    };
    if (has_host_changes(connection_)) {
      Statement rows(connection_, "SELECT first_record, host FROM host_change ORDER BY 1");
      while (rows.step()) {
        const auto event = told.extract(rows.integer(0));
        if (!event) {
          wrong(rows.integer(0), rows.bytes(1), "no event says so");
        } else if (!same_in_json(rows.bytes(1), event.mapped().host)) {
          wrong(event.key(), rows.bytes(1),
                event_name(event.mapped().event) + " says " + event.mapped().host);
        }
      }
    }
    for (const auto& [first, event] : told) {
      wrong(first, "", event_name(event.event) + " says " + event.host);
    }
  }

  sqlite3* connection_;
  const std::string instance_;
  StoreIdentity row_;
  bool born_ = false;  // an event tells of it
  std::optional<std::string> account_;
  std::int64_t account_event_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace

void add_birth_event(sqlite3* connection, const StoreIdentity& identity, std::int64_t at) {
  std::string details = "{";
  append_json_member(details, "region", identity.region);
  append_if_known(details, "account_id", identity.account_id);
  append_if_known(details, "host", identity.host);
  append_if_known(details, "agent_version", identity.agent_version);
  append_if_known(details, "instance", stored_instance(connection));
  add_event(connection, kCreated, at, details + "}");
}

std::string pin_store_account(sqlite3* connection, const std::string& account_id, std::int64_t at) {
  Statement select(connection, "SELECT account_id FROM store");
  std::string pinned = select.step() ? std::string(select.bytes(0)) : "";
  select.reset();
  if (!pinned.empty() || account_id.empty()) {
    return pinned;
  }
  Statement(connection, "UPDATE store SET account_id = ?1").bind_text(1, account_id).run();
  std::string details = "{";
  append_json_member(details, "account_id", account_id);
  add_event(connection, kAccountPinned, at, details + "}");
  return account_id;
}

std::vector<std::string> identity_problems(sqlite3* connection) {
  return Comparison(connection).run();
}

}  // namespace invlog::storage
