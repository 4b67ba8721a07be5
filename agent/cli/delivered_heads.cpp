#include "agent/cli/delivered_heads.h"

#include <algorithm>
#include <utility>

#include "agent/delivery/own_identity.h"
#include "storage/delivery_ledger.h"
#include "storage/statement.h"

namespace invlog::cli {
namespace {

// Of which a destination asks some. A batch's objects of records come after those of its bodies.
constexpr std::int64_t kMostObjects = 1000;

// When the call of the newest delivered record began, or of the one before it that is still there;
// 0 if there is none.
std::int64_t delivered_until(storage::Reader& reader, std::int64_t cursor) {
  storage::Statement select(
      reader.connection(), "SELECT started_at FROM record WHERE id <= ?1 ORDER BY id DESC LIMIT 1");
  select.bind(1, cursor);
  return select.step() ? select.integer(0) : 0;
}

// What was given to this target, whatever it was called then, and to this folder of it.
std::int64_t given_head(storage::DeliveryLedger& ledger, const exporters::Destination& destination,
                        const std::string& folder) {
  std::int64_t segment = 0;
  for (const storage::DeliveredHead& head : ledger.heads_of(destination.name())) {
    if (head.folder == folder && destination.is_same_target(head.target)) {
      segment = std::max(segment, head.segment);
    }
  }
  return segment;
}

// A batch has the head that was there when it was begun: one that was begun before the first
// segment closed has none, and may reach into the second, but hardly beyond.
std::int64_t due_with_head(storage::Reader& reader, const storage::DeliveryState& state,
                           const exporters::Destination& destination) {
  storage::Statement select(reader.connection(),
                            "SELECT last_record FROM segment WHERE closed_at IS NOT NULL ORDER BY "
                            "id LIMIT 1 OFFSET 1");
  const bool there = state.delivered_records > 0 && destination.is_same_target(state.target);
  return there && select.step() && state.cursor > select.integer(0) ? state.cursor : 0;
}

tl::expected<std::string, aws::ServiceFailure> account_of(const DeliveryAccess& access,
                                                          const DeliveryWorld& world,
                                                          aws::CredentialsProvider& credentials) {
  const std::string pinned = access.reader->information().account_id;
  if (!pinned.empty()) {
    return pinned;
  }
  delivery::OwnIdentity identity(
      access.configuration, credentials, world.environment, nullptr,
      world.make_http_client(access.configuration.aws, world.environment, nullptr));
  return identity.account_id();
}

}  // namespace

std::vector<DeliveredHeads> ask_for_heads(const DeliveryAccess& access,
                                          const DeliveryWorld& world) {
  std::vector<DeliveredHeads> heads;
  const auto ledger = storage::DeliveryLedger::look(access.reader->connection());
  if (!ledger) {
    return heads;
  }
  const auto credentials = world.make_credentials(access.configuration, world.environment, nullptr);
  exporters::Origin origin;
  origin.store = access.reader->information();
  const auto account = account_of(access, world, *credentials);
  origin.store.account_id = account.value_or("");
  origin.instance = ledger->instance();
  for (const delivery::ConfiguredDestination& each :
       world.make_destinations(access.configuration,
                               {*credentials, world.environment, delivery::host_name(), nullptr})) {
    const storage::DeliveryState state =
        ledger->find_state(each.destination->name()).value_or(storage::DeliveryState());
    DeliveredHeads asked{each.destination->name(), each.destination->target(), {}};
    asked.given = given_head(*ledger, *each.destination, each.destination->head_folder(origin));
    asked.due = due_with_head(*access.reader, state, *each.destination);
    if (!account) {  // S3 would be searched in the wrong folder
      asked.heads = tl::unexpected(account.error().message);
      heads.push_back(std::move(asked));
      continue;
    }
    auto kept =
        each.destination->kept_heads(origin, delivered_until(*access.reader, state.cursor),
                                     ledger->newest_objects(asked.destination, kMostObjects));
    if (kept) {
      asked.heads = *std::move(kept);
    } else {
      asked.heads = tl::unexpected(kept.error().message);
    }
    heads.push_back(std::move(asked));
  }
  return heads;
}

}  // namespace invlog::cli
