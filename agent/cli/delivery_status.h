// How far delivery is, for `invlog status`: what the store's ledger says of each destination, and
// which configured ones it does not know yet.
//
// Reads through the Reader's connection, and changes nothing. Thread: the reader's. Errors: throws
// StoreError.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "agent/delivery/destinations.h"
#include "storage/delivery_ledger.h"
#include "storage/reader.h"

namespace invlog::cli {

struct DestinationStatus {
  std::string target;
  bool configured = false;
  bool begun = false;  // the ledger knows it
  storage::DeliveryState state;
  storage::Backlog backlog;
  std::int64_t dead_letters = 0;
  std::int64_t lost = 0;  // records that retention took before it had them
};

// In the order of `configured`, then those that are configured no more.
std::vector<DestinationStatus> delivery_status(
    storage::Reader& reader, const std::vector<delivery::DestinationDescription>& configured);

// `now_us`: Unix time in µs.
void print_delivery(const std::vector<DestinationStatus>& destinations, std::int64_t now_us,
                    std::ostream& out);
// A JSON array.
std::string delivery_json(const std::vector<DestinationStatus>& destinations, std::int64_t now_us);

}  // namespace invlog::cli
