// The flags of `invlog agent`, one per key of [agent]; systemd/invlog.toml explains them at length.
#pragma once

namespace invlog::cli {

struct AgentFlag {
  const char* key;
  const char* flag;
  const char* description;
};
inline constexpr AgentFlag kAgentFlags[] = {
    {"region", "--region",
     "source Region, e.g. eu-central-1 (default: AWS_REGION, then the EC2 instance's)"},
    {"region_mismatch", "--region-mismatch",
     "refuse or allow a Region that is not the EC2 instance's (default: refuse)"},
    {"state_dir", "--state-dir",
     "directory of the store and status.json (default: /var/lib/invlog)"},
    {"listen", "--listen", "HOST:PORT or unix:PATH; once for each (default: 127.0.0.1:4180)"},
    {"upstream", "--upstream",
     "http(s)://HOST[:PORT] to call instead of Bedrock's public endpoint"},
    {"ca_bundle", "--ca-bundle", "PEM file with the certificates to trust for the upstream"},
    {"account_id", "--account-id", "AWS account to name in the records"},
    {"identity_arn", "--identity-arn", "ARN to name in the records"},
    {"durability", "--durability", "group or strict (default: group)"},
    {"on_overload", "--on-overload", "block or pass (default: block)"},
    {"on_storage_failure", "--on-storage-failure", "pass or deny (default: pass)"},
    {"max_request_size", "--max-request-size", "larger requests are refused (default: 32MiB)"},
    {"max_recorded_response_size", "--max-recorded-response-size",
     "larger responses are cut in the record (default: 32MiB)"},
    {"queue_size", "--queue-size", "bytes between calls and store (default: 4MiB)"},
    {"connect_timeout", "--connect-timeout", "towards the upstream (default: 5s)"},
    {"idle_timeout", "--idle-timeout", "without a byte from or to the upstream (default: 300s)"},
    {"stop_timeout", "--stop-timeout", "for calls under way at a stop (default: 8s)"},
    {"log_level", "--log-level", "trace, debug, info, warning or error (default: info)"},
    {"log_format", "--log-format",
     "auto, text, json or journal (default: auto, the journal under systemd, else text)"},
    {"allow_remote", "--allow-remote",
     "true: listen on addresses that other hosts reach (default: false)"},
    {"allow_users", "--allow-users", "names or ids of users that may call, separated by commas"},
    {"allow_groups", "--allow-groups",
     "names or ids of groups whose members may call, separated by commas"},
    {"allowed_hosts", "--allowed-hosts",
     "more names by which applications may call the agent, separated by commas"},
    {"header_timeout", "--header-timeout",
     "from a request's first byte to its head's end (default: 10s)"},
    {"keep_alive_timeout", "--keep-alive-timeout",
     "a connection without a request (default: 600s)"},
    {"max_connections", "--max-connections", "from clients, at a time (default: 1024)"}};

}  // namespace invlog::cli
