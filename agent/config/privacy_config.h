// [privacy], after defaults and checks: what of a call's content is kept. Plain values; part of
// AgentConfig.
#pragma once

#include <string>
#include <vector>

namespace invlog::config {

struct PrivacyConfig {
  // What AWS's own logging has as delivery switches: false: such content is replaced by its type,
  // size and SHA-256.
  bool text = true, image = true, embedding = true, video = true, audio = true;
};

}  // namespace invlog::config
