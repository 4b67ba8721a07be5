#include "agent/cli/doctor_command.h"

#include <atomic>
#include <filesystem>

#include "agent/cli/diagnosis.h"
#include "agent/cli/doctor_checks.h"
#include "agent/cli/proxy_mode_check.h"
#include "agent/delivery/own_identity.h"

namespace invlog::cli {
namespace {

// Where the store is or will be.
struct Place {
  std::string path, state_dir;
};

std::optional<Place> find_place(const DoctorOptions& options, config::AgentConfig& configuration,
                                std::ostream& err) {
  // A store that is there gives its Region; where there is none yet, the configuration must.
  std::string region;
  std::ostringstream why_no_store;
  int ignored = kSuccess;
  const auto location = find_store(options.store, why_no_store, ignored);
  if (location) {
    if (const auto reader = storage::Reader::open(location->store_path)) {
      region = (*reader)->information().region;
    }
  }
  auto loaded = load_configuration(options.store, options.world.environment, region);
  if (!loaded) {
    err << "invlog doctor: " << loaded.error() << '\n';
    return std::nullopt;
  }
  configuration = std::move(*loaded);
  return location ? Place{location->store_path, location->state_dir}
                  : Place{configuration.store_path(), configuration.state_dir};
}

class Doctor {
 public:
  Doctor(const DoctorOptions& options, const config::AgentConfig& configuration)
      : options_(options),
        configuration_(configuration),
        credentials_(
            options.world.make_credentials(configuration, options.world.environment, nullptr)) {}

  Diagnosis examine(const Place& place) {
    diagnosis_.ok("configuration", "Region " + configuration_.region);
    const std::string service = service::service_alone_has(
        options_.service_files, options_.world.environment, "invlog doctor");
    if (!service.empty()) {
      diagnosis_.note("service", service);
    }
    const StoreFindings store = check_store(options_, place.path, place.state_dir, diagnosis_);
    has_credentials_ = check_credentials(*credentials_, needs_credentials(), !service.empty(),
                                         options_.clock(), diagnosis_);
    if (has_credentials_) {
      const std::string expected = !configuration_.account_id.empty() ? configuration_.account_id
                                   : store.information ? store.information->account_id
                                                       : "";
      delivery::OwnIdentity identity(configuration_, *credentials_, options_.world.environment,
                                     nullptr, client(configuration_.aws));
      caller_ = check_identity(identity, expected, diagnosis_);
    }
    examine_upstream();
    check_proxy_mode(configuration_, read_agent_status(place.state_dir, options_.is_invlog),
                     options_.world.environment, options_.clock(), diagnosis_);
    if (has_credentials_) {
      const auto http = client(configuration_.aws);
      check_profiles(configuration_, options_.world.environment, *http, *credentials_,
                     options_.clock, diagnosis_);
    }
    examine_destinations(store);
    return std::move(diagnosis_);
  }

 private:
  std::unique_ptr<aws::HttpClient> client(const config::AwsConfig& configuration) {
    return options_.world.make_http_client(configuration, options_.world.environment, nullptr);
  }

  bool needs_credentials() const {
    return configuration_.exporters.s3 || configuration_.exporters.cloudwatch_logs;
  }

  void examine_upstream() {
    // The upstream has its own bundle, and AWS_CA_BUNDLE is not for it.
    config::AwsConfig access;
    access.ca_bundle = configuration_.ca_bundle;
    const auto http = options_.world.make_http_client(
        access, [](const char*) { return std::optional<std::string>(); }, nullptr);
    if (check_upstream(configuration_, *http, options_.clock, diagnosis_) && has_credentials_) {
      check_bedrock(configuration_, *http, *credentials_, options_.clock, diagnosis_);
    }
  }

  void examine_destinations(const StoreFindings& store) {
    exporters::Origin origin;
    if (store.information) {
      origin.store = *store.information;
    } else {
      origin.store.region = configuration_.region;
      origin.store.host = delivery::host_name();
    }
    if (origin.store.account_id.empty()) {
      origin.store.account_id = !configuration_.account_id.empty() ? configuration_.account_id
                                : caller_                          ? caller_->account_id
                                                                   : "";
    }
    origin.instance = store.instance.empty() ? std::string(32, '0') : store.instance;
    const auto destinations = options_.world.make_destinations(
        configuration_,
        {*credentials_, options_.world.environment, delivery::host_name(), nullptr});
    if (destinations.empty()) {
      diagnosis_.note("destinations", "none is configured: the records stay in the store");
    }
    for (const auto& each : destinations) {
      check_destination(*each.destination, origin, options_.write, caller_ ? caller_->arn : "",
                        diagnosis_);
    }
  }

  const DoctorOptions& options_;
  const config::AgentConfig& configuration_;
  const std::unique_ptr<aws::CredentialsProvider> credentials_;
  bool has_credentials_ = false;
  std::optional<aws::CallerIdentity> caller_;
  Diagnosis diagnosis_;
};

}  // namespace

int run_doctor(const DoctorOptions& options, std::ostream& out, std::ostream& err) {
  config::AgentConfig configuration;
  const auto place = find_place(options, configuration, err);
  if (!place) {
    return kUsageError;
  }
  const Diagnosis diagnosis = Doctor(options, configuration).examine(*place);
  options.json ? diagnosis.print_json(out) : diagnosis.print(out);
  return diagnosis.any_failed() ? kFailure : kSuccess;
}

}  // namespace invlog::cli
