#include "agent/cli/delivery_access.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "agent/cli/refused_configuration.h"
#include "agent/cli/terminal.h"

namespace invlog::cli {

std::optional<DeliveryAccess> open_delivery(const StoreOptions& options,
                                            const aws::Environment& environment, std::ostream& err,
                                            int& exit_code) {
  const auto location = find_store(options, err, exit_code);
  if (!location) {
    return std::nullopt;
  }
  DeliveryAccess access;
  access.store_path = location->store_path;
  auto reader = storage::Reader::open(location->store_path);
  if (!reader) {
    err << "invlog: " << with_advice(reader.error(), location->store_path) << '\n';
    exit_code = kFailure;
    return std::nullopt;
  }
  access.reader = std::move(*reader);
  auto configuration =
      load_configuration(options, environment, access.reader->information().region);
  if (!configuration) {
    err << "invlog: " << configuration.error() << '\n';
    note_refused_configuration(location->store_path, configuration.error());
    exit_code = kUsageError;
    return std::nullopt;
  }
  access.configuration = std::move(*configuration);
  return access;
}

void log_to_stderr(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("invlog", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern(terminal_width(STDERR_FILENO) > 0 ? "\r\x1b[Kinvlog: %v" : "invlog: %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace invlog::cli
