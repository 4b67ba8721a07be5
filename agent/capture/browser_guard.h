// Keeps web pages away from the agent: a browser on this host reaches loopback too, and would call
// with the agent's credentials.
//
// A page's script shows in the header Origin, which no SDK sends. A page that had its own name
// resolve to 127.0.0.1 (DNS rebinding) needs no Origin, but then its name is in Host. What SDKs
// send there is what they were given as the endpoint: an address, localhost, a name of this network
// without a dot (which no public DNS answers for), or Bedrock's own name that /etc/hosts leads
// here.
//
// Thread: any; immutable. Errors: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/capture/http_message.h"

namespace invlog::capture {

class BrowserGuard {
 public:
  // `allowed_hosts`: lower case; "*.name" stands for all names below it, "*" for all there are.
  // `upstream_host`: the agent's own upstream may be called by its name too.
  BrowserGuard(std::vector<std::string> allowed_hosts, std::string upstream_host);

  // "", or what is wrong with the request and what to do.
  std::string problem(const RequestHead& request) const;
  // Of a Host header: with or without a port.
  bool knows(std::string_view authority) const;

 private:
  std::vector<std::string> allowed_hosts_;
  std::string upstream_host_;
};

}  // namespace invlog::capture
