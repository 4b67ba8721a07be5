// Reads a running agent's configuration again, and says what of it may be taken: values of keys
// that can change while it runs. The rest stays as it was until a restart.
//
// What is taken has to fit what stays: a new file that is right by itself, but wrong together with
// an old value that only a restart changes, is refused like a wrong one. Region, flags and
// environment are those of the start; nothing is asked of the network. A file that is found empty,
// as it is while somebody writes it, is refused, too.
//
// Thread: any, one at a time; reads the file system. Errors: what is wrong with the new
// configuration is in the result.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config_loader.h"

namespace invlog::config {

struct ConfigChange {
  Problems problems;                 // if there are any, nothing has changed
  std::vector<std::string> changed;  // keys that are in force now: "policy.deny", "[exporters.s3]"
  std::vector<std::string> needs_restart;  // keys that are not, for that reason
  // Of [policy] and [privacy] what the files do not have any more: what they held back goes on.
  std::vector<std::string> removed = {};
};

class ConfigReloader {
 public:
  // `running`: what the agent runs on, as `sources` gave it.
  ConfigReloader(ConfigSources sources, LoadedConfig running);

  // Reads again. Without problems configuration() is afterwards what is to be in force.
  ConfigChange reload();
  // What the last reload() brought could not be put in force: configuration() is the one before.
  void take_back();
  const AgentConfig& configuration() const { return running_.configuration; }
  // What is doubtful about it, each with its place.
  const Problems& warnings() const { return running_.warnings; }

 private:
  ConfigSources sources_;
  LoadedConfig running_, before_;
};

}  // namespace invlog::config
