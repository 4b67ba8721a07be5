// What `invlog agent` runs on, after defaults, file and flags were merged and checked: nothing here
// is optional or invalid. load_agent_config (config_loader.h) makes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "agent/config/access_config.h"
#include "agent/config/admin_config.h"
#include "agent/config/exporters_config.h"
#include "agent/config/policy_config.h"
#include "agent/config/privacy_config.h"
#include "agent/config/proxy_config.h"

namespace invlog::config {

enum class Durability { group, strict };
enum class OnOverload { block, pass };
enum class OnStorageFailure { pass, deny };
enum class RegionMismatch { refuse, allow };

struct AgentConfig {
  std::string region;  // source Region, e.g. eu-central-1
  // When the EC2 instance that this host is says another Region.
  RegionMismatch region_mismatch = RegionMismatch::refuse;
  std::string state_dir = "/var/lib/invlog";  // holds <region>.db and status.json
  std::string listen_host =
      "127.0.0.1";  // a loopback address, unless access.allow_remote; "": no TCP listener
  std::uint16_t listen_port = 4180;  // 0: the kernel picks; the ready line says which
  std::string listen_socket;         // path of a Unix socket, "" none
  std::string upstream;      // URL; default https://bedrock-runtime.<region>.<partition's suffix>
  std::string ca_bundle;     // PEM file for the upstream's certificate, "" the system's
  std::string account_id;    // "" unknown
  std::string identity_arn;  // "" unknown
  Durability durability = Durability::group;
  OnOverload on_overload = OnOverload::block;
  OnStorageFailure on_storage_failure = OnStorageFailure::pass;
  std::uint64_t max_request_bytes = 32ull << 20;
  std::uint64_t max_recorded_response_bytes = 32ull << 20;  // the tee's bound
  std::uint64_t queue_bytes = 4ull << 20;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds idle_timeout{300000};  // no byte either way from the upstream
  std::chrono::milliseconds stop_timeout{8000};    // for calls under way, once a stop has begun
  std::string log_level = "info";
  std::string log_format = "auto";  // auto, text, json, journal
  AccessConfig access;
  ClientLimits clients;
  ExportersConfig exporters;
  AwsConfig aws;
  RetentionConfig retention;
  PolicyConfig policy;
  PrivacyConfig privacy;
  AdminConfig admin;
  ProxyConfig proxy;

  std::string store_path() const { return state_dir + "/" + region + ".db"; }
  bool operator==(const AgentConfig&) const = default;
};

}  // namespace invlog::config
