#include "agent/cli/refused_configuration.h"

#include <filesystem>
#include <system_error>

#include "storage/delivery_ledger.h"
#include "storage/json_writer.h"
#include "storage/store_error.h"

namespace invlog::cli {

void note_refused_configuration(const std::string& store_path, const std::string& reason) {
  std::error_code ignored;
  if (!std::filesystem::exists(store_path, ignored)) {
    return;
  }
  try {
    const auto ledger = storage::DeliveryLedger::open(store_path);
    if (ledger) {
      std::string details = "{";
      storage::append_json_member(details, "reason", reason);
      (*ledger)->add_event_once("configuration-refused", details + "}");
    }
  } catch (const storage::StoreError&) {
    // The refusal itself was said to the user; it does not depend on the store.
  }
}

}  // namespace invlog::cli
