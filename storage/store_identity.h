// What the store's one row says of its origin - Region, account, host - and the `instance` row
// stand in the chain, too: the first event tells of the store's birth, an `account-pinned` event of
// an account that was filled in later, and `host-changed` events of the rows of `host_change`
// (host_history.h). So a changed row shows (FORMAT.md, "Integrity").
// Under another instance a store would find none of the chain heads that destinations keep of it.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/sqlite_api.h"

namespace invlog::storage {

struct StoreIdentity {
  std::string region, account_id, host, agent_version;  // "" unknown
};

// Both inside a write transaction. `at`: Unix µs. The first event of a new store, with the
// transaction that writes its row; the instance that it tells is the one in the store.
void add_birth_event(sqlite3* connection, const StoreIdentity& identity, std::int64_t at);
// An account that becomes known after the store was born is pinned then, and the chain says when.
// Returns the store's account: another one, if that was pinned before; `account_id` "" pins none.
std::string pin_store_account(sqlite3* connection, const std::string& account_id, std::int64_t at);

// Where the rows and the events differ, a line for a person each. Of a store from before there were
// birth events only the account is compared, if an event pins it; the instance where the birth
// event has it.
std::vector<std::string> identity_problems(sqlite3* connection);

}  // namespace invlog::storage
