// `invlog ca`: the local certificate authority of proxy mode (agent/proxy/certificate_authority.h):
// make it, look at it, replace it, and give programs what they must trust.
//
// init and rotate write in the state directory, as root or as the agent's user; show and bundle
// only read, which members of its group may, too. Thread: the main one. Errors: exit codes with one
// line on `err`.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "exporters/aws/credentials.h"

namespace invlog::cli {

// What every one of them takes, and the world around it.
struct AuthorityAccess {
  std::optional<std::string> config_file, region, state_dir;
  std::string default_config_file = "/etc/invlog/invlog.toml";
  aws::Environment environment = aws::process_environment();
  std::function<std::string()> instance_region;  // as in config::ConfigSources
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

// Exit code 1 if there is an authority already.
int run_ca_init(const AuthorityAccess& access, std::ostream& out, std::ostream& err);

// Exit code 1 if there is none.
int run_ca_rotate(const AuthorityAccess& access, std::ostream& out, std::ostream& err);

struct CaShowOptions {
  AuthorityAccess access;
  bool json = false;  // one object
  bool pem = false;   // ca.pem's certificates and nothing else
};
// Exit code 1 if there is none, or none that the agent could use.
int run_ca_show(const CaShowOptions& options, std::ostream& out, std::ostream& err);

struct CaBundleOptions {
  AuthorityAccess access;
  std::string output;   // a file, "" `out`
  bool update = false;  // <state_dir>/ca-bundle.pem instead
};
// Exit code 1 if there is no authority, or no root of the system: what replaces a program's roots
// must have them.
int run_ca_bundle(const CaBundleOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
